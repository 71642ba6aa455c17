"""``atrium heal`` and ``atrium models``: a venue's model kept up to date, and the way back."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from fingerprints.errors import ScanFormatError
from fingerprints.scan import LabelledScan, Scan
from fingerprints.wire import decode_json, to_scan
from kernel.ids import VenueId
from runtime.cli.terminal import AsJson, DataDir, VenueOption, print_json, print_table, progress, say
from runtime.clocks import SystemClock
from runtime.errors import VenueFileError
from runtime.home import Home, open_home
from runtime.records.learning_samples import StoredPlaces
from runtime.records.tenants import DEFAULT_TENANT
from runtime.survey_files import SurveyFormat, open_lines, read_survey
from runtime.tag_places import zone_of
from runtime.venue_store import check_venue_id

_SHOWN = 20


def heal(
    venue_id: VenueOption,
    path: Annotated[
        Path | None,
        typer.Argument(metavar="CONFIRMED.ndjson", help="Scans with their store, as `atrium survey convert` writes"),
    ] = None,
    from_tills: Annotated[
        bool, typer.Option("--from-tills", help="What payments and redemptions confirmed, on days that are over")
    ] = False,
    unlabelled: Annotated[
        Path | None, typer.Option("--unlabelled", help="Scans of all stores: the model's own sure answers heal too")
    ] = None,
    judged: Annotated[
        Path | None,
        typer.Option("--judge", help="Confirmed scans of other days to judge by (default: the newest days)"),
    ] = None,
    promote: Annotated[bool, typer.Option("--promote", help="Let the candidate serve, where no store loses")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Heal a venue's model: radios born, moved and dead, new scans beside the survey's. Judged before it may serve.

    Without --promote nothing is stored. With it, a candidate that may not serve makes the exit code 1.
    """
    from runtime.healing import heal_stored, promote_stored

    if path is None and not from_tills:
        raise typer.BadParameter("expected CONFIRMED.ndjson, or --from-tills, or both")
    home = open_home(data_dir)
    chosen = check_venue_id(venue_id)
    confirmed = [] if path is None else _read_labelled(path)
    places = StoredPlaces(home.database, DEFAULT_TENANT, lambda: _today(home, chosen)) if from_tills else None
    scans = [] if unlabelled is None else _read_scans(unlabelled)
    judges = None if judged is None else _read_labelled(judged)
    with progress("healing", 1.0) as advance:
        report = heal_stored(
            home, chosen, confirmed, scans, judges, lambda what, share: advance(share, what=what), places
        )
    is_promoted = promote and report.is_promotable
    if is_promoted:
        promote_stored(home, chosen, report)
    told = report.to_json()
    if as_json:
        print_json(told | {"promoted": is_promoted})
    else:
        decisions = told.pop("decisions")
        labels = told.pop("labels")
        rows = [(name.replace("_", " "), value) for name, value in told.items()]
        rows += [(f"labels {name.replace('_', ' ')}", _round(value)) for name, value in labels.items()]
        print_table(f"A candidate for {chosen}", ("", ""), rows, "nothing")
        columns = ("stores", "judged scans", "present", "candidate", "gain", "95 %", "")
        for kind, decision in decisions.items():
            lines = [
                (g["name"], g["n"], *(_percent(g[k]) for k in ("present", "candidate", "gain")), *_ends(g))
                for g in decision["groups"]
            ]
            print_table(f"{kind} locator: {decision['reason']}", columns, lines, "no confirmed scan of another day")
    if is_promoted:
        say(f"promoted; `atrium models --venue {chosen} --roll-back` takes it back")
    elif report.is_promotable:
        say("it may serve: again with --promote")
    else:
        say("[yellow]it may not serve[/]")
        if promote:
            raise typer.Exit(1)


def models(
    venue_id: VenueOption,
    roll_back: Annotated[
        bool, typer.Option("--roll-back", help="Let the version serve again that the live one replaced")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List the versions of a venue's model that are kept; or take the last one back."""
    home = open_home(data_dir)
    chosen = check_venue_id(venue_id)
    venue = home.venues.load_venue(DEFAULT_TENANT, chosen)
    versions = home.venues.versions(DEFAULT_TENANT, chosen)
    if roll_back:
        from positioning.bundle import from_bytes

        former = versions.roll_back(lambda data: from_bytes(data, venue))
        say(f"version {former.number} serves again")
    live = versions.live()
    rows = [
        {
            "version": version.number,
            "kind": version.kind,
            "replaced": version.replaced,
            "is_live": live is not None and version.number == live.number,
            "note": version.note,
            "sha256": version.sha256,
        }
        for version in versions.all()
    ]
    if as_json:
        print_json(rows)
        return
    print_table(
        f"Versions of the model of {chosen}",
        ("version", "made", "replaced", "live", "of", "sha256"),
        [
            (r["version"], r["kind"], r["replaced"], "live" if r["is_live"] else "", r["note"], str(r["sha256"])[:12])
            for r in rows
        ],
        f"No model yet: atrium train --venue {chosen}",
    )


def _today(home: Home, venue_id: VenueId) -> date:
    """The day it is at the venue."""
    return SystemClock().now().astimezone(zone_of(home.venues.time_zone(DEFAULT_TENANT, venue_id))).date()


def _read_labelled(path: Path) -> list[LabelledScan]:
    read = read_survey(path, SurveyFormat.NDJSON)
    for bad in read.bad_lines[:_SHOWN]:
        say(f"[yellow]bad line[/] {bad.file}:{bad.number}: {bad.reason}")
    return list(read.scans)


def _read_scans(path: Path) -> list[Scan]:
    scans, n_bad = list[Scan](), 0
    for line in open_lines(path, iter(())):
        if line.strip():
            try:
                scans.append(to_scan(decode_json(line)))
            except ScanFormatError:
                n_bad += 1
    if n_bad:
        say(f"[yellow]{n_bad} lines of {path.name} were not scans[/]")
    if not scans:
        raise VenueFileError(f"no line of {path} is a scan")
    return scans


def _ends(group: dict[str, object]) -> tuple[str, object]:
    interval = group["interval"]
    told = "–" if not isinstance(interval, tuple) else f"{_percent(interval[0])} to {_percent(interval[1])}"
    return told, group["verdict"]


def _percent(share: object) -> object:
    return f"{100.0 * share:.1f}" if isinstance(share, float) else share


def _round(value: object) -> object:
    return f"{value:.3f}" if isinstance(value, float) else value
