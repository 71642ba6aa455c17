"""Are the visits true? Shoppers with phones of each schedule, through the locator, the tracker and the visit rule.

Two kinds of mall that no ranker was trained on: ``standard``, and ``hard`` with the radio fitted to Xixi Intime
(``sim.presets.XIXI``); the standard survey, shoppers of a day weeks later, when radios have aged, with phones that no
survey had. Each shopper carries a phone of each schedule (``sim.schedules``), which walk the same way and hear the
same mall; ``iphone`` hears beacons alone.

A *true visit* is 120 s and more inside a store's polygon, second by second; coming back within the rule's merge gap
with no other true visit between is the same visit. A counted visit is *right* if it overlaps one true visit of its
store by half of both, and is the first to do so; ``fragments`` are the later ones, and count against precision as
whatever else is not right does. A stay of 60 to 120 s is counted by the default rule and yet no true visit here:
``short`` is how many of the counted visits are such stays, right in place and time; ``precision_60`` is the precision
where those are true visits too. Entry delay: from the true arrival to ``visit.entered``. Dwell error: said less true,
of right visits. Intervals are 95 % by shopper.

Run it with ``atrium bench visits`` or ``python -m benchmarks.visits``; about 8 minutes.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fingerprints.scan import Scan
from kernel.ids import DeviceRef, VenueId
from positioning.evaluate import DEFAULT_SEED
from positioning.full import FullLocator
from positioning.position import Located
from positioning.track.smooth import track_walk
from positioning.track.tracker import Tracker
from positioning.train import train_venue
from runtime.rankers import load_ranker, name_ranker
from scenes.advance import Phones, advance, sweep
from scenes.fix import fix_of, pack_fixes
from scenes.places import PlaceBook
from scenes.record import new_record
from scenes.rules import PlaceKind, SceneRules
from scenes.service_day import ServiceDays
from scenes.state import Visit
from sim.dates import FIRST_DAY, number_day
from sim.layout import MallSpec
from sim.listening import Crowd
from sim.outcome import stays_in_stores
from sim.phones import SCAN_PERIOD_S, label
from sim.presets import XIXI
from sim.schedules import SCHEDULES, ScanSchedule, only_beacons, scan_times
from sim.shoppers import Shopper
from sim.world import World, make_world

SEEDS = (1, 2, 3)
KINDS = ("standard", "hard")
N_SHOPPERS = 60
TRUE_VISIT_S, SHORT_STAY_S = 120.0, 60.0
_RESAMPLES = 1_000
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Stay:
    """Somebody in one store, in seconds since the mall opened; of a said visit, when ``visit.entered`` was told."""

    store: str
    from_s: float
    until_s: float
    entered_s: float = np.nan


@dataclass(frozen=True, slots=True)
class Judged:
    """One phone's day: (true, found, said, right, fragments, short), delays and dwell errors of the right ones."""

    counts: NDArray[np.int64]
    delay_s: tuple[float, ...]
    dwell_error_s: tuple[float, ...]


def run(seeds: Sequence[int] = SEEDS, kinds: Sequence[str] = KINDS, rules: SceneRules | None = None) -> dict[str, Any]:
    """Figures of each kind of mall and schedule; shares in percent."""
    return {"ranker": name_ranker(load_ranker()), "n_shoppers": N_SHOPPERS * len(seeds)} | {
        kind: measure(kind, seeds, rules or SceneRules()) for kind in kinds
    }


def measure(kind: str, seeds: Sequence[int], rules: SceneRules) -> dict[str, Any]:
    """One kind of mall, by schedule."""
    judged: dict[ScanSchedule, list[Judged]] = {schedule: [] for schedule in SCHEDULES}
    for seed in seeds:
        for schedule, truth, fixes in follow(kind, seed):
            judged[schedule].append(judge(truth, say_visits(fixes, rules)))
    return {schedule.value: _figures(found) for schedule, found in judged.items()}


@dataclass(frozen=True, slots=True)
class Walked:
    """What the locator said along one phone's way."""

    opens_at: datetime
    scans: Sequence[Scan]
    located: Sequence[Located]


def follow(kind: str, seed: int) -> Iterator[tuple[ScanSchedule, "Truth", Walked]]:
    """Each shopper's phones: the true stays, and the answers tracked along the way."""
    world = make_world(seed, MallSpec(), XIXI if kind == "hard" else None)
    venue, ranker = world.mall.venue, load_ranker()
    model = train_venue(world.survey(), venue, venue_id=VenueId(venue.id), ranker=ranker).model
    locator, tracker = FullLocator((model,), ranker), Tracker((model,))
    for shopper in world.shoppers(number_day(FIRST_DAY), N_SHOPPERS, SCAN_PERIOD_S):
        truth = _truth(world, shopper)
        for place, schedule in enumerate(SCHEDULES):
            opens_at, scans = hear(world, shopper, place)
            located = locator.locate(scans)
            yield schedule, truth, Walked(opens_at, scans, track_walk(tracker, located, scans))


@dataclass(frozen=True, slots=True)
class Truth:
    """The true visits, and the stays that the rule counts and that are too short to be one."""

    visits: tuple[Stay, ...]
    short: tuple[Stay, ...]


def _truth(world: World, shopper: Shopper) -> Truth:
    at_s = np.arange(shopper.arrives_s, shopper.leaves_s, 1.0)
    store = world.graph.grid.store_at(*shopper.trajectory.at(at_s)).astype(np.int64)
    merge_gap_s = SceneRules().fast.store.merge_gap.total_seconds()
    stores = world.mall.venue.stores
    long, every = (
        [
            Stay(stores[i].id, from_s, until_s)
            for i, from_s, until_s in stays_in_stores(store, at_s, min_dwell_s=least_s, merge_gap_s=merge_gap_s)
        ]
        for least_s in (TRUE_VISIT_S, SHORT_STAY_S)
    )
    return Truth(tuple(long), tuple(stay for stay in every if stay.until_s - stay.from_s < TRUE_VISIT_S))


def hear(world: World, shopper: Shopper, schedule: int) -> tuple[datetime, list[Scan]]:
    """What a phone of a schedule hears along the shopper's way."""
    radio, day, spec = world.radio_on(FIRST_DAY), number_day(FIRST_DAY), world.mall.spec
    opens_at = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + timedelta(
        hours=spec.opens_hour - spec.utc_offset_h
    )
    times = scan_times([schedule], [shopper.person], shopper.arrives_s, shopper.leaves_s, world.seed, day=day)
    rng = np.random.default_rng([world.seed, shopper.index, schedule])
    phone = replace(shopper.radio, only_beacons=bool(only_beacons(schedule)))
    crowd = Crowd([phone], int(rng.integers(2**63)))
    level_index, xy_m = shopper.trajectory.at(times.at_s)
    at_ms = np.rint(times.at_s * 1_000.0).astype(np.int64)
    heard = radio.hear(level_index, xy_m, crowd, rng, who=np.zeros(len(at_ms)), at_ms=at_ms)
    made = [
        label(
            world.mall.venue,
            shopper.device_id,
            number,
            opens_at + timedelta(milliseconds=ms),
            (int(level_index[number]), tuple(xy_m[number].tolist()), -1),
            readings,
            walk="",
        ).scan
        for number, (ms, readings) in enumerate(zip(at_ms.tolist(), radio.readings(heard, rng), strict=True))
    ]
    return opens_at, made


def say_visits(walked: Walked, rules: SceneRules) -> list[Stay]:
    """The counted store visits that the rule makes of a phone's answers."""
    book, days, ref = PlaceBook(), ServiceDays({}), DeviceRef("dev_1")
    fixes = [fix_of(found, scan.at) for found, scan in zip(walked.located, walked.scans, strict=True)]
    phones = Phones([ref], new_record()[None])
    done = advance(phones, np.zeros(len(fixes), dtype=np.int64), pack_fixes(fixes, book, days), rules.packed(), book)
    end = walked.opens_at + timedelta(days=2)
    _, _, swept = sweep(Phones([ref], done.records), end, days.base_of_each(book, end), rules.packed(), book)
    entered: dict[str, datetime] = {}
    last: dict[str, Visit] = {}
    for told in [*done.told, *swept]:
        if told.visit is not None and told.visit.place.kind is PlaceKind.STORE:
            if told.event.type == "visit.entered":
                entered.setdefault(told.visit.visit_id, told.event.occurred_at)
            last[told.visit.visit_id] = told.visit

    def since_s(at: datetime) -> float:
        return (at - walked.opens_at).total_seconds()

    return [
        Stay(visit.place.id, since_s(visit.arrived_at), since_s(visit.last_inside_at), since_s(entered[visit_id]))
        for visit_id, visit in last.items()
        if visit.is_counted
    ]


def judge(truth: Truth, said: Sequence[Stay]) -> Judged:
    """Pair said visits with true ones, in the order of time."""
    found: dict[Stay, Stay] = {}
    n_fragments = n_short = 0
    for one in sorted(said, key=lambda stay: stay.from_s):
        same = next((true for true in truth.visits if _is_same(true, one)), None)
        if same is not None and same not in found:
            found[same] = one
        elif any(true.store == one.store and _overlap_s(true, one) > 0.0 for true in truth.visits):
            n_fragments += 1
        elif any(_is_same(short, one) for short in truth.short):
            n_short += 1
    counts = np.array([len(truth.visits), len(found), len(said), len(found), n_fragments, n_short])
    return Judged(
        counts.astype(np.int64),
        tuple(one.entered_s - true.from_s for true, one in found.items()),
        tuple((one.until_s - one.from_s) - (true.until_s - true.from_s) for true, one in found.items()),
    )


def _overlap_s(a: Stay, b: Stay) -> float:
    return min(a.until_s, b.until_s) - max(a.from_s, b.from_s)


def _is_same(true: Stay, said: Stay) -> bool:
    least_s = _HALF * max(true.until_s - true.from_s, said.until_s - said.from_s)
    return true.store == said.store and _overlap_s(true, said) >= least_s


def _figures(judged: Sequence[Judged]) -> dict[str, Any]:
    counts = np.array([one.counts for one in judged])
    n_true, _, n_said, n_right, n_fragments, n_short = counts.sum(axis=0).tolist()
    delay_s = np.concatenate([np.array(one.delay_s) for one in judged])
    error_s = np.concatenate([np.array(one.dwell_error_s) for one in judged])
    return {
        "n_true": n_true,
        "n_said": n_said,
        "recall": _percent(n_right, n_true),
        "recall_interval": _interval(counts[:, 1], counts[:, 0]),
        "precision": _percent(n_right, n_said),
        "precision_interval": _interval(counts[:, 3], counts[:, 2]),
        "precision_60": _percent(n_right + n_short, n_said),
        "fragments": _percent(n_fragments, n_said),
        "short": n_short,
        "entry_delay_s": _quantiles(delay_s),
        "dwell_error_s": _quantiles(error_s),
        "dwell_error_absolute_s": _quantiles(np.abs(error_s)),
    }


def _percent(part: int, whole: int) -> float | None:
    return 100.0 * part / whole if whole else None


def _quantiles(values: NDArray[np.float64]) -> dict[str, float] | None:
    if not len(values):
        return None
    p10, p50, p90 = np.quantile(values, [0.1, 0.5, 0.9]).tolist()
    return {"p10": p10, "p50": p50, "p90": p90}


def _interval(part: NDArray[np.int64], whole: NDArray[np.int64]) -> list[float] | None:
    """95 %, by whole shoppers."""
    if not whole.sum():
        return None
    drawn = np.random.default_rng(DEFAULT_SEED).integers(0, len(part), (_RESAMPLES, len(part)))
    shares = 100.0 * part[drawn].sum(axis=1) / np.maximum(whole[drawn].sum(axis=1), 1)
    low, high = np.quantile(shares, [0.025, 0.975]).tolist()
    return [low, high]


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
