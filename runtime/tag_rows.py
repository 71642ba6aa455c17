"""Recorded events as rows that tags learn from: what to take back, what to learn, and at which day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from kernel.ids import LevelId, VenueId
from runtime.records.tags import Learnt, Told
from runtime.tag_places import TagBook, day_of
from scenes.rules import PlaceKind
from scenes.tags.kernels.layout import LEVEL_VISIT, PASS, PURCHASE, STORE_VISIT, VENUE_VISIT, Rows
from scenes.tags.learn import empty_rows
from scenes.tags.record import CLOSED

PASS_S: Final = 60
"""What a pass counts as: scenes tell that a front was gone by, not for how long."""

_VISITS: Final = frozenset({"visit.exited", "visit.revised"})


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one event teaches of its person: a row taken back, a row learnt, either or both."""

    told: Told
    venue_id: VenueId
    day: int
    taken_back: Rows | None
    learnt: Rows | None
    mark: Learnt | None


def day_of_event(told: Told, book: TagBook) -> int:
    """The service day that an event belongs to."""
    at, venue_id = told.occurred_at, told.data.get("venue_id")
    if told.data.get("arrived_at") is not None:
        at = datetime.fromisoformat(told.data["arrived_at"])
    return day_of(at, book.zone(VenueId(venue_id or "")))


def lesson_of(told: Told, book: TagBook, marks: Mapping[str, Learnt], since: datetime) -> Lesson | None:
    """What an event teaches; None where it changes nothing.

    Args:
        marks: visits that were learnt, with the rows to take back.
        since: nothing that began before may be learnt.
    """
    visit_id = told.data.get("visit_id")
    mark = None if visit_id is None else marks.get(visit_id)
    row = None if _began(told) < since else _row_of(told, book)
    if row is None and mark is None:
        return None
    venue_id = _venue_of(told, book) or (mark.venue_id if mark is not None else VenueId(""))
    day = int(row["day"][0]) if row is not None else mark.day if mark is not None else 0
    new: Learnt | None = None
    if row is not None and visit_id is not None and told.type in _VISITS:
        new = Learnt(visit_id, told.person, venue_id, day, row.tobytes())
    return Lesson(
        told=told,
        venue_id=venue_id,
        day=day,
        taken_back=None if mark is None else np.frombuffer(mark.row, dtype=CLOSED).copy(),
        learnt=row,
        mark=new,
    )


def _began(told: Told) -> datetime:
    arrived = told.data.get("arrived_at")
    return told.occurred_at if arrived is None else datetime.fromisoformat(arrived)


def _venue_of(told: Told, book: TagBook) -> VenueId | None:
    venue_id = told.data.get("venue_id")
    if venue_id is not None:
        return VenueId(venue_id)
    found = book.store(None, (told.data.get("place") or {}).get("id", ""))
    return None if found is None else found[0]


def _row_of(told: Told, book: TagBook) -> Rows | None:
    """The row, with person 0; None for a visit that is open, void or did not count, and for what is sensitive."""
    place: Mapping[str, Any] = told.data.get("place") or {}
    venue_id = _venue_of(told, book)
    if venue_id is None or not place:
        return None
    is_visit = told.type in _VISITS
    if is_visit and (told.data.get("void") or not told.data.get("counted") or told.data.get("left_at") is None):
        return None
    arrived = _began(told)
    zone = book.zone(venue_id)
    row = empty_rows(1)
    row["arrived_s"] = int(arrived.timestamp())
    row["left_s"] = row["arrived_s"] + (round(told.data["dwell_s"]) if is_visit else PASS_S)
    row["day"], row["hour"] = day_of(arrived, zone), arrived.astimezone(zone).hour
    match PlaceKind(place["kind"]) if place["kind"] in set(PlaceKind) else None:
        case PlaceKind.VENUE if is_visit:
            row["kind"] = VENUE_VISIT
        case PlaceKind.LEVEL if is_visit:
            row["kind"], row["level"] = LEVEL_VISIT, book.level(venue_id, LevelId(place["id"]))
        case PlaceKind.STORE:
            found = book.store(venue_id, place["id"])
            if found is None or not book.is_learnt(*found):
                return None
            row["kind"] = STORE_VISIT if is_visit else PASS if told.type == "place.passed" else PURCHASE
            row["category"] = book.category(found[1].category)
            row["brand"] = book.brand(found[1]) if book.is_brand_learnt(found[1]) else -1
        case _:
            return None
    return row
