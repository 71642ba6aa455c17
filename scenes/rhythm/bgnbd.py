"""BG/NBD: from repeats, the last visit and age to whether somebody still comes, how often, and when again.

While active a person comes at a rate of their own, gamma over people; after each visit they drop out with a chance of
their own, beta over people. It knows of no regularity: gaps are exponential.

Source: Fader, Hardie and Lee, "Counting your customers the easy way", Marketing Science 24(2), 2005: equations 6
(likelihood) and 10 (expected visits). ``p_active``: the same authors, "Computing P(alive) using the BG/NBD model",
2008. Nobody drops out at the first visit in this model: those who came once are active with certainty.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from scipy.optimize import minimize
from scipy.special import hyp2f1

from scenes.rhythm.cadence import DAYS_A_WEEK, F64, Summaries
from scenes.rhythm.errors import NotConvergedError, TooFewVisitsError
from scenes.rhythm.likelihood import Histories, log_likelihood

MIN_PEOPLE = 200
"""Here a and b still scatter by a factor of two and a / (a + b) by 1.2; with 100 people, a and b by eight
(docs/algorithms/rhythm.md)."""
MIN_REPEATERS = 50
"""People who came again; only they speak of dropping out."""
_BOUND = 9.0
"""On log-parameters: 1e-4 to 8e3. Beyond, a beta or gamma is a single value for all that a log can tell."""
_AT_BOUND = 0.01
"""So near a bound, in log-parameters, is at it."""
_MAX_SLOPE = 1e-5
"""Per person, by log-parameters: the log-likelihood could still rise by some 1e-5 a person at most."""
_NEAR_ONE = 1e-5
"""Within this of a = 1 the formula for expected visits is 0/0; its value is taken from both sides."""


Dropout = Literal["varied", "alike", "none"]
"""What a fit says of dropping out: people differ in it, all are alike (a and b grow without end), or nobody does
(a falls to 0). The last two are limits of the model with their own sure answers, though a and b stand at a bound."""


@dataclass(frozen=True, slots=True)
class BgNbd:
    """One fit: gamma(r, alpha in weeks) rates and beta(a, b) dropout, from whom and when; it never changes."""

    r: float
    alpha: float
    a: float
    b: float
    fitted_at: datetime
    n_people: int
    log_likelihood: float
    dropout: Dropout = "varied"

    def p_active(self, people: Summaries) -> F64:
        """(n_people,) the probability that each will ever come again."""
        x = people.x
        ends = (self.r + x) * np.log((self.alpha + people.age) / (self.alpha + people.t_x))
        odds = np.where(x > 0, np.log(self.a / np.where(x > 0, self.b + x - 1.0, 1.0)) + ends, -np.inf)
        return 1.0 / (1.0 + np.exp(np.minimum(odds, 700.0)))  # e^709 is the greatest double

    def rate_a_week(self, people: Summaries) -> F64:
        """(n_people,) the expected visits a week of each, if active."""
        return (self.r + people.x) / (self.alpha + people.age)

    def p_return(self, people: Summaries, days: float) -> F64:
        """(n_people,) the probability that each comes within so many days.

        Exact within the model: the posterior of the rate is integrated out. ``1 - exp(-rate * t)``, which puts its
        mean in, is greater.
        """
        later = self.alpha + people.age
        stays_away = (later / (later + days / DAYS_A_WEEK)) ** (self.r + people.x)
        return self.p_active(people) * (1.0 - stays_away)

    def expected_visits(self, people: Summaries, days: float) -> F64:
        """(n_people,) how many visits of each to expect within so many days; equation 10.

        By Euler's transformation of the hypergeometric function, whose form here stays finite for any x.
        """
        if abs(self.a - 1.0) < _NEAR_ONE:
            return 0.5 * (self._expected(people, days, 1.0 - _NEAR_ONE) + self._expected(people, days, 1.0 + _NEAR_ONE))
        return self._expected(people, days, self.a)

    def _expected(self, people: Summaries, days: float, a: float) -> F64:
        weeks, x = days / DAYS_A_WEEK, people.x
        later = self.alpha + people.age + weeks
        both = a + self.b + x - 1.0
        series = hyp2f1(a + self.b - 1.0 - self.r, a - 1.0, both, weeks / later)
        left = ((later - weeks) / later) ** (a - 1.0) * series
        visits: F64 = both / (a - 1.0) * (1.0 - left) * self.p_active(people)
        return visits


def fit_bgnbd(people: Summaries, fitted_at: datetime, *, max_steps: int = 500) -> BgNbd:
    """Find the parameters of greatest likelihood, from two starts.

    Args:
        max_steps: of the search, from each start; logs at hand take under 100.

    Raises:
        TooFewVisitsError: fewer than 200 people, or 50 who came again.
        NotConvergedError: no maximum within the bounds but the two of ``Dropout``; or no end of the search.
    """
    _refuse_few(people)
    histories = Histories.of(people)
    n, typical = histories.n_people, float(np.log(max(people.age.mean(), 1.0)))
    starts = ((-1.0, typical - 1.0, 0.0, 1.0), (0.5, typical, -1.5, 0.5))
    found = [_climb(np.array(start), histories, n, max_steps) for start in starts]
    at, value, slope = min(found, key=lambda one: one[1])
    dropout = _check(at, slope)
    r, alpha, a, b = (float(each) for each in np.exp(at))
    return BgNbd(r, alpha, a, b, fitted_at, int(n), -value * n, dropout)


def _check(at: F64, slope: F64) -> Dropout:
    """What log-parameters say of dropping out; raises where they are not a maximum."""
    r, alpha, a, b = (float(each) for each in np.exp(at))
    low, high = at < _AT_BOUND - _BOUND, at > _BOUND - _AT_BOUND
    if (low | high)[:2].any() or low[3] or (high[2] and not high[3]):
        raise NotConvergedError("the likelihood rises up to a bound", (r, alpha, a, b))
    steepest = float(np.abs(np.where(low | high, 0.0, slope)).max())
    if not steepest < _MAX_SLOPE:
        raise NotConvergedError(f"the slope is still {steepest:.1e} a person", (r, alpha, a, b))
    if low[2]:
        return "none"
    return "alike" if high[3] else "varied"


def _refuse_few(people: Summaries) -> None:
    repeaters = int((people.x > 0).sum())
    if len(people) < MIN_PEOPLE:
        raise TooFewVisitsError("people", MIN_PEOPLE, len(people))
    if repeaters < MIN_REPEATERS:
        raise TooFewVisitsError("people who came again", MIN_REPEATERS, repeaters)


def _climb(start: F64, histories: Histories, n: float, max_steps: int) -> tuple[F64, float, F64]:
    """From one start: log-parameters, the negative log-likelihood a person and its slope there."""

    def downhill(logs: F64) -> tuple[float, F64]:
        value, gradient = log_likelihood(np.exp(logs), histories)
        return -value / n, -gradient * np.exp(logs) / n

    options = {"maxiter": max_steps, "ftol": 1e-14, "gtol": 1e-7}
    done = minimize(downhill, start, jac=True, method="L-BFGS-B", bounds=[(-_BOUND, _BOUND)] * 4, options=options)
    return done.x, float(done.fun), done.jac
