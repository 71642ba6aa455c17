"""One method on one split: fitted and asked for each seed, timed, counted, compared with the reference by walk."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.positioning.arrays import ScanArrays, SurveyArrays, TruthArrays
from benchmarks.positioning.bootstrap import Estimate, Walks, mean_over_seeds
from benchmarks.positioning.method import Answers, Method
from fingerprints.scan import Scan
from positioning.evaluate import to_web_mercator
from positioning.radio_map import F64, I32
from positioning.score import UNDEFINED, Scored, rank_of, summarise

_N_WARM = 32
"""Scans asked before the clock starts, so that compiled code is loaded."""


@dataclass(frozen=True, slots=True)
class Run:
    """One seed: each test scan's outcome, and what it cost in CPU time. ``tells_level`` is False where a method
    names none."""

    scored: Scored
    tells_level: bool
    fit_s: float
    us_per_scan: float

    def outcomes(self) -> dict[str, F64]:
        """The figures that are means over scans, as (n,) values; NaN where a scan has none."""
        level = self.scored.is_level_right.astype(np.float64) if self.tells_level else np.full(self.n, np.nan)
        return {
            "store_top1_percent": 100.0 * self._within(1),
            "store_top3_percent": 100.0 * self._within(3),
            "level_percent": 100.0 * level,
            "building_percent": 100.0 * self.scored.is_building_right,
            "error_m_mean": self.scored.error_m,
            "error_units_mean": self.scored.error_units,
        }

    def spreads(self) -> dict[str, float | None]:
        """The figures that are not."""
        figures = summarise(self.scored)
        return {
            "error_m_p50": None if figures.error_m is None else figures.error_m.p50,
            "error_m_p75": None if figures.error_m is None else figures.error_m.p75,
            "error_m_p95": None if figures.error_m is None else figures.error_m.p95,
            "ece": figures.ece,
        }

    @property
    def n(self) -> int:
        return len(self.scored.is_answered)

    def _within(self, first: int) -> F64:
        rank = self.scored.front_rank
        return np.where(rank == UNDEFINED, np.nan, (rank >= 0) & (rank < first)).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Measured:
    """A method over all its seeds; ``seeds`` is empty for one without chance.

    ``figures`` are means over seeds, ``seed_sd`` their standard deviations (None under two seeds). ``interval`` and
    ``difference``, from the reference, hold what is a mean over scans. ``n_with_store`` of the ``n`` test scans count
    for stores: none where the method names none, fewer than all where a truth has none.
    """

    name: str
    seeds: tuple[int, ...]
    n: int
    n_with_store: int
    n_answered: float
    figures: Mapping[str, float | None]
    seed_sd: Mapping[str, float | None]
    interval: Mapping[str, Estimate | None]
    difference: Mapping[str, Estimate | None]
    fit_s: float
    us_per_scan: float


def run_method(
    method: type[Method],
    seed: int,
    survey: SurveyArrays,
    scans: Sequence[Scan],
    count: Callable[[Answers], Scored],
    tell: Callable[[str], None],
) -> Run:
    """Fit and ask one method; ``count`` holds its answers beside the truth, which it never sees."""
    locator = method(seed)
    tell(f"{method.name}: fitting")
    before_s = time.process_time()
    locator.fit(survey)
    fit_s = time.process_time() - before_s
    tell(f"{method.name}: answering")
    locator.answer(ScanArrays(scans[:_N_WARM], survey.radio_map.index))
    before_s = time.process_time()
    answers = locator.answer(ScanArrays(scans, survey.radio_map.index))
    us_per_scan = (time.process_time() - before_s) * 1e6 / len(scans)
    return Run(count(answers), answers.level is not None, fit_s, us_per_scan)


def score(survey: SurveyArrays, truth: TruthArrays, group: I32, answers: Answers) -> Scored:
    """Answers beside the truth; NaN and ``UNDEFINED`` where an answer or its truth is of another kind.

    Raises:
        ValueError: answers of another number than the scans.
    """
    n = len(truth.level)
    for name in ("level", "xy_m", "store", "probability", "level_probability"):
        given = getattr(answers, name)
        if given is not None and len(given) != n:
            raise ValueError(f"expected {n} rows in the answers' {name}, found {len(given)}")
    nan, undefined = np.full(n, np.nan), np.full(n, UNDEFINED, dtype=np.int32)
    level = np.full(n, -1, dtype=np.int32) if answers.level is None else answers.level
    xy_m = np.full((n, 2), np.nan) if answers.xy_m is None else answers.xy_m
    rank = undefined if answers.store is None else rank_of(answers.store, truth.store)
    is_level_right = (level == truth.level) & (truth.level >= 0)
    claimed, right = nan, nan
    if survey.store_ids and answers.store is not None and answers.probability is not None and answers.store.shape[1]:
        claimed, right = answers.probability[:, 0], np.where(rank == UNDEFINED, np.nan, rank == 0)
    elif not survey.store_ids and answers.level_probability is not None:
        claimed, right = answers.level_probability, is_level_right.astype(np.float64)
    has_store = np.zeros(n, dtype=np.bool_) if answers.store is None else (answers.store >= 0).any(axis=1)
    lon_lat_deg = survey.radio_map.frame.to_lon_lat_deg(xy_m)
    return Scored(
        is_answered=(level >= 0) | np.isfinite(xy_m).all(axis=1) | has_store,
        is_level_right=is_level_right,
        is_building_right=nan if answers.level is None else _buildings(survey, truth, level),
        error_m=np.linalg.norm(xy_m - truth.xy_m, axis=1),
        error_units=np.linalg.norm(to_web_mercator(lon_lat_deg) - to_web_mercator(truth.lon_lat_deg), axis=1),
        accuracy_m=nan,
        front_rank=rank,
        inside_rank=undefined,
        is_in_set=nan,
        set_size=nan,
        claimed=claimed,
        is_claim_right=right.astype(np.float64),
        group=group,
    )


def summarise_runs(
    name: str, seeds: Sequence[int], runs: Sequence[Run], reference: Sequence[Run], walks: Walks
) -> Measured:
    """Means over seeds with intervals over walks, each scan's outcome being its mean over seeds."""
    mine, other = _over_seeds(runs), _over_seeds(reference)
    interval = {key: walks.mean(values) for key, values in mine.items()}
    of_runs = [{**{key: _mean(values) for key, values in run.outcomes().items()}, **run.spreads()} for run in runs]
    return Measured(
        name=name,
        seeds=tuple(seeds),
        n=runs[0].n,
        n_with_store=int((runs[0].scored.front_rank != UNDEFINED).sum()),
        n_answered=statistics.fmean(int(run.scored.is_answered.sum()) for run in runs),
        figures={key: _known(statistics.fmean, [run[key] for run in of_runs]) for key in of_runs[0]},
        seed_sd={key: _known(_sd, [run[key] for run in of_runs]) for key in of_runs[0]},
        interval=interval,
        difference={key: walks.difference(values, other[key]) for key, values in mine.items()},
        fit_s=statistics.fmean(run.fit_s for run in runs),
        us_per_scan=statistics.fmean(run.us_per_scan for run in runs),
    )


def _over_seeds(runs: Sequence[Run]) -> dict[str, F64]:
    outcomes = [run.outcomes() for run in runs]
    return {key: mean_over_seeds([run[key] for run in outcomes]) for key in outcomes[0]}


def _known(reduce: Callable[[list[float]], float | None], values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return reduce(known) if len(known) == len(values) else None


def _sd(values: list[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def _mean(values: F64) -> float | None:
    usable = values[np.isfinite(values)]
    return float(usable.mean()) if len(usable) else None


def _buildings(survey: SurveyArrays, truth: TruthArrays, level: I32) -> F64:
    """1 right, 0 wrong, NaN where the truth names no building."""
    named = [survey.radio_map.levels[at].building if at >= 0 else None for at in level.tolist()]
    return np.array(
        [np.nan if true is None else float(found == true) for found, true in zip(named, truth.building, strict=True)]
    )
