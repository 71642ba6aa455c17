"""From parsed floors to an IMDF archive: who is a tenant, what is a facility, where one can walk."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import shapely
from shapely.geometry import MultiPolygon, Point, Polygon, mapping

from venues.archive import FEATURE_TYPES, Feature, ImdfArchive
from venues.build import SOURCE_ID_PROPERTY
from venues.frame import LocalFrame
from venues.xyz10.kinds import MAX_STORE_M2, MIN_STORE_M2, SAME_TENANT_GAP_M, occupant_category, unit_category
from venues.xyz10.source import SourceFloor, SourcePolygon

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/location-competition/indoor-location-competition-20")
_LANGUAGE = "zh-Latn"  # the names are pinyin or brands in Latin letters
_CREATED = "2020-01-01T00:00:00Z"  # the layout has no date, and the same folder must give the same archive
_MIN_WALKWAY_PART_M2 = 0.5
"""Slivers between polygons that were meant to touch; nobody stands in half a square metre."""


class _Draft:
    """Features in the making, by type."""

    def __init__(self) -> None:
        self.features: dict[str, list[Feature]] = {kind: [] for kind in FEATURE_TYPES}

    def add(self, kind: str, key: str, geometry: Any, properties: dict[str, Any]) -> str:
        feature_id = str(uuid.uuid5(_NAMESPACE, f"{kind}:{key}"))
        self.features[kind].append(
            {
                "type": "Feature",
                "id": feature_id,
                "feature_type": kind,
                "geometry": None if geometry is None else _to_json(geometry),
                "properties": properties,
            }
        )
        return feature_id


def build_archive(floors: Sequence[SourceFloor], name: str) -> ImdfArchive:
    """Make the archive of one venue in one building; ``floors`` must not be empty."""
    draft = _Draft()
    key = ",".join(floor.source_id for floor in floors)
    ground = min(floors, key=lambda floor: (abs(floor.ordinal), floor.ordinal)).outline
    frame = LocalFrame(lat_deg=ground.centroid.y, lon_deg=ground.centroid.x)
    outlines = [floor.outline for floor in floors]
    extent = shapely.union_all(outlines)
    address_id = draft.add("address", key, None, _address(name))
    draft.add("venue", key, extent, _venue(name, address_id, extent.representative_point()))
    building_id = draft.add("building", key, None, _building(name))
    draft.add("footprint", key, extent, {"category": "ground", "name": None, "building_ids": [building_id]})
    for floor in floors:
        _add_floor(draft, floor, frame, building_id)
    manifest = {
        "version": "1.0.0",
        "created": _CREATED,
        "language": _LANGUAGE,
        "generated_by": "atrium xyz10",
        "extensions": ["imdf:extension:atrium:source-id#1.0.0"],
    }
    return ImdfArchive(manifest, {kind: tuple(found) for kind, found in draft.features.items() if found})


def _address(name: str) -> dict[str, Any]:
    # IMDF demands an address; the layout has none, and the survey sets are all of Chinese sites
    return {"address": name, "locality": "unknown", "country": "CN", "unit": None, "province": None}


def _venue(name: str, address_id: str, point: Point) -> dict[str, Any]:
    return {
        "category": "shoppingcenter",
        "restriction": None,
        "name": _label(name),
        "alt_name": None,
        "hours": None,
        "phone": None,
        "website": None,
        "display_point": _to_json(point),
        "address_id": address_id,
    }


def _building(name: str) -> dict[str, Any]:
    return {
        "category": "unspecified",
        "name": _label(name),
        "alt_name": None,
        "restriction": None,
        "display_point": None,
        "address_id": None,
    }


def _add_floor(draft: _Draft, floor: SourceFloor, frame: LocalFrame, building_id: str) -> None:
    level_id = draft.add(
        "level",
        floor.source_id,
        floor.outline,
        {
            "category": "unspecified",
            "restriction": None,
            "outdoor": False,
            "ordinal": floor.ordinal,
            "name": _label(floor.short_name),
            "short_name": _label(floor.short_name),
            "display_point": None,
            "address_id": None,
            "building_ids": [building_id],
        },
    )
    tenants: list[SourcePolygon] = []
    for polygon in floor.polygons:
        category = unit_category(polygon.name)
        if category is None:
            tenants.append(polygon)
        else:
            draft.add("unit", polygon.id, polygon.geometry, _unit(category, level_id, polygon.name))
    for tenant in _merge_tenants(tenants, frame):
        _add_tenant(draft, tenant, frame, level_id)
    walkway = _walkway(floor, frame)
    if walkway is not None:
        draft.add("unit", f"walkway:{floor.source_id}", walkway, _unit("walkway", level_id, None))


def _merge_tenants(tenants: Iterable[SourcePolygon], frame: LocalFrame) -> list[SourcePolygon]:
    """Join polygons of one name that lie close together; the joined tenant has the largest part's id."""
    by_name: dict[str | None, list[SourcePolygon]] = {}
    for tenant in tenants:
        by_name.setdefault(tenant.name, []).append(tenant)
    merged = []
    for same in by_name.values():
        groups: list[list[SourcePolygon]] = []
        for tenant in same:
            near = [
                group for group in groups if any(_gap_m(tenant, part, frame) <= SAME_TENANT_GAP_M for part in group)
            ]
            groups = [group for group in groups if group not in near]
            groups.append([*(part for group in near for part in group), tenant])
        merged += [_join(group, frame) for group in groups]
    return merged


def _gap_m(one: SourcePolygon, other: SourcePolygon, frame: LocalFrame) -> float:
    return float(shapely.distance(_in_metres(one.geometry, frame), _in_metres(other.geometry, frame)))


def _join(group: list[SourcePolygon], frame: LocalFrame) -> SourcePolygon:
    largest = max(group, key=lambda part: (_in_metres(part.geometry, frame).area, part.id))
    if len(group) == 1:
        return largest
    joined = shapely.union_all([part.geometry for part in group])
    assert isinstance(joined, Polygon | MultiPolygon)
    return replace(largest, geometry=joined)


def _add_tenant(draft: _Draft, tenant: SourcePolygon, frame: LocalFrame, level_id: str) -> None:
    assert tenant.name is not None  # a polygon without name is a facility
    area_m2 = _in_metres(tenant.geometry, frame).area
    if area_m2 < MIN_STORE_M2:
        kiosk = {"name": _label(tenant.name), "alt_name": None, "anchor_id": None, "level_id": level_id}
        draft.add("kiosk", tenant.id, tenant.geometry, kiosk | {"display_point": None})
        return
    unit_id = draft.add("unit", tenant.id, tenant.geometry, _unit("room", level_id, tenant.name))
    if area_m2 > MAX_STORE_M2:
        return
    point = tenant.geometry.representative_point()
    anchor_id = draft.add("anchor", tenant.id, point, {"address_id": None, "unit_id": unit_id})
    draft.add(
        "occupant",
        tenant.id,
        None,
        {
            "name": _label(tenant.name),
            "category": occupant_category(tenant.categories),
            "anchor_id": anchor_id,
            "hours": None,
            "phone": None,
            "website": None,
            "validity": None,
            "correlation_id": None,
            SOURCE_ID_PROPERTY: tenant.id,
        },
    )


def _unit(category: str, level_id: str, name: str | None) -> dict[str, Any]:
    return {
        "category": category,
        "restriction": None,
        "accessibility": None,
        "name": None if name is None else _label(name),
        "alt_name": None,
        "display_point": None,
        "level_id": level_id,
    }


def _walkway(floor: SourceFloor, frame: LocalFrame) -> MultiPolygon | Polygon | None:
    """What the outline leaves when every other polygon is taken out, without slivers."""
    taken = [_in_metres(polygon.geometry, frame) for polygon in floor.polygons]
    free = shapely.difference(_in_metres(floor.outline, frame), shapely.union_all(taken))
    parts = [
        part
        for part in shapely.get_parts(free)
        if isinstance(part, Polygon) and part.area >= _MIN_WALKWAY_PART_M2 and part.is_valid
    ]
    if not parts:
        return None
    return shapely.transform(MultiPolygon(parts), frame.to_lon_lat_deg)


def _in_metres(geometry: Polygon | MultiPolygon, frame: LocalFrame) -> Polygon | MultiPolygon:
    return shapely.transform(geometry, frame.to_xy_m)


def _label(text: str) -> dict[str, str]:
    return {_LANGUAGE if text.isascii() else "zh": text}


def _to_json(geometry: Polygon | MultiPolygon | Point) -> dict[str, Any]:
    """GeoJSON of plain lists, equal to what reading the written file gives."""
    return {"type": geometry.geom_type, "coordinates": _lists(mapping(geometry)["coordinates"])}


def _lists(value: Any) -> Any:
    return [_lists(part) for part in value] if isinstance(value, tuple | list) else value
