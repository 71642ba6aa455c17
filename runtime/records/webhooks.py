"""Webhooks as rows: where they go, what they were given last, and how that went. No secret is among it."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.ports import Page, Webhook
from kernel.clock import from_epoch_us, to_epoch_us
from kernel.ids import TenantId
from runtime.records.events import last_sequence
from runtime.records.paging import read_page
from runtime.records.schema import webhooks


def insert_webhook(connection: Connection, webhook: Webhook) -> None:
    """Store a webhook that begins with what is recorded from now on."""
    connection.execute(
        webhooks.insert().values(
            id=webhook.id,
            tenant_id=webhook.tenant,
            url=webhook.url,
            types=list(webhook.types),
            created_us=to_epoch_us(webhook.created_at),
            after_sequence=last_sequence(connection, webhook.tenant),
            **_state(webhook),
        )
    )


def list_webhooks(connection: Connection, tenant: TenantId, limit: int, cursor: str | None) -> Page[Webhook]:
    """A tenant's webhooks, oldest first."""
    query = sa.select(webhooks).where(webhooks.c.tenant_id == tenant)
    page = read_page(connection, query, (webhooks.c.created_us, webhooks.c.id), limit, cursor)
    return Page([_webhook(row) for row in page.data], page.next_cursor)


def count_webhooks(connection: Connection, tenant: TenantId) -> int:
    """How many webhooks a tenant has."""
    query = sa.select(sa.func.count()).select_from(webhooks).where(webhooks.c.tenant_id == tenant)
    return int(connection.execute(query).scalar_one())


def get_webhook(connection: Connection, tenant: TenantId, webhook_id: str) -> Webhook | None:
    """One webhook of a tenant."""
    query = sa.select(webhooks).where(webhooks.c.tenant_id == tenant, webhooks.c.id == webhook_id)
    row = connection.execute(query).first()
    return None if row is None else _webhook(row)


def delete_webhook(connection: Connection, tenant: TenantId, webhook_id: str) -> bool:
    """Delete a webhook; whether there was one."""
    gone = connection.execute(webhooks.delete().where(webhooks.c.tenant_id == tenant, webhooks.c.id == webhook_id))
    return gone.rowcount == 1


def live_webhooks(connection: Connection) -> list[tuple[Webhook, int]]:
    """All tenants' webhooks that are not disabled, each with the sequence it was given last."""
    query = sa.select(webhooks).where(webhooks.c.disabled_us.is_(None))
    return [(_webhook(row), row.after_sequence) for row in connection.execute(query)]


def save_state(connection: Connection, webhook: Webhook, after_sequence: int | None = None) -> None:
    """Store how a webhook goes, and how far it has come; nothing where it was deleted meanwhile."""
    values = _state(webhook) | ({} if after_sequence is None else {"after_sequence": after_sequence})
    connection.execute(webhooks.update().where(webhooks.c.id == webhook.id).values(**values))


def _state(webhook: Webhook) -> dict[str, Any]:
    return {
        "delivered_us": _us(webhook.delivered_at),
        "failing_since_us": _us(webhook.failing_since),
        "failures": webhook.failures,
        "last_error": webhook.last_error,
        "next_attempt_us": _us(webhook.next_attempt_at),
        "disabled_us": _us(webhook.disabled_at),
    }


def _webhook(row: sa.Row[Any]) -> Webhook:
    return Webhook(
        id=row.id,
        tenant=TenantId(row.tenant_id),
        url=row.url,
        types=tuple(row.types),
        created_at=from_epoch_us(row.created_us),
        delivered_at=_at(row.delivered_us),
        failing_since=_at(row.failing_since_us),
        failures=row.failures,
        last_error=row.last_error,
        next_attempt_at=_at(row.next_attempt_us),
        disabled_at=_at(row.disabled_us),
    )


def _us(at: datetime | None) -> int | None:
    return None if at is None else to_epoch_us(at)


def _at(value_us: int | None) -> datetime | None:
    return None if value_us is None else from_epoch_us(value_us)
