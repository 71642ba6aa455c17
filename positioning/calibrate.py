"""Fit what answers are worth on held-out survey answers. Uses scikit-learn and scipy: training only."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from positioning.confidence import describe_inside, front_probabilities, logistic, predict_error_m
from positioning.kernels.fronts import N_FEATURES
from positioning.locate import Fronts, Settled
from positioning.model import Calibration
from positioning.radio_map import F64, I32

ACCURACY_SHARE = 0.68
SET_SHARE = 0.95
LEAST_OF_SETS = 100
"""Held-out scans of a kind under which its 5 % are told by five or fewer."""
_LEAST_SCALE = 0.02
"""A survey of one spot errs by nothing where it is asked: no answer claims that."""
_LEAST_OF_EACH = 20
"""Held-out scans of a kind below which a logistic would learn the few, not the kind."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Held-out answers beside the truth: errors in metres, whether the level is right, the true store's index before
    the scan (``front``) and around it (``inside``), -1 for none."""

    settled: Settled
    error_m: F64
    is_level_right: NDArray[np.bool_]
    front: I32
    inside: I32


def fit_error(held_out: HeldOut) -> tuple[tuple[float, ...], float]:
    """Weights of the predicted error's logarithm, and the scale at which it holds 68 % of the places."""
    features = held_out.settled.features()
    target = np.log(held_out.error_m + 0.5)
    ridge = 1e-3 * len(features) * np.diag([0.0, 1.0, 1.0, 1.0, 1.0])
    weights = tuple(np.linalg.solve(features.T @ features + ridge, features.T @ target).tolist())
    scale = float(np.quantile(held_out.error_m / predict_error_m(features, weights), ACCURACY_SHARE))
    return weights, max(scale, _LEAST_SCALE)


def fit_level(held_out: HeldOut) -> tuple[float, ...]:
    """Logistic weights of "the level is right"; a constant where (almost) all held-out answers agree."""
    return _fit_logistic(held_out.settled.features(), held_out.is_level_right)


def fit_fronts(held_out: HeldOut, fronts: Fronts) -> tuple[float, ...]:
    """The candidates' weights in the conditional logit."""
    is_store = fronts.store >= 0
    is_true = is_store & (fronts.store == held_out.front[:, None])
    if is_true.any(axis=1).sum() < _LEAST_OF_EACH:
        return (1.0, -1.0, -1.0, 1.0, *([0.0] * (N_FEATURES - 4)))  # nearer and voted for: right in any venue
    return fit_logit(fronts.feature, is_store, is_true, np.zeros(N_FEATURES), 1e-3)


def fit_later(calibration: Calibration, later: HeldOut, fronts: Fronts, accuracy_m: F64) -> Calibration:
    """The calibration with ``in_store`` and answer sets fitted on answers as at a later date (``damage.py``)."""
    inside_features = describe_inside(fronts.nearest_m, fronts.inside_share, fronts.inside_odds, accuracy_m)
    is_inside = later.inside >= 0
    inside = _fit_logistic(inside_features, is_inside)
    in_store = logistic(inside_features, inside)
    inside_threshold = _best_threshold(in_store, is_inside)
    is_store = fronts.store >= 0
    is_true = is_store & (fronts.store == later.front[:, None])
    probability = front_probabilities(fronts.feature, is_store, calibration.front)
    of_true = np.where(is_true, probability, 0.0).sum(axis=1)
    has_front = later.front >= 0
    of_store, of_walkway = fit_sets(of_true[has_front], in_store[has_front] >= inside_threshold)
    return replace(
        calibration,
        inside=inside,
        inside_threshold=inside_threshold,
        set_threshold=of_store,
        walkway_set_threshold=of_walkway,
    )


def fit_sets(probability_of_true: F64, is_in_store: NDArray[np.bool_]) -> tuple[float, float]:
    """Thresholds of the answer sets of scans that are taken for ones in a store, and of the others.

    One threshold for both holds too much in stores and too little in walkways, where the truth is one of two fronts
    that face each other. A kind of which too few were held out gets the threshold of all.

    Source: Vovk, Lindsay, Nouretdinov, Gammerman, "Mondrian confidence machine", 2003: a threshold for each kind, the
    kind told by the answer itself.
    """
    of_all = conformal_threshold(probability_of_true)
    parts = [probability_of_true[is_in_store], probability_of_true[~is_in_store]]
    of_store, of_walkway = (conformal_threshold(part) if len(part) >= LEAST_OF_SETS else of_all for part in parts)
    return of_store, of_walkway


def fit_walkway_set(probability_of_true: F64, is_in_store: NDArray[np.bool_], otherwise: float) -> float:
    """The threshold of those scans alone that are not taken for ones in a store; ``otherwise`` where they are few."""
    of_walkway = probability_of_true[~is_in_store]
    return conformal_threshold(of_walkway) if len(of_walkway) >= LEAST_OF_SETS else otherwise


def conformal_threshold(probability_of_true: F64) -> float:
    """The least-ambiguous-set threshold: 95 % of true stores reach it (with the finite-sample correction).

    Where over 5 % are no candidates at all (a survey whose levels are named wrongly), no threshold can hold them: then
    it is 95 % of those that are. Under 19 scans all candidates are in the set.

    Source: Sadinle, Lei, Wasserman, "Least ambiguous set-valued classifiers with bounded error levels", JASA 2019.
    """
    rank = int(np.floor((len(probability_of_true) + 1) * (1.0 - SET_SHARE)))
    if rank < 1:
        return 0.0
    threshold = float(np.sort(probability_of_true)[rank - 1])
    reached = probability_of_true[probability_of_true > 0.0]
    return threshold if threshold > 0.0 or len(reached) == 0 else conformal_threshold(reached)


def _fit_logistic(features: F64, is_true: NDArray[np.bool_]) -> tuple[float, ...]:
    """Weights, the first for the constant; the smoothed share of the true alone where either kind is rare."""
    n_true = int(is_true.sum())
    n_false = len(is_true) - n_true
    if min(n_true, n_false) < _LEAST_OF_EACH:
        return (float(np.log((n_true + 0.5) / (n_false + 0.5))), *([0.0] * (features.shape[1] - 1)))
    scale = features.std(axis=0) + 1e-9
    scale[0] = 1.0
    fitted = LogisticRegression(fit_intercept=False, C=10.0, max_iter=500).fit(features / scale, is_true)
    return tuple((fitted.coef_[0] / scale).tolist())


def fit_logit(
    features: F64, is_store: NDArray[np.bool_], is_true: NDArray[np.bool_], prior: F64, ridge: float
) -> tuple[float, ...]:
    """Weights of a conditional logit over the scans whose true store is among the candidates.

    Args:
        features: (n, n_candidates, n_features).
        prior: (n_features,) what the weights are pulled towards, by ``ridge`` times their squared distance a scan.
    """
    usable = is_true.any(axis=1)
    x, stores, truth = features[usable], is_store[usable], is_true[usable]
    x = np.where(stores[:, :, None], x, 0.0)
    n = len(x)

    def loss(weights: F64) -> tuple[float, F64]:
        probability = front_probabilities(x, stores, tuple(weights.tolist()))
        of_true = np.clip(probability[truth], 1e-12, 1.0)
        slope = np.einsum("nc,ncf->f", probability - truth, x) / n
        off = weights - prior
        return float(-np.log(of_true).mean() + ridge * off @ off), slope + 2.0 * ridge * off

    return tuple(minimize(loss, prior, jac=True, method="L-BFGS-B").x.tolist())


def _best_threshold(probability: F64, is_inside: NDArray[np.bool_]) -> float:
    """The threshold in 0.3 to 0.7 that decides most held-out scans rightly; the nearest to 0.5 of equals."""
    grid = sorted(np.linspace(0.3, 0.7, 41).round(2).tolist(), key=lambda t: abs(t - 0.5))
    right = [float(((probability >= t) == is_inside).mean()) for t in grid]
    return float(grid[int(np.argmax(right))])
