"""The full locator: candidates, pair features, the shared ranker, the venue's calibration; one venue or many resident.

Level, place, ``accuracy_m``, ``in_store`` and "outside" are the light locator's, from the same neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerprints.scan import Scan
from positioning.buildings import hear_buildings
from positioning.confidence import describe_inside, front_probabilities, logistic, predict_error_m
from positioning.errors import RankerError
from positioning.inside import inside_odds
from positioning.kernels.fronts import N_FEATURES, describe_fronts
from positioning.light import LightLocator
from positioning.locate import Answers, find_fronts, find_outside, form_sets
from positioning.model import VenueModel
from positioning.pairs import Pairs, make_pairs
from positioning.position import LocatorName
from positioning.radio_map import F32, F64, I32, ReadingBatch, encode, encode_connected
from positioning.ranker import Ranker
from positioning.store_map import StoreMap, build_store_map

_UNRANKED_BEHIND = 4.0
_UNRANKED_STEP = 0.5
_FARTHEST_M = 40.0
"""A front farther from the place, or on another level, counts as this far."""


@dataclass(frozen=True, slots=True)
class FullModel:
    """A venue's model and what the full locator adds to it."""

    model: VenueModel
    stores: StoreMap
    ranker: Ranker


def build_full(model: VenueModel, ranker: Ranker) -> FullModel | None:
    """Count a model's survey by store; None where the venue has no stores.

    Raises:
        RankerError: the model was calibrated for another ranker.
    """
    if model.fronts is None:
        return None
    if model.calibration.ranker != ranker.sha256:
        raise RankerError(
            f"venue {model.venue_id} is calibrated for ranker {model.calibration.ranker[:12] or 'none'}, not for "
            f"{ranker.sha256[:12]}: `atrium train --venue {model.venue_id}`"
        )
    stores = build_store_map(
        model.radio_map, model.settings, model.m_front, len(model.fronts.store_ids), index=model.index
    )
    return FullModel(model, stores, ranker)


class FullLocator(LightLocator):
    """Implements ``ports.Locator``. A venue without stores is answered as by the light locator."""

    locator_name: LocatorName = "full"

    def __init__(self, models: Sequence[VenueModel], ranker: Ranker) -> None:
        super().__init__(models)
        self._full = tuple(build_full(model, ranker) for model in models)

    def answer_arrays(self, number: int, scans: Sequence[Scan]) -> Answers:
        full = self._full[number]
        if full is None:
            return super().answer_arrays(number, scans)
        index = full.model.radio_map.index
        return locate_arrays_full(full, encode(scans, index), encode_connected(scans, index))


def locate_arrays_full(full: FullModel, batch: ReadingBatch, connected: I32 | None = None) -> Answers:
    """Answer a batch that was encoded with the model's vocabulary; each answer depends on its scan alone."""
    model = full.model
    calibration = model.calibration
    assert model.fronts is not None
    pairs = make_pairs(
        model.radio_map,
        model.settings,
        full.stores,
        batch,
        building=model.buildings.of_level,
        evidence=hear_buildings(model.buildings, batch),
        fronts=model.fronts,
        front_level=model.front_level,
        connected=connected,
    )
    settled = pairs.settled
    accuracy_m = predict_error_m(settled.features(), calibration.error) * calibration.error_scale
    odds = inside_odds(model.inside, batch, pairs.asked, settled.index)
    around = find_fronts(model.fronts, model.front_level, model.m_front, model.m_inside, settled, accuracy_m, odds)
    score = full.ranker.score(pairs.feature, pairs.n_described)
    evidence = weigh_evidence(pairs, score, accuracy_m, model.m_front, model.m_inside)
    probability = front_probabilities(evidence, pairs.store >= 0, calibration.rank)
    order = np.argsort(-probability, axis=1, kind="stable")
    rows = np.arange(batch.n_scans)[:, None]
    store, probability = pairs.store[rows, order], probability[rows, order]
    answers = Answers(
        settled=settled,
        accuracy_m=accuracy_m,
        level_probability=logistic(settled.features(), calibration.level),
        store=store,
        probability=probability,
        n_in_set=(store[:, :1] >= 0).sum(axis=1),
        in_store=logistic(
            describe_inside(around.nearest_m, around.inside_share, around.inside_odds, accuracy_m), calibration.inside
        ),
        is_outside=find_outside(settled, calibration),
    )
    thresholds = (calibration.rank_set_threshold, calibration.rank_walkway_set_threshold)
    return form_sets(answers, thresholds, calibration.inside_threshold)


def weigh_evidence(pairs: Pairs, score: F32, accuracy_m: F64, m_front: I32, m_inside: I32) -> F64:
    """(n, n_candidates, 7): the ranker's score, and what speaks for each store in the light locator.

    A candidate that the ranker did not look at stands behind all that it did, in their order.
    """
    n_scans, n_candidates = pairs.store.shape
    place = np.arange(n_candidates)
    lowest = np.min(np.where(np.isfinite(score), score, np.inf), axis=1, keepdims=True)
    n_described = pairs.n_described[:, None]
    behind = lowest - _UNRANKED_BEHIND - _UNRANKED_STEP * (place - n_described)
    evidence = np.empty((n_scans, n_candidates, 1 + N_FEATURES))
    evidence[:, :, 0] = np.where(pairs.store >= 0, behind, 0.0)
    evidence[:, : score.shape[1], 0] = np.where(np.isfinite(score), score, evidence[:, : score.shape[1], 0])
    distance_m = np.minimum(pairs.front_m, _FARTHEST_M)
    feature = np.empty((n_scans, n_candidates, N_FEATURES))
    share = np.empty(n_scans)
    settled = pairs.settled
    describe_fronts(
        pairs.store, distance_m, accuracy_m, settled.index, settled.weight, m_front, m_inside, feature, share
    )
    evidence[:, :, 1:] = feature
    evidence[(distance_m >= _FARTHEST_M).all(axis=1), :, 1] = 0.0  # without a map no front is the nearest
    return evidence
