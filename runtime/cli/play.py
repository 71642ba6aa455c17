"""``atrium replay``: recorded days."""

import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from kernel.clock import EPOCH
from members.device import Purpose
from runtime.cli.terminal import AsJson, DataDir, VenueOption, print_json, print_table, progress, say
from runtime.errors import SettingsError, VenueFileError
from runtime.files import write_whole
from runtime.home import Home, open_home
from runtime.records.tenants import DEFAULT_TENANT
from runtime.settings import LocatorKind
from runtime.survey_files import open_lines, read_file
from runtime.venue_store import check_venue_id


def replay(
    venue_id: VenueOption,
    path: Annotated[Path | None, typer.Argument(help="Scans, one a line; - or nothing: standard input")] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="Write replies, events, deliveries here")] = None,
    consent: Annotated[str, typer.Option("--consent", help="Given to every phone for this run")] = "visits,marketing",
    campaigns: Annotated[Path | None, typer.Option("--campaigns", help="Campaigns as JSON")] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="Visit rules as TOML")] = None,
    commit: Annotated[bool, typer.Option("--commit", help="Store visits, tags, deliveries, coupons")] = False,
    track: Annotated[
        bool, typer.Option("--track/--no-track", help="Better each answer by the phone's earlier scans")
    ] = True,
    locator: Annotated[LocatorKind, typer.Option("--locator", help="full: with the ranker; light: without")] = "light",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Run recorded scans through the whole flow: what would have been said and done. Stores nothing by itself."""
    from positioning.track.tracker import Tracker
    from runtime.campaign_files import read_campaigns
    from runtime.models import load_model
    from runtime.rankers import make_locator
    from runtime.replay import ReplayPlan, read_scans, summary_of
    from runtime.replay import replay as run_replay
    from scenes.rules import SceneRules, parse_rules

    home = open_home(data_dir)
    chosen = check_venue_id(venue_id)
    model = load_model(home, chosen)
    venue = home.venues.load_venue(DEFAULT_TENANT, chosen)
    plan = ReplayPlan(
        locator=make_locator((model,), locator),
        rules=SceneRules() if rules is None else parse_rules(_read_toml(rules)),
        campaigns=() if campaigns is None else read_campaigns(campaigns, chosen, venue),
        consents=_purposes(consent),
        code_key=home.keys.codes,
        tracker=Tracker((model,)) if track else None,
        zones={} if venue is None or venue.time_zone is None else {chosen: ZoneInfo(venue.time_zone)},
        sensitive={chosen: home.venues.sensitive_of(DEFAULT_TENANT, venue, chosen)},
    )
    scans, bad_lines = read_scans(open_lines(path, iter(sys.stdin.buffer)))
    for bad in bad_lines[:20]:
        say(f"[yellow]bad line[/] {bad.number}: {bad.reason}")
    if not scans:
        raise VenueFileError("no line is a scan")
    with progress("replaying", len(scans)) as advance:
        done = run_replay(scans, plan, advance)
    names = {} if venue is None else {store.id: store.name for store in venue.stores}
    summary = summary_of(done, plan, names, len(bad_lines))
    if out_dir is not None:
        _write_out(out_dir, done, summary)
    if commit:
        _commit(home, done, plan)
    if as_json:
        print_json(summary)
        return
    _print_summary(summary)


def _print_summary(summary: dict[str, Any]) -> None:
    rows: list[tuple[str, object]] = []
    for name, value in summary.items():
        if name in {"notes", "store_visits"}:
            continue
        if name == "visits":
            rows += [
                (f"{kind} visits", f"{counts['counted']} counted, {counts['not_counted']} not")
                for kind, counts in value.items()
            ]
        elif isinstance(value, dict):
            rows += [(f"{name.replace('_', ' ')}: {key}", n) for key, n in value.items()]
        else:
            rows.append((name.replace("_", " "), ", ".join(value) if isinstance(value, list) else value))
    print_table("Replay", ("", "number"), rows, "nothing")
    stores = list(summary["store_visits"].items())
    if stores:
        print_table("Counted store visits", ("store", "visits"), stores[:20], "")
    for note in summary["notes"]:
        say(f"[yellow]note:[/] {note}")


def _write_out(folder: Path, done: Any, summary: dict[str, Any]) -> None:
    import msgspec

    from runtime.replay import delivery_lines, event_lines

    files = {
        "replies.ndjson": [msgspec.json.encode(reply) for reply in done.replies],
        "events.ndjson": event_lines(done),
        "deliveries.ndjson": delivery_lines(done),
        "summary.json": [msgspec.json.format(msgspec.json.encode(summary), indent=2)],
    }
    try:
        for name, lines in files.items():
            write_whole(folder / name, b"".join(line + b"\n" for line in lines))
    except OSError as error:
        raise VenueFileError(f"cannot write to {folder}: {error.strerror}") from error
    say(f"wrote {', '.join(files)} to {folder}")


def _commit(home: Home, done: Any, plan: Any) -> None:
    from runtime.clocks import EventClock
    from runtime.commit_replay import commit_replay
    from runtime.sensitive_lists import SensitiveLists
    from runtime.services import VenueDesk
    from runtime.tag_worker import TagWorker

    commit_replay(home.database, DEFAULT_TENANT, done, plan)
    sensitive = SensitiveLists(home.venues).of
    TagWorker(
        home.database, VenueDesk(home.venues), EventClock(done.last_at or EPOCH), sensitive=sensitive
    ).run_to_end()
    say("stored: visits, events, tags, deliveries and coupons of this replay")


def _purposes(text: str) -> tuple[Purpose, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = {purpose.value for purpose in Purpose}
    for name in names:
        if name not in known:
            raise SettingsError(f"--consent: {name!r} is not a purpose; there are {', '.join(sorted(known))}")
    return tuple(Purpose(name) for name in dict.fromkeys(names))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_file(path).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise VenueFileError(f"{path} is not TOML: {error}") from error
