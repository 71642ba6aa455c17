"""Worlds on maps that were made elsewhere: whatever is drawn, people get in, get everywhere and cross no wall."""

from datetime import date

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, MultiPolygon, Polygon, box

from sim.brands import BRANDS, CATEGORIES
from sim.export import shopper_scans
from sim.imported import UnwalkableVenueError, import_mall
from sim.imported_spec import ImportedSpec, OpenHours
from sim.layout import MallSpec
from sim.likings import brand_of, category_of
from sim.mall import SimulatedMall
from sim.radio_spec import RadioSpec
from sim.tidy import tidy
from sim.walking import WalkingGraph, make_walking_graph
from sim.walls import barriers
from sim.world import World, make_world
from tests.imdf_rules import broken_rules
from tests.sim.odd_maps import DEPTH_M, WIDTH_M, drawn_venue, odd_venue, venue_of
from tests.walking_law import count_steps_through_no_wall
from venues.build import build_venue
from venues.imdf import read_archive, write_archive
from venues.model import Opening, Venue

FEW_RADIOS = RadioSpec(area_per_access_point_m2=150.0, area_per_beacon_m2=900.0)


def spec_of(mall: SimulatedMall) -> ImportedSpec:
    assert isinstance(mall.spec, ImportedSpec)
    return mall.spec


def graph_of(mall: SimulatedMall) -> WalkingGraph:
    return make_walking_graph(mall.venue, mall.entrances_xy_m, mall.bays, has_walls_anywhere=True)


@pytest.fixture(scope="module")
def odd_world() -> World:
    return make_world(3, MallSpec(closes_hour=13), FEW_RADIOS, venue=odd_venue())


def test_units_of_a_tidy_map_neither_overlap_nor_leave_their_level_and_floor_fills_the_rest() -> None:
    venue = tidy(odd_venue())
    for level in venue.levels:
        areas = [unit.area for unit in venue.units if unit.level_id == level.id]
        assert all(area.is_valid and level.area.buffer(1e-6).covers(area) for area in areas)
        assert sum(area.area for area in areas) == pytest.approx(shapely.union_all(areas).area, abs=1e-3)
        assert sum(area.area for area in areas) == pytest.approx(level.area.area, abs=2.0)  # less slivers
    area_of = {store.name: store.area for store in venue.stores}
    assert area_of["Shop 0-2"].area == pytest.approx(9.0)  # the shop in the shop keeps its place


def test_what_nobody_can_have_is_shut_and_all_else_is_reached_from_everywhere(odd_world: World) -> None:
    spec = spec_of(odd_world.mall)
    assert {name.removeprefix("st_shop") for name in spec.shut} == {"0-6", "0-7"}  # walled in; too narrow to stand in
    assert spec.doors >= len(odd_world.mall.venue.stores) == 10
    assert spec.stairs >= 1
    assert 1 <= spec.entrances <= 4
    assert np.isfinite(odd_world.graph.way_m(odd_world.graph.destinations)).all()


def test_nobody_walks_through_the_polygons_of_an_odd_map(odd_world: World) -> None:
    assert count_steps_through_no_wall(odd_world, odd_world.shoppers(0, 60, 10.0)) > 3_000


def test_a_slit_narrower_than_a_cell_is_a_wall(odd_world: World) -> None:
    graph, venue = odd_world.graph, odd_world.mall.venue
    store = next(i for i, one in enumerate(venue.stores) if one.name == "Shop 0-4")
    left, right = (int(graph.grid.cell_of((x, 29.5))) for x in (7.5, 8.5))
    assert graph.grid.is_straight_way_inside(0, left, right, store)  # the cells do not know of it
    assert not graph.is_straight_way_inside(0, left, right, store)


def test_somebody_in_a_cell_that_a_wall_parts_goes_on_from_their_own_side(odd_world: World) -> None:
    graph, venue = odd_world.graph, odd_world.mall.venue
    rng = np.random.default_rng(2)
    n_other = 0
    for i, level in enumerate(venue.levels):
        walls = barriers(venue, level.id)
        for x, y in rng.uniform((1, 1), (WIDTH_M - 1, DEPTH_M - 1), (4_000, 2)).tolist():
            node = graph.node_of(i, (x, y))
            xy_m = graph.place_of(np.array([node]))[1][0]
            crosses = walls.intersects(LineString([(x, y), xy_m]))
            own = i * graph.grid.n_cells + int(graph.grid.cell_of((x, y)))
            n_other += node != own
            assert not crosses or node == own  # it keeps its cell only where no neighbour is free either
    assert n_other > 20


def test_surveys_and_shoppers_hear_the_radios_of_an_imported_map(odd_world: World) -> None:
    survey = odd_world.survey(scans_per_store=6)
    venue = odd_world.mall.venue
    assert {scan.truth.store_id for scan in survey} == {None, *(store.id for store in venue.stores)}
    assert {scan.truth.level for scan in survey} == {"F1", "F2"}
    assert np.median([len(scan.scan.readings) for scan in survey]) > 8
    scans = list(shopper_scans(odd_world, n_shoppers=8, on=date(2026, 4, 18)))
    assert len(scans) > 200
    assert all(10 <= (scan.scan.at.hour + 8) % 24 <= 13 for scan in scans)  # open from 10 to 13, and the way out


def test_the_same_map_and_seed_give_the_same_bytes(odd_world: World) -> None:
    again = make_world(3, MallSpec(closes_hour=13), FEW_RADIOS, venue=odd_venue())
    assert write_archive(again.mall.archive) == write_archive(odd_world.mall.archive)
    assert np.array_equal(again.radio.mean_dbm, odd_world.radio.mean_dbm, equal_nan=True)
    assert np.array_equal(again.graph.predecessors, odd_world.graph.predecessors)


def test_the_exported_map_is_valid_and_needs_nothing_more(odd_world: World) -> None:
    archive = odd_world.mall.archive
    assert broken_rules(archive, own_occupants=False) == []
    read = read_archive(write_archive(archive))
    assert read.faults == ()
    built = build_venue(read.archive, odd_world.mall.venue.id)
    assert {store.id for store in built.stores} == {store.id for store in odd_world.mall.venue.stores}
    again = spec_of(import_mall(built))
    assert (again.doors, again.stairs, again.entrances, again.shut) == (0, 0, 0, ())


@pytest.mark.parametrize("seed", range(25))
def test_random_polygons_make_a_mall_that_keeps_the_laws_or_are_refused_with_a_reason(seed: int) -> None:
    venue = drawn_venue(seed)
    try:
        mall = import_mall(venue)
    except UnwalkableVenueError as error:
        assert any(word in str(error) for word in ("joins levels", "no floor", "can be reached", "no stores"))
        return
    assert len(mall.venue.stores) + len(spec_of(mall).shut) <= len(venue.stores)
    assert broken_rules(mall.archive, own_occupants=False) == []
    graph = graph_of(mall)
    assert np.isfinite(graph.way_m(graph.destinations)).all()


def test_most_random_maps_can_be_walked() -> None:
    n = 0
    for seed in range(25):
        try:
            n += bool(import_mall(drawn_venue(seed)).venue.stores)
        except UnwalkableVenueError:
            continue
    assert n >= 15


def test_doors_stairs_and_entrances_of_the_map_itself_are_kept_and_nothing_is_added() -> None:
    doors = tuple(
        Opening(f"door{i}-{level}", level, "pedestrian", LineString(ends))  # type: ignore[arg-type]  # a level's id
        for level in ("level0", "level1")
        for i, ends in enumerate([[(14, 12), (17, 12)], [(31, 12), (33, 12)]])
    )
    street = Opening("street", doors[0].level_id, "pedestrian.principal", LineString([(20, 0), (23, 0)]))
    plan = [("store:fashion", box(10, 12, 20, 20)), ("stairs", box(30, 12, 34, 18))]
    mall = import_mall(venue_of({0: list(plan), 1: list(plan)}, openings=(*doors, street)))
    assert spec_of(mall) == ImportedSpec(10, 22, 8)
    assert mall.entrances_xy_m == ((21.5, 0.5),)
    assert [door.id for door in mall.venue.openings] == [door.id for door in (*doors, street)]


def test_stairs_without_a_door_get_one_and_no_others_are_put_up() -> None:
    plan = [("store:fashion", box(10, 12, 20, 20)), ("elevator", box(30, 12, 34, 18))]
    spec = spec_of(import_mall(venue_of({0: list(plan), 1: list(plan)})))
    assert (spec.doors, spec.stairs) == (4, 0)


def test_parts_of_the_ground_level_are_joined_over_the_street_and_others_are_not() -> None:
    parts = MultiPolygon([box(0, 0, 20, 30), box(30, 0, 50, 30)])
    ground = [("store:fashion", box(2, 2, 10, 10)), ("store:books", box(40, 2, 48, 10))]
    mall = import_mall(venue_of({0: ground}, outline=parts))
    assert spec_of(mall).shut == ()
    (level,) = mall.venue.levels
    assert isinstance(level.area, Polygon)
    assert level.area.area > parts.area + 30.0
    above = import_mall(venue_of({0: [("store:toys", box(4, 12, 9, 17))], 1: ground}, outline=parts))
    assert [name.removeprefix("st_shop") for name in spec_of(above).shut] == ["1-1"]


def test_who_comes_by_car_begins_in_the_bays_of_the_map() -> None:
    bays = [("parking", box(2 + 3 * i, 2, 5 + 3 * i, 7)) for i in range(12)]
    mall = import_mall(venue_of({-1: list(bays), 0: [("store:fashion", box(10, 12, 20, 20))]}))
    assert len(mall.bays) == 12
    assert {level for level, _ in mall.bays} == {0}


@pytest.mark.parametrize(
    ("venue", "reason"),
    [
        (venue_of({0: [("walkway", box(0, 0, 9, 9))]}), "no stores"),
        (venue_of({0: [("store:toys", box(1, 1, 9, 9))]}, outline={0: Polygon()}), "F1 has no outline"),
        (venue_of({0: [("store:toys", box(1, 1, 9, 9))], 2: []}), r"without gaps, found ordinals \[0, 2\]"),
        (venue_of({0: [("store:toys", box(0, 0, WIDTH_M, DEPTH_M))]}), "F1 has no floor"),
        (
            venue_of(
                {0: [("store:toys", box(1, 1, 9, 9))], 1: [("store:books", box(101, 1, 109, 9))]},
                outline={0: box(0, 0, 30, 30), 1: box(100, 0, 130, 30)},
            ),
            "nothing joins levels F1 and F2",
        ),
        (
            venue_of({0: [("nonpublic", box(2, 2, 20, 20)), ("store:toys", box(8, 8, 12, 12))]}),
            "none of the 1 stores",
        ),
    ],
)
def test_a_map_that_cannot_be_walked_is_refused_with_what_is_missing(venue: Venue, reason: str) -> None:
    with pytest.raises(UnwalkableVenueError, match=reason):
        import_mall(venue)


def test_levels_side_by_side_are_refused() -> None:
    venue = venue_of({0: [("store:toys", box(1, 1, 9, 9))], 1: []})
    twice = Venue(
        id=venue.id,
        name=venue.name,
        frame=venue.frame,
        levels=(venue.levels[0], *(type(level)(level.id, "X", "X", 0, level.area) for level in venue.levels[1:])),
        units=venue.units,
        stores=venue.stores,
        openings=(),
    )
    with pytest.raises(UnwalkableVenueError, match="one building"):
        import_mall(twice)


def test_every_category_of_a_map_means_one_that_people_have_a_taste_for() -> None:
    venue = odd_venue()
    named = {store.name: CATEGORIES[category_of(store)] for store in venue.stores}
    assert named["Shop 0-1"] == "restaurant"
    assert named["Shop 0-2"] == "beautysalon"  # "services"
    assert named["Shop 1-2"] == "cinema"
    assert named["Shop 0-0"] not in {"restaurant", "coffee", "cinema", "departmentstore"}  # "shopping"
    for store in venue.stores:
        assert BRANDS[brand_of(store)].category == named[store.name]


def test_an_imported_mall_keeps_the_hours_it_is_told() -> None:
    mall = import_mall(odd_venue(), OpenHours(9, 21, 1))
    spec = spec_of(mall)
    assert (spec.opens_hour, spec.closes_hour, spec.utc_offset_h) == (9, 21, 1)
