"""One step of learning: some events of a tenant into the records of its people, with the tags that come and go by it.

Everything a step does is written through one connection, the cursor with it: a step that is cut off is done again
whole, and one that was committed is never done twice. What a step finds depends on the events and the consents alone,
not on how many events are in it, so that a stream that was cut anywhere ends with the same tags and the same events.
"""

from collections.abc import Callable, Container, Sequence
from datetime import datetime
from typing import Final, TypeAlias

import numpy as np
from sqlalchemy.engine import Connection

from kernel.ids import PersonRef, TenantId, VenueId
from members.device import tags_since
from runtime.records.devices import devices_of
from runtime.records.tags import (
    Held,
    Night,
    Told,
    load_learnt,
    load_records,
    move_cursor,
    next_events,
    read_cursor,
    read_night,
    store_learnt,
    store_night,
)
from runtime.tag_changes import Change, People, TagModel, store_changes
from runtime.tag_places import TagBook
from runtime.tag_rows import Lesson, day_of_event, lesson_of
from scenes.tags.kernels.layout import I64, Rows
from scenes.tags.learn import empty_rows, learn, unlearn
from scenes.tags.tags import TagContext, settle

EVENTS_AT_ONCE: Final = 64
"""Of a step: some tens of milliseconds in which no scan can be stored."""

LeftOut: TypeAlias = Callable[[Connection, TenantId], Container[PersonRef]]
"""Who is staff of any venue: nothing is learnt of them, since one record is of all venues."""


def next_day(connection: Connection, tenant: TenantId, book: TagBook, night: Night | None, today: int) -> int | None:
    """The service day that must begin before more is learnt; None where something of the present one is left.

    Args:
        today: by the server's clock, for when nothing is told.
    """
    if night is None:
        return None
    told, _ = next_events(connection, tenant, read_cursor(connection, tenant), 1)
    day = day_of_event(told[0], book) if told else today
    return day if day > night.day else None


def learn_step(
    connection: Connection,
    tenant: TenantId,
    book: TagBook,
    model: TagModel,
    staff: Container[PersonRef],
    now: datetime,
    limit: int = EVENTS_AT_ONCE,
) -> None:
    """Learn the next events, up to the first of a later service day than has begun: see ``next_day``."""
    told, reached = next_events(connection, tenant, read_cursor(connection, tenant), limit)
    night = read_night(connection, tenant)
    if told and night is None:
        night = Night(day_of_event(told[0], book), None, is_over=True)  # nobody is known yet
        store_night(connection, tenant, night)
    for place, one in enumerate(told):
        if night is not None and day_of_event(one, book) > night.day:
            told, reached = told[:place], one.sequence - 1
            break
    if told and night is not None:
        _learn(connection, tenant, book, model, staff, night, told, now)
    move_cursor(connection, tenant, reached)


def _learn(
    connection: Connection,
    tenant: TenantId,
    book: TagBook,
    model: TagModel,
    staff: Container[PersonRef],
    night: Night,
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
        if lesson is None or one.person in staff:
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
    people = People([known.get(ref) or Held(ref, VenueId(""), night.day, b"") for ref in refs], model.rules)
    context = TagContext(book.places(), book.shares(night.shares), model.rules, model.stages)
    changes = [change for wave in _waves(lessons) for change in _learn_wave(people, wave, context)]
    new = {lesson.mark.visit_id for lesson in lessons if lesson.mark is not None}
    store_learnt(connection, tenant, [mark for one, mark in marks.items() if one in new], stored - set(marks))
    store_changes(connection, tenant, book, people, context, changes, now)


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


def _learn_wave(people: People, wave: Sequence[Lesson], context: TagContext) -> list[Change]:
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
                Change(changed[changed["person"] == row], lesson.told.id, lesson.venue_id, lesson.told.occurred_at)
            )
    return changes


def _rows_for(people: I64, rows: Sequence[Rows | None]) -> Rows:
    found = [row.copy() for row in rows if row is not None]
    joined: Rows = np.concatenate(found) if found else empty_rows(0)
    joined["person"] = people[[row is not None for row in rows]]
    return joined
