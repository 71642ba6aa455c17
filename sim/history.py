"""Days and months of a mall without scans: who came, in which stores they were, what they paid, which cards they saw.

Everything is drawn by counter from the seed, the people and the day, so that any day can be had alone, in any order,
on any worker. ``world.World.shoppers`` walks the same days with phones.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from sim.brands import CATEGORIES
from sim.cards import LONGEST_LAG_DAYS, CardPlan, Sightings, answers, brought_back, sight, together
from sim.chance import F64, I64, stream_key, uniform
from sim.dates import BLOCK_DAYS, Calendar, block_of
from sim.floor import Floor
from sim.people import Population
from sim.plans import Groups, Stops, Wishes, draw_buys, draw_stays, draw_wishes, make_groups, order_stops
from sim.queues import waits
from sim.rhythm import OwnVisits, draw_own_visits, gather
from sim.visit_spec import VisitSpec

_BASKET, _PAYS_AT = range(400, 402)
_PAYS_BEFORE_LEAVING_S = (5.0, 40.0)
_MINOR_UNITS = 100

MALL_VISIT = np.dtype(
    [
        ("person", "i4"), ("household", "i4"), ("group", "i4"), ("why", "i1"), ("arrives_s", "f8"),
        ("leaves_s", "f8"), ("entrance", "i4"), ("leaves_by", "i4"), ("lag_s", "f8"),
    ]
)  # fmt: skip
"""One person's visit to the mall; groups are numbered within the day, seconds are since opening, ``why`` is
``rhythm.OWN``, ``JOINED`` or ``BROUGHT_BACK``, ``lag_s`` is how far the person walks behind the group's first."""
STORE_VISIT = np.dtype(
    [("visit", "i4"), ("person", "i4"), ("store", "i4"), ("enters_s", "f8"), ("leaves_s", "f8"), ("waits_s", "f4")]
)
"""One person's stay in one store; ``visit`` is the row of the day's mall visits."""
PAYMENT = np.dtype(
    [("visit", "i4"), ("person", "i4"), ("store", "i4"), ("card", "i4"), ("at_s", "f8"), ("amount_minor", "i8")]
)
"""One payment of a group; ``card`` is the person under whose number the payer's loyalty card stands, -1 for none."""
EXPOSURE = np.dtype(
    [
        ("visit", "i4"), ("person", "i4"), ("card", "i4"), ("store", "i4"), ("at_s", "f8"), ("is_shown", "?"),
        ("would_go", "?"), ("goes", "?"), ("chance_without", "f8"), ("chance_with", "f8"),
    ]
)  # fmt: skip
"""One card shown on one visit, or withheld from a held-out household. ``would_go`` is what the group had in mind,
``goes`` what it did; the chances are the true ones of being in the store with and without the card."""


@dataclass(frozen=True)
class DayRecords:
    """A day as four tables: rows are by group, by person, by time."""

    day: int
    mall_visits: NDArray[np.void]
    store_visits: NDArray[np.void]
    payments: NDArray[np.void]
    exposures: NDArray[np.void]


@dataclass(frozen=True)
class History:
    """A population, a mall, and the rules of their days; holds no state of any day."""

    people: Population
    floor: Floor
    visit_spec: VisitSpec = field(default_factory=VisitSpec)
    calendar: Calendar = field(default_factory=Calendar)
    cards: tuple[CardPlan, ...] = ()

    def day(self, day: int) -> DayRecords:
        """One day alone; it costs the drawing of its block, and of the one before where cards may bring people."""
        return next(self.days(day, 1))

    def days(self, first_day: int, n_days: int) -> Iterator[DayRecords]:
        """Consecutive days, in order.

        Raises:
            ValueError: a day is before ``dates.EARLIEST_DAY``.
        """
        blocks: dict[int, OwnVisits] = {}
        came: dict[int, I64] = {}
        block_of(first_day)
        for day in range(first_day, first_day + n_days):
            back = np.empty(0, dtype=np.int64)
            if any(card.first_day < day <= card.first_day + card.n_days + LONGEST_LAG_DAYS for card in self.cards):
                for earlier in range(day - LONGEST_LAG_DAYS, day):
                    if earlier not in came and any(card.runs_on(earlier) for card in self.cards):
                        own = self._own(blocks, earlier)
                        came[earlier] = gather(self.people, self.calendar, earlier, own).person
                back = brought_back(self.people, self.cards, came, day)
                came.pop(day - LONGEST_LAG_DAYS, None)
            yield self._play(day, self._own(blocks, day), back)

    def _own(self, blocks: dict[int, OwnVisits], day: int) -> I64:
        """Who comes on a day by their own rhythm; the last two blocks drawn are kept."""
        block = block_of(day)
        if block not in blocks:
            blocks[block] = draw_own_visits(self.people, self.calendar, block)
            for old in [number for number in blocks if number < block - 1]:
                del blocks[old]
        return blocks[block].on(day)

    def _play(self, day: int, own: I64, back: I64) -> DayRecords:
        people, floor, spec = self.people, self.floor, self.visit_spec
        there = gather(people, self.calendar, day, own, back)
        groups = make_groups(people, floor, spec, there, self.calendar.is_day_off(day))
        wishes = draw_wishes(people, floor, spec, groups)
        seen = [sight(people, card, day, groups.person) for card in self.cards if card.runs_on(day)]
        group, store = _with_cards(people, wishes, seen)
        stops = _time_stops(people, floor, spec, groups, group, store)
        mall_visits = _mall_visits(spec, groups, stops)
        return DayRecords(
            day,
            mall_visits,
            _store_visits(groups, stops, mall_visits),
            _payments(people, floor, spec, groups, stops, mall_visits),
            _exposures(wishes, seen, stops, mall_visits),
        )


def play_days(history: History, first_day: int, n_days: int, *, workers: int = 1) -> Iterator[DayRecords]:
    """Consecutive days, in order, made on as many processes as told; the result does not hang on how many."""
    if workers < 2:
        yield from history.days(first_day, n_days)
        return
    ends = [first_day, *range(first_day + 1, first_day + n_days)]
    chunks: list[tuple[int, int]] = []
    for day in ends:  # a chunk ends with its block, which is drawn as a whole
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
    """The wishes, and the stores of the cards that a member of the group follows."""
    groups, n_stores = wishes.groups, wishes.floor.n_stores
    keys = [wishes.group * n_stores + wishes.store]
    for sightings in seen:
        row = sightings.row[answers(people, sightings, groups.day, groups.person)]
        keys.append(groups.group[row] * n_stores + sightings.card.store_index)
    every = np.unique(np.concatenate(keys))
    return every // n_stores, every % n_stores


def _time_stops(people: Population, floor: Floor, spec: VisitSpec, groups: Groups, group: I64, store: I64) -> Stops:
    """When each group is where: walks, waits and stays one after the other, hurried where the mall closes.

    Waits follow from the load as it would be if nobody waited.
    """
    first_of, group, store, walk_s, out_s = order_stops(floor, groups, group, store)
    stay_s = draw_stays(people, floor, spec, groups, group, store)
    buys = draw_buys(people, floor, spec, groups, group, store)
    enters_s, _ = _one_after_another(groups, first_of, group, walk_s, stay_s)
    for_table_s, at_till_s = waits(spec.queues, floor.category, floor.area_m2, store, enters_s, stay_s, buys)
    wait_s = for_table_s + at_till_s
    n = np.diff(first_of)
    inside_s = np.bincount(group, weights=stay_s + wait_s, minlength=len(groups))
    walking_s = np.bincount(group, weights=walk_s, minlength=len(groups)) + out_s
    left_s = floor.open_s - groups.arrives_s - walking_s
    hurry = np.minimum(1.0, np.maximum(left_s, n * spec.shortest_s) / inside_s)[group]
    enters_s, leaves_s = _one_after_another(groups, first_of, group, walk_s, (stay_s + wait_s) * hurry)
    return Stops(first_of, group, store, enters_s, leaves_s, wait_s * hurry, buys, leaves_s[first_of[1:] - 1] + out_s)


def _one_after_another(groups: Groups, first_of: I64, group: I64, walk_s: F64, inside_s: F64) -> tuple[F64, F64]:
    """Enter and leave each stop. Summed by group, stop by stop: a day's numbers do not hang on who else is there."""
    enters_s, leaves_s = np.empty(len(group)), np.empty(len(group))
    n = np.diff(first_of)
    now_s = groups.arrives_s.copy()
    for number in range(int(n.max(initial=0))):
        rows = np.flatnonzero(n > number)
        at = first_of[rows] + number
        enters_s[at] = now_s[rows] + walk_s[at]
        leaves_s[at] = enters_s[at] + inside_s[at]
        now_s[rows] = leaves_s[at]
    return enters_s, leaves_s


def _mall_visits(spec: VisitSpec, groups: Groups, stops: Stops) -> NDArray[np.void]:
    group = groups.group
    visits = np.zeros(len(group), dtype=MALL_VISIT)
    lag_s = spec.follow_s * (np.arange(len(group)) - groups.first_of[group])
    visits["person"], visits["household"] = groups.person, groups.household[group]
    visits["group"], visits["why"], visits["lag_s"] = group, groups.why, lag_s
    visits["arrives_s"] = groups.arrives_s[group] + lag_s
    visits["leaves_s"] = stops.gone_s[group] + lag_s
    visits["entrance"], visits["leaves_by"] = groups.entrance[group], groups.leaves_by[group]
    return visits


def _store_visits(groups: Groups, stops: Stops, mall_visits: NDArray[np.void]) -> NDArray[np.void]:
    group = groups.group
    n = np.diff(stops.first_of)[group]
    row = np.repeat(np.arange(len(group)), n)
    at = np.repeat(stops.first_of[group], n) + np.arange(len(row)) - np.repeat(np.cumsum(n) - n, n)
    stays = np.zeros(len(row), dtype=STORE_VISIT)
    lag_s = mall_visits["lag_s"][row]
    stays["visit"], stays["person"], stays["store"] = row, groups.person[row], stops.store[at]
    stays["enters_s"], stays["leaves_s"] = stops.enters_s[at] + lag_s, stops.leaves_s[at] + lag_s
    stays["waits_s"] = stops.waits_s[at]
    return stays


def _payments(
    people: Population, floor: Floor, spec: VisitSpec, groups: Groups, stops: Stops, mall_visits: NDArray[np.void]
) -> NDArray[np.void]:
    """The oldest of a group pays, once a store, shortly before leaving it."""
    oldest = np.lexsort((-people.age_y[groups.person].astype(np.int64), groups.group))[groups.first_of[:-1]]
    at = np.flatnonzero(stops.buys)
    group, store = stops.group[at], stops.store[at]
    row = oldest[group]
    who, house = groups.person[row], groups.household[group]
    category = floor.category[store]
    median = np.array([spec.purchases[name][1] for name in CATEGORIES])[category] * people.spend[who]
    median = median * np.where(category == CATEGORIES.index("restaurant"), groups.size[group], 1)
    chance = uniform(stream_key(people.seed, _BASKET), house, groups.day, store)
    amount = median * np.exp(spec.basket_sd * ndtri(np.maximum(chance, 1e-12)))
    low_s, high_s = _PAYS_BEFORE_LEAVING_S
    before_s = low_s + (high_s - low_s) * uniform(stream_key(people.seed, _PAYS_AT), house, groups.day, store)
    payments = np.zeros(len(at), dtype=PAYMENT)
    payments["visit"], payments["person"], payments["store"], payments["card"] = row, who, store, people.card[who]
    inside_s = np.minimum(before_s, stops.leaves_s[at] - stops.enters_s[at])
    payments["at_s"] = stops.leaves_s[at] - inside_s + mall_visits["lag_s"][row]
    payments["amount_minor"] = np.maximum(1, np.rint(amount * _MINOR_UNITS)).astype(np.int64)
    return payments


def _exposures(
    wishes: Wishes, seen: Sequence[Sightings], stops: Stops, mall_visits: NDArray[np.void]
) -> NDArray[np.void]:
    groups, people, n_stores = wishes.groups, wishes.people, wishes.floor.n_stores
    wished, done = wishes.group * n_stores + wishes.store, stops.group * n_stores + stops.store
    tables = [np.zeros(0, dtype=EXPOSURE)]
    for sightings in seen:
        row, card = sightings.row, sightings.card
        group = groups.group[row]
        table = np.zeros(len(row), dtype=EXPOSURE)
        table["visit"], table["person"], table["card"], table["store"] = row, groups.person[row], card.number, card.store_index
        table["at_s"], table["is_shown"] = mall_visits["arrives_s"][row], sightings.is_shown
        table["would_go"] = np.isin(group * n_stores + card.store_index, wished)
        table["goes"] = np.isin(group * n_stores + card.store_index, done)
        without = wishes.chance_of(group, card.store_index)
        answer = together(people.answers_cards[groups.person[row]], group, len(groups))[group]
        table["chance_without"], table["chance_with"] = without, without + (1.0 - without) * answer
        tables.append(table)
    return np.concatenate(tables)
