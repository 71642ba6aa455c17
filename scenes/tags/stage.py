"""Decision stages: the model's parameters, and the belief about one category of each person.

Contemplating: repeated passes. Preparing: long visits, or visits to several stores. Buying: about to, or a purchase
today. After: some weeks from a purchase on. Most people want nothing of most categories: none.

The model is a hidden-Markov chain with daily steps, durations of two steps (Erlang), whose evidence is independent
given the stage (naive Bayes).
Source: Rabiner, "A tutorial on hidden Markov models", 1989; the stages follow Engel, Kollat, Blackwell, "Consumer
behavior", 1968 (need, search, purchase, after it). Where we differ: days without a visit to the mall say nothing.
"""

from dataclasses import dataclass

import numpy as np

from scenes.tags.kernels.layout import F64, I64
from scenes.tags.kernels.stage import MOST_DAYS_BETWEEN, N_HIDDEN, N_STAGES, believe_each
from scenes.tags.names import STAGES
from scenes.tags.record import TagStates, check_people


@dataclass(frozen=True, slots=True)
class StageModel:
    """Parameters: rounded means over 16 worlds (seeds 200 to 215) that no figure is quoted of.

    Args:
        mean_days: how long contemplating, preparing, buying and after last.
        start_days: mean days until somebody who wants nothing begins to.
        give_up: share of the contemplating and of the preparing who then want nothing; the others go on.
        passes, short_visits, long_visits: mean number on a day in the mall, by stage from none to after.
        compares: chance of two visits or more on a day, by stage; merged visits make these two stores, mostly.
        buys: chance that a purchase is seen on a day in the mall, by stage.
        prior: before the first evidence of a category, by stage.
    """

    mean_days: tuple[float, float, float, float] = (35.0, 18.0, 7.0, 32.0)
    start_days: float = 80.0
    give_up: tuple[float, float] = (0.35, 0.2)
    passes: tuple[float, ...] = (0.3, 1.6, 0.9, 0.4, 0.3)
    short_visits: tuple[float, ...] = (0.09, 0.28, 0.7, 0.5, 0.16)
    long_visits: tuple[float, ...] = (0.015, 0.035, 1.15, 0.67, 0.02)
    compares: tuple[float, ...] = (0.005, 0.055, 0.5, 0.5, 0.013)
    buys: tuple[float, ...] = (0.002, 0.003, 0.01, 0.6, 0.002)
    prior: tuple[float, ...] = (0.7, 0.2, 0.06, 0.02, 0.02)

    def __post_init__(self) -> None:
        tables = (self.passes, self.short_visits, self.long_visits, self.compares, self.buys, self.prior)
        if any(len(table) != N_STAGES or min(table) <= 0.0 for table in tables):
            raise ValueError(f"expected {N_STAGES} numbers over 0 in each table, one a stage")
        if max(*self.compares, *self.buys, *self.give_up) >= 1.0 or min(*self.mean_days, self.start_days) < 1.0:
            raise ValueError("expected chances under 1 and durations of a day or more")

    def daily(self) -> F64:
        """(8, 8) chance of each state a day later: none, contemplating twice, preparing twice, buying, after twice."""
        first, second, third, last = self.mean_days
        leave = 1.0 / np.array(
            [self.start_days, first / 2, first / 2, second / 2, second / 2, third, last / 2, last / 2]
        )
        leave = np.minimum(leave, 1.0)
        towards = np.zeros((N_HIDDEN, N_HIDDEN))
        for state, following in ((0, 1), (1, 2), (3, 4), (5, 6), (6, 7), (7, 0)):
            towards[state, following] = 1.0
        towards[2, [0, 3]] = self.give_up[0], 1.0 - self.give_up[0]
        towards[4, [0, 5]] = self.give_up[1], 1.0 - self.give_up[1]
        chances: F64 = np.diag(1.0 - leave) + leave[:, None] * towards
        return chances

    def tables(self) -> "StageTables":
        """The model as the kernels take it; some milliseconds, so it is made once."""
        later = np.empty((MOST_DAYS_BETWEEN + 1, N_HIDDEN, N_HIDDEN))
        later[0], daily = np.eye(N_HIDDEN), self.daily()
        for days in range(1, len(later)):
            later[days] = later[days - 1] @ daily
        chance = np.ones((5, N_STAGES, N_STAGES))
        for kind, means in enumerate((self.passes, self.short_visits, self.long_visits)):
            for count in range(5):  # a Poisson chance up to what is the same for all stages
                chance[kind, count] = np.array(means) ** count * np.exp(-np.array(means))
        for kind, coin in ((3, self.compares), (4, self.buys)):
            chance[kind, 0], chance[kind, 1] = 1.0 - np.array(coin), coin
        none, first, second, third, last = np.array(self.prior) / sum(self.prior)
        prior = np.array([none, first / 2, first / 2, second / 2, second / 2, third, last / 2, last / 2])
        return StageTables(later, prior, chance)


@dataclass(frozen=True, slots=True)
class StageTables:
    """A model's arrays: see ``kernels.stage.filter_stage``."""

    later: F64
    prior: F64
    chance: F64


def stages_of(states: TagStates, person: I64, category: I64, day: int, tables: StageTables) -> F64:
    """(n, 5) how likely each stage of ``names.STAGES`` is at the end of a day; nothing known: certainly none.

    Args:
        person, category: (n,) whose stage, and of what.
        day: days since 1970; evidence of later days is not looked at.
    """
    if len(person) != len(category):
        raise ValueError(f"expected as many categories as people, found {len(category)} and {len(person)}")
    check_people(states, person)
    belief = np.zeros((len(person), len(STAGES)))
    believe_each(
        states.words,
        person.astype(np.int64),
        category.astype(np.int64),
        day,
        tables.later,
        tables.prior,
        tables.chance,
        belief,
    )
    return belief
