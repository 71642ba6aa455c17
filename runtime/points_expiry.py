"""Points that have run out go to breakage, and holds that have are timed out; a part at a time."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kernel.ids import TenantId
from members.points.decide import decide
from members.points.rules import PointRules
from members.points.transfers import Expire, Order, Phase, Resolve, transfer_id
from runtime.database import Database
from runtime.records.ledger import due, known_owners, load_book, store_transfers

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


def expire_all(database: Database, now: datetime, recorded_at: datetime, rules: PointRules) -> Expired:
    """All that has run out by now."""
    done = Expired()
    while (step := expire_step(database, now, recorded_at, rules)) != Expired():
        done += step
    return done
