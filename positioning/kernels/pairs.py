"""What is known of each scan and candidate store together.

One kernel for training and serving: what the ranker learns from is what it is asked with. The columns are named in
``positioning/pairs.py``; where a value does not exist, the column's own filler stands.
"""

import numpy as np
from numba import njit

from positioning.kernels.candidates import TEMPER, sort_neighbours, vote
from positioning.kernels.stores import DB_STEP, NEVER, NEVER_HEARD, SHARE_STEP
from positioning.radio_map import F32, F64, I32, I64, U8

_LITTLE = np.float32(-20.0)
_RANK_DECAY = 0.15
_MOST_READINGS = 40
"""A scan's heaviest readings that the pair features look at; the weight of the next is under 0.3 %."""
_MOST_NEIGHBOURS = 32
"""Of the shortlist, by the first distance: more than any vote counts."""
_N_ORDERED = 12
_ORDERED_SCAN_DB = 6.0
_ORDERED_STORE_DB = 2.0
MEAN_AT, RATE_AT, SHARE_AT, TOP_SHARE_AT, HIGHEST_AT = range(5)
"""The columns of a transmitter and store's ``cell``: side by side, since they are looked at together."""
N_CELL = 8
"""Three more than are used, so that no cell lies across two cache lines."""
_HEARD_RATE = np.uint8(13)
"""5 %, in steps of ``SHARE_STEP``."""
_EXPECTED_DBM = -82.0
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


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
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


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
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


@njit(cache=True, nogil=True, inline="always")
def _behind_least(out: F32, n: int, column: int, to: int) -> None:
    least = np.float32(np.inf)
    for c in range(n):
        least = min(least, out[c, column])
    for c in range(n):
        out[c, to] = out[c, column] - least


@njit(cache=True, nogil=True, inline="always")
def _behind_most(out: F32, n: int, column: int, to: int) -> None:
    most = np.float32(-np.inf)
    for c in range(n):
        most = max(most, out[c, column])
    for c in range(n):
        out[c, to] = out[c, column] - most


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def _measure_offset_free(
    heard_dbm: F32,
    fade: F32,
    index: I32,
    n: int,
    rank: F32,
    m_indptr: I64,
    m_transmitter: I32,
    m_dbm: F32,
    m_fade: F32,
    out: F32,
) -> None:
    """Distance without the phones' offsets: the root mean square of the differences from their mean, over 12 dB, and
    the rank-weighted distance, which tells how much is heard by both at all."""
    for c in range(n):
        count, total, squares = np.float32(0.0), np.float32(0.0), np.float32(0.0)
        for at in range(m_indptr[index[c]], m_indptr[index[c] + 1]):
            t = np.uint64(m_transmitter[at])
            weight = fade[t] * m_fade[at]
            d = heard_dbm[t] - m_dbm[at]
            count += weight
            total += weight * d
            squares += weight * d * d
        if count < np.float32(0.1):
            out[c, 0] = np.float32(3.0)
            continue
        variance = np.maximum(squares - total * total / (count + 0.5), 0.0)
        out[c, 0] = np.float32(np.sqrt((variance + 16.0) / (count + 1.0)) / _OFFSET_SCALE_DB) + rank[c]


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def describe_pairs(  # noqa: PLR0912, PLR0915  one pass over flat arrays, in the order of the columns
    store: I32,
    n_described: I32,
    likelihood: F32,
    offset_db: F32,
    index: I32,
    distance: F32,
    columns: I32,
    m_store: I32,
    m_level: I32,
    m_indptr: I64,
    m_transmitter: I32,
    m_dbm: F32,
    m_fade: F32,
    b_indptr: I64,
    b_transmitter: I32,
    b_dbm: F32,
    b_age_ms: F32,
    q_indptr: I64,
    q_transmitter: I32,
    rate_per_ms: float,
    is_beacon: I32,
    cell: U8,
    exposure: F32,
    e_indptr: I64,
    e_transmitter: I32,
    connected: I32,
    place_xy_m: F64,
    place_level: I32,
    spread_m: F64,
    centre_xy_m: F64,
    store_level: I32,
    front_store: I32,
    front_m: F64,
    out: F32,
) -> None:
    """Fill (n, 12, 74) features of each scan's first ``n_described`` candidates, zero for the others.

    Args:
        columns: which of the distances' columns are powed 1.6, rank and relative.
        b_*: all readings of the scans; q_*: the heaviest of them, heaviest first.
        cell: (n_transmitters, n_stores, 8) bytes, see ``MEAN_AT``.
        e_*: store -> transmitters that most of its scans hear.
        connected: (n,) the transmitter a phone is associated with, -1 for none known.
        front_*: (n, n_fronts) stores round the place and their signed distances; no columns without a map.
    """
    n_stores = likelihood.shape[1]
    n_candidates = out.shape[1]
    n_short = index.shape[1]
    n_levels = 0
    for s in range(len(store_level)):
        n_levels = max(n_levels, store_level[s] + 1)
    for s in range(len(m_level)):
        n_levels = max(n_levels, m_level[s] + 1)
    heard_dbm = np.full(len(is_beacon), np.float32(-1000.0), dtype=np.float32)
    fade = np.zeros(len(is_beacon), dtype=np.float32)
    slot = np.full(n_stores, -1, dtype=np.int32)
    order = np.empty(n_short, dtype=np.int32)
    count = np.empty(n_candidates, dtype=np.int32)
    free = np.empty((n_short, 1), dtype=np.float32)
    rank = np.empty(n_short, dtype=np.float32)
    near = np.full(_MOST_NEIGHBOURS + 1, -1, dtype=np.int32)
    away = np.empty((_MOST_NEIGHBOURS, 3), dtype=np.float32)
    level_votes = np.empty(max(n_levels, 1), dtype=np.float32)
    here_dbm = np.empty(_N_ORDERED, dtype=np.float32)
    there_dbm = np.empty(_N_ORDERED, dtype=np.float32)
    for i in range(len(store)):
        n = n_described[i]
        for c in range(n):
            slot[store[i, c]] = c
        out[i, :n, :] = np.nan
        out[i, n:, :] = np.float32(0.0)
        age, n_aged = 0.0, 0
        for j in range(b_indptr[i], b_indptr[i + 1]):
            heard_dbm[b_transmitter[j]] = b_dbm[j]
            fade[b_transmitter[j]] = np.float32(1.0)
            if not np.isnan(b_age_ms[j]):
                age += b_age_ms[j] / 1000.0
                n_aged += 1
                if rate_per_ms > 0:
                    fade[b_transmitter[j]] = np.float32(np.exp(-rate_per_ms * b_age_ms[j]))
        # naive Bayes
        best, total = NEVER, np.float32(0.0)
        for s in range(n_stores):
            best = max(best, likelihood[i, s])
        for s in range(n_stores):
            behind = TEMPER * (likelihood[i, s] - best)
            if behind > _LITTLE:
                total += np.exp(behind)
        for c in range(n):
            behind = TEMPER * (best - likelihood[i, store[i, c]])
            out[i, c, NB_BEHIND] = behind
            out[i, c, NB_SHARE] = np.exp(-behind) / total
            out[i, c, OFFSET] = offset_db[i, store[i, c]]
        # neighbours
        n_near = min(sort_neighbours(index[i], distance[i], columns[0], order), _MOST_NEIGHBOURS)
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
            sort_neighbours(near, away, column, order)
            _take_votes(near, away, column, order, n_near, 10, m_store, slot, out[i, :n], VOTES + 3 + column)
            _take_distances(near, away, column, order, n_near, m_store, slot, count, out[i, :n], DISTANCES + 6)
            _behind_least(out[i], n, DISTANCES + 6, DISTANCES + 3 + column)
        for c in range(n_near):
            rank[c] = away[c, 1]
        _measure_offset_free(heard_dbm, fade, near, n_near, rank, m_indptr, m_transmitter, m_dbm, m_fade, free)
        sort_neighbours(near, free, 0, order)
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
        for c in range(n):
            here = np.uint64(store[i, c])  # unsigned: a signed index is first checked for counting from the end
            delta = offset_db[i, here]
            overlap, weighted, top3, top10, rates = 0.0, 0.0, 0.0, 0.0, 0.0
            weights, residuals, squares, above, beacons, n_beacons = 0.0, 0.0, 0.0, 0.0, 0.0, 0
            decay = 1.0
            for j in range(n_heard):
                t = np.uint64(q_transmitter[start + j])
                fresh = decay * fade[t]
                x = heard_dbm[t] - delta
                known = cell[t, here]
                share = SHARE_STEP * known[SHARE_AT]
                rate = SHARE_STEP * known[RATE_AT]
                if known[RATE_AT] >= _HEARD_RATE:
                    overlap += 1.0
                weighted += fresh * share
                rates += fresh * rate
                if j < 3:
                    top3 += share
                if j < 10:
                    top10 += share
                if is_beacon[t] != 0:
                    beacons += share
                    n_beacons += 1
                is_seen = known[HIGHEST_AT] != NEVER_HEARD
                r = x + DB_STEP * known[MEAN_AT]
                above_db = x + DB_STEP * known[HIGHEST_AT]
                if is_seen:
                    weights += fresh
                    residuals += fresh * r
                    squares += fresh * r * r
                    if above_db > 3.0:
                        above += 1.0
                if j < _N_STRONGEST:
                    to = STRONGEST + _PER_STRONGEST * j
                    out[i, c, to] = rate
                    out[i, c, to + 1] = share
                    if is_seen:
                        out[i, c, to + 2] = r
                        out[i, c, to + 3] = above_db
                    out[i, c, to + 4] = SHARE_STEP * known[TOP_SHARE_AT]
                decay *= 1.0 - _RANK_DECAY
            agree, pairs = 0.0, 0.0
            n_ordered = 0
            for j in range(min(n_heard, _N_ORDERED)):
                t = np.uint64(q_transmitter[start + j])
                if cell[t, here, HIGHEST_AT] != NEVER_HEARD:
                    here_dbm[n_ordered] = heard_dbm[t]
                    there_dbm[n_ordered] = -DB_STEP * cell[t, here, MEAN_AT]
                    n_ordered += 1
            for j in range(n_ordered):
                for k in range(j + 1, n_ordered):
                    apart = here_dbm[j] - here_dbm[k]
                    if abs(apart) < _ORDERED_SCAN_DB:
                        continue
                    there = there_dbm[j] - there_dbm[k]
                    if apart < 0:
                        there = -there
                    pairs += 1.0
                    if there >= _ORDERED_STORE_DB:
                        agree += 1.0
                    elif there <= -_ORDERED_STORE_DB:
                        agree -= 1.0
            missing = 0.0
            for at in range(e_indptr[store[i, c]], e_indptr[store[i, c] + 1]):
                t = np.uint64(e_transmitter[at])
                there = delta - DB_STEP * cell[t, here, MEAN_AT]
                if heard_dbm[t] < np.float32(-500.0) and there > _EXPECTED_DBM:
                    missing += SHARE_STEP * cell[t, here, RATE_AT]
            out[i, c, OVERLAP] = overlap / (n_heard + 1.0)
            out[i, c, SHARES] = weighted
            out[i, c, SHARES + 1] = top3
            out[i, c, SHARES + 2] = top10
            out[i, c, RATE] = rates
            if weights > 0:
                out[i, c, RESIDUAL] = residuals / weights
                out[i, c, RMS] = np.sqrt(squares / weights)
            out[i, c, ABOVE] = above
            out[i, c, ORDER] = agree / (pairs + 1.0)
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
            for f in range(N_PAIR_FEATURES):
                if not np.isfinite(out[i, c, f]):
                    out[i, c, f] = _FILL[f]
        for c in range(n):
            slot[store[i, c]] = -1
        for j in range(b_indptr[i], b_indptr[i + 1]):
            heard_dbm[b_transmitter[j]] = np.float32(-1000.0)
            fade[b_transmitter[j]] = np.float32(0.0)
