"""The venue frame against the ellipsoid's own closed forms."""

import math

import numpy as np
import pytest

from venues.frame import LocalFrame

_A_M = 6_378_137.0
_F = 1 / 298.257223563
_E2 = _F * (2 - _F)


def meridian_arc_m(from_deg: float, to_deg: float) -> float:
    """Length along a meridian: Simpson's rule on the radius of curvature, exact to a micrometre over 2 km."""
    latitudes_rad = np.radians(np.linspace(from_deg, to_deg, 101))
    radius_m = _A_M * (1 - _E2) / (1 - _E2 * np.sin(latitudes_rad) ** 2) ** 1.5
    weights = np.array([1.0, *([4.0, 2.0] * 49), 4.0, 1.0])
    return float(np.sum(weights * radius_m) * math.radians(to_deg - from_deg) / 300)


def chord_m(one_deg: tuple[float, float], other_deg: tuple[float, float]) -> float:
    """Straight distance through space; within a micrometre of the geodesic over 100 m (arc cubed over 24 R^2)."""

    def to_space(lon_deg: float, lat_deg: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        lon, lat = math.radians(lon_deg), math.radians(lat_deg)
        prime_m = _A_M / math.sqrt(1 - _E2 * math.sin(lat) ** 2)
        return prime_m * np.array(
            [math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), (1 - _E2) * math.sin(lat)]
        )

    return float(np.linalg.norm(to_space(*one_deg) - to_space(*other_deg)))


@pytest.mark.parametrize("lat_deg", [-60.0, -33.9, 0.0, 30.29, 60.0])
def test_a_hundred_metres_anywhere_within_two_kilometres_are_right_to_a_share_of_their_length(lat_deg: float) -> None:
    frame = LocalFrame(lat_deg, 120.0)
    rng = np.random.default_rng(7)
    for _ in range(200):
        start_m = rng.uniform(-1_400, 1_400, 2)
        heading_rad = rng.uniform(0, 2 * math.pi)
        end_m = start_m + 100 * np.array([math.sin(heading_rad), math.cos(heading_rad)])
        start, end = frame.to_lon_lat_deg([start_m, end_m]).tolist()
        found_m = chord_m(tuple(start), tuple(end))
        # the frame keeps the origin's width of a degree: off by tan(lat) * north / R, 0.04 % at 60 degrees
        bound = 1_500 / 6.37e6 * math.tan(math.radians(abs(lat_deg))) + 2e-5
        assert abs(found_m - 100) <= 100 * bound


@pytest.mark.parametrize("lat_deg", [-60.0, 0.0, 30.29, 60.0])
def test_north_is_the_length_of_the_meridian(lat_deg: float) -> None:
    frame = LocalFrame(lat_deg, 10.0)
    (_, north_m) = frame.to_xy_m([10.0, lat_deg + 0.001])
    assert north_m == pytest.approx(meridian_arc_m(lat_deg, lat_deg + 0.001), abs=1e-3)


@pytest.mark.parametrize("lat_deg", [-60.0, 0.0, 30.29, 60.0])
def test_east_is_the_length_of_the_parallel(lat_deg: float) -> None:
    radius_m = _A_M * math.cos(math.radians(lat_deg)) / math.sqrt(1 - _E2 * math.sin(math.radians(lat_deg)) ** 2)
    (east_m, _) = LocalFrame(lat_deg, 10.0).to_xy_m([10.001, lat_deg])
    assert east_m == pytest.approx(radius_m * math.radians(0.001), abs=1e-6)


def test_there_and_back_is_the_same_place() -> None:
    frame = LocalFrame(30.29, 120.07)
    xy_m = np.random.default_rng(1).uniform(-2_000, 2_000, (100, 2))
    np.testing.assert_allclose(frame.to_xy_m(frame.to_lon_lat_deg(xy_m)), xy_m, rtol=0, atol=1e-6)
