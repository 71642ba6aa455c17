"""The API's JSON as types. Unknown further fields may come and should be ignored."""

from typing import Any, Literal, NotRequired, Required, TypedDict


class Wifi(TypedDict, total=False):
    bssid: Required[str]
    rssi_dbm: Required[float]
    frequency_mhz: int | None
    age_ms: float | None
    connected: bool
    rtt_m: float | None


class Beacon(TypedDict, total=False):
    rssi_dbm: Required[float]
    uuid: str
    major: int
    minor: int
    namespace: str
    instance: str
    age_ms: float | None


class Truth(TypedDict, total=False):
    lat: Required[float]
    lng: Required[float]
    level: str | None
    building: str | None
    store_id: str | None
    walk: str | None


class Scan(TypedDict, total=False):
    """``at``: RFC 3339, or milliseconds since 1970. Without ``device_id`` no state is kept."""

    at: Required[str | int]
    scan_id: str | None
    device_id: str | None
    venue_id: str | None
    wifi: list[Wifi]
    beacons: list[Beacon]
    gps: dict[str, float]
    pressure_hpa: float | None
    steps: list[dict[str, Any]]
    truth: Truth


class Candidate(TypedDict):
    store_id: str
    store_name: str
    probability: float


class Position(TypedDict):
    venue_id: str
    building: str | None
    level: str | None
    in_store: float | None
    store_id: str | None
    store_name: str | None
    confidence: float
    candidates: list[Candidate]
    store_set: list[str]
    location: dict[str, float]
    accuracy_m: float
    locator: str


class Scene(TypedDict):
    phase: Literal["away", "approaching", "in_venue", "in_store", "leaving"]
    visit_id: str | None
    since: str | None
    dwell_s: float | None


class CardCoupon(TypedDict):
    code: str
    expires_at: str | None


class Card(TypedDict):
    card_id: str
    campaign_id: str
    title: str
    body: str
    action_url: str | None
    coupon: CardCoupon | None
    reason: str


class Answer(TypedDict, total=False):
    """The answer to one scan. In a batch, a bad scan has ``error`` (a problem) instead of the rest."""

    scan_id: Required[str | None]
    reason: Literal["no_readings", "unknown_radio", "outside"] | None
    position: Position | None
    scene: Scene | None
    cards: list[Card]
    error: dict[str, Any]


class Consent(TypedDict):
    purpose: str
    version: str
    at: str


class Device(TypedDict, total=False):
    model: str | None
    locale: str | None
    time_zone: str | None
    age_band: Literal["child", "teen", "adult", "unknown"]
    consents: list[Consent]


class Target(TypedDict):
    kind: Literal["store", "level", "venue", "zone"]
    id: str


class Trigger(TypedDict, total=False):
    on: Required[Literal["enter", "dwell"]]
    dwell_s: float | None
    min_confidence: float | None
    min_margin: float | None


class CardDraft(TypedDict):
    title: str
    body: str
    action_url: NotRequired[str | None]


class Offer(TypedDict, total=False):
    kind: Required[str]
    value: int
    currency: str | None
    valid_s: int | None


class CampaignDraft(TypedDict, total=False):
    name: Required[str]
    venue_id: Required[str]
    target: Required[Target]
    trigger: Required[Trigger]
    starts_at: str
    ends_at: str
    budget: int | None
    per_person: int | None
    card: Required[CardDraft]
    offer: Offer | None


class Campaign(TypedDict, total=False):
    id: Required[str]
    status: Required[str]
    name: str


class Coupon(TypedDict, total=False):
    code: str
    campaign_id: str
    status: str
    expires_at: str | None


class PaymentLine(TypedDict, total=False):
    """``amount`` is of the whole line, in minor units."""

    amount: Required[int]
    quantity: float
    sku: str
    category: str
    currency: str


class PaymentIdentity(TypedDict):
    kind: Literal["maker", "app", "phone", "payment", "loyalty", "partner", "plate", "biometric"]
    value: str


class Payment(TypedDict, total=False):
    """A payment, refund or complaint. ``source`` and ``receipt_id`` stand for it: a repeat does nothing.

    A refund or complaint names its payment by ``payment_id``, or by ``of_receipt_id`` (and ``of_source``).
    """

    source: Required[str]
    receipt_id: Required[str]
    at: Required[str]
    kind: Literal["payment", "refund", "complaint"]
    store_id: str
    amount: int
    currency: str
    lines: list[PaymentLine]
    identities: list[PaymentIdentity]
    payment_id: str
    of_receipt_id: str
    of_source: str
    reason: Literal["goods", "service", "price", "delivery", "other"]


class PaymentAnswer(TypedDict, total=False):
    """What was stored; where it was refused, ``source``, ``receipt_id`` and ``error`` (a problem) alone."""

    source: Required[str | None]
    receipt_id: Required[str | None]
    id: str
    kind: Literal["payment", "refund", "complaint"]
    payment_id: str | None
    venue_id: str
    store_id: str
    at: str
    amount: int | None
    currency: str | None
    lines: list[PaymentLine]
    reason: str | None
    recorded_at: str
    error: dict[str, Any]


class WakePlace(TypedDict):
    kind: Literal["entrance", "store"]
    id: str
    name: str
    level: str


class WakeTransmitter(TypedDict):
    """A Wi-Fi radio has ``bssid``; an iBeacon ``uuid``, ``major``, ``minor``; Eddystone ``namespace``, ``instance``."""

    bssid: str | None
    uuid: str | None
    major: int | None
    minor: int | None
    namespace: str | None
    instance: str | None
    threshold_dbm: float
    places: list[WakePlace]
    recall: float | None
    false_share: float | None


class WakeSet(TypedDict):
    """The transmitters to watch for, the most useful first, and what the whole set is worth."""

    venue_id: str
    kind: Literal["entrance", "store"]
    near_m: float
    places: int
    covered: list[WakePlace]
    recall: float | None
    false_share: float | None
    awake_share: float | None
    transmitters: list[WakeTransmitter]


class Webhook(TypedDict):
    """``failing``: tried again at ``next_attempt_at``; ``disabled``: not before it is enabled."""

    id: str
    url: str
    types: list[str]
    status: Literal["active", "failing", "disabled"]
    created_at: str
    delivered_at: str | None
    failing_since: str | None
    failures: int
    last_error: str | None
    next_attempt_at: str | None
    disabled_at: str | None


class NewWebhook(Webhook):
    """Its ``secret`` is shown this once; ``verify_webhook`` needs it."""

    secret: str


class WebhookTest(TypedDict):
    """``error`` is None where the receiver answered 2xx."""

    delivered: bool
    status: int | None
    error: str | None


Json = dict[str, Any]
"""An object whose fields the API's own page describes."""
