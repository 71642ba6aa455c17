"""The blocking client."""

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx

from atrium_client import calls
from atrium_client.calls import Call
from atrium_client.transport import RetryPolicy, build_request, headers, read_answer, unreachable, wait_after
from atrium_client.wire import Answer, Campaign, CampaignDraft, Device, Json, Scan

T = TypeVar("T")


class Client:
    """Calls Atrium with one key. Safe to share between threads; close it, or use it as a context.

    Args:
        timeout: seconds for each part of a request.
        retries: further attempts after the first, for calls that may be repeated.
        policy: how to wait between attempts; overrides ``retries``.

    Raises (every call):
        AtriumError: or one of its kinds (``atrium_client.errors``).
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        timeout: float = 30.0,
        retries: int = 4,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._policy = RetryPolicy(retries=retries) if policy is None else policy
        self._http = httpx.Client(base_url=base_url, headers=headers(key), timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def locate(self, scan: Scan) -> Answer:
        """Send one scan."""
        return self._send(calls.locate(scan))

    def locate_many(self, scans: Sequence[Scan]) -> list[Answer]:
        """Send many scans, 1,000 a request; one answer a scan, in order; a bad one is answered in place."""
        return [answer for call in calls.locate_batches(scans) for answer in self._send(call)]

    def put_device(self, device_id: str, device: Device) -> Json:
        """Say what a phone is and what its owner allows."""
        return self._send(calls.put_device(device_id, device))

    def create_campaign(self, draft: CampaignDraft, idempotency_key: str | None = None) -> Campaign:
        return self._send(calls.create_campaign(draft, idempotency_key))

    def publish_campaign(self, campaign_id: str) -> Campaign:
        return self._send(calls.change_campaign(campaign_id, "publish"))

    def pause_campaign(self, campaign_id: str) -> Campaign:
        return self._send(calls.change_campaign(campaign_id, "pause"))

    def campaign(self, campaign_id: str) -> Campaign:
        return self._send(calls.campaign(campaign_id))

    def deliveries(self, **filters: str | int | None) -> Iterator[Json]:
        """All deliveries, page by page as they are read."""
        return self._pages("deliveries", filters)

    def coupons(self, **filters: str | int | None) -> Iterator[Json]:
        return self._pages("coupons", filters)

    def visits(self, **filters: str | int | None) -> Iterator[Json]:
        return self._pages("visits", filters)

    def events(self, **filters: str | int | None) -> Iterator[Json]:
        return self._pages("events", filters)

    def redeem(self, code: str, store_id: str, idempotency_key: str | None = None) -> Json:
        """Redeem a coupon at a till; ``Conflict`` (``already_redeemed``) the second time, whoever calls."""
        return self._send(calls.redeem(code, store_id, idempotency_key))

    def stores(self, venue_id: str) -> list[Json]:
        return self._send(calls.stores(venue_id))

    def health(self) -> Json:
        return self._send(calls.health())

    def _pages(self, kind: str, filters: dict[str, str | int | None]) -> Iterator[Json]:
        cursor: str | None = None
        while True:
            page = self._send(calls.page(kind, filters, cursor))
            yield from page.items
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    def _send(self, call: Call[T]) -> T:
        attempt = 0
        while True:
            try:
                response = self._http.send(build_request(self._http, call))
            except httpx.TransportError as error:
                wait_s = wait_after(self._policy, call, attempt, error)
                if wait_s is None:
                    raise unreachable(error) from error
            else:
                wait_s = wait_after(self._policy, call, attempt, response)
                if wait_s is None:
                    return read_answer(call, response)
            time.sleep(wait_s)
            attempt += 1
