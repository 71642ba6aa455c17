"""Prepares the demo: a simulated mall surveyed and trained, its campaigns live, its keys made."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import msgspec

from api.ports import Role
from campaigns.campaign import Campaign, CampaignStatus, Card, Offer, Target, Trigger
from fingerprints.scan import LabelledScan
from fingerprints.wire import scan_to_json
from kernel.errors import AtriumError
from kernel.ids import CampaignId, StoreId, VenueId
from runtime.clocks import SystemClock
from runtime.home import Home
from runtime.models import load_model
from runtime.records.campaigns import insert_campaign, list_campaigns, set_status
from runtime.records.history import latest_instant
from runtime.records.tenants import DEFAULT_TENANT, make_key
from runtime.training import train_stored
from venues.archive import ImdfArchive
from venues.model import Store, Venue
from venues.time_zone import time_zone_of

VENUE_ID = VenueId("demo")
_STORE_CAMPAIGNS = 8
_BUDGET = 400
_OFFER_S = 3 * 3_600
_DAYS = 365


@dataclass(frozen=True, slots=True)
class DemoKeys:
    """The keys of one demo run; the till's is not shown."""

    device: str
    marketer: str
    cashier: str


def demo_dir(data_dir: Path, seed: int) -> Path:
    """A demo's own data folder, so that simulated people never stand among real ones."""
    return data_dir / f"demo-{seed}"


def is_prepared(home: Home) -> bool:
    """Whether an earlier run left a trained mall that this version can use, and that knows its time zone."""
    try:
        load_model(home, VENUE_ID)
        return home.venues.time_zone(DEFAULT_TENANT, VENUE_ID) is not None
    except AtriumError:
        return False


def store_mall(
    home: Home,
    archive: ImdfArchive,
    survey: Sequence[LabelledScan],
    tell: Callable[[str, float], None] | None,
    venue_id: VenueId = VENUE_ID,
) -> None:
    """Import the map and the survey, and train, as the command line would."""
    with home.database.write() as connection:
        home.venues.save_map(
            connection, DEFAULT_TENANT, venue_id, archive, "imdf", SystemClock().now(), time_zone_of(archive)
        )
    encode = msgspec.json.Encoder().encode
    lines = [encode(scan_to_json(held.scan, held.truth, held.walk)) for held in survey]
    home.venues.save_survey(DEFAULT_TENANT, venue_id, lines)
    train_stored(home, venue_id, tell)


def make_demo_keys(home: Home, label: str = "demo") -> DemoKeys:
    """Make this run's keys."""
    at = SystemClock().now()
    with home.database.write() as connection:
        made = [
            make_key(connection, DEFAULT_TENANT, role, label, at).text
            for role in (Role.DEVICE, Role.MARKETER, Role.CASHIER)
        ]
    return DemoKeys(*made)


def first_day(home: Home, planned: date) -> date:
    """The first day to play: the planned one, or the day after the last that was played here."""
    with home.database.read() as connection:
        last = latest_instant(connection)
    return planned if last is None else max(planned, last.date() + timedelta(days=1))


def publish_demo_campaigns(home: Home, venue: Venue, day: date) -> None:
    """Put the demo's campaigns live, unless they are."""
    with home.database.write() as connection:
        if list_campaigns(connection, DEFAULT_TENANT, 1, None).data:
            return
        for campaign in demo_campaigns(venue, day):
            insert_campaign(connection, DEFAULT_TENANT, campaign, SystemClock().now())
            set_status(connection, campaign.id, CampaignStatus.LIVE)


def demo_campaigns(venue: Venue, day: date) -> list[Campaign]:
    """Welcome offers at some stores, one for who stays, and one for who enters the mall."""
    starts_at = datetime.combine(day, time(), UTC) - timedelta(days=1)
    chosen = _spread(venue)
    campaigns = [
        _campaign(
            f"Welcome to {store.name}",
            Target("store", store.id),
            Trigger("enter"),
            starts_at,
            store,
            f"{10 + 5 * (index % 3)} % off in the next three hours",
            10 + 5 * (index % 3),
        )
        for index, store in enumerate(chosen[:_STORE_CAMPAIGNS])
    ]
    lingering, host = chosen[0], chosen[-1]
    campaigns.append(
        _campaign(
            f"Still choosing at {lingering.name}?",
            Target("store", lingering.id),
            Trigger("dwell", dwell_s=300),
            starts_at,
            lingering,
            "5 % more for taking your time",
            5,
        )
    )
    campaigns.append(
        _campaign(
            f"{venue.name} welcomes you",
            Target("venue", venue.id),
            Trigger("enter"),
            starts_at,
            host,
            f"A gift is waiting at {host.name}",
            20,
        )
    )
    return campaigns


def leads_to(home: Home) -> dict[str, str]:
    """The store that each campaign's card leads to."""
    with home.database.read() as connection:
        held = list_campaigns(connection, DEFAULT_TENANT, 1_000, None).data
    return {campaign.id: (campaign.card.action_url or "").removeprefix("atrium:store/") for campaign, _ in held}


def _spread(venue: Venue) -> list[Store]:
    """Stores of many categories and all levels: one of each category, in the order of the map."""
    by_category: dict[str, Store] = {}
    for store in venue.stores:
        by_category.setdefault(store.category, store)
    firsts = list(by_category.values())
    return firsts + [store for store in venue.stores if store not in firsts]


def _campaign(
    name: str, target: Target, trigger: Trigger, starts_at: datetime, store: Store, body: str, percent: int
) -> Campaign:
    return Campaign(
        id=CampaignId("cmp_" + secrets.token_hex(12)),
        name=name,
        venue_id=VENUE_ID,
        target=target,
        trigger=trigger,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(days=_DAYS),
        budget=_BUDGET,
        per_person=1,
        card=Card(name, body, f"atrium:store/{StoreId(store.id)}"),
        offer=Offer("percentage", percent, None, _OFFER_S),
    )
