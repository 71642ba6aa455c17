"""What is known of each scan and candidate store together.

One kernel for training and serving: what the ranker learns from is what it is asked with. The columns are named in
``positioning/pairs.py``; where a value does not exist, the column's own filler stands.
"""

from typing import NamedTuple

import numpy as np

from kernel.compiled import fused, fused_inlined, inlined
from positioning.kernels.candidates import TEMPER, room_to_sort, sort_neighbours, vote
from positioning.kernels.neighbours import SurveyArrays
from positioning.kernels.stores import DB_STEP, NEVER_HEARD, SHARE_STEP
from positioning.kernels.weigh import Weighed
from positioning.radio_map import F32, F64, I32, I64, U8

_NOT_HEARD_DBM = np.float32(-1000.0)
_RANK_DECAY = 0.15
_MOST_READINGS = 40
"""A scan's heaviest readings that the pair features look at; the weight of the next is under 0.3 %."""
_MOST_NEIGHBOURS = 32
"""Of the shortlist, by the first distance: more than any vote counts, and as many as are sorted in one step."""
_N_ORDERED = 12
_ORDERED_SCAN_DB = np.float32(6.0)
_ORDERED_STORE_DB = np.float32(2.0)
_ABOVE_DB = np.float32(3.0)
MEAN_AT, RATE_AT, SHARE_AT, TOP_SHARE_AT, HIGHEST_AT = range(5)
"""The columns of a transmitter and store's ``cell``: side by side, since they are looked at together."""
N_CELL = 8
"""Three more than are used, so that no cell lies across two cache lines."""
_HEARD_RATE = np.uint8(13)
"""5 %, in steps of ``SHARE_STEP``."""
_EXPECTED_DBM = np.float32(-82.0)
_N_STRONGEST = 4
_PER_STRONGEST = 5
_OFFSET_SCALE_DB = 12.0

NB_BEHIND, NB_SHARE, OFFSET = 0, 1, 2
VOTES = 3
"""Four of the powed distance (k = 1, 5, 10, 20), one each of rank and relative (10), two of the offset-free (5, 10)."""
DISTANCES = 11
"""Powed: least, mean of three, each behind the best; relative and rank behind the best; offset-free as powed."""
OVERLAP = 21
SHARES = 22
"""Weighted by rank, of the three strongest, of the ten strongest."""
RATE, RESIDUAL, RMS, ABOVE, ORDER, N_PAIRS, BEACONS, MISSING, EXPOSURE, N_HEARD = range(25, 35)
STRONGEST = 35
"""Of each of four: rate, share, residual, residual to the highest, share of being the strongest."""
BEHIND = 55
"""Overlap, three shares, rate, residual, RMS, order, missing: behind the scan's best."""
CENTRE_M, CENTRE_BEHIND_M, FRONT_M, FRONT_BEHIND_M, SPREAD_M, SAME_LEVEL, LEVEL_VOTES = range(64, 71)
CONNECTED_RATE, CONNECTED_SHARE, AGE_S = range(71, 74)
N_PAIR_FEATURES = 74
_FAR = 1.5
_FAR_FREE = 4.0
_FAR_M = 300.0
_NOT_SEEN_DB = -60.0
_NONE = -1.0


def _make_fill() -> F32:
    """What stands where a value does not exist: farther, or lower, than any that does."""
    fill = np.zeros(N_PAIR_FEATURES, dtype=np.float32)
    fill[DISTANCES : DISTANCES + 6] = _FAR
    fill[DISTANCES + 6 : DISTANCES + 10] = _FAR_FREE
    fill[[RESIDUAL, BEHIND + 5]] = _NOT_SEEN_DB
    fill[[RMS, BEHIND + 6]] = -_NOT_SEEN_DB
    for j in range(_N_STRONGEST):
        fill[[STRONGEST + _PER_STRONGEST * j + 2, STRONGEST + _PER_STRONGEST * j + 3]] = _NOT_SEEN_DB
    fill[[CENTRE_M, CENTRE_BEHIND_M, FRONT_M, FRONT_BEHIND_M]] = _FAR_M
    fill[[BEACONS, CONNECTED_RATE, CONNECTED_SHARE, AGE_S, SPREAD_M]] = _NONE
    return fill


_FILL = _make_fill()


@fused_inlined
def _take_votes(
    index: I32, distance: F32, column: int, order: I32, n: int, k: int, m_store: I32, slot: I32, out: F32, at: int
) -> None:
    """Vote shares of the k nearest, into column ``at`` of the candidates."""
    votes = np.float32(0.0)
    out[:, at] = np.float32(0.0)
    for place in range(min(k, n)):
        weight = vote(distance[order[place], column])
        votes += weight
        s = m_store[index[order[place]]]
        if s >= 0 and slot[s] >= 0:
            out[slot[s], at] += weight
    if votes > 0:
        for c in range(len(out)):
            out[c, at] /= votes


@fused_inlined
def _take_distances(
    index: I32, distance: F32, column: int, order: I32, n: int, m_store: I32, slot: I32, count: I32, out: F32, at: int
) -> None:
    """The least distance and the mean of the three least, into two columns of the candidates."""
    count[:] = 0
    out[:, at] = np.nan
    out[:, at + 1] = np.nan
    for place in range(n):
        s = m_store[index[order[place]]]
        if s < 0 or slot[s] < 0:
            continue
        c = slot[s]
        if count[c] >= 3:
            continue
        d = distance[order[place], column]
        if count[c] == 0:
            out[c, at] = d
            out[c, at + 1] = d
        else:
            out[c, at + 1] += (d - out[c, at + 1]) / np.float32(count[c] + 1)
        count[c] += 1


@inlined
def _behind_least(out: F32, n: int, column: int, to: int) -> None:
    least = np.float32(np.inf)
    for c in range(n):
        least = min(least, out[c, column])
    for c in range(n):
        out[c, to] = out[c, column] - least


@inlined
def _behind_most(out: F32, n: int, column: int, to: int) -> None:
    most = np.float32(-np.inf)
    for c in range(n):
        most = max(most, out[c, column])
    for c in range(n):
        out[c, to] = out[c, column] - most


class PairArrays(NamedTuple):
    """What the features look at of a venue's stores and survey.

    Args:
        exposure: (n_stores,) survey scans of each store.
        cell: (n_transmitters, n_stores, 8) bytes, see ``MEAN_AT``.
        expected_indptr, expected, expected_mean, expected_rate: store -> transmitters that most of its scans hear, with
            two of their cell's bytes.
        centre_xy_m, store_level: of each store's survey scans; NaN and -1 where it has none.
        is_beacon: (n_transmitters,) 1 for Bluetooth.
        columns: those of the distances by powed 1.6, rank and relative.
        m_store, m_level: (n_map,) of the survey scans; ``n_levels`` of the radio map.
        dbm, fade: power and freshness of each entry of ``SurveyArrays``, in steps of ``DB_STEP`` below 0 dBm and of
            ``SHARE_STEP``.
    """

    exposure: F32
    cell: U8
    expected_indptr: I64
    expected: I32
    expected_mean: U8
    expected_rate: U8
    centre_xy_m: F64
    store_level: I32
    is_beacon: U8
    columns: I32
    m_store: I32
    m_level: I32
    n_levels: int
    dbm: U8
    fade: U8


@fused_inlined
def _measure_offset_free(
    heard: F32, index: I32, n: int, rank: F32, survey: SurveyArrays, stores: PairArrays, out: F32
) -> None:
    """Distance without the phones' offsets: the root mean square of the differences from their mean, over 12 dB, and
    the rank-weighted distance, which tells how much is heard by both at all.

    ``heard`` (n_transmitters, 2) are the scan's powers and freshness.
    """
    for c in range(n):
        first, end = survey.indptr[index[c]], survey.indptr[index[c] + 1]
        transmitter, dbm, fade = survey.transmitter[first:end], stores.dbm[first:end], stores.fade[first:end]
        count, total, squares = np.float32(0.0), np.float32(0.0), np.float32(0.0)
        for at in range(len(transmitter)):
            t = np.uint64(transmitter[at])
            weight = heard[t, 1] * np.float32(fade[at])
            d = heard[t, 0] + DB_STEP * np.float32(dbm[at])
            count += weight
            total += weight * d
            squares += weight * d * d
        count, total, squares = SHARE_STEP * count, SHARE_STEP * total, SHARE_STEP * squares
        if count < np.float32(0.1):
            out[c, 0] = np.float32(3.0)
            continue
        variance = np.maximum(squares - total * total / (count + 0.5), 0.0)
        out[c, 0] = np.float32(np.sqrt((variance + 16.0) / (count + 1.0)) / _OFFSET_SCALE_DB) + rank[c]


@inlined
def _order_pairs(heard_dbm: F32, out_louder: U8, out_fainter: U8) -> int:
    """The pairs of readings that are 6 dB and more apart; how many there are."""
    n = 0
    for j in range(len(heard_dbm)):
        for k in range(j + 1, len(heard_dbm)):
            if abs(heard_dbm[j] - heard_dbm[k]) >= _ORDERED_SCAN_DB:
                is_louder = heard_dbm[j] > heard_dbm[k]
                out_louder[n] = j if is_louder else k
                out_fainter[n] = k if is_louder else j
                n += 1
    return n


@fused
def describe_pairs(  # noqa: PLR0912, PLR0915  one pass over flat arrays, in the order of the columns
    store: I32,
    n_described: I32,
    likelihood: F32,
    offset_db: F32,
    bayes: F32,
    index: I32,
    distance: F32,
    survey: SurveyArrays,
    stores: PairArrays,
    b_indptr: I64,
    b_transmitter: I32,
    b_dbm: F32,
    b_age_ms: F32,
    asked: Weighed,
    connected: I32,
    place_xy_m: F64,
    place_level: I32,
    spread_m: F64,
    front_store: I32,
    front_m: F64,
    out: F32,
) -> None:
    """Fill (n, 12, 74) features of each scan's first ``n_described`` candidates, zero for the others.

    Args:
        bayes: (n, 2) of ``choose_candidates``.
        b_*: all readings of the scans; ``asked`` the heaviest of them, heaviest first.
        connected: (n,) the transmitter a phone is associated with, -1 for none known.
        front_*: (n, n_fronts) stores round the place and their signed distances; no columns without a map.
    """
    q_indptr, q_transmitter = asked.indptr, asked.transmitter
    cell, exposure, is_beacon = stores.cell, stores.exposure, stores.is_beacon
    e_indptr, e_transmitter = stores.expected_indptr, stores.expected
    centre_xy_m, store_level, columns = stores.centre_xy_m, stores.store_level, stores.columns
    m_store, m_level = stores.m_store, stores.m_level
    n_stores = likelihood.shape[1]
    n_candidates = out.shape[1]
    n_short = index.shape[1]
    heard = np.zeros((len(is_beacon), 2), dtype=np.float32)
    heard[:, 0] = _NOT_HEARD_DBM
    slot = np.full(n_stores, -1, dtype=np.int32)
    order = np.empty(n_short, dtype=np.int32)
    to_sort = np.empty(room_to_sort(n_short), dtype=np.float32)
    to_sort_near = np.empty(_MOST_NEIGHBOURS, dtype=np.float32)
    count = np.empty(n_candidates, dtype=np.int32)
    free = np.empty((n_short, 1), dtype=np.float32)
    rank = np.empty(n_short, dtype=np.float32)
    near = np.full(_MOST_NEIGHBOURS + 1, -1, dtype=np.int32)
    away = np.empty((_MOST_NEIGHBOURS, 3), dtype=np.float32)
    level_votes = np.empty(stores.n_levels, dtype=np.float32)
    heard_dbm = np.empty(_MOST_READINGS, dtype=np.float32)
    fresh = np.empty(_MOST_READINGS, dtype=np.float32)
    there_dbm = np.empty(_N_ORDERED, dtype=np.float32)
    is_there = np.empty(_N_ORDERED, dtype=np.float32)
    louder = np.empty(_N_ORDERED * (_N_ORDERED - 1) // 2, dtype=np.uint8)
    fainter = np.empty(_N_ORDERED * (_N_ORDERED - 1) // 2, dtype=np.uint8)
    zero, one = np.float32(0.0), np.float32(1.0)
    for i in range(len(store)):
        n = n_described[i]
        for c in range(n):
            slot[store[i, c]] = c
        out[i, :n, :] = np.nan
        out[i, n:, :] = np.float32(0.0)
        age, n_aged = 0.0, 0
        for j in range(b_indptr[i], b_indptr[i + 1]):
            heard[b_transmitter[j], 0] = b_dbm[j]
            if not np.isnan(b_age_ms[j]):
                age += b_age_ms[j] / 1000.0
                n_aged += 1
        for j in range(q_indptr[i], q_indptr[i + 1]):
            heard[q_transmitter[j], 1] = asked.fade[j]
        # naive Bayes
        best, total = bayes[i, 0], bayes[i, 1]
        for c in range(n):
            behind = TEMPER * (best - likelihood[i, store[i, c]])
            out[i, c, NB_BEHIND] = behind
            out[i, c, NB_SHARE] = np.exp(-behind) / total
            out[i, c, OFFSET] = offset_db[i, store[i, c]]
        # neighbours
        n_near = min(sort_neighbours(index[i], distance[i], columns[0], to_sort, order), _MOST_NEIGHBOURS)
        for place in range(n_near):
            near[place] = index[i, order[place]]
            for r in range(3):
                away[place, r] = distance[i, order[place], columns[r]]
            order[place] = place
        near[n_near:] = -1
        _take_votes(near, away, 0, order, n_near, 1, m_store, slot, out[i, :n], VOTES)
        _take_votes(near, away, 0, order, n_near, 5, m_store, slot, out[i, :n], VOTES + 1)
        _take_votes(near, away, 0, order, n_near, 10, m_store, slot, out[i, :n], VOTES + 2)
        _take_votes(near, away, 0, order, n_near, 20, m_store, slot, out[i, :n], VOTES + 3)
        _take_distances(near, away, 0, order, n_near, m_store, slot, count, out[i, :n], DISTANCES)
        _behind_least(out[i], n, DISTANCES, DISTANCES + 2)
        _behind_least(out[i], n, DISTANCES + 1, DISTANCES + 3)
        for column in (1, 2):
            sort_neighbours(near, away, column, to_sort_near, order)
            _take_votes(near, away, column, order, n_near, 10, m_store, slot, out[i, :n], VOTES + 3 + column)
            _take_distances(near, away, column, order, n_near, m_store, slot, count, out[i, :n], DISTANCES + 6)
            _behind_least(out[i], n, DISTANCES + 6, DISTANCES + 3 + column)
        for c in range(n_near):
            rank[c] = away[c, 1]
        _measure_offset_free(heard, near, n_near, rank, survey, stores, free)
        sort_neighbours(near, free, 0, to_sort_near, order)
        _take_votes(near, free, 0, order, n_near, 5, m_store, slot, out[i, :n], VOTES + 6)
        _take_votes(near, free, 0, order, n_near, 10, m_store, slot, out[i, :n], VOTES + 7)
        _take_distances(near, free, 0, order, n_near, m_store, slot, count, out[i, :n], DISTANCES + 6)
        _behind_least(out[i], n, DISTANCES + 6, DISTANCES + 8)
        _behind_least(out[i], n, DISTANCES + 7, DISTANCES + 9)
        level_votes[:] = np.float32(0.0)
        votes = np.float32(0.0)
        for place in range(min(10, n_near)):
            weight = vote(free[order[place], 0])
            votes += weight
            level_votes[m_level[near[order[place]]]] += weight
        # readings
        start = q_indptr[i]
        n_heard = min(q_indptr[i + 1] - start, _MOST_READINGS)
        n_known = q_indptr[i + 1] - start
        decay = np.float32(1.0)
        for j in range(n_heard):
            t = np.uint64(q_transmitter[start + j])
            heard_dbm[j] = heard[t, 0]
            fresh[j] = decay * heard[t, 1]
            decay *= np.float32(1.0 - _RANK_DECAY)
        n_pairs = _order_pairs(heard_dbm[: min(n_heard, _N_ORDERED)], louder, fainter)
        for c in range(n):
            here = np.uint64(store[i, c])  # unsigned: a signed index is first checked for counting from the end
            delta = offset_db[i, here]
            overlap, weighted, top3, top10, rates = zero, zero, zero, zero, zero
            weights, residuals, squares, above, beacons, n_beacons = zero, zero, zero, zero, zero, 0
            for j in range(n_heard):
                t = np.uint64(q_transmitter[start + j])
                known = cell[t, here]
                share = SHARE_STEP * np.float32(known[SHARE_AT])
                rate = SHARE_STEP * np.float32(known[RATE_AT])
                is_seen = known[HIGHEST_AT] != NEVER_HEARD
                r = heard_dbm[j] - delta + DB_STEP * np.float32(known[MEAN_AT])
                above_db = heard_dbm[j] - delta + DB_STEP * np.float32(known[HIGHEST_AT])
                seen = fresh[j] if is_seen else zero
                overlap += one if known[RATE_AT] >= _HEARD_RATE else zero
                weighted += fresh[j] * share
                rates += fresh[j] * rate
                weights += seen
                residuals += seen * r
                squares += seen * r * r
                above += one if is_seen and above_db > _ABOVE_DB else zero
                if j < 10:
                    top10 += share
                    top3 += share if j < 3 else zero
                if is_beacon[t] != 0:
                    beacons += share
                    n_beacons += 1
                if j < _N_ORDERED:
                    there_dbm[j] = -DB_STEP * np.float32(known[MEAN_AT])
                    is_there[j] = one if is_seen else zero
                if j < _N_STRONGEST:
                    to = STRONGEST + _PER_STRONGEST * j
                    out[i, c, to] = rate
                    out[i, c, to + 1] = share
                    if is_seen:
                        out[i, c, to + 2] = r
                        out[i, c, to + 3] = above_db
                    out[i, c, to + 4] = SHARE_STEP * np.float32(known[TOP_SHARE_AT])
            agree, pairs = zero, zero
            for at in range(n_pairs):
                both = is_there[louder[at]] * is_there[fainter[at]]
                there = there_dbm[louder[at]] - there_dbm[fainter[at]]
                pairs += both
                agree += both if there >= _ORDERED_STORE_DB else zero
                agree -= both if there <= -_ORDERED_STORE_DB else zero
            missing = zero
            for at in range(e_indptr[here], e_indptr[here + np.uint64(1)]):
                there = delta - DB_STEP * np.float32(stores.expected_mean[at])
                is_missing = heard[np.uint64(e_transmitter[at]), 0] == _NOT_HEARD_DBM and there > _EXPECTED_DBM
                missing += SHARE_STEP * np.float32(stores.expected_rate[at]) if is_missing else zero
            out[i, c, OVERLAP] = overlap / np.float32(n_heard + 1)
            out[i, c, SHARES] = weighted
            out[i, c, SHARES + 1] = top3
            out[i, c, SHARES + 2] = top10
            out[i, c, RATE] = rates
            if weights > 0:
                out[i, c, RESIDUAL] = residuals / weights
                out[i, c, RMS] = np.sqrt(squares / weights)
            out[i, c, ABOVE] = above
            out[i, c, ORDER] = agree / (pairs + one)
            out[i, c, N_PAIRS] = pairs
            if n_beacons > 0:
                out[i, c, BEACONS] = beacons
            out[i, c, MISSING] = missing
            out[i, c, EXPOSURE] = np.log(exposure[here] + 1.0)
            out[i, c, N_HEARD] = n_known
            if connected[i] >= 0:
                out[i, c, CONNECTED_RATE] = SHARE_STEP * np.float32(cell[connected[i], here, RATE_AT])
                out[i, c, CONNECTED_SHARE] = SHARE_STEP * np.float32(cell[connected[i], here, SHARE_AT])
            if n_aged > 0:
                out[i, c, AGE_S] = age / n_aged
            # place
            dx = place_xy_m[i, 0] - centre_xy_m[here, 0]
            dy = place_xy_m[i, 1] - centre_xy_m[here, 1]
            is_same = store_level[here] >= 0 and store_level[here] == place_level[i]
            out[i, c, SAME_LEVEL] = 1.0 if is_same else 0.0
            if is_same:
                out[i, c, CENTRE_M] = np.sqrt(dx * dx + dy * dy)
            out[i, c, SPREAD_M] = spread_m[i]
            if votes > 0 and store_level[here] >= 0:
                out[i, c, LEVEL_VOTES] = level_votes[store_level[here]] / votes
        for f in range(front_store.shape[1]):
            s = front_store[i, f]
            if s >= 0 and slot[s] >= 0:
                out[i, slot[s], FRONT_M] = front_m[i, f]
        _behind_least(out[i], n, CENTRE_M, CENTRE_BEHIND_M)
        _behind_least(out[i], n, FRONT_M, FRONT_BEHIND_M)
        _behind_most(out[i], n, OVERLAP, BEHIND)
        _behind_most(out[i], n, SHARES, BEHIND + 1)
        _behind_most(out[i], n, SHARES + 1, BEHIND + 2)
        _behind_most(out[i], n, SHARES + 2, BEHIND + 3)
        _behind_most(out[i], n, RATE, BEHIND + 4)
        for c in range(n):
            out[i, c, BEHIND + 5] = abs(out[i, c, RESIDUAL])
        _behind_least(out[i], n, BEHIND + 5, BEHIND + 5)
        _behind_least(out[i], n, RMS, BEHIND + 6)
        _behind_most(out[i], n, ORDER, BEHIND + 7)
        _behind_least(out[i], n, MISSING, BEHIND + 8)
        for c in range(n):
            row = out[i, c]
            for f in range(N_PAIR_FEATURES):
                row[f] = row[f] if abs(row[f]) < np.float32(np.inf) else _FILL[f]
        for c in range(n):
            slot[store[i, c]] = -1
        for j in range(b_indptr[i], b_indptr[i + 1]):
            heard[b_transmitter[j], 0] = _NOT_HEARD_DBM
            heard[b_transmitter[j], 1] = np.float32(0.0)
