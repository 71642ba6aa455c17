"""The client for asyncio: the same calls as ``Client``, awaited."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx

from atrium_client import calls
from atrium_client.calls import Call
from atrium_client.transport import RetryPolicy, build_request, headers, read_answer, unreachable, wait_after
from atrium_client.wire import Answer, Campaign, CampaignDraft, Device, Json, Scan

T = TypeVar("T")


class AsyncClient:
    """Like ``Client``; each method there is a coroutine here, each iterator an async one."""

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
        self._http = httpx.AsyncClient(base_url=base_url, headers=headers(key), timeout=timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def locate(self, scan: Scan) -> Answer:
        return await self._send(calls.locate(scan))

    async def locate_many(self, scans: Sequence[Scan]) -> list[Answer]:
        out: list[Answer] = []
        for call in calls.locate_batches(scans):
            answers = await self._send(call)
            out += answers
        return out

    async def put_device(self, device_id: str, device: Device) -> Json:
        return await self._send(calls.put_device(device_id, device))

    async def create_campaign(self, draft: CampaignDraft, idempotency_key: str | None = None) -> Campaign:
        return await self._send(calls.create_campaign(draft, idempotency_key))

    async def publish_campaign(self, campaign_id: str) -> Campaign:
        return await self._send(calls.change_campaign(campaign_id, "publish"))

    async def pause_campaign(self, campaign_id: str) -> Campaign:
        return await self._send(calls.change_campaign(campaign_id, "pause"))

    async def campaign(self, campaign_id: str) -> Campaign:
        return await self._send(calls.campaign(campaign_id))

    def deliveries(self, **filters: str | int | None) -> AsyncIterator[Json]:
        return self._pages("deliveries", filters)

    def coupons(self, **filters: str | int | None) -> AsyncIterator[Json]:
        return self._pages("coupons", filters)

    def visits(self, **filters: str | int | None) -> AsyncIterator[Json]:
        return self._pages("visits", filters)

    def events(self, **filters: str | int | None) -> AsyncIterator[Json]:
        return self._pages("events", filters)

    async def redeem(self, code: str, store_id: str, idempotency_key: str | None = None) -> Json:
        return await self._send(calls.redeem(code, store_id, idempotency_key))

    async def stores(self, venue_id: str) -> list[Json]:
        return await self._send(calls.stores(venue_id))

    async def health(self) -> Json:
        return await self._send(calls.health())

    async def _pages(self, kind: str, filters: dict[str, str | int | None]) -> AsyncIterator[Json]:
        cursor: str | None = None
        while True:
            page = await self._send(calls.page(kind, filters, cursor))
            for item in page.items:
                yield item
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    async def _send(self, call: Call[T]) -> T:
        attempt = 0
        while True:
            try:
                response = await self._http.send(build_request(self._http, call))
            except httpx.TransportError as error:
                wait_s = wait_after(self._policy, call, attempt, error)
                if wait_s is None:
                    raise unreachable(error) from error
            else:
                wait_s = wait_after(self._policy, call, attempt, response)
                if wait_s is None:
                    return read_answer(call, response)
            await asyncio.sleep(wait_s)
            attempt += 1
