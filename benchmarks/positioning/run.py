"""The flow of the bench: read, split, compile, run each method for each seed, compare, tabulate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks.positioning.arrays import read_survey_arrays, read_truth
from benchmarks.positioning.bootstrap import RESAMPLES, Walks
from benchmarks.positioning.measure import Measured, Run, run_method, score, summarise_runs
from benchmarks.positioning.method import Method
from benchmarks.positioning.registry import choose_methods
from benchmarks.positioning.splits import Split, count_walks, number_groups, split_by_file, split_by_walk
from benchmarks.positioning.table import to_json, to_markdown, to_rows
from runtime.survey_files import SurveyFormat, read_survey
from venues.model import Venue

Tell = Callable[[float, float, str], None]
"""Told how many runs are done, of how many, and what goes on."""
_FEW_WALKS = 20


@dataclass(frozen=True, slots=True)
class Comparison:
    """All methods on one split; ``facts`` say what was compared, ``notes`` what to mind."""

    title: str
    facts: dict[str, Any]
    measured: tuple[Measured, ...]
    notes: tuple[str, ...] = ()
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain values only."""
        return {**self.facts, "notes": list(self.notes), "methods": to_json(self.measured)}

    def to_markdown(self) -> str:
        """The table as GitHub shows it."""
        return to_markdown(self.title, self.columns, self.rows, self.notes)


def run(
    path: Path, *, test: Path | None, venue: Venue | None, methods: Sequence[str], seeds: Sequence[int], tell: Tell
) -> Comparison:
    """Compare methods on one labelled file, or on a survey and a test file.

    Raises:
        SettingsError: a method that does not exist.
        VenueFileError: a file that cannot be read or split.
        SurveyFormatError: a file without one good labelled scan.
        SurveyTooSmallError: a survey whose scans share no transmitter.
    """
    chosen, notes = choose_methods(methods)
    tell(0, 1, "reading")
    split, bad_lines = _read_split(path, test)
    compared = compare(split, venue, chosen, seeds, tell)
    columns, rows = to_rows(compared)
    n_groups = len(set(number_groups(split.test).tolist()))
    n_with_store = max(item.n_with_store for item in compared)
    facts = {
        "split": split.rule,
        "venue": None if venue is None else venue.id,
        "n_survey_scans": len(split.survey),
        "n_survey_walks": count_walks(split.survey),
        "n_test_scans": len(split.test),
        "n_test_walks": count_walks(split.test),
        "resamples": RESAMPLES,
        "reference": compared[0].name,
        "seeds": list(seeds),
    }
    title = (
        f"{path.name}: {facts['n_survey_scans']:,} survey scans of {facts['n_survey_walks']} walks,"
        f" {facts['n_test_scans']:,} test scans of {facts['n_test_walks']} walks"
    )
    if n_with_store and n_with_store < len(split.test):
        title += f", {n_with_store:,} with a store"
    if n_groups < _FEW_WALKS:
        notes += (f"{n_groups} walks in the test: intervals from so few are rough",)
    if bad_lines:
        notes += (f"{bad_lines} bad lines left out",)
    return Comparison(title, facts, compared, notes, columns, rows)


def compare(
    split: Split, venue: Venue | None, methods: Sequence[type[Method]], seeds: Sequence[int], tell: Tell
) -> tuple[Measured, ...]:
    """Run the methods, the first of which is the reference; one thread."""
    survey = read_survey_arrays(split.survey, venue)
    truth = read_truth(survey, split.test)
    group = number_groups(split.test)
    scans = [item.scan for item in split.test]
    count = partial(score, survey, truth, group)
    walks = Walks(group)
    plan = [(method, seed) for method in methods for seed in (seeds if method.has_chance else seeds[:1])]
    runs: dict[str, list[Run]] = {}
    with threadpool_limits(limits=1):
        for done, (method, seed) in enumerate(plan):
            now = partial(tell, done, len(plan))
            runs.setdefault(method.name, []).append(run_method(method, seed, survey, scans, count, now))
    tell(len(plan), len(plan), "resampling walks")
    reference = runs[methods[0].name]
    return tuple(
        summarise_runs(method.name, seeds if method.has_chance else (), runs[method.name], reference, walks)
        for method in methods
    )


def _read_split(path: Path, test: Path | None) -> tuple[Split, int]:
    read = read_survey(path, SurveyFormat.NDJSON)
    if test is None:
        return split_by_walk(read.scans, path.name), len(read.bad_lines)
    other = read_survey(test, SurveyFormat.NDJSON)
    return split_by_file(read.scans, other.scans, path.name, test.name), len(read.bad_lines) + len(other.bad_lines)
