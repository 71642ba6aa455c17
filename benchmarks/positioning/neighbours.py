"""Nearest survey scans, plain: the research's classic, and the reference all others are compared with.

Distances: Euclid on *positive* powers, or Sørensen, 1 - 2 sum min(a, r) / (sum a + sum r), on *powed* ones
(``powers.py``). Level by vote, place by the weighted mean on it, weights 1 / (d + 1e-6), stores by the distance of
their polygons, or by vote where labels alone name them.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.positioning.arrays import ScanArrays, SurveyArrays
from benchmarks.positioning.method import Answers
from benchmarks.positioning.powers import positive, powed
from positioning.radio_map import F32, F64, I32

K_WITH_MAP = 5
K_WITHOUT_MAP = 11
_CHUNK = 64
"""Scans whose distances are taken together: a product of matrices, and no more than 10 MB of them."""


class WknnEuclid:
    """k neighbours by Euclid on positive powers; k = 5 with a map, 11 without."""

    name: ClassVar[str] = "wknn-euclid"
    has_chance: ClassVar[bool] = False

    def __init__(self, seed: int) -> None:
        del seed

    def fit(self, survey: SurveyArrays) -> None:
        self._survey = survey
        self._k = min(self.k_of(survey), survey.radio_map.n_scans)
        self._least_dbm = float(survey.radio_map.readings.rssi_dbm.min())
        self._learn(self._power(survey.dense()))

    def answer(self, scans: ScanArrays) -> Answers:
        power = self._power(scans.dense())
        nearest = np.empty((len(power), self._k), dtype=np.intp)
        weight = np.empty((len(power), self._k))
        for first in range(0, len(power), _CHUNK):
            rows = slice(first, first + _CHUNK)
            distance = self._distances(power[rows])
            nearest[rows] = np.argpartition(distance, self._k - 1, axis=1)[:, : self._k]
            weight[rows] = 1.0 / (np.take_along_axis(distance, nearest[rows], axis=1) + 1e-6)
        return _vote(self._survey, nearest, weight, scans.is_heard)

    def k_of(self, survey: SurveyArrays) -> int:
        return K_WITHOUT_MAP if survey.fronts is None else K_WITH_MAP

    def _power(self, dense_dbm: F32) -> F32:
        return positive(dense_dbm, self._least_dbm)

    def _learn(self, power: F32) -> None:
        self._power_of_survey, self._square = power, (power**2).sum(axis=1)

    def _distances(self, power: F32) -> F32:
        """(n, n_map) from (n, n_transmitters)."""
        square = self._square - 2.0 * (power @ self._power_of_survey.T) + (power**2).sum(axis=1, keepdims=True)
        distance: F32 = np.sqrt(square.clip(0.0))
        return distance


class NearestEuclid(WknnEuclid):
    """The one nearest survey scan by Euclid on positive powers: the classic of the literature."""

    name: ClassVar[str] = "1nn-euclid"

    def k_of(self, survey: SurveyArrays) -> int:
        del survey
        return 1


class WknnSorensen(WknnEuclid):
    """The reference: k neighbours by Sørensen on powed powers; k = 5 with a map, 11 without."""

    name: ClassVar[str] = "wknn-sorensen"

    def _power(self, dense_dbm: F32) -> F32:
        return powed(dense_dbm, self._least_dbm)

    def _learn(self, power: F32) -> None:
        self._of_transmitter, self._sum = np.ascontiguousarray(power.T), power.sum(axis=1)

    def _distances(self, power: F32) -> F32:
        return np.stack([self._distances_of(row) for row in power])

    def _distances_of(self, row: F32) -> F32:
        heard = np.flatnonzero(row)
        shared = np.minimum(self._of_transmitter[heard], row[heard, None]).sum(axis=0)
        distance: F32 = 1.0 - 2.0 * shared / np.maximum(row.sum() + self._sum, np.float32(1e-12))
        return distance


def _vote(survey: SurveyArrays, nearest: NDArray[np.intp], weight: F64, is_heard: NDArray[np.bool_]) -> Answers:
    """Level, place and stores from (n, k) neighbours and their weights."""
    level_of, n = survey.radio_map.level[nearest], len(nearest)
    votes = np.zeros((n, len(survey.radio_map.levels)))
    np.add.at(votes, (np.arange(n)[:, None], level_of), weight)
    level = np.where(is_heard, votes.argmax(axis=1), -1).astype(np.int32)
    on_level = np.where(level_of == level[:, None], weight, 0.0)
    on_level[~is_heard] = np.nan
    xy_m = (survey.radio_map.xy_m[nearest] * on_level[:, :, None]).sum(axis=1) / on_level.sum(axis=1, keepdims=True)
    if survey.fronts is not None or not survey.store_ids:
        return Answers(level, xy_m, survey.fronts_at(xy_m, level))
    return Answers(level, xy_m, _stores_by_vote(survey, nearest, weight, is_heard))


def _stores_by_vote(survey: SurveyArrays, nearest: NDArray[np.intp], weight: F64, is_heard: NDArray[np.bool_]) -> I32:
    """(n, k) the stores that labels give the neighbours, the most voted first."""
    store_of, n, k = survey.store[nearest], len(nearest), nearest.shape[1]
    votes = np.zeros((n, len(survey.store_ids) + 1))  # the last column is "no store", index -1
    np.add.at(votes, (np.arange(n)[:, None], store_of), weight)
    order = np.argsort(-votes[:, :-1], axis=1, kind="stable")[:, :k]
    is_voted = (np.take_along_axis(votes, order, axis=1) > 0) & is_heard[:, None]
    return np.where(is_voted, order, -1).astype(np.int32)
