"""Does SIGKILL change what is known of people? A day with the server killed in mid-stream, against one without.

The real server (``atrium serve --clock events``) with its database in a folder, and the real client, which repeats what
was not answered. Shoppers of a simulated mall walk with phones that scan every ten seconds; one scan in ten reaches
the server up to ``LATEST_S`` after its turn, so that days are folded again between the deaths. Before each death the
stream goes on for a drawn number of batches; it comes a drawn time after the next was sent: before it is read, at
work, in the commit, behind it or when it is answered. Answers are tracked, as by default. Each store has a campaign
with coupons, its budget smaller than its visitors.

``equal``: visits in all their columns, events by their ids with all they say, scenes, tracks, answers, deliveries,
coupons and what campaigns have given, row by row. What the
silence of a phone ends is told when a sweep notices it, each second by the machine's clock; the day is played some
hundred times as fast, so that a second is minutes of it. Events after their phone's last scan are therefore compared
without that instant (and ``phase.changed`` and ``place.passed``, whose ids are made of it, without ids), scenes without
the instant of their phase. Visits need no such care: when they ended is told by fixes.

Run it with ``atrium bench kill`` or ``python -m benchmarks.kill``; about 8 minutes.
"""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import sqlalchemy as sa

from api.ports import Role
from atrium_client import Client, RetryPolicy, Scan
from benchmarks.server_process import ServerProcess
from benchmarks.visits import hear
from campaigns.campaign import Campaign, CampaignStatus, Card, Offer, Target, Trigger
from fingerprints.wire import scan_to_json
from kernel.ids import CampaignId
from runtime.clocks import SystemClock
from runtime.database import Database
from runtime.demo import VENUE_ID, store_mall
from runtime.home import open_home
from runtime.records.campaigns import insert_campaign
from runtime.records.schema import answers, campaigns, coupons, deliveries, events, scenes, tracks, visits
from runtime.records.tenants import DEFAULT_TENANT, make_key
from runtime.secrets import load_server_keys
from scenes.kernels.record import PHASE_SINCE
from scenes.places import PlaceBook
from scenes.record import restore
from sim.dates import FIRST_DAY, number_day
from sim.layout import MallSpec
from sim.phones import SCAN_PERIOD_S
from sim.schedules import SCHEDULES, ScanSchedule
from sim.world import World, make_world

N_KILLS, N_PHONES, BATCH = 20, 12, 40
SEED = 3
LATEST_S = 90.0
"""Within the rules' lateness of 120 s."""
_SHARE_LATE = 0.1
_LONGEST_S = 0.12
"""A batch takes some 30 to 60 ms: a death falls before, into or behind it."""
_PATIENT = RetryPolicy(retries=500, first_s=0.1, longest_s=0.3, deadline_s=180.0)
_BUDGET = 3

Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Played:
    """What a day left, and how often the server died in it before it had answered the batch."""

    rows: Rows
    n_kills: int
    n_unanswered: int


def run(n_kills: int = N_KILLS, n_phones: int = N_PHONES, seed: int = SEED) -> dict[str, Any]:
    """A mall of its own, a day without deaths and the same day with them."""
    world = make_world(seed, MallSpec(n_levels=1))
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        home = open_home(folder / "prepared")
        store_mall(home, world.mall.archive, world.survey(scans_per_store=24), None)
        home.database.close()
        return compare(folder / "prepared", world, folder, n_kills, n_phones)


def compare(prepared: Path, world: World, folder: Path, n_kills: int, n_phones: int) -> dict[str, Any]:
    """The same day twice on copies of a prepared data folder: without a death, and with them."""
    own = folder / "own"
    shutil.copytree(prepared, own)
    load_server_keys(own)  # made before the copies, so that a phone has one pseudonym in both
    _make_campaigns(own, world)
    scans, places = draw_scans(world, n_phones), PlaceBook()
    whole, killed = (play(own, scans, folder / name, n, places) for name, n in (("whole", 0), ("killed", n_kills)))
    types = [row[1] for row in whole.rows["events"]]
    return {
        "kills": killed.n_kills,
        "kills_before_the_answer": killed.n_unanswered,
        "scans": len(scans),
        "phones": n_phones,
        "visits": len(whole.rows["visits"]),
        "events": len(types),
        "revised": types.count("visit.revised"),
        "cards": sum(row.count("delivered") for row in whole.rows["deliveries"]),
        "noticed_by_sweeps": sum(row[2] is None for row in whole.rows["events"]),
        "equal": killed.rows == whole.rows,
        "differences": {name: differing(whole.rows[name], killed.rows[name]) for name in whole.rows},
    }


def differing(before: Sequence[tuple[Any, ...]], after: Sequence[tuple[Any, ...]]) -> int:
    """Rows of the one that the other has not."""
    return len({*map(repr, before)} ^ {*map(repr, after)})


def draw_scans(world: World, n_phones: int) -> list[Scan]:
    """Scans on the wire in the order in which they reach the server, the last of them long after all others."""
    maker = SCHEDULES.index(ScanSchedule.MAKER)
    rng = np.random.default_rng([world.seed, n_phones])
    arrives: list[tuple[datetime, Any]] = []
    for shopper in world.shoppers(number_day(FIRST_DAY), n_phones, SCAN_PERIOD_S):
        _, scans = hear(world, shopper, maker)
        for scan in scans:
            late_s = rng.uniform(0.0, LATEST_S) if rng.random() < _SHARE_LATE else 0.0
            arrives.append((scan.at + timedelta(seconds=late_s), scan_to_json(scan) | {"venue_id": None}))
    arrives.sort(key=lambda one: (one[0], one[1]["device_id"], one[1]["scan_id"]))
    at, last = arrives[-1]
    end = (at + timedelta(hours=2)).isoformat().replace("+00:00", "Z")
    return [*(wire for _, wire in arrives), last | {"scan_id": "end", "at": end}]


def play(prepared: Path, scans: Sequence[Scan], folder: Path, n_kills: int, places: PlaceBook) -> Played:
    """Send a day in batches, killing the server ``n_kills`` times, spread over it."""
    server = ServerProcess(folder)
    shutil.copytree(prepared, folder)
    home = open_home(folder)
    with home.database.write() as connection:
        key = make_key(connection, DEFAULT_TENANT, Role.ADMIN, "kill", SystemClock().now()).text
    home.database.close()
    starts = range(0, len(scans), BATCH)
    rng = np.random.default_rng(n_kills)
    deadly = {*rng.choice(len(starts), n_kills, replace=False).tolist()} if n_kills else set()
    n_unanswered = 0
    server.start()
    try:
        _register(server.url, key, sorted({scan["device_id"] or "" for scan in scans}))
        with Client(server.url, key, policy=_PATIENT) as client:
            for number, start in enumerate(starts):
                batch = scans[start : start + BATCH]
                death = _Death(server, float(rng.uniform(0.0, _LONGEST_S))) if number in deadly else None
                client.locate_many(batch, batch=BATCH)
                n_unanswered += death is not None and death.join()
        _wait_for_the_end(folder)
    finally:
        server.stop()
    return Played(read_rows(folder, places), len(deadly), n_unanswered)


def _make_campaigns(folder: Path, world: World) -> None:
    """A campaign a store, which speaks on entry; from before the copies, so that their ids are the same."""
    home, at = open_home(folder), datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
    with home.database.write() as connection:
        for number, store in enumerate(world.mall.venue.stores):
            campaign = Campaign(
                CampaignId(f"cmp_{number}"),
                "Welcome",
                VENUE_ID,
                Target("store", store.id),
                Trigger(min_confidence=0.3, min_margin=0.0),
                at - timedelta(days=1),
                at + timedelta(days=2),
                _BUDGET,
                1,
                Card("Hello", "A gift"),
                Offer("gift", 0, None, 3_600),
                CampaignStatus.LIVE,
            )
            insert_campaign(connection, DEFAULT_TENANT, campaign, at)
    home.database.close()


class _Death:
    """Kills the server in a while, and starts it again at once."""

    def __init__(self, server: ServerProcess, after_s: float) -> None:
        self._server, self._after_s = server, after_s
        self._is_over = threading.Event()
        self._died_first = False
        self._failed: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self._is_over.wait(self._after_s)  # an answer that is first is followed by the death all the same
        self._died_first = not self._is_over.is_set()
        try:
            self._server.kill()
            self._server.start()
        except Exception as error:  # noqa: BLE001  # told by ``join``
            self._failed = error

    def join(self) -> bool:
        """To be called when the answer is there; whether death was before it."""
        self._is_over.set()
        self._thread.join()
        if self._failed is not None:
            raise self._failed
        return self._died_first


def _register(url: str, key: str, device_ids: Sequence[str]) -> None:
    given = [{"purpose": name, "version": "1", "at": "2026-01-01T00:00:00Z"} for name in ("visits", "marketing")]
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
        for device_id in device_ids:
            told = {"age_band": "adult", "model": "Test", "consents": given}
            http.put(f"/v1/devices/{device_id}", json=told).raise_for_status()


def _wait_for_the_end(folder: Path) -> None:
    """Until the sweep has closed what the last scan, hours later, shows to be over: all but its own phone's."""
    deadline_s = time.monotonic() + 30.0
    while sum(row[_LEFT] is None for row in read_rows(folder, PlaceBook())["visits"]) > 0:
        if time.monotonic() > deadline_s:
            raise RuntimeError("visits are still open")
        time.sleep(0.2)


_LEFT, _PERSON, _DEVICE = (
    [column.name for column in visits.c].index(name) for name in ("left_us", "person", "device_ref")
)


def read_rows(folder: Path, places: PlaceBook) -> Rows:
    """What counts, row by row; neither when it was recorded, nor when a sweep noticed that a phone is silent.

    Args:
        places: one for all that is compared, since scenes name places by its numbers.
    """
    columns: dict[str, list[sa.Column[Any]]] = {
        "visits": list(visits.c),
        "events": [events.c.id, events.c.type, events.c.occurred_us, events.c.person, events.c.data],
        "scenes": [scenes.c.device_ref, scenes.c.snapshot, scenes.c.last_us],
        "tracks": list(tracks.c),
        "answers": [answers.c.device_ref, answers.c.scan_id, answers.c.body],
        "deliveries": list(deliveries.c),
        "coupons": list(coupons.c),
        "campaigns": [campaigns.c.id, campaigns.c.given],
    }
    database = Database(f"sqlite:///{folder / 'atrium.db'}")
    with database.read() as connection:
        rows = {name: [tuple(row) for row in connection.execute(sa.select(*some))] for name, some in columns.items()}
    database.close()
    ref_of = {row[_PERSON]: row[_DEVICE] for row in rows["visits"]}
    last_us = {row[0]: row[2] for row in rows["scenes"]}
    rows["events"] = [_without_sweep(row, last_us[ref_of[row[3]]]) for row in rows["events"]]
    rows["scenes"] = [(ref, _without_since(stored, places), last) for ref, stored, last in rows["scenes"]]
    return {name: sorted(found, key=repr) for name, found in rows.items()}


def _without_sweep(event: tuple[Any, ...], last_us: int) -> tuple[Any, ...]:
    event_id, kind, occurred_us, person, data = event
    if occurred_us <= last_us:
        return event
    return None if kind in {"phase.changed", "place.passed"} else event_id, kind, None, person, data


def _without_since(stored: bytes, places: PlaceBook) -> tuple[int, ...]:
    record = restore(stored, places)
    record[PHASE_SINCE] = 0
    return tuple(record.tolist())


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
