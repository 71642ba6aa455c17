"""Parts of a ground level that lie apart, joined over the street: people go outside from one to the other.

Only the ground level is joined so; on the others the map must show a bridge.
"""

import uuid
from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely.geometry import LineString

from kernel.ids import UnitId
from sim.doors import LevelCells, cells_of_level
from sim.grid import CellGrid
from sim.tidy import NAMESPACE, polygonal
from sim.walking import ground_index
from sim.walls import NO_BARRIER
from venues.model import Area, Unit, Venue

_HALF_WAY_M = 2.0
_LONGEST_M = 40.0
_LEAST_CELLS = 20
"""A smaller piece of floor is no part of the building to be joined."""
_TRIES = 200


def join_yards(venue: Venue, grid: CellGrid) -> Venue:
    """The venue with a way of 4 m over open ground to each piece of the ground floor that lies within 40 m.

    The ways lie outside all closed units; the level's outline grows by them.
    """
    ground = ground_index(venue)
    cells = cells_of_level(venue, grid, ground)
    level = venue.levels[ground]
    closed = shapely.union_all([unit.area for unit in cells.units if unit.category not in NO_BARRIER])
    pieces, n = np.unique(cells.piece[cells.is_open], return_counts=True)
    waiting = [int(piece) for piece in pieces[n >= _LEAST_CELLS] if piece != cells.main_piece]
    joined = {cells.main_piece}
    ways: list[Area] = []
    while waiting:
        found = [(way, piece) for piece in waiting if (way := _way(cells, grid, joined, piece, closed)) is not None]
        if not found:
            break
        (way, piece), *_ = sorted(found, key=lambda one: one[0].length)
        ways.append(polygonal(way.buffer(_HALF_WAY_M, cap_style="flat")))
        joined.add(piece)
        waiting.remove(piece)
    if not ways:
        return venue
    taken = shapely.union_all([unit.area for unit in cells.units])
    outside = polygonal(shapely.difference(shapely.union_all(ways), taken))
    name = UnitId(str(uuid.uuid5(NAMESPACE, f"yard:{level.id}")))
    grown = replace(level, area=polygonal(shapely.union_all([level.area, outside])))
    return replace(
        venue,
        levels=tuple(grown if one is level else one for one in venue.levels),
        units=(*venue.units, Unit(name, level.id, "walkway", outside)),
    )


def _way(
    cells: LevelCells, grid: CellGrid, joined: set[int], piece: int, closed: shapely.Geometry
) -> LineString | None:
    """The shortest straight way from what is joined to a piece that is wide enough; None where there is none."""
    xy_m = grid.centres_xy_m()
    here = xy_m[cells.is_open & np.isin(cells.piece, sorted(joined))]
    there: NDArray[np.float64] = xy_m[cells.is_open & (cells.piece == piece)]
    gap_m, nearest = cKDTree(here).query(there, distance_upper_bound=_LONGEST_M)
    for i in np.argsort(gap_m, kind="stable")[:_TRIES].tolist():
        if not np.isfinite(gap_m[i]):
            return None
        way = LineString([here[nearest[i]], there[i]])
        if not shapely.intersects(closed, way.buffer(_HALF_WAY_M, cap_style="flat")):
            return way
    return None
