"""What the HTTP layer asks for, answered from the records, the venue folders and the engine."""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Literal

from api.ports import Caller, EventRow, Once, Page, Redemption, Rendered, RhythmRow, TagCount, TagRow, VisitRow
from campaigns.campaign import Campaign, Zone, next_status
from campaigns.coupon import Coupon
from campaigns.decide import Delivery
from kernel.clock import Clock
from kernel.errors import AtriumError, PartFailedError
from kernel.ids import CampaignId, DeviceId, StoreId, TenantId, VenueId
from members.device import AgeBand, Consent, Device, device_ref, person_ref
from runtime.clocks import SystemClock
from runtime.confirming import Confirming
from runtime.database import Database
from runtime.engine import ScanEngine
from runtime.errors import StorageError
from runtime.records import campaigns as campaign_records
from runtime.records import history
from runtime.records.coupons import list_coupons, redeem_coupon
from runtime.records.devices import put_device
from runtime.records.events import list_events
from runtime.records.idempotency import find_answer, keep_answer
from runtime.records.payments import StorePlace
from runtime.records.rhythm import Judged, rhythms_of_person
from runtime.records.tag_counts import list_counts
from runtime.records.tags import tags_of_person
from runtime.records.tenants import find_caller
from runtime.store_book import StoreBook
from runtime.tag_places import instant_of, zone_of
from runtime.venue_store import VenueStore
from scenes.rhythm.bands import Band
from venues.model import Venue

_log = logging.getLogger(__name__)

_WALL = SystemClock()
"""When a thing was recorded, and whether a key still holds, go by the machine, whatever clock scans run on."""


KEY_MEMORY_S: Final = 1.0
"""How long a key that was found is taken as good: the look-up (0.4 ms) is spared to who calls often, and a key that is
revoked or expires is refused within this time."""
_MOST_KEYS_REMEMBERED: Final = 10_000


class KeyDesk:
    """Finds callers by their keys, remembering each good one for a second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recent: dict[str, tuple[float, Caller]] = {}

    def recall_caller(self, key: str) -> Caller | None:
        held = self._recent.get(key)
        return held[1] if held is not None and time.monotonic() - held[0] < KEY_MEMORY_S else None

    def find_caller(self, key: str) -> Caller | None:
        began = time.monotonic()
        with self._database.read() as connection:
            caller = find_caller(connection, key, _WALL.now())
        if caller is None:
            return None
        if len(self._recent) >= _MOST_KEYS_REMEMBERED:
            self._recent = {}
        self._recent[key] = began, caller
        return caller


class DeviceDesk:
    """Stores devices and tells the engine."""

    def __init__(self, database: Database, engine: ScanEngine, people_key: bytes) -> None:
        self._database, self._engine, self._key = database, engine, people_key

    def put(
        self,
        tenant: TenantId,
        device_id: DeviceId,
        *,
        age_band: AgeBand,
        consents: Sequence[Consent],
        model: str | None,
        locale: str | None,
        time_zone: str | None,
    ) -> Device:
        device = Device(
            ref=device_ref(tenant, device_id, self._key),
            person=person_ref(tenant, device_id, self._key),
            age_band=age_band,
            consents=tuple(consents),
            model=model,
            locale=locale,
            time_zone=time_zone,
        )
        with self._database.write() as connection:
            put_device(connection, tenant, device, _WALL.now())
        self._engine.device_changed(tenant, device.ref)
        return device


class CampaignDesk:
    """Stores campaigns and zones and tells the engine."""

    def __init__(self, database: Database, engine: ScanEngine) -> None:
        self._database, self._engine = database, engine

    def create(self, tenant: TenantId, campaign: Campaign) -> None:
        with self._database.write() as connection:
            campaign_records.insert_campaign(connection, tenant, campaign, _WALL.now())
        self._engine.campaigns_changed()

    def get(self, tenant: TenantId, campaign_id: CampaignId) -> tuple[Campaign, int] | None:
        with self._database.read() as connection:
            return campaign_records.get_campaign(connection, tenant, campaign_id)

    def list(self, tenant: TenantId, limit: int, cursor: str | None) -> Page[tuple[Campaign, int]]:
        with self._database.read() as connection:
            return campaign_records.list_campaigns(connection, tenant, limit, cursor)

    def change_status(
        self, tenant: TenantId, campaign_id: CampaignId, verb: Literal["publish", "pause"]
    ) -> tuple[Campaign, int] | None:
        with self._database.write() as connection:
            held = campaign_records.get_campaign(connection, tenant, campaign_id)
            if held is None:
                return None
            campaign_records.set_status(connection, campaign_id, next_status(held[0].status, verb))
            changed = campaign_records.get_campaign(connection, tenant, campaign_id)
        self._engine.campaigns_changed()
        return changed

    def create_zone(self, tenant: TenantId, zone: Zone) -> None:
        with self._database.write() as connection:
            campaign_records.insert_zone(connection, tenant, zone, _WALL.now())
        self._engine.campaigns_changed()

    def zones(self, tenant: TenantId) -> Mapping[str, Zone]:
        with self._database.read() as connection:
            return campaign_records.get_zones(connection, tenant)


class CouponDesk:
    """Lists coupons and redeems them, each once."""

    def __init__(
        self, database: Database, clock: Clock, venues: "VenueDesk", stores: StoreBook, confirming: Confirming
    ) -> None:
        self._database, self._clock, self._venues = database, clock, venues
        self._stores, self._confirming = stores, confirming

    def list(self, tenant: TenantId, limit: int, cursor: str | None) -> Page[Coupon]:
        with self._database.read() as connection:
            return list_coupons(connection, tenant, limit, cursor)

    def redeem(
        self,
        caller: Caller,
        code: str,
        store_id: StoreId,
        once: Once | None,
        render: Callable[[Redemption | AtriumError], Rendered],
    ) -> Rendered:
        def is_store(venue_id: VenueId, asked: StoreId) -> bool:
            venue = self._venues.get(caller.tenant, venue_id)
            return venue is None or any(store.id == asked for store in venue.stores)  # no map: nothing to compare

        places = self._places(caller.tenant, store_id)
        with self._database.write() as connection:
            if once is not None and (held := find_answer(connection, caller, once, _WALL.now())) is not None:
                return held
            result: Redemption | AtriumError
            try:
                result = redeem_coupon(
                    connection, caller.tenant, code, store_id, self._clock.now(), _WALL.now(), is_store
                )
            except PartFailedError:
                raise
            except AtriumError as refusal:
                result = refusal  # a refusal changed nothing; it is the answer, for a repeat too
            else:
                self._confirming.redeemed(connection, caller.tenant, result, places)
            rendered = render(result)
            if once is not None:
                keep_answer(connection, caller, once, rendered, _WALL.now())
        return rendered

    def _places(self, tenant: TenantId, store_id: StoreId) -> Mapping[StoreId, StorePlace]:
        """Where the store is; nothing where that cannot be read: a redemption then teaches nothing, and stands."""
        try:
            return self._stores.find(tenant, {store_id})
        except StorageError as error:
            _log.warning("a redemption confirms no scan: %s", error)
            return {}


class HistoryDesk:
    """Reads what happened."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def visits(self, tenant: TenantId, limit: int, cursor: str | None, *, is_open: bool | None) -> Page[VisitRow]:
        with self._database.read() as connection:
            return history.list_visits(connection, tenant, limit, cursor, is_open)

    def events(self, tenant: TenantId, limit: int, cursor: str | None, *, types: Collection[str]) -> Page[EventRow]:
        with self._database.read() as connection:
            return list_events(connection, tenant, limit, cursor, types)

    def deliveries(self, tenant: TenantId, limit: int, cursor: str | None) -> Page[Delivery]:
        with self._database.read() as connection:
            return history.list_deliveries(connection, tenant, limit, cursor)


class TagDesk:
    """Reads what visits say of people."""

    def __init__(self, database: Database, people_key: bytes, venues: "VenueDesk") -> None:
        self._database, self._key, self._venues = database, people_key, venues

    def counts(
        self, tenant: TenantId, limit: int, cursor: str | None, *, venue_id: VenueId | None, tag: str | None
    ) -> Page[TagCount]:
        with self._database.read() as connection:
            return list_counts(connection, tenant, venue_id, tag, limit, cursor)

    def of_device(self, tenant: TenantId, device_id: DeviceId) -> tuple[Sequence[TagRow], Sequence[RhythmRow]]:
        person = person_ref(tenant, device_id, self._key)
        with self._database.read() as connection:
            tags = tags_of_person(connection, tenant, person)
            judged = rhythms_of_person(connection, tenant, person)
        return tags, [self._rhythm(tenant, one) for one in judged]

    def _rhythm(self, tenant: TenantId, one: Judged) -> RhythmRow:
        venue = self._venues.get(tenant, one.key.venue_id)
        zone = zone_of(None if venue is None else venue.time_zone)
        return RhythmRow(
            venue_id=one.key.venue_id,
            category=one.key.subject or None,
            band=one.band or Band.UNKNOWN.value,
            ratio=one.ratio,
            expected_at=None if one.expected_day is None else instant_of(one.expected_day, zone),
            p_active=one.p_active,
            p_return_28d=one.p_return_28d,
        )


class VenueDesk:
    """Reads maps, keeping each in memory until its file changes."""

    def __init__(self, store: VenueStore) -> None:
        self._store = store
        self._held: dict[tuple[TenantId, VenueId], tuple[int, Venue | None]] = {}

    def list(self, tenant: TenantId) -> Sequence[VenueId]:
        return self._store.venue_ids(tenant)

    def get(self, tenant: TenantId, venue_id: VenueId) -> Venue | None:
        if venue_id not in self._store.venue_ids(tenant):
            return None
        path = self._store.map_path(tenant, venue_id)
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        held = self._held.get((tenant, venue_id))
        if held is None or held[0] != stamp:
            held = self._held[tenant, venue_id] = (stamp, self._store.load_venue(tenant, venue_id))
        return held[1]
