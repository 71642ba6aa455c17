"""Rhythm, night by night: days come into cadences, a model for each venue and category, and who is late by it.

``feed`` for everybody, then ``fit_next`` and ``judge_step`` until there is nobody left to judge. A night sees the days
before it. Those that late scans may still change count for it alone: the next night begins from what was settled.
"""

from collections.abc import Collection
from typing import Any, Final

import numpy as np
from sqlalchemy.engine import Connection

from kernel.clock import EPOCH
from kernel.ids import PersonRef, TenantId
from runtime.records.rhythm import (
    Cadence,
    Judged,
    cadences_of,
    drop_cadences,
    next_unjudged,
    read_model,
    states_of_key,
    store_cadences,
    store_judged,
)
from runtime.records.tags import Learnt, learnt_of
from runtime.tag_places import TagBook, instant_of
from scenes.events import SceneEvent, overdue_event
from scenes.rhythm.bands import BANDS, Band, Overdue
from scenes.rhythm.cadence import CADENCE, F64, States, VisitDays, empty_states, learn
from scenes.rhythm.nightly import KeyedStates, RhythmKey, RhythmModels, Rhythms, fit_rhythms, rhythms_of, tell_overdue
from scenes.rules import PlaceKind
from scenes.state import Place
from scenes.tags.kernels.layout import STORE_VISIT, VENUE_VISIT
from scenes.tags.record import CLOSED

JUDGED_AT_ONCE: Final = 128
"""People at one key in a step: some tens of milliseconds in which no scan can be stored."""
SETTLED_AFTER_DAYS: Final = 2
"""Late scans are put among those of 24 hours, so the day before yesterday is as it will stay."""
WHOLE_VENUE: Final = ""
"""The category of a rhythm that is of the venue itself."""

_Spot = tuple[PersonRef, RhythmKey]


def feed(connection: Connection, tenant: TenantId, book: TagBook, people: Collection[PersonRef], day: int) -> None:
    """Take the days that these people came before ``day`` into their cadences; told twice it changes nothing more."""
    known = {(one.person, one.key): one for one in cadences_of(connection, tenant, people)}
    came: list[tuple[_Spot, int]] = []
    for mark in learnt_of(connection, tenant, people, day):
        key = _key_of(mark, book)
        if key is not None:
            came.append(((mark.person, key), mark.day))
    spots = list(dict.fromkeys([*known, *(spot for spot, _ in came)]))
    if not spots:
        return
    row_of = {spot: row for row, spot in enumerate(spots)}
    row = np.array([row_of[spot] for spot, _ in came], dtype=np.int64)
    days = np.array([when for _, when in came], dtype=np.int64)
    is_settled = days <= day - SETTLED_AFTER_DAYS
    before, told = empty_states(len(spots)), empty_states(len(spots))
    for spot, one in known.items():
        before[row_of[spot]], told[row_of[spot]] = _states(one.settled)[0], _states(one.state)[0]
    settled = learn(before, VisitDays(row[is_settled], days[is_settled])).states
    state = learn(settled, VisitDays(row[~is_settled], days[~is_settled])).states
    state["told"] = told["told"]
    changed, gone = [], []
    for spot in spots:
        at, was = row_of[spot], known.get(spot)
        one = Cadence(*spot, settled[at].tobytes(), state[at].tobytes(), 0 if was is None else was.judged_day)
        if state["count"][at] == 0:
            gone.append(one)
        elif was is None or (was.settled, was.state) != (one.settled, one.state):
            changed.append(one)
    store_cadences(connection, tenant, changed)
    drop_cadences(connection, tenant, gone)


def _key_of(mark: Learnt, book: TagBook) -> RhythmKey | None:
    """What a visit is a coming of; None for one to a level."""
    row = np.frombuffer(mark.row, dtype=CLOSED)[0]
    if row["kind"] == VENUE_VISIT:
        return RhythmKey(mark.venue_id, WHOLE_VENUE)
    if row["kind"] == STORE_VISIT:
        return RhythmKey(mark.venue_id, book.name("category", int(row["category"])))
    return None


def _states(packed: bytes) -> States:
    return np.frombuffer(packed, dtype=CADENCE)


def fit_next(connection: Connection, tenant: TenantId, book: TagBook, day: int) -> RhythmModels | None:
    """Fit the model that ``judge_step`` waits for; None where it waits for none. Reads only, so no scan waits."""
    waiting = next_unjudged(connection, tenant, day, 1)
    if not waiting or _model_tonight(connection, tenant, waiting[0].key, day) is not None:
        return None
    key = waiting[0].key
    states = _states(states_of_key(connection, tenant, key))
    people = KeyedStates(states, np.zeros(len(states), dtype=np.int64), (key,))
    return fit_rhythms(people, day - 1, instant_of(day, book.zone(key.venue_id)) or EPOCH)


def _model_tonight(connection: Connection, tenant: TenantId, key: RhythmKey, day: int) -> RhythmModels | None:
    found = read_model(connection, tenant, key)
    return found if found is not None and found.at_day == day - 1 else None


def judge_step(
    connection: Connection, tenant: TenantId, book: TagBook, day: int
) -> tuple[int, list[tuple[PersonRef, SceneEvent]]]:
    """Judge some people at one key by tonight's model.

    Returns:
        How many wait or were judged, and ``rhythm.overdue`` of those who became late; each once a cycle.
    """
    some = next_unjudged(connection, tenant, day, JUDGED_AT_ONCE)
    models = _model_tonight(connection, tenant, some[0].key, day) if some else None
    if models is None:
        return len(some), []
    key = some[0].key
    states = _states(b"".join(one.state for one in some)).copy()
    people = KeyedStates(states, np.zeros(len(states), dtype=np.int64), (key,))
    rhythms = rhythms_of(people, models, day - 1)
    overdue, told = tell_overdue(people, rhythms)
    judged = [_judged(one, told[row].tobytes(), rhythms, row) for row, one in enumerate(some)]
    store_judged(connection, tenant, judged, day)
    return len(some), [
        (some[row].person, _overdue_event(some[row].person, overdue, place, int(states["last"][row]), key, book, day))
        for place, row in enumerate(overdue.row.tolist())
    ]


def _judged(one: Cadence, state: bytes, rhythms: Rhythms, row: int) -> Judged:
    band = BANDS[int(rhythms.band[row])]
    if band is Band.UNKNOWN:
        return Judged(one.person, one.key, state, None, None, None, None, None)
    figures = (rhythms.ratio, rhythms.expected_day, rhythms.p_active, rhythms.p_return_28d)
    return Judged(one.person, one.key, state, band.value, *(_figure(values, row) for values in figures))


def _figure(values: F64, row: int) -> float | None:
    return None if np.isnan(values[row]) else round(float(values[row]), 4)


def _overdue_event(
    person: PersonRef, overdue: Overdue, place: int, last_day: int, key: RhythmKey, book: TagBook, day: int
) -> SceneEvent:
    zone = book.zone(key.venue_id)
    expected = instant_of(float(overdue.expected_day[place]), zone)
    figures: dict[str, Any] = {
        "expected_at": expected,
        "ratio": round(float(overdue.ratio[place]), 4),
        "p_return_28d": round(float(overdue.p_return_28d[place]), 4),
        "p_active": round(float(overdue.p_active[place]), 4),
    }
    venue = Place(PlaceKind.VENUE, key.venue_id, key.venue_id)
    at = instant_of(day, zone) or EPOCH
    return overdue_event(person, venue, key.subject or None, last_day, at, **figures)
