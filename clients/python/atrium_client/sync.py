"""The blocking client."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Literal, Self, TypeVar, assert_never

import httpx

from atrium_client import calls, steps
from atrium_client.calls import MAX_PAYMENTS_PER_REQUEST, MAX_SCANS_PER_REQUEST, Call
from atrium_client.errors import AtriumError, Unreachable
from atrium_client.flush import Flushed, flush
from atrium_client.queue import ScanQueue
from atrium_client.retry import Outcome, RetryPolicy
from atrium_client.steps import Ask, Done, Steps, Tell, Wait, advance, attempts
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


class Client:
    """Calls Atrium with one key. Safe to share between threads; close it, or use it as a context.

    Args:
        timeout: seconds for each part of a request.
        retries: further attempts after the first, for calls that may be repeated.
        policy: how to wait between attempts; overrides ``retries``.
        queue: where scans wait for a connection; yours to close. It obeys what ``put_device`` is told.

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
        queue: ScanQueue | None = None,
    ) -> None:
        self._policy = RetryPolicy(retries=retries) if policy is None else policy
        self._time_out_s, self._queue = timeout, queue
        self._http = httpx.Client(base_url=base_url, headers=headers(key))

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

    def locate_many(self, scans: Sequence[Scan], *, batch: int = MAX_SCANS_PER_REQUEST) -> list[Answer]:
        """Send many scans, ``batch`` a request; one answer a scan, in order; a bad one is answered in place."""
        return [answer for call in calls.locate_batches(scans, batch) for answer in self._send(call)]

    def flush(
        self, on_answer: Callable[[Answer], None] | None = None, *, batch: int = MAX_SCANS_PER_REQUEST
    ) -> Flushed:
        """Send what waits in the queue, ``batch`` scans a request.

        Args:
            on_answer: gets each answer before its scan leaves the queue; the same one again after a crash, or when
                it raises, so know a card by its ``card_id``.
            batch: fewer lose less time on a bad connection.

        Returns:
            What was sent, what was refused, and what is left and why: a server that cannot be reached raises nothing.

        Raises:
            QueueBusy: the queue is being sent already.
        """
        if self._queue is None:
            raise ValueError("this client was made without a queue")
        return self._drive(flush(self._queue, self._policy, batch, self._time_out_s), on_answer)

    def put_device(self, device_id: str, device: Device) -> Json:
        """Say what a phone is and what its owner allows; where that is no visits, the queue forgets the phone first."""
        return self._drive(steps.put_device(device_id, device, self._queue, self._policy, self._time_out_s))

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

    def visits(self, *, is_open: bool | None = None, **filters: str | int | None) -> Iterator[Json]:
        """Visits in the order of arrival: the open ones, the closed ones, or both."""
        return self._pages("visits", filters | {"open": is_open})

    def events(self, *, types: Sequence[str] = (), **filters: str | int | None) -> Iterator[Json]:
        return self._pages("events", {**filters, "type": types})

    def stream_events(
        self, *, types: Sequence[str] = (), cursor: str | None = None, begin: Literal["start", "now"] = "now"
    ) -> Iterator[StreamedEvent]:
        """Events as they are recorded, without end, over as many connections as it takes: none twice, none left out.

        Args:
            types: only these; none: all.
            cursor: go on after this ``StreamedEvent.cursor``, kept from before.
            begin: where to begin without a cursor: with the first event there is, or with the next.

        Raises:
            AtriumError: the server refused, or the policy's patience is at its end. A later call with the last
                cursor loses nothing.
        """
        course = StreamCourse(types, cursor, begin, self._policy)
        while True:
            outcome: Outcome | None = None
            failure: AtriumError = Unreachable(0, "unreachable", "the stream ended")
            try:
                outcome = self._http.send(course.request(self._http, self._time_out_s), stream=True)
                with closing(outcome) as response:
                    if course.is_stream(response):
                        outcome = None
                        for line in response.iter_lines():
                            if (found := course.take(line)) is not None:
                                yield found
                    else:
                        response.read()
                        failure = read_failure(response)
            except httpx.RequestError as error:
                outcome, failure = error, unreachable(error)
            time.sleep(course.wait_s(outcome, failure))

    def create_webhook(self, url: str, *, types: Sequence[str] = ()) -> NewWebhook:
        """Have events posted to an address from now on; keep the ``secret``, which is told only here."""
        return self._send(calls.create_webhook(url, types))

    def webhooks(self) -> Iterator[Json]:
        """All webhooks, and how each goes."""
        return self._pages("webhooks", {})

    def webhook(self, webhook_id: str) -> Webhook:
        return self._send(calls.webhook(webhook_id))

    def enable_webhook(self, webhook_id: str) -> Webhook:
        """Go on with a disabled webhook, after the last event it was given."""
        return self._send(calls.enable_webhook(webhook_id))

    def delete_webhook(self, webhook_id: str) -> None:
        self._send(calls.delete_webhook(webhook_id))

    def test_webhook(self, webhook_id: str) -> WebhookTest:
        """Have one ``webhook.test`` event posted now, and say what came of it."""
        return self._send(calls.test_webhook(webhook_id))

    def tags(self, **filters: str | int | None) -> Iterator[Json]:
        """Of how many people each tag holds, as of last night; filters ``venue_id``, ``tag``."""
        return self._pages("tags", filters)

    def device_tags(self, device_id: str) -> Json:
        """All that is held of a phone's owner, ``data`` and ``rhythms``, for the owner to see; with a device key."""
        return self._send(calls.device_tags(device_id))

    def redeem(self, code: str, store_id: str, idempotency_key: str | None = None) -> Json:
        """Redeem a coupon at a till; ``Conflict`` (``already_redeemed``) the second time, whoever calls."""
        return self._send(calls.redeem(code, store_id, idempotency_key))

    def record_payments(
        self, payments: Sequence[Payment], *, batch: int = MAX_PAYMENTS_PER_REQUEST
    ) -> list[PaymentAnswer]:
        """Tell what was paid, given back or complained of, ``batch`` a request; a bad one is answered in its place.

        Harmless to repeat: what the server has under the same ``source`` and ``receipt_id`` stays as it is.
        """
        return [answer for call in calls.payment_batches(payments, batch) for answer in self._send(call)]

    def payments(self, **filters: str | int | None) -> Iterator[Json]:
        """All payments, refunds and complaints in the order they were recorded, without identities."""
        return self._pages("payments", filters)

    def stores(self, venue_id: str) -> list[Json]:
        return self._send(calls.stores(venue_id))

    def wake_sets(
        self,
        venue_id: str,
        *,
        kind: Literal["entrance", "store"] = "entrance",
        radio: Literal["any", "wifi", "beacon"] = "any",
        limit: int = 20,
    ) -> WakeSet:
        """The few transmitters worth waking a phone for; ``radio="beacon"`` for iOS, which watches no Wi-Fi."""
        return self._send(calls.wake_sets(venue_id, kind, radio, limit))

    def health(self) -> Json:
        return self._send(calls.health())

    def _pages(self, kind: str, filters: calls.Filters) -> Iterator[Json]:
        cursor: str | None = None
        while True:
            page = self._send(calls.page(kind, filters, cursor))
            yield from page.items
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    def _send(self, call: Call[T]) -> T:
        return self._drive(attempts(call, self._policy, self._time_out_s))

    def _drive(self, course: Steps[T], on_answer: Callable[[Answer], None] | None = None) -> T:
        with closing(course):
            step = advance(course, None)
            while not isinstance(step, Done):
                outcome: Outcome | None = None
                match step:
                    case Ask():
                        outcome = self._try(step)
                    case Wait():
                        time.sleep(step.seconds)
                    case Tell():
                        if on_answer is not None:
                            for answer in step.answers:
                                on_answer(answer)
                    case _:
                        assert_never(step)
                step = advance(course, outcome)
            return step.value

    def _try(self, ask: Ask) -> Outcome:
        try:
            return self._http.send(build_request(self._http, ask.call, ask.time_out_s))
        except httpx.RequestError as error:
            return error
