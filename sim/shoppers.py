"""Shoppers: who comes, which stores they go to, how long they stay, and what they do with a coupon.

A plan is drawn before the day begins; ``Shopper.place_at`` then tells where somebody truly is at any instant. A
card changes the plan through ``with_detour``, which gives a new shopper and leaves the old one as it was.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sim.brands import CATEGORIES
from sim.mall import SimulatedMall
from sim.radio import PhoneRadio, draw_phones
from sim.radio_spec import RadioSpec
from sim.walking import Trajectory, TrajectoryBuilder, WalkingGraph

AgeBand: TypeAlias = Literal["child", "teen", "adult", "unknown"]

_AGE_BANDS: tuple[AgeBand, ...] = ("adult", "teen", "child", "unknown")
_AGE_SHARES = (0.78, 0.08, 0.04, 0.10)
_CONSENT_CHOICES: tuple[tuple[str, ...], ...] = (("visits", "analytics", "marketing"), ("visits", "analytics"), ())
_CONSENT_SHARES = (0.65, 0.15, 0.20)
_MODELS = ("Heron 5", "Heron 5 Lite", "Kestrel X", "Plover 12", "Plover 12 Pro", "Siskin 3")
_LOCALES = ("zh-CN", "zh-CN", "zh-CN", "en-GB")
_ARRIVAL_WEIGHTS = (4, 6, 8, 8, 7, 7, 7, 8, 9, 8, 4, 1)
"""Arrivals by hour of opening, as shares of their sum: a rise to lunch, a second one after work."""
_LONG_STAYS_MIN = {
    "restaurant": (40.0, 0.30),
    "coffee": (25.0, 0.35),
    "beautysalon": (35.0, 0.3),
    "supermarket": (18.0, 0.4),
}
_STAY_MIN = (8.0, 0.5)
"""Median minutes in a store and the standard deviation of their logarithm."""
_FAVOURITE_WEIGHT = 6.0
_DETOUR_STAY_S = (150.0, 420.0)


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
        consents: purposes this person allows; empty for none.
        answers_cards: chance that a card makes them go there.
        scan_phase_s: when in each scan period the phone scans.
    """

    index: int
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
        stops = _visit_all(builder, visits, rng)
        builder.walk_to(self.exit_destination)
        after = builder.build()
        past = self.trajectory.t_s < at_s
        before = self.trajectory
        joined = Trajectory(
            np.concatenate([before.t_s[past], [at_s], after.t_s]),
            np.concatenate([before.level_index[past], level_index, after.level_index]),
            np.vstack([before.xy_m[past], xy_m, after.xy_m]),
        )
        done = tuple(stop for stop in self.stops if stop.arrives_s <= at_s)
        return replace(self, stops=done + stops, trajectory=joined)


def plan_day(
    mall: SimulatedMall,
    graph: WalkingGraph,
    rng: np.random.Generator,
    n_shoppers: int,
    *,
    spec: RadioSpec,
    day: str = "day",
    scan_period_s: float = 10.0,
) -> list[Shopper]:
    """Draw a day's shoppers, by arrival. Everyone has left by closing, or soon after.

    Args:
        day: part of the device ids, so that another day brings other phones.
    """
    open_s = (mall.spec.closes_hour - mall.spec.opens_hour) * 3600.0
    arrivals_s = np.sort(_draw_arrivals(n_shoppers, open_s, rng))
    radios = draw_phones(n_shoppers, spec, rng)
    return [
        _plan_shopper(mall, graph, rng, index, f"sim-{day}-{index}", float(arrives_s), radio, open_s, scan_period_s)
        for index, (arrives_s, radio) in enumerate(zip(arrivals_s, radios, strict=True))
    ]


def _draw_arrivals(n: int, open_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Arrivals over the opening hours but the last half hour; the weights are stretched over them."""
    weights = np.array(_ARRIVAL_WEIGHTS, dtype=np.float64)
    slot = rng.choice(len(weights), size=n, p=weights / weights.sum())
    return (slot + rng.random(n)) / len(weights) * max(open_s - 1_800.0, 60.0)


def _plan_shopper(
    mall: SimulatedMall,
    graph: WalkingGraph,
    rng: np.random.Generator,
    index: int,
    device_id: str,
    arrives_s: float,
    radio: PhoneRadio,
    open_s: float,
    scan_period_s: float,
) -> Shopper:
    age_band = _AGE_BANDS[int(rng.choice(len(_AGE_BANDS), p=_AGE_SHARES))]
    consents = _CONSENT_CHOICES[int(rng.choice(len(_CONSENT_CHOICES), p=_CONSENT_SHARES))]
    n_entrances = len(graph.destinations) - graph.n_stores
    entrance, leaves_by = (graph.n_stores + int(i) for i in rng.integers(0, n_entrances, 2))
    builder = TrajectoryBuilder(graph, int(graph.destinations[entrance]), arrives_s)
    visits = _choose_stores(mall, graph, builder, rng, open_s - arrives_s)
    stops = _visit_all(builder, visits, rng)
    builder.walk_to(leaves_by)
    return Shopper(
        index=index,
        device_id=device_id,
        model=str(rng.choice(_MODELS)),
        locale=str(rng.choice(_LOCALES)),
        age_band=age_band,
        consents=consents,
        answers_cards=float(rng.beta(4.0, 3.0)),
        scan_phase_s=float(rng.uniform(0.0, scan_period_s)),
        radio=radio,
        stops=stops,
        exit_destination=leaves_by,
        trajectory=builder.build(),
    )


def _choose_stores(
    mall: SimulatedMall, graph: WalkingGraph, builder: TrajectoryBuilder, rng: np.random.Generator, left_s: float
) -> list[tuple[int, float]]:
    """Which stores, in the order of a walk that goes to the nearest next, and how long in each."""
    favourites = set(rng.choice(CATEGORIES, size=3, replace=False).tolist())
    stores = mall.venue.stores
    weight = np.array([_FAVOURITE_WEIGHT if store.category in favourites else 1.0 for store in stores])
    n = min(1 + int(rng.poisson(2.2)), len(stores))
    chosen = rng.choice(len(stores), size=n, replace=False, p=weight / weight.sum()).tolist()
    visits: list[tuple[int, float]] = []
    node, spare_s = builder.node, left_s
    while chosen:
        nearest = min(chosen, key=lambda store: float(graph.distance_m[store, node]))
        chosen.remove(nearest)
        median_min, sd = _LONG_STAYS_MIN.get(stores[nearest].category, _STAY_MIN)
        stay_s = 60.0 * median_min * float(np.exp(sd * rng.standard_normal()))
        spare_s -= stay_s + 120.0
        if spare_s < 0.0 and visits:
            break
        visits.append((nearest, stay_s))
        node = int(graph.destinations[nearest])
    return visits


def _visit_all(
    builder: TrajectoryBuilder, visits: list[tuple[int, float]], rng: np.random.Generator
) -> tuple[Stop, ...]:
    stops: list[Stop] = []
    for store_index, stay_s in visits:
        builder.walk_to(store_index)
        arrives_s = builder.t_s
        builder.wander(stay_s, rng)
        stops.append(Stop(store_index, arrives_s, builder.t_s))
    return tuple(stops)
