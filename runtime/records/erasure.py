"""All that is held of a person, found by the same tables whether it is given out or erased.

``TABLES`` names each table that says something of somebody and what becomes of its rows; a test reads the schema and
fails where a table with a person in it is missing here.
"""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.ids import DeviceRef, PersonRef, TenantId
from runtime.records import schema
from runtime.records.people import identities_of, people_of


class Fate(StrEnum):
    """What erasure does to rows of a table."""

    GOES = "goes"
    KEPT = "kept"
    """The amount stays: of nobody, or under a name drawn at random for each row."""


_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Held:
    """A table with somebody in it.

    Args:
        column: it holds refs of people (``per_...``) or of phones (``dev_...``).
        of_phones: which of the two.
        blanked: where rows are kept, what in them would tell of places or of another row.
        coarsened: instants of such rows, of which the day alone is kept (UTC): its end, so that a coupon stays good.
    """

    table: sa.Table
    column: sa.Column[Any]
    fate: Fate = Fate.GOES
    of_phones: bool = False
    blanked: tuple[sa.Column[Any], ...] = ()
    coarsened: tuple[sa.Column[Any], ...] = ()


def _people(table: sa.Table, column: str = "person") -> Held:
    return Held(table, table.c[column])


def _phones(table: sa.Table) -> Held:
    return Held(table, table.c.device_ref, of_phones=True)


TABLES: Final = (
    _phones(schema.answers),
    _phones(schema.scenes),
    _phones(schema.tracks),
    _phones(schema.fixes),
    Held(schema.visits, schema.visits.c.device_ref, of_phones=True),
    _people(schema.events),
    _people(schema.staff),
    _people(schema.tag_records),
    _people(schema.tag_learnt),
    _people(schema.person_tags),
    _people(schema.rhythm_states),
    _people(schema.campaign_people),
    Held(
        schema.deliveries,
        schema.deliveries.c.person,
        Fate.KEPT,
        blanked=(
            schema.deliveries.c.id,
            schema.deliveries.c.visit_id,
            schema.deliveries.c.card_id,
            schema.deliveries.c.explanation,
        ),
        coarsened=(schema.deliveries.c.at_us,),
    ),
    Held(
        schema.coupons,
        schema.coupons.c.person,
        Fate.KEPT,
        blanked=(schema.coupons.c.visit_id,),
        coarsened=(schema.coupons.c.issued_us, schema.coupons.c.expires_us, schema.coupons.c.redeemed_us),
    ),
    Held(
        schema.payments,
        schema.payments.c.person,
        Fate.KEPT,
        coarsened=(schema.payments.c.at_us, schema.payments.c.recorded_us),
    ),
    _people(schema.point_pool_members),
    Held(schema.point_accounts, schema.point_accounts.c.owner, Fate.KEPT),
    _people(schema.identity_links, "a"),
    _people(schema.identity_links, "b"),
    _people(schema.person_changes, "identity"),
    _people(schema.person_changes, "person_before"),
    _people(schema.person_changes, "person_after"),
    _people(schema.unsettled_identities, "ref"),
    _people(schema.accesses),
    _people(schema.identities, "ref"),
    _phones(schema.consents),
    _people(schema.devices),
)
"""In the order in which they are erased: the phone's record last, by which all else is found."""


@dataclass(frozen=True, slots=True)
class Whole:
    """All names under which the records know somebody."""

    people: tuple[PersonRef, ...]
    phones: tuple[DeviceRef, ...]

    def of(self, held: Held) -> sa.ColumnElement[bool]:
        """Whether a row is this person's; consents may stand under either name."""
        names: tuple[str, ...] = self.phones if held.of_phones else self.people
        if held.table is schema.consents:
            names = (*self.phones, *self.people)
        return held.column.in_(names)


def whole_person(connection: Connection, tenant: TenantId, ref: PersonRef) -> Whole:
    """Everything that one of somebody's identities leads to."""
    person = people_of(connection, tenant, [ref]).get(ref, ref)
    people = tuple(dict.fromkeys([ref, *(one.ref for one in identities_of(connection, tenant, person))]))
    phones = connection.execute(
        sa.select(schema.devices.c.ref).where(schema.devices.c.tenant_id == tenant, schema.devices.c.person.in_(people))
    ).scalars()
    return Whole(people, tuple(map(DeviceRef, phones)))


def gather(connection: Connection, tenant: TenantId, whole: Whole) -> dict[str, list[dict[str, Any]]]:
    """All rows that are somebody's, by table, as JSON values; blobs by their sizes: what they say, other tables do."""
    found: dict[str, list[dict[str, Any]]] = {}
    for held in TABLES:
        rows = connection.execute(sa.select(held.table).where(held.table.c.tenant_id == tenant, whole.of(held)))
        told = [
            {name: f"{len(value)} bytes" if isinstance(value, bytes) else value for name, value in row.items()}
            for row in rows.mappings()
        ]
        for row in told if held.table is schema.identity_links else ():
            for side in ("a", "b"):
                if row[side] not in whole.people:
                    row[side] = "somebody else's"
        known = found.setdefault(held.table.name, [])
        known += [row for row in told if row not in known]
    return found


def erase(connection: Connection, tenant: TenantId, whole: Whole) -> dict[str, dict[str, int]]:
    """Erase somebody in the caller's transaction; how many rows of each table went, and how many are kept nameless."""
    receipt: dict[str, dict[str, int]] = {Fate.GOES.value: {}, Fate.KEPT.value: {}}
    for held in TABLES:
        mine = held.table.c.tenant_id == tenant, whole.of(held)
        if held.fate is Fate.GOES:
            n = connection.execute(held.table.delete().where(*mine)).rowcount
        else:
            n = _make_nameless(connection, held, mine)
        told = receipt[held.fate.value]
        told[held.table.name] = told.get(held.table.name, 0) + n
    return receipt


def _make_nameless(connection: Connection, held: Held, mine: tuple[sa.ColumnElement[bool], ...]) -> int:
    (key,) = held.table.primary_key.columns
    keys = connection.execute(sa.select(key).where(*mine)).scalars().all()
    if held.table is schema.coupons:
        redeemed = schema.redemptions
        day = redeemed.c.at_us - redeemed.c.at_us % _DAY_US + _DAY_US
        connection.execute(redeemed.update().where(redeemed.c.coupon_id.in_(keys)).values(at_us=day))
    for one in keys:
        if held.table is schema.point_accounts:
            _rename_account(connection, one)
            continue
        nobody = None if held.column.nullable else f"per_{secrets.token_hex(12)}"
        values: dict[str, object] = {held.column.name: nobody}
        for column in held.blanked:
            values[column.name] = None if column.nullable else f"erased_{secrets.token_hex(12)}"
        for column in held.coarsened:
            values[column.name] = column - column % _DAY_US + _DAY_US
        connection.execute(held.table.update().where(key == one).values(**values))
    return len(keys)


def _rename_account(connection: Connection, account: str) -> None:
    """The books keep what was moved, under an id that nobody can make from the person's."""
    drawn = secrets.token_hex(15)
    for column in (schema.point_lots.c.account_id, schema.point_legs.c.debit_id, schema.point_legs.c.credit_id):
        connection.execute(column.table.update().where(column == account).values({column.name: f"acc_{drawn}"}))
    accounts = schema.point_accounts
    connection.execute(
        accounts.update().where(accounts.c.id == account).values(id=f"acc_{drawn}", owner=f"per_{drawn[:24]}")
    )


def is_known(connection: Connection, tenant: TenantId, whole: Whole) -> bool:
    """Whether the records say anything of somebody: their phones and ids do, and what was told of them."""
    looked_at = {schema.devices, schema.identities, schema.payments, schema.deliveries, schema.campaign_people}
    return any(
        connection.execute(
            sa.select(sa.literal(1)).where(held.table.c.tenant_id == tenant, whole.of(held)).limit(1)
        ).first()
        for held in TABLES
        if held.table in looked_at
    )
