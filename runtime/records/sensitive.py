"""What was recorded in a store before it was sensitive: it goes."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.ids import StoreId, TenantId
from runtime.records.schema import events, fixes, visits
from scenes.rules import PlaceKind

_AT_ONCE = 400
"""Stores in one statement, below the parameters that any database takes."""


def drop_of_stores(connection: Connection, tenant: TenantId, stores: Collection[StoreId]) -> int:
    """Delete closed visits in these stores, what was told of them, and fixes that name them; how many rows.

    An open visit goes when it has closed, as it soon does: no further fix is inside.
    """
    dropped, everything = 0, sorted(stores)
    for start in range(0, len(everything), _AT_ONCE):
        some = everything[start : start + _AT_ONCE]
        place = events.c.data["place"]
        for statement in (
            visits.delete().where(
                visits.c.tenant_id == tenant,
                visits.c.kind == PlaceKind.STORE.value,
                visits.c.place_id.in_(some),
                visits.c.left_us.is_not(None),
            ),
            events.delete().where(
                events.c.tenant_id == tenant,
                place["kind"].as_string() == PlaceKind.STORE.value,
                place["id"].as_string().in_(some),
            ),
            fixes.delete().where(
                fixes.c.tenant_id == tenant, sa.or_(fixes.c.store_id.in_(some), fixes.c.front_id.in_(some))
            ),
        ):
            dropped += connection.execute(statement).rowcount
    return dropped
