"""Visits as the engine records them, without scans: for tests of what is learnt from them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from flow.run_batch import Effects, PersonEvent
from kernel.ids import DeviceId, PersonRef, StoreId, TenantId, VenueId, VisitId, derive_id
from members.device import AgeBand, Consent, Device, Purpose, device_ref, person_ref
from runtime.clocks import PlayedClock
from runtime.database import Database
from runtime.demo import VENUE_ID
from runtime.home import Home
from runtime.records.devices import put_device
from runtime.records.effects import store_effects
from runtime.records.schema import events, person_tags
from runtime.records.tenants import DEFAULT_TENANT
from runtime.sensitive_lists import SensitiveLists
from runtime.tag_worker import TagWorker
from scenes.advance import exited_event
from scenes.events import passed_event, visit_event
from scenes.places import PlaceBook
from scenes.rules import PlaceKind
from scenes.state import Place, Visit
from venues.model import Store, Venue

MONDAY = datetime(2026, 4, 6, 4, tzinfo=UTC)
"""Noon of the simulated mall."""
CONSENTED = datetime(2026, 1, 1, tzinfo=UTC)
BOTH = (Purpose.VISITS, Purpose.ANALYTICS)


@dataclass(frozen=True)
class OneMap:
    """The default tenant's only venue, as ``api.ports.Venues``."""

    venue: Venue

    def list(self, tenant: TenantId) -> Sequence[VenueId]:
        return [VENUE_ID] if tenant == DEFAULT_TENANT else []

    def get(self, tenant: TenantId, venue_id: VenueId) -> Venue | None:
        is_it = (tenant, venue_id) == (DEFAULT_TENANT, VENUE_ID)
        return replace(self.venue, id=VENUE_ID) if is_it else None


@dataclass
class Mall:
    """A home with a map, and what is recorded in it."""

    home: Home
    venue: Venue

    def register(
        self,
        name: str,
        purposes: Sequence[Purpose] = BOTH,
        age: AgeBand = AgeBand.ADULT,
        consented: datetime = CONSENTED,
    ) -> Device:
        """A phone and its owner's consents, as ``PUT /v1/devices`` stores them."""
        key = self.home.keys.people
        device = Device(
            ref=device_ref(DEFAULT_TENANT, DeviceId(name), key),
            person=person_ref(DEFAULT_TENANT, DeviceId(name), key),
            age_band=age,
            consents=tuple(Consent(purpose, "1", consented) for purpose in purposes),
        )
        with self.home.database.write() as connection:
            put_device(connection, DEFAULT_TENANT, device, MONDAY)
        return device

    def store(self, category: str) -> Store:
        """The first store of a category."""
        return next(store for store in self.venue.stores if store.category == category)

    def come(self, device: Device, at: datetime, categories: Sequence[str], *, stay_s: int = 600) -> list[Visit]:
        """A day's visit to the venue and to a store of each category, all over when they are recorded."""
        end = at + timedelta(hours=2)
        visits = [visit_at(device, PlaceKind.VENUE, VENUE_ID, at, end)]
        for number, category in enumerate(categories):
            begin = at + timedelta(minutes=30 * number)
            over = begin + timedelta(seconds=stay_s)
            visits.append(visit_at(device, PlaceKind.STORE, self.store(category).id, begin, over))
        self.record([(device, visit) for visit in visits])
        return visits

    def record(self, visits: Sequence[tuple[Device, Visit]]) -> None:
        """Store closed visits with their ends."""
        told = [
            PersonEvent(device, exited_event(visit, visit.left_at or visit.arrived_at, "gap"))
            for device, visit in visits
        ]
        self._store(Effects(tuple(told), tuple(visits), (), {}))

    def revise(self, device: Device, visit: Visit, *, is_void: bool = False, is_counted: bool = False) -> None:
        """Late scans changed a visit, or showed that it was none."""
        now = replace(visit, is_void=is_void, is_counted=is_counted, revision=visit.revision + 1)
        data = {"arrived_at": now.arrived_at, "left_at": now.left_at, "counted": now.is_counted, "dwell_s": now.dwell_s}
        told = visit_event("visit.revised", now, now.arrived_at, previous={}, void=is_void, **data)
        self._store(Effects((PersonEvent(device, told),), ((device, now),), (), {}))

    def pass_by(self, device: Device, category: str, at: datetime) -> None:
        """A front is gone by."""
        place = Place(PlaceKind.STORE, self.store(category).id, VENUE_ID)
        self._store(Effects((PersonEvent(device, passed_event(device.ref, place, at, 1)),), (), (), {}))

    def _store(self, effects: Effects) -> None:
        with self.home.database.write() as connection:
            store_effects(connection, DEFAULT_TENANT, effects, (), MONDAY, PlaceBook())

    def worker(self, now: datetime = MONDAY, database: Database | None = None, **changes: Any) -> TagWorker:
        """A worker at a server's instant; no thread of its own runs."""
        changes.setdefault("sensitive", SensitiveLists(self.home.venues).of)
        return TagWorker(database or self.home.database, OneMap(self.venue), PlayedClock(now), **changes)

    def tags(self, person: PersonRef) -> set[tuple[str, str | None]]:
        """The tags that hold."""
        with self.home.database.read() as connection:
            rows = connection.execute(sa.select(person_tags).where(person_tags.c.person == person))
            return {(row.tag, row.subject) for row in rows}

    def told(self, kind: str = "tag.") -> list[tuple[str, str, Any]]:
        """Id, type and tag of the events of a kind, in the order of their ids."""
        with self.home.database.read() as connection:
            rows = connection.execute(sa.select(events).where(events.c.type.startswith(kind)).order_by(events.c.id))
            return [(row.id, row.type, row.data) for row in rows]

    @staticmethod
    def kinds_of(connection: sa.Connection, device: Device) -> list[str]:
        """The types of a person's events, in the order they were recorded."""
        query = sa.select(events.c.type).where(events.c.person == device.person).order_by(events.c.sequence)
        return list(connection.execute(query).scalars())


def visit_at(device: Device, kind: PlaceKind, place_id: str, arrived: datetime, left: datetime) -> Visit:
    """A counted visit that is over."""
    return Visit(
        visit_id=VisitId(derive_id("vis", device.ref, place_id, arrived.isoformat())),
        place=Place(kind, StoreId(place_id), VENUE_ID),
        arrived_at=arrived,
        last_inside_at=left,
        fix_count=5,
        confidence=0.9,
        is_counted=True,
        left_at=left,
    )
