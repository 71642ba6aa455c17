"""Scans in; their candidate stores out, with what is known of each scan and candidate together."""

from dataclasses import dataclass

import numpy as np

from positioning.fronts import FrontTable
from positioning.kernels.candidates import MOST_DESCRIBED, choose_candidates, find_front_m
from positioning.kernels.fronts import N_CANDIDATES
from positioning.kernels.pairs import N_PAIR_FEATURES, describe_pairs
from positioning.kernels.weigh import Weighed
from positioning.locate import Settled, settle
from positioning.match import match_weighed
from positioning.model import Settings
from positioning.radio_map import F32, F64, I32, RadioMap, ReadingBatch
from positioning.representation import weigh
from positioning.statistics import likelihoods
from positioning.store_map import StoreMap

PAIR_FEATURES: tuple[str, ...] = (
    "bayes_behind",
    "bayes_share",
    "offset_db",
    *(f"votes_{k}" for k in (1, 5, 10, 20)),
    "votes_rank",
    "votes_relative",
    "votes_free_5",
    "votes_free_10",
    "distance",
    "distance_3",
    "distance_behind",
    "distance_3_behind",
    "distance_rank_behind",
    "distance_relative_behind",
    "distance_free",
    "distance_free_3",
    "distance_free_behind",
    "distance_free_3_behind",
    "overlap",
    "share",
    "share_3",
    "share_10",
    "rate",
    "residual_db",
    "residual_rms_db",
    "above_highest",
    "order",
    "order_pairs",
    "beacon_share",
    "missing",
    "survey_scans_ln",
    "n_heard",
    *(
        f"top_{j}_{what}"
        for j in range(1, 5)
        for what in ("rate", "share", "residual_db", "to_highest_db", "strongest_share")
    ),
    *(
        f"{what}_behind"
        for what in (
            "overlap",
            "share",
            "share_3",
            "share_10",
            "rate",
            "residual_db",
            "residual_rms_db",
            "order",
            "missing",
        )
    ),
    "centre_m",
    "centre_behind_m",
    "front_m",
    "front_behind_m",
    "spread_m",
    "same_level",
    "level_votes",
    "connected_rate",
    "connected_share",
    "age_s",
)
"""The columns of the pair features, in the order of ``kernels/pairs.py``."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Candidates of n scans (``asked``, their weights): stores (n, 20), -1 for none, their first scores, signed
    distances of their fronts from the place (300 where too far or without a map), and features (n, 12, n_features) of
    the first ``n_described`` (n,) of them; the other rows are zero."""

    settled: Settled
    asked: Weighed
    store: I32
    score: F32
    front_m: F64
    n_described: I32
    feature: F32


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidates of n scans and all that was looked at to find them.

    ``store`` (n, 20), -1 for none, with its first ``score``, the first ``n_described`` (n,) of them worth a look;
    ``likelihood`` and ``offset_db`` (n, n_stores) of naive Bayes, ``bayes`` (n, 2) of ``kernels/candidates.py``;
    ``index`` and ``distance`` of the neighbours (``match.match``); the stores round the place and their signed
    distances.
    """

    settled: Settled
    asked: Weighed
    store: I32
    score: F32
    n_described: I32
    likelihood: F32
    offset_db: F32
    bayes: F32
    index: I32
    distance: F32
    front_store: I32
    front_m: F64


def find_candidates(
    radio_map: RadioMap,
    settings: Settings,
    stores: StoreMap,
    batch: ReadingBatch,
    *,
    building: I32,
    evidence: F32,
    fronts: FrontTable | None = None,
    front_level: I32 | None = None,
    walk: I32 | None = None,
) -> Candidates:
    """The union of what neighbours, naive Bayes and the place think of; see ``make_pairs``."""
    asked = weigh(stores.index.weighing, batch)
    index, distance = match_weighed(
        radio_map, stores.index, asked, n_short=settings.n_short, cover=settings.cover, walk=walk
    )
    settled = settle(
        radio_map,
        settings,
        batch,
        index,
        np.ascontiguousarray(distance[:, :, stores.voting]),
        building=building,
        evidence=evidence,
    )
    likelihood, offset_db = likelihoods(stores.tables, asked)
    if fronts is None or front_level is None:
        front_store = np.empty((batch.n_scans, 0), dtype=np.int32)
        front_m = np.empty((batch.n_scans, 0))
    else:
        level = np.where(settled.level >= 0, front_level[settled.level], -1).astype(np.int32)
        front_store, front_m = fronts.measure(settled.xy_m, level)
    store = np.empty((batch.n_scans, N_CANDIDATES), dtype=np.int32)
    score = np.empty((batch.n_scans, N_CANDIDATES), dtype=np.float32)
    n_described = np.empty(batch.n_scans, dtype=np.int32)
    bayes = np.empty((batch.n_scans, 2), dtype=np.float32)
    choose_candidates(
        likelihood,
        index,
        distance,
        stores.pairs.m_store,
        front_store,
        front_m,
        store,
        score,
        n_described,
        bayes,
    )
    return Candidates(
        settled, asked, store, score, n_described, likelihood, offset_db, bayes, index, distance, front_store, front_m
    )


def make_pairs(
    radio_map: RadioMap,
    settings: Settings,
    stores: StoreMap,
    batch: ReadingBatch,
    *,
    building: I32,
    evidence: F32,
    fronts: FrontTable | None = None,
    front_level: I32 | None = None,
    connected: I32 | None = None,
    walk: I32 | None = None,
) -> Pairs:
    """Candidates of the scans, and their features.

    Args:
        building, evidence: as of ``locate.settle``.
        fronts: the map's polygons, with ``front_level`` (n_levels,) the radio map's levels in its numbers.
        connected: (n,) the transmitter each phone is associated with, -1 for none known.
        walk: (n,) the survey walk each scan must not be compared with; its counts are the caller's to leave out.
    """
    found = find_candidates(
        radio_map,
        settings,
        stores,
        batch,
        building=building,
        evidence=evidence,
        fronts=fronts,
        front_level=front_level,
        walk=walk,
    )
    settled = found.settled
    feature = np.empty((batch.n_scans, MOST_DESCRIBED, N_PAIR_FEATURES), dtype=np.float32)
    describe_pairs(
        found.store,
        found.n_described,
        found.likelihood,
        found.offset_db,
        found.bayes,
        found.index,
        found.distance,
        stores.index.survey,
        stores.pairs,
        batch.indptr,
        batch.transmitter,
        batch.rssi_dbm,
        batch.age_ms,
        found.asked,
        np.full(batch.n_scans, -1, dtype=np.int32) if connected is None else connected,
        settled.xy_m,
        settled.level,
        settled.spread_m,
        found.front_store,
        found.front_m,
        feature,
    )
    front_m = np.empty(found.store.shape)
    find_front_m(found.store, found.front_store, found.front_m, front_m)
    return Pairs(settled, found.asked, found.store, found.score, front_m, found.n_described, feature)
