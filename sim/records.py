"""A day's records: who was in the mall, in which stores, what they paid, and which cards they saw.

All times are seconds since opening. ``history.py`` makes the days; docs/simulation.md defines each column.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from sim.brands import CATEGORIES
from sim.cards import Sightings, together
from sim.chance import I64, stream_key, uniform
from sim.people import Population
from sim.plans import Groups, Stops, Wishes
from sim.stores import Stores
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
"""One person's visit to the mall; groups are numbered within the day, ``why`` is ``rhythm.OWN``, ``JOINED`` or
``BROUGHT_BACK``, entrances are destinations, ``lag_s`` is how far the person walks behind the group's first."""
STORE_VISIT = np.dtype(
    [("visit", "i4"), ("person", "i4"), ("store", "i4"), ("enters_s", "f8"), ("leaves_s", "f8"), ("waits_s", "f4")]
)
"""One person's stay in one store; ``visit`` is the row of the day's mall visits."""
PAYMENT = np.dtype(
    [("visit", "i4"), ("person", "i4"), ("store", "i4"), ("member", "i4"), ("at_s", "f8"), ("amount_minor", "i8")]
)
"""One payment of a group; ``member`` is the person under whose membership of the mall it stands, -1 for none."""
EXPOSURE = np.dtype(
    [
        ("visit", "i4"), ("person", "i4"), ("card", "i4"), ("store", "i4"), ("at_s", "f8"), ("is_shown", "?"),
        ("would_go", "?"), ("goes", "?"), ("chance_without", "f8"), ("chance_with", "f8"),
    ]
)  # fmt: skip
"""One card shown on one visit, or withheld from a held-out household. ``would_go`` is what the group had in mind,
``goes`` what it did; the chances are the true ones of being in the store without this card and with it, whatever
other cards do."""


@dataclass(frozen=True, slots=True)
class DayRecords:
    """A day as four tables; rows are by group, by person, by time."""

    day: int
    mall_visits: NDArray[np.void]
    store_visits: NDArray[np.void]
    payments: NDArray[np.void]
    exposures: NDArray[np.void]


def list_mall_visits(groups: Groups, stops: Stops) -> NDArray[np.void]:
    """One row a person."""
    group = groups.group
    visits = np.zeros(len(group), dtype=MALL_VISIT)
    visits["person"], visits["household"] = groups.person, groups.household[group]
    visits["group"], visits["why"], visits["lag_s"] = group, groups.why, groups.lag_s
    visits["arrives_s"] = groups.arrives_s[group] + groups.lag_s
    visits["leaves_s"] = stops.gone_s[group] + groups.lag_s
    visits["entrance"], visits["leaves_by"] = groups.entrance[group], groups.leaves_by[group]
    return visits


def list_store_visits(groups: Groups, stops: Stops) -> NDArray[np.void]:
    """One row a person and stop of the person's group."""
    group = groups.group
    n = np.diff(stops.first_of)[group]
    row = np.repeat(np.arange(len(group)), n)
    at = np.repeat(stops.first_of[group], n) + np.arange(len(row)) - np.repeat(np.cumsum(n) - n, n)
    stays = np.zeros(len(row), dtype=STORE_VISIT)
    lag_s = groups.lag_s[row]
    stays["visit"], stays["person"], stays["store"] = row, groups.person[row], stops.store[at]
    stays["enters_s"], stays["leaves_s"] = stops.enters_s[at] + lag_s, stops.leaves_s[at] + lag_s
    stays["waits_s"] = stops.waits_s[at]
    return stays


def list_payments(
    people: Population, stores: Stores, spec: VisitSpec, groups: Groups, stops: Stops
) -> NDArray[np.void]:
    """The oldest of a group pays, once a store, shortly before leaving it."""
    oldest = np.lexsort((-people.age_y[groups.person].astype(np.int64), groups.group))[groups.first_of[:-1]]
    at = np.flatnonzero(stops.buys)
    group, store = stops.group[at], stops.store[at]
    row = oldest[group]
    who, house = groups.person[row], groups.household[group]
    low_s, high_s = _PAYS_BEFORE_LEAVING_S
    before_s = low_s + (high_s - low_s) * uniform(stream_key(people.seed, _PAYS_AT), house, groups.day, store)
    payments = np.zeros(len(at), dtype=PAYMENT)
    payments["visit"], payments["person"], payments["store"], payments["member"] = row, who, store, people.member[who]
    inside_s = np.minimum(before_s, stops.leaves_s[at] - stops.enters_s[at])
    payments["at_s"] = stops.leaves_s[at] - inside_s + groups.lag_s[row]
    payments["amount_minor"] = baskets_minor(people, stores, spec, who, groups.size[group], groups.day, store)
    return payments


def baskets_minor(
    people: Population, stores: Stores, spec: VisitSpec, person: I64, group_size: I64, day: int, store: I64
) -> I64:
    """(n,) what each person pays who pays in a store on a day, in the currency's minor unit."""
    category = stores.category[store]
    median = np.array([spec.purchases[name][1] for name in CATEGORIES])[category] * people.spend[person]
    is_each = np.isin(category, [CATEGORIES.index(name) for name in spec.each_pays])
    median = median * np.where(is_each, group_size, 1)
    chance = uniform(stream_key(people.seed, _BASKET), people.household[person], day, store)
    amount = median * np.exp(spec.basket_sd * ndtri(np.maximum(chance, 1e-12)))
    found: I64 = np.maximum(1, np.rint(amount * _MINOR_UNITS)).astype(np.int64)
    return found


def list_exposures(wishes: Wishes, seen: Sequence[Sightings], stops: Stops) -> NDArray[np.void]:
    """One row a sighting, card by card."""
    groups, people, n_stores = wishes.groups, wishes.people, wishes.stores.n_stores
    wished, done = wishes.group * n_stores + wishes.store, stops.group * n_stores + stops.store
    tables = [np.zeros(0, dtype=EXPOSURE)]
    for sightings in seen:
        row, store = sightings.row, sightings.card.store_index
        group, person = groups.group[row], groups.person[row]
        table = np.zeros(len(row), dtype=EXPOSURE)
        table["visit"], table["person"] = row, person
        table["card"], table["store"], table["is_shown"] = sightings.card.number, store, sightings.is_shown
        table["at_s"] = groups.arrives_s[group] + groups.lag_s[row]
        table["would_go"] = np.isin(group * n_stores + store, wished)
        table["goes"] = np.isin(group * n_stores + store, done)
        without = wishes.chance_of(group, store)
        answer = together(people.answers_cards[person], group, len(groups))[group]
        table["chance_without"], table["chance_with"] = without, without + (1.0 - without) * answer
        tables.append(table)
    return np.concatenate(tables)
