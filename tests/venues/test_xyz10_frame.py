"""The floor-plan frame against the definition of Web Mercator and against the ellipsoid."""

import math

import numpy as np
import pytest

from venues.frame import LocalFrame
from venues.xyz10 import Xyz10Frame

BOUNDS_DEG = (120.0730, 30.2920, 120.0760, 30.2940)


def frame() -> Xyz10Frame:
    span_x_m = 6_378_137 * math.radians(BOUNDS_DEG[2] - BOUNDS_DEG[0])
    mercator = [6_378_137 * math.log(math.tan(math.pi / 4 + math.radians(lat) / 2)) for lat in BOUNDS_DEG[1::2]]
    scale = math.cos(math.radians(30.293))
    return Xyz10Frame.from_outline(BOUNDS_DEG, span_x_m * scale, (mercator[1] - mercator[0]) * scale)


def test_corners_of_the_plan_are_corners_of_the_outline() -> None:
    plan = frame()
    corners = plan.to_lon_lat_deg(np.array([[0.0, 0.0], [plan.width_m, plan.height_m]]))
    np.testing.assert_allclose(corners, [BOUNDS_DEG[:2], BOUNDS_DEG[2:]], rtol=0, atol=1e-12)


def test_plan_and_back_is_the_same_place() -> None:
    xy_m = np.random.default_rng(3).uniform(0, 200, (100, 2))
    np.testing.assert_allclose(frame().to_xy_m(frame().to_lon_lat_deg(xy_m)), xy_m, rtol=0, atol=1e-6)


def test_plan_metres_are_metres_on_the_ground() -> None:
    # Web Mercator's sphere against the ellipsoid: at most 0.7 % at any latitude
    plan = frame()
    local = LocalFrame(lat_deg=30.293, lon_deg=120.0745)
    ends_m = local.to_xy_m(plan.to_lon_lat_deg(np.array([[10.0, 10.0], [110.0, 10.0], [10.0, 110.0]])))
    lengths_m = np.linalg.norm(ends_m[1:] - ends_m[0], axis=1)
    np.testing.assert_allclose(lengths_m, 100, rtol=0.007)


@pytest.mark.parametrize("size_m", [(0.0, 10.0), (10.0, -1.0), (math.nan, 10.0), (10.0, math.inf)])
def test_a_plan_without_extent_is_refused(size_m: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="extent"):
        Xyz10Frame.from_outline(BOUNDS_DEG, *size_m)
