"""``atrium train``, ``locate`` and ``evaluate``: a venue's model made, used and measured."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from fingerprints.errors import ScanFormatError
from fingerprints.scan import Scan
from fingerprints.wire import decode_json, to_scan
from flow.answers import located_json
from positioning.ports import Locator
from runtime.cli.terminal import AsJson, DataDir, VenueOption, print_json, print_table, progress, say
from runtime.errors import SettingsError, VenueFileError
from runtime.home import open_home
from runtime.settings import LocatorKind
from runtime.survey_files import SurveyFormat, open_lines, read_survey
from runtime.venue_store import check_venue_id

_BATCH = 1_000
LocatorOption = Annotated[LocatorKind, typer.Option("--locator", help="full: with the ranker; light: without")]


def train(venue_id: VenueOption, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Compile a venue's survey into its radio map, fit the calibration, print the quality on held-out survey."""
    from runtime.training import train_stored

    home = open_home(data_dir)
    with progress("training", 1.0) as advance:
        trained = train_stored(home, check_venue_id(venue_id), lambda what, share: advance(share, what=what))
    quality = msgspec.to_builtins(trained.quality)
    if not trained.is_held_out:
        say("[yellow]nothing of this survey could be held out[/]: the figures are of scans that found themselves")
    if as_json:
        print_json(quality)
        return
    rows = [(name.replace("_", " "), value) for name, value, _ in _pairs(quality, None)]
    print_table(f"Quality of {venue_id} on held-out survey walks", ("figure", "value"), rows, "no figure")


def locate(
    venue_id: VenueOption,
    path: Annotated[
        Path | None, typer.Argument(help="Scans, one JSON object a line; - or nothing: standard input")
    ] = None,
    locator: LocatorOption = "light",
    data_dir: DataDir = None,
) -> None:
    """Answer scans: a line in, a line out, in order. A bad line is answered in its place and makes the exit code 1.

    So does no line at all.
    """
    from runtime.models import load_model
    from runtime.rankers import make_locator

    home = open_home(data_dir)
    answering = make_locator((load_model(home, check_venue_id(venue_id)),), locator)
    n_bad, n_lines, batch = 0, 0, list[bytes]()
    for line in open_lines(path, iter(sys.stdin.buffer)):
        if line.strip():
            batch.append(line)
            n_lines += 1
        if len(batch) >= _BATCH:
            n_bad += _answer_lines(answering, batch)
            batch.clear()
    n_bad += _answer_lines(answering, batch)
    if not n_lines:
        raise VenueFileError("no line is a scan")
    if n_bad:
        say(f"[yellow]{n_bad} lines were not scans[/]")
        raise typer.Exit(1)


def _answer_lines(locator: Locator, lines: list[bytes]) -> int:
    """Write an answer a line; how many were no scans."""
    read: list[Scan | ScanFormatError] = []
    for line in lines:
        try:
            read.append(to_scan(decode_json(line)))
        except ScanFormatError as error:
            read.append(error)
    scans = [scan for scan in read if not isinstance(scan, ScanFormatError)]
    found = iter(locator.locate(scans))
    for scan in read:
        if isinstance(scan, ScanFormatError):
            problem = {"code": scan.code, "field": scan.field, "detail": scan.detail}
            told: dict[str, object] = {"scan_id": None, "error": problem}
        else:
            told = {"scan_id": scan.scan_id, **located_json(next(found))}
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()
    return len(read) - len(scans)


def evaluate(
    venue_id: VenueOption,
    path: Annotated[Path, typer.Argument(help="Labelled scans (`atrium survey convert` writes them)")],
    causal: Annotated[bool, typer.Option("--causal", help="Also track each walk, as the live path does")] = False,
    lag_s: Annotated[
        float | None, typer.Option("--lag", min=0, help="Also track, seeing these seconds ahead: not causal")
    ] = None,
    whole_walk: Annotated[bool, typer.Option("--whole-walk", help="Also track, seeing all scans: not causal")] = False,
    no_steps: Annotated[bool, typer.Option("--no-steps", help="Track without the phones' steps")] = False,
    locator: LocatorOption = "light",
    stores: Annotated[
        Path | None, typer.Option("--stores", help="CSV of a labelled space and its zone: rank zones, without a map")
    ] = None,
    simulated_ranker: Annotated[
        bool, typer.Option("--simulated-ranker", help="With --stores: the ranker trained on simulated malls alone")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Measure a venue's locator on labelled scans, the plain WKNN reference beside it.

    Tracked figures stand beside the single scans', with what tracking gained, paired by scan.
    """
    from positioning.evaluate import evaluate as measure
    from positioning.evaluate_track import evaluate_track
    from positioning.track.tracker import Tracker
    from runtime.models import load_model
    from runtime.rankers import SHIPPED, SIMULATED_ONLY, load_ranker, make_locator, name_ranker
    from runtime.zone_files import evaluate_stored_zones

    if stores is None and simulated_ranker:
        raise SettingsError("--simulated-ranker needs --stores: a venue's model is fitted to the ranker that ships")
    if stores is not None and (causal or lag_s is not None or whole_walk):
        raise SettingsError("--stores ranks zones of single scans; it takes no --causal, --lag or --whole-walk")
    home = open_home(data_dir)
    model = load_model(home, check_venue_id(venue_id))
    read = read_survey(path, SurveyFormat.NDJSON)
    for bad in read.bad_lines[:20]:
        say(f"[yellow]bad line[/] {bad.file}:{bad.number}: {bad.reason}")
    lags = [timedelta(0)] if causal else []
    lags += [] if lag_s is None or lag_s == 0 else [timedelta(seconds=lag_s)]
    ranker = load_ranker(SIMULATED_ONLY if simulated_ranker else SHIPPED) if locator == "full" else None
    said = None if ranker is None else name_ranker(ranker)
    answering, tracker = make_locator((model,), "light" if stores is not None else locator), Tracker((model,))
    with progress("locating and measuring"):
        figures = (
            measure(answering, model, read.scans, ranker=said)
            if stores is None
            else evaluate_stored_zones(home, model, stores, read.scans, ranker, said)
        ).to_json()
        tracked = [
            evaluate_track(answering, tracker, model, read.scans, lag=lag, with_steps=not no_steps).to_json()
            for lag in [*lags, *([None] if whole_walk else [])]
        ]
    if as_json:
        print_json(figures | ({"tracked": tracked} if tracked else {}))
        return
    baseline = figures.pop("baseline")
    rows = _pairs(figures, baseline)
    print_table(f"{venue_id}: {path.name}", ("figure", "Atrium", "plain WKNN"), rows, "no figure")
    for found in tracked:
        motion = "with steps" if found.pop("uses_steps") else "without steps"
        seen = str(found.pop("seen")) + ("" if found.pop("is_causal") else " (not causal)")
        print_table(f"tracked, {motion}: {seen}", ("figure", "tracked", "single scans"), _pairs(found, figures), "")


def _pairs(mine: dict[str, object], other: object, prefix: str = "") -> list[tuple[str, object, object]]:
    rows: list[tuple[str, object, object]] = []
    for name, value in mine.items():
        beside = other.get(name) if isinstance(other, dict) else None
        if isinstance(value, dict):
            rows += _pairs(value, beside, f"{prefix}{name} ")
        elif name == "risk_coverage":
            rows += _risk_rows(value, beside, prefix)
        else:
            rows.append((prefix + name, _round(value), _round(beside)))
    return rows


def _risk_rows(mine: object, other: object, prefix: str) -> list[tuple[str, object, object]]:
    """A line for each level of sureness: percent of the scans, and percent of those right."""
    told = [
        {row["at_least"]: f"{_round(row['answered_percent'])}, {_round(row['right_percent'])}" for row in rows}
        for rows in (mine, other)
        if isinstance(rows, list | tuple)
    ]
    beside = told[1] if len(told) > 1 else {}
    return [(f"{prefix}sure of {level:g}: %, right %", value, beside.get(level)) for level, value in told[0].items()]


def _round(value: object) -> object:
    if isinstance(value, list):
        return ", ".join(str(_round(item)) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else value
