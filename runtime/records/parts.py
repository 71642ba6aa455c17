"""Recorded rows in the order they came, some at a time, so that no look through all of them holds up the scans."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.ids import TenantId
from runtime.records.schema import events, fixes, visits

_ORDER: Final[Mapping[sa.Table, sa.Column[Any]]] = {
    visits: visits.c.arrived_us,
    events: events.c.sequence,
    fixes: fixes.c.sequence,
}


@dataclass(frozen=True, slots=True)
class Reached:
    """The last row that was looked at: an instant for visits, else a sequence."""

    visits_us: int = 0
    events: int = 0
    fixes: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """The rows behind ``after``, up to and with ``until``; of the last part none were left behind it."""

    after: Reached
    until: Reached
    is_last: bool = True

    def of(self, tenant: TenantId, table: sa.Table) -> sa.ColumnElement[bool]:
        """Whether a row of ``visits``, ``events`` or ``fixes`` is the tenant's and in it."""
        column, name = _ORDER[table], _name(table)
        within = column > getattr(self.after, name), column <= getattr(self.until, name)
        return sa.and_(table.c.tenant_id == tenant, *within)


def next_part(connection: Connection, tenant: TenantId, after: Reached, n: int) -> Part:
    """About ``n`` rows of each table behind those that were reached."""
    until, is_last = {}, True
    for table, column in _ORDER.items():
        reached: int = getattr(after, _name(table))
        behind = sa.select(column).where(table.c.tenant_id == tenant, column > reached)
        bound = connection.execute(behind.order_by(column).offset(n - 1).limit(1)).scalar()
        if bound is None:
            bound = connection.execute(behind.order_by(column.desc()).limit(1)).scalar()
        else:
            is_last = False
        until[_name(table)] = reached if bound is None else int(bound)
    return Part(after, Reached(**until), is_last)


def _name(table: sa.Table) -> str:
    return "visits_us" if table is visits else table.name
