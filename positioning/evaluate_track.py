"""Measure tracking on labelled walks: the single scans' figures beside the tracked, and the gain paired by scan.

A walk is tracked as one phone. The gain's interval resamples whole walks: scans of one walk err together.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, Final

import numpy as np

from fingerprints.scan import LabelledScan
from positioning.evaluate import DEFAULT_SEED, Interval, bootstrap, read_truth, resampled, score_located
from positioning.model import VenueModel
from positioning.ports import Locator
from positioning.radio_map import F64
from positioning.score import UNDEFINED, Figures, Scored, summarise
from positioning.track.smooth import smooth_walk, track_walk
from positioning.track.tracker import Tracker

WHOLE_WALK: Final = "whole walk"
CAUSAL: Final = "causal"


@dataclass(frozen=True, slots=True)
class Gain:
    """Tracked minus single, scan by scan, and its 95 % interval by whole walks; below 0 is better for the error."""

    error_m_mean: float | None
    error_m_interval: tuple[float, float] | None
    front_top1: float | None
    front_top1_interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class TrackEvaluation:
    """Figures of the tracked answers. ``seen`` says what each answer saw: "causal", "lag 5 s" or "whole walk"."""

    seen: str
    uses_steps: bool
    figures: Figures
    interval: Interval
    gain: Gain

    @property
    def is_causal(self) -> bool:
        return self.seen == CAUSAL

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **asdict(self.figures),
            "interval": asdict(self.interval),
            "gain": asdict(self.gain),
            "seen": self.seen,
            "is_causal": self.is_causal,
            "uses_steps": self.uses_steps,
        }


def evaluate_track(
    locator: Locator,
    tracker: Tracker,
    model: VenueModel,
    scans: Sequence[LabelledScan],
    *,
    lag: timedelta | None = timedelta(0),
    with_steps: bool = True,
    rng: np.random.Generator | None = None,
) -> TrackEvaluation:
    """Track the walks and count.

    Args:
        lag: how far an answer may see ahead; zero is causal, None the whole walk.
        with_steps: whether the phones' steps are looked at.
        rng: resamples the walks; a fixed seed by default.
    """
    if not scans:
        raise ValueError("expected at least one labelled scan")
    bare = [item.scan if with_steps else replace(item.scan, steps=()) for item in scans]
    single = locator.locate(bare)
    tracked = list(single)
    for at in _walks(scans):
        answers, of_walk = [single[i] for i in at], [bare[i] for i in at]
        found = (
            track_walk(tracker, answers, of_walk)
            if lag == timedelta(0)
            else smooth_walk(tracker, answers, of_walk, lag)
        )
        for i, answer in zip(at, found, strict=True):
            tracked[i] = answer
    truth = read_truth(model, scans)
    before, after = score_located(model, truth, single), score_located(model, truth, tracked)
    generator = rng if rng is not None else np.random.default_rng(DEFAULT_SEED)
    return TrackEvaluation(
        seen=CAUSAL if lag == timedelta(0) else WHOLE_WALK if lag is None else f"lag {lag.total_seconds():g} s",
        uses_steps=with_steps and any(scan.steps for scan in bare),
        figures=summarise(after),
        interval=bootstrap(after, generator),
        gain=_gain(before, after, generator),
    )


def _walks(scans: Sequence[LabelledScan]) -> list[list[int]]:
    """The scans of each walk in the order of their instants; a scan of no walk and no phone is its own."""
    of_walk: dict[object, list[int]] = {}
    for i, item in enumerate(scans):
        of_walk.setdefault(item.walk or item.scan.device_id or i, []).append(i)
    return [sorted(at, key=lambda i: scans[i].scan.at) for at in of_walk.values()]


def _gain(before: Scored, after: Scored, rng: np.random.Generator) -> Gain:
    _, group = np.unique(after.group, return_inverse=True)
    n_walks = int(group.max()) + 1
    counts = rng.multinomial(n_walks, np.full(n_walks, 1.0 / n_walks), size=1_000).astype(np.float64)
    error_m = after.error_m - before.error_m
    is_top1 = _is_top1(after) - _is_top1(before)
    return Gain(
        error_m_mean=_mean(error_m),
        error_m_interval=resampled(error_m, group, counts, 1.0),
        front_top1=None if (top1 := _mean(is_top1)) is None else 100.0 * top1,
        front_top1_interval=resampled(is_top1, group, counts, 100.0),
    )


def _is_top1(scored: Scored) -> F64:
    return np.where(scored.front_rank == UNDEFINED, math.nan, scored.front_rank == 0).astype(np.float64)


def _mean(values: F64) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None
