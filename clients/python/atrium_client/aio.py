"""The client for asyncio: the same calls as ``Client``, awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Literal, Self, TypeVar, assert_never

import httpx

from atrium_client import calls, steps
from atrium_client.calls import MAX_PAYMENTS_PER_REQUEST, MAX_SCANS_PER_REQUEST, Call
from atrium_client.errors import AtriumError, Unreachable
from atrium_client.flush import Flushed, flush
from atrium_client.queue import ScanQueue
from atrium_client.retry import Outcome, RetryPolicy
from atrium_client.steps import Ask, Done, Step, Steps, Tell, Wait, advance, attempts
from atrium_client.stream import StreamCourse, StreamedEvent
from atrium_client.transport import build_request, headers, read_failure, unreachable
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


@asynccontextmanager
async def _closing(response: httpx.Response) -> AsyncIterator[httpx.Response]:
    try:
        yield response
    finally:
        await response.aclose()


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
        queue: ScanQueue | None = None,
    ) -> None:
        self._policy = RetryPolicy(retries=retries) if policy is None else policy
        self._time_out_s, self._queue = timeout, queue
        self._http = httpx.AsyncClient(base_url=base_url, headers=headers(key))

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

    async def locate_many(self, scans: Sequence[Scan], *, batch: int = MAX_SCANS_PER_REQUEST) -> list[Answer]:
        out: list[Answer] = []
        for call in calls.locate_batches(scans, batch):
            answers = await self._send(call)
            out += answers
        return out

    async def flush(
        self, on_answer: Callable[[Answer], None] | None = None, *, batch: int = MAX_SCANS_PER_REQUEST
    ) -> Flushed:
        if self._queue is None:
            raise ValueError("this client was made without a queue")
        return await self._drive(flush(self._queue, self._policy, batch, self._time_out_s), on_answer)

    async def put_device(self, device_id: str, device: Device) -> Json:
        return await self._drive(steps.put_device(device_id, device, self._queue, self._policy, self._time_out_s))

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

    def visits(self, *, is_open: bool | None = None, **filters: str | int | None) -> AsyncIterator[Json]:
        return self._pages("visits", filters | {"open": is_open})

    def events(self, *, types: Sequence[str] = (), **filters: str | int | None) -> AsyncIterator[Json]:
        return self._pages("events", {**filters, "type": types})

    async def stream_events(
        self, *, types: Sequence[str] = (), cursor: str | None = None, begin: Literal["start", "now"] = "now"
    ) -> AsyncIterator[StreamedEvent]:
        course = StreamCourse(types, cursor, begin, self._policy)
        while True:
            outcome: Outcome | None = None
            failure: AtriumError = Unreachable(0, "unreachable", "the stream ended")
            try:
                outcome = await self._http.send(course.request(self._http, self._time_out_s), stream=True)
                async with _closing(outcome) as response:
                    if course.is_stream(response):
                        outcome = None
                        async for line in response.aiter_lines():
                            if (found := course.take(line)) is not None:
                                yield found
                    else:
                        await response.aread()
                        failure = read_failure(response)
            except httpx.RequestError as error:
                outcome, failure = error, unreachable(error)
            await asyncio.sleep(course.wait_s(outcome, failure))

    async def create_webhook(self, url: str, *, types: Sequence[str] = ()) -> NewWebhook:
        return await self._send(calls.create_webhook(url, types))

    def webhooks(self) -> AsyncIterator[Json]:
        return self._pages("webhooks", {})

    async def webhook(self, webhook_id: str) -> Webhook:
        return await self._send(calls.webhook(webhook_id))

    async def enable_webhook(self, webhook_id: str) -> Webhook:
        return await self._send(calls.enable_webhook(webhook_id))

    async def delete_webhook(self, webhook_id: str) -> None:
        await self._send(calls.delete_webhook(webhook_id))

    async def test_webhook(self, webhook_id: str) -> WebhookTest:
        return await self._send(calls.test_webhook(webhook_id))

    def tags(self, **filters: str | int | None) -> AsyncIterator[Json]:
        """Of how many people each tag holds, as of last night; filters ``venue_id``, ``tag``."""
        return self._pages("tags", filters)

    async def device_tags(self, device_id: str) -> Json:
        """All that is held of a phone's owner, ``data`` and ``rhythms``, for the owner to see; with a device key."""
        return await self._send(calls.device_tags(device_id))

    async def redeem(self, code: str, store_id: str, idempotency_key: str | None = None) -> Json:
        return await self._send(calls.redeem(code, store_id, idempotency_key))

    async def record_payments(
        self, payments: Sequence[Payment], *, batch: int = MAX_PAYMENTS_PER_REQUEST
    ) -> list[PaymentAnswer]:
        """Tell what was paid, given back or complained of, ``batch`` a request; a bad one is answered in its place.

        Harmless to repeat: what the server has under the same ``source`` and ``receipt_id`` stays as it is.
        """
        return [answer for call in calls.payment_batches(payments, batch) for answer in await self._send(call)]

    def payments(self, **filters: str | int | None) -> AsyncIterator[Json]:
        """All payments, refunds and complaints in the order they were recorded, without identities."""
        return self._pages("payments", filters)

    async def stores(self, venue_id: str) -> list[Json]:
        return await self._send(calls.stores(venue_id))

    async def wake_sets(
        self,
        venue_id: str,
        *,
        kind: Literal["entrance", "store"] = "entrance",
        radio: Literal["any", "wifi", "beacon"] = "any",
        limit: int = 20,
    ) -> WakeSet:
        return await self._send(calls.wake_sets(venue_id, kind, radio, limit))

    async def health(self) -> Json:
        return await self._send(calls.health())

    async def _pages(self, kind: str, filters: calls.Filters) -> AsyncIterator[Json]:
        cursor: str | None = None
        while True:
            page = await self._send(calls.page(kind, filters, cursor))
            for item in page.items:
                yield item
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    async def _send(self, call: Call[T]) -> T:
        return await self._drive(attempts(call, self._policy, self._time_out_s))

    async def _drive(self, course: Steps[T], on_answer: Callable[[Answer], None] | None = None) -> T:
        try:
            step = await self._advance(course, None)
            while not isinstance(step, Done):
                outcome: Outcome | None = None
                match step:
                    case Ask():
                        outcome = await self._try(step)
                    case Wait():
                        await asyncio.sleep(step.seconds)
                    case Tell():
                        if on_answer is not None:
                            for answer in step.answers:
                                on_answer(answer)
                    case _:
                        assert_never(step)
                step = await self._advance(course, outcome)
            return step.value
        finally:
            course.close()

    async def _advance(self, course: Steps[T], outcome: Outcome | None) -> Step | Done[T]:
        """With a queue a step may wait for the disk, so not on the event loop; a cancelled one is waited out first."""
        if self._queue is None:
            return advance(course, outcome)
        step = asyncio.ensure_future(asyncio.to_thread(advance, course, outcome))
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError:
            while not step.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({step})
            if not step.cancelled():
                step.exception()  # seen, so that asyncio does not report it as lost
            raise

    async def _try(self, ask: Ask) -> Outcome:
        try:
            return await self._http.send(build_request(self._http, ask.call, ask.time_out_s))
        except httpx.RequestError as error:
            return error
