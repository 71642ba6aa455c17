"""From neighbours, naive Bayes and the place to candidate stores, and how many of them are worth a closer look."""

import numpy as np

from kernel.compiled import compiled_in_place, fused, fused_inlined, inlined
from positioning.kernels.stores import NEVER
from positioning.radio_map import F32, F64, I32

TEMPER = np.float32(0.35)
"""Exponent of the naive Bayes likelihood: readings of one scan are far from independent (research, section 2)."""
_EPSILON = 1e-4
_NOTHING = np.float32(-200.0)
"""e to an eighth of it is nothing beside 1."""
_FRONT_WEIGHT = np.float32(0.1)
_FRONT_SCALE_M = 4.0
_LEAST_DESCRIBED = 4
MOST_DESCRIBED = 12
"""Candidates of a scan that are described and ranked: those with more than a hundredth of the best one's score, 4 at
least. The true store is among them nearly always (docs, "The full locator")."""
_FAR_M = 300.0
_WORTH_A_LOOK = np.float32(0.01)
"""Of the best candidate's score. On a simulated mall 4.6 candidates a scan are then described, which hold the true
store for 99.95 % of 4,096 scans; a thousandth has 6.1 and all, and ranks no scan otherwise first."""


@fused
def choose_candidates(  # noqa: PLR0912, PLR0915  one pass over flat arrays
    likelihood: F32,
    index: I32,
    distance: F32,
    m_store: I32,
    front_store: I32,
    front_m: F64,
    out_store: I32,
    out_score: F32,
    out_described: I32,
    out_bayes: F32,
) -> None:
    """The stores that naive Bayes, neighbours and the place think of, best first; -1 where there are fewer.

    ``out_described`` (n,) counts those that are worth describing, at most 12; ``out_bayes`` (n, 2) is
    the best likelihood L and the sum of e^(0.35 (L - best)) over all stores.

    Score: softmax(0.35 L) + mean of the vote shares of k = 10 and 20 + 0.15 (1 - mean of the three least distances)
    + 0.001 softmax(0.35 L / 8) + 0.1 e^(-m / 4), m the metres from the place to the front: the survey may have
    reached no scan before it.
    """
    n_stores = likelihood.shape[1]
    n_wanted = out_store.shape[1]
    score = np.empty(n_stores, dtype=np.float32)
    order = np.empty(index.shape[1], dtype=np.int32)
    to_sort = np.empty(room_to_sort(index.shape[1]), dtype=np.float32)
    count = np.zeros(n_stores, dtype=np.int32)
    total = np.zeros(n_stores, dtype=np.float32)
    for i in range(len(index)):
        best = NEVER
        for s in range(n_stores):
            best = max(best, likelihood[i, s])
        sharp, flat = np.float32(0.0), np.float32(0.0)
        for s in range(n_stores):
            behind = TEMPER * (likelihood[i, s] - best)
            score[s] = np.float32(0.0)
            if behind > _NOTHING:
                eighth = np.exp(behind / np.float32(8.0))
                flat += eighth
                square = eighth * eighth
                square *= square
                score[s] = eighth
                sharp += square * square
        out_bayes[i, 0] = best
        out_bayes[i, 1] = sharp
        for s in range(n_stores):
            eighth = score[s]
            square = eighth * eighth
            square *= square
            score[s] = square * square / sharp + np.float32(0.001) * eighth / flat
        for f in range(front_store.shape[1]):
            s = front_store[i, f]
            if s >= 0:
                score[s] += _FRONT_WEIGHT * np.float32(np.exp(-max(front_m[i, f], 0.0) / _FRONT_SCALE_M))
        n = sort_neighbours(index[i], distance[i], 0, to_sort, order)
        for k in (10, 20):
            votes = np.float32(0.0)
            for place in range(min(k, n)):
                votes += vote(distance[i, order[place], 0])
            for place in range(min(k, n)):
                s = m_store[index[i, order[place]]]
                if s >= 0:
                    score[s] += np.float32(0.5) * vote(distance[i, order[place], 0]) / votes
        for place in range(n):
            s = m_store[index[i, order[place]]]
            if s >= 0 and count[s] < 3:
                count[s] += 1
                total[s] += np.float32(1.0) - distance[i, order[place], 0]
        for place in range(n):
            s = m_store[index[i, order[place]]]
            if s >= 0 and count[s] > 0:
                score[s] += np.float32(0.15) * total[s] / np.float32(3.0)
                count[s] = 0
                total[s] = np.float32(0.0)
        filled = 0
        for s in range(n_stores):
            if score[s] <= 0 or (filled == n_wanted and score[s] <= out_score[i, n_wanted - 1]):
                continue
            at = filled if filled < n_wanted else n_wanted - 1
            while at > 0 and out_score[i, at - 1] < score[s]:
                out_score[i, at] = out_score[i, at - 1]
                out_store[i, at] = out_store[i, at - 1]
                at -= 1
            out_score[i, at] = score[s]
            out_store[i, at] = s
            filled = min(filled + 1, n_wanted)
        out_store[i, filled:] = -1
        out_score[i, filled:] = np.float32(0.0)
        n = min(_LEAST_DESCRIBED, filled)
        while n < min(MOST_DESCRIBED, filled) and out_score[i, n] >= _WORTH_A_LOOK * out_score[i, 0]:
            n += 1
        out_described[i] = n


@compiled_in_place
def find_front_m(store: I32, front_store: I32, front_m: F64, out_m: F64) -> None:
    """The candidates' signed distances from the place, of the stores round it; 300 where it is none of them."""
    for i in range(len(store)):
        for c in range(store.shape[1]):
            out_m[i, c] = _FAR_M
            for f in range(front_store.shape[1]):
                if store[i, c] == front_store[i, f]:
                    out_m[i, c] = min(out_m[i, c], front_m[i, f])


@inlined
def vote(distance: float) -> np.float32:
    """What a neighbour's vote weighs."""
    weight: np.float32 = np.float32(1.0 / (distance * distance + _EPSILON))
    return weight


@fused_inlined
def sort_neighbours(index: I32, distance: F32, column: int, room: F32, out_order: I32) -> int:
    """The places of a shortlist by one representation's distance, nearest first; how many there are.

    A place's rank is the number of lesser distances, which is counted several at once: no comparison's outcome need be
    foretold, and for 48 that is twice as fast as sorting by insertion. Of equals the first comes first.

    Args:
        room: as long as ``room_to_sort`` says.
    """
    n = 0
    while n < len(index) and index[n] >= 0:
        room[n] = distance[n, column]
        out_order[n] = -1
        n += 1
    for at in range(n, len(room)):
        room[at] = np.float32(np.inf)
    for i in range(n):
        d = room[i]
        rank = np.int32(0)
        for at in range(len(room)):
            rank = np.int32(rank + np.int32(room[at] < d))
        while rank < n - 1 and out_order[rank] >= 0:
            rank += np.int32(1)
        out_order[rank] = i
    return n


@inlined
def room_to_sort(n_short: int) -> int:
    """Numbers that ``sort_neighbours`` looks at: what is not of 32 would be looked at one by one."""
    return (n_short + 31) // 32 * 32
