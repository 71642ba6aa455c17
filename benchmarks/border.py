"""A walk along a border: does somebody who strolls on both sides of a wall enter each store once for each time they do?

Somebody comes in from an entrance by a store's door, and for an hour goes back and forth beside the border to the next
store of a simulated mall that no ranker was trained on, never further than ``FARTHEST_M`` from it, two to six minutes
on each side: the hardest place for any locator, and a way that no shopper takes (it goes through the wall). Phones,
radios weeks after the survey, the full locator, the tracker and the visit rule are those of ``benchmarks/visits.py``;
a scan every ten seconds.

Real entries are told by the polygons, second by second. A ``visit.entered`` of a store *answers* a real stay there that
it overlaps from its arrival to its telling, the first one does. Others: ``repeated`` in the same stay, ``other_side``
(the other store of the border), ``third`` (neither store). ``clean`` are the runs without any of these: at most one
entry for each real one; ``at_most_as_many`` only counts. ``answered`` is the share of real stays that were told at all:
a rule that is silent is always clean. ``other_side_off_s``: how long after its store's nearest real stay such
an entry arrived: least, median, greatest. ``fix_right``: fixes whose best store is the true one. Intervals are
Wilson's, 95 %, as if runs in one mall were independent.

Beside the rule: ``k_of_n``, the rule without ``switch_k`` and ``switch_evidence``, and ``each_change``, an entry at
each answer that names another store than the last that named one.

Run it with ``atrium bench border`` or ``python -m benchmarks.border``; about 5 minutes.
"""

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from benchmarks.visits import Stay, Walked, hear
from kernel.ids import DeviceRef, VenueId
from positioning.full import FullLocator
from positioning.track.smooth import track_walk
from positioning.track.tracker import Tracker
from positioning.train import train_venue
from runtime.rankers import load_ranker, name_ranker
from scenes.advance import Phones, advance
from scenes.fix import fix_of, pack_fixes
from scenes.places import PlaceBook
from scenes.record import new_record
from scenes.rules import PlaceKind, SceneRules
from scenes.service_day import ServiceDays
from sim.dates import FIRST_DAY, number_day
from sim.layout import MallSpec
from sim.phones import SCAN_PERIOD_S
from sim.schedules import SCHEDULES, ScanSchedule
from sim.walking import Trajectory, TrajectoryBuilder
from sim.world import World, make_world
from venues.model import Store

SEEDS = (31, 32, 33, 34)
"""Of no mall that a rule was chosen on."""
RUNS_A_MALL = 25
WALK_S = 3_600.0
STAY_S = (120.0, 360.0)
FARTHEST_M, NEAREST_M = 2.5, 0.5
_STROLL_MPS = 0.5
_LEAST_BORDER_M = 6.0
_WALL_M = 0.5
_STARTS_S = 4 * 3_600.0
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Border:
    """Two stores and the wall between: its middle, direction, the normal towards the second, and length."""

    stores: tuple[Store, Store]
    level_index: int
    middle_m: NDArray[np.float64]
    along: NDArray[np.float64]
    across: NDArray[np.float64]
    length_m: float


@dataclass(frozen=True, slots=True)
class Run:
    """One hour: the real stays, and what was answered."""

    stays: tuple[Stay, ...]
    walked: Walked
    stores: tuple[str, str]


def run(seeds: Sequence[int] = SEEDS, runs_a_mall: int = RUNS_A_MALL) -> dict[str, Any]:
    """Figures of the rule and of the plain one; shares in percent."""
    return figures([one for seed in seeds for one in follow(seed, runs_a_mall)]) | {"malls": len(seeds)}


def figures(runs: Sequence[Run]) -> dict[str, Any]:
    """Figures of the three rules on the same walks."""
    rules = SceneRules()
    store = replace(rules.fast.store, switch_k=None, switch_evidence=0.0)
    plain = replace(rules, fast=replace(rules.fast, store=store))
    return {
        "ranker": name_ranker(load_ranker()),
        "runs": len(runs),
        "real_entries": sum(len(one.stays) for one in runs),
        "fix_right": _share([_is_right(one) for one in runs]),
        "rule": measure(runs, [entries(one.walked, rules) for one in runs]),
        "k_of_n": measure(runs, [entries(one.walked, plain) for one in runs]),
        "each_change": measure(runs, [changes(one.walked) for one in runs]),
    }


def follow(seed: int, n_runs: int) -> Iterator[Run]:
    """Walks in one mall, each along a border of its own as far as there are so many."""
    world = make_world(seed, MallSpec())
    venue, ranker = world.mall.venue, load_ranker()
    model = train_venue(world.survey(), venue, venue_id=VenueId(venue.id), ranker=ranker).model
    locator, tracker = FullLocator((model,), ranker), Tracker((model,))
    rng = np.random.default_rng([seed, 7])
    borders = find_borders(world)
    order = rng.permutation(len(borders))
    shoppers = world.shoppers(number_day(FIRST_DAY), n_runs, SCAN_PERIOD_S)
    maker = SCHEDULES.index(ScanSchedule.MAKER)
    for number, shopper in enumerate(shoppers[:n_runs]):
        border = borders[order[number % len(borders)]]
        walker = replace(shopper, trajectory=stroll(world, border, rng))
        opens_at, scans = hear(world, walker, maker)
        located = locator.locate(scans)
        walked = Walked(opens_at, scans, track_walk(tracker, located, scans))
        yield Run(true_stays(border, walker.trajectory), walked, (border.stores[0].id, border.stores[1].id))


def find_borders(world: World) -> list[Border]:
    """The pairs of stores that share a straight wall long enough to walk beside."""
    venue = world.mall.venue
    index_of = {level.id: i for i, level in enumerate(venue.levels)}
    borders = []
    for i, first in enumerate(venue.stores):
        for second in venue.stores[i + 1 :]:
            if first.level_id != second.level_id or first.area.distance(second.area) > _WALL_M:
                continue
            shared = first.area.buffer(_WALL_M).intersection(second.area.buffer(_WALL_M))
            corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(shared))
            sides = np.diff(corners[:3], axis=0)
            lengths = np.linalg.norm(sides, axis=1)
            length_m = float(lengths.max()) - 2.0 * _WALL_M
            if length_m < _LEAST_BORDER_M or lengths.min() > 6.0 * _WALL_M:
                continue  # too short, or round a corner
            along = sides[lengths.argmax()] / lengths.max()
            across = np.array([-along[1], along[0]])
            middle_m = corners[:4].mean(axis=0)
            if second.area.distance(shapely.Point(middle_m + across)) > 0.0:
                across = -across
            if second.area.contains(shapely.Point(middle_m + across)):
                level = index_of[first.level_id]
                borders.append(Border((first, second), level, middle_m, along, across, length_m))
    return borders


def stroll(world: World, border: Border, rng: np.random.Generator) -> Trajectory:
    """In by an entrance of the mall and the door of one store, to that side of the border; then, for an hour, from
    place to place beside it, standing a while at each, on one side and then on the other."""
    side, graph = int(rng.integers(2)), world.graph
    entrances = graph.destinations[graph.n_stores : len(graph.destinations) - graph.n_bays]
    way_in = TrajectoryBuilder(graph, int(rng.choice(entrances)), _STARTS_S)
    way_in.walk_to([store.id for store in world.mall.venue.stores].index(border.stores[side].id))
    came = way_in.build()
    times, places = came.t_s.tolist(), list(came.xy_m)
    _go(times, places, _place(border, side, rng))
    end_s = times[-1] + WALK_S
    while times[-1] < end_s:
        until_s = times[-1] + float(rng.uniform(*STAY_S))
        while times[-1] < until_s:
            _go(times, places, _place(border, side, rng))
            times.append(times[-1] + float(rng.uniform(5.0, 30.0)))
            places.append(places[-1])
        side = 1 - side
        if times[-1] < end_s:
            _go(times, places, _place(border, side, rng))
    levels = [*came.level_index.tolist(), *[border.level_index] * (len(times) - len(came.t_s))]
    return Trajectory(np.array(times), np.array(levels, dtype=np.int64), np.array(places))


def _go(times: list[float], places: list[NDArray[np.float64]], goal: NDArray[np.float64]) -> None:
    times.append(times[-1] + float(np.linalg.norm(goal - places[-1])) / _STROLL_MPS)
    places.append(goal)


def _place(border: Border, side: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A place inside the store of a side, near the border."""
    sign = 1.0 if side else -1.0
    for _ in range(100):
        off_m = float(rng.uniform(NEAREST_M, FARTHEST_M))
        along_m = float(rng.uniform(-0.45, 0.45)) * border.length_m
        place: NDArray[np.float64] = border.middle_m + along_m * border.along + sign * off_m * border.across
        if border.stores[side].area.contains(shapely.Point(place)):
            return place
    raise ValueError("expected room beside the border")


def true_stays(border: Border, way: Trajectory) -> tuple[Stay, ...]:
    """In which of the two stores the walker is, from entry to entry; in the wall: still in the store before."""
    at_s = np.arange(way.t_s[0], way.t_s[-1], 1.0)
    level, xy_m = way.at(at_s)
    inside = [shapely.contains_xy(store.area, xy_m) & (level == border.level_index) for store in border.stores]
    side = np.where(inside[0], 0, np.where(inside[1], 1, -1))
    at_s, side = at_s[np.argmax(side >= 0) :], side[np.argmax(side >= 0) :]
    last = np.maximum.accumulate(np.where(side >= 0, np.arange(len(side)), 0))
    side = side[last]
    cuts = [0, *(np.flatnonzero(np.diff(side)) + 1).tolist(), len(side)]
    return tuple(
        Stay(border.stores[side[a]].id, float(at_s[a]), float(at_s[b - 1])) for a, b in itertools.pairwise(cuts)
    )


def entries(walked: Walked, rules: SceneRules) -> list[Stay]:
    """Each ``visit.entered`` of a store, from its arrival to its telling."""
    book, days, ref = PlaceBook(), ServiceDays({}), DeviceRef("dev_1")
    fixes = [fix_of(found, scan.at) for found, scan in zip(walked.located, walked.scans, strict=True)]
    phones = Phones([ref], new_record()[None])
    done = advance(phones, np.zeros(len(fixes), dtype=np.int64), pack_fixes(fixes, book, days), rules.packed(), book)
    return [
        Stay(
            told.visit.place.id,
            (told.visit.arrived_at - walked.opens_at).total_seconds(),
            (told.event.occurred_at - walked.opens_at).total_seconds(),
        )
        for told in done.told
        if told.event.type == "visit.entered" and told.visit is not None and told.visit.place.kind is PlaceKind.STORE
    ]


def changes(walked: Walked) -> list[Stay]:
    """An entry at each answer that names another store than the last that named one."""
    said: list[Stay] = []
    for scan, found in zip(walked.scans, walked.located, strict=True):
        store = None if found.position is None else found.position.store_id
        if store is not None and (not said or said[-1].store != store):
            at_s = (scan.at - walked.opens_at).total_seconds()
            said.append(Stay(store, at_s, at_s))
    return said


def judge(one: Run, said: Sequence[Stay]) -> Counter[str]:
    """What each entry was; ``answered`` are the right ones."""
    told: set[Stay] = set()
    found: Counter[str] = Counter()
    for entry in said:
        same = [s for s in one.stays if s.store == entry.store and _overlap(s, entry)]
        fresh = next((stay for stay in same if stay not in told), None)
        if fresh is not None:
            told.add(fresh)
            found["answered"] += 1
        elif same:
            found["repeated"] += 1
        else:
            found["other_side" if entry.store in one.stores else "third"] += 1
    return found


def _overlap(stay: Stay, entry: Stay) -> bool:
    return entry.from_s <= stay.until_s and entry.until_s >= stay.from_s


def measure(runs: Sequence[Run], told: Sequence[Sequence[Stay]]) -> dict[str, Any]:
    """Figures of what a rule told in each run."""
    judged = [judge(one, said) for one, said in zip(runs, told, strict=True)]
    total: Counter[str] = sum(judged, Counter())
    n_real = sum(len(one.stays) for one in runs)
    clean = sum(found.total() == found["answered"] for found in judged)
    few = sum(found.total() <= len(one.stays) for one, found in zip(runs, judged, strict=True))
    return {
        "entries": total.total(),
        **{name: total[name] for name in ("answered", "repeated", "other_side", "third")},
        "answered_percent": 100.0 * total["answered"] / n_real,
        "clean_percent": 100.0 * clean / len(runs),
        "clean_interval": _wilson(clean, len(runs)),
        "at_most_as_many_percent": 100.0 * few / len(runs),
        "other_side_off_s": _off_quantiles(
            [off for one, said in zip(runs, told, strict=True) for off in _off_s(one, said)]
        ),
        "runs_with": {name: sum(found[name] > 0 for found in judged) for name in ("repeated", "other_side", "third")},
    }


def _off_s(one: Run, said: Sequence[Stay]) -> list[float]:
    """How long after (before: negative) the nearest real stay in its store each entry of the other side arrived."""
    offs = []
    for entry in said:
        stays = [stay for stay in one.stays if stay.store == entry.store]
        if stays and not any(_overlap(stay, entry) for stay in stays):
            after = [entry.from_s - stay.until_s for stay in stays if stay.until_s < entry.from_s]
            before = [entry.until_s - stay.from_s for stay in stays if stay.from_s > entry.until_s]
            offs.append(min([*after, *before], key=abs))
    return offs


def _off_quantiles(off_s: Sequence[float]) -> list[float]:
    """The least, the median and the greatest."""
    return np.quantile(off_s, [0.0, 0.5, 1.0]).tolist() if off_s else []


def _is_right(one: Run) -> NDArray[np.bool_]:
    """Of each scan with a position, whether its best store is that in which the walker is."""
    right = []
    for scan, found in zip(one.walked.scans, one.walked.located, strict=True):
        at_s = (scan.at - one.walked.opens_at).total_seconds()
        true = next((stay.store for stay in one.stays if stay.from_s <= at_s <= stay.until_s + 1.0), None)
        if true is not None and found.position is not None and found.position.candidates:
            right.append(found.position.candidates[0].store_id == true)
    return np.array(right, dtype=np.bool_)


def _share(parts: Sequence[NDArray[np.bool_]]) -> float:
    return 100.0 * float(np.concatenate(parts).mean())


def _wilson(part: int, whole: int) -> list[float]:
    share, z2 = part / whole, _Z * _Z
    middle = (share + z2 / (2 * whole)) / (1 + z2 / whole)
    half = _Z * math.sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole)) / (1 + z2 / whole)
    return [100.0 * max(0.0, middle - half), 100.0 * min(1.0, middle + half)]


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
