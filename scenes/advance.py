"""Fixes into scenes: which visits begin, go on or end, and what is told of it. Many phones at once.

The rule (each kind of place on its own): a visit begins when ``k`` of the last ``n`` fixes speak for the place;
its arrival is the first of those fixes. It ends when another place of its kind is confirmed, when walkway is
confirmed (stores), when no fix was inside for ``leave_gap``, or with the venue's day; it left at the last fix inside.
Inner visits close first. Coming back within ``merge_gap`` continues the visit.

Call order: the fixes of one phone by their instants; ``sweep`` at any time between, and where a fix that comes after it
shows that what it ended was not over, as of a phone that was offline, that goes on. A fix that is no newer than its
phone's newest is not taken (``Advanced.is_late``): ``revise.py`` takes it. The loops are ``kernels/visits.py``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from kernel.ids import DeviceRef
from scenes.events import EXIT_REASONS, PASSING_MS, ExitReason, SceneEvent, passed_event, phase_event, visit_event
from scenes.fix import FixRows
from scenes.kernels.changes import (
    DWELLED,
    E_A,
    E_ARRIVED,
    E_AT,
    E_B,
    E_BASE,
    E_FIX,
    E_INFO,
    E_INSIDE,
    E_KIND,
    E_STAT,
    E_TYPE,
    E_VENUE,
    ENTERED,
    EXITED,
    MOST_EVENTS_A_FIX,
    N_EVENT,
    PASSED,
    PHASE,
    REVISED,
)
from scenes.kernels.record import I32, I64, N_RECORD, OPEN, PackedRules, state_of
from scenes.kernels.visits import advance_fixes, close_record, close_stale
from scenes.places import PlaceBook
from scenes.record import PHASES, instant, last_at, to_ms, visit_from
from scenes.rules import PlaceKind
from scenes.state import Place, Visit

_Call = Callable[[int, I32], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Told:
    """An event, the number of the fix (of a sweep: of the phone) that made it, and the visit as it is from then on."""

    fix: int
    event: SceneEvent
    visit: Visit | None


@dataclass(frozen=True, slots=True)
class Advanced:
    """What a batch did.

    Args:
        records: (n_phones, 32) after it.
        is_late: (n_fixes,) fixes that were not taken.
        after: (n_fixes, 32) each fix's phone after it.
        told: in the order of the fixes.
    """

    records: I32
    is_late: NDArray[np.bool_]
    after: I32
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Phones:
    """Phones of a batch: their names, and their records side by side, (n_phones, 32)."""

    refs: Sequence[DeviceRef]
    records: I32


def advance(
    phones: Phones, phone: Sequence[int] | I64, fixes: FixRows, rules: PackedRules, book: PlaceBook
) -> Advanced:
    """Take a batch of fixes. No argument changes, but that the book may number a place.

    Args:
        phone: (n_fixes,) whose each is, by its place in ``phones``.
    """
    slot = np.asarray(phone, dtype=np.int64)
    records = phones.records.copy()
    late = np.zeros(len(fixes), dtype=np.uint8)
    after = np.empty((len(fixes), N_RECORD), dtype=np.int32)

    def call(start: int, events: I32) -> tuple[int, int]:
        done: tuple[int, int] = advance_fixes(
            records,
            slot,
            fixes.at_ms,
            fixes.base_min,
            fixes.venue,
            fixes.code,
            fixes.front,
            fixes.is_approaching,
            rules,
            start,
            events,
            late,
            after,
        )
        return done

    events = _drain(call, len(fixes))
    refs = [phones.refs[at] for at in slot[events[:, E_FIX]].tolist()]
    return Advanced(records, late.astype(np.bool_), after, read_events(events, refs, book))


def sweep(
    phones: Phones, now: datetime, day_base_min: I64, rules: PackedRules, book: PlaceBook
) -> tuple[I32, NDArray[np.bool_], tuple[Told, ...]]:
    """Close what has run out: to be called every few seconds.

    Args:
        day_base_min: (n_venues,) by number, when each venue's present day began, in minutes since 1960.

    Returns:
        The records after it, which of them changed, and what is told.
    """
    records = phones.records.copy()
    changed = np.zeros(len(records), dtype=np.uint8)
    every = np.arange(len(records), dtype=np.int64)

    def call(start: int, events: I32) -> tuple[int, int]:
        done: tuple[int, int] = close_stale(records, every, to_ms(now), day_base_min, rules, start, events, changed)
        return done

    events = _drain(call, len(records))
    told = read_events(events, [phones.refs[at] for at in events[:, E_FIX].tolist()], book)
    return records, changed.astype(np.bool_), told


def close_all(
    record: I32, device: DeviceRef, now: datetime, reason: ExitReason, book: PlaceBook
) -> tuple[I32, tuple[Told, ...]]:
    """Close whatever is open of one phone, as when a consent is withdrawn."""
    closed = record.copy()
    events = np.empty((MOST_EVENTS_A_FIX, N_EVENT), dtype=np.int32)
    n = 0
    if last_at(record) is not None:
        n = close_record(closed, to_ms(now), EXIT_REASONS.index(reason), events)
    return closed, read_events(events[:n], [device] * n, book)


def _drain(call: _Call, n: int) -> I32:
    """All events of a call that stops where its room for them is full."""
    parts: list[I32] = []
    start = 0
    room = np.empty((MOST_EVENTS_A_FIX + n // 2, N_EVENT), dtype=np.int32)
    while start < n:
        start, n_events = call(start, room)
        parts.append(room[:n_events].copy())
    return np.concatenate(parts) if parts else np.empty((0, N_EVENT), dtype=np.int32)


def read_events(events: I32, refs: Sequence[DeviceRef], book: PlaceBook) -> tuple[Told, ...]:
    """Rows of events as values; ``refs`` (n,) whose each is."""
    return tuple(_read(row, ref, book) for row, ref in zip(events, refs, strict=True))


def _read(row: I32, device: DeviceRef, book: PlaceBook) -> Told:
    kind, told, venue, base = int(row[E_KIND]), int(row[E_TYPE]), int(row[E_VENUE]), int(row[E_BASE])
    at, fix = instant(base, row[E_AT]), int(row[E_FIX])
    if told == PASSED:
        place = Place(PlaceKind.STORE, book.place_id(venue, kind, int(row[E_A])), book.venue_ids[venue])
        return Told(fix, passed_event(device, place, at, int(row[E_AT]) // PASSING_MS), None)
    if told == PHASE:
        inner = None
        if state_of(int(row[E_INFO])) == OPEN:
            inner = _visit(row, device, book).place
        before, after = PHASES[int(row[E_A])], PHASES[int(row[E_B])]
        return Told(fix, phase_event(device, at, before.value, after.value, inner), None)
    visit = _visit(row, device, book)
    if told == ENTERED:
        latency_s = (at - visit.arrived_at).total_seconds()
        event = visit_event("visit.entered", visit, at, arrived_at=visit.arrived_at, latency_s=latency_s)
    elif told == DWELLED:
        event = visit_event("visit.dwelled", visit, at, mark_s=int(row[E_A]) / 1_000)
    elif told == REVISED:
        previous = {"left_at": instant(base, row[E_A])}
        event = visit_event("visit.revised", visit, at, previous=previous, void=False)
    elif told == EXITED:
        event = exited_event(visit, at, EXIT_REASONS[int(row[E_A])])
    else:
        raise ValueError(f"expected a type of event, found {told}")
    return Told(fix, event, visit)


def exited_event(visit: Visit, at: datetime, reason: ExitReason) -> SceneEvent:
    """A visit has ended."""
    return visit_event(
        "visit.exited",
        visit,
        at,
        reason=reason,
        counted=visit.is_counted,
        dwell_s=visit.dwell_s,
        arrived_at=visit.arrived_at,
        left_at=visit.left_at,
    )


def _visit(row: I32, device: DeviceRef, book: PlaceBook) -> Visit:
    four = row[[E_ARRIVED, E_INSIDE, E_INFO, E_STAT]]
    return visit_from(int(row[E_BASE]), int(row[E_VENUE]), int(row[E_KIND]), four, device, book)
