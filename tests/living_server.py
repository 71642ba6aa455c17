"""A real server for tests: a small simulated mall, trained, served by uvicorn on a free port of this machine."""

import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from api.ports import Role
from fingerprints.scan import LabelledScan
from fingerprints.wire import scan_to_json
from kernel.ids import TenantId, VenueId
from runtime.clocks import EventClock, LiveClock
from runtime.demo import VENUE_ID
from runtime.engine import SWEEP_EVERY_S
from runtime.home import Home, open_home
from runtime.records.tenants import DEFAULT_TENANT, ensure_tenant, make_key
from runtime.server import bind, make_server
from runtime.wiring import Running, start
from sim.world import World
from venues.model import Venue

NOON = datetime(2026, 4, 18, 4, tzinfo=UTC)
OTHER_TENANT = TenantId("other")


@dataclass(frozen=True)
class Living:
    """A running server: its address, a key for each role, and what stands behind it."""

    url: str
    keys: dict[Role, str]
    other_key: str
    home: Home
    venue: Venue
    world: World
    running: Running

    def client(self, role: Role | None = None, key: str | None = None) -> httpx.Client:
        """A plain HTTP client with a role's key."""
        chosen = key or (self.keys[role] if role is not None else None)
        headers = {} if chosen is None else {"Authorization": f"Bearer {chosen}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120)  # of a machine that does much else


@contextmanager
def serve(
    folder: Path,
    world: World,
    clock: LiveClock | None = None,
    venue_id: VenueId = VENUE_ID,
    sweep_every_s: float = SWEEP_EVERY_S,
    local_webhooks: bool = True,
    **options: Any,
) -> Iterator[Living]:
    """Serve a prepared data folder until the block ends.

    Args:
        sweep_every_s: By the machine's clock; a played clock runs faster, so that a sweep comes at any of its instants.
        options: What else ``runtime.wiring.start`` takes.
    """
    home = open_home(folder, clock="events", local_webhooks=local_webhooks)
    at = datetime.now(UTC)
    with home.database.write() as connection:
        keys = {role: make_key(connection, DEFAULT_TENANT, role, "test", at).text for role in Role}
        ensure_tenant(connection, OTHER_TENANT, "Other", at)
        other = make_key(connection, OTHER_TENANT, Role.ADMIN, "test", at).text
    venue = home.venues.load_venue(DEFAULT_TENANT, venue_id)
    assert venue is not None
    running = start(home, clock or EventClock(NOON), sweep_every_s=sweep_every_s, **options)
    listener = bind("127.0.0.1", 0)
    server = make_server(running)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        wait_until(lambda: server.started)
        yield Living(url, keys, other, home, venue, world, running)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        running.stop()


def wait_until(holds: Any, seconds: float = 20.0) -> None:
    """Wait for a condition, and fail when it does not come."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s")
        threading.Event().wait(0.02)


def copy_home(prepared: Path, target: Path) -> Path:
    """A prepared data folder of one's own."""
    shutil.copytree(prepared, target)
    return target


def stay(
    world: World,
    store_id: str,
    device_id: str,
    *,
    n: int = 8,
    start: datetime = NOON,
    every_s: int = 10,
    prefix: str = "s",
) -> list[dict[str, Any]]:
    """Scans on the wire of a phone that stays inside a store, taken from the survey's own readings there."""
    inside = _inside(world)[store_id]
    return [
        wire_of(inside[i % len(inside)], f"{prefix}-{i}", device_id, start + timedelta(seconds=every_s * i))
        for i in range(n)
    ]


_surveys: dict[int, dict[str, list[LabelledScan]]] = {}


def _inside(world: World) -> dict[str, list[LabelledScan]]:
    """The survey's scans inside each store; walked once a world, since that takes a second."""
    if world.seed not in _surveys:
        by_store: dict[str, list[LabelledScan]] = {}
        for held in world.survey(scans_per_store=SCANS_PER_STORE):
            by_store.setdefault(held.truth.store_id or "", []).append(held)
        _surveys[world.seed] = by_store
    return _surveys[world.seed]


def wire_of(held: LabelledScan, scan_id: str, device_id: str | None, at: datetime) -> dict[str, Any]:
    """A labelled scan as another phone's at another time, without its truth."""
    out = scan_to_json(held.scan)
    out |= {"scan_id": scan_id, "device_id": device_id, "at": at.isoformat().replace("+00:00", "Z"), "venue_id": None}
    return out


SCANS_PER_STORE = 24


def consents(*purposes: str) -> dict[str, Any]:
    """A device record of an adult with these consents."""
    return {
        "age_band": "adult",
        "model": "Test",
        "consents": [{"purpose": p, "version": "1", "at": "2026-01-01T00:00:00Z"} for p in purposes],
    }


def campaign(store_id: str, **changes: Any) -> dict[str, Any]:
    """A campaign on a store that speaks on entry."""
    return {
        "name": "Welcome",
        "venue_id": VENUE_ID,
        "target": {"kind": "store", "id": store_id},
        "trigger": {"on": "enter", "min_confidence": 0.3, "min_margin": 0.0},
        "starts_at": "2026-01-01T00:00:00Z",
        "ends_at": "2027-01-01T00:00:00Z",
        "budget": 100,
        "per_person": 1,
        "card": {"title": "Hello", "body": "10 % off"},
        "offer": {"kind": "percentage", "value": 10, "valid_s": 3600},
    } | changes


def all_rows(client: httpx.Client, path: str, **filters: str) -> Sequence[dict[str, Any]]:
    """All rows of a paged list."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        asked: dict[str, str] = {"limit": "50", **filters}
        page = client.get(path, params=asked | ({} if cursor is None else {"cursor": cursor})).json()
        rows += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows
