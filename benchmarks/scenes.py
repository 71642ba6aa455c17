"""What a fix costs the scenes, beside the same rule over a dictionary of objects.

CPU time of one thread. *Streaming*: a million phones present, each some way through its day; batches of the next fix
of 1,000 phones drawn at random. For the kernel from names to places (``scenes/slot_index.py``), records moved where
they lie, events as rows; for the objects (100,000 phones: a million would not fit) from name to object and events
as tuples. *Batch*: fixes sorted by phone, 200 a phone. The fixes
are of shoppers who dwell in one store in forty for some five minutes, walk as long past a front every minute, with the
evidence that the locator gives, and are unknown one time in twelve; both count the same events. Memory: bytes of a
record, of the object and all that hangs on it.

*trackintel*, where it is installed (``pip install trackintel==1.4.2``; the project does not need it): its stay points
of the same fixes of ``_TRACKINTEL_PHONES`` phones, with coordinates of the stores on a street map (each fix within 5 m
of its place), a sliding window of 100 m, five minutes and a gap of fifteen, one process, its defaults otherwise. It
finds stays and names no store; its time is that of ``generate_staypoints`` alone, the making of its table is not
counted.

Run it with ``atrium bench scenes`` or ``python -m benchmarks.scenes``; about a minute.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from statistics import median
from typing import Any

import numpy as np

from benchmarks.scene_objects import PlainFix, PlainScene
from kernel.ids import DeviceRef
from scenes.fix import FixRows
from scenes.kernels.changes import N_EVENT
from scenes.kernels.record import EVIDENCE_STEPS, I32, I64, N_RECORD, make_code
from scenes.kernels.slots import ask_for
from scenes.kernels.visits import advance_fixes
from scenes.rules import SceneRules
from scenes.slot_index import SlotIndex

N_PHONES, N_PLAIN_PHONES = 1_000_000, 100_000
BATCH = 1_000
_ROUNDS = 200
_WARM_FIXES = 20
_FIXES_A_PHONE, _BATCH_PHONES = 200, 20_000
_PLAIN_BATCH_PHONES = 500
_TRACKINTEL_PHONES = 50
_DEGREES_A_STORE = 0.002
"""About 200 m: two stores are two stays of its 100 m."""
_PERIOD_MS = 10_000
_BASE_MIN = 35_000_000
_EPOCH_MS = -315_619_200_000
"""1960, from which fixes count, in milliseconds since 1970."""
_N_STORES = 40
_SHARE_BELOW = (0.0, 0.05, 0.07, 0.11, 0.14, 0.22, 0.33, 1.0)
_EVIDENCE = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Evidence of answers in the simulated standard mall: the full locator and the tracker (``benchmarks/visits.py``)."""


def run() -> dict[str, Any]:
    """Fixes a CPU second, ratios, bytes."""
    streaming_s, n_events = _stream(N_PHONES)
    plain_s, plain_told = _stream_plainly(N_PLAIN_PHONES)
    batch_s, kernel_events, rows = _batch(_BATCH_PHONES)
    plain_batch_s, plain_events = _batch_plainly(rows)
    n_same = _events_of_first(rows)
    stay_points = _trackintel(rows, batch_s)
    return {
        "streaming_fixes_per_s": {"kernel": 1 / streaming_s, "objects": 1 / plain_s, "ratio": plain_s / streaming_s},
        "batch_fixes_per_s": {"kernel": 1 / batch_s, "objects": 1 / plain_batch_s, "ratio": plain_batch_s / batch_s},
        "events_per_fix": {"streaming": n_events, "streaming_objects": plain_told, "batch": kernel_events},
        "events_of_the_same_fixes": {"kernel": n_same, "objects": plain_events},
        "trackintel": stay_points,
        "bytes_a_phone": {"kernel": 4 * N_RECORD, "objects": _size(_plain_scene())},
    }


def _draw(n_phones: int, n_fixes: int, rng: np.random.Generator) -> FixRows:
    """Fixes of phones, phone by phone: dwells and walks of about thirty fixes."""
    shape = (n_phones, n_fixes)
    is_new = rng.random(shape) < 0.03
    is_new[:, 0] = True
    stay = np.maximum.accumulate(np.where(is_new, np.arange(n_fixes), 0), axis=1)
    drawn = rng.integers(0, 2 * _N_STORES, shape)
    place = np.take_along_axis(np.where(drawn < _N_STORES, drawn + 2, 1), stay, axis=1)
    evidence = np.round(EVIDENCE_STEPS * np.interp(rng.random(shape), _SHARE_BELOW, _EVIDENCE)).astype(np.int64)
    venue = (rng.random(shape) > 1 / 12).astype(np.int64)
    code = make_code(place, evidence, 1 + place % 3, 0) * venue  # type: ignore[arg-type]  # as arrays
    at_ms = _BASE_MIN * 60_000 + 6 * 3_600_000 + np.arange(n_fixes) * _PERIOD_MS + rng.integers(0, 2_000, shape)
    passing = np.repeat(rng.integers(2, 2 + _N_STORES, (n_phones, -(-n_fixes // 6))), 6, axis=1)[:, :n_fixes]
    front = np.where((place == 1) & (venue == 1), passing, 0)
    table = np.stack([at_ms, np.full(shape, _BASE_MIN), venue, code, front, np.zeros(shape, dtype=np.int64)], axis=-1)
    return FixRows.of_table(table.reshape(-1, 6).astype(np.int64))


def _take(records: I32, slot: I64, rows: FixRows, events: I32, late: np.ndarray[Any, np.dtype[np.uint8]]) -> int:
    nothing = np.empty((0, N_RECORD), dtype=np.int32)
    columns = (rows.at_ms, rows.base_min, rows.venue, rows.code, rows.front, rows.is_approaching)
    done, n_events = advance_fixes(records, slot, *columns, _RULES, 0, events, late, nothing)
    if done < len(slot):
        raise ValueError("expected room for all events")
    return int(n_events)


_RULES = SceneRules().packed()


@dataclass(frozen=True, slots=True)
class _Patterns:
    """What phones do: phone p goes the way of pattern p % 1,000, and is so far along it."""

    rows: FixRows
    n_before: I64

    @classmethod
    def draw(cls) -> "_Patterns":
        n_before = _WARM_FIXES + np.arange(BATCH) * 37 % (_FIXES_A_PHONE - _WARM_FIXES)
        return cls(_draw(BATCH, _FIXES_A_PHONE, np.random.default_rng(1)), n_before)

    def before(self, pattern: int) -> FixRows:
        """The fixes that a phone has had."""
        return self.rows.take(pattern * _FIXES_A_PHONE + np.arange(self.n_before[pattern]))

    def next(self, phones: I64) -> FixRows:
        """The next fix of each."""
        return self.rows.take(phones % BATCH * _FIXES_A_PHONE + self.n_before[phones % BATCH])


def _batches(n_phones: int) -> Iterator[I64]:
    """Phones in batches, each phone once."""
    return iter(np.random.default_rng(1).permutation(n_phones)[: _ROUNDS * BATCH].reshape(-1, BATCH))


def _name(phones: Iterable[int]) -> list[DeviceRef]:
    """Names as they come in: made anew each time."""
    return [DeviceRef(f"dev_{i:024d}") for i in phones]


def _stream(n_phones: int) -> tuple[float, float]:
    """CPU seconds a fix, and events a fix."""
    patterns, index = _Patterns.draw(), SlotIndex()
    events, late = np.empty((64 * BATCH, N_EVENT), dtype=np.int32), np.zeros(BATCH, dtype=np.uint8)
    warm = np.zeros((BATCH, N_RECORD), dtype=np.int32)
    for pattern in range(BATCH):
        rows = patterns.before(pattern)
        _take(warm, np.full(len(rows), pattern), rows, events, np.zeros(len(rows), dtype=np.uint8))
    records = np.tile(warm, (n_phones // BATCH, 1))[np.argsort(index.add(_name(range(n_phones))))]
    costs_s, told = [], 0
    for phones in _batches(n_phones):
        refs, rows = _name(phones.tolist()), patterns.next(phones)
        before_s = time.process_time()
        slots = index.find(refs)
        ask_for(records, slots)
        told += _take(records, slots, rows, events, late)
        costs_s.append(time.process_time() - before_s)
    return median(costs_s[10:]) / BATCH, told / (BATCH * len(costs_s))


def _stream_plainly(n_phones: int) -> tuple[float, float]:
    patterns, rules = _Patterns.draw(), SceneRules()
    warm = []
    for pattern in range(BATCH):
        scene = PlainScene(rules)
        for fix in _as_plain(patterns.before(pattern)):
            scene.take(fix)
        warm.append(scene)
    scenes = {name: deepcopy(warm[i % BATCH], {id(rules): rules}) for i, name in enumerate(_name(range(n_phones)))}
    costs_s, told = [], 0
    for phones in _batches(n_phones):
        refs, fixes = _name(phones.tolist()), _as_plain(patterns.next(phones))
        before_s = time.process_time()
        for ref, fix in zip(refs, fixes, strict=True):
            told += len(scenes[ref].take(fix) or ())
        costs_s.append(time.process_time() - before_s)
    return median(costs_s[10:]) / BATCH, told / (BATCH * len(costs_s))


def _batch(n_phones: int) -> tuple[float, float, FixRows]:
    rows = _draw(n_phones, _FIXES_A_PHONE, np.random.default_rng(2))
    slot = np.repeat(np.arange(n_phones, dtype=np.int64), _FIXES_A_PHONE)
    events = np.empty((4 * len(rows), N_EVENT), dtype=np.int32)
    late = np.zeros(len(rows), dtype=np.uint8)
    costs_s, n_events = [], 0
    for _ in range(3):
        records = np.zeros((n_phones, N_RECORD), dtype=np.int32)
        before_s = time.process_time()
        n_events = _take(records, slot, rows, events, late)
        costs_s.append(time.process_time() - before_s)
    return median(costs_s) / len(rows), n_events / len(rows), rows


def _batch_plainly(rows: FixRows) -> tuple[float, int]:
    rules = SceneRules()
    plain = _as_plain(rows.take(np.arange(_PLAIN_BATCH_PHONES * _FIXES_A_PHONE)))
    before_s, told = time.process_time(), 0
    for phone in range(_PLAIN_BATCH_PHONES):
        scene = PlainScene(rules)
        for fix in plain[phone * _FIXES_A_PHONE : (phone + 1) * _FIXES_A_PHONE]:
            told += len(scene.take(fix) or ())
    return (time.process_time() - before_s) / len(plain), told


def _events_of_first(rows: FixRows) -> int:
    """The kernel's events of the fixes that the objects took."""
    first = rows.take(np.arange(_PLAIN_BATCH_PHONES * _FIXES_A_PHONE))
    slot = np.repeat(np.arange(_PLAIN_BATCH_PHONES, dtype=np.int64), _FIXES_A_PHONE)
    records = np.zeros((_PLAIN_BATCH_PHONES, N_RECORD), dtype=np.int32)
    events = np.empty((4 * len(first), N_EVENT), dtype=np.int32)
    return _take(records, slot, first, events, np.zeros(len(first), dtype=np.uint8))


def _trackintel(rows: FixRows, kernel_s: float) -> dict[str, Any] | str:
    """Stay points of the first phones' fixes; "not installed" where there is no trackintel."""
    try:
        trackintel = import_module("trackintel")
        geopandas, pandas = import_module("geopandas"), import_module("pandas")
    except ImportError:
        return "not installed"
    n = _TRACKINTEL_PHONES * _FIXES_A_PHONE
    some = rows.take(np.arange(n))
    place = np.where(some.venue > 0, some.code & 0xFFFF, -1)
    away = np.arange(n) % 17 * 0.5  # where no place is known: on the move
    noise = np.random.default_rng(4).normal(0.0, 0.00002, (n, 2))
    lon = 120.0 + np.where(place > 1, place * _DEGREES_A_STORE, 0.5 + away) + noise[:, 0]
    tracked_at = pandas.to_datetime((some.at_ms + _EPOCH_MS).astype(np.int64), unit="ms", utc=True)
    table = {"user_id": np.repeat(np.arange(_TRACKINTEL_PHONES), _FIXES_A_PHONE), "tracked_at": tracked_at}
    shapes = geopandas.points_from_xy(lon, 30.0 + noise[:, 1])
    fixes = trackintel.Positionfixes(geopandas.GeoDataFrame(table, geometry=shapes, crs="EPSG:4326"))
    before_s = time.process_time()
    _, found = fixes.generate_staypoints(method="sliding", dist_threshold=100, time_threshold=5, gap_threshold=15)
    cost_s = (time.process_time() - before_s) / n
    return {
        "version": trackintel.__version__,
        "fixes_per_s": 1 / cost_s,
        "stay_points": len(found),
        "ratio_to_batch": cost_s / kernel_s,
    }


def _as_plain(rows: FixRows) -> list[PlainFix]:
    code = rows.code
    columns = (
        rows.at_ms,
        rows.base_min,
        rows.venue,
        code & 0xFFFF,
        (code >> 16) & 255,
        (code >> 24) & 63,
        np.zeros(len(rows), dtype=bool),
        rows.front,
        np.zeros(len(rows), dtype=bool),
    )
    return [PlainFix(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]


def _plain_scene() -> PlainScene:
    scene = PlainScene(SceneRules())
    for fix in _as_plain(_draw(1, 60, np.random.default_rng(3))):
        scene.take(fix)
    return scene


def _size(scene: PlainScene) -> int:
    """Bytes of the object, its lists, its fixes and its visits; the rules are shared."""
    held = [scene, scene.window, scene.visits, scene.events, *scene.window, *scene.visits.values()]
    held += [fix for _, fix in scene.window if fix is not None]
    return sum(sys.getsizeof(one) for one in held)


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
