"""Is there a rhythm at all? The gamma shape of the gaps between visits of one category, over its people.

Shape 1 is no memory: how long ago somebody came says nothing of when they come next. Greater is more regular.

A person's gaps, each divided by their sum, are Dirichlet(k, .., k) whatever the person's rate; so the n shares'
squares sum to (k+1)/(nk+1) in the mean, with no rate to estimate and no bias from few gaps. That holds given n and
the sum, so neither the end of the log nor dropping out disturbs it. Counting each gap once, k solves

    sum_i n_i * (squares_i / sum_i^2) = sum_i n_i * (k+1) / (n_i k + 1)

Source: Wheat and Morrison, "Estimating purchase regularity with two interpurchase times", Journal of Marketing
Research 27(1), 1990: the case n = 2, where the share is Beta(k, k). Where we differ: all gaps of a person, from sums
alone; and half a day off each gap, since days that are counted whole and once make short gaps look regular: days drawn
by chance have squared variation 1 - 1/mean, with the half day off it is within 2 % of 1 from a mean of five days on.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from scenes.rhythm.cadence import F64, States, gap_counts, gap_sums_days
from scenes.rhythm.errors import TooFewVisitsError

MIN_PEOPLE = 50
"""With two gaps or more; then the interval at shape 1 is some +-35 % of it."""
RHYTHM_SHAPE = 1.25
"""The interval must lie above: a shape that changes what a gap says, not one that is merely not 1."""
_HALF_DAY = 0.5
_Z95 = 1.96
_LEAST, _GREATEST = 1e-2, 1e3
"""Gaps that are all alike have no greatest likely shape; clockwork ends here."""


@dataclass(frozen=True, slots=True)
class Regularity:
    """The pooled shape with its 95 % interval, by people, and how many people and gaps it stands on."""

    shape: float
    low: float
    high: float
    n_people: int
    n_gaps: int

    @property
    def has_rhythm(self) -> bool:
        """Whether the category's visits keep time well enough that being late means something."""
        return self.low > RHYTHM_SHAPE


def estimate_regularity(states: States) -> Regularity:
    """Estimate the gamma shape of the gaps within people.

    Raises:
        TooFewVisitsError: fewer than 50 people with two gaps.
    """
    known = states[gap_counts(states) >= 2]
    if len(known) < MIN_PEOPLE:
        raise TooFewVisitsError("people with two gaps", MIN_PEOPLE, len(known))
    n, total = gap_counts(known).astype(np.float64), gap_sums_days(known).astype(np.float64)
    squares = (known["squares"] - 2.0 * _HALF_DAY * total + n * _HALF_DAY**2) / (total - _HALF_DAY * n) ** 2
    shape = _solve(n, squares)
    miss = n * (squares - (shape + 1.0) / (n * shape + 1.0))
    slope = float((n * (n - 1.0) / (n * shape + 1.0) ** 2).sum())
    spread = _Z95 * float(np.sqrt((miss**2).sum())) / slope / shape
    low, high = shape * float(np.exp(-spread)), shape * float(np.exp(spread))
    return Regularity(shape, low, high, len(known), int(n.sum()))


def _solve(n: F64, squares: F64) -> float:
    """The shape whose expected squares are those found; the expectation falls as the shape grows."""
    found = float(n @ squares)

    def excess(log_shape: float) -> float:
        shape = np.exp(log_shape)
        return float(n @ ((shape + 1.0) / (n * shape + 1.0))) - found

    least, greatest = np.log(_LEAST), np.log(_GREATEST)
    if excess(greatest) >= 0.0:
        return _GREATEST
    return _LEAST if excess(least) <= 0.0 else float(np.exp(brentq(excess, least, greatest, xtol=1e-10)))
