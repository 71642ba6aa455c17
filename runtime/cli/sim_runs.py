"""``atrium sim run``: scenarios, by the flow or over HTTP."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kernel.errors import PartFailedError
from runtime.cli.terminal import AsJson, DataDir, out, print_json, print_table, progress, say
from runtime.errors import SettingsError, VenueFileError
from runtime.home import open_home
from runtime.records.tenants import DEFAULT_TENANT
from runtime.venue_store import check_venue_id

if TYPE_CHECKING:
    from sim.run import Serve
    from sim.scenario import Scenario
    from venues.model import Venue

Imported = Annotated[
    str | None, typer.Option("--venue", help="Build the mall on this imported venue's map, not on a plan")
]


def run(
    scenario: Annotated[str, typer.Argument(help="A scenario that ships (atrium sim scenarios), or a .toml file")],
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Another seed than the scenario's")] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="Write report.html and all lines here")] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes, for several malls")] = 1,
    over_http: Annotated[bool, typer.Option("--http", help="Speak to a real server, started for this run")] = False,
    url: Annotated[str | None, typer.Option("--url", help="Speak to this server instead (atrium sim prepare)")] = None,
    device_key: Annotated[str, typer.Option(envvar="ATRIUM_DEVICE_KEY", help="With --url: the phones' key")] = "",
    cashier_key: Annotated[str, typer.Option(envvar="ATRIUM_CASHIER_KEY", help="With --url: the tills' key")] = "",
    marketer_key: Annotated[str, typer.Option(envvar="ATRIUM_MARKETER_KEY", help="With --url: the desk's key")] = "",
    venue_id: Imported = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Run a scenario through the whole flow, the truth beside it; writes a report with pictures.

    The flow runs in this process, unless told to speak to a server over HTTP as phones and tills do.
    """
    from atrium_client import AtriumError as ClientError
    from runtime.sim_files import begin_run, write_run
    from sim.figures import figures
    from sim.run import run_scenario

    chosen, text = _read_scenario(scenario, seed, venue_id)
    venue = None if chosen.imported is None else load_venue(chosen.imported, data_dir)
    serve = _choose_server(chosen, workers, over_http, url, (device_key, marketer_key, cashier_key))
    folder = Path(f"{chosen.name}-{chosen.seed}") if out_dir is None else out_dir
    begin_run(folder, text)
    with progress(chosen.name, 100 * chosen.days * chosen.malls) as advance:
        try:
            done = run_scenario(
                chosen,
                workers=workers,
                tell=lambda tick: advance(
                    int(100 * (tick.day + tick.share_of_day)), None, f"{chosen.name}: {tick.said}"
                ),
                serve=serve,
                venue=venue,
            )
        except ClientError as error:
            raise PartFailedError(f"the server does not answer as it should: {error}") from error
    found = figures(done)
    names = write_run(folder, done, text, found)
    if as_json:
        print_json(found)
        return
    print_table(chosen.title or chosen.name, ("figure", "value"), _run_rows(found), "nothing")
    say(f"wrote {', '.join(names)} to {folder}")


def prepare(
    scenario: Annotated[str, typer.Argument(help="A scenario that ships, or a .toml file")],
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Another seed than the scenario's")] = None,
    venue_id: Imported = None,
    data_dir: DataDir = None,
) -> None:
    """Import a scenario's mall and survey into a server's data folder and train; prints keys for `sim run --url`."""
    from runtime.sim_server import prepare as prepare_home
    from sim.run import open_mall

    chosen, _ = _read_scenario(scenario, seed, venue_id)
    venue = None if chosen.imported is None else load_venue(chosen.imported, data_dir)
    _check_one_mall(chosen)
    home = open_home(data_dir)
    with progress("building, surveying and training the mall"):
        mall = open_mall(chosen, 0, venue)
        keys = prepare_home(home, mall)
    say(f"venue {mall.world.mall.venue.id} is in {home.settings.data_dir}; serve it with: atrium serve --clock events")
    for name, key in (("DEVICE", keys.device), ("CASHIER", keys.cashier), ("MARKETER", keys.marketer)):
        out.print(f"ATRIUM_{name}_KEY={key}")


def load_venue(venue_id: str, data_dir: Path | None) -> "Venue":
    """The map of an imported venue.

    Raises:
        VenueFileError: it has none.
    """
    chosen = check_venue_id(venue_id)
    venue = open_home(data_dir).venues.load_venue(DEFAULT_TENANT, chosen)
    if venue is None:
        raise VenueFileError(f"venue {chosen} has no map; import it with: atrium venue import FILE --id {chosen}")
    return venue


def _read_scenario(name_or_path: str, seed: int | None, venue_id: str | None) -> "tuple[Scenario, str]":
    from runtime.sim_files import read_scenario, with_seed, with_venue

    chosen, text = read_scenario(name_or_path)
    if seed is not None:
        text = with_seed(text, seed)
        chosen = replace(chosen, seed=seed)
    return (chosen, text) if venue_id is None else with_venue(text, venue_id)


def _choose_server(
    scenario: "Scenario", workers: int, over_http: bool, url: str | None, keys: tuple[str, str, str]
) -> "Serve | None":
    """None for the flow in this process.

    Raises:
        SettingsError: options that do not go together.
    """
    from runtime.demo import DemoKeys
    from runtime.sim_server import serve_at, serve_own

    if url is None and not over_http:
        return None
    if workers > 1:
        raise SettingsError("--workers: over HTTP the malls are played one after the other; leave it out")
    if url is None:
        return serve_own
    if not all(keys):
        raise SettingsError("--url needs --device-key, --cashier-key and --marketer-key (atrium sim prepare)")
    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"--url: expected http://HOST:PORT, found {url!r}")
    _check_one_mall(scenario)
    return serve_at(url, DemoKeys(*keys))


def _check_one_mall(scenario: "Scenario") -> None:
    """A server's clock does not go back, as it would have to for the second mall."""
    if scenario.malls > 1:
        raise SettingsError(f"one server plays one mall, and {scenario.name} has {scenario.malls}; use --http")


def scenarios(as_json: AsJson = False) -> None:
    """The scenarios that ship."""
    from sim.scenario import parse_scenario, shipped_scenarios

    known = {name: parse_scenario(text) for name, text in shipped_scenarios().items()}
    if as_json:
        print_json({name: {"title": one.title, "about": one.about, "seed": one.seed} for name, one in known.items()})
        return
    print_table("Scenarios", ("name", "what it shows"), [(name, one.title) for name, one in known.items()], "none")


def _run_rows(found: dict[str, Any]) -> list[tuple[str, object]]:
    """The few figures that a run is judged by; the rest is in the report."""
    places, visits, cards = found["positions"]["all"], found["visits"]["all"], found["cards"]

    def percent(share: float | None) -> str:
        return "-" if share is None else f"{100.0 * share:.1f} %"

    return [
        ("phones, scans", f"{found['phones']:,}, {found['scans']:,}"),
        ("scans answered", percent(places["answered"])),
        ("right store first, of scans in stores", percent(places["front"])),
        ("mean error", "-" if places["error_m"] is None else f"{places['error_m'][0]:.1f} m"),
        ("counted visits that are true", f"{percent(visits['precision'])} of {visits['counted']:,}"),
        ("true visits that are counted", f"{percent(visits['recall'])} of {visits['true']:,}"),
        ("store cards at the wrong store", f"{cards['wrong_store']} of {cards['shown_at_stores']}"),
    ]
