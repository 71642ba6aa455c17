"""The classes of methods that classify, and how their probabilities become an answer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.positioning.method import Answers
from positioning.radio_map import F64, I32, RadioMap

_CELL_M = 3.0
"""About what separates two spots of UJIIndoorLoc (1.8 m) and less than any method errs."""


@dataclass(frozen=True, slots=True)
class Places:
    """n_places classes that the survey reached.

    Args:
        of_scan: (n_map,) the class of each survey row, -1 for a row that belongs to none.
        level: (n_places,) the level of each class.
        store: (n_places,) the store each class is, None where classes are no stores.
        xy_m: (n_places, 2) middles in the venue frame, None where a class is too large to be one place.
    """

    of_scan: I32
    level: I32
    store: I32 | None
    xy_m: F64 | None

    @property
    def n(self) -> int:
        return len(self.level)

    def answers(self, probability: F64, is_heard: NDArray[np.bool_]) -> Answers:
        """From (n, n_places) probabilities: the level by their sums, stores in their order, the mean place on the
        level. Scans that heard nothing known get no answer."""
        n = len(probability)
        by_level = np.zeros((n, int(self.level.max()) + 1))
        for level in np.unique(self.level):
            by_level[:, level] = probability[:, self.level == level].sum(axis=1)
        level = np.where(is_heard, by_level.argmax(axis=1), -1).astype(np.int32)
        level_probability = np.where(is_heard, by_level.max(axis=1), np.nan)
        if self.store is not None:
            order = np.argsort(-probability, axis=1, kind="stable")
            store = np.where(is_heard[:, None], self.store[order], -1).astype(np.int32)
            ranked = np.where(is_heard[:, None], np.take_along_axis(probability, order, axis=1), np.nan)
            return Answers(level, None, store, ranked, level_probability)
        if self.xy_m is None:
            return Answers(level, level_probability=level_probability)
        weight = np.where(self.level == level[:, None], probability, 0.0)
        total = weight.sum(axis=1, keepdims=True)
        xy_m = np.divide(weight @ self.xy_m, total, out=np.full((n, 2), np.nan), where=total > 0)
        return Answers(level, xy_m, level_probability=level_probability)


def survey_stores(store: I32, store_level: I32) -> Places:
    """The stores that survey rows are in or before, on levels that the survey reached."""
    usable = (store >= 0) & (store_level[store] >= 0)
    found, of_row = np.unique(store[usable], return_inverse=True)
    of_scan = np.full(len(store), -1, dtype=np.int32)
    of_scan[usable] = of_row
    return Places(of_scan, store_level[found], found.astype(np.int32), None)


def survey_cells(radio_map: RadioMap) -> Places:
    """Squares of 3 m on each level that hold survey rows, each at the mean of its rows."""
    key = np.column_stack([radio_map.level, np.floor(radio_map.xy_m / _CELL_M)])
    found, of_scan = np.unique(key, axis=0, return_inverse=True)
    size = np.bincount(of_scan.ravel())
    sums = [np.bincount(of_scan.ravel(), weights=radio_map.xy_m[:, axis]) for axis in (0, 1)]
    return Places(
        of_scan.ravel().astype(np.int32), found[:, 0].astype(np.int32), None, np.stack(sums, axis=1) / size[:, None]
    )


def survey_levels(radio_map: RadioMap) -> Places:
    """The levels; places on them are not told."""
    return Places(radio_map.level, np.arange(len(radio_map.levels), dtype=np.int32), None, None)
