"""Puts the parts together: engine, services, application."""

from dataclasses import dataclass
from importlib.metadata import version

from fastapi import FastAPI

from api.app import create_app
from api.ports import Demo, Services, StreamLimits
from kernel.clock import EPOCH
from members.points.rules import PointRules
from members.ports import PeopleBook
from runtime.clocks import EventClock, LiveClock, SystemClock
from runtime.confirming import Confirming
from runtime.engine import SWEEP_EVERY_S, Observer, ScanEngine
from runtime.event_tail import EventTail, StreamDesk
from runtime.home import Home
from runtime.locators import Locators
from runtime.payments import PaymentDesk
from runtime.people import PeopleDesk
from runtime.people_worker import PeopleWorker
from runtime.points import PointsDesk, PointsWriter
from runtime.records.history import latest_instant
from runtime.sensitive_lists import SensitiveLists
from runtime.services import CampaignDesk, CouponDesk, DeviceDesk, HistoryDesk, KeyDesk, TagDesk, VenueDesk
from runtime.store_book import StoreBook
from runtime.tag_worker import TagWorker
from runtime.waiting_scans import WaitingScans
from runtime.wake_sets import WakeSetDesk
from runtime.webhooks.desk import WebhookDesk
from runtime.webhooks.rules import RetryRules
from runtime.webhooks.sending import Sender
from runtime.webhooks.worker import WebhookWorker
from scenes.rules import SceneRules


@dataclass(frozen=True, slots=True)
class Running:
    """A started engine and the application over it; ``stop`` when the server has ended."""

    app: FastAPI
    engine: ScanEngine
    tags: TagWorker
    points: PointsWriter
    home: Home
    tail: EventTail
    webhooks: WebhookWorker
    settling: PeopleWorker
    waiting: WaitingScans

    def let_go(self) -> None:
        """End the answers that have no end of their own: a server waits for those under way."""
        self.tail.close()

    def stop(self) -> None:
        """Answer what waits, then close."""
        self.webhooks.stop()
        self.tail.stop()
        self.engine.stop()
        self.points.stop()
        self.tags.stop()
        self.settling.stop()
        self.home.database.close()


def make_clock(home: Home) -> LiveClock:
    """The clock that the settings name; the clock of events goes on where the records end."""
    if home.settings.clock == "system":
        return SystemClock()
    with home.database.read() as connection:
        return EventClock(latest_instant(connection) or EPOCH)


def make_payment_desk(
    home: Home, clock: LiveClock, people: PeopleBook, confirming: Confirming | None = None
) -> PaymentDesk:
    """What records payments, for the server and for the command line, which has no scans for them to confirm."""
    return PaymentDesk(home.database, clock, make_store_book(home), people, home.keys.payments, confirming)


def make_store_book(home: Home) -> StoreBook:
    """Where the stores are that tills name."""
    return StoreBook(VenueDesk(home.venues), SensitiveLists(home.venues))


def start(
    home: Home,
    clock: LiveClock,
    *,
    rules: SceneRules | None = None,
    observer: Observer | None = None,
    demo: Demo | None = None,
    sweep_every_s: float = SWEEP_EVERY_S,
    stream_limits: StreamLimits | None = None,
    retry_rules: RetryRules | None = None,
    point_rules: PointRules | None = None,
) -> Running:
    """Start the engine, the writer of points, the tail of events and the webhooks, and build the application."""
    limits, release = stream_limits or StreamLimits(), version("atrium")
    waiting = WaitingScans()
    confirming = Confirming(waiting, clock, home.keys.people)
    engine = ScanEngine(
        home.database,
        Locators(home.venues, tracks=home.settings.tracks, kind=home.settings.locator),
        home.keys,
        clock,
        rules or SceneRules(),
        observer=observer,
        sweep_every_s=sweep_every_s,
        waiting=waiting,
    )
    tail = EventTail(home.database)
    sender = Sender(home.keys.webhooks, home.settings.local_webhooks, f"atrium/{release}")
    worker = WebhookWorker(home.database, tail, sender, home.keys.consumers, retry_rules or RetryRules())
    venues = VenueDesk(home.venues)
    people = PeopleDesk(home.database, engine, home.keys.people, clock)
    settings_of_points = point_rules or PointRules()
    points = PointsWriter(home.database, clock, settings_of_points)
    services = Services(
        keys=KeyDesk(home.database),
        scans=engine,
        devices=DeviceDesk(home.database, engine, home.keys.people),
        people=people,
        campaigns=CampaignDesk(home.database, engine),
        coupons=CouponDesk(home.database, clock, venues, make_store_book(home), confirming),
        payments=make_payment_desk(home, clock, people.book, confirming),
        points=PointsDesk(home.database, points, clock, settings_of_points),
        history=HistoryDesk(home.database),
        tags=TagDesk(home.database, home.keys.people, venues),
        streams=StreamDesk(tail, limits.per_tenant),
        webhooks=WebhookDesk(home.database, worker, sender, home.keys.consumers),
        venues=venues,
        wake_sets=WakeSetDesk(home.venues),
        clock=clock,
        pseudonym_key=home.keys.consumers,
        version=release,
        stream_limits=limits,
        demo=demo,
    )
    tags = TagWorker(home.database, venues, clock, sensitive=SensitiveLists(home.venues).of)
    engine.start()
    points.start()
    tags.start()
    tail.start()
    worker.start()
    settling = PeopleWorker(home.database, people)
    settling.start()
    return Running(create_app(services), engine, tags, points, home, tail, worker, settling, waiting)
