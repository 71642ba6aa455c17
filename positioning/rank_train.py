"""What the shared ranker's scores are worth at a venue, from its survey's scans without their own walks."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from positioning.buildings import build_building_table, hear_buildings_held_out
from positioning.calibrate import conformal_threshold
from positioning.choose import take_scans
from positioning.confidence import front_probabilities, predict_error_m
from positioning.fronts import FrontTable
from positioning.full import weigh_evidence
from positioning.kernels.fronts import N_FEATURES
from positioning.model import Calibration, Settings
from positioning.pairs import make_pairs
from positioning.radio_map import F64, I32, I64, RadioMap
from positioning.ranker import Ranker
from positioning.representation import build_index
from positioning.store_map import build_store_map

_N_PARTS = 20
"""Walks are held out a twentieth at a time: counting anew for each single walk would take minutes."""
_LEAST_SCANS = 100
"""Held-out scans under which the scores are taken as they are."""
_AS_IT_IS = (1.0, *([0.0] * N_FEATURES))
_RIDGE = 0.03
"""Pull of the weights towards the bare score, a scan. Of 0.003, 0.01, 0.03 and 0.1 the best on four simulated malls
(951-954) asked later; on Xixi's survey, walks left out, it costs 0.15 points beside 0.003."""


def fit_rank(
    calibration: Calibration,
    radio_map: RadioMap,
    settings: Settings,
    fronts: FrontTable | None,
    levels_and_stores: tuple[I32, I32, I32],
    n_stores: int,
    asked: I64,
    walk: I32,
    ranker: Ranker,
) -> Calibration:
    """The calibration with the ranker's part: weights by maximum likelihood, and the answer set's threshold.

    Args:
        fronts: the map's polygons; None where stores are places of the survey without a map.
        levels_and_stores: of ``model.survey_fronts``; ``n_stores`` that they are numbered among.
        asked: places of the map; each is asked without its part of the walks.
        walk: (n_map,) what is held out together.
    """
    store, evidence, truth, is_reached = hold_out(
        calibration, radio_map, settings, fronts, levels_and_stores, n_stores, asked, walk, ranker
    )
    weights = fit_weights(store, evidence, truth)
    is_true = (store == truth[:, None]) & (store >= 0)
    of_true = np.where(is_true, front_probabilities(evidence, store >= 0, weights), 0.0).sum(axis=1)
    threshold = conformal_threshold(of_true[is_reached])
    return replace(calibration, ranker=ranker.sha256, rank=weights, rank_set_threshold=threshold)


def fit_weights(store: I32, evidence: F64, truth: I32) -> tuple[float, ...]:
    """A conditional logit over the evidence of ``full.weigh_evidence``, pulled towards the bare score."""
    is_true = (store == truth[:, None]) & (store >= 0)
    usable = is_true.any(axis=1)
    if usable.sum() < _LEAST_SCANS:
        return _AS_IT_IS
    x, stores, true = evidence[usable], store[usable] >= 0, is_true[usable]
    x = np.where(stores[:, :, None], x, 0.0)
    prior = np.array(_AS_IT_IS)

    def loss(weights: F64) -> tuple[float, F64]:
        probability = front_probabilities(x, stores, tuple(weights.tolist()))
        slope = np.einsum("nc,ncf->f", probability - true, x) / len(x)
        off = weights - prior
        value = float(-np.log(np.clip(probability[true], 1e-12, 1.0)).mean() + _RIDGE * off @ off)
        return value, slope + 2.0 * _RIDGE * off

    return tuple(minimize(loss, prior, jac=True, method="L-BFGS-B").x.tolist())


def hold_out(
    calibration: Calibration,
    radio_map: RadioMap,
    settings: Settings,
    fronts: FrontTable | None,
    levels_and_stores: tuple[I32, I32, I32],
    n_stores: int,
    asked: I64,
    walk: I32,
    ranker: Ranker,
) -> tuple[I32, F64, I32, NDArray[np.bool_]]:
    """Candidates, evidence and true stores of survey scans, each without its part of the walks; part by part.

    The last says whether other parts reached the true store at all: an answer set cannot hold what the survey had not.
    """
    front_level, m_front, m_inside = levels_and_stores
    _, number = np.unique(walk, return_inverse=True)
    part = (number % _N_PARTS).astype(np.int32)
    parted = replace(radio_map, walk=part)
    index = build_index(radio_map, settings.measured)
    buildings = build_building_table(radio_map)
    stores: list[I32] = []
    evidence: list[F64] = []
    truth: list[I32] = []
    reached: list[NDArray[np.bool_]] = []
    for held in np.unique(part[asked]):
        at = asked[part[asked] == held]
        counted = part != held
        batch = take_scans(radio_map.readings, at)
        part_map = build_store_map(parted, settings, m_front, n_stores, index=index, counted=counted)
        pairs = make_pairs(
            parted,
            settings,
            part_map,
            batch,
            building=buildings.of_level,
            evidence=hear_buildings_held_out(parted, buildings, batch, part[at]),
            fronts=fronts,
            front_level=front_level,
            walk=part[at],
        )
        accuracy_m = predict_error_m(pairs.settled.features(), calibration.error) * calibration.error_scale
        score = ranker.score(pairs.feature, pairs.n_described)
        stores.append(pairs.store)
        evidence.append(weigh_evidence(pairs, score, accuracy_m, m_front, m_inside))
        truth.append(m_front[at])
        reached.append((m_front[at] >= 0) & (part_map.tables.exposure[m_front[at]] > 0))
    return np.concatenate(stores), np.concatenate(evidence), np.concatenate(truth), np.concatenate(reached)
