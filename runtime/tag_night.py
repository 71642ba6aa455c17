"""What follows when a service day has begun: the mall's shares anew, what ends by time, rhythm, and counts.

``prepare_day`` reads, ``begin_day`` writes that the day has begun, ``night_step`` does a transaction's worth until the
night is over. Each finds what is left to do in the records, so a night that is cut off goes on where it was.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from sqlalchemy.engine import Connection

from kernel.clock import to_epoch_us
from kernel.ids import PersonRef, TenantId
from runtime.records.effects import scene_event_row
from runtime.records.events import append_events
from runtime.records.rhythm import store_model
from runtime.records.tag_counts import write_counts
from runtime.records.tags import (
    Night,
    all_records,
    drop_old_learnt,
    forget_person,
    read_night,
    store_night,
    unsettled_records,
)
from runtime.rhythm_night import feed, fit_next, judge_step
from runtime.tag_changes import Change, People, TagModel, store_changes
from runtime.tag_places import TagBook, instant_of, shares_json
from scenes.rhythm.nightly import RhythmModels
from scenes.tags.shares import add, as_shares, weights_of
from scenes.tags.tags import TagContext, settle

PEOPLE_AT_ONCE: Final = 64
"""Settled in a step: some tens of milliseconds in which no scan can be stored."""
RECORDS_AT_ONCE: Final = 2_048
"""Read together for the mall's shares, 3 MB."""
MARKS_KEPT_DAYS: Final = 3
"""Scans change a visit for two minutes, and none older than a day is taken; the rest is to spare."""
MARKS_AT_ONCE: Final = 2_000
"""Dropped in a step, as the engine's chores do."""


@dataclass(frozen=True, slots=True)
class Dawn:
    """What a day begins with: the mall's shares, and usual stays of categories that had none."""

    day: int
    shares: Mapping[str, list[float]] | None
    stays_s: Mapping[str, float]


def prepare_day(connection: Connection, tenant: TenantId, book: TagBook, model: TagModel, day: int) -> Dawn:
    """Look at everybody, some at a time; reads only, so no scan waits."""
    places, weights = book.places(), None
    for held in all_records(connection, tenant, RECORDS_AT_ONCE):
        some = weights_of(People(held, model.rules).states, places)
        weights = some if weights is None else add(weights, some)
    shares = None if weights is None else shares_json(as_shares(weights, places))
    return Dawn(day, shares, book.measured_stays(day))


def begin_day(connection: Connection, tenant: TenantId, book: TagBook, dawn: Dawn) -> None:
    """A service day has begun; ``night_step`` is to follow until the night is over."""
    book.keep_stays(dawn.stays_s)
    store_night(connection, tenant, Night(dawn.day, dawn.shares, is_over=False))


def fit_if_due(connection: Connection, tenant: TenantId, book: TagBook, night: Night) -> RhythmModels | None:
    """The rhythm model that the night's next step waits for, fitted; None where it waits for none."""
    if unsettled_records(connection, tenant, night.day, 1):
        return None
    return fit_next(connection, tenant, book, night.day)


def night_step(
    connection: Connection,
    tenant: TenantId,
    book: TagBook,
    model: TagModel,
    staff: Container[PersonRef],
    fitted: RhythmModels | None,
    now: datetime,
) -> None:
    """Some of what is left of a night: people to settle, then to judge by their rhythm, then counts."""
    night = read_night(connection, tenant)
    if night is None or night.is_over:
        return
    if fitted is not None:
        store_model(connection, tenant, fitted)
        return
    if _settle(connection, tenant, book, model, night, staff, now):
        return
    n_waiting, told = judge_step(connection, tenant, book, night.day)
    append_events(
        connection, tenant, [scene_event_row(tenant, person, event, to_epoch_us(now)) for person, event in told]
    )
    if n_waiting:
        return
    if drop_old_learnt(connection, tenant, night.day - MARKS_KEPT_DAYS, MARKS_AT_ONCE) < MARKS_AT_ONCE:
        write_counts(connection, tenant, night.day)
        store_night(connection, tenant, Night(night.day, night.shares, is_over=True))


def _settle(
    connection: Connection,
    tenant: TenantId,
    book: TagBook,
    model: TagModel,
    night: Night,
    staff: Container[PersonRef],
    now: datetime,
) -> int:
    """End what ends by time alone, for some of those not judged since the day began; how many there were."""
    some = unsettled_records(connection, tenant, night.day, PEOPLE_AT_ONCE)
    for one in some:
        if one.person in staff:
            forget_person(connection, tenant, one.person)
    held = [one for one in some if one.person not in staff]
    if not held:
        return len(some)
    feed(connection, tenant, book, [one.person for one in held], night.day)
    people = People(held, model.rules)
    people.settled[:] = night.day
    context = TagContext(book.places(), book.shares(night.shares), model.rules, model.stages)
    changed = settle(people.states, np.arange(len(held)), float(night.day), context)
    changes = []
    for row in np.unique(changed["person"]).tolist():
        at = instant_of(night.day, book.zone(people.venues[row]))
        assert at is not None
        cause = f"day:{night.day}"
        changes.append(Change(changed[changed["person"] == row], cause, people.venues[row], at))
    store_changes(connection, tenant, book, people, context, changes, now)
    return len(some)
