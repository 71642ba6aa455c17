"""Survey walks: a surveyor with a few phones walks each store and the corridors, and the place is known."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from fingerprints.scan import LabelledScan
from sim.dates import SURVEY_DAY
from sim.grid import NO_STORE
from sim.listening import Crowd, PhoneRadio, draw_phones
from sim.mall import SimulatedMall
from sim.phones import label
from sim.radio import RadioField
from sim.walking import Trajectory, TrajectoryBuilder, WalkingGraph, make_walking_graph
from venues.model import Level

SURVEY_AT = datetime.combine(SURVEY_DAY, time(2), UTC)
_STORE_SCAN_S = 4.0
_CORRIDOR_SCAN_S = 3.0
_CORRIDOR_MPS = 0.9


@dataclass(frozen=True, slots=True)
class _Walk:
    """One phone's walk to be: when it scans on its way, and which of the scans count."""

    name: str
    phone: int
    trajectory: Trajectory
    scan_s: float
    is_corridor: bool


def walk_survey(
    mall: SimulatedMall,
    radio: RadioField,
    rng: np.random.Generator,
    *,
    phones: int = 3,
    scans_per_store: int = 45,
    corridor_scans_per_level: int = 400,
    graph: WalkingGraph | None = None,
    starts_at: datetime = SURVEY_AT,
    listeners: Sequence[PhoneRadio] | None = None,
    prefix: str = "",
) -> list[LabelledScan]:
    """Survey a mall: every store by every phone, and the corridors of every level.

    A walk is one phone in one store, or on one way from store to store; splits go by walk. Truth names the store
    the surveyor stood in, None in a corridor.

    Args:
        scans_per_store: of all phones together.
        corridor_scans_per_level: about so many, of all phones together.
        listeners: the survey phones, as many as ``phones``; by default they are drawn first.
        prefix: of the walks' names, which must differ between surveys that are compared.
    """
    ways = make_walking_graph(mall.venue, mall.entrances_xy_m, mall.bays) if graph is None else graph
    if listeners is not None and len(listeners) != phones:
        raise ValueError(f"expected {phones} survey phones, found {len(listeners)}")
    heard_by = draw_phones(phones, radio.spec, rng) if listeners is None else listeners
    walks = [
        *_store_walks(ways, phones, scans_per_store, rng),
        *_corridor_walks(mall, ways, phones, corridor_scans_per_level, rng),
    ]
    out: list[LabelledScan] = []
    at = starts_at
    for walk in walks:
        scans = _scan_along(mall, ways, radio, replace(walk, name=prefix + walk.name), heard_by[walk.phone], at, rng)
        out += scans
        at += timedelta(seconds=math.ceil(walk.trajectory.t_s[-1]) + 30)
    return out


def _store_walks(ways: WalkingGraph, phones: int, scans_per_store: int, rng: np.random.Generator) -> Iterator[_Walk]:
    for store in range(ways.n_stores):
        for phone in range(phones):
            n = scans_per_store // phones + (phone < scans_per_store % phones)
            if n == 0:
                continue
            builder = TrajectoryBuilder(ways, _random_cell(ways, store, rng), 0.0)
            builder.wander(n * _STORE_SCAN_S, rng, speed_mps=0.8, pause_s=(0.0, 6.0))
            yield _Walk(f"store-{store}-{phone}", phone, builder.build(), _STORE_SCAN_S, False)


def _random_cell(ways: WalkingGraph, store: int, rng: np.random.Generator) -> int:
    return int(rng.choice(np.flatnonzero(ways.grid.store_of.ravel() == store)))


def _corridor_walks(
    mall: SimulatedMall, ways: WalkingGraph, phones: int, scans_per_level: int, rng: np.random.Generator
) -> Iterator[_Walk]:
    for level in mall.venue.levels:
        here = _ends_on(mall, ways, level)
        wanted_s = scans_per_level * _CORRIDOR_SCAN_S / phones
        for phone in range(phones if len(here) > 1 else 0):
            walked_s, leg = 0.0, 0
            while walked_s < wanted_s:
                start, goal = rng.choice(here, 2, replace=False)
                builder = TrajectoryBuilder(ways, int(ways.destinations[start]), 0.0)
                builder.walk_to(int(goal), _CORRIDOR_MPS)
                walk = _Walk(
                    f"corridor-{level.short_name}-{phone}-{leg}", phone, builder.build(), _CORRIDOR_SCAN_S, True
                )
                outside = len(_places(ways, walk)[0])
                walked_s += outside * _CORRIDOR_SCAN_S
                leg += 1
                yield walk


def _ends_on(mall: SimulatedMall, ways: WalkingGraph, level: Level) -> NDArray[np.int64]:
    """Where the ways of a level's corridors begin and end: its stores, and the bays of its car park."""
    stores = [i for i, store in enumerate(mall.venue.stores) if store.level_id == level.id]
    first_bay = len(ways.destinations) - ways.n_bays
    bays = [first_bay + i for i, (at, _) in enumerate(mall.bays) if mall.venue.levels[at].id == level.id]
    return np.array(stores + bays, dtype=np.int64)


def _places(ways: WalkingGraph, walk: _Walk) -> tuple[NDArray[np.float64], list[tuple[int, tuple[float, float], int]]]:
    """When the walk scans, and where; a corridor walk leaves out the ends inside stores."""
    n = max(1, int(walk.trajectory.t_s[-1] // walk.scan_s))
    times = np.arange(0.5, n, dtype=np.float64) * walk.scan_s
    level_index, xy_m = walk.trajectory.at(times)
    store = ways.grid.store_at(level_index, xy_m)
    keep = (store == NO_STORE) if walk.is_corridor else np.ones(n, dtype=np.bool_)
    places = [
        (int(i), (float(x), float(y)), int(s))
        for i, (x, y), s in zip(level_index[keep], xy_m[keep], store[keep], strict=True)
    ]
    return times[keep], places


def _scan_along(
    mall: SimulatedMall,
    ways: WalkingGraph,
    radio: RadioField,
    walk: _Walk,
    listener: PhoneRadio,
    starts_at: datetime,
    rng: np.random.Generator,
) -> list[LabelledScan]:
    times, places = _places(ways, walk)
    if not places:
        return []
    at_ms = np.rint(times * 1000.0).astype(np.int64)
    heard = radio.hear(
        [p[0] for p in places],
        [p[1] for p in places],
        Crowd([listener], int(rng.integers(2**63))),
        rng,
        who=np.zeros(len(places)),
        at_ms=at_ms,
    )
    out: list[LabelledScan] = []
    rows = zip(at_ms.tolist(), places, radio.readings(heard, rng), strict=True)
    for number, (ms, place, readings) in enumerate(rows):
        at = starts_at + timedelta(milliseconds=ms)
        device_id = f"survey-{walk.phone}"
        out.append(label(mall.venue, device_id, number, at, place, readings, walk.name))
    return out
