"""The points ledger as rows: a batch's book is loaded, and what its transfers did to it is stored.

All of it in the caller's transaction. Whoever writes holds the database's write lock from before the load (SQLite) or
the rows of the accounts (PostgreSQL), so that two writers never decide on the same points.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.clock import from_epoch_us, to_epoch_us
from kernel.ids import PersonRef, TenantId
from members.points.accounts import WITH_LOTS, Account, AccountKey, AccountKind, Counted
from members.points.book import Book
from members.points.transfers import MOVING, Expire, Leg, Move, Order, Phase, Resolve, Reverse, Transfer, TransferKind
from runtime.records.events import append_events
from runtime.records.people import kin_of
from runtime.records.schema import (
    devices,
    identities,
    point_accounts,
    point_holds,
    point_legs,
    point_lots,
    point_pool_members,
    point_transfers,
)
from runtime.records.upsert import write_rows

OwnersOf: TypeAlias = Callable[[Connection, TenantId, Collection[str]], Mapping[str, Sequence[str]]]
"""All refs of the person that each known ref belongs to; unknown refs are absent."""

_Lots: TypeAlias = dict[AccountKey, dict[datetime, int]]
_EPOCH_DAY = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class LoadedBook:
    """A book, the ids of its accounts, and its lots as they were loaded, so that only those that changed are stored."""

    book: Book
    lots: _Lots
    ids: dict[AccountKey, str]

    def id_of(self, tenant: TenantId, key: AccountKey) -> str:
        """The id of an account of the book."""
        found = self.ids.get(key)
        if found is None:
            found = self.ids[key] = account_id(tenant, key)
        return found


def account_id(tenant: TenantId, key: AccountKey) -> str:
    """The id of an account's row; the same whoever makes it. In hexadecimal: three are made a transfer."""
    whose = f"{tenant}\x1f{key.kind}\x1f{key.owner}".encode()
    return "acc_" + hashlib.blake2b(whose, digest_size=15).hexdigest()


def known_owners(connection: Connection, tenant: TenantId, refs: Collection[str]) -> dict[str, tuple[str, ...]]:
    """People are known by a phone, by another id or by points; each is all the refs that are the same person's."""
    asked = list(refs)
    of_ids = sa.select(identities.c.ref).where(identities.c.tenant_id == tenant, identities.c.ref.in_(asked))
    of_phones = sa.select(devices.c.person).where(devices.c.tenant_id == tenant, devices.c.person.in_(asked))
    of_points = sa.select(point_accounts.c.owner).where(
        point_accounts.c.tenant_id == tenant,
        point_accounts.c.kind == AccountKind.PERSON.value,
        point_accounts.c.owner.in_(asked),
    )
    known = [PersonRef(ref) for ref in connection.execute(of_phones.union(of_points, of_ids)).scalars()]
    return {str(ref): tuple(map(str, kin)) for ref, kin in kin_of(connection, tenant, known).items()}


def load_book(
    connection: Connection, tenant: TenantId, orders: Sequence[Order], owners_of: OwnersOf = known_owners
) -> LoadedBook:
    """All that orders name: accounts with their lots, transfers with their ends, whose refs are whose, pools."""
    keys = {key for order in orders for key in _named_accounts(order)}
    asked = {order.transfer_id for order in orders if isinstance(order, Resolve | Reverse)}
    transfers, ends, reversed_ids = _load_transfers(connection, tenant, asked)
    keys |= {key for one in transfers.values() for leg in one.legs for key in (leg.debit, leg.credit)}
    refs = {key.owner for key in keys if key.kind is AccountKind.PERSON}
    refs |= {ref for order in orders if isinstance(order, Move) for ref in order.actor}
    groups = owners_of(connection, tenant, refs) if refs else {}
    keys |= {AccountKey(AccountKind.PERSON, ref) for group in groups.values() for ref in group}
    ids = {key: account_id(tenant, key) for key in keys}
    accounts, lots = _load_accounts(connection, ids)
    pools = {key.owner for key in keys if key.kind is AccountKind.POOL}
    members = load_members(connection, tenant, pools) if pools else {}
    return LoadedBook(Book(accounts, transfers, ends, reversed_ids, groups, members), lots, ids)


def _named_accounts(order: Order) -> Iterable[AccountKey]:
    match order:
        case Move():
            return (*order.debit.keys, *order.credit.keys)
        case Expire():
            return order.account, AccountKey(AccountKind.BREAKAGE)
        case _:
            return ()


def _load_accounts(connection: Connection, ids: Mapping[AccountKey, str]) -> tuple[dict[AccountKey, Account], _Lots]:
    by_id = {row_id: key for key, row_id in ids.items()}
    is_named = point_accounts.c.id.in_(sa.bindparam("ids", expanding=True))
    query = sa.select(point_accounts).where(is_named).order_by(point_accounts.c.id).with_for_update()
    accounts = {by_id[row.id]: _account(row) for row in connection.execute(query, {"ids": list(by_id)})}
    with_lots = [one for one, key in by_id.items() if key.kind in WITH_LOTS]
    lots: _Lots = {}
    held = sa.select(point_lots.c.account_id, point_lots.c.expires_us, point_lots.c.points).where(
        point_lots.c.account_id.in_(sa.bindparam("ids", expanding=True))
    )
    for whose, expires_us, points in connection.execute(held, {"ids": with_lots}):
        lots.setdefault(by_id[whose], {})[from_epoch_us(expires_us)] = points
    for key, some in lots.items():
        accounts[key].lots = dict(some)
    return accounts, lots


def _account(row: sa.Row[Any]) -> Account:
    day = None if row.day is None else _EPOCH_DAY + timedelta(days=row.day)
    counted = {Counted.EARNED: row.earned, Counted.REDEEMED: row.redeemed, Counted.GIVEN: row.given}
    return Account(row.balance, row.held, {}, day, counted)


def _load_transfers(
    connection: Connection, tenant: TenantId, ids: Collection[str]
) -> tuple[dict[str, Transfer], dict[str, Transfer], set[str]]:
    """These transfers, the ends of those that are holds, and which of all of them were reversed."""
    if not ids:
        return {}, {}, set()
    rows = connection.execute(
        sa.select(point_transfers).where(
            point_transfers.c.tenant_id == tenant,
            sa.or_(point_transfers.c.id.in_(ids), point_transfers.c.pending_id.in_(ids)),
        )
    ).all()
    legs = _load_legs(connection, [row.id for row in rows])
    found = {row.id: _transfer(row, tuple(legs[row.id])) for row in rows}
    ends = {one.pending_id: one for one in found.values() if one.pending_id is not None}
    of = sa.select(point_transfers.c.reverses_id).where(point_transfers.c.reverses_id.in_(list(found)))
    return found, ends, {one for one in connection.execute(of).scalars() if one is not None}


def _load_legs(connection: Connection, ids: Sequence[str]) -> defaultdict[str, list[Leg]]:
    debit, credit = point_accounts.alias("debit"), point_accounts.alias("credit")
    rows = connection.execute(
        sa.select(
            point_legs,
            debit.c.kind.label("debit_kind"),
            debit.c.owner.label("debit_owner"),
            credit.c.kind.label("credit_kind"),
            credit.c.owner.label("credit_owner"),
        )
        .join(debit, debit.c.id == point_legs.c.debit_id)
        .join(credit, credit.c.id == point_legs.c.credit_id)
        .where(point_legs.c.transfer_id.in_(ids))
        .order_by(point_legs.c.transfer_id, point_legs.c.number)
    )
    legs: defaultdict[str, list[Leg]] = defaultdict(list)
    for row in rows:
        legs[row.transfer_id].append(
            Leg(
                AccountKey(AccountKind(row.debit_kind), row.debit_owner),
                AccountKey(AccountKind(row.credit_kind), row.credit_owner),
                row.points,
                None if row.expires_us is None else from_epoch_us(row.expires_us),
            )
        )
    return legs


def _transfer(row: sa.Row[Any], legs: tuple[Leg, ...]) -> Transfer:
    return Transfer(
        id=row.id,
        kind=TransferKind(row.kind),
        phase=Phase(row.phase),
        points=row.points,
        legs=legs,
        reason=row.reason,
        at=from_epoch_us(row.at_us),
        reference=row.reference,
        until=None if row.until_us is None else from_epoch_us(row.until_us),
        pending_id=row.pending_id,
        reverses_id=row.reverses_id,
    )


def store_transfers(
    connection: Connection, tenant: TenantId, loaded: LoadedBook, made: Sequence[Transfer], recorded_at: datetime
) -> None:
    """Store transfers that were recorded in the book, and what they did to its accounts; with their events."""
    if not made:
        return
    legs = [_leg_row(tenant, one.id, number, leg, loaded) for one in made for number, leg in enumerate(one.legs)]
    touched = loaded.book.changed | {leg.credit for one in made if one.until is not None for leg in one.legs}
    rows = [
        _account_row(tenant, loaded.id_of(tenant, key), key, loaded.book.accounts.get(key) or Account())
        for key in touched  # a hold moves nothing yet, and its legs name the account that is to be credited
    ]
    write_rows(connection, point_accounts, rows, "replace")
    _store_lots(connection, tenant, loaded)
    write_rows(connection, point_transfers, [_transfer_row(tenant, one) for one in made])
    write_rows(connection, point_legs, legs)
    _store_holds(connection, tenant, made)
    append_events(connection, tenant, [row for one in made for row in _events(tenant, one, recorded_at)])


def _store_lots(connection: Connection, tenant: TenantId, loaded: LoadedBook) -> None:
    kept: list[dict[str, Any]] = []
    gone: list[dict[str, Any]] = []
    for key in loaded.book.changed:
        if key.kind not in WITH_LOTS:
            continue
        whose = loaded.id_of(tenant, key)
        before, after = loaded.lots.get(key, {}), loaded.book.accounts[key].lots
        kept += [
            {"account_id": whose, "tenant_id": tenant, "expires_us": to_epoch_us(at), "points": points}
            for at, points in after.items()
            if before.get(at) != points
        ]
        gone += [{"whose": whose, "until": to_epoch_us(at)} for at in before if at not in after]
    write_rows(connection, point_lots, kept, "replace")
    if gone:
        is_gone = (
            point_lots.c.account_id == sa.bindparam("whose"),
            point_lots.c.expires_us == sa.bindparam("until"),
        )
        connection.execute(point_lots.delete().where(*is_gone), gone)


def _store_holds(connection: Connection, tenant: TenantId, made: Sequence[Transfer]) -> None:
    begun = [one for one in made if one.until is not None]
    if begun:
        connection.execute(
            point_holds.insert(),
            [
                {"transfer_id": one.id, "tenant_id": tenant, "until_us": to_epoch_us(one.until)}
                for one in begun
                if one.until is not None
            ],
        )
    ended = [one.pending_id for one in made if one.pending_id is not None]
    if ended:
        connection.execute(point_holds.delete().where(point_holds.c.transfer_id.in_(ended)))


def _account_row(tenant: TenantId, row_id: str, key: AccountKey, account: Account) -> dict[str, Any]:
    return {
        "id": row_id,
        "tenant_id": tenant,
        "kind": key.kind.value,
        "owner": key.owner,
        "balance": account.balance,
        "held": account.held,
        "day": None if account.day is None else (account.day - _EPOCH_DAY).days,
        **{what.value: account.counted.get(what, 0) for what in Counted},
    }


def _transfer_row(tenant: TenantId, one: Transfer) -> dict[str, Any]:
    return {
        "id": one.id,
        "tenant_id": tenant,
        "kind": one.kind.value,
        "phase": one.phase.value,
        "points": one.points,
        "reason": one.reason,
        "reference": one.reference,
        "at_us": to_epoch_us(one.at),
        "until_us": None if one.until is None else to_epoch_us(one.until),
        "pending_id": one.pending_id,
        "reverses_id": one.reverses_id,
    }


def _leg_row(tenant: TenantId, transfer_id: str, number: int, leg: Leg, loaded: LoadedBook) -> dict[str, Any]:
    return {
        "transfer_id": transfer_id,
        "number": number,
        "tenant_id": tenant,
        "debit_id": loaded.id_of(tenant, leg.debit),
        "credit_id": loaded.id_of(tenant, leg.credit),
        "points": leg.points,
        "expires_us": None if leg.expires_at is None else to_epoch_us(leg.expires_at),
    }


def _events(tenant: TenantId, one: Transfer, recorded_at: datetime) -> list[dict[str, Any]]:
    """A ``points.moved`` for each person whose balance changed; neither reason nor reference, which are free text."""
    if one.phase not in MOVING:
        return []
    moved: defaultdict[str, int] = defaultdict(int)
    for leg in one.legs:
        if leg.debit.kind is AccountKind.PERSON:
            moved[leg.debit.owner] -= leg.points
        if leg.credit.kind is AccountKind.PERSON:
            moved[leg.credit.owner] += leg.points
    return [
        {
            "id": f"evt_{one.id}_{number}",
            "tenant_id": tenant,
            "type": "points.moved",
            "occurred_us": to_epoch_us(one.at),
            "recorded_us": to_epoch_us(recorded_at),
            "person": person,
            "data": {"transfer_id": one.id, "kind": one.kind.value, "points": points},
        }
        for number, (person, points) in enumerate(moved.items())
    ]


def open_account(
    connection: Connection, tenant: TenantId, key: AccountKey, members: Collection[str] | None = None
) -> bool:
    """Open a pool or partner, or change who belongs to a pool; whether it was not open before."""
    row_id = account_id(tenant, key)
    is_new = not is_open(connection, tenant, key)
    if is_new:
        connection.execute(point_accounts.insert().values(**_account_row(tenant, row_id, key, Account())))
    if members is not None:
        of_pool = point_pool_members.c.tenant_id == tenant, point_pool_members.c.pool == key.owner
        connection.execute(point_pool_members.delete().where(*of_pool))
        rows = [{"tenant_id": tenant, "pool": key.owner, "person": ref} for ref in dict.fromkeys(members)]
        if rows:
            connection.execute(point_pool_members.insert(), rows)
    return is_new


def is_open(connection: Connection, tenant: TenantId, key: AccountKey) -> bool:
    """Whether there is such an account."""
    query = sa.select(point_accounts.c.id).where(point_accounts.c.id == account_id(tenant, key))
    return connection.execute(query).first() is not None


def load_members(connection: Connection, tenant: TenantId, pools: Collection[str]) -> dict[str, set[str]]:
    """Who belongs to each of these pools."""
    query = sa.select(point_pool_members.c.pool, point_pool_members.c.person).where(
        point_pool_members.c.tenant_id == tenant, point_pool_members.c.pool.in_(pools)
    )
    found: dict[str, set[str]] = {}
    for pool, person in connection.execute(query):
        found.setdefault(pool, set()).add(person)
    return found


def due(connection: Connection, now: datetime, at_most: int) -> dict[TenantId, tuple[list[AccountKey], list[str]]]:
    """Accounts with lots that have run out, and holds that have; by tenant, up to so many of each."""
    now_us = to_epoch_us(now)
    whose = sa.select(point_lots.c.account_id).where(point_lots.c.expires_us <= now_us).distinct().limit(at_most)
    accounts = sa.select(point_accounts.c.tenant_id, point_accounts.c.kind, point_accounts.c.owner)
    holds = sa.select(point_holds.c.tenant_id, point_holds.c.transfer_id).where(point_holds.c.until_us <= now_us)
    found: dict[TenantId, tuple[list[AccountKey], list[str]]] = {}
    for tenant, kind, owner in connection.execute(accounts.where(point_accounts.c.id.in_(whose))):
        found.setdefault(TenantId(tenant), ([], []))[0].append(AccountKey(AccountKind(kind), owner))
    for tenant, transfer_id in connection.execute(holds.order_by(point_holds.c.until_us).limit(at_most)):
        found.setdefault(TenantId(tenant), ([], []))[1].append(transfer_id)
    return found
