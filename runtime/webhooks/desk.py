"""What the HTTP layer asks about webhooks."""

import secrets
from collections.abc import Sequence

from anyio import to_thread

from api.ports import Attempt, EventRow, Page, Webhook
from api.schemas.events import EventOut
from kernel.ids import PersonRef, TenantId
from runtime.clocks import SystemClock
from runtime.database import Database
from runtime.errors import TooManyWebhooksError
from runtime.records import webhooks as records
from runtime.webhooks.rules import MOST_WEBHOOKS, enabled
from runtime.webhooks.sending import Sender
from runtime.webhooks.signing import secret_of
from runtime.webhooks.worker import WebhookWorker

_WALL = SystemClock()
_NOBODY = PersonRef("")
"""Whom a test event is about: its ``person_ref`` is that of no person."""


class WebhookDesk:
    """Stores webhooks, tells the worker, and sends tests."""

    def __init__(self, database: Database, worker: WebhookWorker, sender: Sender, pseudonym_key: bytes) -> None:
        self._database, self._worker, self._sender = database, worker, sender
        self._key = pseudonym_key

    async def create(self, tenant: TenantId, url: str, types: Sequence[str]) -> tuple[Webhook, str]:
        await self._sender.check(tenant, url)
        webhook = Webhook("whk_" + secrets.token_hex(12), tenant, url, tuple(types), _WALL.now())
        await to_thread.run_sync(self._insert, webhook)
        self._worker.changed()
        return webhook, secret_of(webhook.id, self._sender.server_key)

    def list(self, tenant: TenantId, limit: int, cursor: str | None) -> Page[Webhook]:
        with self._database.read() as connection:
            return records.list_webhooks(connection, tenant, limit, cursor)

    def get(self, tenant: TenantId, webhook_id: str) -> Webhook | None:
        with self._database.read() as connection:
            return records.get_webhook(connection, tenant, webhook_id)

    def delete(self, tenant: TenantId, webhook_id: str) -> bool:
        with self._database.write() as connection:
            was_there = records.delete_webhook(connection, tenant, webhook_id)
        self._worker.changed()
        return was_there

    def enable(self, tenant: TenantId, webhook_id: str) -> Webhook | None:
        with self._database.write() as connection:
            webhook = records.get_webhook(connection, tenant, webhook_id)
            if webhook is not None and webhook.disabled_at is not None:
                webhook = enabled(webhook)
                records.save_state(connection, webhook)
        self._worker.changed()
        return webhook

    async def test(self, tenant: TenantId, webhook_id: str) -> Attempt | None:
        webhook = await to_thread.run_sync(self.get, tenant, webhook_id)
        if webhook is None:
            return None
        at = _WALL.now()
        data = {"webhook_id": webhook.id}
        row = EventRow("evt_test_" + secrets.token_hex(12), "webhook.test", at, at, _NOBODY, data, 0, "")
        body = EventOut.of(row, tenant, webhook.id, self._key).model_dump_json().encode()
        async with self._sender.client() as client:
            return await self._sender.send(client, webhook, row.id, body, at)

    def _insert(self, webhook: Webhook) -> None:
        with self._database.write() as connection:
            if records.count_webhooks(connection, webhook.tenant) >= MOST_WEBHOOKS:
                raise TooManyWebhooksError(MOST_WEBHOOKS)
            records.insert_webhook(connection, webhook)
