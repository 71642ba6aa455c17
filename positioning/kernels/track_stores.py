"""The filters over a venue's stores and over being inside any, and the two joined with the place."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from positioning.radio_map import F64, I32
from positioning.track.settings import (
    ANYWHERE_RATIO,
    DWELL_S,
    FRONT_FLOOR,
    INSIDE_S,
    INSIDE_TEMPER,
    LEAST_ODDS,
    LEAST_PROBABILITY,
    OUTSIDE_S,
    STORE_TEMPER,
)


@njit(cache=True, nogil=True)
def advance_inside(has_before: bool, before: float, wait_s: float, in_store: float) -> float:
    """The probability of being inside any store, from the one before and a scan's; two states, exponential stays."""
    often = INSIDE_S / (INSIDE_S + OUTSIDE_S)
    expected = 0.5
    if has_before:
        expected = often + (before - often) * np.exp(-wait_s * (1.0 / INSIDE_S + 1.0 / OUTSIDE_S))
    told = min(max(in_store, LEAST_ODDS), 1.0 - LEAST_ODDS)
    odds = np.log(expected / (1.0 - expected)) + INSIDE_TEMPER * np.log(told / (1.0 - told))
    inside: float = 1.0 / (1.0 + np.exp(-odds))
    return inside


@njit(cache=True, nogil=True)
def advance_stores(
    has_before: bool,
    wait_s: float,
    near: I32,
    near_share: F64,
    told_store: I32,
    told: F64,
    store: I32,
    probability: F64,
    rest: F64,
    out: F64,
) -> None:
    """One step of the hidden Markov model over a venue's stores.

    Args:
        near, near_share: (n_stores, n_near): where one goes from a store (-1 none), shares that sum to 1.
        told_store, told: (n_candidates,) the scan's candidates, -1 for none.
        store, probability, rest: (n_kept,), (n_kept,), (1,) the belief before; the belief after is left there.
        out: (n_stores,) the whole belief after.
    """
    n_stores = len(out)
    out[:] = 1.0 / n_stores
    if has_before:
        n_kept = 0
        for k in range(len(store)):
            n_kept += store[k] >= 0
        stay = np.exp(-wait_s / DWELL_S)
        spread = rest[0] / max(n_stores - n_kept, 1) + (1.0 - stay) * ANYWHERE_RATIO * (1.0 - rest[0]) / n_stores
        out[:] = spread
        for k in range(n_kept):
            s = store[k]
            out[s] += stay * probability[k] - rest[0] / max(n_stores - n_kept, 1)
            gone = (1.0 - stay) * (1.0 - ANYWHERE_RATIO) * probability[k]
            for c in range(near.shape[1]):
                if near[s, c] < 0:
                    break
                out[near[s, c]] += gone * near_share[s, c]
    nothing = LEAST_PROBABILITY**STORE_TEMPER
    for c in range(len(told_store)):
        if told_store[c] >= 0:
            out[told_store[c]] *= (told[c] + LEAST_PROBABILITY) ** STORE_TEMPER / nothing
    out /= out.sum()
    order = np.argsort(-out)
    kept = 0.0
    for k in range(len(store)):
        if k < n_stores:
            store[k] = order[k]
            probability[k] = out[order[k]]
            kept += out[order[k]]
        else:
            store[k] = -1
            probability[k] = 0.0
    rest[0] = max(1.0 - kept, 0.0)


@njit(cache=True, nogil=True)
def weigh_fronts(  # noqa: PLR0912  one pass over flat arrays
    front: I32, distance_m: F64, accuracy_m: float, weights: F64, told_store: I32, told: F64, out: F64
) -> None:
    """The stores round a place by their distances and by what the scan itself said: ``out`` (n_stores,) sums to 1.

    ``front`` and ``distance_m`` (n_candidates,) are ``FrontTable.measure``'s; all zero where there is none.
    """
    out[:] = 0.0
    least_m = np.inf
    nearest = -1
    for c in range(len(front)):
        if front[c] >= 0 and distance_m[c] < least_m:
            least_m = distance_m[c]
            nearest = c
    if nearest < 0:
        return
    for c in range(len(told_store)):
        if told_store[c] >= 0:
            out[told_store[c]] = told[c]
    score = np.full(len(front), -np.inf)
    highest = -np.inf
    for c in range(len(front)):
        if front[c] < 0:
            continue
        behind = (max(distance_m[c], 0.0) - max(least_m, 0.0)) / accuracy_m
        score[c] = (
            weights[0] * (c == nearest)
            + weights[1] * behind
            + weights[2] * np.sqrt(behind)
            + weights[3] * np.log(out[front[c]] + FRONT_FLOOR)
        )
        highest = max(highest, score[c])
    for c in range(len(told_store)):
        if told_store[c] >= 0:
            out[told_store[c]] = 0.0
    total = 0.0
    for c in range(len(front)):
        if front[c] >= 0:
            total += np.exp(score[c] - highest)
    for c in range(len(front)):
        if front[c] >= 0:
            out[front[c]] = np.exp(score[c] - highest) / total


@njit(cache=True, nogil=True)
def join_stores(
    is_new: NDArray[np.bool_],
    wait_s: F64,
    near: I32,
    near_share: F64,
    told_store: I32,
    told: F64,
    in_store: F64,
    front: I32,
    distance_m: F64,
    accuracy_m: F64,
    weights: F64,
    store: I32,
    probability: F64,
    rest: F64,
    inside: F64,
    out_store: I32,
    out_probability: F64,
) -> None:
    """Advance n phones' stores in place, and rank the candidates of each answer.

    A phone inside is where the filter over stores says, one between them before the store that its place says; where
    inside is unknown (``in_store`` NaN) the place decides.
    """
    n_stores = len(near)
    belief, fronts = np.empty(n_stores), np.empty(n_stores)
    for i in range(len(wait_s)):
        weigh_fronts(front[i], distance_m[i], accuracy_m[i], weights[i], told_store[i], told[i], fronts)
        if np.isnan(in_store[i]):
            belief[:] = fronts
        else:
            has_before = not is_new[i] and store[i, 0] >= 0
            inside[i] = advance_inside(has_before, inside[i], wait_s[i], in_store[i])
            advance_stores(
                has_before,
                wait_s[i],
                near,
                near_share,
                told_store[i],
                told[i],
                store[i],
                probability[i],
                rest[i : i + 1],
                belief,
            )
            for s in range(n_stores):
                belief[s] = inside[i] * belief[s] + (1.0 - inside[i]) * fronts[s]
        order = np.argsort(-belief)
        total = 0.0
        n = min(out_store.shape[1], n_stores)
        for c in range(n):
            total += belief[order[c]]
        for c in range(out_store.shape[1]):
            if c < n and belief[order[c]] > 0.0:
                out_store[i, c] = order[c]
                out_probability[i, c] = belief[order[c]] / total
            else:
                out_store[i, c] = -1
                out_probability[i, c] = 0.0
