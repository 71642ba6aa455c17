"""The nearest survey scans by Sørensen distance, through an inverted index.

With a = weighed readings of the scan, r = those of a survey scan (``representation.py``):
d = 1 - 2 sum_b min(a_b, r_b) / (sum a + sum r), in [0, 1]; transmitters that only one of the two hears count in the
sums alone, so nothing is filled in.
"""

import numpy as np
from numba import njit

from positioning.kernels.weigh import N_WEIGHTS
from positioning.radio_map import F32, I32, I64

_BLOCK = 64
"""Survey scans whose scores are looked through at once; most blocks hold none that could be kept."""


@njit(cache=True, nogil=True, fastmath={"contract"})
def find_neighbours(  # noqa: PLR0912  one pass over flat arrays
    q_indptr: I64,
    q_transmitter: I32,
    q_weight: F32,
    q_total: F32,
    q_walk: I32,
    p_indptr: I64,
    p_scan: I32,
    p_weight: F32,
    m_indptr: I64,
    m_transmitter: I32,
    m_weight: F32,
    m_total: F32,
    m_walk: I32,
    cover: float,
    out_index: I32,
    out_distance: F32,
) -> None:
    """Fill each query's nearest survey scans in every representation's Sørensen distance.

    Two steps. The heaviest readings that make up ``cover`` of the scan's weight in the first representation are
    matched against all survey scans through the postings; the best ``n_short`` are then measured with every reading
    in every representation.

    Args:
        q_*: the scans as CSR (``representation.Weighed``), entries heaviest first; ``q_walk`` (n,) forbids survey
            scans of that walk, -1 forbids none.
        p_*: transmitter -> (survey scan, weight) as CSR, in the first representation.
        m_*: the survey scans, likewise, and their walks.
        out_index: (n, n_short), filled in the order of survey scans' indices; -1 fills what is left.
        out_distance: (n, n_short, n_representations); 1 fills what is left.
    """
    n_map = len(m_total)
    n_short = out_index.shape[1]
    n_representations = out_distance.shape[2]
    overlap = np.zeros(n_map, dtype=np.float32)
    survey_total = m_total[:, 0].copy()
    heard = np.zeros((len(p_indptr) - 1, N_WEIGHTS), dtype=np.float32)
    shared = np.zeros(N_WEIGHTS, dtype=np.float32)
    kept = np.empty(n_short, dtype=np.int32)
    kept_score = np.empty(n_short, dtype=np.float32)
    for i in range(len(q_indptr) - 1):
        start, stop = q_indptr[i], q_indptr[i + 1]
        total = q_total[i, 0]
        size = 0
        if total > 0:
            overlap[:] = np.float32(0.0)
            used = np.float32(0.0)
            for j in range(start, stop):
                if used >= np.float32(cover) * total:
                    break
                weight = q_weight[j, 0]
                used += weight
                for at in range(p_indptr[q_transmitter[j]], p_indptr[q_transmitter[j] + 1]):
                    overlap[p_scan[at]] += min(weight, p_weight[at])
            size = _keep_best(overlap, survey_total, total, m_walk, q_walk[i], kept, kept_score)
            kept[:size].sort()
        for j in range(start, stop):
            for r in range(N_WEIGHTS):
                heard[q_transmitter[j], r] = q_weight[j, r]
        for c in range(size):
            s = kept[c]
            shared[:] = np.float32(0.0)
            for at in range(m_indptr[s], m_indptr[s + 1]):
                for r in range(N_WEIGHTS):
                    shared[r] += min(heard[m_transmitter[at], r], m_weight[at, r])
            out_index[i, c] = s
            for r in range(n_representations):
                out_distance[i, c, r] = np.float32(1.0) - np.float32(2.0) * shared[r] / (q_total[i, r] + m_total[s, r])
        out_index[i, size:] = -1
        out_distance[i, size:, :] = np.float32(1.0)
        for j in range(start, stop):
            for r in range(N_WEIGHTS):
                heard[q_transmitter[j], r] = np.float32(0.0)


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _any_above(overlap: F32, survey_total: F32, total: float, least: float, start: int, stop: int) -> bool:
    """Whether any of a block scores above ``least``: counted without division or branch, eight at a time."""
    above = np.int32(0)
    for s in range(start, stop):
        above += np.int32(1) if overlap[s] > least * (total + survey_total[s]) else np.int32(0)
    return bool(above > 0)


@njit(cache=True, nogil=True)
def _keep_best(
    overlap: F32, survey_total: F32, total: float, m_walk: I32, walk: int, kept: I32, kept_score: F32
) -> int:
    """Keep the survey scans of greatest overlap / (sum of totals), by a heap whose root is the worst kept."""
    n_map = len(overlap)
    size = 0
    for block in range(0, n_map, _BLOCK):
        least = float(kept_score[0]) if size == len(kept) else 0.0
        if block + _BLOCK <= n_map and not _any_above(overlap, survey_total, total, least, block, block + _BLOCK):
            continue
        until = min(block + _BLOCK, n_map)
        for s in range(block, until):
            if overlap[s] <= 0:
                continue
            score = overlap[s] / (total + survey_total[s])
            if size == len(kept) and score <= kept_score[0]:
                continue
            if walk >= 0 and m_walk[s] == walk:
                continue
            if size < len(kept):
                size += 1
                _sift_up(kept, kept_score, size - 1, s, score)
            else:
                _sift_down(kept, kept_score, size, s, score)
    return size


@njit(cache=True, nogil=True, inline="always")
def _sift_up(items: I32, scores: F32, at: int, item: int, score: float) -> None:
    while at > 0:
        parent = (at - 1) // 2
        if scores[parent] <= score:
            break
        items[at] = items[parent]
        scores[at] = scores[parent]
        at = parent
    items[at] = item
    scores[at] = score


@njit(cache=True, nogil=True, inline="always")
def _sift_down(items: I32, scores: F32, size: int, item: int, score: float) -> None:
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and scores[child + 1] < scores[child]:
            child += 1
        if scores[child] >= score:
            break
        items[at] = items[child]
        scores[at] = scores[child]
        at = child
    items[at] = item
    scores[at] = score
