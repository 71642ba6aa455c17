"""What is wrong with a survey, what to do about it, and what to expect: the pieces brought together.

``coverage`` is of the survey alone, ``forecast`` of its held-out answers. A warning names what was found and what to
do; next steps are places to send a surveyor to, the most useful first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from fingerprints.coverage import NEAR_M, Coverage, measure_coverage
from fingerprints.scan import LabelledScan
from fingerprints.survey_report import SurveyReport, survey_report
from positioning.expected_error import ErrorField, learn_error_field
from positioning.forecast import Forecast, StoreForecast, forecast
from positioning.train import TrainedVenue
from venues.index import VenueIndex
from venues.model import Venue

_FEW_SCANS = 6
"""Scans inside a store under which its neighbours' votes outweigh its own (simulated: docs/algorithms/survey.md)."""
_FEW_WALKS = 3
_POOR_TOP1 = 0.7
_COVERED_SHARE = 0.8
_MOST_STEPS = 40


class WarningCode(StrEnum):
    """What can be wrong with a survey."""

    TOO_SMALL = "too_small"
    NOTHING_HELD_OUT = "nothing_held_out"
    NO_MAP = "no_map"
    ONE_WALK_A_STORE = "one_walk_a_store"
    FEW_SCANS_A_STORE = "few_scans_a_store"
    STORES_NOT_SURVEYED = "stores_not_surveyed"
    NEVER_INSIDE = "never_inside"
    LEVEL_NOT_SURVEYED = "level_not_surveyed"
    LEVEL_NOT_ON_MAP = "level_not_on_map"
    GROUND_NOT_COVERED = "ground_not_covered"
    FEW_NAMED_WALKS = "few_named_walks"
    ONE_PHONE = "one_phone"


@dataclass(frozen=True, slots=True)
class SurveyWarning:
    """One of them, in words, with what to do."""

    code: WarningCode
    text: str


@dataclass(frozen=True, slots=True)
class NextStep:
    """Where to survey more, and why. ``lat_deg`` and ``lon_deg`` say where to stand."""

    level: str
    place: str
    why: str
    lat_deg: float
    lon_deg: float


@dataclass(frozen=True, slots=True)
class SurveyQuality:
    """The whole report; parts that need a map or a trained model are None without."""

    counts: SurveyReport
    coverage: Coverage | None
    forecast: Forecast | None
    field: ErrorField | None
    warnings: tuple[SurveyWarning, ...]
    next_steps: tuple[NextStep, ...]


def judge_survey(
    survey: Sequence[LabelledScan], venue: Venue | None, trained: TrainedVenue | None, *, rng: np.random.Generator
) -> SurveyQuality:
    """Judge a survey.

    Args:
        trained: what training made of it; None where it was too small to train on.
        rng: resamples walks for the intervals.
    """
    index = None if venue is None else VenueIndex(venue)
    counts = survey_report(survey, venue, index)
    coverage = None if venue is None else measure_coverage(survey, venue, index)
    foreseen, field = None, None
    if trained is not None and trained.is_held_out:
        foreseen = forecast(trained.held_out, trained.model.radio_map.levels, venue, rng=rng)
        truth = trained.held_out.inside if foreseen.judged == "inside" else trained.held_out.front
        field = learn_error_field(trained.model.radio_map, trained.held_out, truth)
    return SurveyQuality(
        counts,
        coverage,
        foreseen,
        field,
        tuple(_warnings(counts, coverage, trained)),
        () if venue is None or coverage is None else tuple(_next_steps(venue, coverage, foreseen)[:_MOST_STEPS]),
    )


def _warnings(counts: SurveyReport, coverage: Coverage | None, trained: TrainedVenue | None) -> list[SurveyWarning]:
    found: list[tuple[WarningCode, str]] = []
    if trained is None:
        found.append((WarningCode.TOO_SMALL, "Nothing in this survey can be matched: no model can be trained on it."))
    elif not trained.is_held_out:
        found.append(
            (
                WarningCode.NOTHING_HELD_OUT,
                "All scans are of one spot or walk, and no other hears the same radios: nothing can be left out, so "
                "nothing can be foreseen. Walk again, elsewhere too.",
            )
        )
    elif trained.hold_out.is_thin:
        share = f"{100 * trained.hold_out.only_walk_share:.0f} % of the scans inside stores"
        found.append(
            (
                WarningCode.ONE_WALK_A_STORE,
                f"{share} are of stores that a single walk entered. Left out by whole walks, such a store is gone from "
                "the map, and nothing is learnt of it; pieces of the walk were left out instead. Near copies stay on "
                "the map then: the shares expected of stores may be off either way (1 to 5 points low in simulation). "
                "Walk each store again, with another phone.",
            )
        )
    if coverage is None:
        found.append((WarningCode.NO_MAP, "The venue has no map: stores and walkable ground cannot be judged."))
    else:
        found += _coverage_warnings(counts, coverage)
    if counts.n_walks < 5:
        found.append(
            (
                WarningCode.FEW_NAMED_WALKS,
                f"{counts.n_walks} walks are named. Under five, scans are held out by spot, which may flatter. "
                "Name them.",
            )
        )
    if counts.n_phones <= 1:
        found.append(
            (
                WarningCode.ONE_PHONE,
                "One phone surveyed, as far as the scans tell. Other phones hear a few dB more or less: use two "
                "or more.",
            )
        )
    return [SurveyWarning(code, text) for code, text in found]


def _coverage_warnings(counts: SurveyReport, coverage: Coverage) -> list[tuple[WarningCode, str]]:
    found: list[tuple[WarningCode, str]] = []
    missed = [store for store in coverage.stores if store.n_scans == 0]
    surveyed = [store.n_scans for store in coverage.stores if store.n_scans > 0]
    if coverage.stores and not coverage.goes_inside:
        found.append(
            (
                WarningCode.NEVER_INSIDE,
                "The survey hardly went into stores. It can tell which front a phone is before, not whether it is "
                "inside.",
            )
        )
    if missed:
        how = "inside" if coverage.goes_inside else "before"
        found.append(
            (
                WarningCode.STORES_NOT_SURVEYED,
                f"{len(missed)} of {len(coverage.stores)} stores have no scan {how}: phones there will "
                "mostly be told a neighbour's name. One walk through each is worth more than any density elsewhere.",
            )
        )
    if coverage.goes_inside and surveyed and float(np.median(surveyed)) < _FEW_SCANS:
        found.append(
            (
                WarningCode.FEW_SCANS_A_STORE,
                f"The median store has {np.median(surveyed):.0f} scans inside. Take a dozen or more, all over it.",
            )
        )
    on_map = {level.level for level in coverage.levels}
    for level in coverage.levels:
        if level.n_scans == 0:
            text = f"Level {level.level} has no scan: phones there will be told another level."
            found.append((WarningCode.LEVEL_NOT_SURVEYED, text))
        elif level.covered_share is not None and level.covered_share < _COVERED_SHARE:
            text = (
                f"On {level.level}, {100 * (1 - level.covered_share):.0f} % of the {level.walkable_m2:,.0f} m² where "
                f"visitors walk are farther than {NEAR_M:g} m from any scan."
            )
            found.append((WarningCode.GROUND_NOT_COVERED, text))
    for row in counts.levels:
        if not row.is_on_map and row.level not in on_map:
            text = f"{row.n_scans} scans are on level {row.level}, which the map has not."
            found.append((WarningCode.LEVEL_NOT_ON_MAP, text))
    return found


def _next_steps(venue: Venue, coverage: Coverage, foreseen: Forecast | None) -> list[NextStep]:
    """Stores nobody surveyed, then gaps in the ground by size, then stores walked little that are taken for others."""
    by_id = {store.id: store for store in venue.stores}
    expected: dict[str, StoreForecast] = {} if foreseen is None else {s.store_id: s for s in foreseen.stores}
    missed, poor = [], list[tuple[float, NextStep]]()
    for ground in coverage.stores:
        store = by_id[ground.store_id]
        lon_deg, lat_deg = venue.frame.to_lon_lat_deg((store.display_point.x, store.display_point.y)).tolist()
        if ground.n_scans == 0:
            near = "" if ground.nearest_m is None else f"; the nearest scan is {ground.nearest_m:.0f} m away"
            missed.append(NextStep(ground.level, ground.store_name, f"not surveyed{near}", lat_deg, lon_deg))
            continue
        told = expected.get(ground.store_id)
        if told is None or told.expected_top1 is None:
            continue
        if told.expected_top1 < _POOR_TOP1 and ground.n_walks < _FEW_WALKS:
            others = ", ".join(name for _, name, _ in told.taken_for)
            why = f"right in {100 * told.expected_top1:.0f} % and walked {_times(ground.n_walks)}" + (
                f"; taken for {others}" if others else ""
            )
            poor.append((told.expected_top1, NextStep(ground.level, ground.store_name, why, lat_deg, lon_deg)))
    gaps = [
        NextStep(
            gap.level,
            f"near {', '.join(gap.near)}" if gap.near else "open ground",
            f"{gap.area_m2:,.0f} m² that no walk came near"
            + ("" if gap.farthest_m is None else f", up to {gap.farthest_m:.0f} m away"),
            gap.lat_deg,
            gap.lon_deg,
        )
        for gap in coverage.gaps
    ]
    return [*missed, *gaps, *(step for _, step in sorted(poor, key=lambda pair: pair[0]))]


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")
