"""A simulated mall: its IMDF archive, and the same map as the rest of Atrium sees it."""

from dataclasses import dataclass
from itertools import cycle
from typing import TypeAlias

import numpy as np
from shapely.geometry import LineString, Point, Polygon

from kernel.ids import LevelId, StoreId, UnitId, VenueId
from sim.brands import BRANDS, EVERYDAY_BRANDS, Brand
from sim.imdf import FeatureIds, MallPlan, to_archive
from sim.imported_spec import ImportedSpec
from sim.layout import MallSpec, PlannedUnit, plan_level
from sim.parking import plan_parking
from sim.time_zone import zone_of_offset
from venues.archive import ImdfArchive
from venues.frame import LocalFrame
from venues.model import Level, Opening, Store, Unit, Venue

Bay: TypeAlias = tuple[int, tuple[float, float]]
MOST_BAYS = 24
"""So many bays, spread over all, stand for the car park: each costs the tree of ways to it."""


@dataclass(frozen=True)
class SimulatedMall:
    """A mall with known truth.

    ``venue`` has the ids that ``venues.build.build_venue`` gives to ``archive``, in a frame whose origin is the
    mall's south-west corner, so that walls stand on whole metres. ``entrances_xy_m`` are the middles of the doors
    to the street, on the ground level. ``bays`` are places where some who come by car begin and end: index of the
    level, and the middle of the bay.
    """

    spec: MallSpec | ImportedSpec
    archive: ImdfArchive
    venue: Venue
    entrances_xy_m: tuple[tuple[float, float], ...]
    bays: tuple[Bay, ...] = ()


def make_mall(spec: MallSpec, rng: np.random.Generator, *, venue_id: str | None = None) -> SimulatedMall:
    """Build a mall from its spec; the same spec and generator state give the same bytes.

    >>> mall = make_mall(MallSpec(n_levels=1), np.random.default_rng(1))
    >>> len(mall.venue.levels)
    1
    """
    parking = tuple(plan_parking(spec, ordinal) for ordinal in range(-spec.parking_levels, 0))
    levels = parking + tuple(plan_level(spec, ordinal, rng) for ordinal in range(spec.n_levels))
    rooms = [unit for level in levels for unit in level.units if unit.is_store]
    plan = MallPlan(spec, levels, _draw_brands([unit.anchor for unit in rooms], rng))
    ids = FeatureIds.draw(plan, rng)
    entrances = tuple(
        ((door.x0 + door.x1) / 2, (door.y0 + door.y1) / 2)
        for level in levels
        for door in level.openings
        if door.is_entrance
    )
    venue = _to_venue(plan, ids, venue_id)
    return SimulatedMall(spec, to_archive(plan, ids), venue, entrances, some_bays(venue))


def some_bays(venue: Venue) -> tuple[Bay, ...]:
    """At most ``MOST_BAYS`` units of parking, evenly out of all, in the venue's order."""
    level_index = {level.id: i for i, level in enumerate(venue.levels)}
    every = [
        (level_index[unit.level_id], (unit.area.representative_point().x, unit.area.representative_point().y))
        for unit in venue.units
        if unit.category == "parking"
    ]
    if not every:
        return ()
    chosen = np.unique(np.linspace(0, len(every) - 1, MOST_BAYS).round().astype(np.int64))
    return tuple(every[i] for i in chosen.tolist())


def _draw_brands(anchors: list[str | None], rng: np.random.Generator) -> tuple[Brand, ...]:
    """A brand for each store, none twice before all stand once; anchors (those with a category) by turns."""
    n_stores = anchors.count(None)
    rounds = -(-n_stores // len(EVERYDAY_BRANDS))
    order = np.concatenate([rng.permutation(len(EVERYDAY_BRANDS)) for _ in range(rounds)])[:n_stores]
    common = iter([EVERYDAY_BRANDS[i] for i in order])
    large = {kind: cycle([brand for brand in BRANDS if brand.category == kind]) for kind in anchors if kind}
    return tuple(next(large[kind]) if kind else next(common) for kind in anchors)


def unit_area(unit: PlannedUnit) -> Polygon:
    """The polygon of a planned unit, metres from the south-west corner."""
    return Polygon(unit.box.corners, [unit.hole.corners] if unit.hole else [])


def _to_venue(plan: MallPlan, ids: FeatureIds, venue_id: str | None) -> Venue:
    spec = plan.spec
    outline = Polygon([(0, 0), (spec.width_m, 0), (spec.width_m, spec.depth_m), (0, spec.depth_m)])
    levels, units, stores, openings = [], [], [], []
    shop = 0
    for level, level_id, unit_ids, opening_ids in zip(plan.levels, ids.levels, ids.units, ids.openings, strict=True):
        name = plan.short_name(level.ordinal)
        levels.append(Level(LevelId(level_id), name, plan.names(level.ordinal)["en"], level.ordinal, outline))
        for unit, unit_id in zip(level.units, unit_ids, strict=True):
            area = unit_area(unit)
            units.append(Unit(UnitId(unit_id), LevelId(level_id), unit.category, area, unit.name))
            if not unit.is_store:
                continue
            brand = plan.brands[shop]
            stores.append(
                Store(
                    id=StoreId(f"st_{ids.occupants[shop]}"),
                    name=brand.name_en,
                    category=brand.category,
                    unit_id=UnitId(unit_id),
                    level_id=LevelId(level_id),
                    area=area,
                    display_point=Point(area.centroid),
                    names=brand.names,
                    hours=spec.hours,
                )
            )
            shop += 1
        for door, door_id in zip(level.openings, opening_ids, strict=True):
            line = LineString([(door.x0, door.y0), (door.x1, door.y1)])
            openings.append(Opening(door_id, LevelId(level_id), door.category, line))
    return Venue(
        id=VenueId(venue_id or ids.venue),
        name=spec.name_en,
        frame=LocalFrame(spec.lat_deg, spec.lon_deg),
        levels=tuple(levels),
        units=tuple(units),
        stores=tuple(stores),
        openings=tuple(openings),
        time_zone=zone_of_offset(spec.utc_offset_h),
    )
