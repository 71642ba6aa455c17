"""Each call of the API as a value, made in one place for both clients."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

from atrium_client.wire import Answer, Campaign, CampaignDraft, Device, Json, Scan

T = TypeVar("T")

MAX_SCANS_PER_REQUEST = 1_000


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, how to read its answer, and whether sending it twice is harmless."""

    method: str
    path: str
    read: Callable[[Any], T]
    json: Any = None
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_idempotent: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    items: list[Json]
    next_cursor: str | None


def locate(scan: Scan) -> Call[Answer]:
    return Call("POST", "/v1/scans", _as_answer, json=scan, is_idempotent=is_replayable(scan))


def locate_batches(scans: Sequence[Scan]) -> Iterator[Call[list[Answer]]]:
    """One call for each 1,000 scans, in order."""
    for start in range(0, len(scans), MAX_SCANS_PER_REQUEST):
        part = scans[start : start + MAX_SCANS_PER_REQUEST]
        yield Call(
            "POST",
            "/v1/scans",
            lambda body: cast("list[Answer]", body["results"]),
            json={"scans": list(part)},
            is_idempotent=all(is_replayable(scan) for scan in part),
        )


def is_replayable(scan: Scan) -> bool:
    """Whether the server gives a repeated scan the same answer and no new effect.

    True for a named scan, and for one without a phone, which leaves no state at all.
    """
    return scan.get("device_id") is None or scan.get("scan_id") is not None


def put_device(device_id: str, device: Device) -> Call[Json]:
    return Call("PUT", f"/v1/devices/{_segment(device_id)}", _as_object, json=device)


def create_campaign(draft: CampaignDraft, idempotency_key: str | None) -> Call[Campaign]:
    return Call("POST", "/v1/campaigns", _as_campaign, json=draft, headers=_key(idempotency_key))


def campaign(campaign_id: str) -> Call[Campaign]:
    return Call("GET", f"/v1/campaigns/{quote(campaign_id, safe='')}", _as_campaign)


def change_campaign(campaign_id: str, verb: str) -> Call[Campaign]:
    """``publish`` or ``pause``: doing it twice is the same as once."""
    return Call("POST", f"/v1/campaigns/{quote(campaign_id, safe='')}:{verb}", _as_campaign)


def redeem(code: str, store_id: str, idempotency_key: str | None) -> Call[Json]:
    body = {"code": code, "store_id": store_id}
    return Call("POST", "/v1/redemptions", _as_object, json=body, headers=_key(idempotency_key))


def stores(venue_id: str) -> Call[list[Json]]:
    def read(body: Any) -> list[Json]:
        return cast("list[Json]", body["data"] if isinstance(body, dict) else body)

    return Call("GET", f"/v1/venues/{quote(venue_id, safe='')}/stores", read)


def health() -> Call[Json]:
    return Call("GET", "/v1/health", _as_object)


def page(kind: str, filters: Mapping[str, str | int | None], cursor: str | None) -> Call[Page]:
    """One page of ``visits``, ``events``, ``deliveries`` or ``coupons``."""
    params = {name: str(value) for name, value in filters.items() if value is not None}
    if cursor is not None:
        params["cursor"] = cursor
    return Call("GET", f"/v1/{kind}", lambda body: Page(body["data"], body.get("next_cursor")), params=params)


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


def _as_object(body: Any) -> Json:
    return cast("Json", body if body is not None else {})
