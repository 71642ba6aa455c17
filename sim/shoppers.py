"""Shoppers: the people of a day who carry phones, on their ways through the mall, and what a coupon does to them.

Who comes, where to and for how long stands in the day's records (``history.py``); here they walk it. The members of a
group walk one way, a few seconds behind each other. ``Shopper.place_at`` tells where somebody truly is at any instant.
A card changes the way through ``with_detour``, which gives a new shopper and leaves the old one as it was;
``following`` takes the rest of the group along.
"""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from sim.dates import EARLIEST_DAY
from sim.listening import PhoneRadio, draw_phones
from sim.people import AGE_BANDS, CONSENT_CHOICES, AgeBand, Population
from sim.radio_spec import RadioSpec
from sim.records import DayRecords
from sim.walking import Trajectory, TrajectoryBuilder, WalkingGraph

_MODELS = ("Heron 5", "Heron 5 Lite", "Kestrel X", "Plover 12", "Plover 12 Pro", "Siskin 3")
_LOCALES = ("zh-CN", "zh-CN", "zh-CN", "en-GB")
_DETOUR_STAY_S = (150.0, 420.0)
_PHONE, _WANDER = 500, 501


@dataclass(frozen=True, slots=True)
class Stop:
    """A stay in one store, from arriving at its middle to leaving it; seconds since opening."""

    store_index: int
    arrives_s: float
    leaves_s: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a shopper truly is. ``store_index`` is -1 outside all stores."""

    level_index: int
    xy_m: tuple[float, float]
    store_index: int


@dataclass(frozen=True)
class Shopper:
    """One person with one phone, for one day. Times are seconds since the mall opens.

    Attributes:
        index: place among the day's shoppers, by arrival.
        person: who it is in the population; the same on every day they come.
        household: whom they walk with: the day's other shoppers of the same household.
        lag_s: how far behind the first of the group they walk.
        device_id: the phone; the same on every day, and for both who share it.
        consents: purposes this phone allows; empty for none.
        answers_cards: chance that a card makes them go there.
        scan_phase_s: when in each scan period the phone scans.
    """

    index: int
    person: int
    household: int
    lag_s: float
    device_id: str
    model: str
    locale: str
    age_band: AgeBand
    consents: tuple[str, ...]
    answers_cards: float
    scan_phase_s: float
    radio: PhoneRadio
    stops: tuple[Stop, ...]
    exit_destination: int
    trajectory: Trajectory

    @property
    def arrives_s(self) -> float:
        return float(self.trajectory.t_s[0])

    @property
    def leaves_s(self) -> float:
        return float(self.trajectory.t_s[-1])

    def walk_on(self, on: date) -> str:
        """The name of this phone's walk of a day; part of its scan ids."""
        return f"{self.device_id}-{on:%Y%m%d}"

    def place_at(self, t_s: float, graph: WalkingGraph) -> Place | None:
        """Where the shopper is; None before arriving and after leaving."""
        if not self.arrives_s <= t_s <= self.leaves_s:
            return None
        level_index, xy_m = self.trajectory.at(np.array([t_s]))
        store_index = int(graph.grid.store_at(level_index, xy_m)[0])
        return Place(int(level_index[0]), (float(xy_m[0, 0]), float(xy_m[0, 1])), store_index)

    def with_detour(self, graph: WalkingGraph, store_index: int, at_s: float, rng: np.random.Generator) -> "Shopper":
        """The same shopper, who from ``at_s`` on goes to a store first, and then on with the plan.

        Someone in the middle of a stay leaves it; someone already in that store stays on a little.
        """
        if not self.arrives_s <= at_s <= self.leaves_s:
            raise ValueError(f"shopper {self.index} is not in the mall at {at_s} s")
        level_index, xy_m = self.trajectory.at(np.array([at_s]))
        builder = TrajectoryBuilder(graph, graph.node_of(int(level_index[0]), (xy_m[0, 0], xy_m[0, 1])), at_s)
        ahead = [stop for stop in self.stops if stop.arrives_s > at_s and stop.store_index != store_index]
        visits = [(store_index, float(rng.uniform(*_DETOUR_STAY_S)))]
        visits += [(stop.store_index, stop.leaves_s - stop.arrives_s) for stop in ahead]
        stops: list[Stop] = []
        for goal, stay_s in visits:
            builder.walk_to(goal)
            stops.append(_stay(builder, goal, stay_s, rng))
        builder.walk_to(self.exit_destination)
        after = builder.build()
        past = self.trajectory.t_s < at_s
        before = self.trajectory
        joined = Trajectory(
            np.concatenate([before.t_s[past], [at_s], after.t_s]),
            np.concatenate([before.level_index[past], level_index, after.level_index]),
            np.vstack([before.xy_m[past], xy_m, after.xy_m]),
        )
        done = tuple(replace(stop, leaves_s=min(stop.leaves_s, at_s)) for stop in self.stops if stop.arrives_s <= at_s)
        return replace(self, stops=(*done, *stops), trajectory=joined)

    def following(self, other: "Shopper") -> "Shopper":
        """The same shopper, who goes where another of the group goes, as far behind as ever.

        Raises:
            ValueError: the other one walks behind: what they do is not known yet here.
        """
        if other.household != self.household or other.lag_s > self.lag_s:
            raise ValueError(f"shopper {self.index} does not walk behind shopper {other.index}")
        behind_s = self.lag_s - other.lag_s
        return replace(self, stops=_later(other.stops, behind_s), trajectory=other.trajectory.later(behind_s))


def plan_day(
    people: Population,
    records: DayRecords,
    graph: WalkingGraph,
    n_shoppers: int,
    *,
    spec: RadioSpec,
    scan_period_s: float = 10.0,
) -> list[Shopper]:
    """Walk the ways of a day's first phones, by household, and give their holders by arrival.

    Taking households in their order keeps the same people's rhythm whole from day to day. Everyone has left by
    closing, or soon after. A phone that two people share is with the first of them.

    Raises:
        ValueError: fewer phones than asked for come on this day.
    """
    visits = records.mall_visits
    device = people.device[visits["person"]]
    _, first = np.unique(device, return_index=True)
    rows = np.sort(first[device[first] >= 0])[:n_shoppers]
    if len(rows) < n_shoppers:
        raise ValueError(f"expected {n_shoppers} phones on day {records.day}, found {len(rows)}")
    rows = rows[np.argsort(visits["arrives_s"][rows], kind="stable")]
    start = np.searchsorted(records.store_visits["visit"], np.arange(len(visits) + 1))
    first_of_group = np.searchsorted(visits["group"], visits["group"])
    ways: dict[int, tuple[tuple[Stop, ...], Trajectory]] = {}
    shoppers = []
    for index, row in enumerate(rows.tolist()):
        leader = int(first_of_group[row])
        if leader not in ways:
            ways[leader] = _walk(people.seed, records, leader, slice(start[leader], start[leader + 1]), graph)
        shoppers.append(_with_phone(people, index, visits[row], ways[leader], spec, scan_period_s))
    return shoppers


def _walk(
    seed: int, records: DayRecords, leader: int, stays: slice, graph: WalkingGraph
) -> tuple[tuple[Stop, ...], Trajectory]:
    """The way of a group's first, without the lag of whoever walks it.

    Each stay ends when the records say. A walk begins wherever in the store the group stood, so that it may reach the
    next store some seconds before or after the records' instant, which is reckoned from middle to middle.
    """
    visit, table = records.mall_visits[leader], records.store_visits[stays]
    rng = np.random.default_rng([seed, _WANDER, records.day - EARLIEST_DAY, int(visit["household"])])
    builder = TrajectoryBuilder(graph, int(graph.destinations[visit["entrance"]]), float(visit["arrives_s"]))
    stops: list[Stop] = []
    for store_index, leaves_s in zip(table["store"].tolist(), table["leaves_s"].tolist(), strict=True):
        builder.walk_to(store_index)
        stops.append(_stay(builder, store_index, max(0.0, leaves_s - builder.t_s), rng))
    builder.walk_to(int(visit["leaves_by"]))
    return tuple(stops), builder.build()


def _stay(builder: TrajectoryBuilder, store_index: int, stay_s: float, rng: np.random.Generator) -> Stop:
    """Stay in the store whose middle has just been reached."""
    arrives_s = builder.t_s
    builder.wander(stay_s, rng)
    return Stop(store_index, arrives_s, builder.t_s)


def _with_phone(
    people: Population,
    index: int,
    visit: np.void,
    way: tuple[tuple[Stop, ...], Trajectory],
    spec: RadioSpec,
    scan_period_s: float,
) -> Shopper:
    """Whoever makes a visit, with their phone, on the way of their group's first."""
    person, lag_s = int(visit["person"]), float(visit["lag_s"])
    device = int(people.device[person])
    rng = np.random.default_rng([people.seed, _PHONE, device])  # a phone is the same on every day
    (radio,) = draw_phones(1, spec, rng)
    stops, trajectory = way
    return Shopper(
        index=index,
        person=person,
        household=int(visit["household"]),
        lag_s=lag_s,
        device_id=f"sim-{people.seed}-{device}",
        model=str(rng.choice(_MODELS)),
        locale=str(rng.choice(_LOCALES)),
        age_band=AGE_BANDS[people.band[person]],
        consents=CONSENT_CHOICES[people.consent[person]],
        answers_cards=float(people.answers_cards[person]),
        scan_phase_s=float(rng.uniform(0.0, scan_period_s)),
        radio=radio,
        stops=_later(stops, lag_s),
        exit_destination=int(visit["leaves_by"]),
        trajectory=trajectory.later(lag_s),
    )


def _later(stops: tuple[Stop, ...], by_s: float) -> tuple[Stop, ...]:
    return tuple(Stop(stop.store_index, stop.arrives_s + by_s, stop.leaves_s + by_s) for stop in stops)
