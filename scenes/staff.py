"""Who works at a mall, told by hours and days at one store; used to leave them out, and for nothing else.

Staff are not shoppers: one cashier is three hundred hours of "visits" a month. They are not followed either: the
outcome is who is to be left out where and until when, and what told it is deleted (``runtime/staff.py``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from kernel.ids import PersonRef, StoreId, VenueId
from scenes.errors import RulesError
from scenes.record import EPOCH
from scenes.service_day import ServiceDays

Staff: TypeAlias = dict[tuple[PersonRef, VenueId], datetime]
"""Who is left out at which venue, and until when."""


@dataclass(frozen=True, slots=True)
class StaffRule:
    """When somebody is staff of a venue.

    Args:
        long_day: at one store within a service day, all visits there together; the longest any shopper stays is a meal
            and a film, the shortest shift is half a day. Time that the phone was not heard inside is not counted, so a
            shift of four hours is often missed.
        days: long days at the same store. One is a birthday at the bowling alley, two are an exhibition.
        window: within which they lie, and for which somebody is left out after the last of them: two weeks hold three
            shifts of who works two days a week, and end a left job or a season soon.
    """

    long_day: timedelta = timedelta(hours=4)
    days: int = 3
    window: timedelta = timedelta(days=14)

    def __post_init__(self) -> None:
        if not timedelta(0) < self.long_day <= timedelta(days=1):
            raise RulesError(f"expected a long day of up to 24 hours, found {self.long_day}")
        if not 1 <= self.days <= self.window // timedelta(days=1):
            raise RulesError(f"expected 1 to {self.window // timedelta(days=1)} days, found {self.days}")


@dataclass(frozen=True, slots=True)
class StoreStay:
    """A closed visit at a store."""

    person: PersonRef
    venue_id: VenueId
    store_id: StoreId
    arrived_at: datetime
    last_inside_at: datetime


def find_staff(
    stays: Iterable[StoreStay],
    known: Mapping[tuple[PersonRef, VenueId], datetime],
    now: datetime,
    days: ServiceDays,
    rule: StaffRule,
) -> Staff:
    """Who is to be left out from now on: newly found, and known with their time not yet over.

    One long day more is enough to go on for who is known: the days before it were deleted.

    Args:
        known: what the last call gave. No argument changes, but that ``days`` remembers.
    """
    inside: dict[tuple[PersonRef, VenueId, StoreId], dict[int, timedelta]] = {}
    for stay in stays:
        if stay.arrived_at < now - rule.window:
            continue
        of_day = inside.setdefault((stay.person, stay.venue_id, stay.store_id), {})
        day = days.base_min(stay.venue_id, stay.arrived_at)
        of_day[day] = of_day.get(day, timedelta(0)) + (stay.last_inside_at - stay.arrived_at)
    found = {who: until for who, until in known.items() if until > now}
    for (person, venue_id, _), of_day in inside.items():
        long = [day for day, stayed in of_day.items() if stayed >= rule.long_day]
        who = person, venue_id
        if len(long) >= (1 if who in found else rule.days):
            until = EPOCH + timedelta(minutes=max(long)) + rule.window
            found[who] = max(until, found.get(who, until))
    return found
