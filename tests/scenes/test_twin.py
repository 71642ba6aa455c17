"""The packed kernel tells what the rule in plain objects tells, event by event."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scene_objects import PlainEvent, PlainFix, PlainScene
from scenes.fix import FixRows
from scenes.kernels.changes import (
    E_A,
    E_ARRIVED,
    E_AT,
    E_B,
    E_BASE,
    E_FIX,
    E_INFO,
    E_INSIDE,
    E_KIND,
    E_STAT,
    E_TYPE,
    E_VENUE,
    N_EVENT,
)
from scenes.kernels.record import I32, OPEN, is_counted, make_code, marks_of, place_of, revision_of, state_of
from scenes.kernels.visits import advance_fixes, close_stale
from scenes.record import new_record
from scenes.rules import KindRules, SceneRules

BASE_MIN = 35_000_000
TYPES = ("entered", "dwelled", "exited", "revised", "phase", "passed")
RULES = SceneRules()
SHORT = replace(
    RULES,
    fast=KindRules(
        replace(
            RULES.fast.store,
            k=2,
            n=7,
            switch_k=3,
            switch_evidence=0.5,
            window=timedelta(seconds=90),
            merge_gap=timedelta(seconds=200),
        ),
        replace(RULES.fast.level, k=1, n=1, switch_k=1),
        replace(RULES.fast.venue, k=3, n=3, leave_gap=timedelta(seconds=40), alone_evidence=0.5),
    ),
    passing=timedelta(seconds=45),
)

one_fix = st.builds(
    PlainFix,
    at_ms=st.one_of(st.integers(0, 40_000), st.integers(0, 400_000), st.integers(0, 90_000_000)),  # a wait
    base_min=st.just(0),
    venue=st.sampled_from([0, 1, 1, 1, 1, 1, 2]),
    store=st.sampled_from([0, 1, 1, 2, 2, 2, 3]),
    evidence=st.sampled_from([0, 60, 127, 128, 200, 241, 242, 255]),
    level=st.sampled_from([1, 1, 1, 2, 63]),
    is_at_exit=st.booleans(),
    front=st.sampled_from([0, 2, 3, 4]),
    is_approaching=st.booleans(),
)
fixes = st.lists(one_fix, max_size=50)


def stay(fix: PlainFix, n: int, wait_ms: int, odd: PlainFix, every: int) -> list[PlainFix]:
    """One place for so many fixes at an even pace, another fix between now and then; as phones mostly are."""
    return [odd if i % every == every - 1 else fix._replace(at_ms=wait_ms + 37 * i, is_at_exit=False) for i in range(n)]


stays = st.lists(
    st.builds(stay, one_fix, st.integers(1, 40), st.integers(5_000, 25_000), one_fix, st.integers(3, 30)), max_size=4
).map(lambda parts: [fix for part in parts for fix in part])
days = st.one_of(fixes, stays)


def in_time(waits: list[PlainFix]) -> list[PlainFix]:
    """Waits become instants; a new day each 24 hours, an hour later in the second venue."""
    now, out = 0, []
    for fix in waits:
        now += fix.at_ms
        offset = 60 if fix.venue == 2 else 0
        day = (now // 60_000 - offset) // 1_440
        front = fix.front if fix.venue and fix.store == 1 else 0
        made = fix._replace(at_ms=BASE_MIN * 60_000 + now, base_min=BASE_MIN + day * 1_440 + offset, front=front)
        out.append(made if fix.venue else made._replace(store=0, evidence=0, level=0, is_at_exit=False))
    return out


def rows_of(plain: list[PlainFix]) -> FixRows:
    table = np.array(
        [
            (
                fix.at_ms,
                fix.base_min,
                fix.venue,
                make_code(fix.store, fix.evidence, fix.level, int(fix.is_at_exit)) if fix.venue else 0,
                fix.front,
                fix.is_approaching,
            )
            for fix in plain
        ],
        dtype=np.int64,
    )
    return FixRows.of_table(table.reshape(len(plain), 6))


def as_plain(row: I32) -> PlainEvent:
    info, stat, told = int(row[E_INFO]), int(row[E_STAT]), TYPES[row[E_TYPE]]
    kept = {"entered": 0, "phase": 2}.get(told, 1)
    return PlainEvent(
        told,
        int(row[E_KIND]),
        int(row[E_VENUE]),
        int(row[E_BASE]),
        int(row[E_AT]),
        place_of(info),
        int(row[E_ARRIVED]),
        int(row[E_INSIDE]),
        state_of(info) == OPEN,
        bool(is_counted(info)),
        marks_of(info),
        revision_of(info),
        stat >> 16,
        stat & 0xFFFF,
        (int(row[E_A]), int(row[E_B]))[:kept],
    )


def check(waits: list[PlainFix], rules: SceneRules, sweep_s: int) -> None:
    plain = in_time(waits)
    rows = rows_of(plain)
    record, twin = new_record()[None], PlainScene(rules)
    events = np.empty((400, N_EVENT), dtype=np.int32)
    late, changed = np.zeros(1, dtype=np.uint8), np.zeros(1, dtype=np.uint8)
    arrays, first = rules.packed(), np.zeros(1, dtype=np.int64)
    view = np.empty((1, 32), dtype=np.int32)
    for i, fix in enumerate(plain):
        one = rows.take([i])
        columns = (one.at_ms, one.base_min, one.venue, one.code, one.front, one.is_approaching)
        _, n = advance_fixes(record, first, *columns, arrays, 0, events, late, view)
        expected = twin.take(fix)
        assert bool(late[0]) == (expected is None)
        assert [as_plain(row) for row in events[:n]] == (expected or [])
        assert (events[:n, E_FIX] == 0).all()
        now_ms = fix.at_ms + 1_000 * sweep_s
        bases = np.array([0, fix.base_min, fix.base_min], dtype=np.int64)
        _, n = close_stale(record, first, now_ms, bases, arrays, 0, events, changed)
        assert [as_plain(row) for row in events[:n]] == twin.sweep(now_ms, fix.base_min)


@given(days, st.integers(-5, 400))
@settings(deadline=None, max_examples=300)
def test_the_kernel_equals_its_twin(waits: list[PlainFix], sweep_s: int) -> None:
    check(waits, RULES, sweep_s)


@given(days, st.integers(-5, 400))
@settings(deadline=None, max_examples=300)
def test_the_kernel_equals_its_twin_under_other_rules(waits: list[PlainFix], sweep_s: int) -> None:
    check(waits, SHORT, sweep_s)
