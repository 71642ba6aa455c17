"""Cards in a history: who is shown one, who is held out, and what it truly does to them.

A card acts in two ways, each with a chance that stands with the person (``Population``): someone who would not have
gone to its store on this visit goes, and a visit to the mall comes within two weeks that would not have come. Visits
that a card brought bring no further ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.chance import F64, I64, stream_key, uniform
from sim.people import Population

_SHOWN, _HELD_OUT, _RETURNS, _LAG, _GOES = range(200, 205)
LONGEST_LAG_DAYS = 14
"""A brought-back visit comes 1 to 14 days later, each as likely; ours."""


@dataclass(frozen=True, slots=True)
class CardPlan:
    """A card for one store, shown to people when they come into the mall.

    Args:
        number: tells cards apart; part of all their chances.
        shown: chance that somebody who takes cards sees it on one visit.
        held_out: share of households that get nothing, so that the rest can be compared with them.
    """

    number: int
    store_index: int
    first_day: int
    n_days: int
    shown: float = 0.5
    held_out: float = 0.5

    def runs_on(self, day: int) -> bool:
        return self.first_day <= day < self.first_day + self.n_days


@dataclass(frozen=True)
class Sightings:
    """Whom a card's trigger picks on a day: rows of the day's people, and whether the card is truly shown."""

    card: CardPlan
    row: I64
    is_shown: NDArray[np.bool_]


def sight(people: Population, card: CardPlan, day: int, person: I64) -> Sightings:
    """Who of the day's people sees a card, or would if their household were not held out."""
    rows = np.flatnonzero(people.takes_cards[person]) if card.runs_on(day) else np.empty(0, dtype=np.int64)
    chance = uniform(stream_key(people.seed, _SHOWN), person[rows], day, card.number)
    rows = rows[chance < card.shown]
    house = people.household[person[rows]]
    held_out = uniform(stream_key(people.seed, _HELD_OUT), house, card.number) < card.held_out
    return Sightings(card, rows, ~held_out)


def answers(people: Population, seen: Sightings, day: int, person: I64) -> NDArray[np.bool_]:
    """Whether each sighting makes its person go, if they would not have gone."""
    who = person[seen.row]
    chance = uniform(stream_key(people.seed, _GOES), who, day, seen.card.number)
    goes: NDArray[np.bool_] = seen.is_shown & (chance < people.answers_cards[who])
    return goes


def who_returns(people: Population, cards: Sequence[CardPlan], day: int, person: I64) -> tuple[I64, I64]:
    """Whom the cards shown on a day bring back, and on which later day each.

    Args:
        person: who came on the day by a rhythm of their own or their household's.
    """
    found, on = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for card in cards:
        seen = sight(people, card, day, person)
        who = person[seen.row[seen.is_shown]]
        who = who[uniform(stream_key(people.seed, _RETURNS), who, day, card.number) < people.returns_for_cards[who]]
        lag_u = uniform(stream_key(people.seed, _LAG), who, day, card.number)
        found.append(who)
        on.append(day + 1 + (lag_u * LONGEST_LAG_DAYS).astype(np.int64))
    return np.concatenate(found), np.concatenate(on)


def together(chance: F64, group: I64, n_groups: int) -> F64:
    """(n_groups,) the chance that at least one of a group's independent chances comes true."""
    none = np.bincount(group, weights=np.log1p(-np.minimum(chance, 1.0 - 1e-12)), minlength=n_groups)
    return np.asarray(-np.expm1(none), dtype=np.float64)
