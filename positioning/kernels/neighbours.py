"""The nearest survey scans by Sørensen distance, through an inverted index.

With a = weighed readings of the scan, r = those of a survey scan (``representation.py``):
d = 1 - 2 sum_b min(a_b, r_b) / (sum a + sum r), in [0, 1]; transmitters that only one of the two hears count in the
sums alone, so nothing is filled in. A survey scan of an earlier epoch knows nothing of transmitters born later: they
are left out of the scan's sum (``epochs.py``).
"""

import numpy as np
from numba import njit

from positioning.kernels.weigh import N_WEIGHTS
from positioning.radio_map import F32, I32, I64

_GROUPS_PER_KEPT = 2
"""Groups of survey scans whose best scores bound what can be kept, for each place. With two, half the groups hold a
scan above the bound, 0.69 each if scores were in random order: hardly more than are kept."""

_CHUNK = 64


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def find_neighbours(
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
    m_first: I64,
    cover: float,
    out_index: I32,
    out_distance: F32,
) -> None:
    """Fill each query's nearest survey scans in every representation's Sørensen distance.

    Two steps. The heaviest readings that make up ``cover`` of the scan's weight in the first representation are
    matched against all survey scans through the postings; the best ``n_short`` are then measured with every reading
    in every representation.

    Scans and transmitters are indexed as unsigned numbers: a signed index is first checked for counting from the end,
    which took two fifths of the time.

    Args:
        q_*: the scans as CSR (``representation.Weighed``), entries heaviest first; ``q_total`` (n, n_epochs, 4) as of
            ``epochs.totals_by_epoch``; ``q_walk`` (n,) forbids survey scans of that walk, -1 forbids none.
        p_*: transmitter -> (survey scan, weight) as CSR, in the first representation.
        m_*: the survey scans, likewise, and their walks; ``m_first`` (n_epochs + 1,) where each epoch begins.
        out_index: (n, n_short), filled in the order of survey scans' indices; -1 fills what is left.
        out_distance: (n, n_short, n_representations); 1 fills what is left.
    """
    n_map = len(m_total)
    n_epochs = len(m_first) - 1
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
        total = q_total[i, n_epochs - 1, 0]
        size = 0
        if total > 0:
            overlap[:] = np.float32(0.0)
            used = np.float32(0.0)
            for j in range(start, stop):
                if used >= np.float32(cover) * total:
                    break
                weight = q_weight[j, 0]
                used += weight
                first, end = p_indptr[q_transmitter[j]], p_indptr[q_transmitter[j] + 1]
                scans, others = p_scan[first:end], p_weight[first:end]
                for at in range(len(scans)):
                    other = others[at]
                    overlap[np.uint64(scans[at])] += weight if weight < other else other
            size = _keep_best(overlap, survey_total, q_total[i], m_first, m_walk, q_walk[i], kept, kept_score)
            kept[:size].sort()
        for j in range(start, stop):
            for r in range(N_WEIGHTS):
                heard[q_transmitter[j], r] = q_weight[j, r]
        epoch = 0
        for c in range(size):
            out_index[i, c] = kept[c]
            while kept[c] >= m_first[epoch + 1]:
                epoch += 1
            first, end = m_indptr[kept[c]], m_indptr[kept[c] + 1]
            _measure(heard, m_transmitter[first:end], m_weight[first:end], shared)
            for r in range(n_representations):
                both = q_total[i, epoch, r] + m_total[kept[c], r]
                out_distance[i, c, r] = np.float32(1.0) - np.float32(2.0) * shared[r] / both
        out_index[i, size:] = -1
        out_distance[i, size:, :] = np.float32(1.0)
        for j in range(start, stop):
            for r in range(N_WEIGHTS):
                heard[q_transmitter[j], r] = np.float32(0.0)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _measure(heard: F32, transmitter: I32, weight: F32, out: F32) -> None:
    """Sum the smaller of both weights in each column. Four named sums stay in registers, an array would not."""
    sum0, sum1, sum2, sum3 = np.float32(0.0), np.float32(0.0), np.float32(0.0), np.float32(0.0)
    for at in range(len(transmitter)):
        t = np.uint64(transmitter[at])
        sum0 += heard[t, 0] if heard[t, 0] < weight[at, 0] else weight[at, 0]
        sum1 += heard[t, 1] if heard[t, 1] < weight[at, 1] else weight[at, 1]
        sum2 += heard[t, 2] if heard[t, 2] < weight[at, 2] else weight[at, 2]
        sum3 += heard[t, 3] if heard[t, 3] < weight[at, 3] else weight[at, 3]
    out[0], out[1], out[2], out[3] = sum0, sum1, sum2, sum3


@njit(cache=True, nogil=True, error_model="numpy")
def _keep_best(  # noqa: PLR0912  one pass over flat arrays
    overlap: F32,
    survey_total: F32,
    totals: F32,
    m_first: I64,
    m_walk: I32,
    walk: int,
    kept: I32,
    kept_score: F32,
) -> int:
    """Keep the survey scans of greatest overlap / (sum of totals); ``overlap`` is overwritten.

    The n-th greatest of the groups' maxima bounds what can be kept, so that few scans reach the heap (whose root is
    the worst kept). Scores are compared through their bits, which order as the numbers do where none is negative:
    integer maxima are vectorised, those of floats, for NaN's sake, are not.
    """
    n_map = len(overlap)
    for epoch in range(len(m_first) - 1):
        total = totals[epoch, 0]
        for s in range(m_first[epoch], m_first[epoch + 1]):
            overlap[s] /= total + survey_total[s]
    if walk >= 0:
        for s in range(n_map):
            if m_walk[s] == walk:
                overlap[s] = np.float32(0.0)
    bits = overlap.view(np.int32)
    n_groups = _GROUPS_PER_KEPT * len(kept)
    highest = np.zeros(n_groups, dtype=np.int32)
    for first in range(0, n_map, n_groups):
        part = bits[first : first + n_groups]
        so_far = highest[: len(part)]  # equal lengths, so that the loop needs no checks and is vectorised
        for g in range(len(part)):
            so_far[g] = part[g] if part[g] > so_far[g] else so_far[g]
    highest.sort()
    least = max(np.int32(1), highest[n_groups - len(kept)])
    size = 0
    for first in range(0, n_map, _CHUNK):
        part = bits[first : first + _CHUNK]
        n_above = 0
        for at in range(len(part)):  # counted first, since that is vectorised and most chunks hold none
            n_above += part[at] >= least
        if n_above == 0:
            continue
        for s in range(first, first + len(part)):
            if bits[s] < least:
                continue
            if size < len(kept):
                size += 1
                _sift_up(kept, kept_score, size - 1, s, overlap[s])
            elif overlap[s] > kept_score[0]:
                _sift_down(kept, kept_score, size, s, overlap[s])
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
