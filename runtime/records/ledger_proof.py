"""The proof of the ledger: everything that is stored beside the transfers, recomputed from them by the database.

It shares no code with what moves points; a difference is a fault of ours, or a hand in the tables.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from members.points.accounts import WITH_LOTS, WITHOUT_FLOOR
from members.points.transfers import MOVING, Phase
from runtime.records.schema import point_accounts, point_holds, point_legs, point_lots, point_transfers

_Sums: TypeAlias = dict[Any, int]
_MOVING = [phase.value for phase in MOVING]


@dataclass(frozen=True, slots=True)
class Difference:
    """What is stored and is not what the transfers say, or breaks a rule (then ``expected`` is the rule's)."""

    tenant: str
    what: str
    id: str
    stored: int
    expected: int


@dataclass(frozen=True, slots=True)
class Proof:
    """What was looked at, and all that differs; none: the ledger holds."""

    accounts: int
    transfers: int
    outstanding: Mapping[str, int]
    differences: tuple[Difference, ...]


def prove_ledger(connection: Connection) -> Proof:
    """Look at everything, in one snapshot. Costs a walk through all transfers."""
    accounts = connection.execute(sa.select(point_accounts)).all()
    differences = [*_of_sums(accounts), *_of_accounts(connection, accounts), *_of_transfers(connection)]
    n_transfers = connection.execute(sa.select(sa.func.count()).select_from(point_transfers)).scalar_one()
    owed = {row.tenant_id: -row.balance for row in accounts if row.kind in WITHOUT_FLOOR}
    return Proof(len(accounts), n_transfers, owed, tuple(differences))


def _of_sums(accounts: Any) -> Iterator[Difference]:
    sums: _Sums = {}
    for row in accounts:
        sums[row.tenant_id] = sums.get(row.tenant_id, 0) + row.balance
    for tenant, total in sums.items():
        if total != 0:
            yield Difference(tenant, "sum_of_balances", tenant, total, 0)


def _of_accounts(connection: Connection, accounts: Any) -> Iterator[Difference]:
    legs, transfers = point_legs, point_transfers
    end = transfers.alias("end")
    is_open = sa.and_(
        transfers.c.phase == Phase.HOLD.value,
        ~sa.exists().where(end.c.pending_id == transfers.c.id).correlate(transfers),
    )
    is_moved = transfers.c.phase.in_(_MOVING)
    came, went = (_sums(connection, side, is_moved) for side in (legs.c.credit_id, legs.c.debit_id))
    aside = _sums(connection, legs.c.debit_id, is_open)
    lots_came, lots_went = (
        _sums(connection, side, is_moved, legs.c.expires_us) for side in (legs.c.credit_id, legs.c.debit_id)
    )
    lots_aside = _sums(connection, legs.c.debit_id, is_open, legs.c.expires_us)
    tenants = {row.id: row.tenant_id for row in accounts}
    keeps_lots = {row.id for row in accounts if row.kind in WITH_LOTS}
    for row in accounts:
        free = row.balance - row.held
        expected = came.get(row.id, 0) - went.get(row.id, 0)
        if row.balance != expected:
            yield Difference(row.tenant_id, "balance", row.id, row.balance, expected)
        if row.held != aside.get(row.id, 0):
            yield Difference(row.tenant_id, "held", row.id, row.held, aside.get(row.id, 0))
        if free < 0 and row.kind not in WITHOUT_FLOOR:
            yield Difference(row.tenant_id, "floor", row.id, free, 0)
    query = sa.select(point_lots)
    stored = {(row.account_id, row.expires_us): row.points for row in connection.execute(query)}
    for key in {*stored, *lots_came, *lots_went}:
        if key[0] not in keeps_lots or key[1] is None:
            continue
        expected = lots_came.get(key, 0) - lots_went.get(key, 0) - lots_aside.get(key, 0)
        if stored.get(key, 0) != expected:
            yield Difference(tenants[key[0]], "lot", f"{key[0]} {key[1]}", stored.get(key, 0), expected)
    for missing in {*came, *went, *aside} - tenants.keys():
        yield Difference("", "account", missing, 0, came.get(missing, 0) - went.get(missing, 0))


def _sums(connection: Connection, side: Any, which: Any, *more: Any) -> _Sums:
    """Points of legs by account, and by lot where ``more`` says so."""
    query = (
        sa.select(side, *more, sa.func.sum(point_legs.c.points))
        .join(point_transfers, point_transfers.c.id == point_legs.c.transfer_id)
        .where(which)
        .group_by(side, *more)
    )
    return {(tuple(key) if more else key[0]): int(points) for *key, points in connection.execute(query)}


def _of_transfers(connection: Connection) -> Iterator[Difference]:
    transfers, legs = point_transfers, point_legs
    total = sa.func.coalesce(sa.func.sum(legs.c.points), 0).label("total")
    sums = (
        sa.select(transfers.c.tenant_id, transfers.c.id, transfers.c.points, total)
        .outerjoin(legs, legs.c.transfer_id == transfers.c.id)
        .group_by(transfers.c.tenant_id, transfers.c.id, transfers.c.points)
        .having(total != transfers.c.points)
    )
    for row in connection.execute(sums):
        yield Difference(row.tenant_id, "transfer", row.id, row.points, int(row.total))
    for what in (transfers.c.pending_id, transfers.c.reverses_id):
        twice = sa.select(transfers.c.tenant_id, what, sa.func.count().label("times")).where(what.is_not(None))
        for tenant, of, times in connection.execute(
            twice.group_by(transfers.c.tenant_id, what).having(sa.func.count() > 1)
        ):
            yield Difference(tenant, what.name, of, times, 1)
    yield from _of_holds(connection)


def _of_holds(connection: Connection) -> Iterator[Difference]:
    """Ends of holds name a hold that is at least as large, and the open holds are those without an end."""
    hold, end = point_transfers.alias("hold"), point_transfers.alias("end")
    ends = (
        sa.select(end.c.tenant_id, end.c.id, end.c.points, hold.c.points.label("most"))
        .outerjoin(hold, sa.and_(hold.c.id == end.c.pending_id, hold.c.phase == Phase.HOLD.value))
        .where(end.c.pending_id.is_not(None), sa.or_(hold.c.id.is_(None), hold.c.points < end.c.points))
    )
    for row in connection.execute(ends):
        yield Difference(row.tenant_id, "end_of_hold", row.id, row.points, row.most or 0)
    open_holds = sa.select(hold.c.id, hold.c.tenant_id).where(
        hold.c.phase == Phase.HOLD.value, ~sa.exists().where(end.c.pending_id == hold.c.id)
    )
    expected = {row.id: row.tenant_id for row in connection.execute(open_holds)}
    stored = {row.transfer_id: row.tenant_id for row in connection.execute(sa.select(point_holds))}
    for of in expected.keys() ^ stored.keys():
        yield Difference((expected | stored)[of], "hold", of, int(of in stored), int(of in expected))
