"""What the shared ranker's scores are worth at a venue, from its survey's scans without their own walks."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from positioning.buildings import build_building_table, hear_buildings_held_out
from positioning.calibrate import fit_logit, fit_sets, fit_walkway_set
from positioning.confidence import describe_inside, front_probabilities, logistic, predict_error_m
from positioning.damage import hear_later
from positioning.fronts import FrontTable
from positioning.full import weigh_evidence
from positioning.inside import build_inside_map, inside_odds
from positioning.kernels.fronts import N_FEATURES
from positioning.locate import find_fronts
from positioning.model import Calibration, Settings
from positioning.pairs import make_pairs
from positioning.radio_map import F64, I32, I64, RadioMap, take_scans
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
    *,
    walkway_asked: I64 | None = None,
    refit_ridge: float | None = None,
) -> Calibration:
    """The calibration with the ranker's part: weights by maximum likelihood, and the answer sets' thresholds.

    Args:
        fronts: the map's polygons; None where stores are places of the survey without a map.
        levels_and_stores: of ``model.survey_fronts``; ``n_stores`` that they are numbered among.
        asked: places of the map; each is asked without its part of the walks.
        walk: (n_map,) what is held out together.
        walkway_asked: places whose scans tell the threshold in walkways, where ``asked`` are scans in stores alone.
        refit_ridge: the pull, a scan, towards the calibration's own weights, which are then fitted again; None for
            weights of a new model.
    """
    heard, later = hold_out(calibration, radio_map, settings, fronts, levels_and_stores, n_stores, asked, walk, ranker)
    if refit_ridge is None:
        weights = fit_weights(heard.store, heard.evidence, heard.truth)
    else:
        weights = fit_weights(heard.store, heard.evidence, heard.truth, calibration.rank, refit_ridge)
    of_store, of_walkway = fit_sets(
        later.probability_of_true(weights)[later.is_usable], later.is_in_store[later.is_usable]
    )
    if walkway_asked is not None:
        _, other = hold_out(
            calibration,
            radio_map,
            settings,
            fronts,
            levels_and_stores,
            n_stores,
            walkway_asked,
            walk,
            ranker,
        )
        of_true = other.probability_of_true(weights)[other.is_usable]
        of_walkway = fit_walkway_set(of_true, other.is_in_store[other.is_usable], of_store)
    return replace(
        calibration,
        ranker=ranker.sha256,
        rank=weights,
        rank_set_threshold=of_store,
        rank_walkway_set_threshold=of_walkway,
    )


@dataclass(frozen=True, slots=True)
class RankedScans:
    """Survey scans ranked without their part of the walks: candidates, evidence (``full.weigh_evidence``), true stores.

    ``is_in_store`` says what the scans are taken for. ``is_usable`` ones are answered, and other parts reached their
    true store at all: an answer set cannot hold what the survey had not.
    """

    store: I32
    evidence: F64
    truth: I32
    is_in_store: NDArray[np.bool_]
    is_usable: NDArray[np.bool_]

    def probability_of_true(self, weights: tuple[float, ...]) -> F64:
        """Of each scan's true store, with such weights."""
        is_true = (self.store == self.truth[:, None]) & (self.store >= 0)
        probability = front_probabilities(self.evidence, self.store >= 0, weights)
        of_true: F64 = np.where(is_true, probability, 0.0).sum(axis=1)
        return of_true


def fit_weights(
    store: I32, evidence: F64, truth: I32, prior: tuple[float, ...] = _AS_IT_IS, ridge: float = _RIDGE
) -> tuple[float, ...]:
    """A conditional logit over the evidence of ``full.weigh_evidence``, pulled towards ``prior``: the bare score."""
    is_true = (store == truth[:, None]) & (store >= 0)
    if is_true.any(axis=1).sum() < _LEAST_SCANS:
        return prior
    return fit_logit(evidence, store >= 0, is_true, np.array(prior), ridge)


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
) -> tuple[RankedScans, RankedScans]:
    """Survey scans as they were heard, and as other phones would at a later date; part by part of the walks."""
    front_level, m_front, m_inside = levels_and_stores
    _, number = np.unique(walk, return_inverse=True)
    part = (number % _N_PARTS).astype(np.int32)
    parted = replace(radio_map, walk=part)
    index = build_index(radio_map, settings.measured)
    buildings = build_building_table(radio_map)
    floor_dbm = float(radio_map.readings.rssi_dbm.min())
    heard = take_scans(radio_map.readings, asked)
    batches = (heard, hear_later(heard, np.random.default_rng(0), floor_dbm=floor_dbm))
    found: tuple[list[RankedScans], list[RankedScans]] = ([], [])
    for held in np.unique(part[asked]):
        of_part = np.flatnonzero(part[asked] == held)
        at = asked[of_part]
        part_map = build_store_map(parted, settings, m_front, n_stores, index=index, counted=part != held)
        inside_map = build_inside_map(parted, settings.measured, m_inside, counted=part != held)
        is_reached = (m_front[at] >= 0) & (part_map.tables.exposure[m_front[at]] > 0)
        for batch, out in zip((take_scans(whole, of_part) for whole in batches), found, strict=True):
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
            settled = pairs.settled
            accuracy_m = predict_error_m(settled.features(), calibration.error) * calibration.error_scale
            score = ranker.score(pairs.feature, pairs.n_described)
            is_in_store = np.ones(len(at), dtype=np.bool_)
            if fronts is not None:
                odds = inside_odds(inside_map, pairs.asked, settled.index)
                around = find_fronts(fronts, front_level, m_front, m_inside, settled, accuracy_m, odds)
                inside = describe_inside(around.nearest_m, around.inside_share, around.inside_odds, accuracy_m)
                is_in_store = logistic(inside, calibration.inside) >= calibration.inside_threshold
            out.append(
                RankedScans(
                    store=pairs.store,
                    evidence=weigh_evidence(pairs, score, accuracy_m, m_front, m_inside),
                    truth=m_front[at],
                    is_in_store=is_in_store,
                    is_usable=is_reached & (settled.level >= 0),
                )
            )
    return _join(found[0]), _join(found[1])


def _join(parts: list[RankedScans]) -> RankedScans:
    names = RankedScans.__slots__
    return RankedScans(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
