"""Scans that come late: in whatever order a day's fixes come, they end in the same visits."""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.events import SceneEvent
from scenes.fix import FixRows, pack_fixes
from scenes.revise import in_order, revise
from scenes.state import Fix, Visit
from tests.scenes.in_words import DAYS, PHONE, START, Run, at, fixes_from, in_store, run, steps


@dataclass
class Late:
    """A phone whose fixes come in any order, and a desk that keeps the last word on each visit."""

    phone: Run = field(default_factory=Run)
    day: list[Fix] = field(default_factory=list)
    kept: dict[str, Visit] = field(default_factory=dict)
    now: datetime = START

    def take(self, fix: Fix) -> None:
        rows = self._rows([fix])
        if self.phone.take([fix]).is_late[0]:
            now = max([self.now, *(one.at for one in self.day)])
            bases = DAYS.base_of_each(self.phone.book, now)
            rules, book = self.phone.rules.packed(), self.phone.book
            done = revise(PHONE, self._rows(self.day), rows, rules, book, fix.at, now, bases)
            self.phone.record = done.record
            self.phone.told += done.told
        self.day.append(fix)

    def sweep(self, now: datetime) -> None:
        self.now = now
        self.phone.sweep(now)

    def finish(self, now: datetime) -> dict[str, Visit]:
        self.phone.sweep(now)
        self.kept = {v.visit_id: v for v in self.phone.visits if not v.is_void}
        return self.kept

    def _rows(self, fixes: list[Fix]) -> FixRows:
        return pack_fixes(fixes, self.phone.book, DAYS)


def bare(visits: dict[str, Visit]) -> dict[str, object]:
    """What was told of a visit: not how many fixes stand behind it, nor how often it was taken up again."""
    return {key: (v.place, v.arrived_at, v.left_at, v.is_counted) for key, v in visits.items()}


def test_a_late_fix_inside_makes_the_visit_begin_with_it() -> None:
    desk = Late()
    for fix in [in_store("a", 60), in_store("a", 90), in_store("a", 0)]:
        desk.take(fix)
    told, visit = [v for v in desk.phone.visits if v.place.id == "a"]
    assert told.is_void
    assert (visit.arrived_at, visit.last_inside_at, visit.is_void) == (at(0), at(90), False)
    entered = [e for e in desk.phone.events if e.type == "visit.entered" and e.visit_id == visit.visit_id]
    assert len(entered) == 1


def test_a_visit_that_late_fixes_disprove_is_void() -> None:
    desk = Late()
    for i in (0, 40, 80):
        desk.take(in_store("a", i))
    (told,) = [v for v in desk.phone.visits if v.place.id == "a"]
    for i in (10, 20, 30, 50, 60, 70):
        desk.take(in_store("b", i))
    (now,) = [v for v in desk.phone.visits if v.visit_id == told.visit_id]
    assert now.is_void
    revised = [e for e in desk.phone.events if e.type == "visit.revised" and e.visit_id == told.visit_id]
    assert revised[-1].data["void"] is True
    assert "b" in {v.place.id for v in desk.finish(at(4_000)).values()}


def test_a_fix_that_comes_again_changes_nothing_and_of_two_of_one_instant_the_surer_counts() -> None:
    desk = Late()
    for fix in [in_store("a", 10 * i) for i in range(8)]:
        desk.take(fix)
    n_told, record = len(desk.phone.told), desk.phone.record.copy()
    desk.take(in_store("a", 30))
    desk.take(in_store("b", 40, 0.5))
    assert len(desk.phone.told) == n_told
    assert (desk.phone.record == record).all()
    rows = pack_fixes([in_store("b", 0, 0.5), in_store("a", 0, 0.9)], desk.phone.book, DAYS)
    assert in_order(rows).tolist() == [1]


@given(steps, st.randoms(use_true_random=False), st.integers(1, 8))
@settings(deadline=None)
def test_order_changes_no_visit(draws: list[tuple[str | None, int, float]], random: Random, reach: int) -> None:
    fixes = [fix for fix in fixes_from(draws) if fix.at < at(17 * 3_600)]  # one day: 04:00 is 18 hours away
    keys = [i + random.uniform(0, reach) for i in range(len(fixes))]
    shuffled = Late()
    ordered = Late(Run(book=shuffled.phone.book))
    for i in sorted(range(len(fixes)), key=keys.__getitem__):
        shuffled.take(fixes[i])
    for fix in fixes:
        ordered.take(fix)
    assert (shuffled.phone.record == ordered.phone.record).all()
    over = at(10**6)
    assert bare(shuffled.finish(over)) == bare(ordered.finish(over))


@given(steps, st.lists(st.integers(0, 59), max_size=20))
@settings(deadline=None)
def test_repeats_change_no_visit(draws: list[tuple[str | None, int, float]], repeats: list[int]) -> None:
    fixes = [fix for fix in fixes_from(draws) if fix.at < at(17 * 3_600)]
    once, again = Late(), Late()
    for i, fix in enumerate(fixes):
        once.take(fix)
        again.take(fix)
        for number in repeats:
            if number <= i and number % 3 == i % 3:
                again.take(fixes[number])
    assert (once.phone.record == again.phone.record).all()
    assert [one.event for one in once.phone.told] == [one.event for one in again.phone.told]


def test_the_late_path_and_the_straight_one_agree_on_the_record() -> None:
    fixes = [in_store(store, 17 * i) for i, store in enumerate("aaabbbb") for _ in range(1)]
    late = Late()
    for i in (0, 1, 3, 4, 2, 6, 5):
        late.take(fixes[i])
    assert (late.phone.record == run(fixes).record).all()


def view_of(events: list[SceneEvent]) -> dict[str, tuple[object, ...]]:
    """What somebody knows of the visits who has the events alone, each once: when left, and whether counted."""
    view: dict[str, tuple[object, ...]] = {}
    first: dict[str, SceneEvent] = {}
    for event in events:
        first.setdefault(event.event_id, event)
    for event in first.values():
        if event.visit_id is None or event.type == "visit.dwelled":
            continue
        if event.type == "visit.entered":
            view.setdefault(event.visit_id, (None, False))
        elif event.data.get("void"):
            view.pop(event.visit_id, None)
        elif "left_at" in event.data:
            view[event.visit_id] = event.data["left_at"], event.data["counted"]
        else:  # taken up again
            view[event.visit_id] = None, False
    return view


delays = st.sampled_from([0, 0, 0, 0, 15, 50, 110])
sweeps = st.sampled_from([None, None, None, 0, 0, 320])
"""None, or how far the clock is ahead of a fix that comes behind the sweep: 320 s for one of a phone's queue."""
stays = st.lists(
    st.tuples(
        st.sampled_from(["a", "a", "b", None]),
        st.integers(1, 8),
        st.sampled_from([10, 10, 10, 30, 290, 310]),
        st.sampled_from([0.6, 0.75, 0.9]),
        st.lists(st.tuples(delays, sweeps), min_size=8, max_size=8),
    ),
    min_size=2,
    max_size=10,
)


@given(stays)
@settings(deadline=None, max_examples=300)
def test_who_has_the_events_alone_knows_the_visits(
    way: list[tuple[str | None, int, int, float, list[tuple[int, int | None]]]],
) -> None:
    desk, now, come = Late(), 0, []
    for store, n, wait_s, evidence, each in way:
        for delay_s, ahead_s in each[:n]:
            now += wait_s
            come.append((now + delay_s, in_store(store, now, evidence), ahead_s))
    for arrives, fix, ahead_s in sorted(come, key=lambda one: one[0]):
        if ahead_s is not None and desk.day:
            desk.sweep(at(arrives + ahead_s))
        desk.take(fix)
    desk.sweep(at(now + 20_000))
    kept = {visit.visit_id: visit for visit in desk.phone.visits}
    expected = {key: (visit.left_at, visit.is_counted) for key, visit in kept.items() if not visit.is_void}
    assert view_of(desk.phone.events) == expected
    straight = Late(Run(), now=START)
    for fix in sorted(desk.day, key=lambda one: one.at):
        straight.take(fix)
    assert expected == {key: (v.left_at, v.is_counted) for key, v in straight.finish(at(now + 20_000)).items()}
