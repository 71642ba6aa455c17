"""The durable table of events: appended to by whoever makes them, read in order by pages, streams and webhooks."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.ports import EventRow, Page
from kernel.clock import from_epoch_us
from kernel.ids import PersonRef, TenantId
from runtime.records.paging import cursor_after, read_cursor, read_page
from runtime.records.schema import events
from runtime.records.staff import event_of_staff
from runtime.records.upsert import write_rows

_LOCKS_OF_EVENTS = 0x41747269
"""The first number of PostgreSQL's two-number advisory locks that is ours: one lock a tenant."""


def append_events(connection: Connection, tenant: TenantId, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append a tenant's events, those that are there already excepted; the last statement of its transaction.

    A reader goes on after the last sequence it saw, so of two events the one with the lower sequence must be committed
    first. SQLite has one writer; PostgreSQL gives sequences before commits, so a tenant's writers queue here until the
    other has committed.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCKS_OF_EVENTS, sa.func.hashtext(tenant))))
    write_rows(connection, events, rows, "keep", "id")


def list_events(
    connection: Connection, tenant: TenantId, limit: int, cursor: str | None, types: Collection[str] = ()
) -> Page[EventRow]:
    """A tenant's events in the order they were recorded, of these types or of all; what tells of staff is left out."""
    query = sa.select(events).where(events.c.tenant_id == tenant, ~event_of_staff())
    if types:
        query = query.where(events.c.type.in_(sorted(types)))
    page = read_page(connection, query, events.c.sequence, limit, cursor)
    return Page([_event(row) for row in page.data], page.next_cursor)


def events_after(connection: Connection, tenant: TenantId, sequence: int, limit: int) -> list[EventRow]:
    """The first events of a tenant after a sequence; what tells of staff is left out."""
    query = sa.select(events).where(events.c.tenant_id == tenant, events.c.sequence > sequence, ~event_of_staff())
    return [_event(row) for row in connection.execute(query.order_by(events.c.sequence).limit(limit))]


def last_sequence(connection: Connection, tenant: TenantId) -> int:
    """The sequence of a tenant's newest event; 0 where there is none."""
    query = sa.select(sa.func.max(events.c.sequence)).where(events.c.tenant_id == tenant)
    return connection.execute(query).scalar() or 0


def event_cursor(sequence: int) -> str:
    """The paging cursor of ``/v1/events`` for what comes after a sequence."""
    return cursor_after(events.c.sequence, sequence)


def sequence_of(cursor: str) -> int:
    """The sequence after which a cursor of ``/v1/events`` goes on.

    Raises:
        BadCursorError: it is none of them.
    """
    return read_cursor(events.c.sequence, cursor)


def _event(row: sa.Row[Any]) -> EventRow:
    return EventRow(
        id=row.id,
        type=row.type,
        occurred_at=from_epoch_us(row.occurred_us),
        recorded_at=from_epoch_us(row.recorded_us),
        person=None if row.person is None else PersonRef(row.person),
        data=row.data,
        sequence=row.sequence,
        cursor=event_cursor(row.sequence),
    )
