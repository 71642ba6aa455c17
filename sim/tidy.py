"""A map made fit to be walked: units that do not overlap, and a floor wherever nothing else is drawn.

Maps come with polygons that overlap, stick out of their level or are not valid, and often without corridors. Of two
closed units that overlap the smaller keeps what they share (a kiosk in a shop, a shop in a hall), closed units keep
it before open ones, and what no unit covers is floor.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace

import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from kernel.ids import UnitId
from sim.walls import NO_BARRIER
from venues.model import Area, Level, Unit, Venue

NAMESPACE = uuid.UUID("5b0e5f0c-8a53-5f0e-9d0c-6d3f5a1c7e42")
"""Of the ids of what is added to a map, which are derived from what it is added to."""
_SLIVER_M2 = 0.05
_LEAST_FLOOR_M2 = 1.0
_ON_EDGE_M = 1e-3


def tidy(venue: Venue) -> Venue:
    """The same venue with units that neither overlap nor leave their level, and floor between them.

    Units of which nothing is left are gone, and with them their stores. Stores have their units' areas.
    """
    units: list[Unit] = []
    levels: list[Level] = []
    for level in venue.levels:
        outline = polygonal(level.area)
        levels.append(replace(level, area=outline))
        here = _cut_apart([unit for unit in venue.units if unit.level_id == level.id], outline)
        units += here
        floor = polygonal(shapely.difference(outline, shapely.union_all([u.area for u in here])), _LEAST_FLOOR_M2)
        if not floor.is_empty:
            name = UnitId(str(uuid.uuid5(NAMESPACE, f"floor:{level.id}")))
            units.append(Unit(name, level.id, "walkway", floor))
    area_of = {unit.id: unit.area for unit in units}
    stores = [
        replace(store, area=area, display_point=_point_in(area, store.display_point))
        for store in venue.stores
        if (area := area_of.get(store.unit_id)) is not None
    ]
    return replace(venue, levels=tuple(levels), units=tuple(units), stores=tuple(stores))


def polygonal(shape: BaseGeometry, least_m2: float = _SLIVER_M2) -> Area:
    """The polygons of a shape, made valid, without slivers; an empty polygon where there are none."""
    valid = shape if shape.is_valid else shapely.make_valid(shape)
    parts = [part for part in _polygons(valid) if part.area >= least_m2]
    if not parts:
        return Polygon()
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _polygons(shape: BaseGeometry) -> Iterable[Polygon]:
    for part in shapely.get_parts(shape):
        if isinstance(part, Polygon):
            yield part
        elif part.geom_type in ("MultiPolygon", "GeometryCollection"):
            yield from _polygons(part)


def _cut_apart(units: Sequence[Unit], outline: Area) -> list[Unit]:
    """The units of a level in their order, without what they share with those that come before them by rank."""
    areas = [_inside(polygonal(unit.area), outline) for unit in units]
    tree = shapely.STRtree(areas)
    by_rank = sorted(range(len(units)), key=lambda i: (units[i].category in NO_BARRIER, areas[i].area, units[i].id))
    rank = {i: number for number, i in enumerate(by_rank)}
    for i in by_rank:
        before = [areas[j] for j in tree.query(areas[i]).tolist() if rank[j] < rank[i]]
        shared = [area for area in before if shapely.area(shapely.intersection(area, areas[i])) > 1e-6]
        if shared:
            areas[i] = polygonal(shapely.difference(areas[i], shapely.union_all(shared)))
    return [replace(unit, area=area) for unit, area in zip(units, areas, strict=True) if not area.is_empty]


def _inside(area: Area, outline: Area) -> Area:
    if shapely.buffer(outline, _ON_EDGE_M).covers(area):
        return area
    return polygonal(shapely.intersection(area, outline))


def _point_in(area: Area, point: shapely.Point) -> shapely.Point:
    return point if area.contains(point) else area.representative_point()
