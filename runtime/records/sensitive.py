"""What was recorded in a store before it was sensitive: it goes."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.ids import StoreId, TenantId, VenueId
from runtime.records.parts import Part
from runtime.records.schema import events, fixes, payments, visits
from scenes.rules import PlaceKind

_AT_ONCE = 400
"""Stores in one statement, below the parameters that any database takes."""


def drop_of_stores(
    connection: Connection, tenant: TenantId, sensitive: Mapping[VenueId, Collection[StoreId]], part: Part
) -> int:
    """Delete of a part the closed visits in these stores, what was told of them, and fixes that name them; how many.

    Payments stay as the store's books have them, and are of nobody.

    Stores are those of the venue alone: a map that was imported twice has the same ids in both. An open visit goes
    when it has closed, as it soon does: no further fix is inside.
    """
    dropped = 0
    for venue_id, stores in sensitive.items():
        everything = sorted(stores)
        for start in range(0, len(everything), _AT_ONCE):
            dropped += _drop(connection, tenant, venue_id, everything[start : start + _AT_ONCE], part)
    return dropped


def _drop(connection: Connection, tenant: TenantId, venue_id: VenueId, some: Collection[StoreId], part: Part) -> int:
    place = events.c.data["place"]
    statements = (
        visits.delete().where(
            part.of(tenant, visits),
            visits.c.venue_id == venue_id,
            visits.c.kind == PlaceKind.STORE.value,
            visits.c.place_id.in_(some),
            visits.c.left_us.is_not(None),
        ),
        events.delete().where(
            part.of(tenant, events),
            place["kind"].as_string() == PlaceKind.STORE.value,
            place["id"].as_string().in_(some),
            sa.func.coalesce(events.c.data["venue_id"].as_string(), venue_id) == venue_id,
        ),
        fixes.delete().where(
            part.of(tenant, fixes),
            fixes.c.venue_id == venue_id,
            sa.or_(fixes.c.store_id.in_(some), fixes.c.front_id.in_(some)),
        ),
        payments.update()
        .where(
            payments.c.tenant_id == tenant,
            payments.c.venue_id == venue_id,
            payments.c.store_id.in_(some),
            payments.c.person.is_not(None),
        )
        .values(person=None),
    )
    return sum(connection.execute(statement).rowcount for statement in statements)
