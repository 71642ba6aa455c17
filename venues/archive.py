"""An IMDF archive as it came: every feature of every type, unchanged, so that a round trip loses nothing."""

from dataclasses import dataclass, field
from typing import Any

Feature = dict[str, Any]
"""One GeoJSON feature: ``{"type": "Feature", "id", "feature_type", "geometry", "properties"}``."""

FEATURE_TYPES = (
    "address",
    "amenity",
    "anchor",
    "building",
    "detail",
    "fixture",
    "footprint",
    "geofence",
    "kiosk",
    "level",
    "occupant",
    "opening",
    "relationship",
    "section",
    "unit",
    "venue",
)
"""The feature types of IMDF 1.0.0 (OGC 20-094), one GeoJSON file each."""


@dataclass(frozen=True)
class ImdfArchive:
    """The manifest and the features by type, in file order; lon/lat degrees, WGS 84."""

    manifest: dict[str, Any]
    features: dict[str, tuple[Feature, ...]] = field(default_factory=dict)

    def of(self, feature_type: str) -> tuple[Feature, ...]:
        """The features of one type; empty when the archive has none."""
        return self.features.get(feature_type, ())
