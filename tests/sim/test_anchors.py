"""Anchor stores and car parks: where they stand, who goes there, and that a mall without them is what it was."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import shapely

from sim.brands import CATEGORIES, EVERYDAY_CATEGORIES
from sim.export import shopper_scans
from sim.history import History
from sim.layout import MallSpec, anchor_ends
from sim.mall import MOST_BAYS, make_mall
from sim.presets import ANCHORS_MALL
from sim.stores import make_stores
from sim.visit_spec import VisitSpec
from sim.walking import make_walking_graph
from sim.world import World, make_world
from tests.imdf_rules import broken_rules
from tests.walking_law import count_steps_through_no_wall
from venues.imdf import read_archive, write_archive

SMALL = MallSpec(n_levels=2, width_m=78, depth_m=52, closes_hour=12, anchors=3, parking_levels=2)
LARGE_M2 = 600.0


@pytest.fixture(scope="module")
def anchors_world() -> World:
    return make_world(7, SMALL)


@pytest.fixture(scope="module")
def large() -> tuple[World, History]:
    """The shipped mall with anchors; its people for a day."""
    world = make_world(7, ANCHORS_MALL)
    return world, world.history()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "spec", [SMALL, ANCHORS_MALL, MallSpec(n_levels=5, width_m=120, depth_m=72, anchors=9, parking_levels=3)]
)
def test_levels_are_covered_without_overlap_and_anchors_take_whole_ends(spec: MallSpec, seed: int) -> None:
    mall = make_mall(spec, np.random.default_rng(seed))
    venue = mall.venue
    assert [level.ordinal for level in venue.levels] == list(range(-spec.parking_levels, spec.n_levels))
    for level in venue.levels:
        areas = [unit.area for unit in venue.units if unit.level_id == level.id]
        assert sum(area.area for area in areas) == pytest.approx(spec.width_m * spec.depth_m)
        assert shapely.union_all(areas).area == pytest.approx(spec.width_m * spec.depth_m)
    ends = {
        (venue.level(store.level_id).ordinal, "west" if store.area.bounds[0] == 0 else "east"): store.category
        for store in venue.stores
        if store.area.bounds[1] == 0 and store.area.bounds[3] == spec.depth_m
    }
    assert ends == anchor_ends(spec)
    assert read_archive(write_archive(mall.archive)).faults == ()
    assert broken_rules(mall.archive) == []


def test_all_three_kinds_of_anchor_stand_where_three_are_asked_for() -> None:
    assert sorted(anchor_ends(ANCHORS_MALL).values()) == ["cinema", "departmentstore", "supermarket"]
    assert anchor_ends(MallSpec()) == {}


def test_parking_has_bays_aisles_and_one_way_in_for_cars(anchors_world: World) -> None:
    venue = anchors_world.mall.venue
    for level in venue.levels[:2]:
        kinds = [unit.category for unit in venue.units if unit.level_id == level.id]
        assert kinds.count("parking") > 60
        assert kinds.count("road") > 3
        assert {"stairs", "elevator", "escalator"} <= set(kinds)
        cars = [d for d in venue.openings if d.level_id == level.id and d.category == "automobile"]
        assert [level.area.boundary.buffer(1e-6).covers(door.line) for door in cars] == [True]
        assert not any(store.level_id == level.id for store in venue.stores)
    assert [level.short_name for level in venue.levels] == ["B2", "B1", "F1", "F2"]


def test_bays_lie_apart_on_every_level_of_parking(anchors_world: World) -> None:
    bays = anchors_world.mall.bays
    assert len(bays) == MOST_BAYS
    assert {level for level, _ in bays} == {0, 1}
    for level_index, (x, y) in bays:
        level_id = anchors_world.mall.venue.levels[level_index].id
        (unit,) = [
            u for u in anchors_world.mall.venue.units if u.level_id == level_id and u.area.contains(shapely.Point(x, y))
        ]
        assert unit.category == "parking"


def test_every_store_entrance_and_bay_is_reached_from_every_other(anchors_world: World) -> None:
    graph = anchors_world.graph
    assert np.isfinite(graph.way_m(graph.destinations)).all()
    assert graph.n_bays == MOST_BAYS


def test_nobody_walks_through_a_wall_between_the_car_and_the_shops(anchors_world: World) -> None:
    shoppers = anchors_world.shoppers(0, 60, 10.0)
    assert count_steps_through_no_wall(anchors_world, shoppers) > 5_000


def test_as_many_come_by_car_as_told_and_each_household_leaves_from_its_own_bay(
    large: tuple[World, History],
) -> None:
    world, history = large
    visits = history.day(3).mall_visits
    n_stores, n_doors = len(world.mall.venue.stores), len(world.mall.entrances_xy_m)
    drives = visits["entrance"] >= n_stores + n_doors
    assert (visits["leaves_by"][drives] == visits["entrance"][drives]).all()
    assert (visits["leaves_by"][~drives] < n_stores + n_doors).all()
    houses, first = np.unique(visits["household"], return_index=True)
    share = drives[first].mean()
    told = VisitSpec().by_car
    assert abs(share - told) < 4 * np.sqrt(told * (1 - told) / len(houses))
    again = history.day(10).mall_visits
    drives_again = dict(
        zip(again["household"].tolist(), (again["entrance"] >= n_stores + n_doors).tolist(), strict=True)
    )
    both = [house for house in houses.tolist() if house in drives_again]
    now = dict(zip(visits["household"].tolist(), drives.tolist(), strict=True))
    assert len(both) > 20
    assert all(drives_again[house] == now[house] for house in both)  # a household always or never drives
    none = replace(history, visit_spec=replace(history.visit_spec, by_car=0.0)).day(3).mall_visits
    assert (none["entrance"] < n_stores + n_doors).all()


def test_who_comes_by_car_scans_first_and_last_on_the_parking_and_in_no_store(anchors_world: World) -> None:
    walks: dict[str, list[tuple[str | None, str | None]]] = {}
    for scan in shopper_scans(anchors_world, n_shoppers=30, on=date(2026, 4, 18)):
        walks.setdefault(scan.walk or "", []).append((scan.truth.level, scan.truth.store_id))
    parked = [walk for walk in walks.values() if walk[0][0] in ("B1", "B2")]
    assert 5 <= len(parked) <= 25
    for walk in parked:
        assert walk[-1][0] == walk[0][0]
        assert all(store is None for level, store in walk if level in ("B1", "B2"))
        assert any(store is not None for _, store in walk)


def test_the_parking_is_surveyed_and_heard(anchors_world: World) -> None:
    survey = anchors_world.survey(scans_per_store=3)
    below = [scan for scan in survey if scan.truth.level in ("B1", "B2")]
    assert len(below) > 600
    assert np.median([len(scan.scan.readings) for scan in below]) > 15
    assert all(scan.truth.store_id is None for scan in below)


def test_people_want_anchors_and_large_stores_more_than_common_ones(large: tuple[World, History]) -> None:
    world, history = large
    venue = world.mall.venue
    n = np.bincount(history.day(3).store_visits["store"], minlength=len(venue.stores))
    anchors = [i for i, store in enumerate(venue.stores) if store.area.area > LARGE_M2]
    assert len(anchors) == 3
    assert n[anchors].min() > 1.5 * n.mean()


def test_where_no_anchor_stands_nobody_wants_one(world: World, history: History) -> None:
    wanted = {CATEGORIES[i] for i in make_stores(world.mall, world.graph).category}
    assert wanted <= set(EVERYDAY_CATEGORIES)
    assert len(history.day(3).store_visits) > 3_000
    assert history.stores.n_bays == 0
    assert history.stores.n_entrances == 2


def test_the_same_seed_gives_the_same_bytes(anchors_world: World) -> None:
    again = make_world(7, SMALL)
    assert write_archive(again.mall.archive) == write_archive(anchors_world.mall.archive)
    assert np.array_equal(again.radio.mean_dbm, anchors_world.radio.mean_dbm, equal_nan=True)
    graph = make_walking_graph(again.mall.venue, again.mall.entrances_xy_m, again.mall.bays)
    assert np.array_equal(graph.predecessors, anchors_world.graph.predecessors)


@pytest.mark.parametrize(
    ("changes", "found"),
    [({"anchors": 6}, "5 ends"), ({"anchors": -1}, "found anchors=-1"), ({"parking_levels": 6}, "parking_levels")],
)
def test_more_than_fits_is_refused(changes: dict[str, int], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        MallSpec(**changes)  # type: ignore[arg-type]  # every field named here is a whole number
