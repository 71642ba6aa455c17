"""A model as it answers: arrays for the kernels, and the names of what they number; the survey itself stays behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fingerprints.scan import Scan
from kernel.ids import StoreId, TransmitterId, VenueId
from positioning.kernels.answer import (
    AnswerArrays,
    FullArrays,
    FullVenueArrays,
    VenueArrays,
    answer_full,
    answer_light,
)
from positioning.kernels.confidence import CalibrationArrays
from positioning.kernels.fronts import FrontArrays
from positioning.kernels.held import hold
from positioning.locate import place_arrays
from positioning.model import Calibration, VenueModel
from positioning.radio_map import I32, LevelKey, ReadingBatch, encode, encode_connected
from positioning.ranker import Ranker
from positioning.store_map import StoreMap, build_store_map
from venues.frame import LocalFrame


class AnsweringVenue(Protocol):
    """What ``locator.py`` asks of a venue."""

    @property
    def names(self) -> "VenueNames": ...

    def answer(self, scans: Sequence[Scan]) -> AnswerArrays:
        """The answers, each depending on its scan alone."""
        ...


@dataclass(frozen=True, slots=True)
class VenueNames:
    """What a venue's numbers stand for. ``tells_inside`` and ``inside_threshold`` as of ``model.Calibration``."""

    venue_id: VenueId
    frame: LocalFrame
    index: Mapping[TransmitterId, int]
    levels: tuple[LevelKey, ...]
    store_ids: tuple[StoreId, ...]
    store_names: tuple[str, ...]
    tells_inside: bool
    inside_threshold: float


class LightVenue:
    """A venue of the light locator."""

    def __init__(self, names: VenueNames, arrays: VenueArrays) -> None:
        self.names = names
        self.arrays = arrays
        self._held = hold(arrays)

    def answer(self, scans: Sequence[Scan]) -> AnswerArrays:
        return self.answer_batch(encode(scans, self.names.index))

    def answer_batch(self, batch: ReadingBatch) -> AnswerArrays:
        """The answers to a batch that was encoded with the venue's vocabulary."""
        answers: AnswerArrays = answer_light(self._held, batch.indptr, batch.transmitter, batch.rssi_dbm, batch.age_ms)
        return answers


class FullVenue:
    """A venue of the full locator; it has stores."""

    def __init__(self, names: VenueNames, arrays: FullVenueArrays) -> None:
        self.names = names
        self.arrays = arrays
        self._held = hold(arrays)

    def answer(self, scans: Sequence[Scan]) -> AnswerArrays:
        index = self.names.index
        return self.answer_batch(encode(scans, index), encode_connected(scans, index))

    def answer_batch(self, batch: ReadingBatch, connected: I32) -> AnswerArrays:
        """The answers to an encoded batch; ``connected`` of ``encode_connected``."""
        answers: AnswerArrays = answer_full(
            self._held, batch.indptr, batch.transmitter, batch.rssi_dbm, batch.age_ms, connected
        )
        return answers


def compile_light(model: VenueModel) -> LightVenue:
    """The model for the light locator."""
    return LightVenue(_names(model), _arrays(model))


def compile_full(model: VenueModel, ranker: Ranker) -> FullVenue:
    """The model for the full locator: its survey is counted by store. The model has stores."""
    stores = count_stores_of(model)
    full = FullArrays(bayes=stores.tables.bayes, pairs=stores.pairs, trees=ranker.trees)
    return FullVenue(_names(model), FullVenueArrays(_arrays(model), full))


def count_stores_of(model: VenueModel) -> StoreMap:
    """A model's survey by store; the model has stores."""
    assert model.fronts is not None
    return build_store_map(
        model.radio_map, model.settings, model.m_front, len(model.fronts.store_ids), index=model.index
    )


def _names(model: VenueModel) -> VenueNames:
    fronts = model.fronts
    return VenueNames(
        venue_id=model.venue_id,
        frame=model.radio_map.frame,
        index=model.radio_map.index,
        levels=model.radio_map.levels,
        store_ids=() if fronts is None else fronts.store_ids,
        store_names=() if fronts is None else fronts.store_names,
        tells_inside=fronts is not None and model.calibration.tells_inside,
        inside_threshold=model.calibration.inside_threshold,
    )


def _arrays(model: VenueModel) -> VenueArrays:
    radio_map, settings, fronts = model.radio_map, model.settings, model.fronts
    return VenueArrays(
        weighing=model.index.weighing.arrays,
        survey=model.index.survey,
        voting=model.voting,
        born=radio_map.born,
        n_short=int(settings.n_short),
        cover=float(settings.cover),
        places=place_arrays(radio_map, settings, model.buildings.of_level),
        heard_in=model.buildings.evidence,
        n_stores=0 if fronts is None else len(fronts.store_ids),
        fronts=_no_fronts() if fronts is None else fronts.arrays,
        front_level=model.front_level,
        m_walk=radio_map.walk,
        m_front=model.m_front,
        m_inside=model.m_inside,
        inside=model.inside,
        calibration=_calibration(model.calibration),
    )


def _no_fronts() -> FrontArrays:
    return FrontArrays(
        edge_indptr=np.zeros(1, dtype=np.int64),
        edges=np.empty((0, 4)),
        grid_start=np.empty(0, dtype=np.int64),
        grid_shape=np.empty((0, 2), dtype=np.int64),
        grid_origin_m=np.empty((0, 2)),
        cell_m=np.empty(0),
        candidates=np.empty((0, 1), dtype=np.int32),
    )


def _calibration(calibration: Calibration) -> CalibrationArrays:
    return CalibrationArrays(
        error=np.array(calibration.error, dtype=np.float64),
        error_scale=float(calibration.error_scale),
        level=np.array(calibration.level, dtype=np.float64),
        front=np.array(calibration.front, dtype=np.float64),
        inside=np.array(calibration.inside, dtype=np.float64),
        inside_threshold=float(calibration.inside_threshold),
        set_threshold=float(calibration.set_threshold),
        walkway_set_threshold=float(calibration.walkway_set_threshold),
        outside=np.array(calibration.outside, dtype=np.float64),
        rank=np.array(calibration.rank, dtype=np.float64),
        rank_set_threshold=float(calibration.rank_set_threshold),
        rank_walkway_set_threshold=float(calibration.rank_walkway_set_threshold),
    )
