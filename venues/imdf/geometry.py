"""GeoJSON geometries, checked before a geometry library sees them."""

from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from venues.faults import FaultCode

_DEPTH = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}
_MAX_LON_DEG = 180.0
_MAX_LAT_DEG = 90.0
_FAR_DEG = 0.2
"""Some 20 km: no part of a venue lies that far from its outline; a point with swapped coordinates does."""


class BadGeometryError(ValueError):
    """A geometry that no map can hold; ``fault_code`` says which way."""

    def __init__(self, fault_code: FaultCode, message: str) -> None:
        self.fault_code = fault_code
        super().__init__(message)


def geometry_type(raw: Any) -> str | None:
    """The declared type; None for null; the text ``"no geometry object"`` for what is neither."""
    if raw is None:
        return None
    kind = raw.get("type") if isinstance(raw, dict) else None
    return kind if isinstance(kind, str) else "no geometry object"


def parse_geometry(raw: dict[str, Any]) -> BaseGeometry:
    """The valid geometry (2-D, lon/lat degrees) that GeoJSON of a known type describes.

    Raises:
        BadGeometryError: malformed, out of range, empty, or invalid by the simple-features rules.
    """
    kind = raw["type"]
    if kind not in _DEPTH:
        raise BadGeometryError(FaultCode.INVALID_GEOMETRY, f"unknown geometry type {kind[:40]!r}")
    _check_positions(raw.get("coordinates"), _DEPTH[kind])
    if kind == "Polygon":
        _check_rings(raw["coordinates"])
    elif kind == "MultiPolygon":
        for part in raw["coordinates"]:
            _check_rings(part)
    try:
        geometry = shapely.force_2d(shape(raw))
    except (ShapelyError, ValueError, TypeError, IndexError) as error:
        raise BadGeometryError(FaultCode.INVALID_GEOMETRY, f"malformed {kind}: {error}") from None
    if geometry.is_empty:
        raise BadGeometryError(FaultCode.INVALID_GEOMETRY, f"the {kind} is empty")
    if not geometry.is_valid:
        reason = shapely.is_valid_reason(geometry)
        raise BadGeometryError(FaultCode.INVALID_GEOMETRY, f"the {kind} is not valid: {reason}")
    return geometry


def is_far(geometry: BaseGeometry, venue: BaseGeometry) -> bool:
    """Whether a geometry lies so far from the venue that it cannot belong to it."""
    west, south, east, north = geometry.bounds
    venue_west, venue_south, venue_east, venue_north = venue.bounds
    return (
        west < venue_west - _FAR_DEG
        or east > venue_east + _FAR_DEG
        or south < venue_south - _FAR_DEG
        or north > venue_north + _FAR_DEG
    )


def _check_positions(value: Any, depth: int) -> None:
    if not isinstance(value, list):
        raise BadGeometryError(FaultCode.INVALID_GEOMETRY, "expected lists of coordinates")
    if depth > 0:
        for part in value:
            _check_positions(part, depth - 1)
        if depth == 1 and len({len(position) for position in value}) > 1:
            raise BadGeometryError(FaultCode.INVALID_GEOMETRY, "some positions have a height and some have none")
        return
    if len(value) not in (2, 3) or not all(_is_number(number) for number in value):
        raise BadGeometryError(FaultCode.INVALID_GEOMETRY, "expected a position of two or three numbers")
    lon_deg, lat_deg = value[0], value[1]
    if abs(lon_deg) > _MAX_LON_DEG or abs(lat_deg) > _MAX_LAT_DEG:
        message = f"longitude {lon_deg:.6g}, latitude {lat_deg:.6g}: out of range, perhaps swapped"
        raise BadGeometryError(FaultCode.OUT_OF_RANGE, message)


def _check_rings(rings: list[Any]) -> None:
    """A library would close an open ring by itself, and so hide that the drawing lost a point."""
    for ring in rings:
        if len(ring) < 4 or ring[0] != ring[-1]:
            raise BadGeometryError(FaultCode.INVALID_GEOMETRY, "a ring needs four positions, the last like the first")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
