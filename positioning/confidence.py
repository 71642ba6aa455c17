"""What an answer is worth: held-out experience applied to one answer. numpy only; fitted by ``calibrate.py``."""

import numpy as np

from positioning.radio_map import F64

_LEAST_ACCURACY_M = 0.5
_LEAST_DENSITY = 3e-4
"""Log odds of the density inside end at 8 either way: the logistic sees no outliers."""


def describe(spread_m: F64, nearest: F64, level_share: F64, n_known: F64) -> F64:
    """(n, 5) features of an answer: constant, ln spread, nearest distance, level share, ln known readings."""
    return np.stack(
        [
            np.ones_like(spread_m),
            np.log(spread_m + 0.5),
            nearest,
            level_share,
            np.log(n_known + 1.0),
        ],
        axis=-1,
    )


def weighted_sum(features: F64, weights: tuple[float, ...]) -> F64:
    """``features @ weights`` over the last axis, added in the order of the weights.

    A matrix product may add in another order for another number of rows (it did, in the last digit), and the same
    scan must get the same answer in any batch.
    """
    total: F64 = features[..., 0] * weights[0]
    for i in range(1, len(weights)):
        total = total + features[..., i] * weights[i]
    return total


def predict_error_m(features: F64, weights: tuple[float, ...]) -> F64:
    """The typical error of such answers, in metres."""
    error_m: F64 = np.maximum(np.exp(weighted_sum(features, weights)), _LEAST_ACCURACY_M)
    return error_m


def logistic(features: F64, weights: tuple[float, ...]) -> F64:
    """The probability that a logistic model gives to each row."""
    probability: F64 = 1.0 / (1.0 + np.exp(-np.clip(weighted_sum(features, weights), -30.0, 30.0)))
    return probability


def describe_inside(nearest_front_m: F64, inside_share: F64, inside_odds: F64, accuracy_m: F64) -> F64:
    """Features of "inside any store" (n, 6 + 2 n_representations).

    Constant, log odds of the neighbours' votes inside, signed distance / error, its tanh, the log odds of the
    neighbours' densities inside in each representation, and those of naive Bayes between stores and walkways with the
    phone's offset.

    Args:
        inside_share: (n, 1 + 2 n_representations), of ``locate.Fronts``.
        inside_odds: (n, 2), of ``inside.inside_odds``.
    """
    ratio = np.clip(np.where(np.isfinite(nearest_front_m), nearest_front_m, 1e3) / accuracy_m, -4.0, 4.0)
    votes = np.clip(inside_share[:, :1], 0.01, 0.99)
    density = np.clip(inside_share[:, 1:], _LEAST_DENSITY, 1.0 - _LEAST_DENSITY)
    first = np.stack([np.ones_like(ratio), np.log(votes / (1 - votes))[:, 0], ratio, np.tanh(2 * ratio)], axis=-1)
    return np.concatenate([first, np.log(density / (1 - density)), inside_odds], axis=-1)


def front_probabilities(
    features: F64, is_store: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], weights: tuple[float, ...]
) -> F64:
    """Softmax over each row's candidates: (n, n_candidates), 0 where there is none; rows sum to 1 or 0."""
    scores = np.where(is_store, weighted_sum(features, weights), -np.inf)
    highest = np.max(scores, axis=1, keepdims=True, initial=-1e9)
    odds = np.exp(scores - highest)
    total = odds.sum(axis=1, keepdims=True)
    probability: F64 = np.divide(odds, total, out=np.zeros_like(odds), where=total > 0)
    return probability
