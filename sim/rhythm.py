"""Who comes on which day: each person's own rhythm, and the household members who go along.

Urges come as a Poisson process whose rate follows the calendar; every k-th urge of a person is a visit, k the person's
regularity. Counted in urges the gaps are gamma of shape k; over people with gamma rates the counts are the condensed
negative binomial. The urges of four weeks are drawn together: how many there are, then the day of each.

Source: Chatfield and Goodhardt, "A consumer purchasing model with Erlang inter-purchase times", 1973; Reutterer,
Platzer, Schroeder, "Leveraging purchase regularity for predicting customer behavior the easy way", 2020. Where we
differ: people pause in spells of whole blocks and come back, instead of dropping out for good.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.chance import F64, I64, poisson, stream_key, uniform
from sim.dates import Calendar, days_of
from sim.people import Population

_PHASE, _URGES, _DAY_OF_URGE, _SPELL, _JOIN = range(100, 105)

_DAYS_A_YEAR = 364

OWN, JOINED, BROUGHT_BACK = range(3)
"""Why somebody is there: their own rhythm, a household member's, a card shown on an earlier day."""


@dataclass(frozen=True)
class OwnVisits:
    """The visits of one block that people make by their own rhythm, by day, then by person.

    ``urges`` is how many urges each person has had by the block's end, from which the next block goes on.
    """

    block: int
    day: I64
    person: I64
    urges: I64

    def on(self, day: int) -> I64:
        """Who comes on one day, ascending."""
        first, last = np.searchsorted(self.day, [day, day + 1])
        return self.person[first:last]


@dataclass(frozen=True)
class Attendance:
    """Everybody who comes on a day, household by household; ``why`` is ``OWN``, ``JOINED`` or ``BROUGHT_BACK``."""

    day: int
    person: I64
    why: NDArray[np.int8]


def is_lapsed(people: Population, block: int) -> NDArray[np.bool_]:
    """Whether each person pauses in this block."""
    spell = (block + people.spell_offset.astype(np.int64)) // people.spell_blocks
    key = stream_key(people.seed, _SPELL)
    lapsed: NDArray[np.bool_] = uniform(key, np.arange(len(people)), spell) < people.spec.lapsed
    return lapsed


def draw_own_visits(people: Population, calendar: Calendar, block: int, *, known: OwnVisits | None = None) -> OwnVisits:
    """The visits of a block; the cost is the block's and a cheap pass over each block before it.

    Args:
        known: an earlier block of the same people, to begin the passes from; the result is the same without.
    """
    order = people.regularity.astype(np.int64)
    if known is None or known.block >= block:
        phase = uniform(stream_key(people.seed, _PHASE), np.arange(len(people)))
        first, urges_before = 0, np.floor(phase * order).astype(np.int64)
    else:
        first, urges_before = known.block + 1, known.urges
    for earlier in range(first, block):
        urges_before = urges_before + _count_urges(people, calendar, earlier)
    n_urges = _count_urges(people, calendar, block)
    person = np.repeat(np.arange(len(people)), n_urges)
    number = np.arange(len(person)) - np.repeat(np.cumsum(n_urges) - n_urges, n_urges)
    day = _draw_days(people, calendar, block, person, number)
    by_time = np.lexsort((day, person))
    day = day[by_time]  # the number-th urge of the person is now the number-th in time
    is_visit = (urges_before[person] + number + 1) % order[person] == 0
    day, person = day[is_visit], person[is_visit]
    is_first = np.ones(len(day), dtype=np.bool_)
    is_first[1:] = (day[1:] != day[:-1]) | (person[1:] != person[:-1])
    day, person = day[is_first], person[is_first]
    by_day = np.lexsort((person, day))
    return OwnVisits(block, day[by_day], person[by_day], urges_before + n_urges)


def _block_weight(calendar: Calendar, block: int) -> F64:
    """(3, n_days) running sums of the calendar's weights."""
    return np.cumsum(calendar.weights(days_of(block)), axis=1)


def _count_urges(people: Population, calendar: Calendar, block: int) -> I64:
    """How many urges each person has in a block."""
    weight = _block_weight(calendar, block)[people.week.astype(np.int64), -1]
    mean = np.where(is_lapsed(people, block), 0.0, people.rate * people.regularity * weight)
    return poisson(uniform(stream_key(people.seed, _URGES), np.arange(len(people)), block), mean)


def _draw_days(people: Population, calendar: Calendar, block: int, person: I64, number: I64) -> I64:
    """The day of each urge, as likely as the day's weight."""
    chance = uniform(stream_key(people.seed, _DAY_OF_URGE), person, block, number)
    running = _block_weight(calendar, block)
    day = np.empty(len(person), dtype=np.int64)
    week = people.week[person]
    for kind, sums in enumerate(running):
        rows = week == kind
        day[rows] = np.searchsorted(sums, chance[rows] * sums[-1], side="right")
    found: I64 = days_of(block)[np.minimum(day, running.shape[1] - 1)]
    return found


def gather(people: Population, calendar: Calendar, day: int, own: I64, brought_back: I64 | None = None) -> Attendance:
    """The day's people: those who come by themselves, and who of their households goes along.

    Args:
        own: people by their own rhythm, ascending.
        brought_back: people whom an earlier card brings, ascending.
    """
    extra = np.empty(0, dtype=np.int64) if brought_back is None else np.setdiff1d(brought_back, own)
    house = np.unique(people.household[np.concatenate([own, extra])])
    size = people.first_of[house + 1] - people.first_of[house]
    rank = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    person = np.repeat(people.first_of[house], size) + rank
    chance = uniform(stream_key(people.seed, _JOIN), person, day)
    why = np.where(chance < people.spec.joins[int(calendar.is_day_off(day))], JOINED, -1)
    anyway = (why == JOINED) & np.isin(people.household[person], people.household[own])
    is_extra = np.isin(person, extra) & ~anyway
    why[is_extra] = BROUGHT_BACK
    why[np.searchsorted(person, own)] = OWN
    comes = why >= 0
    return Attendance(day, person[comes], why[comes].astype(np.int8))


def mean_visits_a_day(people: Population, calendar: Calendar) -> float:
    """How many of these people are in the mall on a mean day of the calendar's first year, but for what cards bring."""
    days = np.arange(_DAYS_A_YEAR)
    is_off = [calendar.is_day_off(int(day)) for day in days]
    kinds, n_days = np.unique(np.vstack([calendar.weights(days), is_off]), axis=1, return_counts=True)
    total = 0.0
    for kind, n in zip(kinds.T, n_days.tolist(), strict=True):
        comes = _chance_of_a_visit(people, kind[:-1][people.week.astype(np.int64)])
        joins = people.spec.joins[int(kind[-1])]
        nobody = np.multiply.reduceat(1.0 - comes, people.first_of[:-1])[people.household]
        others = 1.0 - nobody / (1.0 - comes)
        total += n * float((comes + (1.0 - comes) * joins * others).sum())
    return total / len(days)


def _chance_of_a_visit(people: Population, weight: F64) -> F64:
    """Each person's chance of a day of this weight: that of the day's urges one is the k-th since the last visit."""
    order = people.regularity.astype(np.int64)
    mean = people.rate * order * weight
    none = np.zeros(len(people))
    likely = np.exp(-mean)
    for n in range(int(order.max())):
        none += likely * np.maximum(0.0, 1.0 - n / order)
        likely = likely * mean / (n + 1)
    return (1.0 - people.spec.lapsed) * (1.0 - none)
