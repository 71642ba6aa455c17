"""``atrium replay`` and ``atrium sim``: recorded and simulated days."""

import json
import sys
import tomllib
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from members.device import Purpose
from runtime.cli.terminal import AsJson, DataDir, VenueOption, make_group, print_json, print_table, progress, say
from runtime.errors import SettingsError, VenueFileError
from runtime.home import Home, open_home
from runtime.records.tenants import DEFAULT_TENANT
from runtime.survey_files import open_lines, read_file
from runtime.venue_store import check_venue_id, write_whole

sim = make_group("A mall, its radio and its shoppers in simulation, with the truth known.")

Seed = Annotated[int, typer.Option("--seed", min=0, help="The mall and its people")]
Target = Annotated[Path, typer.Argument(help="The file to write")]


def replay(
    venue_id: VenueOption,
    path: Annotated[Path | None, typer.Argument(help="Scans, one a line; - or nothing: standard input")] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="Write replies, events, deliveries here")] = None,
    consent: Annotated[str, typer.Option("--consent", help="Given to every phone for this run")] = "visits,marketing",
    campaigns: Annotated[Path | None, typer.Option("--campaigns", help="Campaigns as JSON")] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="Visit rules as TOML")] = None,
    commit: Annotated[bool, typer.Option("--commit", help="Store visits, deliveries and coupons")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Run recorded scans through the whole flow: what would have been said and done. Stores nothing by itself."""
    from positioning.light import LightLocator
    from runtime.campaign_files import read_campaigns
    from runtime.models import load_model
    from runtime.replay import ReplayPlan, read_scans, summary_of
    from runtime.replay import replay as run_replay
    from scenes.rules import SceneRules, parse_rules

    home = open_home(data_dir)
    chosen = check_venue_id(venue_id)
    model = load_model(home, chosen)
    venue = home.venues.load_venue(DEFAULT_TENANT, chosen)
    plan = ReplayPlan(
        locator=LightLocator((model,)),
        rules=SceneRules() if rules is None else parse_rules(_read_toml(rules)),
        campaigns=() if campaigns is None else read_campaigns(campaigns, chosen, venue),
        consents=_purposes(consent),
        code_key=home.keys.codes,
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
    from runtime.commit_replay import commit_replay

    commit_replay(home.database, DEFAULT_TENANT, done, plan)
    say("stored: visits, events, deliveries and coupons of this replay")


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


@sim.command("export-venue")
def export_venue(target: Target, seed: Seed = 1) -> None:
    """Write the simulated mall of a seed as an IMDF archive."""
    from sim.world import make_world
    from venues.imdf import write_archive

    with progress("building the mall"):
        world = make_world(seed)
    _write(target, write_archive(world.mall.archive))


@sim.command("export-survey")
def export_survey(
    target: Target,
    seed: Seed = 1,
    phones: Annotated[int, typer.Option("--phones", min=1, max=100, help="Survey phones")] = 3,
    scans_per_store: Annotated[int, typer.Option("--scans-per-store", min=1, max=1_000)] = 45,
) -> None:
    """Write a survey of the simulated mall as labelled scans."""
    from sim.export import survey_lines
    from sim.world import make_world

    with progress("walking the survey"):
        lines = list(survey_lines(make_world(seed), phones=phones, scans_per_store=scans_per_store))
    _write(target, b"".join(lines))
    say(f"{len(lines)} scans")


@sim.command("export-scans")
def export_scans(
    target: Target,
    seed: Seed = 1,
    shoppers: Annotated[int, typer.Option("--shoppers", min=1, max=5_000, help="Shoppers of the day")] = 100,
    day: Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="The day")] = None,
) -> None:
    """Write the scans of a simulated day's shoppers, with the truth."""
    from sim.dates import EARLIEST_DATE, FIRST_DAY
    from sim.export import scan_lines
    from sim.world import make_world

    on: date = FIRST_DAY if day is None else day.date()
    if on < EARLIEST_DATE:
        raise typer.BadParameter(f"the mall's days begin on {EARLIEST_DATE}", param_hint="--date")
    with progress("walking the day"):
        lines = list(scan_lines(make_world(seed), n_shoppers=shoppers, on=on))
    _write(target, b"".join(lines))
    say(f"{len(lines)} scans of {shoppers} shoppers")


@sim.command("fit")
def fit(
    venue_id: VenueOption,
    out: Annotated[Path | None, typer.Option("--out", help="Write the parameters here, as JSON")] = None,
    trials: Annotated[int, typer.Option("--trials", min=1, max=10_000, help="Parameter sets to try")] = 300,
    seed: Seed = 1,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Fit the simulator's radio model to a venue's survey: scans that are like the real ones, walk for walk."""
    from runtime.models import load_survey
    from sim.fit import fit_radio, spec_for

    home = open_home(data_dir)
    chosen = check_venue_id(venue_id)
    venue = home.venues.load_venue(DEFAULT_TENANT, chosen)
    if venue is None:
        raise VenueFileError(f"venue {chosen} has no map; import it with: atrium venue import FILE --id {chosen}")
    survey = load_survey(home, chosen)
    with progress("fitting", trials) as advance:
        found = fit_radio(venue, survey, spec_for(venue, survey), seed=seed, trials=trials, progress=_tell(advance))
    if out is not None:
        _write(out, json.dumps(found.to_json(), indent=2).encode() + b"\n")
    if as_json:
        print_json(found.to_json())
        return
    print_table("Fitted", ("parameter", "value"), list(found.parameters().items()), "nothing")
    print_table("Likeness", ("figure", "survey", "simulated"), found.likeness_rows(), "nothing")
    say(f"{found.n_trials} trials; gap {found.gap:.2f} (0 is alike in all of these)")


def _tell(advance: Any) -> Callable[[int, float], None]:
    return lambda done, gap: advance(done, None, f"fitting, gap {gap:.2f}")


def _write(target: Path, data: bytes) -> None:
    try:
        write_whole(target, data)
    except OSError as error:
        raise VenueFileError(f"cannot write {target}: {error.strerror}") from error
    say(f"wrote {target}")
