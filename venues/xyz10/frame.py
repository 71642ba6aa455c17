"""The floor-plan frame of an XYZ10 survey: metres from the lower left of one floor's outline."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SPHERE_M = 6_378_137.0  # radius of the sphere that Web Mercator (EPSG:3857) projects


@dataclass(frozen=True, slots=True)
class Xyz10Frame:
    """One floor's plan: x east, y north, in metres.

    The plan is the outline's Web-Mercator bounding box, scaled to the width and height that the floor states.
    Each floor has its own box, so floors line up only through longitude and latitude.

    Args:
        west_m, south_m: lower left of the box, in Web-Mercator units.
        scale_x, scale_y: plan metres for one Web-Mercator unit (about cos(latitude)).
    """

    west_m: float
    south_m: float
    scale_x: float
    scale_y: float
    width_m: float
    height_m: float

    @classmethod
    def from_outline(
        cls, bounds_deg: tuple[float, float, float, float], width_m: float, height_m: float
    ) -> "Xyz10Frame":
        """The frame of a floor whose outline spans (west, south, east, north) degrees.

        Raises:
            ValueError: the outline or the plan has no extent.
        """
        west_deg, south_deg, east_deg, north_deg = bounds_deg
        (west_m, south_m), (east_m, north_m) = to_mercator_m([[west_deg, south_deg], [east_deg, north_deg]])
        if not (east_m > west_m and north_m > south_m and 0 < width_m < math.inf and 0 < height_m < math.inf):
            raise ValueError(f"a floor plan needs an extent, found {bounds_deg} and {width_m} x {height_m} m")
        return cls(
            west_m=float(west_m),
            south_m=float(south_m),
            scale_x=float(width_m / (east_m - west_m)),
            scale_y=float(height_m / (north_m - south_m)),
            width_m=width_m,
            height_m=height_m,
        )

    def to_lon_lat_deg(self, xy_m: ArrayLike) -> NDArray[np.float64]:
        """Map (..., 2) plan metres to (..., 2) longitude/latitude in degrees."""
        plan = np.asarray(xy_m, dtype=np.float64)
        mercator_m = plan / (self.scale_x, self.scale_y) + (self.west_m, self.south_m)
        lon_rad = mercator_m[..., 0] / _SPHERE_M
        lat_rad = np.arctan(np.sinh(mercator_m[..., 1] / _SPHERE_M))
        lon_lat_deg: NDArray[np.float64] = np.degrees(np.stack([lon_rad, lat_rad], axis=-1))
        return lon_lat_deg

    def to_xy_m(self, lon_lat_deg: ArrayLike) -> NDArray[np.float64]:
        """Map (..., 2) longitude/latitude in degrees to (..., 2) plan metres."""
        xy_m: NDArray[np.float64] = (to_mercator_m(lon_lat_deg) - (self.west_m, self.south_m)) * (
            self.scale_x,
            self.scale_y,
        )
        return xy_m


def to_mercator_m(lon_lat_deg: ArrayLike) -> NDArray[np.float64]:
    """Map (..., 2) longitude/latitude in degrees to (..., 2) Web-Mercator units (EPSG:3857)."""
    angle_rad = np.radians(np.asarray(lon_lat_deg, dtype=np.float64))
    east = angle_rad[..., 0] * _SPHERE_M
    north = np.arcsinh(np.tan(angle_rad[..., 1])) * _SPHERE_M
    return np.stack([east, north], axis=-1)
