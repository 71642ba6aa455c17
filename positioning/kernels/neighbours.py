"""The nearest survey scans by Sørensen distance, through an inverted index.

With a = weighed readings of the scan, r = those of a survey scan (``representation.py``):
d = 1 - 2 sum_b min(a_b, r_b) / (sum a + sum r), in [0, 1]; transmitters that only one of the two hears count in the
sums alone, so nothing is filled in.
"""

import numpy as np
from numba import njit

from positioning.radio_map import F32, I32, I64


@njit(cache=True, nogil=True, fastmath={"contract"})
def find_neighbours(  # noqa: PLR0912  one pass over flat arrays
    q_indptr: I64,
    q_transmitter: I32,
    q_power: F32,
    q_walk: I32,
    p_indptr: I64,
    p_scan: I32,
    p_power: F32,
    m_indptr: I64,
    m_transmitter: I32,
    m_power: F32,
    m_sum: F32,
    m_walk: I32,
    cover: float,
    out_index: I32,
    out_distance: F32,
) -> None:
    """Fill each query's nearest survey scans in every representation's Sørensen distance.

    Two steps. The strongest readings that make up ``cover`` of the scan's power in the first representation are
    matched against all survey scans through the postings; the best ``n_short`` are then measured with every reading
    in every representation.

    Args:
        q_*: the scans as CSR; ``q_power`` (n_entries, n_representations); ``q_walk`` (n,) forbids survey scans of
            that walk, -1 forbids none.
        p_*: transmitter -> (survey scan, power) as CSR, in the first representation.
        m_*: survey scan -> (transmitter, powers) as CSR, with its power sums and walk.
        out_index: (n, n_short), filled in the order of survey scans' indices; -1 fills what is left.
        out_distance: (n, n_short, n_representations); 1 fills what is left.
    """
    n_queries = len(q_indptr) - 1
    n_map = len(m_sum)
    n_transmitters = len(p_indptr) - 1
    n_short = out_index.shape[1]
    n_representations = q_power.shape[1]
    overlap = np.zeros(n_map, dtype=np.float32)
    heard = np.zeros((n_transmitters, n_representations), dtype=np.float32)
    total = np.zeros(n_representations, dtype=np.float32)
    shared = np.zeros(n_representations, dtype=np.float32)
    kept = np.empty(n_short, dtype=np.int32)
    kept_score = np.empty(n_short, dtype=np.float32)
    for i in range(n_queries):
        start, stop = q_indptr[i], q_indptr[i + 1]
        out_index[i, :] = -1
        out_distance[i, :, :] = np.float32(1.0)
        total[:] = np.float32(0.0)
        for j in range(start, stop):
            for r in range(n_representations):
                total[r] += q_power[j, r]
        if total[0] <= 0:
            continue
        overlap[:] = np.float32(0.0)
        used = np.float32(0.0)
        order = np.argsort(-q_power[start:stop, 0])
        for rank in range(stop - start):
            if used >= np.float32(cover) * total[0]:
                break
            j = start + order[rank]
            power = q_power[j, 0]
            used += power
            for at in range(p_indptr[q_transmitter[j]], p_indptr[q_transmitter[j] + 1]):
                overlap[p_scan[at]] += min(power, p_power[at])
        # the n_short best by a heap whose root is the worst kept
        size = 0
        walk = q_walk[i]
        for s in range(n_map):
            if overlap[s] <= 0:
                continue
            score = overlap[s] / (total[0] + m_sum[s, 0])
            if size == n_short and score <= kept_score[0]:
                continue
            if walk >= 0 and m_walk[s] == walk:
                continue
            if size < n_short:
                size += 1
                _sift_up(kept, kept_score, size - 1, s, score)
            else:
                _sift_down(kept, kept_score, size, s, score)
        kept[:size].sort()
        for j in range(start, stop):
            for r in range(n_representations):
                heard[q_transmitter[j], r] = q_power[j, r]
        for c in range(size):
            s = kept[c]
            shared[:] = np.float32(0.0)
            for at in range(m_indptr[s], m_indptr[s + 1]):
                for r in range(n_representations):
                    shared[r] += min(heard[m_transmitter[at], r], m_power[at, r])
            out_index[i, c] = s
            for r in range(n_representations):
                out_distance[i, c, r] = np.float32(1.0) - np.float32(2.0) * shared[r] / (total[r] + m_sum[s, r])
        for j in range(start, stop):
            heard[q_transmitter[j], :] = np.float32(0.0)


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
