"""From neighbours to votes, a level and a place."""

from typing import NamedTuple

import numpy as np
from numba import njit

from positioning.kernels.weigh import mean_strongest
from positioning.radio_map import F32, F64, I32, I64

_EPSILON = 1e-4
"""Added to d^2 in votes, so that a survey scan equal to the query weighs much, not infinitely (research, section 2)."""
_LEAST_SHARE = 0.05
"""Added to a building's share of the votes: how far votes alone may speak against it."""


class PlaceArrays(NamedTuple):
    """How neighbours vote (``model.Settings``), where the survey's scans are, and the levels' buildings."""

    k: int
    weight_power: float
    use_median: bool
    m_level: I32
    m_xy_m: F64
    building: I32


class SettledArrays(NamedTuple):
    """Level and place of n scans, as of ``locate.Settled``; ``weight`` (n, n_short) is each neighbour's vote."""

    level: I32
    level_share: F32
    xy_m: F64
    spread_m: F64
    nearest: F64
    strongest_dbm: F32
    n_known: I32
    weight: F32


@njit(cache=True, nogil=True)
def make_settled(n: int, n_short: int) -> SettledArrays:
    """Room for n scans."""
    return SettledArrays(
        np.empty(n, dtype=np.int32),
        np.empty(n, dtype=np.float32),
        np.empty((n, 2), dtype=np.float64),
        np.empty(n, dtype=np.float64),
        np.empty(n, dtype=np.float64),
        np.empty(n, dtype=np.float32),
        np.empty(n, dtype=np.int32),
        np.empty((n, n_short), dtype=np.float32),
    )


@njit(cache=True, nogil=True)
def settle_scans(
    indptr: I64, rssi_dbm: F32, index: I32, distance: F32, places: PlaceArrays, evidence: F32, out: SettledArrays
) -> None:
    """Votes of the neighbours, then the building and the level, then the place on it.

    Args:
        distance: (n, n_short, n_representations) of those that vote.
        evidence: (n, n_buildings) of ``hear_buildings``.
    """
    mean_strongest(indptr, rssi_dbm, out.strongest_dbm)
    weigh_neighbours(index, distance, places.k, places.weight_power, out.weight)
    vote_levels(index, out.weight, places.m_level, places.building, evidence, out.level, out.level_share)
    find_places(index, out.weight, out.level, places.m_level, places.m_xy_m, places.use_median, out.xy_m, out.spread_m)
    for i in range(len(index)):
        out.n_known[i] = indptr[i + 1] - indptr[i]
        total = 0.0
        for r in range(distance.shape[2]):
            least = np.inf
            for c in range(distance.shape[1]):
                least = min(least, distance[i, c, r])
            total += least
        out.nearest[i] = total / distance.shape[2]


@njit(cache=True, nogil=True)
def hear_buildings(indptr: I64, transmitter: I32, evidence: F32, out: F32) -> None:
    """(n, n_buildings): the evidence (n_transmitters, n_buildings) of all that each scan hears; zeros for one."""
    for i in range(len(out)):
        out[i, :] = np.float32(0.0)
        if out.shape[1] > 1:
            for j in range(indptr[i], indptr[i + 1]):
                out[i] += evidence[transmitter[j]]


@njit(cache=True, nogil=True)
def weigh_neighbours(index: I32, distance: F32, k: int, weight_power: float, out_weight: F32) -> None:
    """Each survey scan's share of the vote: the mean over representations of its share among the k nearest there.

    ``out_weight`` (n, n_short) sums to 1 a scan, or to 0 where there is no neighbour. Within a representation a
    neighbour weighs 1 / d^p; ties at place k go to the smaller index.
    """
    n_short = index.shape[1]
    n_representations = distance.shape[2]
    nearest = np.empty(k, dtype=np.int32)
    for i in range(index.shape[0]):
        out_weight[i, :] = np.float32(0.0)
        n = 0
        while n < n_short and index[i, n] >= 0:
            n += 1
        if n == 0:
            continue
        for r in range(n_representations):
            filled = 0
            for c in range(n):
                d = distance[i, c, r]
                if filled == k and d >= distance[i, nearest[k - 1], r]:
                    continue
                at = filled if filled < k else k - 1
                while at > 0 and distance[i, nearest[at - 1], r] > d:
                    nearest[at] = nearest[at - 1]
                    at -= 1
                nearest[at] = c
                if filled < k:
                    filled += 1
            total = 0.0
            for place in range(filled):
                total += _weight(distance[i, nearest[place], r], weight_power)
            for place in range(filled):
                weight = _weight(distance[i, nearest[place], r], weight_power)
                out_weight[i, nearest[place]] += np.float32(weight / total / n_representations)


@njit(cache=True, nogil=True)
def vote_levels(
    index: I32, weight: F32, m_level: I32, building: I32, evidence: F32, out_level: I32, out_share: F32
) -> None:
    """The level with the largest sum of weights in the likeliest building, and its share of all weights.

    The building is settled first, by ln(its share + 0.05) and ``evidence`` (n, n_buildings), ``buildings.py``;
    ``building`` (n_levels,) numbers the levels' buildings. The level is -1 where there is no neighbour.
    """
    n_levels = len(building)
    votes = np.zeros(n_levels, dtype=np.float64)
    of_building = np.zeros(evidence.shape[1], dtype=np.float64)
    for i in range(index.shape[0]):
        votes[:] = 0.0
        of_building[:] = 0.0
        total = 0.0
        for c in range(index.shape[1]):
            if index[i, c] < 0:
                break
            level = m_level[index[i, c]]
            votes[level] += weight[i, c]
            of_building[building[level]] += weight[i, c]
            total += weight[i, c]
        if total <= 0:
            out_level[i] = -1
            out_share[i] = 0.0
            continue
        likeliest = 0
        most = -np.inf
        for b in range(len(of_building)):
            score = np.log(of_building[b] / total + _LEAST_SHARE) + evidence[i, b]
            if of_building[b] > 0 and score > most:
                likeliest = b
                most = score
        best = -1
        for level in range(n_levels):
            if building[level] == likeliest and (best < 0 or votes[level] > votes[best]):
                best = level
        out_level[i] = best
        out_share[i] = votes[best] / total


@njit(cache=True, nogil=True)
def find_places(
    index: I32,
    weight: F32,
    level: I32,
    m_level: I32,
    m_xy_m: F64,
    use_median: bool,
    out_xy_m: F64,
    out_spread_m: F64,
) -> None:
    """The weighted mean, or geometric median, of the neighbours on the chosen level; NaN where there is none.

    ``out_spread_m`` is their weighted mean distance from the place: how far the neighbours disagree.
    """
    n_short = index.shape[1]
    x = np.empty(n_short, dtype=np.float64)
    y = np.empty(n_short, dtype=np.float64)
    w = np.empty(n_short, dtype=np.float64)
    for i in range(index.shape[0]):
        n = 0
        total = 0.0
        px = 0.0
        py = 0.0
        for c in range(n_short):
            s = index[i, c]
            if s < 0:
                break
            if weight[i, c] > 0 and m_level[s] == level[i]:
                x[n] = m_xy_m[s, 0]
                y[n] = m_xy_m[s, 1]
                w[n] = weight[i, c]
                total += w[n]
                px += w[n] * x[n]
                py += w[n] * y[n]
                n += 1
        if n == 0:
            out_xy_m[i, :] = np.nan
            out_spread_m[i] = np.nan
            continue
        px /= total
        py /= total
        if use_median and n > 2:
            px, py = _geometric_median(x, y, w, n, px, py)
        spread = 0.0
        for c in range(n):
            spread += w[c] * np.sqrt((x[c] - px) ** 2 + (y[c] - py) ** 2)
        out_xy_m[i, 0] = px
        out_xy_m[i, 1] = py
        out_spread_m[i] = spread / total


@njit(cache=True, nogil=True)
def _geometric_median(x: F64, y: F64, w: F64, n: int, px: float, py: float) -> tuple[float, float]:
    """Weiszfeld's iteration (Tohoku Math. J. 43, 1937), softened by 0.1 m so that it cannot stick at a point."""
    for _ in range(30):
        total = 0.0
        sx = 0.0
        sy = 0.0
        for c in range(n):
            pull = w[c] / np.sqrt((x[c] - px) ** 2 + (y[c] - py) ** 2 + 0.01)
            total += pull
            sx += pull * x[c]
            sy += pull * y[c]
        moved = abs(sx / total - px) + abs(sy / total - py)
        px = sx / total
        py = sy / total
        if moved < 0.02:
            break
    return px, py


@njit(cache=True, nogil=True, inline="always")
def _weight(distance: float, weight_power: float) -> float:
    """1 / d^p, bounded near d = 0."""
    squared: float = distance * distance + _EPSILON
    if weight_power == 2.0:
        return 1.0 / squared
    weight: float = squared ** (-0.5 * weight_power)
    return weight
