"""What the HTTP layer needs from the runtime: one protocol a noun, and the values that cross."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Literal, Protocol, TypeVar

from campaigns.campaign import Campaign, Zone
from campaigns.coupon import Coupon
from campaigns.decide import Delivery
from fingerprints.scan import LabelledScan, Scan
from kernel.clock import Clock
from kernel.errors import AtriumError
from kernel.ids import CampaignId, DeviceId, PaymentId, PersonRef, StoreId, TenantId, VenueId
from members.device import AgeBand, Consent, Device, Purpose
from members.identity import IdentityKind
from members.join import Strength
from members.payment import ComplaintReason, Kind, Line, Told
from members.points.accounts import AccountKey
from members.points.rules import PointRules
from members.points.statement import Balance, StatementLine
from members.points.transfers import Order, Transfer
from members.tiers import Tier
from positioning.wake import PlaceKind, RadioKind, WakeSet
from scenes.state import Visit
from venues.model import Venue

T = TypeVar("T")


class Role(StrEnum):
    """Who may do what (``api/access.py``)."""

    DEVICE = "device"
    VIEWER = "viewer"
    MARKETER = "marketer"
    APPROVER = "approver"
    CASHIER = "cashier"
    STORE = "store"
    ADMIN = "admin"
    AUDITOR = "auditor"
    RESEARCHER = "researcher"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key came with the call."""

    key_id: str
    tenant: TenantId
    role: Role


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and the cursor for the next; None at the end."""

    data: Sequence[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class VisitRow:
    """A visit with the person it is of."""

    visit: Visit
    person: PersonRef


@dataclass(frozen=True, slots=True)
class EventRow:
    """A recorded event; ``data`` without the person; ``cursor`` is that of the list after it.

    ``person`` is None where nobody is known.
    """

    id: str
    type: str
    occurred_at: datetime
    recorded_at: datetime
    person: PersonRef | None
    data: Mapping[str, Any]
    sequence: int
    cursor: str


@dataclass(frozen=True, slots=True)
class StreamPart:
    """The events that came, perhaps none, and the cursor after all that was looked at."""

    events: Sequence[EventRow]
    cursor: str


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What streams of events may take.

    Args:
        per_tenant: streams that a tenant may hold open in one server.
        heartbeat_s: the longest silence; after each such time the key is looked up anew.
        take_within_s: a reader that has not taken what was sent by then is cut off.
    """

    per_tenant: int = 20
    heartbeat_s: float = 15.0
    take_within_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that a tenant's events are posted to, and how that goes.

    Args:
        types: the types it wants; empty: all.
        failing_since: when the first of ``failures`` attempts in a row failed.
        disabled_at: since when nothing is sent; what was not delivered waits.
    """

    id: str
    tenant: TenantId
    url: str
    types: tuple[str, ...]
    created_at: datetime
    delivered_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    last_error: str | None = None
    next_attempt_at: datetime | None = None
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one request to a webhook: delivered where ``error`` is None."""

    status: int | None
    error: str | None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class TagRow:
    """A tag that holds of a person; ``venue_id`` is where it was earned, ``subject`` None for a tag that has none."""

    id: str
    person: PersonRef
    venue_id: VenueId
    tag: str
    subject: str | None
    score: float
    evidence_n: int
    expires_at: datetime | None
    added_at: datetime


@dataclass(frozen=True, slots=True)
class TagCount:
    """How many people a tag holds of, coarsened, as of the beginning of a service day (days since 1970)."""

    venue_id: VenueId
    tag: str
    subject: str | None
    people: int
    day: int


@dataclass(frozen=True, slots=True)
class RhythmRow:
    """Where a person stands in their rhythm at a venue, or at one category of it, as of last night."""

    venue_id: VenueId
    category: str | None
    band: str
    ratio: float | None
    expected_at: datetime | None
    p_active: float | None
    p_return_28d: float | None


@dataclass(frozen=True, slots=True)
class Redemption:
    """A coupon used at a store."""

    id: str
    coupon: Coupon
    store_id: StoreId
    at: datetime


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A stored payment, refund or complaint, as its ``kind`` says.

    Args:
        payment_id: of a refund or complaint: the payment it is of.
        amount, currency: None of a complaint.
        person: None where nobody is known, and where the store is a sensitive one.
        refunded: of a payment: how much of it was given back.
    """

    id: PaymentId
    kind: Kind
    source: str
    receipt_id: str
    payment_id: PaymentId | None
    venue_id: VenueId
    store_id: StoreId
    at: datetime
    amount: int | None
    currency: str | None
    lines: tuple[Line, ...]
    reason: ComplaintReason | None
    person: PersonRef | None
    refunded: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was told, as it is stored; a replay where it was stored before."""

    row: PaymentRow
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Once:
    """A call to be done once: its Idempotency-Key and a hash of what was asked."""

    route: str
    key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A status and body, kept with the deed so that a repeat gets the same."""

    status: int
    body: dict[str, Any]
    is_replay: bool = False


class Keys(Protocol):
    def recall_caller(self, key: str) -> Caller | None:
        """The caller if the key was looked up a moment ago; never waits. None says nothing: look it up."""
        ...

    def find_caller(self, key: str) -> Caller | None:
        """The caller behind a key; waits for the database, so never on the event loop."""
        ...


class Scans(Protocol):
    @property
    def is_running(self) -> bool:
        """Whether scans are being answered."""
        ...

    async def answer(self, tenant: TenantId, scans: Sequence[Scan | LabelledScan]) -> list[bytes | AtriumError]:
        """The JSON answer, or the error, of each scan, in order. What an answer promises is durable."""
        ...


class Devices(Protocol):
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
    ) -> Device: ...


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """An id that somebody is known by; its text is not kept."""

    kind: IdentityKind
    issuer: str | None
    first_seen_at: datetime


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A piece of evidence that two ids are one person's."""

    id: str
    kinds: tuple[IdentityKind, IdentityKind]
    strength: Strength
    source: str
    first_at: datetime
    last_at: datetime
    is_undone: bool


@dataclass(frozen=True, slots=True)
class PersonView:
    """Somebody as staff may see them: no places, no tags."""

    person: PersonRef
    tier: Tier
    identities: Sequence[IdentityRow]
    links: Sequence[LinkRow]


@dataclass(frozen=True, slots=True)
class AccessRow:
    """That somebody looked: when, in which role, for what."""

    at: datetime
    role: str
    purpose: str
    what: str


class People(Protocol):
    def see(
        self, caller: Caller, ids: Sequence[tuple[IdentityKind, str]], strength: Strength, source: str, at: datetime
    ) -> tuple[PersonRef, Tier]:
        """Take ids that came together; whose they are."""
        ...

    def find(self, caller: Caller, kind: IdentityKind, text: str, purpose: Purpose) -> PersonView:
        """Who has an id; the look is written into their own log."""
        ...

    def undo(self, caller: Caller, link_id: str, reason: str) -> int:
        """Take evidence back; how many ids are another person's now."""
        ...

    def accesses(self, tenant: TenantId, device_id: DeviceId) -> Sequence[AccessRow]:
        """Who looked at the owner of a phone, newest first."""
        ...

    def export(self, caller: Caller, device_id: DeviceId) -> dict[str, list[dict[str, Any]]]:
        """All rows that are held of the owner of a phone, by table."""
        ...

    def erase(self, tenant: TenantId, device_id: DeviceId) -> dict[str, dict[str, int]]:
        """Erase the owner of a phone; the rows that went, and those kept without a name, by table."""
        ...


class Campaigns(Protocol):
    def create(self, tenant: TenantId, campaign: Campaign) -> None: ...

    def get(self, tenant: TenantId, campaign_id: CampaignId) -> tuple[Campaign, int] | None: ...

    def list(self, tenant: TenantId, limit: int, cursor: str | None) -> Page[tuple[Campaign, int]]: ...

    def change_status(
        self, tenant: TenantId, campaign_id: CampaignId, verb: Literal["publish", "pause"]
    ) -> tuple[Campaign, int] | None: ...

    def create_zone(self, tenant: TenantId, zone: Zone) -> None: ...

    def zones(self, tenant: TenantId) -> Mapping[str, Zone]: ...


class Coupons(Protocol):
    def list(self, tenant: TenantId, limit: int, cursor: str | None) -> Page[Coupon]: ...

    def redeem(
        self,
        caller: Caller,
        code: str,
        store_id: StoreId,
        once: Once | None,
        render: Callable[[Redemption | AtriumError], Rendered],
    ) -> Rendered: ...


class Payments(Protocol):
    def record(self, tenant: TenantId, told: Sequence[Told]) -> Sequence[Recorded | AtriumError]:
        """Store each by itself, whole or not at all; in order, what it became or why it is refused.

        Delivery: effective exactly once by (source, receipt id), however often it is told.
        """
        ...

    def list(self, tenant: TenantId, limit: int, cursor: str | None) -> Page[PaymentRow]: ...


class Points(Protocol):
    @property
    def rules(self) -> PointRules:
        """The tenants' settings."""
        ...

    async def move(
        self, caller: Caller, order: Order, once: Once | None, render: Callable[[Transfer | AtriumError], Rendered]
    ) -> Rendered:
        """What came of an order; what it tells is durable. ``render`` may be called on another thread."""
        ...

    def balance(self, tenant: TenantId, whose: AccountKey) -> Balance:
        """What a person, by all their refs, or a pool or partner has; an error where it is not known."""
        ...

    def statement(self, tenant: TenantId, whose: AccountKey, limit: int, cursor: str | None) -> Page[StatementLine]: ...

    def open(self, tenant: TenantId, key: AccountKey, members: Sequence[str] | None) -> bool:
        """Open a pool or partner, or say anew who belongs to a pool; whether it was not open before."""
        ...


class History(Protocol):
    def visits(self, tenant: TenantId, limit: int, cursor: str | None, *, is_open: bool | None) -> Page[VisitRow]: ...

    def events(self, tenant: TenantId, limit: int, cursor: str | None, *, types: Collection[str]) -> Page[EventRow]: ...

    def deliveries(self, tenant: TenantId, limit: int, cursor: str | None) -> Page[Delivery]: ...


class Tags(Protocol):
    def counts(
        self, tenant: TenantId, limit: int, cursor: str | None, *, venue_id: VenueId | None, tag: str | None
    ) -> Page[TagCount]:
        """Of how many people each tag holds; small groups are left out."""
        ...

    def of_device(self, tenant: TenantId, device_id: DeviceId) -> tuple[Sequence[TagRow], Sequence[RhythmRow]]:
        """The tags and rhythms of the person behind a phone; none where nothing is known."""
        ...


class EventStream(Protocol):
    @property
    def cursor(self) -> str:
        """The cursor after all that was read."""
        ...

    async def read(self, wait_s: float) -> StreamPart | None:
        """What comes next; a part without events after ``wait_s``; None once the server stops."""
        ...

    def close(self) -> None:
        """Give the place to another; harmless twice."""
        ...


class EventStreams(Protocol):
    async def open(self, tenant: TenantId, after: str | Literal["start", "now"], types: Collection[str]) -> EventStream:
        """A stream of a tenant's events of these types (none named: all) from a cursor, the first, or now on.

        Raises:
            BadCursorError: no cursor of ours.
            TooManyStreamsError: the tenant holds as many as it may.
        """
        ...


class Webhooks(Protocol):
    async def create(self, tenant: TenantId, url: str, types: Sequence[str]) -> tuple[Webhook, str]:
        """A webhook for what is recorded from now on, and its secret, which is told only here.

        Raises:
            WebhookUrlError: an address that nothing is sent to.
            TooManyWebhooksError: the tenant has as many as it may.
        """
        ...

    def list(self, tenant: TenantId, limit: int, cursor: str | None) -> Page[Webhook]: ...

    def get(self, tenant: TenantId, webhook_id: str) -> Webhook | None: ...

    def delete(self, tenant: TenantId, webhook_id: str) -> bool: ...

    def enable(self, tenant: TenantId, webhook_id: str) -> Webhook | None:
        """Go on with a disabled webhook after the last event it was given."""
        ...

    async def test(self, tenant: TenantId, webhook_id: str) -> Attempt | None:
        """Post one ``webhook.test`` event now; None where there is no such webhook."""
        ...


class Venues(Protocol):
    def list(self, tenant: TenantId) -> Sequence[VenueId]: ...

    def get(self, tenant: TenantId, venue_id: VenueId) -> Venue | None: ...


@dataclass(frozen=True, slots=True)
class WakeSetAnswer:
    """A wake set; ``version`` changes whenever the set may have."""

    chosen: WakeSet
    version: str


class WakeSets(Protocol):
    def choose(
        self, tenant: TenantId, venue_id: VenueId, *, kind: PlaceKind, radio: RadioKind, limit: int
    ) -> WakeSetAnswer:
        """The set of a venue of the tenant; a conflict where the venue is not trained or has no map."""
        ...


class Demo(Protocol):
    """The board of ``atrium demo``: what the system found beside what is true."""

    def summary(self) -> dict[str, Any]: ...

    def plan(self) -> dict[str, Any]: ...

    def watch(self) -> AsyncIterator[bytes]:
        """JSON messages as things happen, until the server stops."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """All that ``create_app`` needs."""

    keys: Keys
    scans: Scans
    devices: Devices
    people: People
    campaigns: Campaigns
    coupons: Coupons
    payments: Payments
    points: Points
    history: History
    tags: Tags
    streams: EventStreams
    webhooks: Webhooks
    venues: Venues
    wake_sets: WakeSets
    clock: Clock
    pseudonym_key: bytes
    version: str
    stream_limits: StreamLimits = StreamLimits()
    demo: Demo | None = None
