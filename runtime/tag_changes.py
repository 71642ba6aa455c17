"""What a step or a night changed of tags, into the records: people, what holds, and an event for all that moved."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy.engine import Connection

from api.ports import TagRow
from flow.answers import rfc3339
from kernel.clock import EPOCH, to_epoch_us
from kernel.ids import PersonRef, TenantId, VenueId
from runtime.records.effects import scene_event_row
from runtime.records.events import append_events
from runtime.records.tags import Held, held_tags, store_records, store_tags, tag_id
from runtime.tag_places import TagBook, instant_of
from scenes.errors import SnapshotError
from scenes.events import tag_event
from scenes.rules import PlaceKind
from scenes.state import Place
from scenes.tags.kernels.layout import Rows
from scenes.tags.names import STAGES, TagName
from scenes.tags.record import TagStates, admit, make_states, restore_snapshot, take_snapshot
from scenes.tags.rules import TagRules
from scenes.tags.stage import StageTables
from scenes.tags.tags import TagContext, name_of, subject_of, tags_of


@dataclass(frozen=True, slots=True)
class TagModel:
    """What tags are judged by, beside the mall's own figures."""

    rules: TagRules
    stages: StageTables


@dataclass(frozen=True, slots=True)
class Change:
    """Rows of ``TAG`` that changed, and what changed them."""

    rows: Rows
    cause: str
    venue_id: VenueId
    at: datetime


class People:
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


def store_changes(
    connection: Connection,
    tenant: TenantId,
    book: TagBook,
    people: People,
    context: TagContext,
    changes: Sequence[Change],
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
    append_events(connection, tenant, events)
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
