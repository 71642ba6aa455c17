"""Measure ranking on places without polygons: the survey's own labels are the stores, here called zones.

For sets such as UJIIndoorLoc, whose spaces are named in the survey and drawn on no map. Both locators are measured
beside the plain reference's votes, as ``evaluate.py`` does for venues with a map.
"""

import math
from collections.abc import Sequence

import numpy as np

from fingerprints.scan import LabelledScan
from positioning.baseline import locate_and_vote
from positioning.buildings import hear_buildings
from positioning.confidence import front_probabilities, predict_error_m
from positioning.evaluate import DEFAULT_SEED, Evaluation, TruthIn, bootstrap, read_truth, to_web_mercator
from positioning.full import weigh_evidence
from positioning.locate import settle
from positioning.match import match
from positioning.model import VenueModel
from positioning.pairs import make_pairs
from positioning.radio_map import F64, I32, encode
from positioning.rank_train import fit_rank
from positioning.ranker import Ranker
from positioning.score import UNDEFINED, Scored, rank_of, summarise
from positioning.store_map import build_store_map

_N_LISTED = 20


def evaluate_zones(
    model: VenueModel,
    m_zone: I32,
    n_zones: int,
    scans: Sequence[LabelledScan],
    zone: I32,
    *,
    ranker: Ranker | None,
    said: str | None = None,
) -> Evaluation:
    """Rank the zones of scans, with the full locator's ranker or, without one, by the light locator's votes.

    Args:
        m_zone: (n_map,) the zone of each survey scan of the model, -1 for none.
        zone: (n_scans,) the true ones.
        said: how the ranker is named in the figures.
    """
    truth = read_truth(model, scans)
    generator = np.random.default_rng(DEFAULT_SEED)
    batch = encode([item.scan for item in scans], model.radio_map.index)
    settings = model.settings
    index, distance = match(model.radio_map, model.index, batch, n_short=settings.n_short, cover=settings.cover)
    settled = settle(
        model.radio_map,
        settings,
        batch,
        index,
        np.ascontiguousarray(distance[:, :, model.voting]),
        building=model.buildings.of_level,
        evidence=hear_buildings(model.buildings, batch),
    )
    if ranker is None:
        votes = np.zeros((batch.n_scans, n_zones))
        at, column = np.nonzero(settled.index >= 0)
        label = m_zone[settled.index[at, column]]
        np.add.at(votes, (at[label >= 0], label[label >= 0]), settled.weight[at, column][label >= 0])
        store, probability = _by_votes(votes)
        threshold = math.nan
    else:
        store, probability, threshold = _by_ranker(model, m_zone, n_zones, scans, ranker)
    plain, plain_votes = locate_and_vote(model, [item.scan for item in scans], m_zone, n_zones)
    scored = _score(model, truth, zone, settled.level, settled.xy_m, store, probability, threshold)
    beside = _score(model, truth, zone, plain.level, plain.xy_m, _by_votes(plain_votes)[0], None, math.nan)
    return Evaluation(
        figures=summarise(scored),
        interval=bootstrap(scored, generator),
        ranker=said,
        baseline=summarise(beside),
        baseline_interval=bootstrap(beside, generator),
    )


def _by_ranker(
    model: VenueModel, m_zone: I32, n_zones: int, scans: Sequence[LabelledScan], ranker: Ranker
) -> tuple[I32, F64, float]:
    radio_map, settings = model.radio_map, model.settings
    none = np.full(radio_map.n_scans, -1, dtype=np.int32)
    calibration = fit_rank(
        model.calibration,
        radio_map,
        settings,
        None,
        (model.front_level, m_zone, none),
        n_zones,
        np.flatnonzero(m_zone >= 0),
        radio_map.walk,
        ranker,
    )
    batch = encode([item.scan for item in scans], radio_map.index)
    pairs = make_pairs(
        radio_map,
        settings,
        build_store_map(radio_map, settings, m_zone, n_zones),
        batch,
        building=model.buildings.of_level,
        evidence=hear_buildings(model.buildings, batch),
    )
    accuracy_m = predict_error_m(pairs.settled.features(), calibration.error) * calibration.error_scale
    score = ranker.score(pairs.feature, pairs.n_described)
    evidence = weigh_evidence(pairs, score, accuracy_m, m_zone, none)
    probability = front_probabilities(evidence, pairs.store >= 0, calibration.rank)
    order = np.argsort(-probability, axis=1, kind="stable")
    rows = np.arange(len(order))[:, None]
    return pairs.store[rows, order], probability[rows, order], calibration.rank_set_threshold


def _by_votes(votes: F64) -> tuple[I32, F64]:
    order = np.argsort(-votes, axis=1, kind="stable")[:, :_N_LISTED]
    share = np.take_along_axis(votes, order, axis=1)
    store = np.where(share > 0, order, -1).astype(np.int32)
    return store, share / np.maximum(votes.sum(axis=1, keepdims=True), 1e-12)


def _score(
    model: VenueModel,
    truth: TruthIn,
    zone: I32,
    level: I32,
    xy_m: F64,
    store: I32,
    probability: F64 | None,
    set_threshold: float,
) -> Scored:
    n = len(zone)
    nan = np.full(n, math.nan)
    answered = level >= 0
    rank = rank_of(store, zone)
    claimed = nan if probability is None else np.where(answered, probability[:, 0], math.nan)
    n_in_set = nan
    is_in_set = nan
    if probability is not None and math.isfinite(set_threshold):
        n_in_set = np.maximum((probability >= set_threshold).sum(axis=1), 1).astype(np.float64)
        is_in_set = ((rank >= 0) & (rank < n_in_set)).astype(np.float64)
    frame = model.radio_map.frame
    return Scored(
        is_answered=answered,
        is_level_right=(level == truth.level) & answered,
        is_building_right=nan,
        error_m=np.linalg.norm(xy_m - truth.xy_m, axis=1),
        error_units=np.linalg.norm(to_web_mercator(frame.to_lon_lat_deg(xy_m)) - truth.mercator, axis=1),
        accuracy_m=nan,
        front_rank=rank,
        inside_rank=np.full(n, UNDEFINED, dtype=np.int32),
        is_in_set=is_in_set,
        set_size=n_in_set,
        claimed=claimed,
        is_claim_right=np.where(np.isfinite(claimed), (rank == 0).astype(np.float64), math.nan),
        group=truth.group,
    )
