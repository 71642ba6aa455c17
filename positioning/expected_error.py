"""The error to expect at a place: from held-out answers around it, and from how far the survey is."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from positioning.held_out import HeldOutAnswers
from positioning.radio_map import F64, I32, RadioMap

_BANDS_M = (0.0, 1.0, 2.0, 4.0, 6.0, 9.0, 14.0)
"""Edges of the bands of distance to the nearest other survey scan; the last is open."""
_LEAST_OF_BAND = 20
_LAST_BAND_M = 3.0
"""Where in the open band its mean stands."""
_AROUND_M = 5.0
_WEIGHT_OF_BAND = 3.0
"""Held-out answers that the distance alone counts for beside those around the place."""


@dataclass(frozen=True, slots=True)
class Band:
    """Held-out scans whose nearest other survey scan was ``from_m`` to ``to_m`` away (None: any farther)."""

    from_m: float
    to_m: float | None
    n: int
    error_m: float
    top1: float | None


@dataclass(frozen=True, slots=True)
class ErrorField:
    """Expected errors of a survey's venue; ``band_m`` rises with the distance, as more distance never helps.

    The error of the distance, times how much better or worse than that the answers around the place were.
    """

    radio_map: RadioMap
    answers: HeldOutAnswers
    bands: tuple[Band, ...]
    band_m: F64

    def at(self, xy_m: F64, level: int) -> F64:
        """Expected error (n,) at places of one of the radio map's levels; NaN where the level has no survey."""
        survey_m = self.radio_map.xy_m[self.radio_map.level == level]
        if not len(survey_m) or not len(xy_m):
            return np.full(len(xy_m), np.nan)
        expected_m = self._of_distance(cKDTree(survey_m).query(xy_m)[0])
        here = np.flatnonzero(self.answers.level == level)
        if not len(here):
            return expected_m
        answered_m = self.answers.xy_m[here]
        ratio = self.answers.error_m[here] / self._of_distance(self.answers.nearest_m[here])
        for i, around in enumerate(cKDTree(answered_m).query_ball_point(xy_m, 2.0 * _AROUND_M)):
            if around:
                away_m = np.linalg.norm(answered_m[around] - xy_m[i], axis=1)
                weight = np.exp(-0.5 * (away_m / _AROUND_M) ** 2)
                expected_m[i] *= (weight @ ratio[around] + _WEIGHT_OF_BAND) / (weight.sum() + _WEIGHT_OF_BAND)
        return expected_m

    def _of_distance(self, near_m: F64) -> F64:
        """By the distance to the nearest other survey scan alone; beyond the last band a metre a metre."""
        edge = np.array([band.from_m for band in self.bands])
        middle = np.append((edge[1:] + edge[:-1]) / 2, edge[-1] + _LAST_BAND_M)
        reach_m = np.where(np.isfinite(near_m), near_m, middle[-1])
        beyond_m: F64 = np.interp(reach_m, middle, self.band_m) + np.maximum(reach_m - middle[-1], 0.0)
        return beyond_m


def learn_error_field(radio_map: RadioMap, answers: HeldOutAnswers, truth: I32) -> ErrorField:
    """Learn it from held-out answers.

    Args:
        truth: (n,) true store of each answer, -1 for none, for the bands' shares.
    """
    edges = (*_BANDS_M, np.inf)
    error_m = answers.error_m
    is_top = (answers.store[:, 0] == truth) if answers.store.shape[1] else np.zeros(len(truth), dtype=np.bool_)
    bands: list[Band] = []
    low = edges[0]
    for high in edges[1:]:
        inside = (answers.nearest_m >= low) & ((answers.nearest_m < high) | (high == np.inf))
        if int(inside.sum()) < _LEAST_OF_BAND and high != np.inf:
            continue  # too few to tell: they join the next band
        if not inside.any():
            continue
        known = inside & (truth >= 0)
        bands.append(
            Band(
                low,
                None if high == np.inf else high,
                int(inside.sum()),
                float(error_m[inside].mean()),
                float(is_top[known].mean()) if known.any() else None,
            )
        )
        low = high
    return ErrorField(radio_map, answers, tuple(bands), np.maximum.accumulate([band.error_m for band in bands]))
