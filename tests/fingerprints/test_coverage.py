"""Coverage of a survey, on a hall whose ground and stores can be counted by hand."""

from datetime import UTC, datetime

import numpy as np
import pytest
import shapely

from fingerprints.coverage import CELL_M, NEAR_M, measure_coverage, walkable_cells
from fingerprints.scan import LabelledScan, Reading, Scan, Truth
from kernel.ids import DeviceId, LevelId, StoreId, TransmitterId, UnitId, VenueId
from venues.frame import LocalFrame
from venues.model import Level, Store, Unit, Venue

FRAME = LocalFrame(30.0, 120.0)
F1, F2 = LevelId("l1"), LevelId("l2")


def _store(name: str, x0: float) -> Store:
    area = shapely.box(x0, 6, x0 + 10, 16)
    return Store(StoreId(f"st_{name}"), name, "shopping", UnitId(name), F1, area, area.centroid)


VENUE = Venue(
    VenueId("v"),
    "v",
    FRAME,
    tuple(
        Level(key, name, name, n, shapely.box(0, 0, 100, 16)) for n, (key, name) in enumerate([(F1, "F1"), (F2, "F2")])
    ),
    (
        Unit(UnitId("hall"), F1, "walkway", shapely.box(0, 0, 100, 6)),
        Unit(UnitId("hall2"), F2, "walkway", shapely.box(0, 0, 100, 6)),
    ),
    (_store("a", 0), _store("b", 10), _store("c", 90)),
    (),
)


def scan(x_m: float, y_m: float, *, walk: str, phone: str = "p", heard: bool = True) -> LabelledScan:
    lon_deg, lat_deg = FRAME.to_lon_lat_deg([x_m, y_m]).tolist()
    readings = (Reading(TransmitterId("x-1"), -50.0),) if heard else ()
    made = Scan(datetime(2026, 1, 1, tzinfo=UTC), readings, device_id=DeviceId(phone))
    return LabelledScan(made, Truth(lat_deg, lon_deg, "F1"), walk)


HALF = [scan(x, 3.0, walk="w0") for x in np.arange(0.0, 50.0, 2.0).tolist()]


def test_ground_that_no_walk_came_near_is_a_gap_with_its_size_and_depth() -> None:
    found = measure_coverage(HALF, VENUE)
    first, second = found.levels
    assert first.walkable_m2 == second.walkable_m2 == 600.0
    assert first.covered_share == pytest.approx(0.54, abs=0.02)  # 48 m walked and NEAR_M more, of 100
    assert second.covered_share == 0.0
    gap = next(gap for gap in found.gaps if gap.level == "F1")
    assert gap.area_m2 == pytest.approx(600.0 * (1 - (first.covered_share or 0)), abs=1e-6)
    assert gap.farthest_m == pytest.approx(51.0, abs=2.0)
    assert gap.xy_m[0] > 97.0
    assert "c" in gap.near
    whole = next(gap for gap in found.gaps if gap.level == "F2")
    assert (whole.area_m2, whole.farthest_m) == (600.0, None)


def test_scans_without_readings_cover_nothing() -> None:
    silent = [scan(x, 3.0, walk="w", heard=False) for x in np.arange(0.0, 100.0, 2.0).tolist()]
    assert measure_coverage(silent, VENUE).levels[0].covered_share == 0.0


def test_stores_are_judged_by_walks_inside_once_the_survey_went_inside() -> None:
    outside = measure_coverage(HALF, VENUE)
    assert not outside.goes_inside
    assert [store.n_walks for store in outside.stores] == [1, 1, 0]
    inside = [scan(5.0, 9.0, walk=f"in-{i % 2}", phone=f"p{i % 2}") for i in range(30)]
    found = measure_coverage([*HALF, *inside], VENUE)
    assert found.goes_inside
    a, b, c = found.stores
    assert (a.n_scans, a.n_walks, a.n_phones, a.nearest_m) == (30, 2, 2, 0.0)
    assert (b.n_scans, b.n_walks) == (0, 0)
    assert b.nearest_m == pytest.approx(3.0, abs=0.01)
    assert c.nearest_m == pytest.approx(np.hypot(90 - 48, 3), abs=0.05)


def test_cells_tile_an_area() -> None:
    cells_m, at = walkable_cells(shapely.box(0, 0, 10, 4))
    assert len(cells_m) * CELL_M**2 == 40.0
    assert at.max(axis=0).tolist() == [1, 4]
    assert NEAR_M > CELL_M
    assert len(walkable_cells(shapely.Polygon())[0]) == 0
