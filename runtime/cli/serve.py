"""``atrium serve`` and ``atrium demo``: the server, and a simulated mall alive on it."""

import multiprocessing
import os
import signal
from multiprocessing.synchronize import Event
from typing import Annotated, Any

import typer

from runtime.cli.terminal import DataDir, out, progress, say
from runtime.errors import SettingsError
from runtime.settings import ClockKind, LocatorKind

Host = Annotated[str, typer.Option("--host", help="The address to listen on")]
_LEAVING_S = 0.5
"""The simulated phones may finish a call; what they lose with it nobody was promised."""
Port = Annotated[int, typer.Option("--port", min=0, max=65_535, help="The port to listen on")]


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option("--workers", min=1, help="State-owning processes")] = 1,
    clock: Annotated[ClockKind, typer.Option("--clock", help="system: the machine's; events: the scans'")] = "system",
    track: Annotated[
        bool, typer.Option("--track/--no-track", help="Better each answer by the phone's earlier scans")
    ] = True,
    locator: Annotated[LocatorKind, typer.Option("--locator", help="full: with the ranker; light: without")] = "light",
    data_dir: DataDir = None,
) -> None:
    """Serve the API. Migrates its database by itself."""
    from runtime.home import open_home
    from runtime.records.tenants import DEFAULT_TENANT
    from runtime.server import bind, run
    from runtime.wiring import make_clock, start

    if workers > 1:
        raise SettingsError("--workers: this version keeps live state in one process; start it with --workers 1")
    listener = bind(host, port)
    home = open_home(data_dir, host=host, port=port, clock=clock, tracks=track, locator=locator)
    running = start(home, make_clock(home))
    trained = [
        venue_id
        for venue_id in home.venues.venue_ids(DEFAULT_TENANT)
        if home.venues.model_path(DEFAULT_TENANT, venue_id).exists()
    ]
    say(f"Atrium answers at [bold]http://{host}:{listener.getsockname()[1]}[/], clock: {clock}")
    say(f"venues: {', '.join(trained) or 'none trained yet: `atrium venue import`, `survey import`, `train`'}")
    run(running, listener)


def demo(
    port: Port = 8000,
    host: Host = "127.0.0.1",
    seed: Annotated[int, typer.Option("--seed", min=0, help="The mall and its people")] = 1,
    speed: Annotated[float, typer.Option("--speed", min=0.1, max=1_000, help="Mall seconds a second")] = 60.0,
    shoppers: Annotated[int, typer.Option("--shoppers", min=1, max=5_000, help="Shoppers a day")] = 600,
    data_dir: DataDir = None,
) -> None:
    """Show a simulated mall, alive: built, surveyed, trained, served, and a shopping day played on it."""
    from runtime.demo import (
        VENUE_ID,
        demo_dir,
        first_day,
        is_prepared,
        leads_to,
        make_demo_keys,
        publish_demo_campaigns,
        store_mall,
    )
    from runtime.demo_board import DemoBoard
    from runtime.home import open_home
    from runtime.records.tenants import DEFAULT_TENANT
    from runtime.server import bind, run
    from runtime.settings import load_settings
    from runtime.wiring import make_clock, start
    from sim.dates import FIRST_DAY

    listener = bind(host, port)
    bound_port = int(listener.getsockname()[1])
    base = load_settings(os.environ, data_dir)
    home = open_home(demo_dir(base.data_dir, seed), host=host, port=bound_port, clock="events")
    if not is_prepared(home):
        from sim.world import make_world

        with progress("building the mall", 1.0) as advance:
            world = make_world(seed)
            advance(0.2, what="walking the survey")
            survey = world.survey(on=FIRST_DAY)  # fresh: what ageing does is for `atrium sim` to show
            store_mall(home, world.mall.archive, survey, lambda what, share: advance(0.3 + 0.7 * share, what=what))
        say(f"{world.mall.venue.name}: {len(world.mall.venue.stores)} stores, {len(survey)} survey scans, trained")
    venue = home.venues.load_venue(DEFAULT_TENANT, VENUE_ID)
    assert venue is not None
    keys = make_demo_keys(home)
    day = first_day(home, FIRST_DAY)
    publish_demo_campaigns(home, venue, day)
    clock = make_clock(home)
    board = DemoBoard(home.database, venue, clock, DEFAULT_TENANT, leads_to=leads_to(home))
    running = start(home, clock, observer=board.observe, demo=board)

    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    url = f"http://{host}:{bound_port}"
    people = context.Process(
        target=play_days,
        args=(stop, os.getpid()),
        kwargs={
            "base_url": url,
            "device_key": keys.device,
            "cashier_key": keys.cashier,
            "seed": seed,
            "speed": speed,
            "n_shoppers": shoppers,
            "first_day": day,
        },
        daemon=True,
    )
    say(f"The mall opens at [bold]{url}[/]  (Ctrl-C ends it)")
    out.print(f"device key:   {keys.device}")
    out.print(f"marketer key: {keys.marketer}")

    def stopping() -> None:
        stop.set()  # before the server is gone, which the phones would wait for
        board.close()

    try:
        run(running, listener, people.start, stopping)
    finally:
        stop.set()
        people.join(timeout=_LEAVING_S)
        if people.is_alive():
            people.terminate()


def play_days(stop: Event, parent: int, **arguments: Any) -> None:
    """The phones' process: plays until told to stop or left alone."""
    from sim.demo_day import run_demo_day

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server's process decides when the day ends
    run_demo_day(stop=lambda: stop.is_set() or os.getppid() != parent, **arguments)
