"""What the shared ranker's scores are worth at a venue, from its survey's scans without their own walks."""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from positioning.buildings import build_building_table, hear_buildings_held_out
from positioning.calibrate import conformal_threshold
from positioning.choose import take_scans
from positioning.fronts import FrontTable
from positioning.full import N_RANKED, probabilities, weigh_scores
from positioning.model import Calibration, Settings
from positioning.pairs import Pairs, make_pairs
from positioning.radio_map import F32, F64, I32, I64, RadioMap
from positioning.ranker import Ranker
from positioning.store_map import build_store_map, index_for

_N_PARTS = 20
"""Walks are held out a twentieth at a time: counting anew for each single walk would take minutes."""
_LEAST_SCANS = 100
"""Held-out scans under which the scores are taken as they are."""
_WEIGHT_RANGE = (0.2, 2.0)


def fit_rank(
    calibration: Calibration,
    radio_map: RadioMap,
    settings: Settings,
    fronts: FrontTable,
    front_level: I32,
    m_front: I32,
    asked: I64,
    walk: I32,
    ranker: Ranker,
) -> Calibration:
    """The calibration with the ranker's part: a temperature by maximum likelihood, and the answer set's threshold."""
    store, feature, truth = hold_out_pairs(radio_map, settings, fronts, front_level, m_front, asked, walk)
    is_true = (store == truth[:, None]) & (store >= 0)
    score = ranker.score(feature, store, N_RANKED)
    weights = (1.0,)
    if is_true.any(axis=1).sum() >= _LEAST_SCANS:
        usable = is_true[:, :N_RANKED].any(axis=1)

        def loss(weight: float) -> float:
            probability = probabilities(weigh_scores(store, score, (weight,)))
            return float(-np.log(np.maximum(probability[usable][is_true[usable]], 1e-12)).mean())

        weights = (float(minimize_scalar(loss, bounds=_WEIGHT_RANGE, method="bounded").x),)
    probability = probabilities(weigh_scores(store, score, weights))
    of_true: F64 = np.where(is_true, probability, 0.0).sum(axis=1)
    return replace(
        calibration,
        ranker=ranker.sha256,
        rank=weights,
        rank_set_threshold=conformal_threshold(of_true[truth >= 0]),
    )


def hold_out_pairs(
    radio_map: RadioMap,
    settings: Settings,
    fronts: FrontTable,
    front_level: I32,
    m_front: I32,
    asked: I64,
    walk: I32,
) -> tuple[I32, F32, I32]:
    """Candidates of survey scans (``asked``, places of the map), their features, and the true stores.

    Each is asked without its part of the walks; they come part by part.

    Args:
        walk: (n_map,) what is held out together.
    """
    _, number = np.unique(walk, return_inverse=True)
    part = (number % _N_PARTS).astype(np.int32)
    parted = replace(radio_map, walk=part)
    index = index_for(radio_map, settings)
    buildings = build_building_table(radio_map)
    found: list[Pairs] = []
    order: list[I64] = []
    for held in np.unique(part[asked]):
        at = asked[part[asked] == held]
        counted = part != held
        stores = build_store_map(parted, settings, m_front, len(fronts.store_ids), index=index, counted=counted)
        batch = take_scans(radio_map.readings, at)
        found.append(
            make_pairs(
                parted,
                settings,
                stores,
                batch,
                building=buildings.of_level,
                evidence=hear_buildings_held_out(parted, buildings, batch, part[at]),
                fronts=fronts,
                front_level=front_level,
                walk=part[at],
            )
        )
        order.append(at)
    stores, features = [pairs.store for pairs in found], [pairs.feature for pairs in found]
    return np.concatenate(stores), np.concatenate(features), m_front[np.concatenate(order)]
