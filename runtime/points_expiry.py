"""Points that have run out go to breakage, and holds that have are timed out; a part at a time."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.ids import PersonRef, TenantId
from members.points.accounts import AccountKey, AccountKind
from members.points.decide import decide
from members.points.rules import PointRules
from members.points.transfers import Expire, Order, Phase, Resolve, TransferKind, transfer_id
from runtime.database import Database
from runtime.records.ledger import account_id, due, known_owners, load_book, store_transfers
from runtime.records.schema import point_holds, point_legs, point_lots

_ERASED: Final = "the account was closed"
_ALL_RUN_OUT: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""By then every lot and hold has run out."""
AT_ONCE: Final = 500
"""Accounts and holds a transaction: about 50 ms."""


@dataclass(frozen=True, slots=True)
class Expired:
    """What has run out."""

    points: int = 0
    accounts: int = 0
    holds: int = 0

    def __add__(self, other: "Expired") -> "Expired":
        return Expired(self.points + other.points, self.accounts + other.accounts, self.holds + other.holds)


def expire_step(
    database: Database, now: datetime, recorded_at: datetime, rules: PointRules, at_once: int = AT_ONCE
) -> Expired:
    """One transaction's worth; nothing once all is done. Done twice it does nothing more."""
    with database.read() as connection:
        if not due(connection, now, 1):
            return Expired()
    done = Expired()
    with database.write() as connection:
        for tenant, (accounts, holds) in due(connection, now, at_once).items():
            orders: list[Order] = [
                Resolve(transfer_id(now, secrets.token_hex(6)), hold, Phase.TIMEOUT, "the time of the hold is over")
                for hold in holds
            ]
            orders += [
                Expire(transfer_id(now, secrets.token_hex(6)), key, "the points have run out") for key in accounts
            ]
            loaded = load_book(connection, tenant, orders, known_owners)
            made = []
            for order in orders:
                transfer = decide(order, loaded.book, rules, now)
                loaded.book.record(transfer)
                made.append(transfer)
            store_transfers(connection, TenantId(tenant), loaded, made, recorded_at)
            expired = sum(one.points for one in made if one.phase is Phase.DONE)
            done += Expired(expired, len(accounts), len(holds))
    return done


def forfeit(connection: Connection, tenant: TenantId, people: Sequence[PersonRef], now: datetime) -> int:
    """Settle the points of somebody who is erased, in the caller's transaction: holds end, the rest goes to breakage.

    Returns:
        How many points went.
    """
    keys = {account_id(tenant, key): key for ref in people for key in [AccountKey(AccountKind.PERSON, ref)]}
    own = [column.in_(list(keys)) for column in (point_legs.c.debit_id, point_legs.c.credit_id)]
    holds = connection.execute(
        sa.select(point_holds.c.transfer_id)
        .where(point_holds.c.transfer_id.in_(sa.select(point_legs.c.transfer_id).where(sa.or_(*own))))
        .order_by(point_holds.c.transfer_id)
    ).scalars()
    with_points = connection.execute(
        sa.select(point_lots.c.account_id).distinct().where(point_lots.c.account_id.in_(list(keys)))
    ).scalars()
    orders: list[Order] = [_order_to_void(hold, now) for hold in holds]
    orders += [
        Expire(transfer_id(now, secrets.token_hex(6)), keys[account], _ERASED) for account in sorted(with_points)
    ]
    loaded = load_book(connection, tenant, orders, known_owners)
    made = []
    for order in orders:
        transfer = replace(decide(order, loaded.book, PointRules(), _ALL_RUN_OUT), at=now)
        loaded.book.record(transfer)
        made.append(transfer)
    store_transfers(connection, tenant, loaded, made, now)
    return sum(one.points for one in made if one.kind is TransferKind.EXPIRE)


def _order_to_void(hold: str, now: datetime) -> Resolve:
    return Resolve(transfer_id(now, secrets.token_hex(6)), hold, Phase.TIMEOUT, _ERASED)


def expire_all(database: Database, now: datetime, recorded_at: datetime, rules: PointRules) -> Expired:
    """All that has run out by now."""
    done = Expired()
    while (step := expire_step(database, now, recorded_at, rules)) != Expired():
        done += step
    return done
