"""The venue frame: metres east and north of the venue's own origin, so that distances are plain geometry."""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_WGS84_A_M = 6_378_137.0
_WGS84_E2 = 6.694_379_990_14e-3


@dataclass(frozen=True, slots=True)
class LocalFrame:
    """A plane touching the WGS 84 ellipsoid at the origin; x east, y north.

    The frame keeps the origin's width of a degree, so a length d metres north of it is off by up to
    tan(latitude) * d / R: at latitude 60, 1.4 cm in 100 m at d = 500 m and 5.5 cm at 2 km; at latitude 30 a third
    of that (tests/venues/test_frame.py).
    """

    lat_deg: float
    lon_deg: float

    def _origin(self) -> NDArray[np.float64]:
        return np.array([self.lon_deg, self.lat_deg])

    def _scale_m_per_rad(self) -> NDArray[np.float64]:
        return np.array(_scale_m_per_rad(self.lat_deg))

    def to_xy_m(self, lon_lat_deg: ArrayLike) -> NDArray[np.float64]:
        """Map (..., 2) longitude/latitude in degrees to (..., 2) metres in the venue frame."""
        offset_deg: NDArray[np.float64] = np.asarray(lon_lat_deg, dtype=np.float64) - self._origin()
        xy_m: NDArray[np.float64] = np.radians(offset_deg) * self._scale_m_per_rad()
        return xy_m

    def to_lon_lat_deg(self, xy_m: ArrayLike) -> NDArray[np.float64]:
        """Map (..., 2) metres in the venue frame back to (..., 2) longitude/latitude in degrees."""
        angle_rad: NDArray[np.float64] = np.asarray(xy_m, dtype=np.float64) / self._scale_m_per_rad()
        lon_lat_deg: NDArray[np.float64] = np.degrees(angle_rad) + self._origin()
        return lon_lat_deg

    def to_lon_lat_deg_of_one(self, x_m: float, y_m: float) -> tuple[float, float]:
        """The same for one place, without arrays."""
        x_scale_m, y_scale_m = _scale_m_per_rad(self.lat_deg)
        return self.lon_deg + math.degrees(x_m / x_scale_m), self.lat_deg + math.degrees(y_m / y_scale_m)


@functools.lru_cache(maxsize=1_024)
def _scale_m_per_rad(lat_deg: float) -> tuple[float, float]:
    """Metres a radian of longitude and of latitude."""
    sin_lat = math.sin(math.radians(lat_deg))
    w2 = 1.0 - _WGS84_E2 * sin_lat * sin_lat
    prime_vertical = _WGS84_A_M / math.sqrt(w2)
    meridian = _WGS84_A_M * (1.0 - _WGS84_E2) / (w2 * math.sqrt(w2))
    return prime_vertical * math.cos(math.radians(lat_deg)), meridian
