"""What the groups of a day mean to do: when they come, which stores they go to, in which order, and how long.

A plan is a draw of wishes with replacement, each from a random member's taste, so that the chance of any store being
in it has a closed form (``Wishes.chance_of``): the baseline that a card's effect is measured from.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from sim.brands import CATEGORIES
from sim.chance import F64, I64, poisson, stream_key, uniform
from sim.people import Population
from sim.rhythm import Attendance
from sim.stores import Stores
from sim.visit_spec import VisitSpec

_HOUR, _MINUTE, _STORES, _WHOSE, _CATEGORY, _LOYAL, _STORE, _STAY, _BUYS, _DOORS, _CAR, _BAY = range(300, 312)


@dataclass(frozen=True)
class Groups:
    """The day's people as groups that walk together: a household's members who are there.

    Attributes:
        first_of: (n_groups + 1,) rows of ``person`` by group.
        person: who, group by group.
        lag_s: how far each person walks behind the first of the group.
        arrives_s: (n_groups,) of the first, seconds since opening.
        entrance, leaves_by: (n_groups,) destinations: doors to the street, or a bay of the car park.
    """

    day: int
    first_of: I64
    person: I64
    why: NDArray[np.int8]
    lag_s: F64
    household: I64
    arrives_s: F64
    entrance: I64
    leaves_by: I64

    def __len__(self) -> int:
        return len(self.household)

    @property
    def size(self) -> I64:
        return np.diff(self.first_of)

    @property
    def group(self) -> I64:
        """The group of each row."""
        return np.repeat(np.arange(len(self)), self.size)


def make_groups(people: Population, stores: Stores, spec: VisitSpec, there: Attendance, is_day_off: bool) -> Groups:
    """Group a day's people and draw when and where they come in."""
    household, first = np.unique(people.household[there.person], return_index=True)
    hours = np.array(spec.arrivals_off if is_day_off else spec.arrivals_working, dtype=np.float64)
    sums = np.cumsum(hours) / hours.sum()
    slot = np.searchsorted(sums, uniform(stream_key(people.seed, _HOUR), household, there.day), side="right")
    within = uniform(stream_key(people.seed, _MINUTE), household, there.day)
    span_s = max(stores.open_s - spec.last_arrival_s, 60.0)
    doors = uniform(stream_key(people.seed, _DOORS), household[:, None], there.day, np.arange(2))
    door = stores.n_stores + (doors * stores.n_entrances).astype(np.int64)
    if stores.n_bays:  # a car waits in one bay
        by_car = uniform(stream_key(people.seed, _CAR), household) < spec.by_car
        bay = (uniform(stream_key(people.seed, _BAY), household, there.day) * stores.n_bays).astype(np.int64)
        door = np.where(by_car[:, None], (stores.n_stores + stores.n_entrances + bay)[:, None], door)
    first_of = np.append(first, len(there.person)).astype(np.int64)
    behind = np.arange(len(there.person)) - np.repeat(first, np.diff(first_of))
    return Groups(
        day=there.day,
        first_of=first_of,
        person=there.person,
        why=there.why,
        lag_s=behind * np.float64(spec.follow_s),
        household=household,
        arrives_s=(slot + within) / len(hours) * span_s,
        entrance=door[:, 0],
        leaves_by=door[:, 1],
    )


@dataclass(frozen=True)
class Wishes:
    """Which stores each group wants; ``group`` and ``store`` are one a wish, none twice in a group."""

    people: Population
    stores: Stores
    spec: VisitSpec
    groups: Groups
    group: I64
    store: I64

    def chance_of(self, group: I64, store: int) -> F64:
        """The chance that a store is among the wishes of each of some groups; over the draws of wishes alone."""
        groups, stores = self.groups, self.stores
        size = groups.size[group]
        at = np.repeat(np.arange(len(group)), size)
        row = np.repeat(groups.first_of[group], size) + np.arange(len(at)) - np.repeat(np.cumsum(size) - size, size)
        who = groups.person[row]
        wanted = _category_weights(self.people, stores, self.spec, groups.arrives_s[group[at]], who)
        category = int(stores.category[store])
        brand, brand_share = stores.brand[store], stores.brand_share
        favourite = self.people.favourite_brand(who, np.full(len(who), category))
        loyal = np.where(brand_share[favourite] > 0, self.people.loyalty[who], 0.0)
        of_brand = stores.share[store] / brand_share[brand]
        inside = loyal * (favourite == brand) * of_brand + (1.0 - loyal) * stores.share[store]
        each = wanted[:, category] / wanted.sum(axis=1) * inside
        wish = np.bincount(at, weights=each, minlength=len(group)) / size
        return _chance_of_any(wish, _most_stores(stores, self.spec, groups.arrives_s[group]), self.spec.more_stores)


def _most_stores(stores: Stores, spec: VisitSpec, arrives_s: F64) -> I64:
    left = np.floor((stores.open_s - arrives_s) / spec.stop_s).astype(np.int64)
    return np.clip(left, 1, spec.most_stores)


def _chance_of_any(wish: F64, most: I64, mean_more: float) -> F64:
    """1 - E[(1 - wish)^n] with n = min(1 + Poisson(mean_more), most)."""
    none = np.zeros(len(wish))
    left = np.ones(len(wish))
    for n in range(1, int(most.max(initial=1)) + 1):
        likely = math.exp(-mean_more) * mean_more ** (n - 1) / math.factorial(n - 1)
        likely_here = np.where(n < most, likely, np.where(n == most, left, 0.0))
        none += likely_here * (1.0 - wish) ** n
        left -= likely_here
    return 1.0 - none


def _category_weights(people: Population, stores: Stores, spec: VisitSpec, arrives_s: F64, person: I64) -> F64:
    """(n, n_categories) each person's taste, of what is here, at this hour."""
    weight = people.category_share(person) * stores.has_category
    hour = stores.opens_hour + arrives_s / 3_600.0
    eats = np.zeros(len(person), dtype=np.bool_)
    for start, end in spec.meals:
        eats |= (hour >= start) & (hour < end)
    weight[eats, CATEGORIES.index("restaurant")] *= spec.meal_pull
    return weight + 1e-9 * stores.has_category


def draw_wishes(people: Population, stores: Stores, spec: VisitSpec, groups: Groups) -> Wishes:
    """Draw each group's stores."""
    house, day = groups.household, groups.day
    more = poisson(uniform(stream_key(people.seed, _STORES), house, day), np.full(len(groups), spec.more_stores))
    n = np.minimum(1 + more, _most_stores(stores, spec, groups.arrives_s))
    group = np.repeat(np.arange(len(groups)), n)
    number = np.arange(len(group)) - np.repeat(np.cumsum(n) - n, n)
    whose_u, category_u, loyal_u, store_u = (
        uniform(stream_key(people.seed, stream), house[group], day, number)
        for stream in (_WHOSE, _CATEGORY, _LOYAL, _STORE)
    )
    whose = groups.first_of[group] + (whose_u * groups.size[group]).astype(np.int64)
    who = groups.person[whose]
    sums = np.cumsum(_category_weights(people, stores, spec, groups.arrives_s[group], who), axis=1)
    category = (sums <= (category_u * sums[:, -1])[:, None]).sum(axis=1)
    favourite = people.favourite_brand(who, category)
    is_loyal = (loyal_u < people.loyalty[who]) & (stores.brand_share[favourite] > 0)
    store = stores.draw_of_category(category, store_u)
    store[is_loyal] = stores.draw_of_brand(favourite[is_loyal], store_u[is_loyal])
    once = np.unique(group * stores.n_stores + store)
    return Wishes(people, stores, spec, groups, once // stores.n_stores, once % stores.n_stores)


@dataclass(frozen=True)
class Stops:
    """The stays of all groups in order of time, group by group.

    Attributes:
        first_of: (n_groups + 1,) stops by group.
        enters_s, leaves_s: from reaching the store's middle to leaving it.
        waits_s: of the stay, for a table or at the till.
        buys: whether the group pays here.
        gone_s: (n_groups,) when each group is out of the door.
    """

    first_of: I64
    group: I64
    store: I64
    enters_s: F64
    leaves_s: F64
    waits_s: F64
    buys: NDArray[np.bool_]
    gone_s: F64


def order_stops(stores: Stores, groups: Groups, group: I64, store: I64) -> tuple[I64, I64, I64, F64, F64]:
    """Sort each group's stores into a walk that goes to the nearest next.

    Args:
        group, store: one a wish; ``group`` ascending, no pair twice.

    Returns:
        First stop of each group (n_groups + 1), group and store by stop, the walk before each stop, the walk out.
    """
    n = np.bincount(group, minlength=len(groups))
    first_of = np.concatenate([[0], np.cumsum(n)]).astype(np.int64)
    wished = np.full((len(groups), int(n.max(initial=0))), -1, dtype=np.int64)
    wished[group, np.arange(len(group)) - first_of[group]] = store
    ordered, walk_s = np.empty_like(store), np.empty(len(store))
    here = groups.entrance.copy()
    for number in range(wished.shape[1]):
        rows = np.flatnonzero(n > number)
        way_s = np.where(wished[rows] >= 0, stores.walk_s[here[rows, None], wished[rows]], np.inf)
        nearest = way_s.argmin(axis=1)
        here[rows] = wished[rows, nearest]
        ordered[first_of[rows] + number] = here[rows]
        walk_s[first_of[rows] + number] = way_s[np.arange(len(rows)), nearest]
        wished[rows, nearest] = -1
    return first_of, group, ordered, walk_s, stores.walk_s[here, groups.leaves_by]


def draw_stays(stores: Stores, spec: VisitSpec, groups: Groups, group: I64, store: I64, seed: int) -> F64:
    """How long each stop lasts, lognormal by category; the same for the same household, day and store."""
    table = np.array([spec.stays_min.get(name, spec.other_stay_min) for name in CATEGORIES])[stores.category[store]]
    chance = uniform(stream_key(seed, _STAY), groups.household[group], groups.day, store)
    stay: F64 = 60.0 * table[:, 0] * np.exp(table[:, 1] * ndtri(np.maximum(chance, 1e-12)))
    return stay


def draw_buys(stores: Stores, spec: VisitSpec, groups: Groups, group: I64, store: I64, seed: int) -> NDArray[np.bool_]:
    """Whether each stop ends at the till."""
    likely = np.array([spec.purchases[name][0] for name in CATEGORIES])[stores.category[store]]
    chance = uniform(stream_key(seed, _BUYS), groups.household[group], groups.day, store)
    buys: NDArray[np.bool_] = chance < likely
    return buys
