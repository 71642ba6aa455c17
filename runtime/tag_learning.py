"""One step of learning: some events of a tenant into the records of its people, with the tags that come and go by it.

Everything a step does is written through one connection, the cursor with it: a step that is cut off is done again
whole, and one that was committed is never done twice. What a step finds depends on the events and the consents alone,
not on how many events are in it, so that a stream that was cut anywhere ends with the same tags and the same events.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
from sqlalchemy.engine import Connection

from api.ports import TagRow
from flow.answers import rfc3339
from kernel.clock import EPOCH, to_epoch_us
from kernel.ids import PersonRef, TenantId, VenueId
from members.device import tags_since
from runtime.records.devices import devices_of
from runtime.records.effects import scene_event_row
from runtime.records.tags import (
    Held,
    Told,
    all_records,
    drop_old_learnt,
    held_tags,
    insert_events,
    load_learnt,
    load_records,
    move_cursor,
    next_events,
    read_cursor,
    read_night,
    store_learnt,
    store_night,
    store_records,
    store_tags,
    tag_id,
    unsettled_records,
)
from runtime.tag_places import TagBook, instant_of, shares_json
from runtime.tag_rows import Lesson, day_of_event, lesson_of
from scenes.errors import SnapshotError
from scenes.events import tag_event
from scenes.rules import PlaceKind
from scenes.state import Place
from scenes.tags.kernels.layout import I64, Rows
from scenes.tags.learn import empty_rows, learn, unlearn
from scenes.tags.names import STAGES, TagName
from scenes.tags.record import TagStates, admit, make_states, restore_snapshot, take_snapshot
from scenes.tags.rules import TagRules
from scenes.tags.shares import shares_of
from scenes.tags.stage import StageTables
from scenes.tags.tags import TagContext, name_of, settle, subject_of, tags_of

EVENTS_AT_ONCE: Final = 256
"""Of a step: some tens of milliseconds in which no scan can be stored."""
MARKS_KEPT_DAYS: Final = 3
"""Scans change a visit for two minutes, and none older than a day is taken; the rest is to spare."""
PEOPLE_AT_ONCE: Final = 256
"""Settled in a step of the night."""


@dataclass(frozen=True, slots=True)
class TagModel:
    """What tags are judged by, beside the mall's own figures."""

    rules: TagRules
    stages: StageTables


@dataclass(frozen=True, slots=True)
class _Change:
    """Rows of ``TAG`` that changed, and what changed them."""

    rows: Rows
    cause: str
    venue_id: VenueId
    at: datetime


class _People:
    """The records of a step's people, unpacked."""

    def __init__(self, held: Sequence[Held], rules: TagRules) -> None:
        self.refs = [one.person for one in held]
        self.row_of = {person: row for row, person in enumerate(self.refs)}
        self.states = make_states(len(held), rules.half_life_days)
        self.settled = np.array([one.settled_day for one in held], dtype=np.int64)
        self.venues = [one.venue_id for one in held]
        admit(self.states, np.arange(len(held)))
        for row, one in enumerate(held):
            if one.record:
                _restore(self.states, row, one.record)

    def held(self) -> Iterable[Held]:
        """As they are to be stored."""
        for row, person in enumerate(self.refs):
            yield Held(person, self.venues[row], int(self.settled[row]), take_snapshot(self.states, row))


def _restore(states: TagStates, row: int, record: bytes) -> None:
    try:
        restore_snapshot(states, row, record)
    except SnapshotError:  # of another version or half-life: the person is learnt anew, from now on
        states.words[row] = 0
        admit(states, np.array([row]))


def learn_step(
    connection: Connection, tenant: TenantId, book: TagBook, model: TagModel, now: datetime, limit: int = EVENTS_AT_ONCE
) -> tuple[int, int | None]:
    """Learn the next events, up to the first of a later service day than has begun.

    Returns:
        How many events were read, and the day that must begin (``begin_day``) before there can be more.
    """
    told, reached = next_events(connection, tenant, read_cursor(connection, tenant), limit)
    night, today = read_night(connection, tenant), None
    if told and night is None:
        night = day_of_event(told[0], book), None
        store_night(connection, tenant, *night)
    for place, one in enumerate(told):
        day = day_of_event(one, book)
        if night is not None and day > night[0]:
            told, reached, today = told[:place], one.sequence - 1, day
            break
    if told and night is not None:
        _learn(connection, tenant, book, model, night, told, now)
    move_cursor(connection, tenant, reached)
    return len(told), today


def _learn(
    connection: Connection,
    tenant: TenantId,
    book: TagBook,
    model: TagModel,
    night: tuple[int, dict[str, list[float]] | None],
    told: Sequence[Told],
    now: datetime,
) -> None:
    devices = devices_of(connection, tenant, {one.person for one in told})
    since = {person: tags_since(device) for person, device in devices.items()}
    marks = load_learnt(connection, {one.data["visit_id"] for one in told if one.data.get("visit_id") is not None})
    stored = set(marks)
    lessons: list[Lesson] = []
    for one in told:
        begin = since.get(one.person)
        lesson = None if begin is None else lesson_of(one, book, marks, begin)
        if lesson is None:
            continue
        lessons.append(lesson)
        if lesson.taken_back is not None:
            marks.pop(one.data["visit_id"])
        if lesson.mark is not None:
            marks[lesson.mark.visit_id] = lesson.mark
    if not lessons:
        return
    refs = list(dict.fromkeys(lesson.told.person for lesson in lessons))
    known = load_records(connection, tenant, refs)
    people = _People([known.get(ref) or Held(ref, VenueId(""), night[0], b"") for ref in refs], model.rules)
    context = TagContext(book.places(), book.shares(night[1]), model.rules, model.stages)
    changes = [change for wave in _waves(lessons) for change in _learn_wave(people, wave, context)]
    new = {lesson.mark.visit_id for lesson in lessons if lesson.mark is not None}
    store_learnt(connection, tenant, [mark for one, mark in marks.items() if one in new], stored - set(marks))
    _store(connection, tenant, book, people, context, changes, now)


def _waves(lessons: Sequence[Lesson]) -> list[list[Lesson]]:
    """Each person's lessons one after the other, those of different people together."""
    waves: list[list[Lesson]] = []
    n_of: dict[PersonRef, int] = {}
    for lesson in lessons:
        wave = n_of.get(lesson.told.person, 0)
        n_of[lesson.told.person] = wave + 1
        if wave == len(waves):
            waves.append([])
        waves[wave].append(lesson)
    return waves


def _learn_wave(people: _People, wave: Sequence[Lesson], context: TagContext) -> list[_Change]:
    rows = np.array([people.row_of[lesson.told.person] for lesson in wave], dtype=np.int64)
    taken_back = _rows_for(rows, [lesson.taken_back for lesson in wave])
    unlearn(people.states, taken_back, context.places, context.rules)
    learn(people.states, _rows_for(rows, [lesson.learnt for lesson in wave]), context.places, context.rules)
    people.settled[rows] = np.maximum(people.settled[rows], [lesson.day for lesson in wave])
    lesson_of_row = dict(zip(rows.tolist(), wave, strict=True))
    for row, lesson in lesson_of_row.items():
        people.venues[row] = lesson.venue_id
    changes = []
    for day in np.unique(people.settled[rows]).tolist():
        changed = settle(people.states, rows[people.settled[rows] == day], float(day), context)
        for row in np.unique(changed["person"]).tolist():
            lesson = lesson_of_row[row]
            changes.append(
                _Change(changed[changed["person"] == row], lesson.told.id, lesson.venue_id, lesson.told.occurred_at)
            )
    return changes


def _rows_for(people: I64, rows: Sequence[Rows | None]) -> Rows:
    found = [row.copy() for row in rows if row is not None]
    joined: Rows = np.concatenate(found) if found else empty_rows(0)
    joined["person"] = people[[row is not None for row in rows]]
    return joined


def begin_day(connection: Connection, tenant: TenantId, book: TagBook, model: TagModel, day: int) -> None:
    """A service day begins: the mall's shares are taken anew. ``settle_step`` is to follow until it has no more."""
    book.measure_stays()
    held = all_records(connection, tenant)
    people = _People(held, model.rules)
    shares = shares_json(shares_of(people.states, book.places())) if held else None
    store_night(connection, tenant, day, shares)
    drop_old_learnt(connection, tenant, day - MARKS_KEPT_DAYS)


def settle_step(
    connection: Connection, tenant: TenantId, book: TagBook, model: TagModel, now: datetime, limit: int = PEOPLE_AT_ONCE
) -> int:
    """End what ends by time alone, for some of those not judged since the day began; how many there were."""
    night = read_night(connection, tenant)
    held = [] if night is None else unsettled_records(connection, tenant, night[0], limit)
    if night is None or not held:
        return 0
    people = _People(held, model.rules)
    people.settled[:] = night[0]
    context = TagContext(book.places(), book.shares(night[1]), model.rules, model.stages)
    changed = settle(people.states, np.arange(len(held)), float(night[0]), context)
    changes = []
    for row in np.unique(changed["person"]).tolist():
        at = instant_of(night[0], book.zone(people.venues[row]))
        assert at is not None
        cause = f"day:{night[0]}"
        changes.append(_Change(changed[changed["person"] == row], cause, people.venues[row], at))
    _store(connection, tenant, book, people, context, changes, now)
    return len(held)


def _store(
    connection: Connection,
    tenant: TenantId,
    book: TagBook,
    people: _People,
    context: TagContext,
    changes: Sequence[_Change],
    now: datetime,
) -> None:
    """Write the records, the tags that hold now, and an event for each that came or went."""
    before = held_tags(connection, tenant, people.refs)
    began: dict[str, tuple[VenueId, datetime]] = {
        one_id: (one.venue_id, one.added_at) for one_id, one in before.items()
    }
    events: list[dict[str, Any]] = []
    for change in changes:
        for row in change.rows:
            person = people.refs[int(row["person"])]
            tag = _tag_of(tenant, person, row, book, change.venue_id, change.at)
            is_added = bool(row["holds"])
            if is_added:
                began[tag.id] = change.venue_id, change.at
            else:
                tag = replace(tag, venue_id=began.pop(tag.id, (change.venue_id, change.at))[0], expires_at=None)
            place = Place(PlaceKind.VENUE, tag.venue_id, tag.venue_id)
            event = tag_event(
                "tag.added" if is_added else "tag.removed",
                person,
                change.cause,
                place,
                change.at,
                tag=tag.tag,
                subject=tag.subject,
                score=tag.score,
                evidence_n=tag.evidence_n,
                expires_at=None if tag.expires_at is None else rfc3339(tag.expires_at),
            )
            events.append(scene_event_row(tenant, person, event, to_epoch_us(now)))
    insert_events(connection, events)
    holding: dict[str, TagRow] = {}
    for day in np.unique(people.settled).tolist():
        rows = np.flatnonzero(people.settled == day).astype(np.int64)
        for row in tags_of(people.states, rows, float(day), context):
            person = people.refs[int(row["person"])]
            tag = _tag_of(tenant, person, row, book, people.venues[int(row["person"])], EPOCH)
            if tag.id in began:  # what was settled; each was told
                venue_id, added_at = began[tag.id]
                holding[tag.id] = replace(tag, venue_id=venue_id, added_at=added_at)
    store_tags(connection, tenant, holding.values(), before.keys() - holding.keys())
    store_records(connection, tenant, people.held())


def _tag_of(
    tenant: TenantId, person: PersonRef, row: Any, book: TagBook, venue_id: VenueId, added_at: datetime
) -> TagRow:
    name = name_of(int(row["name"]))
    subject = _subject(name, int(row["subject"]), book)
    return TagRow(
        id=tag_id(tenant, person, name.value, subject),
        person=person,
        venue_id=venue_id,
        tag=name.value,
        subject=subject,
        score=round(float(row["score"]), 4),
        evidence_n=int(row["evidence_n"]),
        expires_at=instant_of(float(row["expires_day"]), book.zone(venue_id)),
        added_at=added_at,
    )


def _subject(name: TagName, number: int, book: TagBook) -> str | None:
    """A subject in words."""
    match name:
        case TagName.CATEGORY_PREFERENCE:
            return book.name("category", number)
        case TagName.BRAND_PREFERENCE:
            return book.name("brand", number)
        case TagName.LEVEL_HABIT:
            return book.name("level", number)
        case TagName.STAGE:
            return f"{book.name('category', number >> 3)}:{STAGES[number & 7].value}"
        case _:
            words = subject_of(name, number)
            return None if words is None else str(words)
