"""Where things stand in a simulated mall: rectangles on whole metres, level by level.

A level is a ring corridor around a central block (two islands of stores, two escalators, an atrium between
them) with rows of stores along the four outer sides. Stairs, lift and restrooms stand at the same place on
every level. An anchor store takes a whole end of a level; levels of parking lie below (``parking.py``). Whole metres
keep walls on the edges of the one-metre cells of the radio field.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np

Side: TypeAlias = Literal["south", "north", "west", "east"]


@dataclass(frozen=True, slots=True)
class MallSpec:
    """The size and shape of a mall; the defaults make 3 levels of 90 x 54 m with about 20 stores each.

    Args:
        width_m, depth_m: outer size, whole metres.
        row_m: depth of the stores along the outer sides.
        corridor_m: width of the ring corridor.
        island_m: width of each of the two blocks of stores in the middle.
        frontage_m: smallest and largest front of a store in a row.
        lat_deg, lon_deg: WGS 84 place of the south-west corner (open ground by the Qiantang, Hangzhou).
        hours: OSM opening_hours of the mall.
        anchors: large stores, each at one end of a level, ``row_m`` deep and as wide as the mall; see ``anchor_ends``.
        parking_levels: below ground, with stairs, lift and escalators up.
    """

    n_levels: int = 3
    width_m: int = 90
    depth_m: int = 54
    row_m: int = 14
    corridor_m: int = 5
    island_m: int = 14
    frontage_m: tuple[int, int] = (8, 14)
    lat_deg: float = 30.2461
    lon_deg: float = 120.2105
    name_en: str = "Heron Place"
    name_zh: str = "鹭汀广场"
    opens_hour: int = 10
    closes_hour: int = 22
    utc_offset_h: int = 8
    anchors: int = 0
    parking_levels: int = 0

    def __post_init__(self) -> None:
        if self.n_levels < 1:
            raise ValueError(f"a mall needs a level, found n_levels={self.n_levels}")
        if not 0 <= self.anchors < 2 * self.n_levels:
            raise ValueError(
                f"{self.n_levels} levels have {2 * self.n_levels - 1} ends for anchors, found anchors={self.anchors}"
            )
        if not 0 <= self.parking_levels <= 5:
            raise ValueError(f"expected parking_levels within 0..5, found {self.parking_levels}")
        core_width_m = self.width_m - 2 * (self.row_m + self.corridor_m)
        core_depth_m = self.depth_m - 2 * (self.row_m + self.corridor_m)
        if core_width_m < 2 * self.island_m + 2 * _ESCALATOR_M + 6 or core_depth_m < 12:
            raise ValueError(
                f"a mall of {self.width_m} x {self.depth_m} m leaves a centre of {core_width_m} x {core_depth_m} m: "
                f"too small for two islands, two escalators and an atrium"
            )

    @property
    def hours(self) -> str:
        return f"Mo-Su {self.opens_hour:02d}:00-{self.closes_hour:02d}:00"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in metres east and north of the mall's south-west corner."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def corners(self) -> list[tuple[float, float]]:
        """The closed ring, counter-clockwise."""
        return [(self.x0, self.y0), (self.x1, self.y0), (self.x1, self.y1), (self.x0, self.y1), (self.x0, self.y0)]


@dataclass(frozen=True, slots=True)
class PlannedUnit:
    """A unit to be: IMDF category, outline, an optional hole, and whether a store stands in it."""

    category: str
    box: Box
    hole: Box | None = None
    is_store: bool = False
    name: str | None = None
    anchor: str | None = None
    """Occupant category of the anchor store that stands here."""


@dataclass(frozen=True, slots=True)
class PlannedOpening:
    """A door to be, from one end to the other; entrances lead outside, ``for_cars`` into the parking."""

    x0: float
    y0: float
    x1: float
    y1: float
    is_entrance: bool = False
    for_cars: bool = False

    @property
    def category(self) -> str:
        """IMDF's."""
        if self.for_cars:
            return "automobile"
        return "pedestrian.principal" if self.is_entrance else "pedestrian"


@dataclass(frozen=True, slots=True)
class LevelPlan:
    """All that stands on one level."""

    ordinal: int
    units: tuple[PlannedUnit, ...]
    openings: tuple[PlannedOpening, ...]


_Part: TypeAlias = tuple[list[PlannedUnit], list[PlannedOpening]]
_ESCALATOR_M = 3
_CORE_M = 13
"""Stairs 4 m, lift 3 m, restrooms 6 m along the north row."""
_CORE_DEPTH_M = 8
_PASSAGE_M = 6
_ANCHOR_DOOR_M = 6


def anchor_ends(spec: MallSpec) -> dict[tuple[int, Side], str]:
    """Which end of which level (ordinal) each anchor takes, and its occupant category.

    The first is a supermarket at the east end of the ground, the second a cinema under the roof (in a mall of one
    level there is no second), the others are department stores: at the east ends between, then at the west ends from
    the top down; the west end of the ground is an entrance.
    """
    top = spec.n_levels - 1
    eastern = [0, top, *range(1, top)] if top else [0]
    ends: list[tuple[int, Side]] = [(ordinal, "east") for ordinal in eastern]
    ends += [(ordinal, "west") for ordinal in range(top, 0, -1)]
    kinds = ["supermarket", "cinema"] + ["departmentstore"] * len(ends)
    return dict(zip(ends[: spec.anchors], kinds, strict=False))


def ring_of(spec: MallSpec) -> tuple[Box, Box]:
    """The ring corridor's outer edge, and the block inside it."""
    ring = Box(spec.row_m, spec.row_m, spec.width_m - spec.row_m, spec.depth_m - spec.row_m)
    margin = spec.corridor_m
    return ring, Box(ring.x0 + margin, ring.y0 + margin, ring.x1 - margin, ring.y1 - margin)


def plan_level(spec: MallSpec, ordinal: int, rng: np.random.Generator) -> LevelPlan:
    """Lay out one level; the ground level (ordinal 0) has the two entrances and the atrium's floor."""
    units: list[PlannedUnit] = []
    openings: list[PlannedOpening] = []
    ring, core = ring_of(spec)
    ends: dict[Side, str] = {side: kind for (at, side), kind in anchor_ends(spec).items() if at == ordinal}
    rows = (ring.x0 if "west" in ends else 0, ring.x1 if "east" in ends else spec.width_m)
    units.append(PlannedUnit("walkway", ring, hole=core, name="Ring"))
    for part in (
        _north_row(spec, ring, rows, rng),
        _south_row(spec, ring, rows, ordinal == 0, rng),
        _side_columns(spec, ring, ends, ordinal == 0, rng),
        _centre(spec, core, ordinal == 0, rng),
    ):
        units += part[0]
        openings += part[1]
    return LevelPlan(ordinal, tuple(units), tuple(openings))


def plan_service_core(spec: MallSpec, ring: Box) -> _Part:
    """Stairs, lift, restrooms and a plant room in the middle of the north row, at the same place on every level."""
    y0, y1 = ring.y1, spec.depth_m
    at = spec.width_m // 2 - _CORE_M // 2
    stairs, lift = Box(at, y0, at + 4, y0 + _CORE_DEPTH_M), Box(at + 4, y0, at + 7, y0 + _CORE_DEPTH_M)
    restroom = Box(at + 7, y0, at + _CORE_M, y1)
    units = [
        PlannedUnit("stairs", stairs, name="Stairs"),
        PlannedUnit("elevator", lift, name="Lift"),
        PlannedUnit("restroom", restroom, name="Restrooms"),
        PlannedUnit("nonpublic", Box(at, y0 + _CORE_DEPTH_M, at + 7, y1), name="Plant room"),
    ]
    openings = [
        PlannedOpening(at + 1, y0, at + 3, y0),
        PlannedOpening(at + 5, y0, at + 6, y0),
        PlannedOpening(at + 9, y0, at + 11, y0),
    ]
    return units, openings


def _north_row(spec: MallSpec, ring: Box, ends: tuple[int, int], rng: np.random.Generator) -> _Part:
    y0, y1 = ring.y1, spec.depth_m
    at = spec.width_m // 2 - _CORE_M // 2
    units, openings = plan_service_core(spec, ring)
    x0, x1 = ends
    boxes = _row(spec, x0, at, y0, y1, x0 == 0, False, rng) + _row(
        spec, at + _CORE_M, x1, y0, y1, False, x1 == spec.width_m, rng
    )
    for box in boxes:
        _add_store(units, openings, box, "south", (ring.x0, ring.x1), rng)
    return units, openings


def _south_row(spec: MallSpec, ring: Box, ends: tuple[int, int], is_ground: bool, rng: np.random.Generator) -> _Part:
    units: list[PlannedUnit] = []
    openings: list[PlannedOpening] = []
    west, east = ends
    corners = west == 0, east == spec.width_m
    if is_ground:
        x0 = (spec.width_m - _PASSAGE_M) // 2
        x1 = x0 + _PASSAGE_M
        units.append(PlannedUnit("walkway", Box(x0, 0, x1, ring.y0), name="South entrance"))
        openings += [PlannedOpening(x0, ring.y0, x1, ring.y0), PlannedOpening(x0 + 1, 0, x1 - 1, 0, is_entrance=True)]
        boxes = _row(spec, west, x0, 0, ring.y0, corners[0], False, rng) + _row(
            spec, x1, east, 0, ring.y0, False, corners[1], rng
        )
    else:
        boxes = _row(spec, west, east, 0, ring.y0, *corners, rng)
    for box in boxes:
        _add_store(units, openings, box, "north", (ring.x0, ring.x1), rng)
    return units, openings


def _side_columns(
    spec: MallSpec, ring: Box, anchors: dict[Side, str], is_ground: bool, rng: np.random.Generator
) -> _Part:
    units: list[PlannedUnit] = []
    openings: list[PlannedOpening] = []
    middle = (ring.y0 + ring.y1) // 2
    for side, kind in anchors.items():
        _add_anchor(units, openings, spec, ring, side, kind)
    west: list[Box] = []
    east: list[Box] = []
    if is_ground:
        gap = (middle - _PASSAGE_M // 2, middle + _PASSAGE_M // 2)
        units.append(PlannedUnit("walkway", Box(0, gap[0], ring.x0, gap[1]), name="West entrance"))
        openings += [
            PlannedOpening(ring.x0, gap[0], ring.x0, gap[1]),
            PlannedOpening(0, gap[0] + 1, 0, gap[1] - 1, is_entrance=True),
        ]
        west = [Box(0, ring.y0, ring.x0, gap[0]), Box(0, gap[1], ring.x0, ring.y1)]
    elif "west" not in anchors:
        cut = middle + int(rng.integers(-2, 3))
        west = [Box(0, ring.y0, ring.x0, cut), Box(0, cut, ring.x0, ring.y1)]
    if "east" not in anchors:
        cut = middle + int(rng.integers(-2, 3))
        east = [Box(ring.x1, ring.y0, spec.width_m, cut), Box(ring.x1, cut, spec.width_m, ring.y1)]
    for box in (part for stretch in west for part in _split_side(spec, stretch)):
        _add_store(units, openings, box, "east", (ring.y0, ring.y1), rng)
    for box in (part for stretch in east for part in _split_side(spec, stretch)):
        _add_store(units, openings, box, "west", (ring.y0, ring.y1), rng)
    return units, openings


def _add_anchor(
    units: list[PlannedUnit], openings: list[PlannedOpening], spec: MallSpec, ring: Box, side: Side, kind: str
) -> None:
    """A store over the whole end of a level, with two wide doors to the ring."""
    x0, x1, front = (0, ring.x0, ring.x0) if side == "west" else (ring.x1, spec.width_m, ring.x1)
    units.append(PlannedUnit("room", Box(x0, 0, x1, spec.depth_m), is_store=True, anchor=kind))
    quarter = (ring.y1 - ring.y0) // 4
    for middle in (ring.y0 + quarter, ring.y1 - quarter):
        y0 = max(ring.y0, middle - _ANCHOR_DOOR_M // 2)
        openings.append(PlannedOpening(front, y0, front, min(ring.y1, y0 + _ANCHOR_DOOR_M)))


def plan_escalators(core: Box, island_m: int) -> _Part:
    """The two escalators between the islands, with a way in at both ends."""
    units: list[PlannedUnit] = []
    openings: list[PlannedOpening] = []
    left, right = core.x0 + island_m, core.x1 - island_m
    for x0, x1 in ((left, left + _ESCALATOR_M), (right - _ESCALATOR_M, right)):
        units.append(PlannedUnit("escalator", Box(x0, core.y0, x1, core.y1), name="Escalator"))
        openings += [PlannedOpening(x0, core.y0, x1, core.y0), PlannedOpening(x0, core.y1, x1, core.y1)]
    return units, openings


def _centre(spec: MallSpec, core: Box, is_ground: bool, rng: np.random.Generator) -> _Part:
    units: list[PlannedUnit] = []
    openings: list[PlannedOpening] = []
    middle = (core.y0 + core.y1) // 2
    for x0, x1 in ((core.x0, core.x0 + spec.island_m), (core.x1 - spec.island_m, core.x1)):
        cut = middle + int(rng.integers(-1, 2))
        for a, b in pairwise(_even_cuts(spec, x0, x1)):
            _add_store(units, openings, Box(a, core.y0, b, cut), "south", (a, b), rng)
            _add_store(units, openings, Box(a, cut, b, core.y1), "north", (a, b), rng)
    left = core.x0 + spec.island_m
    right = core.x1 - spec.island_m
    escalators, ways = plan_escalators(core, spec.island_m)
    units += escalators
    openings += ways
    atrium = Box(left + _ESCALATOR_M, core.y0, right - _ESCALATOR_M, core.y1)
    if is_ground:
        units.append(PlannedUnit("walkway", atrium, name="Atrium"))
        openings += [
            PlannedOpening(atrium.x0, core.y0, atrium.x1, core.y0),
            PlannedOpening(atrium.x0, core.y1, atrium.x1, core.y1),
        ]
    else:
        units.append(PlannedUnit("opentobelow", atrium))
    return units, openings


def _split_side(spec: MallSpec, box: Box) -> list[Box]:
    """A stretch of a side column as stores one above the other."""
    return [Box(box.x0, a, box.x1, b) for a, b in pairwise(_even_cuts(spec, box.y0, box.y1))]


def _even_cuts(spec: MallSpec, start: int, stop: int) -> list[int]:
    """Both ends, and the cuts between them that make fronts of about the mean size."""
    n = max(1, round((stop - start) / (sum(spec.frontage_m) / 2)))
    return [round(float(x)) for x in np.linspace(start, stop, n + 1)]


def _row(
    spec: MallSpec,
    x0: int,
    x1: int,
    y0: int,
    y1: int,
    has_west_corner: bool,
    has_east_corner: bool,
    rng: np.random.Generator,
) -> list[Box]:
    """Split a stretch of an outer row into stores; a corner store reaches past the corner to get its front."""
    cuts = [x0]
    ends = [x1]
    if has_west_corner:
        cuts.append(x0 + spec.row_m + int(rng.integers(4, 8)))
    if has_east_corner:
        ends.insert(0, x1 - spec.row_m - int(rng.integers(4, 8)))
    start, stop = cuts[-1], ends[0]
    n = max(1, round((stop - start) / (sum(spec.frontage_m) / 2)))
    even = np.linspace(start, stop, n + 1)[1:-1]
    cuts += [round(float(x) + float(rng.uniform(-1.5, 1.5))) for x in even]
    edges = cuts + ends
    return [Box(a, y0, b, y1) for a, b in pairwise(edges)]


def _add_store(
    units: list[PlannedUnit],
    openings: list[PlannedOpening],
    box: Box,
    side: Side,
    front: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """Add a room with one door of 2 to 4 m in the part of its ``side`` that lies along the corridor."""
    units.append(PlannedUnit("room", box, is_store=True))
    width = int(rng.integers(2, 5))
    is_horizontal = side in ("south", "north")
    low, high = (box.x0, box.x1) if is_horizontal else (box.y0, box.y1)
    low, high = max(low, front[0]) + 1, min(high, front[1]) - 1
    at = int(rng.integers(low, max(low, high - width) + 1))
    end = min(at + width, high)
    if is_horizontal:
        y = box.y0 if side == "south" else box.y1
        openings.append(PlannedOpening(at, y, end, y))
    else:
        x = box.x0 if side == "west" else box.x1
        openings.append(PlannedOpening(x, at, x, end))
