"""Tags at rest: a record a person, what was learnt into it, which tags hold, and how far the events were read."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.ports import TagRow
from kernel.clock import from_epoch_us, to_epoch_us
from kernel.ids import PersonRef, TenantId, VenueId, derive_id
from runtime.records.schema import cursors, events, person_tags, rhythm_states, tag_learnt, tag_nights, tag_records
from runtime.records.upsert import upsert

_CURSOR = "tags"
_LEARNT_FROM = ("visit.exited", "visit.revised", "place.passed", "coupon.redeemed")
"""The events that something is learnt from; a visit's others come before its end."""


@dataclass(frozen=True, slots=True)
class Told:
    """A recorded event as it is learnt from."""

    sequence: int
    id: str
    type: str
    occurred_at: datetime
    person: PersonRef
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """A stored record of ``scenes.tags``; ``settled_day`` is the newest day its tags were judged at."""

    person: PersonRef
    venue_id: VenueId
    settled_day: int
    record: bytes


@dataclass(frozen=True, slots=True)
class Learnt:
    """A visit that stands in its person's record: the row that was learnt, to be taken back if the visit changes."""

    visit_id: str
    person: PersonRef
    venue_id: VenueId
    day: int
    row: bytes


@dataclass(frozen=True, slots=True)
class Night:
    """The newest service day that began, the mall's shares as of then, and whether all is judged by it."""

    day: int
    shares: Mapping[str, Sequence[float]] | None
    is_over: bool


def tag_id(tenant: TenantId, person: PersonRef, tag: str, subject: str | None) -> str:
    """The id of a tag that holds, the same whenever it is found again."""
    return derive_id("tag", tenant, person, tag, subject or "")


def read_cursor(connection: Connection, tenant: TenantId) -> int:
    """The sequence of the last event that was learnt from."""
    mine = (cursors.c.tenant_id == tenant, cursors.c.name == _CURSOR)
    found = connection.execute(sa.select(cursors.c.sequence).where(*mine)).scalar()
    return 0 if found is None else int(found)


def move_cursor(connection: Connection, tenant: TenantId, sequence: int) -> None:
    """All up to this event is learnt; to be committed with what was."""
    upsert(connection, cursors, [{"tenant_id": tenant, "name": _CURSOR, "sequence": sequence}])


def next_events(connection: Connection, tenant: TenantId, after: int, limit: int) -> tuple[list[Told], int]:
    """The next events to learn from, and the sequence that is reached with them."""
    rows = connection.execute(
        sa.select(events)
        .where(events.c.tenant_id == tenant, events.c.sequence > after, events.c.type.in_(_LEARNT_FROM))
        .order_by(events.c.sequence)
        .limit(limit)
    ).all()
    told = [
        Told(row.sequence, row.id, row.type, from_epoch_us(row.occurred_us), PersonRef(row.person), row.data)
        for row in rows
    ]
    if len(told) == limit:
        return told, told[-1].sequence
    newest = connection.execute(sa.select(sa.func.max(events.c.sequence)).where(events.c.tenant_id == tenant)).scalar()
    return told, max(after, 0 if newest is None else int(newest))


def load_records(connection: Connection, tenant: TenantId, people: Collection[PersonRef]) -> dict[PersonRef, Held]:
    """The records of these people."""
    query = sa.select(tag_records).where(tag_records.c.tenant_id == tenant, tag_records.c.person.in_(list(people)))
    return {held.person: held for held in map(_held, connection.execute(query))}


def all_records(connection: Connection, tenant: TenantId, at_once: int) -> Iterator[list[Held]]:
    """The records of everybody, 1.4 kB each, so many at a time and always in one order."""
    query = sa.select(tag_records).where(tag_records.c.tenant_id == tenant).order_by(tag_records.c.person)
    rows = connection.execution_options(yield_per=at_once).execute(query)
    for part in rows.partitions(at_once):
        yield [_held(row) for row in part]


def records_after(connection: Connection, tenant: TenantId, person: PersonRef, limit: int) -> list[Held]:
    """The records of the people who come next after one, in the order of their names."""
    mine = tag_records.c.tenant_id == tenant, tag_records.c.person > person
    query = sa.select(tag_records).where(*mine).order_by(tag_records.c.person).limit(limit)
    return [_held(row) for row in connection.execute(query)]


def unsettled_records(connection: Connection, tenant: TenantId, day: int, limit: int) -> list[Held]:
    """Some of the records whose tags were not judged at ``day`` or later."""
    query = (
        sa.select(tag_records)
        .where(tag_records.c.tenant_id == tenant, tag_records.c.settled_day < day)
        .order_by(tag_records.c.person)
        .limit(limit)
    )
    return [_held(row) for row in connection.execute(query)]


def _learnt(row: sa.Row[Any]) -> Learnt:
    return Learnt(row.visit_id, PersonRef(row.person), VenueId(row.venue_id), row.day, row.row)


def _held(row: sa.Row[Any]) -> Held:
    return Held(PersonRef(row.person), VenueId(row.venue_id), row.settled_day, row.record)


def store_records(connection: Connection, tenant: TenantId, held: Iterable[Held]) -> None:
    """Write records over the old ones."""
    rows = [
        {
            "tenant_id": tenant,
            "person": one.person,
            "venue_id": one.venue_id,
            "settled_day": one.settled_day,
            "record": one.record,
        }
        for one in held
    ]
    upsert(connection, tag_records, rows)


def load_learnt(connection: Connection, visit_ids: Collection[str]) -> dict[str, Learnt]:
    """Those of these visits that were learnt."""
    query = sa.select(tag_learnt).where(tag_learnt.c.visit_id.in_(list(visit_ids)))
    return {row.visit_id: _learnt(row) for row in connection.execute(query)}


def store_learnt(
    connection: Connection, tenant: TenantId, learnt: Collection[Learnt], taken_back: Collection[str]
) -> None:
    """Mark visits as learnt, and others as no longer so."""
    if taken_back:
        connection.execute(tag_learnt.delete().where(tag_learnt.c.visit_id.in_(list(taken_back))))
    rows = [
        {
            "visit_id": one.visit_id,
            "tenant_id": tenant,
            "person": one.person,
            "venue_id": one.venue_id,
            "day": one.day,
            "row": one.row,
        }
        for one in learnt
    ]
    upsert(connection, tag_learnt, rows)


def learnt_of(connection: Connection, tenant: TenantId, people: Collection[PersonRef], before_day: int) -> list[Learnt]:
    """The marks of these people's visits of the days before."""
    query = sa.select(tag_learnt).where(
        tag_learnt.c.tenant_id == tenant, tag_learnt.c.person.in_(list(people)), tag_learnt.c.day < before_day
    )
    return [_learnt(row) for row in connection.execute(query)]


def drop_old_learnt(connection: Connection, tenant: TenantId, before_day: int, at_most: int) -> int:
    """Drop marks of visits that no late scan can change any more, up to ``at_most``; what was learnt stays learnt."""
    old = tag_learnt.c.tenant_id == tenant, tag_learnt.c.day < before_day
    some = sa.select(tag_learnt.c.visit_id).where(*old).limit(at_most)
    return connection.execute(tag_learnt.delete().where(tag_learnt.c.visit_id.in_(some))).rowcount


def read_night(connection: Connection, tenant: TenantId) -> Night | None:
    """The newest service day that began; None before the first."""
    row = connection.execute(sa.select(tag_nights).where(tag_nights.c.tenant_id == tenant)).first()
    return None if row is None else Night(row.day, row.shares, row.ended_day == row.day)


def store_night(connection: Connection, tenant: TenantId, night: Night) -> None:
    """A service day has begun, or its night is over."""
    ended = night.day if night.is_over else night.day - 1
    row = {"tenant_id": tenant, "day": night.day, "shares": night.shares, "ended_day": ended}
    upsert(connection, tag_nights, [row])


def held_tags(connection: Connection, tenant: TenantId, people: Collection[PersonRef]) -> dict[str, TagRow]:
    """The tags that hold of these people, by their ids."""
    query = sa.select(person_tags).where(person_tags.c.tenant_id == tenant, person_tags.c.person.in_(list(people)))
    return {row.id: _tag(row) for row in connection.execute(query)}


def store_tags(connection: Connection, tenant: TenantId, held: Collection[TagRow], gone: Collection[str]) -> None:
    """Write the tags that hold, and drop those that are over."""
    if gone:
        connection.execute(person_tags.delete().where(person_tags.c.id.in_(list(gone))))
    rows = [
        {
            "id": one.id,
            "tenant_id": tenant,
            "person": one.person,
            "venue_id": one.venue_id,
            "tag": one.tag,
            "subject": one.subject,
            "score": one.score,
            "evidence_n": one.evidence_n,
            "expires_us": None if one.expires_at is None else to_epoch_us(one.expires_at),
            "added_us": to_epoch_us(one.added_at),
        }
        for one in held
    ]
    upsert(connection, person_tags, rows)


def tags_of_person(connection: Connection, tenant: TenantId, person: PersonRef) -> list[TagRow]:
    """One person's tags, for that person's own export."""
    return sorted(held_tags(connection, tenant, [person]).values(), key=lambda one: (one.added_at, one.id))


def _tag(row: sa.Row[Any]) -> TagRow:
    return TagRow(
        id=row.id,
        person=PersonRef(row.person),
        venue_id=VenueId(row.venue_id),
        tag=row.tag,
        subject=row.subject,
        score=row.score,
        evidence_n=row.evidence_n,
        expires_at=None if row.expires_us is None else from_epoch_us(row.expires_us),
        added_at=from_epoch_us(row.added_us),
    )


def forget_person(connection: Connection, tenant: TenantId, person: PersonRef) -> None:
    """Nothing that was learnt of a person remains; events that were recorded stay, as those of visits do."""
    for table in (tag_records, tag_learnt, person_tags, rhythm_states):
        connection.execute(table.delete().where(table.c.tenant_id == tenant, table.c.person == person))


def has_news(connection: Connection, tenant: TenantId) -> bool:
    """Whether there is an event to learn from; one short look-up."""
    after = read_cursor(connection, tenant)
    news = sa.select(events.c.sequence).where(
        events.c.tenant_id == tenant, events.c.sequence > after, events.c.type.in_(_LEARNT_FROM)
    )
    return connection.execute(news.limit(1)).first() is not None
