"""Measure a locator on labelled scans, with the plain baseline beside it from the same run.

``front`` is judged by ``candidates[0]`` against the polygon nearest to the true place on its level (or the store the
label names). ``inside`` looks at scans whose true place is inside a store: first is the store named as ``store_id``,
so a null is a miss. ``ece`` is that of the first candidate's probability, or of the level's where there is no map.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fingerprints.scan import LabelledScan
from positioning.baseline import locate_plainly
from positioning.model import VenueModel
from positioning.ports import Locator
from positioning.position import Located
from positioning.radio_map import F64, I32, number_walks
from positioning.score import UNDEFINED, Figures, Scored, inside_rank, rank_of, summarise

_RESAMPLES = 1_000
_EARTH_RADIUS_M = 6_378_137.0
DEFAULT_SEED = 20_261_122


@dataclass(frozen=True, slots=True)
class Interval:
    """95 % bootstrap over whole walks: [low, high], None where the figure is."""

    error_m_mean: tuple[float, float] | None
    front_top1: tuple[float, float] | None
    n_walks: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures, their interval, and the baseline's. ``ranker`` is None for the light locator."""

    figures: Figures
    interval: Interval
    ranker: str | None
    baseline: Figures
    baseline_interval: Interval

    def to_json(self) -> dict[str, Any]:
        """The JSON of ``atrium evaluate --json``; plain values only."""
        return {
            **_json_of(self.figures, self.interval, self.ranker),
            "baseline": _json_of(self.baseline, self.baseline_interval, None),
        }


@dataclass(frozen=True, slots=True)
class TruthIn:
    """The truth in the model's numbers; -1 where it has none."""

    level: I32
    building: list[str | None]
    xy_m: F64
    mercator: F64
    front: I32
    inside: I32
    group: I32


def evaluate(
    locator: Locator,
    model: VenueModel,
    scans: Sequence[LabelledScan],
    *,
    rng: np.random.Generator | None = None,
    ranker: str | None = None,
) -> Evaluation:
    """Locate the scans with the locator and with the baseline on the model's radio map, and count both.

    Args:
        rng: resamples the walks for the interval; a fixed seed by default, so that a run can be repeated.
    """
    if not scans:
        raise ValueError("expected at least one labelled scan")
    truth = read_truth(model, scans)
    located = locator.locate([item.scan for item in scans])
    scored = score_located(model, truth, located)
    plain = score_plain(model, truth, scans)
    generator = rng if rng is not None else np.random.default_rng(DEFAULT_SEED)
    return Evaluation(
        figures=summarise(scored),
        interval=bootstrap(scored, generator),
        ranker=ranker,
        baseline=summarise(plain),
        baseline_interval=bootstrap(plain, generator),
    )


def bootstrap(scored: Scored, rng: np.random.Generator) -> Interval:
    """Resample whole walks with replacement; scans of one walk are near copies and would make it too narrow."""
    _, group = np.unique(scored.group, return_inverse=True)
    n_groups = int(group.max()) + 1
    counts = rng.multinomial(n_groups, np.full(n_groups, 1.0 / n_groups), size=_RESAMPLES).astype(np.float64)
    is_top = np.where(scored.front_rank == UNDEFINED, np.nan, scored.front_rank == 0).astype(np.float64)
    return Interval(
        error_m_mean=resampled(scored.error_m, group, counts, 1.0),
        front_top1=resampled(is_top, group, counts, 100.0),
        n_walks=n_groups,
    )


def resampled(values: F64, group: NDArray[np.intp], counts: F64, scale: float) -> tuple[float, float] | None:
    """95 % interval of the mean of finite values, times ``scale``; ``counts`` (n_resamples, n_groups) draws groups."""
    usable = np.isfinite(values)
    if not usable.any():
        return None
    sums = np.bincount(group[usable], weights=values[usable], minlength=counts.shape[1])
    sizes = np.bincount(group[usable], minlength=counts.shape[1]).astype(np.float64)
    total = counts @ sizes
    means = scale * (counts @ sums)[total > 0] / total[total > 0]
    low, high = np.quantile(means, [0.025, 0.975]).tolist()
    return low, high


def read_truth(model: VenueModel, scans: Sequence[LabelledScan]) -> TruthIn:
    """The labels in the model's numbers."""
    radio_map = model.radio_map
    truths = [item.truth for item in scans]
    level_at = {(key.building, key.short_name): i for i, key in enumerate(radio_map.levels)}
    level = np.array([level_at.get((t.building, t.level), -1) for t in truths], dtype=np.int32)
    lon_lat_deg = np.array([(t.lon_deg, t.lat_deg) for t in truths])
    xy_m = radio_map.frame.to_xy_m(lon_lat_deg)
    none = np.full(len(truths), -1, dtype=np.int32)
    front, inside = none, none
    if model.fronts is not None:
        store_at = {store_id: i for i, store_id in enumerate(model.fronts.store_ids)}
        said = np.array([-1 if t.store_id is None else store_at.get(t.store_id, -1) for t in truths], dtype=np.int32)
        table_level = np.where(level >= 0, model.front_level[level], -1).astype(np.int32)
        nearest, around = model.fronts.nearest(xy_m, table_level)
        front, inside = np.where(said >= 0, said, nearest), np.where(said >= 0, said, around)
    return TruthIn(
        level=level,
        building=[t.building for t in truths],
        xy_m=xy_m,
        mercator=to_web_mercator(lon_lat_deg),
        front=front.astype(np.int32),
        inside=inside.astype(np.int32),
        group=number_walks(scans),
    )


def to_web_mercator(lon_lat_deg: F64) -> F64:
    """(n, 2) longitude/latitude in degrees to Web Mercator (EPSG:3857) units, the unit of UJI figures."""
    lat_rad = np.radians(np.clip(lon_lat_deg[:, 1], -85.0, 85.0))
    y = _EARTH_RADIUS_M * np.arctanh(np.sin(lat_rad))
    return np.stack([_EARTH_RADIUS_M * np.radians(lon_lat_deg[:, 0]), y], axis=-1)


def score_located(model: VenueModel, truth: TruthIn, located: Sequence[Located]) -> Scored:
    """A locator's answers beside the truth."""
    n = len(located)
    nan = math.nan
    positions = [answer.position for answer in located]
    level_at = {(key.building, key.short_name): i for i, key in enumerate(model.radio_map.levels)}
    level = np.array([-1 if p is None else level_at.get((p.building, p.level), -1) for p in positions], dtype=np.int32)
    lon_lat_deg = np.array([(nan, nan) if p is None else (p.lon_deg, p.lat_deg) for p in positions])
    store_at = {} if model.fronts is None else {store_id: i for i, store_id in enumerate(model.fronts.store_ids)}
    n_candidates = max((len(p.candidates) for p in positions if p is not None), default=0) if store_at else 0
    store = np.full((n, max(n_candidates, 1) if store_at else 0), -1, dtype=np.int32)
    named = np.full(n, -1, dtype=np.int32)
    set_size, in_set, claimed = np.full(n, nan), np.full(n, nan), np.full(n, nan)
    for i, position in enumerate(positions):
        if position is None:
            continue
        claimed[i] = position.candidates[0].probability if position.candidates else position.confidence
        if not store_at:
            continue
        store[i, : len(position.candidates)] = [store_at[c.store_id] for c in position.candidates]
        named[i] = -1 if position.store_id is None else store_at[position.store_id]
        set_size[i] = len(position.store_set)
        if truth.front[i] >= 0:
            in_set[i] = float(truth.front[i] in {store_at[s] for s in position.store_set})
    rank = rank_of(store, truth.front)
    is_level_right = (level == truth.level) & (truth.level >= 0)
    answered = np.array([p is not None for p in positions])
    right = (rank == 0) if store_at else is_level_right
    return Scored(
        is_answered=answered,
        is_level_right=is_level_right,
        is_building_right=_buildings([None if p is None else p.building for p in positions], truth),
        error_m=np.linalg.norm(model.radio_map.frame.to_xy_m(lon_lat_deg) - truth.xy_m, axis=1),
        error_units=np.linalg.norm(to_web_mercator(lon_lat_deg) - truth.mercator, axis=1),
        accuracy_m=np.array([nan if p is None else p.accuracy_m for p in positions]),
        front_rank=rank,
        inside_rank=inside_rank(store, named if store_at else None, truth.inside),
        is_in_set=in_set,
        set_size=set_size,
        claimed=claimed,
        is_claim_right=np.where(answered, right.astype(np.float64), nan),
        group=truth.group,
    )


def score_plain(model: VenueModel, truth: TruthIn, scans: Sequence[LabelledScan]) -> Scored:
    answers = locate_plainly(model, [item.scan for item in scans])
    nan = np.full(len(scans), math.nan)
    answered = answers.level >= 0
    keys = model.radio_map.levels
    buildings = [keys[level].building if level >= 0 else None for level in answers.level.tolist()]
    rank = rank_of(answers.store, truth.front)
    return Scored(
        is_answered=answered,
        is_level_right=(answers.level == truth.level) & answered,
        is_building_right=_buildings(buildings, truth),
        error_m=np.linalg.norm(answers.xy_m - truth.xy_m, axis=1),
        error_units=np.linalg.norm(
            to_web_mercator(model.radio_map.frame.to_lon_lat_deg(answers.xy_m)) - truth.mercator, axis=1
        ),
        accuracy_m=nan,
        front_rank=rank,
        inside_rank=rank_of(answers.store, truth.inside),
        is_in_set=nan,
        set_size=nan,
        claimed=nan,
        is_claim_right=nan,
        group=truth.group,
    )


def _buildings(answered: Sequence[str | None], truth: TruthIn) -> F64:
    """1 right, 0 wrong, NaN where the truth names no building."""
    return np.array(
        [
            math.nan if true is None else float(found == true)
            for found, true in zip(answered, truth.building, strict=True)
        ]
    )


def _json_of(figures: Figures, interval: Interval, ranker: str | None) -> dict[str, Any]:
    out: dict[str, Any] = asdict(figures)
    out["interval"] = {
        "error_m_mean": None if interval.error_m_mean is None else list(interval.error_m_mean),
        "front_top1": None if interval.front_top1 is None else list(interval.front_top1),
        "n_walks": interval.n_walks,
    }
    out["ranker"] = ranker
    return out
