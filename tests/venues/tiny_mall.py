"""A mall of two levels and five stores, with a feature of each of the sixteen types, drawn by hand.

In metres from the south-west corner, level F1 (F2 is alike, with store ``e`` alone)::

    y 20 +---------+---------+---------+
         |    a    |    b    | toilets |
    y 12 +---------+----d----+---------+    d: an opening in b's southern wall
         |          walkway            |
    y  8 +---------+---------+---------+
         |    c    |    d    | void    |
    y  0 +---------+---------+---------+
       x 0        10        20        30
"""

import io
import json
import uuid
import zipfile
from typing import Any

from venues.archive import Feature, ImdfArchive
from venues.frame import LocalFrame
from venues.imdf import write_archive

FRAME = LocalFrame(lat_deg=30.0, lon_deg=120.0)
DOOR_X_M = (14.0, 16.0)


def uid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def at(x_m: float, y_m: float) -> list[float]:
    lon_deg, lat_deg = FRAME.to_lon_lat_deg([x_m, y_m])
    return [float(lon_deg), float(lat_deg)]


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return {"type": "Polygon", "coordinates": [[at(x, y) for x, y in corners]]}


def point(x_m: float, y_m: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": at(x_m, y_m)}


def feature(kind: str, key: str, geometry: dict[str, Any] | None, /, **properties: Any) -> Feature:
    return {
        "type": "Feature",
        "id": uid(key),
        "feature_type": kind,
        "geometry": geometry,
        "properties": properties,
    }


def unit(name: str, category: str, level: str, *edges: float) -> Feature:
    return feature("unit", name, box(*edges), category=category, level_id=uid(level), name=None)


def store(name: str, x_m: float, y_m: float, **more: Any) -> tuple[Feature, Feature]:
    """The anchor and the occupant of the store in unit ``room-NAME``."""
    anchor = feature("anchor", f"anchor-{name}", point(x_m, y_m), unit_id=uid(f"room-{name}"), address_id=None)
    occupant = feature(
        "occupant",
        f"store-{name}",
        None,
        name={"en": f"Store {name}", "zh": f"店{name}"},
        category="shopping",
        anchor_id=anchor["id"],
        **more,
    )
    return anchor, occupant


def level(name: str, ordinal: int) -> Feature:
    return feature(
        "level",
        name,
        box(0, 0, 30, 20),
        category="unspecified",
        ordinal=ordinal,
        outdoor=False,
        name={"en": f"Level {name}"},
        short_name={"en": name},
        building_ids=[uid("building")],
    )


def tiny_mall() -> ImdfArchive:
    """A fresh archive; what a test changes in it, no other test sees."""
    stores = {
        "a": store("a", 5, 16),
        "b": store("b", 15, 16, validity={"start": "2026-01-01T00:00:00Z", "end": "2026-06-30"}),
        "c": store("c", 5, 4, correlation_id="brand-c", hours="Mo-Su 10:00-22:00"),
        "d": store("d", 15, 4),
        "e": store("e", 5, 16),
    }
    opening = {"type": "LineString", "coordinates": [at(x, 12) for x in DOOR_X_M]}
    features = {
        "address": (feature("address", "address", None, address="1 Main St", locality="Town", country="CN"),),
        "amenity": (
            feature("amenity", "atm", point(1, 10), category="atm", unit_ids=[uid("walk-F1")], address_id=None),
        ),
        "anchor": tuple(anchor for anchor, _ in stores.values()),
        "building": (feature("building", "building", None, category="unspecified", name={"en": "East"}),),
        "detail": (
            feature(
                "detail", "detail", {"type": "LineString", "coordinates": [at(1, 9), at(2, 9)]}, level_id=uid("F1")
            ),
        ),
        "fixture": (
            feature("fixture", "fixture", box(22, 9, 23, 10), category="equipment", level_id=uid("F1"), anchor_id=None),
        ),
        "footprint": (
            feature("footprint", "ground", box(0, 0, 30, 20), category="ground", building_ids=[uid("building")]),
        ),
        "geofence": (
            feature(
                "geofence",
                "fence",
                box(0, 0, 30, 20),
                category="geofence",
                level_ids=[uid("F1"), uid("F2")],
                building_ids=None,
            ),
        ),
        "kiosk": (feature("kiosk", "kiosk", box(25, 9, 26, 10), level_id=uid("F1"), anchor_id=None),),
        "level": (level("F1", 0), level("F2", 1)),
        "occupant": tuple(occupant for _, occupant in stores.values()),
        "opening": (feature("opening", "door-b", opening, category="pedestrian", level_id=uid("F1"), door=None),),
        "relationship": (
            feature(
                "relationship",
                "lift",
                None,
                category="elevator",
                direction="undirected",
                origin={"id": uid("walk-F1"), "feature_type": "unit"},
                intermediary=[],
                destination={"id": uid("walk-F2"), "feature_type": "unit"},
            ),
        ),
        "section": (feature("section", "section", box(0, 0, 20, 20), category="mall", level_id=uid("F1")),),
        "unit": (
            unit("room-a", "room", "F1", 0, 12, 10, 20),
            unit("room-b", "room", "F1", 10, 12, 20, 20),
            unit("toilets", "restroom", "F1", 20, 12, 30, 20),
            unit("walk-F1", "walkway", "F1", 0, 8, 30, 12),
            unit("room-c", "room", "F1", 0, 0, 10, 8),
            unit("room-d", "room", "F1", 10, 0, 20, 8),
            unit("void", "opentobelow", "F1", 20, 0, 30, 8),
            unit("room-e", "room", "F2", 0, 12, 10, 20),
            unit("walk-F2", "walkway", "F2", 0, 8, 30, 12),
        ),
        "venue": (
            feature(
                "venue",
                "venue",
                box(0, 0, 30, 20),
                category="shoppingcenter",
                name={"en": "Tiny Mall", "zh": "小商场"},
                display_point=point(0, 0),
                address_id=uid("address"),
                restriction=None,
            ),
        ),
    }
    manifest = {"version": "1.0.0", "created": "2026-01-01T00:00:00Z", "language": "en", "generated_by": None}
    return ImdfArchive(manifest, features)


def find(archive: ImdfArchive, name: str) -> Feature:
    """The feature with this name, to be changed in place."""
    return next(item for found in archive.features.values() for item in found if item["id"] == uid(name))


def unzip(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zip_of(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def tiny_members() -> dict[str, bytes]:
    return unzip(write_archive(tiny_mall()))


def with_features(members: dict[str, bytes], file: str, features: list[Any]) -> dict[str, bytes]:
    document = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    return {**members, file: document}
