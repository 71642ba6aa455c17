"""Who is left out as staff: a person, a venue and an end, nothing else; and the deleting of what told it."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.clock import from_epoch_us, to_epoch_us
from kernel.ids import PersonRef, StoreId, TenantId, VenueId
from runtime.records.parts import Part
from runtime.records.schema import events, staff, visits
from scenes.rules import PlaceKind
from scenes.staff import Staff, StoreStay

_US = timedelta(microseconds=1)


def load_staff(connection: Connection, tenant: TenantId) -> Staff:
    """Who is left out now."""
    rows = connection.execute(sa.select(staff).where(staff.c.tenant_id == tenant))
    return {(PersonRef(row.person), VenueId(row.venue_id)): from_epoch_us(row.until_us) for row in rows}


def load_people_of_staff(connection: Connection, tenant: TenantId) -> set[PersonRef]:
    """Who is left out at any venue of the tenant."""
    return {person for person, _ in load_staff(connection, tenant)}


def replace_staff(connection: Connection, tenant: TenantId, found: Staff) -> None:
    """Leave out these from now on, and nobody else."""
    connection.execute(staff.delete().where(staff.c.tenant_id == tenant))
    rows = [
        {"tenant_id": tenant, "person": person, "venue_id": venue_id, "until_us": to_epoch_us(until)}
        for (person, venue_id), until in found.items()
    ]
    if rows:
        connection.execute(staff.insert(), rows)


def load_long_stays(connection: Connection, tenant: TenantId, since: datetime, at_least: timedelta) -> list[StoreStay]:
    """The closed store visits since then of who was at one store for ``at_least`` in all."""
    inside_us = visits.c.last_inside_us - visits.c.arrived_us
    closed = (
        visits.c.tenant_id == tenant,
        visits.c.kind == PlaceKind.STORE.value,
        visits.c.left_us.is_not(None),
        visits.c.arrived_us >= to_epoch_us(since),
    )
    key = visits.c.person, visits.c.venue_id, visits.c.place_id
    long = sa.select(*key).where(*closed).group_by(*key).having(sa.func.sum(inside_us) >= at_least // _US)
    rows = connection.execute(sa.select(visits).where(*closed, sa.tuple_(*key).in_(long)))
    return [
        StoreStay(
            PersonRef(row.person),
            VenueId(row.venue_id),
            StoreId(row.place_id),
            from_epoch_us(row.arrived_us),
            from_epoch_us(row.last_inside_us),
        )
        for row in rows
    ]


def visit_of_staff() -> sa.ColumnElement[bool]:
    """Whether a row of ``visits`` is of somebody who is left out at its venue."""
    return sa.exists().where(
        staff.c.tenant_id == visits.c.tenant_id,
        staff.c.venue_id == visits.c.venue_id,
        staff.c.person == visits.c.person,
    )


def event_of_staff() -> sa.ColumnElement[bool]:
    """Whether a row of ``events`` tells of a visit or passage of somebody who is left out at its venue.

    Changes of phase name no venue, and tags and rhythms are learnt from all venues together: those of staff are left
    out whatever venue they were of. Deliveries and coupons stay: staff get cards, and these are the proof.
    """
    of_venue = sa.and_(
        sa.or_(events.c.type.like("visit.%"), events.c.type == "place.passed"),
        events.c.data["venue_id"].as_string() == staff.c.venue_id,
    )
    of_any = (events.c.type == "phase.changed", events.c.type.like("tag.%"), events.c.type.like("rhythm.%"))
    return sa.exists().where(
        staff.c.tenant_id == events.c.tenant_id,
        staff.c.person == events.c.person,
        sa.or_(*of_any, of_venue),
    )


def drop_of_staff(connection: Connection, tenant: TenantId, part: Part) -> int:
    """Delete of a part the closed visits of staff, and what was told of them; how many visits.

    An open visit goes when it has closed.
    """
    closed = part.of(tenant, visits), visits.c.left_us.is_not(None)
    dropped = connection.execute(visits.delete().where(*closed, visit_of_staff())).rowcount
    connection.execute(events.delete().where(part.of(tenant, events), event_of_staff()))
    return dropped
