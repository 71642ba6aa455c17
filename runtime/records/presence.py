"""The daily numbers of phones that allowed nothing."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.ids import TenantId, VenueId
from runtime.records.schema import presence
from runtime.records.upsert import upsert

Counts = Mapping[tuple[TenantId, VenueId, str], int]
"""Phones by (tenant, venue, venue day)."""


def load_counts(connection: Connection, since: str) -> Counts:
    """The numbers stored so far, from the day ``since`` (ISO) on."""
    rows = connection.execute(sa.select(presence).where(presence.c.day >= since))
    return {(TenantId(row.tenant_id), VenueId(row.venue_id), row.day): row.phones for row in rows}


def store_counts(connection: Connection, counts: Counts) -> None:
    """Write the numbers that changed."""
    upsert(
        connection,
        presence,
        [
            {"tenant_id": tenant, "venue_id": venue, "day": day, "phones": phones}
            for (tenant, venue, day), phones in counts.items()
        ],
    )
