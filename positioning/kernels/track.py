"""The Kalman filter of a phone's place, and the filters over stores and over being inside. One record a phone."""

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
    LEAST_ACCURACY_M,
    LEAST_ODDS,
    LEAST_PROBABILITY,
    OUTSIDE_S,
    STORE_TEMPER,
    Motion,
)

_WIDE_M2 = 1e4
"""Variance of a place before the first answer: 100 m, so that the answer alone counts."""


@njit(cache=True, nogil=True)
def begin_place(motion: Motion, has_steps: bool, keeps_gait: bool, mean: F64, covariance: F64) -> None:
    """Forget where the phone was; ``keeps_gait`` leaves step length and heading bias, which are the phone's own."""
    for i in range(6):
        for j in range(6):
            if not (keeps_gait and 2 <= i < 4 and 2 <= j < 4):
                covariance[i, j] = 0.0
    mean[0] = mean[1] = mean[4] = mean[5] = 0.0
    covariance[0, 0] = covariance[1, 1] = _WIDE_M2
    covariance[4, 4] = covariance[5, 5] = 1.0
    if not keeps_gait:
        begin_gait(motion, has_steps, mean, covariance)


@njit(cache=True, nogil=True)
def begin_gait(motion: Motion, has_steps: bool, mean: F64, covariance: F64) -> None:
    """The middle step (or standing), unrelated to all else."""
    for j in range(6):
        covariance[2, j] = covariance[3, j] = covariance[j, 2] = covariance[j, 3] = 0.0
    mean[3] = 0.0
    if has_steps:
        mean[2] = motion.length_m
        covariance[2, 2] = motion.length_sd_m**2
        covariance[3, 3] = motion.aside_sd_m**2
    else:
        mean[2] = 0.0
        covariance[2, 2] = covariance[3, 3] = motion.speed_mps**2


@njit(cache=True, nogil=True)
def fill_transition(
    motion: Motion, has_steps: bool, wait_s: float, east: float, north: float, n_steps: float, out: F64, noise: F64
) -> None:
    """The linear motion over ``wait_s``: ``out`` (6, 6) and its ``noise`` (6, 6).

    ``east`` and ``north`` are the sums of the steps' unit vectors. A step that goes a metres forward and b metres aside
    (to the right) of a heading h moves a (sin h, cos h) + b (cos h, -sin h): linear in a and b.
    """
    out[:, :] = 0.0
    noise[:, :] = 0.0
    for i in range(6):
        out[i, i] = 1.0
    shared = np.exp(-wait_s / motion.error_s)
    out[4, 4] = out[5, 5] = shared
    noise[4, 4] = noise[5, 5] = 1.0 - shared * shared
    noise[0, 0] = noise[1, 1] = motion.wander_m2ps * wait_s
    if has_steps:
        out[0, 2] = east
        out[0, 3] = north
        out[1, 2] = north
        out[1, 3] = -east
        length = np.hypot(east, north)
        if length > 0.0:
            along, across = motion.along_m2 * n_steps, motion.across_m2 * n_steps
            x, y = east / length, north / length
            noise[0, 0] += along * x * x + across * y * y
            noise[1, 1] += along * y * y + across * x * x
            noise[0, 1] = noise[1, 0] = (along - across) * x * y
    else:
        kept = np.exp(-wait_s / motion.speed_s)
        out[0, 2] = out[1, 3] = motion.speed_s * (1.0 - kept)
        out[2, 2] = out[3, 3] = kept
        noise[2, 2] = noise[3, 3] = motion.speed_mps**2 * (1.0 - kept * kept)


@njit(cache=True, nogil=True)
def predict_place(transition: F64, noise: F64, mean: F64, covariance: F64) -> None:
    """Move the state on: mean F m, covariance F C F' + Q."""
    moved = np.zeros(6)
    half = np.zeros((6, 6))
    for i in range(6):
        for k in range(6):
            if transition[i, k] != 0.0:
                moved[i] += transition[i, k] * mean[k]
                for j in range(6):
                    half[i, j] += transition[i, k] * covariance[k, j]
    mean[:] = moved
    for i in range(6):
        for j in range(6):
            total = noise[i, j]
            for k in range(6):
                if transition[j, k] != 0.0:
                    total += half[i, k] * transition[j, k]
            covariance[i, j] = total


@njit(cache=True, nogil=True)
def take_answer(motion: Motion, x_m: float, y_m: float, accuracy_m: float, mean: F64, covariance: F64) -> None:
    """Take a scan's answer: place + shared error + its own error, an outlier's variance raised.

    An answer whose squared distance from what was expected is d2 (in variances) counts as (f + 2) / (f + d2) of itself,
    f = ``heavy_tail``: the weight of a Student t error (Lange, Little, Taylor, "Robust statistical modeling using the t
    distribution", 1989).
    """
    sd_m = max(accuracy_m, LEAST_ACCURACY_M) * motion.sd_ratio
    shared_m = np.sqrt(motion.shared_ratio) * sd_m
    own_m2 = (1.0 - motion.shared_ratio) * sd_m * sd_m
    cross = np.empty((6, 2))
    for i in range(6):
        cross[i, 0] = covariance[i, 0] + shared_m * covariance[i, 4]
        cross[i, 1] = covariance[i, 1] + shared_m * covariance[i, 5]
    xx = cross[0, 0] + shared_m * cross[4, 0] + own_m2
    yy = cross[1, 1] + shared_m * cross[5, 1] + own_m2
    xy = cross[0, 1] + shared_m * cross[4, 1]
    off_x = x_m - mean[0] - shared_m * mean[4]
    off_y = y_m - mean[1] - shared_m * mean[5]
    squared = (off_x * off_x * yy - 2.0 * off_x * off_y * xy + off_y * off_y * xx) / (xx * yy - xy * xy)
    weight = (motion.heavy_tail + 2.0) / (motion.heavy_tail + squared)
    if weight < 1.0:
        added_m2 = (1.0 / weight - 1.0) * sd_m * sd_m * motion.outlier_ratio
        xx += added_m2
        yy += added_m2
    determinant = xx * yy - xy * xy
    for i in range(6):
        gain_x = (cross[i, 0] * yy - cross[i, 1] * xy) / determinant
        gain_y = (cross[i, 1] * xx - cross[i, 0] * xy) / determinant
        mean[i] += gain_x * off_x + gain_y * off_y
        for j in range(6):
            covariance[i, j] -= gain_x * cross[j, 0] + gain_y * cross[j, 1]


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
def weigh_fronts(
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
def advance_places(
    with_steps: Motion,
    without_steps: Motion,
    is_new: NDArray[np.bool_],
    keeps_gait: NDArray[np.bool_],
    had_steps: NDArray[np.bool_],
    has_steps: NDArray[np.bool_],
    wait_s: F64,
    walked: F64,
    n_steps: F64,
    xy_m: F64,
    accuracy_m: F64,
    mean: F64,
    covariance: F64,
) -> None:
    """Advance n phones' places in place; rows of ``xy_m`` that are NaN move on without an answer."""
    transition, noise = np.empty((6, 6)), np.empty((6, 6))
    for i in range(len(wait_s)):
        motion = with_steps if has_steps[i] else without_steps
        if is_new[i]:
            begin_place(motion, has_steps[i], keeps_gait[i] and had_steps[i] == has_steps[i], mean[i], covariance[i])
        else:
            if had_steps[i] != has_steps[i]:
                begin_gait(motion, has_steps[i], mean[i], covariance[i])
            fill_transition(motion, has_steps[i], wait_s[i], walked[i, 0], walked[i, 1], n_steps[i], transition, noise)
            predict_place(transition, noise, mean[i], covariance[i])
        if not np.isnan(xy_m[i, 0]):
            take_answer(motion, xy_m[i, 0], xy_m[i, 1], accuracy_m[i], mean[i], covariance[i])


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
