"""Walls out of a venue's polygons: what weakens a signal, and what stops a walker."""

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from kernel.ids import LevelId
from venues.model import Venue

OPEN_CATEGORIES = frozenset(
    {"walkway", "opentobelow", "opentobelow.atrium", "escalator", "ramp", "steps", "parking", "road", "unspecified"}
)
"""Units without walls of their own: a railing stops a person, not a radio wave; a parking bay is paint on the floor."""
NO_BARRIER = frozenset(
    {
        "footbridge", "lobby", "lounge", "movingwalkway", "parking", "platform", "ramp", "recreation", "road", "steps",
        "terrace", "unenclosedarea", "waitingroom", "walkway", "walkway.island",
    }
)  # fmt: skip
"""Units whose outline stops nobody: only what stands around or in them does."""
_DOOR_M = 0.01
"""Half-width by which a door's line is widened to cut it out of the wall it lies on."""


def radio_walls(venue: Venue, level_id: LevelId) -> NDArray[np.float64]:
    """(n_walls, 4) segments x0, y0, x1, y1 of one level, a wall between two rooms once, doors left out.

    Walls that two polygons draw apart (more than a rounding error) count twice; imported maps may hold such.
    """
    rooms = [u.area for u in venue.units if u.level_id == level_id and u.category not in OPEN_CATEGORIES]
    return _segments(_without_doors(venue, level_id, shapely.union_all([area.boundary for area in rooms])))


def barriers(venue: Venue, level_id: LevelId) -> BaseGeometry:
    """What a walker cannot cross on a level: its outline and those of closed units, but for the doors in them."""
    outlines = [u.area.boundary for u in venue.units if u.level_id == level_id and u.category not in NO_BARRIER]
    outlines.append(venue.level(level_id).area.boundary)
    return _without_doors(venue, level_id, shapely.union_all(outlines))


def _without_doors(venue: Venue, level_id: LevelId, lines: BaseGeometry) -> BaseGeometry:
    doors = [door.line.buffer(_DOOR_M, cap_style="flat") for door in venue.openings if door.level_id == level_id]
    if not doors:
        return lines
    return shapely.difference(lines, shapely.union_all(doors))


def _segments(lines: BaseGeometry) -> NDArray[np.float64]:
    found: list[NDArray[np.float64]] = []
    for part in shapely.get_parts(shapely.line_merge(lines)) if not lines.is_empty else ():
        xy_m = shapely.get_coordinates(shapely.simplify(part, 0.0))
        found.append(np.hstack([xy_m[:-1], xy_m[1:]]))
    return np.vstack(found) if found else np.empty((0, 4))
