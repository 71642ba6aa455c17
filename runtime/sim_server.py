"""Servers for ``atrium sim run --http``: one of the run's own on this machine, or one that runs elsewhere."""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from atrium_client import Client, NotFound
from runtime.clocks import PlayedClock
from runtime.demo import DemoKeys, make_demo_keys, store_mall
from runtime.errors import VenueFileError
from runtime.home import Home, open_home
from runtime.server import bind, make_server
from runtime.settings import DATABASE_FILE
from runtime.wiring import Running, start

if TYPE_CHECKING:
    from sim.http_server import HttpSystem, ServerClock
    from sim.run import Mall, Serve

_START_WITHIN_S = 30.0
_NEVER_S = 1e7
"""The engine sweeps when the run asks it to."""


@dataclass(frozen=True, slots=True)
class OwnClock:
    """The clock and the sweeps of a server that was started for a run."""

    played: PlayedClock
    running: Running

    def set(self, at: datetime) -> None:
        """It is now so late."""
        self.played.set(at)

    def sweep(self) -> None:
        """Let the visits run out that have."""
        self.running.engine.sweep()


@contextmanager
def serve_own(mall: "Mall") -> Iterator["HttpSystem"]:
    """Import a mall into a data folder that lives as long as the block, train, and serve it on a free port.

    The server's clock is the run's, so that it says what the flow would: it refuses phones that are too far ahead.
    """
    from sim.day_plan import opens_at

    clock = PlayedClock(opens_at(mall.scenario, 0))
    with tempfile.TemporaryDirectory(prefix="atrium-sim-") as folder:
        path = Path(folder) / "data"
        home = open_home(path, database_url=f"sqlite:///{path / DATABASE_FILE}")  # whatever the environment says
        keys = prepare(home, mall)
        running = start(home, clock, sweep_every_s=_NEVER_S)
        listener = bind("127.0.0.1", 0)
        server = make_server(running)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            _wait_until_started(server)
            with _connect(
                mall, f"http://127.0.0.1:{listener.getsockname()[1]}", keys, OwnClock(clock, running)
            ) as system:
                yield system
        finally:
            server.should_exit = True
            thread.join()
            listener.close()
            running.stop()


def serve_at(url: str, keys: DemoKeys) -> "Serve":
    """A server that runs already and knows the mall (``prepare``); its clock is its own."""

    @contextmanager
    def serve(mall: "Mall") -> Iterator["HttpSystem"]:
        with _connect(mall, url, keys, None) as system:
            yield system

    return serve


def prepare(home: Home, mall: "Mall") -> DemoKeys:
    """Import a run's mall and survey into a data folder, train, and make the run's keys."""
    world = mall.world
    store_mall(home, world.mall.archive, mall.survey, None, world.mall.venue.id)
    return make_demo_keys(home, f"sim {mall.scenario.name}")


@contextmanager
def _connect(mall: "Mall", url: str, keys: DemoKeys, clock: "ServerClock | None") -> Iterator["HttpSystem"]:
    from sim.http_server import HttpSystem, publish

    with ExitStack() as stack:
        phones, till, desk = (
            stack.enter_context(Client(url, key)) for key in (keys.device, keys.cashier, keys.marketer)
        )
        _check_mall(mall, desk)
        if any(desk.visits(limit=1)) or any(desk.deliveries(limit=1)):
            raise VenueFileError(
                "the server has visits or cards already, and would take this run's scans for repeats of what it knows; "
                "prepare an empty data folder (atrium sim prepare) and serve that"
            )
        yield HttpSystem(
            phones,
            till,
            clock=clock,
            desk=desk,
            campaign_ids=publish(desk, mall.campaigns),
        )


def _check_mall(mall: "Mall", desk: Client) -> None:
    """A server with another mall would answer, and every figure would be wrong."""
    venue = mall.world.mall.venue
    try:
        known = {store["id"] for store in desk.stores(venue.id)}
    except NotFound:
        known = set()
    if known != {store.id for store in venue.stores}:
        raise VenueFileError(
            f"the server does not have venue {venue.id} as scenario {mall.scenario.name} builds it from seed "
            f"{mall.scenario.seed}; make it in the server's data folder with: atrium sim prepare"
        )


def _wait_until_started(server: uvicorn.Server) -> None:
    until_s = time.monotonic() + _START_WITHIN_S
    while not server.started:
        if time.monotonic() > until_s:
            raise TimeoutError(f"the server has not started within {_START_WITHIN_S} s")
        time.sleep(0.02)
