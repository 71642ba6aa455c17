"""Answers beside the truth, and the figures that follow: one way of counting for evaluation, training and baseline."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from positioning.radio_map import F64, I32

UNDEFINED = -2
"""A rank that does not exist because the truth has none (no polygons, not inside); -1 is a miss."""
RISK_LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_ECE_BINS = 15
_LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True)
class Scored:
    """n answers beside the truth, one row each; NaN where a value does not exist.

    ``front_rank`` and ``inside_rank`` count from 0: the place of the true store among the candidates. ``claimed`` is
    the probability an answer gives its first claim (store front, or level without a map), ``is_claim_right`` whether
    that held.
    """

    is_answered: NDArray[np.bool_]
    is_level_right: NDArray[np.bool_]
    is_building_right: F64
    error_m: F64
    error_units: F64
    accuracy_m: F64
    front_rank: I32
    inside_rank: I32
    is_in_set: F64
    set_size: F64
    claimed: F64
    is_claim_right: F64
    group: I32


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and percentiles of an error."""

    mean: float
    p50: float
    p75: float
    p95: float


@dataclass(frozen=True, slots=True)
class TopShares:
    """Percent of the scans whose true store came first, and among the first three."""

    top1: float
    top3: float


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Answers whose first claim has at least this probability: their percent of all scans, and the percent of them
    that is right, None where there are none."""

    at_least: float
    answered_percent: float
    right_percent: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What ``evaluate`` reports of one locator; shares in percent, None where undefined.

    A scan without an answer is wrong in every share; error figures are of the answered, whose number is ``answered``.
    ``ece``, ``brier``, ``log_loss`` and ``risk_coverage`` are of the first claim, over ``ece_n`` answers that have one.
    """

    n: int
    answered: int
    floor_percent: float | None
    building_percent: float | None
    error_m: Spread | None
    error_units: Spread | None
    front: TopShares | None
    inside: TopShares | None
    recall20: float | None
    ece: float | None
    ece_n: int
    brier: float | None
    log_loss: float | None
    risk_coverage: tuple[RiskCoverage, ...]
    set_coverage: float | None
    set_size: float | None
    accuracy_coverage: float | None


def summarise(scored: Scored) -> Figures:
    """Count it all."""
    n = len(scored.is_answered)
    held = scored.error_m <= scored.accuracy_m
    has_accuracy = np.isfinite(scored.accuracy_m) & np.isfinite(scored.error_m)
    is_judged = np.isfinite(scored.claimed) & np.isfinite(scored.is_claim_right)
    claimed, is_right = scored.claimed[is_judged], scored.is_claim_right[is_judged]
    return Figures(
        n=n,
        answered=int(scored.is_answered.sum()),
        floor_percent=_percent(scored.is_level_right.astype(np.float64)),
        building_percent=_percent(scored.is_building_right),
        error_m=_spread(scored.error_m),
        error_units=_spread(scored.error_units),
        front=_tops(scored.front_rank),
        inside=_tops(scored.inside_rank),
        recall20=_percent(_within(scored.front_rank, 20)),
        ece=expected_calibration_error(scored.claimed, scored.is_claim_right),
        ece_n=int(is_judged.sum()),
        brier=brier_score(claimed, is_right),
        log_loss=log_loss(claimed, is_right),
        risk_coverage=risk_coverage(scored.claimed, scored.is_claim_right),
        set_coverage=_percent(scored.is_in_set),
        set_size=_mean(scored.set_size),
        accuracy_coverage=_percent(held[has_accuracy].astype(np.float64)),
    )


def expected_calibration_error(claimed: F64, is_right: F64) -> float | None:
    """Mean gap between claimed probability and the share that was right, over 15 equal bins, weighted by size."""
    usable = np.isfinite(claimed) & np.isfinite(is_right)
    p, right = claimed[usable], is_right[usable]
    if len(p) == 0:
        return None
    bins = np.minimum((p * _ECE_BINS).astype(np.int64), _ECE_BINS - 1)
    gaps = np.bincount(bins, weights=p - right, minlength=_ECE_BINS)
    return float(np.abs(gaps).sum() / len(p))


def brier_score(claimed: F64, is_right: F64) -> float | None:
    """Mean square of claimed probability less 1 for right or 0 for wrong; None of nothing.

    Of the first claim alone, not the sum over all candidates. Source: Brier, "Verification of forecasts", 1950.
    """
    return float(((claimed - is_right) ** 2).mean()) if len(claimed) else None


def log_loss(claimed: F64, is_right: F64) -> float | None:
    """Mean of -ln of the probability that the first claim gave to what came true, in nats; None of nothing."""
    if len(claimed) == 0:
        return None
    of_outcome = np.where(is_right > 0, claimed, 1.0 - claimed)
    return float(-np.log(np.maximum(of_outcome, _LEAST_PROBABILITY)).mean())


def risk_coverage(claimed: F64, is_right: F64) -> tuple[RiskCoverage, ...]:
    """How many scans an asker who wants to be so sure gets an answer to, and how often it is right.

    Scans whose truth has no claim to compare (NaN in ``is_right`` beside a claim) are left out; those without an answer
    count among the unanswered.
    """
    counted = np.isfinite(is_right) | ~np.isfinite(claimed)
    claimed, is_right = np.nan_to_num(claimed[counted], nan=-1.0), is_right[counted]
    if not (claimed >= 0).any():
        return ()
    rows = []
    for at_least in RISK_LEVELS:
        is_sure = claimed >= at_least
        right = float(100.0 * is_right[is_sure].mean()) if is_sure.any() else None
        rows.append(RiskCoverage(at_least, float(100.0 * is_sure.mean()), right))
    return tuple(rows)


def rank_of(store: I32, truth: I32) -> I32:
    """The place of each true store among the candidates: -1 missed, ``UNDEFINED`` where the truth has none."""
    if store.shape[1] == 0:
        return np.full(len(truth), UNDEFINED, dtype=np.int32)
    is_true = store == truth[:, None]
    rank = np.where(is_true.any(axis=1), is_true.argmax(axis=1), -1)
    return np.where(truth < 0, UNDEFINED, rank).astype(np.int32)


def inside_rank(store: I32, named: I32 | None, inside: I32) -> I32:
    """Like ``rank_of`` for scans inside a store, but first is only a store that was named as ``store_id``."""
    rank = rank_of(store, inside)
    if named is None:
        return rank
    return np.where((rank == 0) & (named != inside), 1, rank).astype(np.int32)


def _within(rank: I32, first: int) -> F64:
    return np.where(rank == UNDEFINED, np.nan, (rank >= 0) & (rank < first)).astype(np.float64)


def _tops(rank: I32) -> TopShares | None:
    top1, top3 = _percent(_within(rank, 1)), _percent(_within(rank, 3))
    return None if top1 is None or top3 is None else TopShares(top1, top3)


def _mean(values: F64) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def _percent(values: F64) -> float | None:
    mean = _mean(values)
    return None if mean is None else 100.0 * mean


def _spread(values: F64) -> Spread | None:
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return None
    p50, p75, p95 = np.quantile(finite, [0.5, 0.75, 0.95]).tolist()
    return Spread(float(finite.mean()), p50, p75, p95)
