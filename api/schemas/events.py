"""What happened, as CloudEvents: one form for pages, streams and webhooks."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel

from api.ports import EventRow
from api.pseudonyms import pseudonym
from flow.answers import rfc3339
from kernel.ids import TenantId

EventType = Literal[
    "visit.entered",
    "visit.dwelled",
    "visit.exited",
    "visit.revised",
    "place.passed",
    "phase.changed",
    "tag.added",
    "tag.removed",
    "rhythm.overdue",
    "delivery.delivered",
    "delivery.suppressed",
    "coupon.issued",
    "coupon.redeemed",
    "person.created",
    "person.merged",
    "person.upgraded",
    "payment.recorded",
    "payment.refunded",
    "payment.complained",
    "points.moved",
]
"""The types that can be asked for, those of ``docs/events.md``: any other would silently never come."""
MOST_TYPES = 40

Types = Annotated[list[EventType], Query(alias="type", max_length=MOST_TYPES, description="Only these; repeatable")]


class EventOut(BaseModel):
    """A CloudEvents 1.0 envelope. ``person_ref`` is another for each reader (a key or a webhook) and day; null where
    nobody is known, as of a payment in cash."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    recorded_at: str
    person_ref: str | None
    data: dict[str, Any]

    @classmethod
    def of(cls, row: EventRow, tenant: TenantId, reader_id: str, key: bytes) -> "EventOut":
        """A recorded event as this reader sees it."""
        return cls(
            specversion="1.0",
            id=row.id,
            source=f"/tenants/{tenant}",
            type=row.type,
            time=rfc3339(row.occurred_at),
            recorded_at=rfc3339(row.recorded_at),
            person_ref=None if row.person is None else pseudonym(row.person, reader_id, row.occurred_at, key),
            data=dict(row.data),
        )
