"""The visit rule: when visits begin, go on, end and count, whatever the order and rate of fixes."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.ids import DeviceRef, LevelId, StoreId, VenueId
from scenes.advance import advance, close_all, close_stale, is_late
from scenes.events import SceneEvent
from scenes.rules import PlaceKind, SceneRules, parse_rules
from scenes.state import Fix, Phase, PhoneScene, Visit, restore, snapshot

START = datetime(2026, 11, 22, 10, tzinfo=UTC)
PHONE = DeviceRef("dev_1")
RULES = SceneRules()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def in_store(store: str | None, seconds: float, evidence: float = 0.9) -> Fix:
    """A fix in a store; None stands in the walkway."""
    stores = () if store is None else ((StoreId(store), evidence),)
    return Fix(at(seconds), VenueId("v"), LevelId("F1"), stores, walkway=0.95 if store is None else 0.05)


def run(
    fixes: Sequence[Fix], rules: SceneRules = RULES, scene: PhoneScene | None = None
) -> tuple[PhoneScene, list[SceneEvent], dict[str, Visit]]:
    scene = scene or PhoneScene()
    events: list[SceneEvent] = []
    visits: dict[str, Visit] = {}
    for fix in fixes:
        moved = advance(scene, fix, rules, PHONE)
        scene = moved.scene
        events += moved.events
        visits |= {visit.visit_id: visit for visit in moved.visits}
    return scene, events, visits


def of_store(events: Sequence[SceneEvent]) -> list[str]:
    return [e.type for e in events if e.place is not None and e.place.kind is PlaceKind.STORE and e.visit_id]


def test_three_of_five_fixes_begin_a_visit_that_arrived_at_the_first() -> None:
    scene, events, _ = run([in_store("a", 0), in_store(None, 10), in_store("a", 20), in_store("a", 30)])
    visit = scene.open_visits[PlaceKind.STORE]
    assert (visit.arrived_at, visit.last_inside_at) == (at(0), at(30))
    assert scene.phase is Phase.IN_STORE
    entered = next(e for e in events if e.type == "visit.entered" and e.visit_id == visit.visit_id)
    assert entered.occurred_at == at(30)
    assert entered.data["latency_s"] == 30


def test_two_fixes_begin_no_store_visit() -> None:
    scene, events, _ = run([in_store("a", 0), in_store("a", 10), in_store(None, 20)])
    assert PlaceKind.STORE not in scene.open_visits
    assert of_store(events) == []


def test_weak_evidence_confirms_nothing() -> None:
    scene, _, _ = run([in_store("a", 10 * i, evidence=0.29) for i in range(8)])
    assert PlaceKind.STORE not in scene.open_visits


def test_a_visit_counts_only_after_its_minimum_dwell() -> None:
    short, _, _ = run([in_store("a", 10 * i) for i in range(6)])
    assert not short.open_visits[PlaceKind.STORE].is_counted
    long, _, _ = run([in_store("a", 10 * i) for i in range(7)])
    assert long.open_visits[PlaceKind.STORE].is_counted


def test_another_store_must_be_confirmed_before_the_visit_ends() -> None:
    wavering = [in_store("a" if i % 3 else "b", 10 * i) for i in range(30)]
    _, events, _ = run(wavering)
    assert of_store(events).count("visit.entered") == 1
    assert "visit.exited" not in of_store(events)


def test_moving_on_ends_the_visit_at_the_last_fix_inside() -> None:
    fixes = [in_store("a", 10 * i) for i in range(8)] + [in_store("b", 80 + 10 * i) for i in range(4)]
    _, events, visits = run(fixes)
    first = next(v for v in visits.values() if v.place.id == "a")
    assert first.left_at == at(70)
    assert first.is_counted
    kinds = of_store(events)
    assert kinds == ["visit.entered", "visit.exited", "visit.entered"]
    exited = next(e for e in events if e.type == "visit.exited")
    assert exited.data["reason"] == "moved"


def test_confirmed_walkway_ends_a_store_visit_but_not_the_venue_visit() -> None:
    scene, _, _ = run([in_store("a", 10 * i) for i in range(5)] + [in_store(None, 50 + 10 * i) for i in range(3)])
    assert PlaceKind.STORE not in scene.open_visits
    assert scene.phase is Phase.IN_VENUE


def test_a_gap_closes_inner_visits_first_and_the_phone_is_away() -> None:
    scene, _, _ = run([in_store("a", 10 * i) for i in range(10)])
    swept = close_stale(scene, at(90 + 301), RULES, PHONE)
    exits = [e.place.kind for e in swept.events if e.type == "visit.exited" and e.place]
    assert exits == [PlaceKind.STORE, PlaceKind.LEVEL, PlaceKind.VENUE]
    assert swept.scene.phase is Phase.AWAY
    assert close_stale(scene, at(90 + 300), RULES, PHONE).events == ()


def test_coming_back_within_the_merge_gap_continues_the_visit() -> None:
    away = [in_store(None, 100 + 10 * i) for i in range(4)]
    scene, events, visits = run(
        [in_store("a", 10 * i) for i in range(8)] + away + [in_store("a", 400 + 10 * i) for i in range(4)]
    )
    assert [v.place.id for v in visits.values() if v.place.kind is PlaceKind.STORE] == ["a"]
    assert scene.open_visits[PlaceKind.STORE].arrived_at == at(0)
    assert of_store(events)[:3] == ["visit.entered", "visit.exited", "visit.revised"]


def test_coming_back_after_a_visit_elsewhere_is_a_new_visit_so_that_none_overlap() -> None:
    _, events, _ = run([in_store(store, 40 * i + 10 * j) for i, store in enumerate("aba") for j in range(4)])
    assert of_store(events).count("visit.entered") == 3


def test_a_visit_never_begins_before_the_one_before_it_ended() -> None:
    places = ["a", "a", "b", "a", "b", "b"]
    _, events, visits = run([in_store(place, 10 * i) for i, place in enumerate(places)])
    first, second = (v for v in visits.values() if v.place.kind is PlaceKind.STORE)
    assert (first.place.id, second.place.id) == ("a", "b")
    assert first.left_at == at(30)
    assert second.arrived_at == at(40)
    assert of_store(events) == ["visit.entered", "visit.exited", "visit.entered"]


def test_coming_back_later_is_a_new_visit() -> None:
    later = 70 + 15 * 60 + 1
    _, events, _ = run([in_store("a", 10 * i) for i in range(8)] + [in_store("a", later + 10 * i) for i in range(4)])
    assert of_store(events).count("visit.entered") == 2


def test_dwell_marks_are_told_once() -> None:
    _, events, _ = run([in_store("a", 10 * i) for i in range(90)])
    marks = [e.data["mark_s"] for e in events if e.type == "visit.dwelled"]
    assert marks == [180, 600]


def test_a_slightly_late_fix_joins_in_its_place_and_time_never_goes_back() -> None:
    scene, _, _ = run([in_store("a", 0), in_store("a", 60), in_store("a", 30)])
    assert [fix.at for fix in scene.fixes] == [at(0), at(30), at(60)]
    assert scene.last_at == at(60)
    # with three fixes at "a" up to t = 60, the next one sees the store confirmed from t = 0
    scene, _, _ = run([in_store("a", 61)], scene=scene)
    assert scene.open_visits[PlaceKind.STORE].arrived_at == at(0)


def test_a_late_fix_is_refused() -> None:
    scene, _, _ = run([in_store("a", 200)])
    assert is_late(scene, at(79), RULES)
    with pytest.raises(ValueError, match="late"):
        advance(scene, in_store("a", 79), RULES, PHONE)


def test_withdrawn_consent_closes_everything() -> None:
    scene, _, _ = run([in_store("a", 10 * i) for i in range(10)])
    closed = close_all(scene, at(95), "consent", PHONE)
    assert closed.scene.open_visits == {}
    assert {e.data["reason"] for e in closed.events if e.type == "visit.exited"} == {"consent"}


steps = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None, "lost"]),
        st.one_of(st.integers(1, 30), st.integers(0, 400)),
        st.one_of(st.just(0.9), st.floats(0, 1)),
    ),
    max_size=60,
)


def fixes_from(draws: list[tuple[str | None, int, float]]) -> list[Fix]:
    seconds, fixes = 0, []
    for place, wait, evidence in draws:
        seconds += wait
        fixes.append(Fix(at(seconds)) if place == "lost" else in_store(place, seconds, evidence))
    return fixes


@given(steps)
def test_visits_of_one_kind_never_overlap_and_never_last_less_than_nothing(
    draws: list[tuple[str | None, int, float]],
) -> None:
    _, _, visits = run(fixes_from(draws))
    for kind in PlaceKind:
        spans = sorted((v.arrived_at, v.last_inside_at) for v in visits.values() if v.place.kind is kind)
        for start, end in spans:
            assert start <= end
        for (_, end), (start, _) in itertools.pairwise(spans):
            assert end <= start


@given(steps, st.integers(0, 60))
def test_stopping_anywhere_and_resuming_from_a_snapshot_changes_nothing(
    draws: list[tuple[str | None, int, float]], cut: int
) -> None:
    fixes = fixes_from(draws)
    whole = run(fixes)
    scene, before, _ = run(fixes[:cut])
    resumed, after, _ = run(fixes[cut:], scene=restore(snapshot(scene)))
    assert resumed == whole[0]
    assert before + after == whole[1]


@given(steps)
def test_every_exit_had_an_entry_and_replaying_gives_the_same_ids(draws: list[tuple[str | None, int, float]]) -> None:
    _, events, _ = run(fixes_from(draws))
    entered = {e.visit_id for e in events if e.type == "visit.entered"}
    assert {e.visit_id for e in events if e.type == "visit.exited"} <= entered
    assert [e.event_id for e in run(fixes_from(draws))[1]] == [e.event_id for e in events]
    assert len({e.event_id for e in events}) == len(events)


def test_rules_from_a_table_reach_every_kind_unless_it_says_otherwise() -> None:
    rules = parse_rules({"k": 2, "n": 4, "min_dwell_s": 10, "venue": {"min_dwell_s": 20}, "lateness_s": 30})
    assert (rules.store.k, rules.level.n) == (2, 4)
    assert (rules.store.min_dwell, rules.venue.min_dwell) == (timedelta(seconds=10), timedelta(seconds=20))
    assert rules.lateness == timedelta(seconds=30)
