"""What a method is given: a survey and a test as arrays, and the places it may name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.positioning.places import Places, survey_cells, survey_levels, survey_stores
from fingerprints.scan import LabelledScan, Scan
from kernel.ids import StoreId, TransmitterId
from positioning.fronts import FrontTable, build_front_table
from positioning.radio_map import F32, F64, I32, RadioMap, ReadingBatch, choose_scans, compile_radio_map, encode
from venues.model import Venue

MAX_AGE_MS = 5_000.0
"""Readings older than this are left out of ``dense``: the phone has walked on (research: positioning, section 6)."""


class ScanArrays:
    """Scans to answer. Arrays are made on first use, so that their cost is the method's that asks for them.

    Args:
        scans: what the phones heard; nothing of the truth.
        index: the survey's transmitters and their columns.
    """

    def __init__(self, scans: Sequence[Scan], index: Mapping[TransmitterId, int]) -> None:
        self.scans = scans
        self._index = index

    @cached_property
    def batch(self) -> ReadingBatch:
        """The known readings, flattened (``positioning.radio_map.ReadingBatch``)."""
        return encode(self.scans, self._index)

    @property
    def is_heard(self) -> NDArray[np.bool_]:
        """(n,) whether ``dense`` has a reading: what hears nothing of the survey deserves no answer."""
        readings = self.batch
        scan = np.repeat(np.arange(readings.n_scans), np.diff(readings.indptr))
        return np.bincount(scan[_is_fresh(readings, MAX_AGE_MS)], minlength=readings.n_scans) > 0

    def dense(self, max_age_ms: float = MAX_AGE_MS) -> F32:
        """(n, n_transmitters) dBm; NaN where a transmitter was not heard, or too long before the scan."""
        return _dense(self.batch, len(self._index), max_age_ms)


@dataclass(frozen=True, slots=True)
class SurveyArrays:
    """A survey to learn from.

    Args:
        scans: the survey as read. The arrays' rows are the scans that hear a transmitter of the radio map.
        venue: the map, None without one.
        radio_map: readings, places (venue frame), levels and walks of the rows.
        store: (n_map,) the store each row is in or before, an index into ``store_ids``; -1 for none.
        store_level: (n_stores,) the radio map's level each store is on; -1 for one the survey did not reach.
        fronts: the stores' polygons; None without a map.
    """

    scans: tuple[LabelledScan, ...]
    venue: Venue | None
    radio_map: RadioMap
    store: I32
    store_ids: tuple[StoreId, ...]
    store_level: I32
    fronts: FrontTable | None
    front_level: I32

    def dense(self, max_age_ms: float = MAX_AGE_MS) -> F32:
        """(n_map, n_transmitters) dBm; NaN where a transmitter was not heard, or too long before the scan."""
        return _dense(self.radio_map.readings, len(self.radio_map.transmitters), max_age_ms)

    def places(self, *, fine: bool = True) -> Places:
        """The classes of a classifier: stores; without any, cells of 3 m, or (not ``fine``) levels."""
        if self.store_ids:
            return survey_stores(self.store, self.store_level)
        return survey_cells(self.radio_map) if fine else survey_levels(self.radio_map)

    def fronts_at(self, xy_m: F64, level: I32) -> I32 | None:
        """(n, 20) stores by the distance of their polygons from places, -1 for none; None without a map."""
        if self.fronts is None:
            return None
        store, distance_m = self.fronts.measure(xy_m, _table_level(self.front_level, level))
        return np.take_along_axis(store, np.argsort(distance_m, axis=1, kind="stable"), axis=1)


@dataclass(frozen=True, slots=True)
class TruthArrays:
    """Where the test scans were, in the survey's numbers.

    ``level`` is -1 for one the survey does not have. ``store`` is -1 for none, and ``n_stores`` for one that no
    survey scan was at and no map shows: it is there to be missed.
    """

    building: tuple[str | None, ...]
    level: I32
    lon_lat_deg: F64
    xy_m: F64
    store: I32


def read_survey_arrays(scans: Sequence[LabelledScan], venue: Venue | None) -> SurveyArrays:
    """Compile a survey; store fronts are the map's, or where there is none the stores that labels name.

    Raises:
        SurveyTooSmallError: no two scans share a transmitter.
    """
    radio_map = compile_radio_map(scans, venue)
    fronts = None if venue is None else build_front_table(venue)
    if fronts is not None:
        front_level = fronts.level_index([key.level_id for key in radio_map.levels])
        nearest, _ = fronts.nearest(radio_map.xy_m, _table_level(front_level, radio_map.level))
        store = np.where(radio_map.store >= 0, radio_map.store, nearest).astype(np.int32)
        on_level = [np.flatnonzero((front_level >= 0) & (front_level == table)) for table in fronts.store_level]
        store_level = np.array([levels[0] if len(levels) else -1 for levels in on_level], dtype=np.int32)
        return SurveyArrays(tuple(scans), venue, radio_map, store, fronts.store_ids, store_level, fronts, front_level)
    heard = [item for item in scans if item.scan.readings]
    said = [item.truth.store_id for item in choose_scans(heard, radio_map.index)]
    store_ids = tuple(sorted({store_id for store_id in said if store_id is not None}))
    at = {store_id: i for i, store_id in enumerate(store_ids)}
    store = np.array([-1 if store_id is None else at[store_id] for store_id in said], dtype=np.int32)
    levels = [np.bincount(radio_map.level[store == i]).argmax() for i in range(len(store_ids))]
    no_level = np.full(len(radio_map.levels), -1, dtype=np.int32)
    return SurveyArrays(
        tuple(scans), venue, radio_map, store, store_ids, np.array(levels, dtype=np.int32), None, no_level
    )


def read_truth(survey: SurveyArrays, test: Sequence[LabelledScan]) -> TruthArrays:
    """The truth of test scans; a store is the one the label names, else with a map the polygon nearest."""
    truths = [item.truth for item in test]
    level_at = {(key.building, key.short_name): i for i, key in enumerate(survey.radio_map.levels)}
    level = np.array([level_at.get((t.building, t.level), -1) for t in truths], dtype=np.int32)
    lon_lat_deg = np.array([(t.lon_deg, t.lat_deg) for t in truths])
    xy_m = survey.radio_map.frame.to_xy_m(lon_lat_deg)
    at = {store_id: i for i, store_id in enumerate(survey.store_ids)}
    unheard_of = -1 if survey.fronts is not None or not at else len(at)
    store = np.array([-1 if t.store_id is None else at.get(t.store_id, unheard_of) for t in truths], dtype=np.int32)
    if survey.fronts is not None:
        nearest, _ = survey.fronts.nearest(xy_m, _table_level(survey.front_level, level))
        store = np.where(store >= 0, store, nearest).astype(np.int32)
    return TruthArrays(tuple(t.building for t in truths), level, lon_lat_deg, xy_m, store)


def _table_level(front_level: I32, level: I32) -> I32:
    return np.where(level >= 0, front_level[level], -1).astype(np.int32)


def _dense(batch: ReadingBatch, n_transmitters: int, max_age_ms: float) -> F32:
    scan: NDArray[np.intp] = np.repeat(np.arange(batch.n_scans), np.diff(batch.indptr))
    is_fresh = _is_fresh(batch, max_age_ms)
    dense = np.full((batch.n_scans, n_transmitters), np.nan, dtype=np.float32)
    dense[scan[is_fresh], batch.transmitter[is_fresh]] = batch.rssi_dbm[is_fresh]
    return dense


def _is_fresh(batch: ReadingBatch, max_age_ms: float) -> NDArray[np.bool_]:
    """Of each reading; one whose age is not told counts as fresh."""
    is_old: NDArray[np.bool_] = batch.age_ms > max_age_ms
    return ~is_old
