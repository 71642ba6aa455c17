"""The rules of IMDF 1.0.0 that can be checked on an archive alone, each written down once.

Source: Apple Inc. / OGC, *Indoor Mapping Data Format*, 20-094, 2021. The occupant categories are those of its list that
the simulator uses; an imported map keeps its own.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import combinations
from typing import Any

import numpy as np
import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from venues.archive import FEATURE_TYPES, Feature, ImdfArchive
from venues.imdf.references import references_of
from venues.imdf.schema import GEOMETRY_TYPES

CM_DEG = 1e-7
"""About a centimetre: coordinates are written to a tenth of a millimetre, areas meet where they were cut."""
_SLIVER_DEG2 = 1e-11
"""About a tenth of a square metre: what rounding leaves along an edge of many metres."""
SPEC_CATEGORIES: dict[str, frozenset[str]] = {
    "venue": frozenset(
        {
            "airport", "airport.intl", "aquarium", "businesscampus", "casino", "communitycenter", "conventioncenter",
            "governmentfacility", "healthcarefacility", "hotel", "museum", "parkingfacility", "resort", "retailstore",
            "shoppingcenter", "stadium", "stripmall", "theater", "themepark", "trainstation", "transitstation",
            "university",
        }
    ),
    "building": frozenset({"parking", "transit", "transit.bus", "transit.train", "unspecified"}),
    "footprint": frozenset({"aerial", "ground", "subterranean"}),
    "level": frozenset(
        {
            "arrivals", "arrivals.domestic", "arrivals.intl", "departures", "departures.domestic", "departures.intl",
            "parking", "transit", "unspecified",
        }
    ),
    "opening": frozenset(
        {
            "automobile", "bicycle", "emergencyexit", "pedestrian", "pedestrian.principal", "pedestrian.transit",
            "service",
        }
    ),
    "unit": frozenset(
        {
            "auditorium", "brick", "classroom", "column", "concrete", "conferenceroom", "drywall", "elevator",
            "escalator", "fieldofplay", "firstaid", "fitnessroom", "foodservice", "footbridge", "glass", "huddleroom",
            "kitchen", "laboratory", "library", "lobby", "lounge", "mailroom", "mothersroom", "movietheater",
            "movingwalkway", "nonpublic", "office", "opentobelow", "parking", "phoneroom", "platform",
            "privatelounge", "ramp", "recreation", "restroom", "restroom.family", "restroom.female", "restroom.male",
            "restroom.unisex", "restroom.wheelchair", "road", "room", "serverroom", "shower", "smokingarea", "stairs",
            "steps", "storage", "structure", "terrace", "theater", "unenclosedarea", "unspecified", "vegetation",
            "waitingroom", "walkway", "walkway.island", "wood",
        }
    ),
    "amenity": frozenset({"elevator", "escalator", "parking", "restroom", "stairs"}),
    "occupant": frozenset(
        {
            "bakedgoods", "beautysalon", "books", "cinema", "clothing.childrens", "coffee", "cosmetics",
            "departmentstore", "desserts", "electronicappliances", "eyewear.opticians", "fashion", "giftshops",
            "homedecor", "jewelry", "luggage", "pharmacy", "restaurant", "shoes", "sportinggoods", "supermarket",
            "toys",
        }
    ),
}  # fmt: skip
_HOURS = re.compile(r"(Mo|Tu|We|Th|Fr|Sa|Su)-(Mo|Tu|We|Th|Fr|Sa|Su) \d\d:\d\d-\d\d:\d\d")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")


def broken_rules(archive: ImdfArchive, *, own_occupants: bool = True) -> list[str]:
    """What in an archive breaks which rule; empty for a valid one.

    Args:
        own_occupants: occupant categories must be those that the simulator uses.
    """
    rules: list[Callable[[ImdfArchive], Iterator[str]]] = [
        _manifest, _identity, _geometry, _references, _labels, _display_points, _levels, _units, _openings, _anchors,
        _occupants,
    ]  # fmt: skip
    found = [message for rule in rules for message in rule(archive)]
    kinds = SPEC_CATEGORIES if own_occupants else {k: v for k, v in SPEC_CATEGORIES.items() if k != "occupant"}
    for kind, known in kinds.items():
        found += [
            f"category: {kind} {one['id']} is {one['properties']['category']}"
            for one in archive.of(kind)
            if one["properties"]["category"] not in known
        ]
    return found


def _manifest(archive: ImdfArchive) -> Iterator[str]:
    manifest = archive.manifest
    if manifest.get("version") != "1.0.0":
        yield "manifest: version"
    if not _LANGUAGE.fullmatch(str(manifest.get("language"))):
        yield "manifest: language"
    try:
        aware = datetime.fromisoformat(str(manifest.get("created"))).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        yield "manifest: created"


def _identity(archive: ImdfArchive) -> Iterator[str]:
    seen: set[str] = set()
    for kind, features in archive.features.items():
        if kind not in FEATURE_TYPES:
            yield f"type: {kind}"
        for one in features:
            if one.get("type") != "Feature" or one.get("feature_type") != kind:
                yield f"type: {kind} {one.get('id')}"
            try:
                uuid.UUID(one["id"])
            except ValueError:
                yield f"id: {kind} {one['id']} is no UUID"
            if one["id"] in seen:
                yield f"id: {one['id']} twice"
            seen.add(one["id"])
    for kind in ("address", "venue", "building", "footprint", "level"):
        if not archive.of(kind):
            yield f"missing: {kind}"
    if len(archive.of("venue")) != 1:
        yield "venue: not one"


def _geometry(archive: ImdfArchive) -> Iterator[str]:
    for kind, features in archive.features.items():
        for one in features:
            raw = one["geometry"]
            if (None if raw is None else raw["type"]) not in GEOMETRY_TYPES[kind]:
                yield f"geometry: {kind} {one['id']} has the wrong type"
                continue
            if raw is None:
                continue
            found = shape(raw)
            if not found.is_valid or found.is_empty:
                yield f"geometry: {kind} {one['id']} is not valid"
            for part in shapely.get_parts(found):
                if part.geom_type == "Polygon" and not part.exterior.is_ccw:
                    yield f"geometry: {kind} {one['id']} runs clockwise"


def _references(archive: ImdfArchive) -> Iterator[str]:
    type_of = {one["id"]: kind for kind, features in archive.features.items() for one in features}
    for kind, features in archive.features.items():
        for one in features:
            for link in references_of(kind, one["properties"]):
                if type_of.get(link.target_id) != link.target_type:
                    yield f"reference: {kind} {one['id']} {link.property_name}"


def _labels(archive: ImdfArchive) -> Iterator[str]:
    for features in archive.features.values():
        for one in features:
            for name in ("name", "alt_name", "short_name"):
                labels = one["properties"].get(name)
                if labels is None:
                    continue
                if not labels or not all(_LANGUAGE.fullmatch(tag) and text for tag, text in labels.items()):
                    yield f"labels: {one['id']} {name}"


def _display_points(archive: ImdfArchive) -> Iterator[str]:
    for kind in ("venue", "level", "unit", "kiosk", "section"):
        for one in archive.of(kind):
            point = one["properties"].get("display_point")
            if point is not None and not shape(one["geometry"]).buffer(CM_DEG).contains(shape(point)):
                yield f"display_point: {kind} {one['id']}"


def _levels(archive: ImdfArchive) -> Iterator[str]:
    levels = archive.of("level")
    ordinals = [one["properties"]["ordinal"] for one in levels]
    if len(set(ordinals)) < len(ordinals) or not all(isinstance(ordinal, int) for ordinal in ordinals):
        yield f"ordinals: {ordinals}"
    venue = shape(archive.of("venue")[0]["geometry"]).buffer(CM_DEG)
    for one in levels:
        if not venue.covers(shape(one["geometry"])):
            yield f"outside the venue: level {one['id']}"


def _by_level(archive: ImdfArchive, kind: str) -> dict[str, list[tuple[Feature, BaseGeometry]]]:
    found: dict[str, list[tuple[Feature, BaseGeometry]]] = {one["id"]: [] for one in archive.of("level")}
    for one in archive.of(kind):
        found.setdefault(one["properties"]["level_id"], []).append((one, shape(one["geometry"])))
    return found


def _units(archive: ImdfArchive) -> Iterator[str]:
    outline = {one["id"]: shape(one["geometry"]).buffer(CM_DEG) for one in archive.of("level")}
    for level_id, units in _by_level(archive, "unit").items():
        for one, area in units:
            if level_id in outline and not outline[level_id].covers(area):
                yield f"outside its level: unit {one['id']}"
        areas = [area for _, area in units]
        pairs = shapely.STRtree(areas).query(areas, predicate="intersects").T
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        shared = shapely.area(shapely.intersection(np.array(areas)[pairs[:, 0]], np.array(areas)[pairs[:, 1]]))
        for i, j in pairs[shared > _SLIVER_DEG2].tolist():
            yield f"overlap: units {units[i][0]['id']} and {units[j][0]['id']}"


def _openings(archive: ImdfArchive) -> Iterator[str]:
    units = _by_level(archive, "unit")
    for level_id, doors in _by_level(archive, "opening").items():
        edges = [area.boundary for _, area in units.get(level_id, [])]
        tree = shapely.STRtree(edges)
        for one, line in doors:
            near = [edges[i] for i in tree.query(line.buffer(CM_DEG))]
            if not any(
                shapely.hausdorff_distance(line, edge.intersection(line.buffer(2 * CM_DEG))) < 5 * CM_DEG
                for edge in near
            ):
                yield f"opening: {one['id']} lies on no unit's border"


def _anchors(archive: ImdfArchive) -> Iterator[str]:
    area = {one["id"]: shape(one["geometry"]).buffer(CM_DEG) for one in archive.of("unit")}
    for one in archive.of("anchor"):
        unit = area.get(one["properties"]["unit_id"])
        if unit is not None and not unit.contains(shape(one["geometry"])):
            yield f"anchor: {one['id']} stands outside its unit"
    for one in archive.of("amenity"):
        units = [area[key] for key in one["properties"]["unit_ids"] if key in area]
        if units and not any(unit.contains(shape(one["geometry"])) for unit in units):
            yield f"amenity: {one['id']} stands outside its units"


def _occupants(archive: ImdfArchive) -> Iterator[str]:
    for one in archive.of("occupant"):
        hours: Any = one["properties"].get("hours")
        if hours is not None and not _HOURS.fullmatch(hours):
            yield f"hours: occupant {one['id']}"
    for a, b in combinations(archive.of("occupant"), 2):
        if a["properties"]["anchor_id"] == b["properties"]["anchor_id"]:
            yield f"anchor: occupants {a['id']} and {b['id']} share one"
