"""People on their way to buying something of one category, by hidden stages: the truth for decision stages.

A person wants nothing for a time, then contemplates, prepares, buys and has bought, or gives up on the way. Each visit
to the mall shows passes of the category's fronts, visits to its stores and purchases at rates of the stage; a locator
and a till show some of them. Durations are gamma distributed, so no chain with fixed daily chances is the truth.

Every rate is drawn per world from a range. That major purchases take 49 to 97 days of research by category, mostly with
visits to stores, is from Synchrony Financial, "Major purchase consumer study", 2015; a mall's middling baskets should
take less, so stages before buying last 3 to 12 weeks together here. The other ranges are ours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NONE, CONTEMPLATING, PREPARING, BUYING, AFTER = range(5)
N_STAGES = 5
PASSED, VISITED, BOUGHT = range(3)
"""Kinds of rows of ``SEEN``."""
SEEN = np.dtype([("person", "i4"), ("day", "i4"), ("kind", "i1"), ("store", "i4"), ("stay_ratio", "f4")])
"""What the system is told: passes, visits with their stay over the category's base, purchases."""
TRUTH = np.dtype([("person", "i4"), ("day", "i4"), ("stage", "i1")])
"""The true stage on each day in the mall."""


@dataclass(frozen=True, slots=True)
class DecisionWorld:
    """One world's rates; those with five numbers go from none to after.

    Args:
        gap_days: mean days between a person's visits to the mall, and the gamma shape of the gaps.
        mean_days: of contemplating, preparing and after; wanting nothing lasts ``idle_days``.
        shape: of all gamma durations.
        give_up: chance to want nothing at the end of contemplating, of preparing.
        passes, visits: mean number on a day in the mall.
        long_ratio: median stay over the category's base; ``stay_sd`` of its logarithm.
        compares: mean number of further stores on a day with a visit.
        buys: chance that a visit to the mall of somebody ready to buy ends at the till.
        impulse: chance of a purchase with a visit by anybody else.
        n_stores: of the category.
        missed: share of visits and passes that the locator does not see.
        misnamed: share of visits that it names as a neighbour of another category.
        strange: mean number of visits a day in the mall that it takes for one of the category, wrongly.
        stay_error_sd: of the logarithm of stays.
        till_seen: share of purchases that are told.
    """

    gap_days: tuple[float, float]
    idle_days: float
    mean_days: tuple[float, float, float]
    shape: float
    give_up: tuple[float, float]
    passes: tuple[float, ...]
    visits: tuple[float, ...]
    long_ratio: tuple[float, ...]
    stay_sd: float
    compares: tuple[float, ...]
    buys: float
    impulse: float
    n_stores: int
    missed: float
    misnamed: float
    strange: float
    stay_error_sd: float
    till_seen: float


def draw_world(rng: np.random.Generator) -> DecisionWorld:
    """Draw one world from the ranges."""

    def within(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    return DecisionWorld(
        gap_days=(within(3.0, 8.0), within(1.0, 3.0)),
        idle_days=within(50.0, 120.0),
        mean_days=(within(14.0, 50.0), within(9.0, 30.0), within(20.0, 45.0)),
        shape=within(1.5, 4.0),
        give_up=(within(0.2, 0.5), within(0.1, 0.35)),
        passes=(within(0.1, 0.5), within(1.0, 2.5), within(0.5, 1.5), within(0.2, 0.8), within(0.1, 0.5)),
        visits=(within(0.03, 0.12), within(0.1, 0.4), within(0.8, 1.5), within(0.9, 1.2), within(0.05, 0.25)),
        long_ratio=(within(0.6, 0.9), within(0.6, 1.0), within(1.4, 2.4), within(1.2, 2.0), within(0.5, 0.9)),
        stay_sd=within(0.35, 0.55),
        compares=(0.02, within(0.05, 0.2), within(0.4, 1.2), within(0.05, 0.4), 0.02),
        buys=within(0.6, 0.95),
        impulse=within(0.0, 0.05),
        n_stores=int(rng.integers(3, 9)),
        missed=within(0.03, 0.12),
        misnamed=within(0.02, 0.08),
        strange=within(0.02, 0.08),
        stay_error_sd=within(0.1, 0.3),
        till_seen=within(0.6, 1.0),
    )


@dataclass(frozen=True, slots=True)
class Decisions:
    """What is seen and what is true of a world's people; both by person, then by day."""

    seen: NDArray[np.void]
    truth: NDArray[np.void]


def draw_decisions(world: DecisionWorld, n_people: int, n_days: int, rng: np.random.Generator) -> Decisions:
    """Draw people's days in the mall.

    Args:
        n_days: days 0 to this; each person begins somewhere in wanting nothing.
    """
    seen: list[tuple[int, int, int, int, float]] = []
    truth: list[tuple[int, int, int]] = []
    for person in range(n_people):
        walk = _Walk(world, rng)
        for day in _mall_days(world, n_days, rng):
            stage = walk.stage_on(day)
            truth.append((person, day, stage))
            bought = _draw_day(world, person, day, stage, rng, seen)
            if stage == BUYING and bought:
                walk.has_bought(day)
    return Decisions(np.array(seen, dtype=SEEN), np.array(truth, dtype=TRUTH))


class _Walk:
    """One person's stages in time; lives while the person is drawn."""

    def __init__(self, world: DecisionWorld, rng: np.random.Generator) -> None:
        self._world, self._rng = world, rng
        self._stage, self._until = NONE, float(rng.uniform(0.0, world.idle_days))

    def stage_on(self, day: int) -> int:
        while self._until <= day:
            self._go_on()
        return self._stage

    def has_bought(self, day: int) -> None:
        self._stage, self._until = AFTER, day + 0.5 + self._lasts(self._world.mean_days[2])

    def _go_on(self) -> None:
        world, begins = self._world, self._until
        gives_up = self._stage in (CONTEMPLATING, PREPARING) and self._rng.random() < world.give_up[self._stage - 1]
        if self._stage == AFTER or gives_up:
            self._stage, self._until = NONE, begins + self._lasts(world.idle_days)
        elif self._stage == PREPARING:
            self._stage, self._until = BUYING, float("inf")  # until the purchase
        else:
            self._stage += 1
            self._until = begins + self._lasts(world.mean_days[self._stage - 1])

    def _lasts(self, mean_days: float) -> float:
        return float(self._rng.gamma(self._world.shape, mean_days / self._world.shape))


def _mall_days(world: DecisionWorld, n_days: int, rng: np.random.Generator) -> list[int]:
    mean, shape = world.gap_days
    mean *= float(np.exp(0.4 * rng.standard_normal()))
    gaps = 1.0 + rng.gamma(shape, max(mean - 1.0, 0.5) / shape, size=n_days)
    days = np.floor(np.cumsum(gaps)).astype(np.int64)
    return [int(day) for day in np.unique(days[days < n_days])]


def _draw_day(
    world: DecisionWorld,
    person: int,
    day: int,
    stage: int,
    rng: np.random.Generator,
    seen: list[tuple[int, int, int, int, float]],
) -> bool:
    """Add what is seen of one day in the mall; whether something was bought."""
    for store in rng.integers(0, world.n_stores, rng.poisson(world.passes[stage])):
        if rng.random() >= world.missed:
            seen.append((person, day, PASSED, int(store), 0.0))
    n_visits = int(rng.poisson(world.visits[stage]))
    bought = rng.random() < (world.buys if stage == BUYING else world.impulse if n_visits else 0.0)
    n_visits = max(n_visits, 1 if bought else 0)
    if n_visits:
        n_visits = min(n_visits + int(rng.poisson(world.compares[stage])), world.n_stores)
    stores = rng.permutation(world.n_stores)[:n_visits]
    for store in stores:
        if rng.random() >= world.missed + world.misnamed:
            seen.append((person, day, VISITED, int(store), _stay(world, world.long_ratio[stage], rng)))
    for _ in range(rng.poisson(world.strange)):
        seen.append((person, day, VISITED, int(rng.integers(world.n_stores)), _stay(world, 1.0, rng)))
    if bought and rng.random() < world.till_seen:
        seen.append((person, day, BOUGHT, int(stores[-1]), 0.0))
    return bought


def _stay(world: DecisionWorld, median: float, rng: np.random.Generator) -> float:
    return float(median * np.exp(world.stay_sd * rng.standard_normal() + world.stay_error_sd * rng.standard_normal()))
