"""Shoppers: their days, consents and detours."""

from datetime import date

import numpy as np
import pytest

from sim.shoppers import Shopper
from sim.world import World


@pytest.fixture(scope="module")
def day(world: World) -> list[Shopper]:
    return world.shoppers(0, 300, 10.0)


def test_a_day_is_drawn_again_from_its_seed(world: World, day: list[Shopper]) -> None:
    again = world.shoppers(0, 300, 10.0)
    assert all(np.array_equal(a.trajectory.xy_m, b.trajectory.xy_m) for a, b in zip(day, again, strict=True))
    assert [s.radio for s in day] == [s.radio for s in again]


def test_people_come_back_with_the_same_phones_on_other_ways(world: World, day: list[Shopper]) -> None:
    known = {s.device_id: s for s in day}
    assert len(known) == len(day)
    tomorrow = world.shoppers(1, 300, 10.0)
    back = [s for s in tomorrow if s.device_id in known]
    assert 3 < len(back) < 150
    for shopper in back:
        before = known[shopper.device_id]
        assert (before.radio, before.model, before.scan_phase_s) == (shopper.radio, shopper.model, shopper.scan_phase_s)
        assert before.consents == shopper.consents
        assert before.walk_on(date(2026, 4, 18)) != shopper.walk_on(date(2026, 4, 19))
        assert not np.array_equal(before.trajectory.t_s, shopper.trajectory.t_s)


def test_shoppers_walk_the_days_records(world: World, day: list[Shopper]) -> None:
    history = world.history(visits_a_day=900.0)
    records = history.day(0)
    visits = {int(visit["person"]): row for row, visit in enumerate(records.mall_visits)}
    off_s: list[float] = []
    for shopper in day:
        row = visits[shopper.person]
        assert shopper.arrives_s == pytest.approx(records.mall_visits[row]["arrives_s"])
        stays = records.store_visits[records.store_visits["visit"] == row]
        assert [stop.store_index for stop in shopper.stops] == stays["store"].tolist()
        off_s += [stop.arrives_s - at_s for stop, at_s in zip(shopper.stops, stays["enters_s"].tolist(), strict=True)]
        off_s += [stop.leaves_s - at_s for stop, at_s in zip(shopper.stops, stays["leaves_s"].tolist(), strict=True)]
    assert np.abs(off_s).max() < 60.0  # across the largest store and back
    assert np.quantile(np.abs(off_s), 0.9) < 15.0


def test_the_members_of_a_group_walk_one_way_one_behind_the_other(world: World, day: list[Shopper]) -> None:
    groups: dict[int, list[Shopper]] = {}
    for shopper in day:
        groups.setdefault(shopper.household, []).append(shopper)
    together = [members for members in groups.values() if len(members) > 1]
    assert len(together) > 30
    for first, *others in together:
        for other in others:
            behind_s = other.lag_s - first.lag_s
            at_s = np.linspace(first.arrives_s, first.leaves_s, 40)
            assert np.allclose(first.trajectory.at(at_s)[1], other.trajectory.at(at_s + behind_s)[1], atol=1e-6)
            assert 0.0 < abs(behind_s) < 15.0


def test_a_group_follows_who_turns_without_a_jump(world: World, day: list[Shopper]) -> None:
    first, other = next(
        (a, b) for a in day for b in day if a.household == b.household and a.lag_s < b.lag_s and len(a.stops) > 1
    )
    at_s = first.stops[0].leaves_s + 5.0
    turned = first.with_detour(world.graph, world.graph.n_stores - 1, at_s, np.random.default_rng(1))
    behind = other.following(turned)
    assert behind.device_id == other.device_id
    assert [stop.store_index for stop in behind.stops] == [stop.store_index for stop in turned.stops]
    before_s = np.linspace(other.arrives_s, at_s, 50)
    assert np.allclose(other.trajectory.at(before_s)[1], behind.trajectory.at(before_s)[1])
    with pytest.raises(ValueError, match="behind"):
        first.following(other)


def test_shoppers_arrive_over_the_opening_hours_and_are_gone_before_and_after(world: World, day: list[Shopper]) -> None:
    arrivals_h = np.array([s.arrives_s for s in day]) / 3600.0
    assert arrivals_h.min() < 0.5
    assert 11.0 < arrivals_h.max() < 11.5
    assert (np.diff(arrivals_h) >= 0).all()
    assert np.quantile([s.leaves_s for s in day], 0.98) / 3600.0 < 12.5
    shopper = day[10]
    assert shopper.place_at(shopper.arrives_s - 1.0, world.graph) is None
    assert shopper.place_at(shopper.leaves_s + 1.0, world.graph) is None
    first = shopper.place_at(shopper.arrives_s, world.graph)
    assert first is not None
    assert first.level_index == 0
    assert min(np.hypot(first.xy_m[0] - x, first.xy_m[1] - y) for x, y in world.mall.entrances_xy_m) < 1.0


def test_during_a_stop_the_shopper_is_in_its_store(world: World, day: list[Shopper]) -> None:
    n_stops = 0
    for shopper in day[:60]:
        for stop in shopper.stops:
            for t_s in np.linspace(stop.arrives_s, stop.leaves_s, 5):
                place = shopper.place_at(float(t_s), world.graph)
                assert place is not None
                assert place.store_index == stop.store_index
            n_stops += 1
    assert n_stops > 100


def test_consents_and_ages_cover_all_cases(day: list[Shopper]) -> None:
    cases = {(s.age_band, s.consents) for s in day}
    assert {"adult", "teen", "child", "unknown"} == {age for age, _ in cases}
    assert ("adult", ("visits", "analytics", "marketing")) in cases
    assert ("adult", ()) in cases
    assert any(age in ("child", "unknown") and consents for age, consents in cases)


def test_a_detour_leads_to_the_store_without_a_jump_and_on_with_the_plan(world: World, day: list[Shopper]) -> None:
    graph = world.graph
    shopper = next(s for s in day if len(s.stops) >= 3)
    at_s = shopper.stops[0].arrives_s + 30.0
    target = next(i for i in range(graph.n_stores) if i not in {stop.store_index for stop in shopper.stops})
    changed = shopper.with_detour(graph, target, at_s, np.random.default_rng(1))
    assert shopper.stops != changed.stops
    before_s = np.linspace(shopper.arrives_s, at_s - 0.01, 50)
    assert np.allclose(shopper.trajectory.at(before_s)[1], changed.trajectory.at(before_s)[1])
    assert [stop.store_index for stop in changed.stops] == [
        shopper.stops[0].store_index,
        target,
        *(stop.store_index for stop in shopper.stops[1:]),
    ]
    assert 150.0 <= changed.stops[1].leaves_s - changed.stops[1].arrives_s <= 420.0
    path = changed.trajectory
    assert (np.diff(path.t_s) >= 0).all()
    level_index, xy_m = path.at(np.arange(at_s - 5.0, changed.leaves_s, 1.0))
    same = np.diff(level_index) == 0
    assert np.linalg.norm(np.diff(xy_m, axis=0), axis=1)[same].max() < 2.0


def test_no_detour_outside_the_mall(world: World, day: list[Shopper]) -> None:
    with pytest.raises(ValueError, match="not in the mall"):
        day[0].with_detour(world.graph, 0, day[0].leaves_s + 1.0, np.random.default_rng(1))
