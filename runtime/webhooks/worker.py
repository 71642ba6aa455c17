"""Delivers events to webhooks, from the durable table: one task a webhook, one event a request, in order.

Delivery: at least once. How far a webhook has come is stored each second while it moves, and before a failure is waited
out; what was delivered after that is delivered again after a crash, under the same ``webhook-id``. A webhook that
fails holds up its own events, no other's. One process delivers: two on one database would deliver everything twice.
"""

import asyncio
import logging
import random
import threading
import time
from contextlib import suppress
from typing import Final

from api.ports import EventRow, Webhook
from api.schemas.events import EventOut
from runtime.clocks import SystemClock
from runtime.database import Database
from runtime.event_tail import EventTail
from runtime.records.webhooks import live_webhooks, save_state
from runtime.webhooks.rules import RetryRules, after_failure, after_success
from runtime.webhooks.sending import Line, Sender

_log = logging.getLogger(__name__)
_WALL = SystemClock()

LOOK_EVERY_S: Final = 5.0
"""How soon a webhook is found that another process made; one made here is told of at once."""
SAVE_EVERY_S: Final = 1.0
"""Each save is a commit, which the engine's wait for."""
_IDLE_S: Final = 60.0


class WebhookWorker:
    """``start`` after the tail, ``stop`` before it; ``changed`` from any thread."""

    def __init__(
        self, database: Database, tail: EventTail, sender: Sender, pseudonym_key: bytes, rules: RetryRules
    ) -> None:
        self._database, self._tail, self._sender = database, tail, sender
        self._key, self._rules = pseudonym_key, rules
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: asyncio.Event | None = None
        self._is_stopping = False
        self._has_started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="atrium-webhooks", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()
        self._has_started.wait()

    def changed(self) -> None:
        """A webhook was made, enabled or deleted."""
        if self._loop is not None and self._changed is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    def stop(self) -> None:
        """Break off requests under way (their events come again) and end."""
        self._is_stopping = True
        self.changed()
        if self._thread.is_alive():
            self._thread.join()

    async def _run(self) -> None:
        self._loop, self._changed = asyncio.get_running_loop(), asyncio.Event()
        self._has_started.set()
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            while not self._is_stopping:
                self._changed.clear()
                try:
                    await self._look(tasks)
                except Exception:  # noqa: BLE001  # an outermost loop logs and goes on
                    _log.exception("the webhooks could not be read; it is tried again")
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._changed.wait()
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def _look(self, tasks: dict[str, asyncio.Task[None]]) -> None:
        """Begin with the webhooks that are new, and end those that are gone."""
        held = {webhook.id: (webhook, after) for webhook, after in await asyncio.to_thread(self._load)}
        for webhook_id in tasks.keys() - held.keys():
            tasks.pop(webhook_id).cancel()
        for webhook_id, (webhook, after) in held.items():
            if webhook_id not in tasks or tasks[webhook_id].done():
                tasks[webhook_id] = asyncio.create_task(self._serve(webhook, after))

    def _load(self) -> list[tuple[Webhook, int]]:
        with self._database.read() as connection:
            return live_webhooks(connection)

    async def _serve(self, webhook: Webhook, after: int) -> None:
        try:
            await _Course(webhook, after, self._database, self._sender, self._key, self._rules).run(self._tail)
        except Exception:  # noqa: BLE001  # an outermost loop logs and goes on
            _log.exception("webhook %s was interrupted; it goes on in a moment", webhook.id)


class _Course:
    """The deliveries of one webhook from where it was left, until it is disabled, deleted or the server stops."""

    def __init__(
        self, webhook: Webhook, given: int, database: Database, sender: Sender, key: bytes, rules: RetryRules
    ) -> None:
        self._webhook, self._given = webhook, given
        self._database, self._sender, self._key, self._rules = database, sender, key, rules
        self._saved = given
        self._saved_s = time.monotonic()

    async def run(self, tail: EventTail) -> None:
        follower = await tail.follow(self._webhook.tenant, self._given, self._webhook.types)
        try:
            async with self._sender.client() as client:
                await self._wait_for_attempt()
                while (part := await follower.read(self._patience_s())) is not None:
                    for row in part.events:
                        if not await self._deliver(client, row):
                            return
                        self._given = row.sequence
                        await self._save_if_due()
                    self._given = follower.after
                    await self._save_if_due()
        finally:
            follower.close()
            if self._given != self._saved:
                await self._save()

    async def _deliver(self, client: Line, row: EventRow) -> bool:
        """Try until it is delivered; False where the webhook was disabled instead."""
        webhook = self._webhook
        body = EventOut.of(row, webhook.tenant, webhook.id, self._key).model_dump_json().encode()
        while True:
            attempt = await self._sender.send(client, webhook, row.id, body, _WALL.now())
            if attempt.error is None:
                had_failed = self._webhook.failures > 0
                self._webhook = after_success(self._webhook, _WALL.now())
                if had_failed:
                    self._given = row.sequence
                    await self._save()
                return True
            draw = random.uniform  # spreads attempts, guards nothing
            self._webhook = after_failure(self._webhook, attempt, _WALL.now(), self._rules, draw)
            await self._save()
            if self._webhook.disabled_at is not None:
                _log.warning("webhook %s is disabled: %s", webhook.id, attempt.error)
                return False
            await self._wait_for_attempt()

    async def _wait_for_attempt(self) -> None:
        if self._webhook.next_attempt_at is not None:
            await asyncio.sleep((self._webhook.next_attempt_at - _WALL.now()).total_seconds())

    def _patience_s(self) -> float:
        """How long to wait for events: not long where something is still to be saved."""
        return SAVE_EVERY_S if self._given != self._saved else _IDLE_S

    async def _save_if_due(self) -> None:
        if self._given != self._saved and time.monotonic() - self._saved_s >= SAVE_EVERY_S:
            await self._save()

    async def _save(self) -> None:
        webhook, given = self._webhook, self._given
        await asyncio.to_thread(self._store, webhook, given)
        self._saved, self._saved_s = given, time.monotonic()

    def _store(self, webhook: Webhook, given: int) -> None:
        with self._database.write() as connection:
            save_state(connection, webhook, given)
