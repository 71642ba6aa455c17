"""A venue as the rest of Atrium sees it: levels, units, stores, openings, in the venue frame.

A store is an IMDF occupant standing, through its anchor, in a unit on a level; the tenant and the room are
separate things and keep separate ids.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import TypeAlias

from shapely.geometry import LineString, MultiPolygon, Point, Polygon

from kernel.ids import LevelId, StoreId, UnitId, VenueId
from venues.frame import LocalFrame

Area: TypeAlias = Polygon | MultiPolygon
"""A polygonal shape in venue-frame metres."""


@dataclass(frozen=True, slots=True)
class Level:
    """One storey. ``short_name`` is what answers carry as ``level``; ``ordinal`` 0 is the ground floor."""

    id: LevelId
    short_name: str
    name: str
    ordinal: int
    area: Area
    building: str | None = None
    is_outdoor: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """A room or walkway; ``category`` is IMDF's (``walkway``, ``room``, ``elevator``...)."""

    id: UnitId
    level_id: LevelId
    category: str
    area: Area
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """A tenant in its unit. ``id`` survives re-import: ``st_`` + the occupant's (or source feature's) id."""

    id: StoreId
    name: str
    category: str
    unit_id: UnitId
    level_id: LevelId
    area: Area
    display_point: Point
    names: dict[str, str] = field(default_factory=dict)
    valid_from: date | None = None
    valid_until: date | None = None
    correlation_id: str | None = None
    hours: str | None = None

    def stands_on(self, day: date) -> bool:
        """Whether the store's validity holds on ``day``."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day <= self.valid_until
        )


@dataclass(frozen=True, slots=True)
class Opening:
    """A door between units or to the outside: the links of the walking graph."""

    id: str
    level_id: LevelId
    category: str
    line: LineString


@dataclass(frozen=True, slots=True)
class Venue:
    """A whole place on its map. A venue without polygons (a bare survey) has levels with empty areas."""

    id: VenueId
    name: str
    frame: LocalFrame
    levels: tuple[Level, ...]
    units: tuple[Unit, ...]
    stores: tuple[Store, ...]
    openings: tuple[Opening, ...]
    time_zone: str | None = None

    def level(self, level_id: LevelId) -> Level:
        """The level with this id; KeyError when the venue has none."""
        for level in self.levels:
            if level.id == level_id:
                return level
        raise KeyError(level_id)

    def store(self, store_id: StoreId) -> Store:
        """The store with this id; KeyError when the venue has none."""
        for store in self.stores:
            if store.id == store_id:
                return store
        raise KeyError(store_id)
