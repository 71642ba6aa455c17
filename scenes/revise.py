"""Late scans: the day's fixes folded again with the late ones in their places, and what that changes.

A phone's record is what its fixes since the start of the venue's day make of an empty one, so a fix that comes late is
put where it belongs and the day is folded anew. Visits that were told and are others now are revised, or void; what a
late fix brings to light is told as if it had been seen in time. The same fixes in any order end in the same visits.

What time alone has ended by now is ended in both foldings, the one without the late fixes and the one with them, since
a sweep may have told it. What such a sweep says is told again: its events have the ids they had. A visit that was told
to be over and goes on after all is told of once more when it ends: the last ``visit.exited`` is the last word.
"""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from kernel.ids import DeviceRef, EventId, VisitId, derive_id
from scenes.advance import Phones, Told, advance, sweep
from scenes.events import SceneEvent, visit_event
from scenes.fix import FixRows
from scenes.kernels.record import I32, I64, PackedRules
from scenes.places import PlaceBook
from scenes.record import new_record
from scenes.state import Visit


@dataclass(frozen=True, slots=True)
class Revised:
    """The record after the day was folded again, and what is told of it, each with the number of the late fix."""

    record: I32
    told: tuple[Told, ...]


def revise(
    device: DeviceRef,
    day: FixRows,
    late: FixRows,
    rules: PackedRules,
    book: PlaceBook,
    found_at: datetime,
    now: datetime,
    day_base_min: I64,
) -> Revised:
    """Fold a phone's day again.

    Args:
        day: the fixes since the day began, the late ones not among them.
        late: at least one; of two fixes of one instant the surer is taken, so a fix that comes again changes nothing.
        found_at: the instant that what is told of it has: the last late fix's.
        now: the clock, to which visits have run out or not.
        day_base_min: as of ``advance.sweep``, at that time.
    """
    whole = FixRows.join([day, late])
    end = _End(now, day_base_min)
    before = _fold(device, day.take(in_order(day)), end, rules, book)
    after = _fold(device, whole.take(in_order(whole)), end, rules, book)
    swept = [one if _is_of(one, before.visits) else _told_late(one, found_at) for one in after.swept]
    told = [*_differences(before.visits, after.visits, found_at), *swept]
    number = len(late) - 1
    return Revised(after.record, tuple(replace(one, fix=number) for one in told))


def in_order(rows: FixRows) -> I64:
    """The places of fixes by their instants, one an instant: the surer, of equals the lower place."""
    known = rows.venue > 0
    evidence = np.where(known, 1 + (rows.code >> 16 & 255), 0)
    order = np.lexsort((rows.front, rows.code, -evidence, rows.at_ms))
    at_ms = rows.at_ms[order]
    is_first = np.r_[True, at_ms[1:] != at_ms[:-1]] if len(order) else np.zeros(0, dtype=bool)
    return order[is_first].astype(np.int64)


@dataclass(frozen=True, slots=True)
class _End:
    now: datetime
    day_base_min: I64


@dataclass(frozen=True, slots=True)
class _Folded:
    """The record, each visit as it is last known with what its fixes told of it, and what time told."""

    record: I32
    visits: dict[VisitId, tuple[Visit, list[Told]]]
    swept: tuple[Told, ...]


def _fold(device: DeviceRef, rows: FixRows, end: _End, rules: PackedRules, book: PlaceBook) -> _Folded:
    phones = Phones([device], new_record()[None])
    done = advance(phones, np.zeros(len(rows), dtype=np.int64), rows, rules, book)
    records, _, swept = sweep(Phones([device], done.records), end.now, end.day_base_min, rules, book)
    visits: dict[VisitId, tuple[Visit, list[Told]]] = {}
    for told in done.told:
        if told.visit is not None:
            of_visit = visits.get(told.visit.visit_id, (told.visit, []))[1]
            visits[told.visit.visit_id] = told.visit, [*of_visit, told]
    ended = tuple(told for told in swept if told.visit is not None)
    visits |= {one.visit.visit_id: (one.visit, visits[one.visit.visit_id][1]) for one in ended if one.visit is not None}
    return _Folded(records[0], visits, ended)


def _differences(
    before: dict[VisitId, tuple[Visit, list[Told]]], after: dict[VisitId, tuple[Visit, list[Told]]], now: datetime
) -> list[Told]:
    told: list[Told] = []
    for visit_id, (was, _) in before.items():
        if visit_id not in after:
            void = replace(was, is_void=True, is_counted=False, left_at=was.left_at or was.last_inside_at)
            told.append(Told(0, _revised(void, was, now), void))
    for visit_id, (visit, events) in after.items():
        if visit_id not in before:
            told += [_told_late(one, now) for one in events]
            continue
        was, said = before[visit_id]
        known = {one.event.event_id for one in said}
        is_over = was.left_at is not None and visit.left_at is not None  # visit.revised says when
        is_open_again = was.left_at is not None and visit.left_at is None  # its end is told when it comes
        if (visit.left_at, visit.is_counted) != (was.left_at, was.is_counted) and not is_open_again:
            told.append(Told(0, _revised(visit, was, now), visit))
        left_out = {"visit.revised", "visit.exited"} if is_over else {"visit.revised"}
        new = [one for one in events if one.event.event_id not in known and one.event.type not in left_out]
        told += [replace(one, visit=visit) for one in new]  # the last word on the visit stands with each
    return told


def _revised(visit: Visit, was: Visit, now: datetime) -> SceneEvent:
    previous = {"arrived_at": was.arrived_at, "left_at": was.left_at, "counted": was.is_counted}
    found = {"arrived_at": visit.arrived_at, "left_at": visit.left_at, "counted": visit.is_counted}
    event = visit_event(
        "visit.revised", visit, now, previous=previous, void=visit.is_void, dwell_s=visit.dwell_s, **found
    )
    content = (now.isoformat(), str(visit.is_void), visit.last_inside_at.isoformat(), str(visit.fix_count))
    return replace(event, event_id=EventId(derive_id("evt", event.event_id, *content, str(visit.left_at))))


def _is_of(told: Told, visits: dict[VisitId, tuple[Visit, list[Told]]]) -> bool:
    return told.visit is not None and told.visit.visit_id in visits


def _told_late(told: Told, found_at: datetime) -> Told:
    """Of a visit that a late scan brought to light: once more where it was told, and was void in between."""
    event_id = EventId(derive_id("evt", told.event.event_id, found_at.isoformat()))
    return replace(told, event=replace(told.event, event_id=event_id))
