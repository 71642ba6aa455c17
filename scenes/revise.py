"""Late scans: the day's fixes folded again with the late ones in their places, and what that changes.

A phone's record is what its fixes since the start of the venue's day make of an empty one, so a fix that comes late is
put where it belongs and the day is folded anew. Visits that were told and are others now are revised, or void; what a
late fix brings to light is told as if it had been seen in time. The same fixes in any order end in the same visits.
"""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from kernel.ids import DeviceRef, EventId, VisitId, derive_id
from scenes.advance import Phones, Told, advance
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
    now: datetime,
) -> Revised:
    """Fold a phone's day again.

    Args:
        day: the fixes since the day began, the late ones not among them.
        late: at least one; of two fixes of one instant the surer is taken, so a fix that comes again changes nothing.
        now: when this is found.
    """
    whole = FixRows.join([day, late])
    before = _fold(device, day.take(in_order(day)), rules, book)
    after = _fold(device, whole.take(in_order(whole)), rules, book)
    told = _differences(before[1], after[1], now)
    number = len(late) - 1
    return Revised(after[0], tuple(replace(one, fix=number) for one in told))


def in_order(rows: FixRows) -> I64:
    """The places of fixes by their instants, one an instant: the surer, of equals the lower place."""
    known = rows.venue > 0
    evidence = np.where(known, 1 + (rows.code >> 16 & 255), 0)
    order = np.lexsort((rows.front, rows.code, -evidence, rows.at_ms))
    at_ms = rows.at_ms[order]
    is_first = np.r_[True, at_ms[1:] != at_ms[:-1]] if len(order) else np.zeros(0, dtype=bool)
    return order[is_first].astype(np.int64)


def _fold(
    device: DeviceRef, rows: FixRows, rules: PackedRules, book: PlaceBook
) -> tuple[I32, dict[VisitId, tuple[Visit, list[Told]]]]:
    """The record, and each visit as it is last known with what was told of it."""
    phones = Phones([device], new_record()[None])
    done = advance(phones, np.zeros(len(rows), dtype=np.int64), rows, rules, book)
    visits: dict[VisitId, tuple[Visit, list[Told]]] = {}
    for told in done.told:
        if told.visit is not None:
            of_visit = visits.get(told.visit.visit_id, (told.visit, []))[1]
            visits[told.visit.visit_id] = told.visit, [*of_visit, told]
    return done.records[0], visits


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
            told += events
            continue
        was, said = before[visit_id]
        known = {one.event.event_id for one in said}
        if (visit.left_at, visit.is_counted) != (was.left_at, was.is_counted):
            told.append(Told(0, _revised(visit, was, now), visit))
        new = [one for one in events if one.event.event_id not in known and one.event.type != "visit.revised"]
        told += [replace(one, visit=visit) for one in new]  # the last word on the visit stands with each
    return told


def _revised(visit: Visit, was: Visit, now: datetime) -> SceneEvent:
    previous = {"arrived_at": was.arrived_at, "left_at": was.left_at, "counted": was.is_counted}
    found = {"arrived_at": visit.arrived_at, "left_at": visit.left_at, "counted": visit.is_counted}
    event = visit_event(
        "visit.revised", visit, now, previous=previous, void=visit.is_void, dwell_s=visit.dwell_s, **found
    )
    content = (str(visit.is_void), visit.last_inside_at.isoformat(), str(visit.fix_count), str(visit.left_at))
    return replace(event, event_id=EventId(derive_id("evt", event.event_id, *content)))
