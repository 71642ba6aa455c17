"""Any venue written down as IMDF 1.0.0 features: what an imported map is like once it can be walked.

Ids that are UUIDs stay; others become UUIDs derived from them, and a store's own id stands beside its occupant as
``atrium_source_id``, so that it survives.

Source: Apple Inc. / OGC, *Indoor Mapping Data Format*, 20-094, 2021.
"""

import uuid
from typing import Any

import shapely
from shapely.geometry import MultiPolygon, Polygon, mapping
from shapely.geometry.base import BaseGeometry

from sim.tidy import NAMESPACE, polygonal
from venues.archive import Feature, ImdfArchive
from venues.build import SOURCE_ID_PROPERTY
from venues.model import Level, Opening, Store, Unit, Venue
from venues.time_zone import TIME_ZONE_PROPERTY

_DEGREE_DIGITS = 9
_SHRINKS_DEG = (1e-9, 3e-9, 1e-8, 3e-8, 1e-7)
"""Rounding can make a polygon that nearly touches itself cross itself; then it is drawn 0.1 mm to 1 cm smaller."""
_SLIVER_DEG2 = 1e-12


def archive_of(venue: Venue) -> ImdfArchive:
    """The archive of a venue in one building."""
    write = _Writer(venue)
    outline = polygonal(shapely.union_all([level.area for level in venue.levels]))
    footprint = polygonal(shapely.union_all([level.area for level in venue.levels if level.ordinal == 0] or [outline]))
    name, address, building = {"en": venue.name}, _uuid(f"address:{venue.id}"), _uuid(f"building:{venue.id}")
    features = {
        "address": [write.feature("address", address, None, **_address(venue))],
        "venue": [
            write.feature(
                "venue",
                _uuid(f"venue:{venue.id}"),
                outline,
                category="shoppingcenter",
                restriction=None,
                name=name,
                alt_name=None,
                hours=None,
                phone=None,
                website=None,
                display_point=write.json(outline.representative_point()),
                address_id=address,
                **({} if venue.time_zone is None else {TIME_ZONE_PROPERTY: venue.time_zone}),
            )
        ],
        "building": [
            write.feature(
                "building",
                building,
                None,
                category="unspecified",
                restriction=None,
                name=name,
                alt_name=None,
                display_point=write.json(outline.representative_point()),
                address_id=address,
            )
        ],
        "footprint": [
            write.feature(
                "footprint",
                _uuid(f"footprint:{venue.id}"),
                footprint,
                category="ground",
                name=None,
                building_ids=[building],
            )
        ],
        "level": [write.level(level, building) for level in venue.levels],
        "unit": [write.unit(unit) for unit in venue.units],
        "opening": [write.opening(door) for door in venue.openings],
        "anchor": [write.anchor(store) for store in venue.stores],
        "occupant": [write.occupant(store) for store in venue.stores],
    }
    manifest = {
        "version": "1.0.0",
        "created": "2026-01-01T00:00:00Z",
        "language": "en",
        "generated_by": "Atrium sim",
        "extensions": ["imdf:extension:atrium:source-id#1.0.0"],
    }
    return ImdfArchive(manifest, {kind: tuple(features[kind]) for kind in sorted(features) if features[kind]})


def _uuid(key: str) -> str:
    return str(uuid.uuid5(NAMESPACE, key))


def _id(kind: str, own: str) -> str:
    """An id that is a UUID already, else one derived from it."""
    try:
        return str(uuid.UUID(own))
    except ValueError:
        return _uuid(f"{kind}:{own}")


def _address(venue: Venue) -> dict[str, Any]:
    # IMDF demands an address, of which a venue of ours knows nothing
    return {"address": venue.name, "locality": "unknown", "country": "CN", "unit": None, "province": None}


class _Writer:
    def __init__(self, venue: Venue) -> None:
        self._frame = venue.frame

    def json(self, shape: BaseGeometry) -> dict[str, Any]:
        """GeoJSON in degrees; a polygon's outer rings run counter-clockwise, and it is valid as rounded."""
        degrees = shapely.transform(shape, self._frame.to_lon_lat_deg)
        rounded = _rounded(degrees)
        for shrink_deg in _SHRINKS_DEG:
            if rounded.is_valid:
                break
            smaller = shapely.buffer(degrees, -shrink_deg, join_style="mitre")
            rounded = _rounded(polygonal(smaller, _SLIVER_DEG2))
        turned = shapely.orient_polygons(rounded) if isinstance(rounded, Polygon | MultiPolygon) else rounded
        return {"type": turned.geom_type, "coordinates": _lists(mapping(turned)["coordinates"])}

    def feature(self, kind: str, feature_id: str, shape: BaseGeometry | None, **properties: Any) -> Feature:
        return {
            "id": feature_id,
            "type": "Feature",
            "feature_type": kind,
            "geometry": None if shape is None else self.json(shape),
            "properties": properties,
        }

    def level(self, level: Level, building_id: str) -> Feature:
        return self.feature(
            "level",
            _id("level", level.id),
            level.area,
            category="unspecified",
            restriction=None,
            outdoor=level.is_outdoor,
            ordinal=level.ordinal,
            name={"en": level.name},
            short_name={"en": level.short_name},
            display_point=self.json(level.area.representative_point()),
            address_id=None,
            building_ids=[building_id],
        )

    def unit(self, unit: Unit) -> Feature:
        return self.feature(
            "unit",
            _id("unit", unit.id),
            unit.area,
            category=unit.category,
            restriction="employeesonly" if unit.category == "nonpublic" else None,
            accessibility=None,
            name=None if unit.name is None else {"en": unit.name},
            alt_name=None,
            level_id=_id("level", unit.level_id),
            display_point=self.json(unit.area.representative_point()),
        )

    def opening(self, door: Opening) -> Feature:
        return self.feature(
            "opening",
            _id("opening", door.id),
            door.line,
            category=door.category,
            accessibility=None,
            access_control=None,
            door=None,
            name=None,
            alt_name=None,
            display_point=None,
            level_id=_id("level", door.level_id),
        )

    def anchor(self, store: Store) -> Feature:
        return self.feature(
            "anchor",
            _uuid(f"anchor:{store.id}"),
            store.display_point,
            address_id=None,
            unit_id=_id("unit", store.unit_id),
        )

    def occupant(self, store: Store) -> Feature:
        own = store.id.removeprefix("st_")
        occupant_id = _id("occupant", own)
        source = {} if occupant_id == own else {SOURCE_ID_PROPERTY: own}
        validity = {"start": store.valid_from, "end": store.valid_until, "modified": None}
        is_limited = store.valid_from is not None or store.valid_until is not None
        return self.feature(
            "occupant",
            occupant_id,
            None,
            name=store.names or {"en": store.name},
            category=store.category,
            anchor_id=_uuid(f"anchor:{store.id}"),
            hours=store.hours,
            phone=None,
            website=None,
            validity={key: None if day is None else day.isoformat() for key, day in validity.items()}
            if is_limited
            else None,
            correlation_id=store.correlation_id,
            **source,
        )


def _rounded(shape: BaseGeometry) -> BaseGeometry:
    return shapely.transform(shape, lambda lon_lat_deg: lon_lat_deg.round(_DEGREE_DIGITS))


def _lists(value: Any) -> Any:
    return [_lists(part) for part in value] if isinstance(value, tuple | list) else value
