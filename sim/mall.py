"""A simulated mall: its IMDF archive, and the same map as the rest of Atrium sees it."""

from dataclasses import dataclass

import numpy as np
from shapely.geometry import LineString, Point, Polygon

from kernel.ids import LevelId, StoreId, UnitId, VenueId
from sim.brands import BRANDS, Brand
from sim.imdf import FeatureIds, MallPlan, to_archive
from sim.layout import MallSpec, PlannedUnit, plan_level
from venues.archive import ImdfArchive
from venues.frame import LocalFrame
from venues.model import Level, Opening, Store, Unit, Venue


@dataclass(frozen=True)
class SimulatedMall:
    """A mall with known truth.

    ``venue`` has the ids that ``venues.build.build_venue`` gives to ``archive``, in a frame whose origin is the
    mall's south-west corner, so that walls stand on whole metres. ``entrances_xy_m`` are the middles of the doors
    to the street, on the ground level.
    """

    spec: MallSpec
    archive: ImdfArchive
    venue: Venue
    entrances_xy_m: tuple[tuple[float, float], ...]


def make_mall(spec: MallSpec, rng: np.random.Generator, *, venue_id: str | None = None) -> SimulatedMall:
    """Build a mall from its spec; the same spec and generator state give the same bytes.

    >>> mall = make_mall(MallSpec(n_levels=1), np.random.default_rng(1))
    >>> len(mall.venue.levels)
    1
    """
    levels = tuple(plan_level(spec, ordinal, rng) for ordinal in range(spec.n_levels))
    n_stores = sum(unit.is_store for level in levels for unit in level.units)
    plan = MallPlan(spec, levels, _draw_brands(n_stores, rng))
    ids = FeatureIds.draw(plan, rng)
    entrances = tuple(
        ((door.x0 + door.x1) / 2, (door.y0 + door.y1) / 2) for door in levels[0].openings if door.is_entrance
    )
    return SimulatedMall(spec, to_archive(plan, ids), _to_venue(plan, ids, venue_id), entrances)


def _draw_brands(n_stores: int, rng: np.random.Generator) -> tuple[Brand, ...]:
    """A brand for each store, none twice before all stand once."""
    rounds = -(-n_stores // len(BRANDS))
    order = np.concatenate([rng.permutation(len(BRANDS)) for _ in range(rounds)])[:n_stores]
    return tuple(BRANDS[i] for i in order)


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
        levels.append(Level(LevelId(level_id), name, f"Level {level.ordinal + 1}", level.ordinal, outline))
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
            category = "pedestrian.principal" if door.is_entrance else "pedestrian"
            line = LineString([(door.x0, door.y0), (door.x1, door.y1)])
            openings.append(Opening(door_id, LevelId(level_id), category, line))
    return Venue(
        id=VenueId(venue_id or ids.venue),
        name=spec.name_en,
        frame=LocalFrame(spec.lat_deg, spec.lon_deg),
        levels=tuple(levels),
        units=tuple(units),
        stores=tuple(stores),
        openings=tuple(openings),
        time_zone="Asia/Shanghai",
    )
