"""The flow from scans to answers: encode, neighbours, level, place, store fronts, confidence.

``locate_arrays`` is the flow for one venue in arrays; ``light.py`` chooses the venue and dresses the answers.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from positioning.buildings import hear_buildings
from positioning.confidence import (
    describe,
    describe_inside,
    front_probabilities,
    logistic,
    predict_error_m,
    weighted_sum,
)
from positioning.fronts import N_CANDIDATES, FrontTable
from positioning.inside import inside_odds
from positioning.kernels.fronts import N_FEATURES, describe_fronts, share_inside
from positioning.kernels.places import find_places, vote_levels, weigh_neighbours
from positioning.kernels.weigh import mean_strongest
from positioning.match import match_weighed
from positioning.model import Calibration, Settings, VenueModel
from positioning.radio_map import F32, F64, I32, RadioMap, ReadingBatch
from positioning.representation import weigh


@dataclass(frozen=True, slots=True)
class Settled:
    """Level and place of n scans. ``level`` is -1 and ``xy_m`` NaN where no survey scan shares a transmitter.

    ``nearest`` is the mean over representations of the distance to the most similar survey scan; ``strongest_dbm`` the
    mean power of the three strongest known readings; ``distance`` (n, n_short, n_representations) that of ``index``.
    """

    level: I32
    level_share: F32
    xy_m: F64
    spread_m: F64
    nearest: F64
    strongest_dbm: F32
    n_known: I32
    index: I32
    weight: F32
    distance: F32

    def features(self) -> F64:
        """What calibration looks at (``confidence.describe``); NaN-free."""
        return describe(
            np.nan_to_num(self.spread_m, nan=50.0),
            self.nearest,
            self.level_share.astype(np.float64),
            self.n_known.astype(np.float64),
        )

    def faintness(self) -> F64:
        """(n, 3) features of "not of this venue": constant, power of the strongest known readings, ln their number."""
        strongest_dbm = self.strongest_dbm.astype(np.float64)
        return np.stack([np.ones_like(strongest_dbm), strongest_dbm, np.log(self.n_known + 1.0)], axis=-1)


@dataclass(frozen=True, slots=True)
class Fronts:
    """Candidate stores of n scans: indices (n, 20), -1 for none, features, and the evidence of being inside.

    ``inside_share`` (n, 1 + 2 n_representations) of the neighbours inside any store: by votes, then by their densities
    round the scan in each representation (``kernels/fronts.share_inside``). ``inside_odds`` (n, 2) is what naive Bayes
    says of it (``inside.inside_odds``).
    """

    store: I32
    feature: F64
    nearest_m: F64
    inside_share: F64
    inside_odds: F64


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to n scans in arrays. Candidates are sorted by probability; ``n_in_set`` of them form the set."""

    settled: Settled
    accuracy_m: F64
    level_probability: F64
    store: I32
    probability: F64
    n_in_set: NDArray[np.int64]
    in_store: F64
    is_outside: NDArray[np.bool_]


def settle(
    radio_map: RadioMap,
    settings: Settings,
    batch: ReadingBatch,
    index: I32,
    distance: F32,
    *,
    building: I32,
    evidence: F32,
) -> Settled:
    """Votes of the neighbours, then the building and the level, then the place on it.

    Args:
        building: (n_levels,) and ``evidence`` (n, n_buildings): of ``buildings.py``.
    """
    n_scans = batch.n_scans
    weight = np.empty(index.shape, dtype=np.float32)
    level = np.empty(n_scans, dtype=np.int32)
    level_share = np.empty(n_scans, dtype=np.float32)
    xy_m = np.empty((n_scans, 2), dtype=np.float64)
    spread_m = np.empty(n_scans, dtype=np.float64)
    strongest_dbm = np.empty(n_scans, dtype=np.float32)
    mean_strongest(batch.indptr, batch.rssi_dbm, strongest_dbm)
    weigh_neighbours(index, distance, settings.k, settings.weight_power, weight)
    vote_levels(index, weight, radio_map.level, building, evidence, level, level_share)
    find_places(index, weight, level, radio_map.level, radio_map.xy_m, settings.use_median, xy_m, spread_m)
    return Settled(
        level=level,
        level_share=level_share,
        xy_m=xy_m,
        spread_m=spread_m,
        nearest=distance.min(axis=1).mean(axis=1).astype(np.float64),
        strongest_dbm=strongest_dbm,
        n_known=np.diff(batch.indptr).astype(np.int32),
        index=index,
        weight=weight,
        distance=distance,
    )


def find_fronts(
    fronts: FrontTable,
    front_level: I32,
    m_front: I32,
    m_inside: I32,
    settled: Settled,
    accuracy_m: F64,
    odds: F64,
) -> Fronts:
    """The candidate stores of each place and what speaks for them; ``odds`` (n, 2) of ``inside.inside_odds``."""
    n_scans = len(settled.level)
    level = np.where(settled.level >= 0, front_level[settled.level], -1).astype(np.int32)
    store, distance_m = fronts.measure(settled.xy_m, level)
    feature = np.empty((n_scans, N_CANDIDATES, N_FEATURES), dtype=np.float64)
    by_votes = np.empty(n_scans, dtype=np.float64)
    describe_fronts(store, distance_m, accuracy_m, settled.index, settled.weight, m_front, m_inside, feature, by_votes)
    by_density = np.empty((n_scans, 2 * settled.distance.shape[2]), dtype=np.float64)
    share_inside(settled.index, settled.distance, m_inside, by_density)
    return Fronts(store, feature, distance_m.min(axis=1), np.hstack([by_votes[:, None], by_density]), odds)


def judge(settled: Settled, fronts: Fronts | None, calibration: Calibration, accuracy_m: F64) -> Answers:
    """Apply the calibration: probabilities, answer sets, inside or not, of this venue or not."""
    n_scans = len(settled.level)
    rows = np.arange(n_scans)[:, None]
    if fronts is None:
        store = np.full((n_scans, 0), -1, dtype=np.int32)
        probability = np.zeros((n_scans, 0))
        in_store = np.full(n_scans, np.nan)
    else:
        probability = front_probabilities(fronts.feature, fronts.store >= 0, calibration.front)
        order = np.argsort(-probability, axis=1, kind="stable")
        store, probability = fronts.store[rows, order], probability[rows, order]
        inside = describe_inside(fronts.nearest_m, fronts.inside_share, fronts.inside_odds, accuracy_m)
        in_store = logistic(inside, calibration.inside)
    answers = Answers(
        settled=settled,
        accuracy_m=accuracy_m,
        level_probability=logistic(settled.features(), calibration.level),
        store=store,
        probability=probability,
        n_in_set=(store[:, :1] >= 0).sum(axis=1),
        in_store=in_store,
        is_outside=find_outside(settled, calibration),
    )
    thresholds = (calibration.set_threshold, calibration.walkway_set_threshold)
    return form_sets(answers, thresholds, calibration.inside_threshold)


def form_sets(answers: Answers, thresholds: tuple[float, float], inside_threshold: float) -> Answers:
    """The answers with their sets: candidates at or above the threshold, and always the first.

    Args:
        thresholds: where the scan is taken for one in a store, and where not (``calibrate.fit_sets``).
    """
    of_store, of_walkway = thresholds
    threshold = np.where(answers.in_store < inside_threshold, of_walkway, of_store)
    in_set = (answers.probability >= threshold[:, None]).sum(axis=1)
    return replace(answers, n_in_set=np.maximum(in_set, (answers.store[:, :1] >= 0).sum(axis=1)))


def find_outside(settled: Settled, calibration: Calibration) -> NDArray[np.bool_]:
    """Which scans were heard outside the venue; none where its survey could not say (``outside.fit_outside``)."""
    if not calibration.outside:
        return np.zeros(len(settled.level), dtype=np.bool_)
    is_outside: NDArray[np.bool_] = weighted_sum(settled.faintness(), calibration.outside) > 0.0
    return is_outside


def locate_arrays(model: VenueModel, batch: ReadingBatch) -> Answers:
    """Answer a batch that was encoded with the model's vocabulary; each answer depends on its scan alone."""
    settings = model.settings
    asked = weigh(model.index.weighing, batch)
    index, distance = match_weighed(model.radio_map, model.index, asked, n_short=settings.n_short, cover=settings.cover)
    settled = settle(
        model.radio_map,
        settings,
        batch,
        index,
        np.ascontiguousarray(distance[:, :, model.voting]),
        building=model.buildings.of_level,
        evidence=hear_buildings(model.buildings, batch),
    )
    accuracy_m = predict_error_m(settled.features(), model.calibration.error) * model.calibration.error_scale
    fronts = None
    if model.fronts is not None:
        odds = inside_odds(model.inside, batch, asked, index)
        fronts = find_fronts(model.fronts, model.front_level, model.m_front, model.m_inside, settled, accuracy_m, odds)
    return judge(settled, fronts, model.calibration, accuracy_m)
