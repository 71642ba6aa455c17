"""``atrium sim``: malls, surveys and days in simulation."""

import json
import shlex
from collections.abc import Callable, Iterator
from datetime import date, datetime
from enum import StrEnum
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli import sim_runs
from runtime.cli.sim_runs import Imported, load_venue
from runtime.cli.terminal import AsJson, DataDir, VenueOption, make_group, print_json, print_table, progress, say
from runtime.errors import SettingsError, VenueFileError
from runtime.files import write_chunks, write_whole
from runtime.home import open_home

if TYPE_CHECKING:
    from sim.export import Export
    from sim.layout import MallSpec
    from sim.mall import SimulatedMall
    from sim.world import World

sim = make_group("A mall, its radio and its shoppers in simulation, with the truth known.")


class MallPreset(StrEnum):
    """The plans of ``sim.presets.MALLS``."""

    STANDARD = "standard"
    TABLE = "table"
    ANCHORS = "anchors"


class RadioPreset(StrEnum):
    """The radio models of ``sim.presets.RADIOS``."""

    STANDARD = "standard"
    XIXI = "xixi"


Seed = Annotated[int, typer.Option("--seed", min=0, help="The mall and its people")]
Target = Annotated[Path, typer.Argument(help="The file to write")]
Mall = Annotated[
    MallPreset,
    typer.Option("--mall", help="standard: 3 levels, about 62 stores; table: 5, about 200; anchors: 3 and a car park"),
]
Radio = Annotated[
    RadioPreset, typer.Option("--radio", help="standard: constants of the study; xixi: fitted to a real mall's survey")
]
On = Annotated[
    datetime | None,
    typer.Option("--date", formats=["%Y-%m-%d"], help="The day; from 2026-04-18 on the radios have aged"),
]

sim.command("run")(sim_runs.run)
sim.command("prepare")(sim_runs.prepare)
sim.command("scenarios")(sim_runs.scenarios)


@sim.command("export-venue")
def export_venue(
    target: Target,
    seed: Seed = 1,
    mall: Mall = MallPreset.STANDARD,
    venue_id: Imported = None,
    data_dir: DataDir = None,
) -> None:
    """Write the simulated mall of a seed as an IMDF archive, or an imported venue with what was added to walk it."""
    from sim.imported import import_mall
    from sim.world import draw_mall
    from venues.imdf import write_archive

    _check_one_plan(mall, venue_id)
    with progress("building the mall"):
        made = draw_mall(seed, _spec_of(mall)) if venue_id is None else import_mall(load_venue(venue_id, data_dir))
    _write(target, write_archive(made.archive))
    _tell_added(made)


@sim.command("export-survey")
def export_survey(
    target: Target,
    seed: Seed = 1,
    day: On = None,
    phones: Annotated[int, typer.Option("--phones", min=1, max=100, help="Survey phones")] = 3,
    scans_per_store: Annotated[int, typer.Option("--scans-per-store", min=1, max=1_000)] = 45,
    mall: Mall = MallPreset.STANDARD,
    radio: Radio = RadioPreset.STANDARD,
    venue_id: Imported = None,
    data_dir: DataDir = None,
) -> None:
    """Write a survey of the simulated mall as labelled scans, with a data card beside it.

    The same phones survey on each date, on other walks: a survey of a later date shows what ageing alone does.
    """
    from sim import export
    from sim.dates import SURVEY_DAY

    on = _read_date(day, SURVEY_DAY)
    with progress("walking the survey"):
        world = _build(seed, mall, radio, venue_id, data_dir)
        made = export.export_survey(world, phones=phones, scans_per_store=scans_per_store, on=on)
        options = ["--phones", str(phones), "--scans-per-store", str(scans_per_store)]
        n = _write_set(target, world, made, ["export-survey", target.name, *options], mall, radio, venue_id)
    say(f"{n} scans of {phones} phones")


@sim.command("export-scans")
def export_scans(
    target: Target,
    seed: Seed = 1,
    shoppers: Annotated[int, typer.Option("--shoppers", min=1, max=5_000, help="Shoppers of the day")] = 100,
    day: On = None,
    mall: Mall = MallPreset.STANDARD,
    radio: Radio = RadioPreset.STANDARD,
    venue_id: Imported = None,
    data_dir: DataDir = None,
) -> None:
    """Write the scans of a simulated day's shoppers, with the truth, and a data card beside it.

    None of their phones is one of the survey's.
    """
    from sim import export
    from sim.dates import FIRST_DAY

    on = _read_date(day, FIRST_DAY)
    with progress("walking the day"):
        world = _build(seed, mall, radio, venue_id, data_dir)
        made = export.export_shoppers(world, n_shoppers=shoppers, on=on)
        words = ["export-scans", target.name, "--shoppers", str(shoppers)]
        n = _write_set(target, world, made, words, mall, radio, venue_id)
    say(f"{n} scans of {shoppers} shoppers")


@sim.command("fit")
def fit(
    venue_id: VenueOption,
    out: Annotated[Path | None, typer.Option("--out", help="Write the parameters here, as JSON")] = None,
    placing_sd_m: Annotated[
        float, typer.Option("--placing-sd-m", min=0, max=10, help="How far the survey's places are off, each axis")
    ] = 2.3,
    steps: Annotated[int, typer.Option("--steps", min=1, max=100, help="Of the search, of 22 trials each")] = 4,
    seed: Seed = 1,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Fit the simulator's radio model to a venue's survey: scans that are like the real ones, walk for walk."""
    from runtime.models import load_survey
    from sim.fit import TRIALS_A_STEP, fit_radio, spec_for

    venue = load_venue(venue_id, data_dir)
    survey = load_survey(open_home(data_dir), venue.id)
    with progress("fitting", steps * TRIALS_A_STEP) as advance:
        found = fit_radio(
            venue,
            survey,
            spec_for(venue, survey),
            placing_sd_m=placing_sd_m,
            seed=seed,
            steps=steps,
            progress=_tell(advance),
        )
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


def _read_date(day: datetime | None, default: date) -> date:
    from sim.dates import count_ageings

    on = default if day is None else day.date()
    try:
        count_ageings(on)
    except ValueError as error:
        raise SettingsError(f"--date: {error}") from error
    return on


def _check_one_plan(mall: MallPreset, venue_id: str | None) -> None:
    if venue_id is not None and mall is not MallPreset.STANDARD:
        raise SettingsError(f"--venue {venue_id} has a map of its own: leave --mall {mall} out")


def _spec_of(mall: MallPreset) -> "MallSpec":
    from sim.presets import MALLS

    return MALLS[mall]


def _build(seed: int, mall: MallPreset, radio: RadioPreset, venue_id: str | None, data_dir: Path | None) -> "World":
    from sim.presets import RADIOS
    from sim.world import make_world

    _check_one_plan(mall, venue_id)
    venue = None if venue_id is None else load_venue(venue_id, data_dir)
    world = make_world(seed, _spec_of(mall), RADIOS[radio], venue=venue)
    _tell_added(world.mall)
    return world


def _tell_added(mall: "SimulatedMall") -> None:
    from sim.imported_spec import ImportedSpec

    if isinstance(mall.spec, ImportedSpec):
        say(f"{mall.venue.name}: {mall.spec.told()}")


def _write_set(
    target: Path,
    world: "World",
    made: "Export",
    words: list[str],
    mall: MallPreset,
    radio: RadioPreset,
    venue_id: str | None,
) -> int:
    """Write scans, then the card twice: ``TARGET.card.json`` for programs, ``TARGET.card.md`` to read."""
    from sim.card import Recipe, Tally, make_card
    from sim.card_text import card_to_markdown
    from sim.export import ndjson_line

    where = ["--mall", mall] if venue_id is None else ["--venue", venue_id]
    command = ["atrium", "sim", *words, "--seed", str(world.seed), "--date", str(made.on), *where, "--radio", radio]
    recipe = Recipe(shlex.join(command), version_of("atrium"), mall if venue_id is None else "imported", radio)
    tally = Tally()

    def lines() -> Iterator[bytes]:
        for item in made.scans:
            line = ndjson_line(item)
            tally.add(item, line)
            yield line

    _write(target, lines())
    card = make_card(world, made, tally, recipe, target.name)
    _write(target.with_name(f"{target.name}.card.json"), _as_json(card))
    _write(target.with_name(f"{target.name}.card.md"), card_to_markdown(card).encode())
    return len(tally.readings)


def _as_json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _write(target: Path, data: bytes | Iterator[bytes]) -> None:
    try:
        if isinstance(data, bytes):
            write_whole(target, data)
        else:
            write_chunks(target, data)
    except OSError as error:
        raise VenueFileError(f"cannot write {target}: {error.strerror}") from error
    say(f"wrote {target}")
