"""Each call of the API as a value, made in one place for both clients."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

from atrium_client.wire import (
    Answer,
    Campaign,
    CampaignDraft,
    Device,
    Json,
    NewWebhook,
    Payment,
    PaymentAnswer,
    Scan,
    WakeSet,
    Webhook,
    WebhookTest,
)

T = TypeVar("T")

Filters = Mapping[str, str | int | Sequence[str] | None]
"""Parameters of a list; one that is given several values is repeated."""
MAX_SCANS_PER_REQUEST = 1_000
MAX_REQUEST_BYTES = 16 * 1024 * 1024
"""What the server takes in one call, unpacked."""
MAX_PAYMENTS_PER_REQUEST = 1_000
MAX_PAYMENT_BYTES = 4 * 1024 * 1024
_ENVELOPE_BYTES = len(b'{"scans":[]}')


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, how to read its answer, and whether sending it twice is harmless."""

    method: str
    path: str
    read: Callable[[Any], T]
    content: bytes | None = None
    params: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_idempotent: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    items: list[Json]
    next_cursor: str | None


def locate(scan: Scan) -> Call[Answer]:
    return Call("POST", "/v1/scans", _as_answer, encode(scan), is_idempotent=is_replayable(scan))


def locate_batches(scans: Sequence[Scan], batch: int) -> Iterator[Call[list[Answer]]]:
    """One call for each ``batch`` scans, in order; fewer where they would be more bytes than the server takes."""
    part: list[Scan] = []
    bodies: list[bytes] = []
    n_bytes = _ENVELOPE_BYTES
    for scan in scans:
        body = encode(scan)
        if bodies and (len(bodies) >= batch or n_bytes + len(body) + 1 > MAX_REQUEST_BYTES):
            yield locate_batch(bodies, is_idempotent=all(map(is_replayable, part)))
            part, bodies, n_bytes = [], [], _ENVELOPE_BYTES
        part.append(scan)
        bodies.append(body)
        n_bytes += len(body) + 1
    if bodies:
        yield locate_batch(bodies, is_idempotent=all(map(is_replayable, part)))


def locate_batch(bodies: Sequence[bytes], *, is_idempotent: bool) -> Call[list[Answer]]:
    """One call for scans that are JSON already."""

    def read(body: Any) -> list[Answer]:
        results = body["results"]
        if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
            raise TypeError("results is no list of objects")
        if len(results) != len(bodies):
            raise ValueError(f"{len(bodies)} scans were sent, {len(results)} answers came")
        return cast("list[Answer]", results)

    return Call("POST", "/v1/scans", read, b'{"scans":[' + b",".join(bodies) + b"]}", is_idempotent=is_idempotent)


def encode(value: object) -> bytes:
    """A value as JSON, as short as it goes.

    Raises:
        ValueError: a number that JSON has not, such as NaN.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def is_replayable(scan: Scan) -> bool:
    """Whether the server gives a repeated scan the same answer and no new effect.

    True for a named scan, and for one without a phone, which leaves no state at all.
    """
    return scan.get("device_id") is None or scan.get("scan_id") is not None


def put_device(device_id: str, device: Device) -> Call[Json]:
    return Call("PUT", f"/v1/devices/{_segment(device_id)}", _as_object, encode(device))


def create_campaign(draft: CampaignDraft, idempotency_key: str | None) -> Call[Campaign]:
    """Not repeated where the first try may have been taken: the server makes a second draft of a second call."""
    return Call(
        "POST",
        "/v1/campaigns",
        _as_campaign,
        encode(draft),
        headers=_key(idempotency_key),
        is_idempotent=False,
    )


def campaign(campaign_id: str) -> Call[Campaign]:
    return Call("GET", f"/v1/campaigns/{quote(campaign_id, safe='')}", _as_campaign)


def change_campaign(campaign_id: str, verb: str) -> Call[Campaign]:
    """``publish`` or ``pause``: doing it twice is the same as once."""
    return Call("POST", f"/v1/campaigns/{quote(campaign_id, safe='')}:{verb}", _as_campaign)


def redeem(code: str, store_id: str, idempotency_key: str | None) -> Call[Json]:
    body = {"code": code, "store_id": store_id}
    return Call("POST", "/v1/redemptions", _as_object, encode(body), headers=_key(idempotency_key))


def payment_batches(payments: Sequence[Payment], batch: int) -> Iterator[Call[list[PaymentAnswer]]]:
    """One call for each ``batch`` payments, in order; fewer where they would be more bytes than the server takes."""
    bodies: list[bytes] = []
    n_bytes = 0
    for body in map(encode, payments):
        if bodies and (len(bodies) >= batch or n_bytes + len(body) + 1 > MAX_PAYMENT_BYTES - 100):
            yield _payment_batch(bodies)
            bodies, n_bytes = [], 0
        bodies.append(body)
        n_bytes += len(body) + 1
    if bodies:
        yield _payment_batch(bodies)


def _payment_batch(bodies: Sequence[bytes]) -> Call[list[PaymentAnswer]]:
    def read(body: Any) -> list[PaymentAnswer]:
        if len(body["results"]) != len(bodies):
            raise ValueError(f"{len(bodies)} payments were sent, {len(body['results'])} answers came")
        return cast("list[PaymentAnswer]", body["results"])

    return Call("POST", "/v1/payments", read, b'{"payments":[' + b",".join(bodies) + b"]}")


def stores(venue_id: str) -> Call[list[Json]]:
    def read(body: Any) -> list[Json]:
        return cast("list[Json]", body["data"] if isinstance(body, dict) else body)

    return Call("GET", f"/v1/venues/{quote(venue_id, safe='')}/stores", read)


def wake_sets(venue_id: str, kind: str, radio: str, limit: int) -> Call[WakeSet]:
    params = {"venue_id": venue_id, "kind": kind, "radio": radio, "limit": str(limit)}
    return Call("GET", "/v1/wake-sets", lambda body: cast("WakeSet", body), params=params)


def device_tags(device_id: str) -> Call[Json]:
    """The tags and rhythms of a phone's owner."""
    return Call("GET", f"/v1/devices/{_segment(device_id)}/tags", _as_object)


def health() -> Call[Json]:
    return Call("GET", "/v1/health", _as_object)


def create_webhook(url: str, types: Sequence[str]) -> Call[NewWebhook]:
    """Not repeated where the first try may have been taken: the server makes a second one of a second call."""
    body = encode({"url": url, "types": list(types)})
    return Call("POST", "/v1/webhooks", lambda answer: cast("NewWebhook", answer), body, is_idempotent=False)


def webhook(webhook_id: str) -> Call[Webhook]:
    return Call("GET", f"/v1/webhooks/{quote(webhook_id, safe='')}", _as_webhook)


def enable_webhook(webhook_id: str) -> Call[Webhook]:
    return Call("POST", f"/v1/webhooks/{quote(webhook_id, safe='')}:enable", _as_webhook)


def delete_webhook(webhook_id: str) -> Call[None]:
    return Call("DELETE", f"/v1/webhooks/{quote(webhook_id, safe='')}", lambda _: None)


def test_webhook(webhook_id: str) -> Call[WebhookTest]:
    path = f"/v1/webhooks/{quote(webhook_id, safe='')}:test"
    return Call("POST", path, lambda body: cast("WebhookTest", body), is_idempotent=False)


def page(kind: str, filters: Filters, cursor: str | None) -> Call[Page]:
    """One page of ``visits``, ``events``, ``tags``, ``deliveries``, ``coupons``, ``payments`` or ``webhooks``."""
    params = {name: _parameter(value) for name, value in filters.items() if value not in (None, (), [])}
    if cursor is not None:
        params["cursor"] = cursor
    return Call("GET", f"/v1/{kind}", lambda body: Page(body["data"], body.get("next_cursor")), params=params)


def _parameter(value: str | int | Sequence[str]) -> str | Sequence[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else list(value)


def _segment(text: str) -> str:
    """Any text as one segment of a path: a slash, or a lone dot that a URL would swallow, is part of the id."""
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


def _key(idempotency_key: str | None) -> dict[str, str]:
    """A key of the caller's, else a fresh one: either way the retries of one call have one effect."""
    return {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}


def _as_answer(body: Any) -> Answer:
    return cast("Answer", body)


def _as_campaign(body: Any) -> Campaign:
    return cast("Campaign", body)


def _as_webhook(body: Any) -> Webhook:
    return cast("Webhook", body)


def _as_object(body: Any) -> Json:
    return cast("Json", body if body is not None else {})
