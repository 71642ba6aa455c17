"""``atrium venue`` and ``atrium survey``: maps and fingerprints in and out."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from fingerprints.readers import SurveyRead
from fingerprints.wire import scan_to_json
from kernel.ids import VenueId
from runtime.cli.survey_tables import print_quality
from runtime.cli.terminal import AsJson, DataDir, VenueOption, make_group, print_json, print_table, progress, say
from runtime.clocks import SystemClock
from runtime.errors import UnknownVenueError, UntrainedVenueError, VenueFileError
from runtime.files import write_whole
from runtime.home import Home, open_home
from runtime.records.tenants import DEFAULT_TENANT
from runtime.survey_files import SurveyFormat, read_survey
from runtime.venue_files import VenueFormat, read_map
from runtime.venue_store import check_venue_id, list_venues
from runtime.venue_zones import check_time_zone
from venues.faults import Fault

venue = make_group("Maps: import, list, export.")
survey = make_group("Surveys: import, convert, report.")

Walks = Annotated[Path | None, typer.Option("--walks", help="Take only the walks named in this file, one a line")]
NotWalks = Annotated[Path | None, typer.Option("--not-walks", help="Leave out the walks named in this file")]
Format = Annotated[SurveyFormat, typer.Option("--format", help="How the survey is written")]
_SHOWN = 20
_SAID = {True: "yes", False: "no", None: "UTC (none known)"}


@venue.command("import")
def import_venue(
    path: Annotated[Path, typer.Argument(help="An IMDF archive (zip), or a folder in the XYZ10 layout")],
    map_format: Annotated[VenueFormat, typer.Option("--format", help="How the map is written")],
    venue_id: Annotated[str | None, typer.Option("--id", help="The venue's id [default: the path's name]")] = None,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Leave out faulty features and what hangs on them")
    ] = False,
    time_zone: Annotated[
        str | None,
        typer.Option(
            "--time-zone",
            metavar="ZONE",
            help="IANA name, such as Asia/Shanghai: a day there begins at 04:00 [default: the one known, else UTC]",
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Import a map; an earlier one of the same id is replaced, store ids stay."""
    chosen = check_venue_id(venue_id or path.name.partition(".")[0].lower())
    zone = None if time_zone is None else check_time_zone(time_zone)
    read = read_map(path, map_format, lenient=lenient)
    _tell_faults(read.faults)
    home = open_home(data_dir)
    with home.database.write() as connection:
        imported = home.venues.save_map(
            connection, DEFAULT_TENANT, chosen, read.archive, map_format.value, SystemClock().now(), zone
        )
    say(
        f"venue [bold]{chosen}[/]: {imported.name}, {len(imported.levels)} levels, {len(imported.stores)} stores, "
        f"{len(imported.units)} units" + (f"; {len(read.faults)} faults left out" if read.faults else "")
    )
    if imported.time_zone is None:
        say("time zone: none known, UTC is assumed (days begin at 04:00 UTC); import again with --time-zone ZONE")
    else:
        say(f"time zone: {imported.time_zone}")


@venue.command("list")
def show_venues(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the venues there are, and how far each has come."""
    home = open_home(data_dir)
    with home.database.read() as connection:
        rows = list_venues(connection, DEFAULT_TENANT)
    shown = [
        {
            "id": row.id,
            "name": row.name,
            "levels": row.n_levels,
            "stores": row.n_stores,
            "time_zone": _zone_of(home, row.id),
            "surveyed": home.venues.survey_path(DEFAULT_TENANT, row.id).exists(),
            "trained": home.venues.model_path(DEFAULT_TENANT, row.id).exists(),
        }
        for row in rows
    ]
    if as_json:
        print_json(shown)
        return
    print_table(
        "Venues",
        ("id", "name", "levels", "stores", "time zone", "surveyed", "trained"),
        [[_SAID.get(v, v) if v is None or isinstance(v, bool) else v for v in row.values()] for row in shown],
        "No venue yet. `atrium venue import PATH --format imdf|xyz10` brings one, `atrium demo` makes one.",
    )


@venue.command("export")
def export_venue(
    venue_id: Annotated[str, typer.Argument(help="The venue's id")],
    target: Annotated[Path, typer.Argument(help="The IMDF archive to write")],
    data_dir: DataDir = None,
) -> None:
    """Write a venue as an IMDF archive."""
    home = open_home(data_dir)
    path = home.venues.map_path(DEFAULT_TENANT, _known(home, venue_id))
    if not path.exists():
        raise UntrainedVenueError(f"venue {venue_id} has no map to export")
    try:
        write_whole(target, path.read_bytes())
    except OSError as error:
        raise VenueFileError(f"cannot write {target}: {error.strerror}") from error
    say(f"wrote {target}")


@survey.command("import")
def import_survey(
    path: Annotated[Path, typer.Argument(help="The survey: a file, or a folder in the XYZ10 layout")],
    venue_id: VenueOption,
    survey_format: Format,
    walks: Walks = None,
    not_walks: NotWalks = None,
    data_dir: DataDir = None,
) -> None:
    """Import labelled scans for a venue; an earlier survey of it is replaced."""
    chosen = check_venue_id(venue_id)
    read = read_survey(path, survey_format, walks=walks, not_walks=not_walks)
    _tell_read(read)
    home = open_home(data_dir)
    with home.database.write() as connection:
        if not home.venues.exists(connection, DEFAULT_TENANT, chosen):
            home.venues.save_bare(connection, DEFAULT_TENANT, chosen, survey_format.value, SystemClock().now())
            say(f"there was no venue {chosen}: made one without polygons (positions only, no stores)")
    home.venues.save_survey(DEFAULT_TENANT, chosen, _lines(read))
    say(f"venue [bold]{chosen}[/]: {len(read.scans)} scans of {len({s.walk for s in read.scans})} walks")


@survey.command("convert")
def convert_survey(
    path: Annotated[Path, typer.Argument(help="The survey: a file, or a folder in the XYZ10 layout")],
    target: Annotated[Path, typer.Argument(help="The NDJSON file to write")],
    survey_format: Format,
    walks: Walks = None,
    not_walks: NotWalks = None,
    steps: Annotated[Path | None, typer.Option("--steps", help="Steps of the walks (XYZ10)")] = None,
) -> None:
    """Write labelled scans of any format as NDJSON, one scan a line, as the API and `evaluate` take them."""
    read = read_survey(path, survey_format, walks=walks, not_walks=not_walks, steps=steps)
    _tell_read(read)
    try:
        write_whole(target, b"".join(line + b"\n" for line in _lines(read)))
    except OSError as error:
        raise VenueFileError(f"cannot write {target}: {error.strerror}") from error
    say(f"wrote {len(read.scans)} scans to {target}")


@survey.command("report")
def report_survey(
    venue_id: VenueOption,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Also write report.html, with a plan of each level, and report.json"),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """What a venue's survey covers, what it lets one expect, which stores will be confused, where to survey more.

    Expected figures are of survey scans located without their own walk: training is done for it, nothing is stored.
    """
    from runtime.models import load_survey
    from runtime.survey_page import quality_html, quality_json
    from runtime.survey_quality import judge_stored

    home = open_home(data_dir)
    chosen = _known(home, venue_id)
    with progress("training without each walk", 1.0) as advance:
        quality, venue = judge_stored(home, chosen, lambda what, share: advance(share, what=what))
    plain = quality_json(quality)
    if out is not None:
        page = quality_html(quality, load_survey(home, chosen), venue, venue_id=chosen)
        try:
            write_whole(out / "report.json", json.dumps(plain, ensure_ascii=False, indent=2).encode())
            write_whole(out / "report.html", page.encode())
        except OSError as error:
            raise VenueFileError(f"cannot write to {out}: {error.strerror}") from error
        say(f"wrote {out / 'report.html'} and report.json")
    if as_json:
        print_json(plain)
        return
    print_quality(quality)


def _zone_of(home: Home, venue_id: VenueId) -> str | None:
    try:
        return home.venues.time_zone(DEFAULT_TENANT, venue_id)
    except VenueFileError:
        return None  # a map that cannot be read keeps no other venue from being listed


def _known(home: Home, venue_id: str) -> VenueId:
    with home.database.read() as connection:
        if not home.venues.exists(connection, DEFAULT_TENANT, check_venue_id(venue_id)):
            raise UnknownVenueError(venue_id)
    return VenueId(venue_id)


def _lines(read: SurveyRead) -> list[bytes]:
    encode = msgspec.json.Encoder().encode
    with progress("writing", len(read.scans)) as advance:
        lines = []
        for index, held in enumerate(read.scans):
            lines.append(encode(scan_to_json(held.scan, held.truth, held.walk)))
            if index % 500 == 0:
                advance(index)
    return lines


def _tell_read(read: SurveyRead) -> None:
    for bad in read.bad_lines[:_SHOWN]:
        say(f"[yellow]bad line[/] {bad.file}:{bad.number}: {bad.reason}")
    if len(read.bad_lines) > _SHOWN:
        say(f"[yellow]and {len(read.bad_lines) - _SHOWN} more bad lines[/]")
    for left in read.left_out:
        say(f"left out: {left.count} {left.reason}")


def _tell_faults(faults: tuple[Fault, ...]) -> None:
    for fault in faults[:_SHOWN]:
        say(f"[yellow]fault[/] {fault.file} {fault.feature_id or ''} {fault.code}: {fault.message}")
    if len(faults) > _SHOWN:
        kinds = Counter(fault.code for fault in faults)
        say(f"[yellow]{len(faults)} faults in all:[/] " + ", ".join(f"{n} {code}" for code, n in kinds.most_common()))
