"""What an answer is worth, row by row: features, and sums of them by weights that ``calibrate.py`` fitted.

Every sum goes over its features in their order, so that the same scan gets the same answer in any batch. Training and
serving both come here.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from positioning.radio_map import F32, F64, I32, U8

N_ANSWER_FEATURES = 5
_LEAST_ACCURACY_M = 0.5
_UNKNOWN_SPREAD_M = 50.0
_LEAST_DENSITY = 3e-4
"""Log odds of the density inside end at 8 either way: the logistic sees no outliers."""
_LEAST_PROBABILITY = 5e-4
"""Candidates under it are left out of an answer, the first always kept; the rest are scaled to sum to 1."""


class CalibrationArrays(NamedTuple):
    """``model.Calibration`` for the kernels; ``outside`` and ``rank`` are empty where nothing was fitted."""

    error: F64
    error_scale: float
    level: F64
    front: F64
    inside: F64
    inside_threshold: float
    set_threshold: float
    walkway_set_threshold: float
    outside: F64
    rank: F64
    rank_set_threshold: float
    rank_walkway_set_threshold: float


@njit(cache=True, nogil=True, error_model="numpy")
def describe_answers(spread_m: F64, nearest: F64, level_share: F32, n_known: I32, out: F64) -> None:
    """(n, 5) features of an answer: constant, ln spread, nearest distance, level share, ln known readings."""
    for i in range(len(spread_m)):
        spread = spread_m[i] if np.isfinite(spread_m[i]) else _UNKNOWN_SPREAD_M
        out[i, 0] = 1.0
        out[i, 1] = np.log(spread + 0.5)
        out[i, 2] = nearest[i]
        out[i, 3] = level_share[i]
        out[i, 4] = np.log(n_known[i] + 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def sum_rows(feature: F64, weights: F64, out: F64) -> None:
    """The weighted sum of each row's features, added in the order of the weights."""
    for i in range(len(feature)):
        total = 0.0
        for f in range(len(weights)):
            total += feature[i, f] * weights[f]
        out[i] = total


@njit(cache=True, nogil=True, error_model="numpy")
def predict_errors(feature: F64, weights: F64, scale: float, out_m: F64) -> None:
    """The error of such answers in metres, the typical one times ``scale``."""
    sum_rows(feature, weights, out_m)
    for i in range(len(out_m)):
        out_m[i] = max(np.exp(out_m[i]), _LEAST_ACCURACY_M) * scale


@njit(cache=True, nogil=True, error_model="numpy")
def logistic_rows(feature: F64, weights: F64, out: F64) -> None:
    """The probability that a logistic model gives to each row."""
    sum_rows(feature, weights, out)
    for i in range(len(out)):
        out[i] = 1.0 / (1.0 + np.exp(-min(max(out[i], -30.0), 30.0)))


@njit(cache=True, nogil=True, error_model="numpy")
def describe_inside_rows(nearest_front_m: F64, inside_share: F64, inside_odds: F64, accuracy_m: F64, out: F64) -> None:
    """Features of "inside any store" (n, 6 + 2 n_representations), see ``confidence.describe_inside``."""
    n_shares = inside_share.shape[1]
    for i in range(len(nearest_front_m)):
        away_m = nearest_front_m[i] if np.isfinite(nearest_front_m[i]) else 1e3
        ratio = min(max(away_m / accuracy_m[i], -4.0), 4.0)
        votes = min(max(inside_share[i, 0], 0.01), 0.99)
        out[i, 0] = 1.0
        out[i, 1] = np.log(votes / (1.0 - votes))
        out[i, 2] = ratio
        out[i, 3] = np.tanh(2.0 * ratio)
        for r in range(1, n_shares):
            density = min(max(inside_share[i, r], _LEAST_DENSITY), 1.0 - _LEAST_DENSITY)
            out[i, 3 + r] = np.log(density / (1.0 - density))
        out[i, 3 + n_shares :] = inside_odds[i]


@njit(cache=True, nogil=True, error_model="numpy")
def share_stores(store: I32, evidence: F64, weights: F64, out: F64) -> None:
    """Softmax over each row's candidates: (n, n_candidates), 0 where there is none; rows sum to 1 or 0."""
    for i in range(len(store)):
        highest = -1e9
        for c in range(store.shape[1]):
            out[i, c] = -np.inf
            if store[i, c] >= 0:
                total = 0.0
                for f in range(len(weights)):
                    total += evidence[i, c, f] * weights[f]
                out[i, c] = total
                highest = max(highest, total)
        odds = 0.0
        for c in range(store.shape[1]):
            out[i, c] = np.exp(out[i, c] - highest)
            odds += out[i, c]
        for c in range(store.shape[1]):
            out[i, c] = out[i, c] / odds if odds > 0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def sort_stores(store: I32, probability: F64) -> None:
    """Put each row's candidates in order, likeliest first, equals as they come; in place."""
    for i in range(len(store)):
        for c in range(1, store.shape[1]):
            s, p = store[i, c], probability[i, c]
            to = c
            while to > 0 and probability[i, to - 1] < p:
                store[i, to] = store[i, to - 1]
                probability[i, to] = probability[i, to - 1]
                to -= 1
            store[i, to] = s
            probability[i, to] = p


@njit(cache=True, nogil=True, error_model="numpy")
def size_sets(
    store: I32,
    probability: F64,
    in_store: F64,
    inside_threshold: float,
    of_store: float,
    of_walkway: float,
    out: I32,
) -> None:
    """How many of each row's candidates form its set: those at or above the threshold, and always the first.

    Args:
        of_store, of_walkway: thresholds where the scan is taken for one in a store, and where not.
    """
    for i in range(len(store)):
        threshold = of_walkway if in_store[i] < inside_threshold else of_store
        n = 0
        for c in range(store.shape[1]):
            n += store[i, c] >= 0 and probability[i, c] >= threshold
        if store.shape[1] > 0 and store[i, 0] >= 0:
            n = max(n, 1)
        out[i] = n


@njit(cache=True, nogil=True, error_model="numpy")
def list_candidates(probability: F64, n_in_set: I32, out_n: I32) -> None:
    """How many candidates an answer lists; their probabilities are scaled to sum to 1."""
    for i in range(len(probability)):
        n = 0
        for c in range(probability.shape[1]):
            n += probability[i, c] >= _LEAST_PROBABILITY
        n = max(n, n_in_set[i])
        total = 0.0
        for c in range(n):
            total += probability[i, c]
        for c in range(probability.shape[1]):
            probability[i, c] /= max(total, 1e-300)
        out_n[i] = n


@njit(cache=True, nogil=True, error_model="numpy")
def describe_faintness(strongest_dbm: F32, n_known: I32, out: F64) -> None:
    """(n, 3) features of "not of this venue": constant, power of the strongest known readings, ln their number."""
    for i in range(len(strongest_dbm)):
        out[i, 0] = 1.0
        out[i, 1] = strongest_dbm[i]
        out[i, 2] = np.log(n_known[i] + 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def find_outside_rows(strongest_dbm: F32, n_known: I32, weights: F64, out: U8) -> None:
    """1 for scans that were heard outside the venue; without weights for none."""
    out[:] = 0
    if len(weights) == 0:
        return
    feature = np.empty((len(out), 3))
    total = np.empty(len(out))
    describe_faintness(strongest_dbm, n_known, feature)
    sum_rows(feature, weights, total)
    for i in range(len(out)):
        out[i] = 1 if total[i] > 0.0 else 0
