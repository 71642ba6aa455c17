"""The log of fixes: what scenes are made of, kept a day, for scans that come late. Places, never coordinates."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.ids import DeviceRef, LevelId, StoreId, TenantId, VenueId
from runtime.records.schema import fixes
from scenes.fix import FixRows
from scenes.kernels.record import (
    BASE,
    FIRST_STORE,
    I32,
    LEVEL,
    STORE,
    UNNAMED_LEVEL,
    WALKWAY,
    evidence_of,
    is_at_exit,
    level_of,
    make_code,
    store_of,
)
from scenes.places import PlaceBook
from scenes.record import to_ms

_MINUTE_MS = 60_000


def insert_fixes(
    connection: Connection, tenant: TenantId, taken: Mapping[DeviceRef, FixRows], places: PlaceBook
) -> None:
    """Add what was taken into scenes."""
    rows = [row for ref, of_phone in taken.items() for row in _rows(tenant, ref, of_phone, places)]
    if rows:
        connection.execute(fixes.insert(), rows)


def load_days(connection: Connection, records: Mapping[DeviceRef, I32], places: PlaceBook) -> dict[DeviceRef, FixRows]:
    """The fixes of these phones since the day of each one's record began."""
    found: dict[DeviceRef, FixRows] = {}
    for ref, record in records.items():
        query = sa.select(fixes).where(fixes.c.device_ref == ref, fixes.c.at_ms >= int(record[BASE]) * _MINUTE_MS)
        found[ref] = _read(connection.execute(query.order_by(fixes.c.at_ms)).all(), places)
    return found


def drop_old_fixes(connection: Connection, before: datetime, at_most: int) -> int:
    """Delete fixes that no late scan can be put among; how many, up to ``at_most``, oldest first."""
    over = sa.select(fixes.c.sequence).where(fixes.c.at_ms < to_ms(before)).order_by(fixes.c.at_ms).limit(at_most)
    return connection.execute(fixes.delete().where(fixes.c.sequence.in_(over))).rowcount


def _rows(tenant: TenantId, ref: DeviceRef, taken: FixRows, places: PlaceBook) -> list[dict[str, Any]]:
    out = []
    for i in range(len(taken)):
        venue, code, front = int(taken.venue[i]), int(taken.code[i]), int(taken.front[i])
        store, level = store_of(code), level_of(code)
        out.append(
            {
                "tenant_id": tenant,
                "device_ref": ref,
                "at_ms": int(taken.at_ms[i]),
                "base_min": int(taken.base_min[i]),
                "venue_id": places.venue_ids[venue] if venue else None,
                "level_id": places.place_id(venue, LEVEL, level) if 0 < level < UNNAMED_LEVEL else None,
                "store_id": places.place_id(venue, STORE, store) if store >= FIRST_STORE else None,
                "front_id": places.place_id(venue, STORE, front) if front else None,
                "evidence": evidence_of(code),
                "is_walkway": store == WALKWAY,
                "is_at_exit": bool(is_at_exit(code)),
                "is_approaching": bool(taken.is_approaching[i]),
            }
        )
    return out


def _read(rows: Sequence[sa.Row[Any]], places: PlaceBook) -> FixRows:
    table = np.zeros((len(rows), 6), dtype=np.int64)
    for i, row in enumerate(rows):
        table[i, :2] = row.at_ms, row.base_min
        table[i, 5] = row.is_approaching
        if row.venue_id is None:
            continue
        venue = places.venue(VenueId(row.venue_id))
        store = WALKWAY if row.is_walkway else 0
        if row.store_id is not None:
            store = places.store(venue, StoreId(row.store_id))
        level = places.level(venue, None if row.level_id is None else LevelId(row.level_id))
        front = 0 if row.front_id is None else places.store(venue, StoreId(row.front_id))
        table[i, 2:5] = venue, make_code(store, row.evidence, level, int(row.is_at_exit)), front
    return FixRows.of_table(table)
