"""A planned mall written down as IMDF 1.0.0 features.

Source: Apple Inc. / OGC, *Indoor Mapping Data Format*, 20-094, 2021.
"""

import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.brands import Brand
from sim.layout import Box, LevelPlan, MallSpec, PlannedOpening, PlannedUnit
from sim.time_zone import zone_of_offset
from venues.archive import Feature, ImdfArchive
from venues.frame import LocalFrame
from venues.time_zone import TIME_ZONE_PROPERTY

_DEGREE_DIGITS = 9
"""0.1 mm: what is read back is what was planned, without fifteen digits a coordinate."""
_AMENITY_OF_UNIT = {"stairs": "stairs", "elevator": "elevator", "escalator": "escalator", "restroom": "restroom"}


@dataclass(frozen=True, slots=True)
class MallPlan:
    """The levels of a mall, and a brand for each store in the order in which the levels hold them."""

    spec: MallSpec
    levels: tuple[LevelPlan, ...]
    brands: tuple[Brand, ...]

    @staticmethod
    def short_name(ordinal: int) -> str:
        return f"F{ordinal + 1}" if ordinal >= 0 else f"B{-ordinal}"

    @staticmethod
    def names(ordinal: int) -> dict[str, str]:
        if ordinal < 0:
            return {"en": f"Parking {-ordinal}", "zh-Hans": f"地下{-ordinal}层停车场"}
        return {"en": f"Level {ordinal + 1}", "zh-Hans": f"{ordinal + 1}层"}


@dataclass(frozen=True, slots=True)
class FeatureIds:
    """A UUID for each feature, drawn from the generator, so that the same seed gives the same archive."""

    address: str
    venue: str
    building: str
    footprint: str
    levels: tuple[str, ...]
    units: tuple[tuple[str, ...], ...]
    openings: tuple[tuple[str, ...], ...]
    anchors: tuple[str, ...]
    occupants: tuple[str, ...]
    amenities: tuple[str, ...]

    @classmethod
    def draw(cls, plan: MallPlan, rng: np.random.Generator) -> "FeatureIds":
        n_stores = len(plan.brands)
        n_amenities = len(_amenity_spots(plan))
        return cls(
            address=_uuid(rng),
            venue=_uuid(rng),
            building=_uuid(rng),
            footprint=_uuid(rng),
            levels=_uuids(rng, len(plan.levels)),
            units=tuple(_uuids(rng, len(level.units)) for level in plan.levels),
            openings=tuple(_uuids(rng, len(level.openings)) for level in plan.levels),
            anchors=_uuids(rng, n_stores),
            occupants=_uuids(rng, n_stores),
            amenities=_uuids(rng, n_amenities),
        )


def _uuid(rng: np.random.Generator) -> str:
    return str(uuid.UUID(bytes=rng.bytes(16), version=4))


def _uuids(rng: np.random.Generator, n: int) -> tuple[str, ...]:
    return tuple(_uuid(rng) for _ in range(n))


def to_archive(plan: MallPlan, ids: FeatureIds) -> ImdfArchive:
    """Write the plan as an archive: venue, address, building, footprint, levels, units, doors, stores, amenities."""
    draw = _Draughtsman(LocalFrame(plan.spec.lat_deg, plan.spec.lon_deg))
    spec = plan.spec
    outline = Box(0, 0, spec.width_m, spec.depth_m)
    names = {"en": spec.name_en, "zh-Hans": spec.name_zh}
    features: dict[str, list[Feature]] = {
        "address": [_address(plan, ids)],
        "venue": [_venue(plan, ids, draw, outline, names)],
        "building": [
            _feature(
                "building",
                ids.building,
                None,
                category="unspecified",
                restriction=None,
                name=names,
                alt_name=None,
                display_point=draw.point(*_middle(outline)),
                address_id=ids.address,
            )
        ],
        "footprint": [
            _feature(
                "footprint",
                ids.footprint,
                draw.polygon(outline),
                category="ground",
                name=None,
                building_ids=[ids.building],
            )
        ],
        "level": [
            _feature(
                "level",
                level_id,
                draw.polygon(outline),
                category="unspecified" if level.ordinal >= 0 else "parking",
                restriction=None,
                outdoor=False,
                ordinal=level.ordinal,
                name=plan.names(level.ordinal),
                short_name={"en": plan.short_name(level.ordinal)},
                display_point=draw.point(*_middle(outline)),
                address_id=None,
                building_ids=[ids.building],
            )
            for level, level_id in zip(plan.levels, ids.levels, strict=True)
        ],
        "unit": [
            _unit(unit, unit_id, level_id, draw)
            for level, level_id, unit_ids in zip(plan.levels, ids.levels, ids.units, strict=True)
            for unit, unit_id in zip(level.units, unit_ids, strict=True)
        ],
        "opening": [
            _opening(door, door_id, level_id, draw)
            for level, level_id, door_ids in zip(plan.levels, ids.levels, ids.openings, strict=True)
            for door, door_id in zip(level.openings, door_ids, strict=True)
        ],
        "amenity": _amenities(plan, ids, draw),
    }
    features["anchor"], features["occupant"] = _stores(plan, ids, draw)
    manifest = {
        "version": "1.0.0",
        "created": "2026-01-01T00:00:00Z",
        "language": "en",
        "generated_by": "Atrium sim",
        "extensions": None,
    }
    return ImdfArchive(manifest, {kind: tuple(features[kind]) for kind in sorted(features)})


class _Draughtsman:
    """Turns metres of the plan into GeoJSON geometry."""

    def __init__(self, frame: LocalFrame) -> None:
        self._frame = frame

    def _place(self, x: float, y: float) -> list[float]:
        lon_deg, lat_deg = self._frame.to_lon_lat_deg([x, y])
        return [round(float(lon_deg), _DEGREE_DIGITS), round(float(lat_deg), _DEGREE_DIGITS)]

    def point(self, x: float, y: float) -> dict[str, Any]:
        return {"type": "Point", "coordinates": self._place(x, y)}

    def line(self, x0: float, y0: float, x1: float, y1: float) -> dict[str, Any]:
        return {"type": "LineString", "coordinates": [self._place(x0, y0), self._place(x1, y1)]}

    def polygon(self, box: Box, hole: Box | None = None) -> dict[str, Any]:
        rings = [[self._place(x, y) for x, y in box.corners]]
        if hole is not None:
            rings.append([self._place(x, y) for x, y in reversed(hole.corners)])
        return {"type": "Polygon", "coordinates": rings}


def _feature(kind: str, feature_id: str, geometry: dict[str, Any] | None, **properties: Any) -> Feature:
    return {
        "id": feature_id,
        "type": "Feature",
        "feature_type": kind,
        "geometry": geometry,
        "properties": properties,
    }


def _middle(box: Box) -> tuple[float, float]:
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2


def _address(plan: MallPlan, ids: FeatureIds) -> Feature:
    return _feature(
        "address",
        ids.address,
        None,
        address="1 Heron Quay",
        unit=None,
        locality="Hangzhou",
        province="CN-ZJ",
        country="CN",
        postal_code="310000",
        postal_code_ext=None,
        postal_code_vanity=None,
    )


def _venue(plan: MallPlan, ids: FeatureIds, draw: _Draughtsman, outline: Box, names: dict[str, str]) -> Feature:
    return _feature(
        "venue",
        ids.venue,
        draw.polygon(outline),
        category="shoppingcenter",
        restriction=None,
        name=names,
        alt_name=None,
        hours=plan.spec.hours,
        phone=None,
        website=None,
        display_point=draw.point(*_middle(outline)),
        address_id=ids.address,
        **{TIME_ZONE_PROPERTY: zone_of_offset(plan.spec.utc_offset_h)},
    )


def _unit(unit: PlannedUnit, unit_id: str, level_id: str, draw: _Draughtsman) -> Feature:
    middle = _middle(unit.box) if unit.hole is None else ((unit.box.x0 + unit.hole.x0) / 2, _middle(unit.box)[1])
    return _feature(
        "unit",
        unit_id,
        draw.polygon(unit.box, unit.hole),
        category=unit.category,
        restriction="employeesonly" if unit.category == "nonpublic" else None,
        accessibility=None,
        name=None if unit.name is None else {"en": unit.name},
        alt_name=None,
        level_id=level_id,
        display_point=draw.point(*middle),
    )


def _opening(door: PlannedOpening, door_id: str, level_id: str, draw: _Draughtsman) -> Feature:
    return _feature(
        "opening",
        door_id,
        draw.line(door.x0, door.y0, door.x1, door.y1),
        category=door.category,
        accessibility=None,
        access_control=None,
        door={"type": "open", "automatic": None, "material": None},
        name=None,
        alt_name=None,
        display_point=None,
        level_id=level_id,
    )


def _stores(plan: MallPlan, ids: FeatureIds, draw: _Draughtsman) -> tuple[list[Feature], list[Feature]]:
    rooms = [
        (unit, unit_id)
        for level, unit_ids in zip(plan.levels, ids.units, strict=True)
        for unit, unit_id in zip(level.units, unit_ids, strict=True)
        if unit.is_store
    ]
    anchors = [
        _feature("anchor", anchor_id, draw.point(*_middle(unit.box)), address_id=ids.address, unit_id=unit_id)
        for anchor_id, (unit, unit_id) in zip(ids.anchors, rooms, strict=True)
    ]
    occupants = [
        _feature(
            "occupant",
            occupant_id,
            None,
            name=brand.names,
            category=brand.category,
            anchor_id=anchor_id,
            hours=plan.spec.hours,
            phone=None,
            website=None,
            validity=None,
            correlation_id=None,
        )
        for occupant_id, anchor_id, brand in zip(ids.occupants, ids.anchors, plan.brands, strict=True)
    ]
    return anchors, occupants


def _amenity_spots(plan: MallPlan) -> list[tuple[str, float, float, int, int]]:
    """Category, place, level index and unit index of each amenity."""
    return [
        (_AMENITY_OF_UNIT[unit.category], *_middle(unit.box), i, j)
        for i, level in enumerate(plan.levels)
        for j, unit in enumerate(level.units)
        if unit.category in _AMENITY_OF_UNIT
    ]


def _amenities(plan: MallPlan, ids: FeatureIds, draw: _Draughtsman) -> list[Feature]:
    return [
        _feature(
            "amenity",
            amenity_id,
            draw.point(x, y),
            category=category,
            accessibility=None,
            name=None,
            alt_name=None,
            hours=None,
            phone=None,
            website=None,
            unit_ids=[ids.units[i][j]],
            address_id=None,
            correlation_id=None,
        )
        for amenity_id, (category, x, y, i, j) in zip(ids.amenities, _amenity_spots(plan), strict=True)
    ]
