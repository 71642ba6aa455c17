"""From readings to answers, of either locator, in one call: the stages of the other kernels, a few scans at a time.

So few that what lies between two stages stays in the processor's caches; and without Python between them, which for one
scan alone took ten times what the stages do.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from positioning.kernels.candidates import MOST_DESCRIBED, choose_candidates, find_front_m
from positioning.kernels.confidence import (
    N_ANSWER_FEATURES,
    CalibrationArrays,
    describe_answers,
    describe_inside_rows,
    find_outside_rows,
    list_candidates,
    logistic_rows,
    predict_errors,
    share_stores,
    size_sets,
    sort_stores,
)
from positioning.kernels.fronts import (
    N_CANDIDATES,
    N_FEATURES,
    FrontArrays,
    describe_fronts,
    measure_fronts,
    share_inside,
)
from positioning.kernels.held import Held
from positioning.kernels.inside import InsideArrays, weigh_inside
from positioning.kernels.neighbours import SurveyArrays, find_neighbours, total_by_epoch
from positioning.kernels.pairs import N_PAIR_FEATURES, PairArrays, describe_pairs
from positioning.kernels.places import PlaceArrays, SettledArrays, hear_buildings, make_settled, settle_scans
from positioning.kernels.ranked import describe_ranked
from positioning.kernels.stores import BayesArrays, weigh_stores
from positioning.kernels.trees import TreeArrays, score_rows
from positioning.kernels.weigh import N_WEIGHTS, Weighed, WeighingArrays, weigh_readings
from positioning.radio_map import F32, F64, I32, I64, U8

_AT_ONCE = 16
"""Scans from stage to stage; what they hold between stages is about 100 kB."""


class VenueArrays(NamedTuple):
    """A venue's model for the kernels (``model.VenueModel``), without what names things.

    Args:
        voting: the columns of the distances that vote.
        born: (n_transmitters,) the epoch since which scans speak of each transmitter.
        heard_in: (n_transmitters, n_buildings) of ``buildings.BuildingTable``.
        n_stores: 0 where the venue has no map; ``fronts`` is then empty.
        front_level: (n_levels,) the radio map's levels in the numbers of ``fronts``.
        m_walk, m_front, m_inside: (n_map,) of the survey scans.
    """

    weighing: WeighingArrays
    survey: SurveyArrays
    voting: I64
    born: I32
    n_short: int
    cover: float
    places: PlaceArrays
    heard_in: F32
    n_stores: int
    fronts: FrontArrays
    front_level: I32
    m_walk: I32
    m_front: I32
    m_inside: I32
    inside: InsideArrays
    calibration: CalibrationArrays


class FullArrays(NamedTuple):
    """What the full locator adds."""

    bayes: BayesArrays
    pairs: PairArrays
    trees: TreeArrays


class FullVenueArrays(NamedTuple):
    """A venue of the full locator."""

    venue: VenueArrays
    full: FullArrays


class AnswerArrays(NamedTuple):
    """The answers to n scans; ``level`` is -1 and ``xy_m`` NaN where no survey scan shares a transmitter.

    Candidates are sorted by probability, -1 for none; ``n_listed`` of them are told, their probabilities summing to 1,
    and ``n_in_set`` form the set.
    """

    level: I32
    xy_m: F64
    accuracy_m: F64
    level_probability: F64
    store: I32
    probability: F64
    n_listed: I32
    n_in_set: I32
    in_store: F64
    is_outside: U8


@njit(cache=True, nogil=True)
def _make_answers(n: int, n_candidates: int) -> AnswerArrays:
    return AnswerArrays(
        np.empty(n, dtype=np.int32),
        np.empty((n, 2), dtype=np.float64),
        np.empty(n, dtype=np.float64),
        np.empty(n, dtype=np.float64),
        np.full((n, n_candidates), -1, dtype=np.int32),
        np.zeros((n, n_candidates), dtype=np.float64),
        np.zeros(n, dtype=np.int32),
        np.zeros(n, dtype=np.int32),
        np.full(n, np.nan, dtype=np.float64),
        np.zeros(n, dtype=np.uint8),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def answer_light(held: Held, indptr: I64, transmitter: I32, rssi_dbm: F32, age_ms: F32) -> AnswerArrays:
    """The light locator's answers to scans in CSR, encoded with the vocabulary of a venue, ``VenueArrays``."""
    venue = held.value
    n = len(indptr) - 1
    out = _make_answers(n, N_CANDIDATES if venue.n_stores > 0 else 0)
    for first in range(0, n, _AT_ONCE):
        end = min(first + _AT_ONCE, n)
        part = indptr[first : end + 1]
        asked = _weigh(venue.weighing, part, transmitter, rssi_dbm, age_ms)
        index, distance = _match(venue, asked)
        voting = _take_columns(distance, venue.voting)
        settled = _settle(venue, part, transmitter, rssi_dbm, index, voting)
        accuracy_m = _judge_place(venue, settled, first, end, out)
        if venue.n_stores == 0:
            continue
        store, distance_m = _look_around(venue, settled)
        evidence = np.empty((end - first, N_CANDIDATES, N_FEATURES))
        share = np.empty((end - first, 1 + 2 * voting.shape[2]))
        by_votes = np.empty(end - first)
        describe_fronts(
            store,
            distance_m,
            accuracy_m,
            index,
            settled.weight,
            venue.m_front,
            venue.m_inside,
            venue.n_stores,
            evidence,
            by_votes,
        )
        share[:, 0] = by_votes
        _judge_inside(venue, asked, index, voting, distance_m, accuracy_m, share, out.in_store[first:end])
        kept = venue.calibration
        thresholds = (kept.set_threshold, kept.walkway_set_threshold)
        _judge_stores(venue, store, evidence, kept.front, thresholds, first, end, out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def answer_full(held: Held, indptr: I64, transmitter: I32, rssi_dbm: F32, age_ms: F32, connected: I32) -> AnswerArrays:
    """The full locator's answers, of ``FullVenueArrays``; the venue has stores.

    ``connected`` (n,) is the transmitter each phone is associated with, -1 for none known.
    """
    venue, full = held.value
    n = len(indptr) - 1
    out = _make_answers(n, N_CANDIDATES)
    n_stores = venue.n_stores
    for first in range(0, n, _AT_ONCE):
        end = min(first + _AT_ONCE, n)
        n_part = end - first
        part = indptr[first : end + 1]
        asked = _weigh(venue.weighing, part, transmitter, rssi_dbm, age_ms)
        index, distance = _match(venue, asked)
        voting = _take_columns(distance, venue.voting)
        settled = _settle(venue, part, transmitter, rssi_dbm, index, voting)
        accuracy_m = _judge_place(venue, settled, first, end, out)
        around, around_m = _look_around(venue, settled)
        likelihood = np.empty((n_part, n_stores), dtype=np.float32)
        offset_db = np.empty((n_part, n_stores), dtype=np.float32)
        weigh_stores(asked, full.bayes, likelihood, offset_db)
        store = np.empty((n_part, N_CANDIDATES), dtype=np.int32)
        first_score = np.empty((n_part, N_CANDIDATES), dtype=np.float32)
        n_described = np.empty(n_part, dtype=np.int32)
        bayes = np.empty((n_part, 2), dtype=np.float32)
        choose_candidates(
            likelihood,
            index,
            distance,
            full.pairs.m_store,
            around,
            around_m,
            store,
            first_score,
            n_described,
            bayes,
        )
        feature = np.empty((n_part, MOST_DESCRIBED, N_PAIR_FEATURES), dtype=np.float32)
        describe_pairs(
            store,
            n_described,
            likelihood,
            offset_db,
            bayes,
            index,
            distance,
            venue.survey,
            full.pairs,
            part,
            transmitter,
            rssi_dbm,
            age_ms,
            asked,
            connected[first:end],
            settled.xy_m,
            settled.level,
            settled.spread_m,
            around,
            around_m,
            feature,
        )
        score = np.empty((n_part, MOST_DESCRIBED), dtype=np.float32)
        score_rows(feature, n_described, full.trees, score)
        front_m = np.empty((n_part, N_CANDIDATES))
        find_front_m(store, around, around_m, front_m)
        evidence = np.empty((n_part, N_CANDIDATES, 1 + N_FEATURES))
        share = np.empty((n_part, 1 + 2 * voting.shape[2]))
        by_votes = np.empty(n_part)
        describe_ranked(
            store,
            n_described,
            score,
            front_m,
            accuracy_m,
            index,
            settled.weight,
            venue.m_front,
            venue.m_inside,
            n_stores,
            evidence,
            by_votes,
        )
        share[:, 0] = by_votes
        _judge_inside(venue, asked, index, voting, around_m, accuracy_m, share, out.in_store[first:end])
        kept = venue.calibration
        thresholds = (kept.rank_set_threshold, kept.rank_walkway_set_threshold)
        _judge_stores(venue, store, evidence, kept.rank, thresholds, first, end, out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _weigh(weighing: WeighingArrays, indptr: I64, transmitter: I32, rssi_dbm: F32, age_ms: F32) -> Weighed:
    n_entries = indptr[-1] - indptr[0]
    asked = Weighed(
        np.empty(len(indptr), dtype=np.int64),
        np.empty(n_entries, dtype=np.int32),
        np.empty((n_entries, N_WEIGHTS), dtype=np.float32),
        np.empty((len(indptr) - 1, N_WEIGHTS), dtype=np.float32),
        np.empty(n_entries, dtype=np.float32),
        np.empty(n_entries, dtype=np.float32),
    )
    weigh_readings(indptr, transmitter, rssi_dbm, age_ms, weighing, asked)
    return asked


@njit(cache=True, nogil=True, error_model="numpy")
def _match(venue: VenueArrays, asked: Weighed) -> tuple[I32, F32]:
    n = len(asked.total)
    total = np.empty((n, len(venue.survey.shift), N_WEIGHTS), dtype=np.float32)
    total_by_epoch(asked, venue.born, total)
    index = np.empty((n, venue.n_short), dtype=np.int32)
    distance = np.empty((n, venue.n_short, N_WEIGHTS), dtype=np.float32)
    nothing = np.full(n, -1, dtype=np.int32)
    find_neighbours(asked, total, nothing, venue.survey, venue.m_walk, venue.cover, index, distance)
    return index, distance


@njit(cache=True, nogil=True)
def _take_columns(distance: F32, columns: I64) -> F32:
    out = np.empty((distance.shape[0], distance.shape[1], len(columns)), dtype=np.float32)
    for r in range(len(columns)):
        out[:, :, r] = distance[:, :, columns[r]]
    return out


@njit(cache=True, nogil=True)
def _settle(venue: VenueArrays, indptr: I64, transmitter: I32, rssi_dbm: F32, index: I32, voting: F32) -> SettledArrays:
    settled = make_settled(len(index), index.shape[1])
    evidence = np.empty((len(index), venue.heard_in.shape[1]), dtype=np.float32)
    hear_buildings(indptr, transmitter, venue.heard_in, evidence)
    settle_scans(indptr, rssi_dbm, index, voting, venue.places, evidence, settled)
    return settled


@njit(cache=True, nogil=True)
def _judge_place(venue: VenueArrays, settled: SettledArrays, first: int, end: int, out: AnswerArrays) -> F64:
    """Fill in level and place and what they are worth; the expected error in metres."""
    kept = venue.calibration
    feature = np.empty((end - first, N_ANSWER_FEATURES))
    describe_answers(settled.spread_m, settled.nearest, settled.level_share, settled.n_known, feature)
    accuracy_m = out.accuracy_m[first:end]
    predict_errors(feature, kept.error, kept.error_scale, accuracy_m)
    logistic_rows(feature, kept.level, out.level_probability[first:end])
    find_outside_rows(settled.strongest_dbm, settled.n_known, kept.outside, out.is_outside[first:end])
    out.level[first:end] = settled.level
    out.xy_m[first:end] = settled.xy_m
    return accuracy_m


@njit(cache=True, nogil=True)
def _look_around(venue: VenueArrays, settled: SettledArrays) -> tuple[I32, F64]:
    """The stores round each place, and their signed distances in metres."""
    n = len(settled.level)
    level = np.empty(n, dtype=np.int32)
    for i in range(n):
        level[i] = venue.front_level[settled.level[i]] if settled.level[i] >= 0 else -1
    store = np.empty((n, N_CANDIDATES), dtype=np.int32)
    distance_m = np.empty((n, N_CANDIDATES), dtype=np.float64)
    measure_fronts(settled.xy_m, level, venue.fronts, store, distance_m)
    return store, distance_m


@njit(cache=True, nogil=True)
def _judge_inside(
    venue: VenueArrays,
    asked: Weighed,
    index: I32,
    voting: F32,
    front_m: F64,
    accuracy_m: F64,
    share: F64,
    out: F64,
) -> None:
    """``share`` (n, 1 + 2 n_representations) has the votes; the densities are filled in."""
    n = len(index)
    share_inside(index, voting, venue.m_inside, share[:, 1:])
    nearest_m = np.empty(n)
    for i in range(n):
        nearest_m[i] = np.min(front_m[i])
    odds = np.empty((n, 2))
    weigh_inside(asked, index, venue.inside, odds)
    feature = np.empty((n, 5 + share.shape[1]))
    describe_inside_rows(nearest_m, share, odds, accuracy_m, feature)
    logistic_rows(feature, venue.calibration.inside, out)


@njit(cache=True, nogil=True)
def _judge_stores(
    venue: VenueArrays,
    store: I32,
    evidence: F64,
    weights: F64,
    thresholds: tuple[float, float],
    first: int,
    end: int,
    out: AnswerArrays,
) -> None:
    probability = out.probability[first:end]
    out.store[first:end] = store
    share_stores(out.store[first:end], evidence, weights, probability)
    sort_stores(out.store[first:end], probability)
    of_store, of_walkway = thresholds
    size_sets(
        out.store[first:end],
        probability,
        out.in_store[first:end],
        venue.calibration.inside_threshold,
        of_store,
        of_walkway,
        out.n_in_set[first:end],
    )
    list_candidates(probability, out.n_in_set[first:end], out.n_listed[first:end])
