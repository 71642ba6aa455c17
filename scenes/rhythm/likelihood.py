"""The log-likelihood of BG/NBD and its gradient, over people of equal history taken together.

Source: Fader, Hardie and Lee, "Counting your customers the easy way: an alternative to the Pareto/NBD model",
Marketing Science 24(2), 2005, equation 6. With x repeats, the last at t_x, age T, a person's likelihood is

    B(a, b+x)/B(a, b) * G(r+x) alpha^r / G(r) * ( (alpha+T)^-(r+x) + [x>0] a/(b+x-1) (alpha+t_x)^-(r+x) )

Logarithms are taken of each factor and the two ends are added as logarithms, so that nothing under- or overflows.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, expit, gammaln

from scenes.rhythm.cadence import F64, I64, Summaries


@dataclass(frozen=True, slots=True)
class Histories:
    """Distinct histories with how many people have each; ``kind`` points into ``counts``, the distinct x."""

    x: F64
    t_x: F64
    age: F64
    weight: F64
    counts: F64
    kind: I64

    @staticmethod
    def of(people: Summaries) -> "Histories":
        """Group people; those who never came again and began on one day become one row."""
        rows, weight = np.unique(np.column_stack([people.x, people.t_x, people.age]), axis=0, return_counts=True)
        counts, kind = np.unique(rows[:, 0], return_inverse=True)
        return Histories(rows[:, 0], rows[:, 1], rows[:, 2], weight.astype(np.float64), counts, kind.reshape(-1))

    @property
    def n_people(self) -> float:
        """How many people these are."""
        return float(self.weight.sum())


def log_likelihood(parameters: F64, histories: Histories) -> tuple[float, F64]:
    """The sum over people, and its (4,) gradient.

    Args:
        parameters: (4,) r, alpha in weeks, a, b; all positive.
    """
    r, alpha, a, b = (float(value) for value in parameters)
    x, counts, kind = histories.x, histories.counts, histories.kind
    active = -(r + x) * np.log(alpha + histories.age)
    gone = np.full(len(x), -np.inf)
    again = x > 0
    gone[again] = np.log(a / (b + x[again] - 1.0)) - (r + x[again]) * np.log(alpha + histories.t_x[again])
    front = gammaln(r + counts) - gammaln(r) + r * np.log(alpha)
    front += gammaln(a + b) + gammaln(b + counts) - gammaln(b) - gammaln(a + b + counts)
    each = front[kind] + np.logaddexp(active, gone)
    return float(histories.weight @ each), _gradient(r, alpha, a, b, histories, expit(gone - active))


def _gradient(r: float, alpha: float, a: float, b: float, histories: Histories, gone: F64) -> F64:
    """d/d(r, alpha, a, b); ``gone`` is each row's share of its likelihood that stands for having dropped out."""
    x, counts, kind, weight = histories.x, histories.counts, histories.kind, histories.weight
    later, earlier = alpha + histories.age, alpha + histories.t_x
    both = digamma(a + b) - digamma(a + b + counts)
    by_r = (
        (digamma(r + counts) - digamma(r))[kind] + np.log(alpha) - (1 - gone) * np.log(later) - gone * np.log(earlier)
    )
    by_alpha = r / alpha - (r + x) * ((1 - gone) / later + gone / earlier)
    by_a = both[kind] + gone / a
    by_b = (both + digamma(b + counts) - digamma(b))[kind] - gone / np.where(x > 0, b + x - 1.0, 1.0)
    return np.array([weight @ by_r, weight @ by_alpha, weight @ by_a, weight @ by_b])
