"""Questions of place, against a geometry library asked one pair at a time."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Point, Polygon

from kernel.ids import LevelId, StoreId, UnitId, VenueId
from tests.venues.tiny_mall import find, tiny_mall, uid
from venues.archive import ImdfArchive
from venues.build import build_venue
from venues.frame import LocalFrame
from venues.index import VenueIndex
from venues.model import Area, Level, Store, Venue

F1 = LevelId(uid("F1"))
HALL = LevelId("hall")


def tiny_index(archive: ImdfArchive | None = None) -> VenueIndex:
    return VenueIndex(build_venue(archive or tiny_mall(), VenueId("tiny")))


def hall(areas: dict[str, Area]) -> VenueIndex:
    """A level with these stores and nothing else."""
    level = Level(HALL, "H", "Hall", 0, shapely.box(-100, -100, 100, 100))
    stores = tuple(
        Store(StoreId(name), name, "shopping", UnitId(name), HALL, area, area.representative_point())
        for name, area in areas.items()
    )
    return VenueIndex(Venue(VenueId("v"), "v", LocalFrame(0, 0), (level,), (), stores, ()))


def names(index: VenueIndex, numbers: NDArray[np.int64]) -> list[str]:
    letters = {store.id: store.name for store in index.venue.stores}
    return ["-" if number < 0 else letters[index.venue.stores[number].id] for number in numbers]


def test_store_at_tells_the_store_or_none() -> None:
    index = tiny_index()
    points = np.array([[5.0, 16], [15, 13], [15, 10], [25, 16], [5, 1], [-50, 0]])
    assert names(index, index.store_at(F1, points)) == ["Store a", "Store b", "-", "-", "Store c", "-"]


def test_a_shared_wall_belongs_to_the_smaller_id() -> None:
    index = hall({"b": shapely.box(0, 0, 10, 10), "a": shapely.box(10, 0, 20, 10), "c": shapely.box(5, 5, 30, 10)})
    points = np.array([[10.0, 2], [10, 7], [7, 7], [25, 7]])
    assert names(index, index.store_at(HALL, points)) == ["a", "a", "b", "c"]
    numbers, distances_m = index.nearest_fronts(HALL, points[:2], 3)
    assert [names(index, row) for row in numbers] == [["a", "b", "c"], ["a", "b", "c"]]
    np.testing.assert_allclose(distances_m, [[0, 0, 3], [0, 0, 0]], atol=1e-12)


def test_equal_distances_order_by_id_however_many_there_are() -> None:
    # sorts that keep no order still keep it among sixteen or fewer
    near_far = [(f"s{number:02}", 5.0 * (number * 7 % 3)) for number in range(60)]
    index = hall({name: shapely.box(-away_m, 0, 10 - away_m, 10) for name, away_m in reversed(near_far)})
    numbers, _ = index.nearest_fronts(HALL, np.array([[20.0, 5.0]]), 60)
    assert names(index, numbers[0]) == [name for name, _ in sorted(near_far, key=lambda pair: (pair[1], pair[0]))]


def test_missing_stores_are_minus_one_and_infinitely_far() -> None:
    index = tiny_index()
    numbers, distances_m = index.nearest_fronts(LevelId(uid("F2")), np.array([[5.0, 10.0]]), 3)
    assert names(index, numbers[0]) == ["Store e", "-", "-"]
    assert distances_m[0].tolist() == [pytest.approx(2, abs=1e-6), np.inf, np.inf]
    assert hall({}).nearest_fronts(HALL, np.zeros((2, 2)), 2)[0].tolist() == [[-1, -1], [-1, -1]]
    assert hall({}).store_at(HALL, np.zeros((2, 2))).tolist() == [-1, -1]
    assert index.nearest_fronts(F1, np.empty((0, 2)), 2)[0].shape == (0, 2)


COORDINATE = st.integers(-20, 20).map(float)
STARS = st.builds(
    lambda x, y, radii: Polygon(
        [
            (x + r * np.cos(2 * np.pi * i / len(radii)), y + r * np.sin(2 * np.pi * i / len(radii)))
            for i, r in enumerate(radii)
        ]
    ),
    COORDINATE,
    COORDINATE,
    st.lists(st.floats(0.5, 9), min_size=3, max_size=9),
)
BOXES = st.builds(lambda x, y, w, h: shapely.box(x, y, x + w, y + h), COORDINATE, COORDINATE, *[st.integers(1, 9)] * 2)
WITH_HOLE = st.builds(
    lambda x, y: shapely.box(x, y, x + 9, y + 9) - shapely.box(x + 2, y + 2, x + 6, y + 7), COORDINATE, COORDINATE
)
TWO_PARTS = st.builds(
    lambda x, y: MultiPolygon([shapely.box(x, y, x + 3, y + 3), shapely.box(x + 5, y, x + 7, y + 9)]),
    COORDINATE,
    COORDINATE,
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(STARS | BOXES | WITH_HOLE | TWO_PARTS, min_size=1, max_size=8),
    st.lists(st.tuples(COORDINATE | st.floats(-25, 25), COORDINATE | st.floats(-25, 25)), min_size=1, max_size=20),
    st.integers(1, 10),
)
def test_fronts_and_stores_are_those_of_brute_force(
    areas: list[Area], points: list[tuple[float, float]], k: int
) -> None:
    areas = [area for area in areas if area.is_valid]
    index = hall({f"s{number}": area for number, area in enumerate(areas)})
    xy_m = np.array(points)
    numbers, distances_m = index.nearest_fronts(HALL, xy_m, k)
    stores = index.store_at(HALL, xy_m)
    for row, (x, y) in enumerate(points):
        truth_m = [Point(x, y).distance(area) for area in areas]
        order = sorted(range(len(areas)), key=lambda number: (truth_m[number], number))
        found = numbers[row][numbers[row] >= 0]
        assert len(found) == min(k, len(areas)) == len(set(found))
        # two ways to the same distance differ in the last digits, so a tie may be broken otherwise
        np.testing.assert_allclose([truth_m[number] for number in found], distances_m[row, : len(found)], atol=1e-9)
        np.testing.assert_allclose(distances_m[row, : len(found)], [truth_m[n] for n in order[:k]], atol=1e-9)
        inside = [number for number in range(len(areas)) if areas[number].intersects(Point(x, y))]
        assert stores[row] == (inside[0] if inside else -1)


def test_questions_must_have_points() -> None:
    index = tiny_index()
    with pytest.raises(ValueError, match="shape"):
        index.store_at(F1, np.zeros(2))
    with pytest.raises(ValueError, match="finite"):
        index.nearest_fronts(F1, np.array([[np.nan, 0.0]]), 1)
    with pytest.raises(ValueError, match="at least 1"):
        index.nearest_fronts(F1, np.zeros((1, 2)), 0)
    with pytest.raises(KeyError):
        index.store_at(LevelId("none"), np.zeros((1, 2)))


def test_walkable_is_the_walkway_or_what_the_units_leave() -> None:
    assert tiny_index().walkable(F1).area == pytest.approx(30 * 4, rel=1e-6)
    archive = tiny_mall()
    undrawn = ImdfArchive(
        archive.manifest,
        archive.features | {"unit": tuple(u for u in archive.of("unit") if u["properties"]["category"] != "walkway")},
    )
    assert tiny_index(undrawn).walkable(F1).area == pytest.approx(30 * 4, rel=1e-6)


def test_snapping_moves_to_the_nearest_walkable_place_and_leaves_walkers_alone() -> None:
    index = tiny_index()
    points = np.array([[5.0, 10], [5, 16], [15, 1], [40, 10], [-3, 16]])
    snapped = index.snap_to_walkable(F1, points)
    np.testing.assert_allclose(snapped, [[5, 10], [5, 12], [15, 8], [30, 10], [0, 12]], atol=1e-5)
    random = np.random.default_rng(5).uniform(-20, 50, (200, 2))
    moved_m = np.linalg.norm(index.snap_to_walkable(F1, random) - random, axis=1)
    truth_m = shapely.distance(shapely.points(random), index.walkable(F1))
    np.testing.assert_allclose(moved_m, truth_m, atol=1e-9)


def neighbours(index: VenueIndex, name: str, max_distance_m: float) -> dict[str, float]:
    name_of = {store.id: store.name for store in index.venue.stores}
    found = index.adjacency(max_distance_m)
    own = next(key for key, value in name_of.items() if value == name)
    return {name_of[other]: distance_m for other, distance_m in found[own]}


def test_stores_across_a_walkway_are_as_far_apart_as_it_is_wide() -> None:
    # cells of a metre: half a cell of slack at either end
    across_m = neighbours(tiny_index(), "Store a", 5.0)["Store c"]
    assert across_m == pytest.approx(4, abs=1.0)


def test_a_door_makes_the_way_longer_than_the_wall() -> None:
    # b's only door is at x 14 to 16, c's wall ends at x 10: the way is the diagonal of 4 m by 4 m
    assert neighbours(tiny_index(), "Store b", 20.0)["Store c"] == pytest.approx(np.hypot(4, 4), abs=1.0)
    without_door = tiny_mall()
    undoored = ImdfArchive(without_door.manifest, without_door.features | {"opening": ()})
    assert neighbours(tiny_index(undoored), "Store b", 20.0)["Store c"] == pytest.approx(4, abs=1.0)


def test_no_way_leads_through_rooms_or_to_another_level() -> None:
    archive = tiny_mall()
    # cut the walkway between x 9 and x 11: a and c stay together, b and d beyond
    west, east = find(archive, "walk-F1"), dict(find(archive, "walk-F1"))
    ring = west["geometry"]["coordinates"][0]
    (x0, y0), (x1, y1) = ring[0], ring[2]
    at_9, at_11 = x0 + (x1 - x0) * 9 / 30, x0 + (x1 - x0) * 11 / 30
    east["id"] = uid("walk-east")
    east["geometry"] = {"type": "Polygon", "coordinates": [[[at_11, y0], [x1, y0], [x1, y1], [at_11, y1], [at_11, y0]]]}
    west["geometry"] = {"type": "Polygon", "coordinates": [[[x0, y0], [at_9, y0], [at_9, y1], [x0, y1], [x0, y0]]]}
    cut = ImdfArchive(archive.manifest, archive.features | {"unit": (*archive.of("unit"), east)})
    assert set(neighbours(tiny_index(cut), "Store a", 100.0)) == {"Store c"}
    assert set(neighbours(tiny_index(), "Store a", 100.0)) == {"Store b", "Store c", "Store d"}
    assert neighbours(tiny_index(), "Store e", 100.0) == {}


def test_adjacency_is_symmetric_and_within_the_distance() -> None:
    found = tiny_index().adjacency(9.0)
    for own, near in found.items():
        assert [distance_m for _, distance_m in near] == sorted(distance_m for _, distance_m in near)
        for other, distance_m in near:
            assert distance_m <= 9.0
            assert dict(found[other])[own] == pytest.approx(distance_m, abs=1e-9)
