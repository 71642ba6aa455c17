"""What each IMDF feature type holds: its geometry, the properties we rely on, whom it refers to.

Only what the map is built from is checked; every other property is kept as it came. Properties marked as
required are those that IMDF 1.0.0 does not let be null.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from venues.build import SOURCE_ID_PROPERTY


class Kind(StrEnum):
    """What a property's value must be."""

    TEXT = "a text"
    LABELS = "a map from language tags to texts"
    BOOL = "true or false"
    ORDINAL = "a whole number between -1000 and 1000"
    POINT = "a GeoJSON point in longitude and latitude"
    VALIDITY = "an object whose start, end and modified are RFC 3339 instants or dates"
    SOURCE_ID = "1 to 64 letters, digits, _ or -"
    REFERENCE = "an id"
    REFERENCES = "a list of ids"
    LINK = "an object with id and feature_type"
    LINKS = "a list of objects with id and feature_type"


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a feature type.

    Args:
        target: feature type that a reference leads to; None for links, which say it themselves.
        carries: the feature hangs on what the reference leads to and goes when that goes; otherwise the
            reference alone is cleared.
    """

    kind: Kind
    is_required: bool = False
    target: str | None = None
    carries: bool = False


POLYGONAL: Final = frozenset({"Polygon", "MultiPolygon"})
_NONE: Final[frozenset[str | None]] = frozenset({None})

GEOMETRY_TYPES: Final[dict[str, frozenset[str | None]]] = {
    "address": _NONE,
    "amenity": frozenset({"Point"}),
    "anchor": frozenset({"Point"}),
    "building": _NONE,
    "detail": frozenset({"LineString", "MultiLineString"}),
    "fixture": frozenset(POLYGONAL),
    "footprint": frozenset(POLYGONAL),
    "geofence": frozenset(POLYGONAL),
    "kiosk": frozenset(POLYGONAL),
    "level": frozenset(POLYGONAL),
    "occupant": _NONE,
    "opening": frozenset({"LineString"}),
    "relationship": frozenset(
        {None, "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"}
    ),
    "section": frozenset(POLYGONAL),
    "unit": frozenset(POLYGONAL),
    "venue": frozenset(POLYGONAL),
}

_TEXT: Final = Property(Kind.TEXT)
_CATEGORY: Final = Property(Kind.TEXT, is_required=True)
_NAME: Final = Property(Kind.LABELS)
_GIVEN_NAME: Final = Property(Kind.LABELS, is_required=True)
_DISPLAY_POINT: Final = Property(Kind.POINT)
_ADDRESS: Final = Property(Kind.REFERENCE, target="address")
_ON_LEVEL: Final = Property(Kind.REFERENCE, is_required=True, target="level", carries=True)
_ANCHOR: Final = Property(Kind.REFERENCE, target="anchor")

PROPERTIES: Final[dict[str, dict[str, Property]]] = {
    "address": {
        "address": _CATEGORY,
        "locality": _CATEGORY,
        "country": _CATEGORY,
    },
    "amenity": {
        "category": _CATEGORY,
        "name": _NAME,
        "unit_ids": Property(Kind.REFERENCES, is_required=True, target="unit", carries=True),
        "address_id": _ADDRESS,
    },
    "anchor": {
        "unit_id": Property(Kind.REFERENCE, is_required=True, target="unit", carries=True),
        "address_id": _ADDRESS,
    },
    "building": {
        "category": _CATEGORY,
        "name": _NAME,
        "display_point": _DISPLAY_POINT,
        "address_id": _ADDRESS,
    },
    "detail": {"level_id": _ON_LEVEL},
    "fixture": {
        "category": _CATEGORY,
        "name": _NAME,
        "level_id": _ON_LEVEL,
        "anchor_id": _ANCHOR,
        "display_point": _DISPLAY_POINT,
    },
    "footprint": {
        "category": _CATEGORY,
        "name": _NAME,
        "building_ids": Property(Kind.REFERENCES, is_required=True, target="building", carries=True),
    },
    "geofence": {
        "category": _CATEGORY,
        "name": _NAME,
        "building_ids": Property(Kind.REFERENCES, target="building", carries=True),
        "level_ids": Property(Kind.REFERENCES, target="level", carries=True),
        "parents": Property(Kind.REFERENCES, target="geofence"),
        "display_point": _DISPLAY_POINT,
    },
    "kiosk": {
        "name": _NAME,
        "level_id": _ON_LEVEL,
        "anchor_id": _ANCHOR,
        "display_point": _DISPLAY_POINT,
    },
    "level": {
        "category": _CATEGORY,
        "ordinal": Property(Kind.ORDINAL, is_required=True),
        "outdoor": Property(Kind.BOOL, is_required=True),
        "name": _GIVEN_NAME,
        "short_name": _GIVEN_NAME,
        "display_point": _DISPLAY_POINT,
        "address_id": _ADDRESS,
        "building_ids": Property(Kind.REFERENCES, target="building"),
    },
    "occupant": {
        "name": _GIVEN_NAME,
        "category": _CATEGORY,
        "anchor_id": Property(Kind.REFERENCE, is_required=True, target="anchor", carries=True),
        "hours": _TEXT,
        "validity": Property(Kind.VALIDITY),
        "correlation_id": _TEXT,
        SOURCE_ID_PROPERTY: Property(Kind.SOURCE_ID),
    },
    "opening": {
        "category": _CATEGORY,
        "name": _NAME,
        "level_id": _ON_LEVEL,
        "display_point": _DISPLAY_POINT,
    },
    "relationship": {
        "category": _CATEGORY,
        "origin": Property(Kind.LINK, carries=True),
        "intermediary": Property(Kind.LINKS, carries=True),
        "destination": Property(Kind.LINK, carries=True),
    },
    "section": {
        "category": _CATEGORY,
        "name": _NAME,
        "level_id": _ON_LEVEL,
        "address_id": _ADDRESS,
        "parents": Property(Kind.REFERENCES, target="section"),
        "display_point": _DISPLAY_POINT,
    },
    "unit": {
        "category": _CATEGORY,
        "name": _NAME,
        "level_id": _ON_LEVEL,
        "display_point": _DISPLAY_POINT,
    },
    "venue": {
        "category": _CATEGORY,
        "name": _GIVEN_NAME,
        "display_point": Property(Kind.POINT, is_required=True),
        "address_id": Property(Kind.REFERENCE, is_required=True, target="address"),
    },
}
