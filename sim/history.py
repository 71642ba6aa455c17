"""Days and months of a mall without scans: who came, in which stores they were, what they paid, which cards they saw.

Everything is drawn by counter from the seed, the people and the day, so that any day can be had alone, in any order,
on any worker. ``world.World.shoppers`` walks the same days with phones.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import numpy as np

from sim.cards import LONGEST_LAG_DAYS, CardPlan, Sightings, answers, sight, who_returns
from sim.chance import F64, I64
from sim.dates import BLOCK_DAYS, Calendar, block_of
from sim.people import Population
from sim.plans import Groups, Stops, Wishes, draw_buys, draw_stays, draw_wishes, make_groups, order_stops
from sim.queues import waits
from sim.records import DayRecords, list_exposures, list_mall_visits, list_payments, list_store_visits
from sim.rhythm import OwnVisits, draw_own_visits, gather
from sim.stores import Stores
from sim.visit_spec import VisitSpec


@dataclass(frozen=True, slots=True)
class History:
    """A population, a mall, and the rules of their days; holds no state of any day."""

    people: Population
    stores: Stores
    visit_spec: VisitSpec = field(default_factory=VisitSpec)
    calendar: Calendar = field(default_factory=Calendar)
    cards: tuple[CardPlan, ...] = ()

    def day(self, day: int) -> DayRecords:
        """One day alone; it costs the drawing of its block, and of the one before where cards may bring people."""
        return next(self.days(day, 1))

    def days(self, first_day: int, n_days: int) -> Iterator[DayRecords]:
        """Consecutive days, in order.

        Raises:
            ValueError: a day is before ``dates.EARLIEST_DAY``, or a card runs before it.
        """
        blocks: dict[int, OwnVisits] = {}
        due: dict[int, list[I64]] = {}
        for day in range(first_day, first_day + n_days):
            for earlier in range(day - (LONGEST_LAG_DAYS if day == first_day else 1), day):
                if any(card.runs_on(earlier) for card in self.cards):
                    came = gather(self.people, self.calendar, earlier, self._own(blocks, earlier)).person
                    who, on = who_returns(self.people, self.cards, earlier, came)
                    for later in range(day, earlier + LONGEST_LAG_DAYS + 1):
                        due.setdefault(later, []).append(who[on == later])
            back = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *due.pop(day, [])]))
            yield self._play(day, self._own(blocks, day), back)

    def _own(self, blocks: dict[int, OwnVisits], day: int) -> I64:
        """Who comes on a day by their own rhythm; a drawn block and the one before are kept."""
        block = block_of(day)
        if block not in blocks:
            known = blocks.get(block - 1)
            blocks[block] = draw_own_visits(self.people, self.calendar, block, known=known)
            for old in [number for number in blocks if number < block - 1]:
                del blocks[old]
        return blocks[block].on(day)

    def _play(self, day: int, own: I64, back: I64) -> DayRecords:
        people, stores, spec = self.people, self.stores, self.visit_spec
        there = gather(people, self.calendar, day, own, back)
        groups = make_groups(people, stores, spec, there, self.calendar.is_day_off(day))
        wishes = draw_wishes(people, stores, spec, groups)
        seen = [sight(people, card, day, groups.person) for card in self.cards if card.runs_on(day)]
        group, store = _with_cards(people, wishes, seen)
        stops = _time_stops(people, stores, spec, groups, group, store)
        return DayRecords(
            day,
            list_mall_visits(groups, stops),
            list_store_visits(groups, stops),
            list_payments(people, stores, spec, groups, stops),
            list_exposures(wishes, seen, stops),
        )


def play_days(history: History, first_day: int, n_days: int, *, workers: int = 1) -> Iterator[DayRecords]:
    """Consecutive days, in order, made on as many processes as told; the result does not hang on how many."""
    if workers < 2:
        yield from history.days(first_day, n_days)
        return
    chunks: list[tuple[int, int]] = []
    for day in range(first_day, first_day + n_days):  # a chunk ends with its block, which is drawn as a whole
        if chunks and block_of(chunks[-1][0]) == block_of(day) and chunks[-1][1] < -(-BLOCK_DAYS // workers):
            chunks[-1] = (chunks[-1][0], chunks[-1][1] + 1)
        else:
            chunks.append((day, 1))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for days in pool.map(_play_chunk, [history] * len(chunks), chunks):
            yield from days


def _play_chunk(history: History, chunk: tuple[int, int]) -> list[DayRecords]:
    return list(history.days(*chunk))


def _with_cards(people: Population, wishes: Wishes, seen: Sequence[Sightings]) -> tuple[I64, I64]:
    """Groups and stores, a row a stop to come: the wishes, and the stores of the cards that a member follows."""
    groups, n_stores = wishes.groups, wishes.stores.n_stores
    keys = [wishes.group * n_stores + wishes.store]
    for sightings in seen:
        row = sightings.row[answers(people, sightings, groups.day, groups.person)]
        keys.append(groups.group[row] * n_stores + sightings.card.store_index)
    every = np.unique(np.concatenate(keys))
    return every // n_stores, every % n_stores


def _time_stops(people: Population, stores: Stores, spec: VisitSpec, groups: Groups, group: I64, store: I64) -> Stops:
    """When each group is where: walks, waits and stays one after the other, hurried where the mall closes.

    Waits follow from the load as it would be if nobody waited.
    """
    first_of, group, store, walk_s, out_s = order_stops(stores, groups, group, store)
    stay_s = draw_stays(stores, spec, groups, group, store, people.seed)
    buys = draw_buys(stores, spec, groups, group, store, people.seed)
    enters_s, _ = _one_after_another(groups, first_of, walk_s, stay_s)
    for_table_s, at_till_s = waits(spec.queues, stores.category, stores.area_m2, store, enters_s, stay_s, buys)
    wait_s = for_table_s + at_till_s
    n = np.diff(first_of)
    inside_s = np.bincount(group, weights=stay_s + wait_s, minlength=len(groups))
    walking_s = np.bincount(group, weights=walk_s, minlength=len(groups)) + out_s
    last_lag_s = groups.lag_s[groups.first_of[1:] - 1]
    left_s = stores.open_s - groups.arrives_s - walking_s - last_lag_s
    hurry = np.minimum(1.0, np.maximum(left_s, n * spec.shortest_s) / inside_s)[group]
    enters_s, leaves_s = _one_after_another(groups, first_of, walk_s, (stay_s + wait_s) * hurry)
    return Stops(first_of, group, store, enters_s, leaves_s, wait_s * hurry, buys, leaves_s[first_of[1:] - 1] + out_s)


def _one_after_another(groups: Groups, first_of: I64, walk_s: F64, inside_s: F64) -> tuple[F64, F64]:
    """Enter and leave each stop; summed group by group, so that a group's bytes do not hang on which others come."""
    enters_s, leaves_s = np.empty(len(walk_s)), np.empty(len(walk_s))
    n = np.diff(first_of)
    now_s = groups.arrives_s.copy()
    for number in range(int(n.max(initial=0))):
        rows = np.flatnonzero(n > number)
        at = first_of[rows] + number
        enters_s[at] = now_s[rows] + walk_s[at]
        leaves_s[at] = enters_s[at] + inside_s[at]
        now_s[rows] = leaves_s[at]
    return enters_s, leaves_s
