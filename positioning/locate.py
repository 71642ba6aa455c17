"""From neighbours to a level, a place, store fronts and what they are worth, stage by stage, for training.

Scans are answered by the same kernels in one call (``kernels/answer.py``); here they are asked one after another, since
held-out scans are asked without their own walk and before anything is calibrated.
"""

from dataclasses import dataclass

import numpy as np

from positioning.confidence import describe, describe_inside, front_probabilities, logistic
from positioning.fronts import FrontTable
from positioning.kernels.confidence import describe_faintness, size_sets, sort_stores
from positioning.kernels.fronts import N_CANDIDATES, N_FEATURES, describe_fronts, share_inside
from positioning.kernels.places import PlaceArrays, make_settled, settle_scans
from positioning.model import Calibration, Settings
from positioning.radio_map import F32, F64, I32, RadioMap, ReadingBatch


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
        return describe(self.spread_m, self.nearest, self.level_share, self.n_known)

    def faintness(self) -> F64:
        """(n, 3) features of "not of this venue" (``outside.py``)."""
        out = np.empty((len(self.level), 3))
        describe_faintness(self.strongest_dbm, self.n_known, out)
        return out


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
    """What answers to n scans are worth. Candidates are sorted by probability; ``n_in_set`` of them form the set."""

    accuracy_m: F64
    level_probability: F64
    store: I32
    probability: F64
    n_in_set: I32
    in_store: F64


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
    out = make_settled(batch.n_scans, index.shape[1])
    places = place_arrays(radio_map, settings, building)
    settle_scans(batch.indptr, batch.rssi_dbm, index, distance, places, evidence, out)
    return Settled(index=index, distance=distance, **out._asdict())


def place_arrays(radio_map: RadioMap, settings: Settings, building: I32) -> PlaceArrays:
    """How a map's neighbours vote, for the kernels."""
    return PlaceArrays(
        k=int(settings.k),
        weight_power=float(settings.weight_power),
        use_median=bool(settings.use_median),
        m_level=radio_map.level,
        m_xy_m=radio_map.xy_m,
        building=building,
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
    describe_fronts(
        store,
        distance_m,
        accuracy_m,
        settled.index,
        settled.weight,
        m_front,
        m_inside,
        len(fronts.store_ids),
        feature,
        by_votes,
    )
    by_density = np.empty((n_scans, 2 * settled.distance.shape[2]), dtype=np.float64)
    share_inside(settled.index, settled.distance, m_inside, by_density)
    return Fronts(store, feature, distance_m.min(axis=1), np.hstack([by_votes[:, None], by_density]), odds)


def judge(settled: Settled, fronts: Fronts | None, calibration: Calibration, accuracy_m: F64) -> Answers:
    """Apply the light locator's calibration to held-out answers: probabilities, answer sets, inside or not."""
    n_scans = len(settled.level)
    if fronts is None:
        store = np.full((n_scans, 0), -1, dtype=np.int32)
        probability = np.zeros((n_scans, 0))
        in_store = np.full(n_scans, np.nan)
    else:
        store = fronts.store.copy()
        probability = front_probabilities(fronts.feature, store >= 0, calibration.front)
        sort_stores(store, probability)
        inside = describe_inside(fronts.nearest_m, fronts.inside_share, fronts.inside_odds, accuracy_m)
        in_store = logistic(inside, calibration.inside)
    n_in_set = np.empty(n_scans, dtype=np.int32)
    size_sets(
        store,
        probability,
        in_store,
        calibration.inside_threshold,
        calibration.set_threshold,
        calibration.walkway_set_threshold,
        n_in_set,
    )
    return Answers(
        accuracy_m=accuracy_m,
        level_probability=logistic(settled.features(), calibration.level),
        store=store,
        probability=probability,
        n_in_set=n_in_set,
        in_store=in_store,
    )
