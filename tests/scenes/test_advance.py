"""The visit rule: when visits begin, go on, end and count, whatever the order and rate of fixes."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.ids import DeviceRef, VenueId
from scenes.advance import Phones, advance, close_all
from scenes.fix import pack_fixes
from scenes.places import PlaceBook
from scenes.record import new_record, presence_of, restore, snapshot
from scenes.rules import PlaceKind, SceneRules, parse_rules
from scenes.service_day import ServiceDays, service_day_start
from scenes.state import Fix, Phase, Presence
from tests.scenes.in_words import DAYS, PHONE, Run, at, fixes_from, in_store, run, steps

Draws = list[tuple[str | None, int, float]]


def test_three_of_five_fixes_begin_a_visit_that_arrived_at_the_first() -> None:
    made = run([in_store("a", 0), in_store(None, 10), in_store("a", 20), in_store("a", 30)])
    visit = made.open[PlaceKind.STORE]
    assert (visit.arrived_at, visit.last_inside_at) == (at(0), at(30))
    assert made.phase is Phase.IN_STORE
    entered = next(e for e in made.events if e.type == "visit.entered" and e.visit_id == visit.visit_id)
    assert entered.occurred_at == at(30)
    assert entered.data["latency_s"] == 30
    assert visit.confidence == pytest.approx(0.9, abs=0.003)
    assert visit.fix_count == 3


def test_two_fixes_begin_no_store_visit_but_weak_presence_and_then_the_venues() -> None:
    one = run([in_store("a", 0)])
    assert presence_of(one.record) is Presence.WEAK
    made = run([in_store("a", 0), in_store("a", 10), in_store(None, 20)])
    assert PlaceKind.STORE not in made.open
    assert made.of_store() == []
    assert presence_of(made.record) is Presence.CONFIRMED
    assert presence_of(run([in_store("a", 0), Fix(at(10))]).record) is None


def test_weak_evidence_confirms_nothing() -> None:
    assert PlaceKind.STORE not in run([in_store("a", 10 * i, evidence=0.29) for i in range(8)]).open


def test_a_visit_counts_only_after_its_minimum_dwell() -> None:
    assert not run([in_store("a", 10 * i) for i in range(6)]).open[PlaceKind.STORE].is_counted
    assert run([in_store("a", 10 * i) for i in range(7)]).open[PlaceKind.STORE].is_counted


def test_another_store_must_be_confirmed_before_the_visit_ends() -> None:
    made = run([in_store("a" if i % 3 else "b", 10 * i) for i in range(30)])
    assert made.of_store().count("visit.entered") == 1
    assert "visit.exited" not in made.of_store()


def test_a_run_of_wrong_answers_breaks_no_stay() -> None:
    stay = [in_store("a", 10 * i) for i in range(10)]
    assert run(stay + [in_store("b", 100 + 10 * i) for i in range(4)]).open[PlaceKind.STORE].place.id == "a"
    assert run(stay + [in_store("b", 100 + 10 * i) for i in range(5)]).open[PlaceKind.STORE].place.id == "b"
    unsure = [in_store("b", 100 + 10 * i, 0.8) for i in range(17)]
    assert run(stay + unsure).open[PlaceKind.STORE].place.id == "a"


def test_a_store_that_is_heard_badly_is_entered_at_last() -> None:
    stay = [in_store("a", 10 * i) for i in range(10)]
    unsure = [in_store("b", 100 + 10 * i, 0.5) for i in range(19)]
    made = run(stay + unsure).open[PlaceKind.STORE]
    assert (made.place.id, made.arrived_at) == ("b", at(240))


def test_moving_on_ends_the_visit_at_the_last_fix_inside() -> None:
    made = run([in_store("a", 10 * i) for i in range(8)] + [in_store("b", 80 + 10 * i) for i in range(5)])
    first = next(v for v in made.visits if v.place.id == "a")
    assert first.left_at == at(70)
    assert first.is_counted
    assert made.of_store() == ["visit.entered", "visit.exited", "visit.entered"]
    exited = next(e for e in made.events if e.type == "visit.exited")
    assert exited.data["reason"] == "moved"


def test_confirmed_walkway_ends_a_store_visit_but_not_the_venue_visit() -> None:
    made = run([in_store("a", 10 * i) for i in range(5)] + [in_store(None, 50 + 10 * i) for i in range(3)])
    assert PlaceKind.STORE not in made.open
    assert made.phase is Phase.IN_VENUE


def test_a_gap_closes_inner_visits_first_and_the_phone_is_away() -> None:
    fixes = [in_store("a", 10 * i) for i in range(10)]
    swept = run(fixes)
    exits = [e.place.kind for e in swept.sweep(at(90 + 301)) if e.type == "visit.exited" and e.place]
    assert exits == [PlaceKind.STORE, PlaceKind.LEVEL, PlaceKind.VENUE]
    assert swept.phase is Phase.AWAY
    assert run(fixes).sweep(at(90 + 300)) == []


def test_coming_back_within_the_merge_gap_continues_the_visit() -> None:
    away = [in_store(None, 100 + 10 * i) for i in range(4)]
    made = run([in_store("a", 10 * i) for i in range(8)] + away + [in_store("a", 400 + 10 * i) for i in range(4)])
    assert [v.place.id for v in made.visits if v.place.kind is PlaceKind.STORE] == ["a"]
    assert made.open[PlaceKind.STORE].arrived_at == at(0)
    assert made.of_store()[:3] == ["visit.entered", "visit.exited", "visit.revised"]


def test_coming_back_after_a_visit_elsewhere_is_a_new_visit_so_that_none_overlap() -> None:
    made = run([in_store(store, 50 * i + 10 * j) for i, store in enumerate("aba") for j in range(5)])
    assert made.of_store().count("visit.entered") == 3


def test_a_visit_never_begins_before_the_one_before_it_ended() -> None:
    hasty = parse_rules({"fast": {"store": {"switch_k": 3, "switch_evidence": 0.0}}})
    made = run([in_store(place, 10 * i) for i, place in enumerate(["a", "a", "b", "a", "b", "b"])], hasty)
    first, second = (v for v in made.visits if v.place.kind is PlaceKind.STORE)
    assert (first.place.id, second.place.id) == ("a", "b")
    assert first.left_at == at(30)
    assert second.arrived_at == at(40)
    assert made.of_store() == ["visit.entered", "visit.exited", "visit.entered"]


def test_coming_back_later_is_a_new_visit() -> None:
    later = 70 + 15 * 60 + 1
    made = run([in_store("a", 10 * i) for i in range(8)] + [in_store("a", later + 10 * i) for i in range(4)])
    assert made.of_store().count("visit.entered") == 2


def test_dwell_marks_are_told_once() -> None:
    made = run([in_store("a", 10 * i) for i in range(90)])
    assert [e.data["mark_s"] for e in made.events if e.type == "visit.dwelled"] == [180, 600]


def test_a_fix_that_is_no_newer_is_left_alone() -> None:
    made = Run()
    done = made.take([in_store("a", 0), in_store("a", 60), in_store("b", 60), in_store("b", 30)])
    assert done.is_late.tolist() == [False, False, True, True]
    assert (done.after[2] == done.after[1]).all()


def test_withdrawn_consent_closes_everything() -> None:
    made = run([in_store("a", 10 * i) for i in range(10)])
    record, told = close_all(made.record, PHONE, at(95), "consent", made.book)
    assert {e.event.data["reason"] for e in told if e.event.type == "visit.exited"} == {"consent"}
    after = Run(book=made.book, record=record)
    assert after.open == {}
    assert after.phase is Phase.AWAY
    assert close_all(new_record(), PHONE, at(0), "consent", made.book)[1] == ()


def test_two_fixes_half_a_minute_apart_are_enough_for_a_phone_that_scans_no_oftener() -> None:
    assert PlaceKind.STORE in run([in_store("a", 31 * i) for i in range(3)]).open
    assert PlaceKind.STORE not in run([in_store("a", 10 * i) for i in range(2)]).open


def test_a_phone_that_scans_twice_an_hour_enters_where_it_is_all_but_sure_and_is_weakly_there_otherwise() -> None:
    half_hour = 1_860
    weak = run([in_store("a" if i % 2 else "b", half_hour * i, 0.8) for i in range(4)])
    assert PlaceKind.STORE not in weak.open
    assert PlaceKind.VENUE in weak.open  # a fix in the venue is sure of the venue
    sure = run([in_store("b", 0, 0.8), in_store("a", half_hour, 0.96)])
    assert sure.open[PlaceKind.STORE].place.id == "a"
    assert not sure.open[PlaceKind.STORE].is_counted
    stayed = run([in_store("b", 0, 0.8), in_store("a", half_hour, 0.8), in_store("a", 2 * half_hour, 0.8)])
    assert stayed.open[PlaceKind.STORE].is_counted


def test_one_silence_makes_no_sparse_phone_of_a_busy_one() -> None:
    fixes = [in_store("a", 10 * i) for i in range(6)] + [in_store("b", 3_600, 0.97), in_store("b", 3_610, 0.97)]
    made = run(fixes)
    assert PlaceKind.STORE not in made.open
    made.take([in_store("b", 3_620, 0.97)])
    assert made.open[PlaceKind.STORE].place.id == "b"


def test_every_visit_ends_with_the_day_of_its_venue() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    night = datetime(2026, 11, 22, 19, 58, tzinfo=UTC)  # 03:58 there
    assert service_day_start(night, zone) == datetime(2026, 11, 21, 20, tzinfo=UTC)
    days = ServiceDays({VenueId("v"): zone})
    fixes = [replace(in_store("a", 0), at=night + timedelta(seconds=20 * i)) for i in range(14)]
    book = PlaceBook()
    rows = pack_fixes(fixes, book, days)
    done = advance(Phones([PHONE], new_record()[None]), [0] * 14, rows, SceneRules().packed(), book)
    exits = [told.event for told in done.told if told.event.type == "visit.exited"]
    assert {event.data["reason"] for event in exits} == {"closed"}
    assert {event.data["left_at"] for event in exits} == {night + timedelta(seconds=100)}
    entered = [told.event for told in done.told if told.event.type == "visit.entered" and told.event.place]
    assert [event.data["arrived_at"] for event in entered][-1] == night + timedelta(seconds=120)


def test_a_sweep_after_the_day_is_over_closes_and_a_fix_of_yesterday_changes_nothing() -> None:
    made = run([in_store("a", 10 * i) for i in range(9)])
    tomorrow = made.sweep(at(24 * 3_600))
    assert {e.data["reason"] for e in tomorrow if e.type == "visit.exited"} == {"closed"}
    assert made.open == {}
    assert made.sweep(at(24 * 3_600 + 5)) == []
    assert made.take([in_store("a", 5)]).is_late.tolist() == [True]


def test_a_front_is_passed_once_and_not_by_one_who_visits() -> None:
    walk = [in_store(None, 10 * i, front=store) for i, store in enumerate(["p", "p", "q", "r", "q"])]
    passed = [e for e in run(walk).events if e.type == "place.passed"]
    assert [e.place.id for e in passed if e.place] == ["p", "q", "r"]
    assert passed[0].occurred_at == at(0)
    visiting = [in_store(None, 0, front="a"), *[in_store("a", 10 * i) for i in range(1, 8)]]
    leaving = [in_store(None, 80 + 10 * i, front="a") for i in range(3)] + [in_store(None, 120, front="q")]
    made = run(visiting + leaving)
    assert [e.place.id for e in made.events if e.type == "place.passed" and e.place] == []
    assert [e.place.id for e in made.sweep(at(120 + 301)) if e.type == "place.passed" and e.place] == ["q"]


def test_leaving_is_two_fixes_at_a_way_out_and_approaching_what_the_phone_says() -> None:
    fixes = [in_store(None, 10 * i) for i in range(3)]
    made = run([*fixes, *(replace(in_store(None, 30 + 10 * i), is_at_exit=True) for i in range(2))])
    assert made.phase is Phase.LEAVING
    assert run([*fixes, replace(in_store(None, 30), is_at_exit=True)]).phase is Phase.IN_VENUE
    coming = run([Fix(at(0), is_approaching=True)])
    assert coming.phase is Phase.APPROACHING
    assert coming.sweep(at(60)) == []
    assert [e.type for e in coming.sweep(at(301))] == ["phase.changed"]


def test_another_venue_must_be_heard_twice() -> None:
    made = run([in_store("a", 10 * i) for i in range(9)])
    made.take([in_store("x", 90, venue="w"), in_store("a", 100)])
    assert {visit.place.venue_id for visit in made.open.values()} == {"v"}
    made.take([in_store("x", 110 + 10 * i, venue="w") for i in range(4)])
    assert {visit.place.venue_id for visit in made.open.values()} == {"w"}


@given(steps)
@settings(deadline=None)
def test_visits_of_one_kind_never_overlap_and_counted_ones_last(draws: Draws) -> None:
    rules = SceneRules()
    made = run(fixes_from(draws), rules)
    for kind in PlaceKind:
        of_kind = [v for v in made.visits if v.place.kind is kind]
        spans = sorted((v.arrived_at, v.last_inside_at) for v in of_kind)
        assert all(start <= end for start, end in spans)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
        for visit in of_kind:
            assert visit.is_counted == (visit.last_inside_at - visit.arrived_at >= rules.of(kind).min_dwell)


@given(steps, st.integers(0, 60))
@settings(deadline=None)
def test_stopping_anywhere_and_resuming_from_a_snapshot_changes_nothing(draws: Draws, cut: int) -> None:
    fixes = fixes_from(draws)
    whole = run(fixes)
    first = run(fixes[:cut])
    book = PlaceBook()
    book.store(book.venue(VenueId("another")), in_store("z", 0).stores[0][0])  # this process has other numbers
    second = Run(book=book, record=restore(snapshot(first.record, first.book), book))
    second.take(fixes[cut:])
    assert second.open == whole.open
    assert first.events + second.events == whole.events


@given(steps, st.lists(st.integers(1, 20), min_size=1))
@settings(deadline=None)
def test_any_batches_and_any_sweeps_between_give_the_same_visits(draws: Draws, sizes: list[int]) -> None:
    fixes = fixes_from(draws)
    whole = run(fixes)
    parts, swept = Run(), Run()
    taken = 0
    for size in itertools.cycle(sizes):
        if taken >= len(fixes):
            break
        part = fixes[taken : taken + size]
        parts.take(part)
        swept.take(part)
        swept.sweep(part[-1].at + timedelta(seconds=size * 20) if taken + size >= len(fixes) else part[-1].at)
        taken += size
    assert parts.events == whole.events
    assert (parts.record == whole.record).all()
    whole.sweep(at(10**6))
    swept.sweep(at(10**6))
    assert {v.visit_id: v for v in swept.visits} == {v.visit_id: v for v in whole.visits}


@given(steps)
@settings(deadline=None)
def test_every_exit_had_an_entry_and_replaying_gives_the_same_ids(draws: Draws) -> None:
    made = run(fixes_from(draws))
    entered = {e.visit_id for e in made.events if e.type == "visit.entered"}
    assert {e.visit_id for e in made.events if e.type == "visit.exited"} <= entered
    assert [e.event_id for e in run(fixes_from(draws)).events] == [e.event_id for e in made.events]
    told = [e.event_id for e in made.events if e.type != "place.passed"]
    assert len(set(told)) == len(told)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["a", "b", None, "lost"]), st.integers(1, 60)), max_size=80)
)
@settings(deadline=None)
def test_many_phones_in_one_batch_are_as_each_by_itself(drawn: list[tuple[int, str | None, int]]) -> None:
    phones = [DeviceRef(f"dev_{i}") for i in range(5)]
    fixes = fixes_from([(place, wait, 0.9) for _, place, wait in drawn])
    whose = [phone for phone, _, _ in drawn]
    book = PlaceBook()
    rows = pack_fixes(fixes, book, DAYS)
    rules = SceneRules().packed()
    together = advance(Phones(phones, np.zeros((5, 32), dtype=np.int32)), whose, rows, rules, book)
    for phone, ref in enumerate(phones):
        own = [at for at, who in enumerate(whose) if who == phone]
        alone = advance(Phones([ref], new_record()[None]), [0] * len(own), rows.take(own), rules, book)
        assert (alone.records[0] == together.records[phone]).all()
        told = [one.event for one in together.told if whose[one.fix] == phone]
        assert told == [one.event for one in alone.told]


def test_rules_from_a_table_reach_every_kind_and_rate_unless_it_says_otherwise() -> None:
    rules = parse_rules(
        {"k": 2, "n": 4, "min_dwell_s": 10, "venue": {"min_dwell_s": 20}, "lateness_s": 30, "slow": {"store": {"k": 1}}}
    )
    assert (rules.fast.store.k, rules.fast.level.n) == (2, 4)
    assert (rules.fast.store.min_dwell, rules.sparse.venue.min_dwell) == (timedelta(seconds=10), timedelta(seconds=20))
    assert rules.lateness == timedelta(seconds=30)
    assert (rules.slow.store.k, rules.slow.level.k) == (1, 2)
