"""Intervals of means and of paired differences, by resampling whole walks with replacement.

Scans of one walk are near copies: resampled one by one they would make every interval too narrow. A difference is
taken scan by scan before it is resampled, so that what makes a walk hard for both methods falls out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from positioning.radio_map import F64, I32

RESAMPLES = 2_000
SEED = 20_261_122


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and its 95 % interval; ``low`` and ``high`` are None where there are fewer than two walks."""

    mean: float
    low: float | None
    high: float | None


class Walks:
    """The walks of a test and how often each is in every resample: one draw, shared by all methods and figures.

    Args:
        group: (n,) the walk of each test scan.
    """

    def __init__(self, group: I32, *, resamples: int = RESAMPLES, seed: int = SEED) -> None:
        _, self._of_scan = np.unique(group, return_inverse=True)
        self.n = int(self._of_scan.max()) + 1
        rng = np.random.default_rng(seed)
        self._counts = rng.multinomial(self.n, np.full(self.n, 1.0 / self.n), size=resamples).astype(np.float64)

    def mean(self, values: F64) -> Estimate | None:
        """The mean of (n,) values, those that are NaN left out; None where all are.

        A walk weighs as much as it has scans, as in the mean itself.
        """
        usable = np.isfinite(values)
        if not usable.any():
            return None
        mean = float(values[usable].mean())
        if self.n < 2:
            return Estimate(mean, None, None)
        sums = np.bincount(self._of_scan[usable], weights=values[usable], minlength=self.n)
        sizes = np.bincount(self._of_scan[usable], minlength=self.n).astype(np.float64)
        total = self._counts @ sizes
        means = (self._counts @ sums)[total > 0] / total[total > 0]
        low, high = np.quantile(means, [0.025, 0.975]).tolist()
        return Estimate(mean, low, high)

    def difference(self, values: F64, reference: F64) -> Estimate | None:
        """The mean of ``values - reference`` over the scans that have both; None where none has."""
        return self.mean(values - reference)


def mean_over_seeds(values: Sequence[F64]) -> F64:
    """(n,) each scan's mean over seeds; NaN where any seed has none."""
    mean: F64 = np.mean(np.stack(values), axis=0)
    return mean
