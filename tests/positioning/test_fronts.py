"""The flat table of store fronts against the map's own index, which measures with a geometry library."""

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon

from kernel.ids import LevelId, StoreId, UnitId, VenueId
from positioning.fronts import FrontTable, build_front_table
from positioning.kernels.fronts import N_CANDIDATES
from sim.world import World
from tests.venues.tiny_mall import tiny_mall
from venues.build import build_venue
from venues.frame import LocalFrame
from venues.index import VenueIndex
from venues.model import Area, Level, Store, Venue

N_POINTS = 500
MARGIN_M = 8.0
"""How far beyond its stores a level is asked about; the table's grid reaches 10 m."""


def table_of(venue: Venue) -> FrontTable:
    table = build_front_table(venue)
    assert table is not None
    return table


def crowded_venue() -> Venue:
    """Two levels of 90 and 8 stores, scattered and overlapping: boxes, triangles, rings and pairs."""
    rng = np.random.default_rng(11)
    levels = tuple(Level(LevelId(name), name, name, i, shapely.box(0, 0, 120, 80)) for i, name in enumerate("AB"))
    stores = []
    for number in range(98):
        x, y = rng.uniform((0.0, 0.0), (110.0, 70.0))
        w, h = rng.uniform(3.0, 10.0, 2)
        box = shapely.box(x, y, x + w, y + h)
        shapes: tuple[Area, ...] = (
            box,
            shapely.Polygon([(x, y), (x + w, y), (x, y + h)]),
            shapely.Polygon(box.exterior, [shapely.box(x + w / 3, y + h / 3, x + w / 2, y + h / 2).exterior]),
            MultiPolygon([shapely.box(x, y, x + w / 3, y + h), shapely.box(x + w / 2, y, x + w, y + h)]),
        )
        name, level, area = f"s{number:02}", levels[number >= 90].id, shapes[number % 4]
        stores.append(Store(StoreId(name), name, "shopping", UnitId(name), level, area, area.representative_point()))
    return Venue(VenueId("v"), "v", LocalFrame(0, 0), levels, (), tuple(stores), ())


def points_about(venue: Venue, level: Level, rng: np.random.Generator) -> NDArray[np.float64]:
    bounds = shapely.total_bounds([store.area for store in venue.stores if store.level_id == level.id])
    return rng.uniform(bounds[:2] - MARGIN_M, bounds[2:] + MARGIN_M, (N_POINTS, 2))


@pytest.fixture(params=["tiny", "crowded", "simulated"])
def venue(request: pytest.FixtureRequest, small_world: World) -> Venue:
    if request.param == "tiny":
        return build_venue(tiny_mall(), VenueId("tiny"))
    return crowded_venue() if request.param == "crowded" else small_world.mall.venue


def test_the_nearest_fronts_are_the_index_s(venue: Venue) -> None:
    """The ten nearest. The table lists the 20 nearest to the middle of a 4 m cell, at most 2.83 m from the place, so
    the ten are sure to be among them where the twentieth is 5.66 m farther than the tenth: at most places here."""
    table, index = table_of(venue), VenueIndex(venue)
    rng = np.random.default_rng(12)
    for number, level in enumerate(venue.levels):
        xy_m = points_about(venue, level, rng)
        twenty, twenty_m = index.nearest_fronts(level.id, xy_m, N_CANDIDATES)
        is_sure = twenty_m[:, -1] > np.nan_to_num(twenty_m[:, 9], posinf=0.0) + 5.66
        assert is_sure.mean() > 0.9
        truth, truth_m = twenty[is_sure, :10], twenty_m[is_sure, :10]
        xy_m = xy_m[is_sure]
        store, signed_m = table.measure(xy_m, np.full(len(xy_m), number, dtype=np.int32))
        distance_m = np.maximum(signed_m, 0.0)
        order = np.argsort(distance_m, axis=1, kind="stable")[:, :10]
        found, found_m = np.take_along_axis(store, order, axis=1), np.take_along_axis(distance_m, order, axis=1)
        # two derivations of a distance of up to 150 m in float64
        np.testing.assert_allclose(found_m, truth_m, atol=1e-9)
        for row in range(len(xy_m)):
            # stores equally far may stand in either order, and be cut off at the end
            nearer = truth_m[row] < truth_m[row, -1]
            assert set(found[row, nearer].tolist()) == set(truth[row, nearer].tolist())


def test_a_place_is_inside_the_table_s_store_where_the_map_says_so(venue: Venue) -> None:
    table, index = table_of(venue), VenueIndex(venue)
    rng = np.random.default_rng(13)
    n_inside = 0
    for number, level in enumerate(venue.levels):
        xy_m = points_about(venue, level, rng)
        front, inside = table.nearest(xy_m, np.full(N_POINTS, number, dtype=np.int32))
        assert ((inside >= 0) == (index.store_at(level.id, xy_m) >= 0)).all()
        for at in np.flatnonzero(inside >= 0):
            assert inside[at] == front[at]
            assert venue.stores[inside[at]].area.covers(shapely.Point(xy_m[at]))
            n_inside += 1
    assert n_inside > 50


def test_of_overlapping_stores_a_place_is_in_the_one_it_is_deepest_in() -> None:
    areas = {"wide": shapely.box(0, 0, 20, 20), "thin": shapely.box(9, 0, 12, 20)}
    level = Level(LevelId("A"), "A", "A", 0, shapely.box(0, 0, 20, 20))
    stores = tuple(
        Store(StoreId(name), name, "shopping", UnitId(name), level.id, area, area.representative_point())
        for name, area in areas.items()
    )
    table = table_of(Venue(VenueId("v"), "v", LocalFrame(0, 0), (level,), (), stores, ()))
    front, inside = table.nearest(np.array([[10.0, 10.0], [10.0, 0.5]]), np.zeros(2, dtype=np.int32))
    assert [table.store_ids[s] for s in inside] == ["wide", "wide"]
    _, signed_m = table.measure(np.array([[10.0, 10.0]]), np.zeros(1, dtype=np.int32))
    assert sorted(signed_m[0, :2].tolist()) == [-10.0, -1.0]
    assert (front == inside).all()


def test_levels_without_stores_and_places_without_a_level_have_no_fronts() -> None:
    venue = crowded_venue()
    attic = Level(LevelId("C"), "C", "C", 2, shapely.box(0, 0, 120, 80))
    table = table_of(Venue(venue.id, venue.name, venue.frame, (*venue.levels, attic), (), venue.stores, ()))
    assert table.level_index([LevelId("B"), None, attic.id, LevelId("elsewhere")]).tolist() == [1, -1, 2, -1]
    xy_m = np.array([[50.0, 40.0], [50.0, 40.0], [np.nan, np.nan], [50.0, 40.0]])
    store, signed_m = table.measure(xy_m, np.array([2, -1, 0, 1], dtype=np.int32))
    assert (store[:3] == -1).all()
    assert np.isinf(signed_m[:3]).all()
    assert (store[3] >= 0).sum() == 8 < N_CANDIDATES
    assert set(store[3, :8].tolist()) == set(range(90, 98))


def test_far_from_all_stores_distances_are_still_true() -> None:
    """Beyond the grid the candidates are those of the nearest cell: the distances hold, the ranks need not."""
    venue = crowded_venue()
    table, index = table_of(venue), VenueIndex(venue)
    xy_m = np.array([[-500.0, 40.0], [60.0, 900.0], [1_000.0, -1_000.0]])
    store, signed_m = table.measure(xy_m, np.zeros(3, dtype=np.int32))
    truth, truth_m = index.nearest_fronts(LevelId("A"), xy_m, 90)
    for row in range(3):
        true_of = dict(zip(truth[row].tolist(), truth_m[row].tolist(), strict=True))
        np.testing.assert_allclose(signed_m[row], [true_of[s] for s in store[row].tolist()], atol=1e-9)
