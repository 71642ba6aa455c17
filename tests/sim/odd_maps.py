"""Maps such as people send: polygons of stores that overlap and cross themselves, and neither doors nor stairs."""

from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Point, Polygon, box

from kernel.ids import LevelId, StoreId, UnitId, VenueId
from venues.frame import LocalFrame
from venues.model import Area, Level, Opening, Store, Unit, Venue

WIDTH_M, DEPTH_M = 46.0, 34.0


def venue_of(
    plans: Mapping[int, Sequence[tuple[str, Area]]],
    *,
    outline: Area | Mapping[int, Area] | None = None,
    openings: tuple[Opening, ...] = (),
) -> Venue:
    """A venue of units (IMDF category and polygon) by ordinal; those called ``store:CATEGORY`` have an occupant."""
    levels: list[Level] = []
    units: list[Unit] = []
    stores: list[Store] = []
    for ordinal, plan in plans.items():
        area = outline.get(ordinal) if isinstance(outline, Mapping) else outline
        level_id = LevelId(f"level{ordinal}")
        name = f"F{ordinal + 1}" if ordinal >= 0 else f"B{-ordinal}"
        levels.append(Level(level_id, name, name, ordinal, box(0, 0, WIDTH_M, DEPTH_M) if area is None else area))
        for number, (kind, shape) in enumerate(plan):
            unit_id = UnitId(f"unit{ordinal}-{number}")
            is_store = kind.startswith("store:")
            units.append(Unit(unit_id, level_id, "room" if is_store else kind, shape))
            if is_store:
                stores.append(
                    Store(
                        id=StoreId(f"st_shop{ordinal}-{number}"),
                        name=f"Shop {ordinal}-{number}",
                        category=kind.removeprefix("store:"),
                        unit_id=unit_id,
                        level_id=level_id,
                        area=shape,
                        display_point=Point(shape.centroid),
                    )
                )
    return Venue(
        id=VenueId("odd"),
        name="Odd",
        frame=LocalFrame(30.0, 120.0),
        levels=tuple(levels),
        units=tuple(units),
        stores=tuple(stores),
        openings=openings,
    )


def turned(shape: Area, degrees: float) -> Area:
    """The same polygon, turned about its middle."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([shape.centroid.x, shape.centroid.y])
    found: Area = shapely.transform(shape, lambda xy_m: (xy_m - middle) @ turn.T + middle)
    return found


BOW_TIE = Polygon([(30.0, 20.0), (40.0, 30.0), (40.0, 20.0), (30.0, 30.0)])
U_SHAPE = Polygon([(2, 20), (14, 20), (14, 31), (8.3, 31), (8.3, 23), (7.9, 23), (7.9, 31), (2, 31)])
"""A store with a slit of 40 cm, narrower than a cell."""


def odd_venue() -> Venue:
    """Two levels with whatever goes wrong with maps; every store but the sliver can be had."""
    ground: list[tuple[str, Area]] = [
        ("store:shopping", turned(box(3, 3, 13, 12), 7.0)),
        ("store:restaurant", box(13, 3, 22, 12)),  # overlaps the first
        ("store:services", box(15, 5, 18, 8)),  # inside the second
        ("store:unspecified", BOW_TIE),
        ("store:fashion", U_SHAPE),
        ("nonpublic", box(24, 3, 30, 12)),
        ("store:coffee", box(26, 5, 29, 10)),  # inside what is not public: no door can lead there
        ("store:jewelry", box(35, 2, 35.3, 14)),  # no cell's middle lies in it
        ("opentobelow", box(18, 16, 26, 20)),
        ("store:books", MultiPolygon([box(38, 3, 45, 8), box(38, 10, 45, 14)])),
        ("store:toys", box(40, 15, 60, 19)),  # sticks out of the level
    ]
    above: list[tuple[str, Area]] = [
        ("store:fashion", turned(box(3, 3, 13, 12), -20.0)),
        ("store:pharmacy", box(20, 3, 32, 12)),
        ("store:cinema", box(4, 20, 20, 31)),
        ("lounge", box(24, 22, 34, 30)),
    ]
    return venue_of({0: ground, 1: above})


def drawn_venue(seed: int) -> Venue:
    """Random stars of polygons thrown over two levels, some of other kinds than stores."""
    rng = np.random.default_rng(seed)
    kinds = ["store:fashion", "store:shopping", "store:restaurant", "nonpublic", "opentobelow", "walkway", "parking"]
    plans: dict[int, list[tuple[str, Area]]] = {}
    for ordinal in (-1, 0):
        plan: list[tuple[str, Area]] = []
        for _ in range(int(rng.integers(3, 14))):
            n = int(rng.integers(3, 8))
            angle = rng.uniform(0, 2 * np.pi, n)  # unsorted: many cross themselves
            angle = np.sort(angle) if rng.random() < 0.7 else angle
            radius_m = rng.uniform(0.5, 9.0, n)
            middle = rng.uniform((0.0, 0.0), (WIDTH_M, DEPTH_M))
            xy_m = middle + np.column_stack([np.cos(angle), np.sin(angle)]) * radius_m[:, None]
            plan.append((str(rng.choice(kinds)), Polygon(xy_m)))
        plans[ordinal] = plan
    return venue_of(plans)
