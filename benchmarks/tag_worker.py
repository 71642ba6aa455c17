"""What scans wait for while tags are learnt behind them: batches of one server, with its worker away and at work.

The worker reads in what a mall of ``N_PEOPLE`` recorded in ``N_DAYS`` days, nights included, as fast as it can: the
worst there is, after it was away. Batches of both kinds take turns in blocks, in one process on one database.
"""

import asyncio
import tempfile
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from fingerprints.scan import Scan
from flow.run_batch import Effects, PersonEvent
from kernel.ids import DeviceId, ScanId, StoreId, VenueId, VisitId
from members.device import AgeBand, Consent, Device, Purpose, device_ref, person_ref
from runtime.clocks import EventClock
from runtime.demo import VENUE_ID, store_mall
from runtime.home import Home, open_home
from runtime.records.devices import put_device
from runtime.records.effects import store_effects
from runtime.records.tenants import DEFAULT_TENANT
from runtime.services import VenueDesk
from runtime.tag_worker import BREATH_S, TagWorker
from runtime.wiring import Running, start
from scenes.advance import exited_event
from scenes.places import PlaceBook
from scenes.rules import PlaceKind
from scenes.state import Place, Visit
from sim.layout import MallSpec
from sim.world import World, make_world

N_PEOPLE: Final = 1_000
N_DAYS: Final = 4
BATCH_SCANS: Final = 200
N_BATCHES: Final = 100
NOON: Final = datetime(2026, 4, 18, 4, tzinfo=UTC)
PURPOSES: Final = (Purpose.VISITS, Purpose.ANALYTICS)


def record_days(home: Home, world: World) -> int:
    """Two visits a person and day, to the venue and a store; how many events."""
    rng = np.random.default_rng(1)
    stores = [store.id for store in world.mall.venue.stores]
    devices = [_register(home, f"past-{n}") for n in range(N_PEOPLE)]
    for day in range(N_DAYS):
        at = NOON - timedelta(days=N_DAYS - day)
        events, visits = [], []
        for n, device in enumerate(devices):
            for kind, place in ((PlaceKind.VENUE, VENUE_ID), (PlaceKind.STORE, stores[rng.integers(len(stores))])):
                where = Place(kind, StoreId(place), VenueId(VENUE_ID))
                end = at + timedelta(minutes=20)
                visit = Visit(VisitId(f"vis_{day}_{n}_{kind}"), where, at, end, 5, 0.9, is_counted=True, left_at=end)
                visits.append((device, visit))
                events.append(PersonEvent(device, exited_event(visit, end, "gap")))
        with home.database.write() as connection:
            effects = Effects(tuple(events), tuple(visits), (), {})
            store_effects(connection, DEFAULT_TENANT, effects, (), NOON, PlaceBook())
    return 2 * N_PEOPLE * N_DAYS


def _register(home: Home, name: str) -> Device:
    key = home.keys.people
    device = Device(
        ref=device_ref(DEFAULT_TENANT, DeviceId(name), key),
        person=person_ref(DEFAULT_TENANT, DeviceId(name), key),
        age_band=AgeBand.ADULT,
        consents=tuple(Consent(purpose, "1", NOON - timedelta(days=30)) for purpose in PURPOSES),
    )
    with home.database.write() as connection:
        put_device(connection, DEFAULT_TENANT, device, NOON)
    return device


def answer_batches(running: Running, heard: list[Scan], n: int, first: int) -> list[float]:
    """Milliseconds of each batch, one behind the other, each phone ten seconds on."""

    async def all_of_them() -> list[float]:
        times = []
        for number in range(first, first + n):
            at = NOON + timedelta(seconds=10 * number)
            scans = [
                replace(heard[k % len(heard)], scan_id=ScanId(f"s-{number}"), device_id=DeviceId(f"p-{k}"), at=at)
                for k in range(BATCH_SCANS)
            ]
            began = time.perf_counter()
            await running.engine.answer(DEFAULT_TENANT, scans)
            times.append(1e3 * (time.perf_counter() - began))
        return times

    return asyncio.run(all_of_them())


def learn_until(worker: TagWorker, stop: threading.Event, steps_ms: list[float]) -> None:
    """Work as the worker's own thread does, and tell how long steps took."""
    while not stop.is_set():
        began = time.perf_counter()
        if not worker.step():
            return
        steps_ms.append(1e3 * (time.perf_counter() - began))
        stop.wait(BREATH_S)


def measure(folder: Path) -> None:
    """Print both, and the steps between."""
    world = make_world(3, MallSpec(n_levels=1))
    home = open_home(folder, clock="events")
    store_mall(home, world.mall.archive, world.survey(scans_per_store=24), None)
    for n in range(BATCH_SCANS):
        _register(home, f"p-{n}")
    n_events = record_days(home, world)
    running = start(home, EventClock(NOON), sweep_every_s=1e6)
    running.tags.stop()
    heard = [held.scan for held in world.survey(scans_per_store=24)]
    worker = TagWorker(home.database, VenueDesk(home.venues), EventClock(NOON))
    worker.step()  # kernels are compiled
    answer_batches(running, heard, 5, 0)
    alone: list[float] = []
    beside: list[float] = []
    steps: list[float] = []
    number, block = 5, 10
    while len(beside) < N_BATCHES:
        alone += answer_batches(running, heard, block, number)
        stop = threading.Event()
        thread = threading.Thread(target=learn_until, args=(worker, stop, steps))
        thread.start()
        beside += answer_batches(running, heard, block, number + block)
        stop.set()
        thread.join()
        number += 2 * block
    running.stop()
    print(f"batches of {BATCH_SCANS} scans, {N_BATCHES} of each; {n_events} events waited, {len(steps)} steps taken")
    for name, times in (("worker away", alone), ("worker at work", beside), ("a step of the worker", steps)):
        median, p95, most = np.percentile(times, [50, 95, 100])
        print(f"{name:22} median {median:7.1f} ms  p95 {p95:7.1f} ms  most {most:7.1f} ms")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as held:
        measure(Path(held))
