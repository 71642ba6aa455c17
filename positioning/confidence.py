"""What an answer is worth: held-out experience applied to one answer. Fitted by ``calibrate.py``.

The kernels' functions (``kernels/confidence.py``) on whole arrays, for training.
"""

import numpy as np

from positioning.kernels.confidence import (
    N_ANSWER_FEATURES,
    describe_answers,
    describe_inside_rows,
    logistic_rows,
    predict_errors,
    share_stores,
)
from positioning.radio_map import F32, F64, I32


def describe(spread_m: F64, nearest: F64, level_share: F32, n_known: I32) -> F64:
    """(n, 5) features of an answer: constant, ln spread, nearest distance, level share, ln known readings."""
    out = np.empty((len(spread_m), N_ANSWER_FEATURES))
    describe_answers(spread_m, nearest, level_share, n_known, out)
    return out


def predict_error_m(features: F64, weights: tuple[float, ...]) -> F64:
    """The typical error of such answers, in metres."""
    out_m = np.empty(len(features))
    predict_errors(features, np.array(weights), 1.0, out_m)
    return out_m


def logistic(features: F64, weights: tuple[float, ...]) -> F64:
    """The probability that a logistic model gives to each row."""
    out = np.empty(len(features))
    logistic_rows(features, np.array(weights), out)
    return out


def describe_inside(nearest_front_m: F64, inside_share: F64, inside_odds: F64, accuracy_m: F64) -> F64:
    """Features of "inside any store" (n, 6 + 2 n_representations).

    Constant, log odds of the neighbours' votes inside, signed distance / error, its tanh, the log odds of the
    neighbours' densities inside in each representation, and those of naive Bayes between stores and walkways with the
    phone's offset.

    Args:
        inside_share: (n, 1 + 2 n_representations), of ``locate.Fronts``.
        inside_odds: (n, 2), of ``inside.inside_odds``.
    """
    out = np.empty((len(nearest_front_m), 5 + inside_share.shape[1]))
    describe_inside_rows(nearest_front_m, inside_share, inside_odds, accuracy_m, out)
    return out


def front_probabilities(
    features: F64, is_store: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], weights: tuple[float, ...]
) -> F64:
    """Softmax over each row's candidates: (n, n_candidates), 0 where there is none; rows sum to 1 or 0."""
    out = np.empty(is_store.shape)
    share_stores(np.where(is_store, 0, -1).astype(np.int32), features, np.array(weights), out)
    return out
