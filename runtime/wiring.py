"""Puts the parts together: engine, services, application."""

from dataclasses import dataclass
from importlib.metadata import version

from fastapi import FastAPI

from api.app import create_app
from api.ports import Demo, Services
from kernel.clock import EPOCH
from runtime.clocks import EventClock, LiveClock, SystemClock
from runtime.engine import SWEEP_EVERY_S, Observer, ScanEngine
from runtime.home import Home
from runtime.locators import Locators
from runtime.records.history import latest_instant
from runtime.services import CampaignDesk, CouponDesk, DeviceDesk, HistoryDesk, KeyDesk, TagDesk, VenueDesk
from runtime.tag_worker import TagWorker
from runtime.wake_sets import WakeSetDesk
from scenes.rules import SceneRules


@dataclass(frozen=True, slots=True)
class Running:
    """A started engine and the application over it; ``stop`` when the server has ended."""

    app: FastAPI
    engine: ScanEngine
    tags: TagWorker
    home: Home

    def stop(self) -> None:
        """Answer what waits, then close."""
        self.engine.stop()
        self.tags.stop()
        self.home.database.close()


def make_clock(home: Home) -> LiveClock:
    """The clock that the settings name; the clock of events goes on where the records end."""
    if home.settings.clock == "system":
        return SystemClock()
    with home.database.read() as connection:
        return EventClock(latest_instant(connection) or EPOCH)


def start(
    home: Home,
    clock: LiveClock,
    *,
    rules: SceneRules | None = None,
    observer: Observer | None = None,
    demo: Demo | None = None,
    sweep_every_s: float = SWEEP_EVERY_S,
) -> Running:
    """Start the engine and build the application."""
    engine = ScanEngine(
        home.database,
        Locators(home.venues, tracks=home.settings.tracks, kind=home.settings.locator),
        home.keys,
        clock,
        rules or SceneRules(),
        observer=observer,
        sweep_every_s=sweep_every_s,
    )
    venues = VenueDesk(home.venues)
    services = Services(
        keys=KeyDesk(home.database),
        scans=engine,
        devices=DeviceDesk(home.database, engine, home.keys.people),
        campaigns=CampaignDesk(home.database, engine),
        coupons=CouponDesk(home.database, clock, venues),
        history=HistoryDesk(home.database),
        tags=TagDesk(home.database, home.keys.people, venues),
        venues=venues,
        wake_sets=WakeSetDesk(home.venues),
        clock=clock,
        pseudonym_key=home.keys.consumers,
        version=version("atrium"),
        demo=demo,
    )
    tags = TagWorker(home.database, venues, clock)
    engine.start()
    tags.start()
    return Running(create_app(services), engine, tags, home)
