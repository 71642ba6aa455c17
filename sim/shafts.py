"""Stairs for a map that has none: where no stairs, lift or escalator joins two levels, a few are put up.

A stairwell is a square of 3 m that stands in open floor on both levels, away from walls, with a door on two sides.
"""

import uuid
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter
from shapely.geometry import LineString, box

from kernel.ids import LevelId, UnitId
from sim.doors import LevelCells
from sim.grid import CELL_M, CellGrid
from sim.tidy import NAMESPACE, polygonal
from sim.walking import LINK_M
from venues.model import Opening, Unit, Venue

_HALF_M = 1.5
_FLOOR = frozenset({"lobby", "road", "unenclosedarea", "walkway", "walkway.island"})
"""What a stairwell may stand in; not bays, seats or terraces."""
_CLEARANCES = (7, 5)
"""Cells of open floor on each side, of which the stairwell takes three; the larger is tried first."""
_MOST = 3


def is_joined(venue: Venue, grid: CellGrid, low: LevelCells, high: LevelCells) -> bool:
    """Whether somebody on the floor of one level gets to the floor of the next by what the map has."""
    for below in (unit for unit in low.units if unit.category in LINK_M):
        for above in (unit for unit in high.units if unit.category == below.category):
            shared = shapely.intersection(below.area, above.area)
            if shared.is_empty:
                continue
            point = shared.representative_point()
            cell = int(grid.cell_of((point.x, point.y)))
            if low.piece[cell] == low.main_piece and high.piece[cell] == high.main_piece:
                return True
    return False


def places_for_shafts(grid: CellGrid, low: LevelCells, high: LevelCells) -> list[tuple[float, float]]:
    """Middles of at most three stairwells between two levels, far apart; empty where no floor is clear on both."""
    free = _clear_floor(low) & _clear_floor(high)
    for side in _CLEARANCES:
        clear = minimum_filter(free.reshape(grid.ny, grid.nx), side, mode="constant", cval=False)
        cells = np.flatnonzero(clear.ravel())
        if len(cells):
            return _far_apart(grid.centres_xy_m()[cells])
    return []


def _clear_floor(cells: LevelCells) -> NDArray[np.bool_]:
    kinds = np.array([unit.category in _FLOOR for unit in cells.units] + [False])
    clear: NDArray[np.bool_] = kinds[cells.unit_of] & (cells.piece == cells.main_piece)
    return clear


def _far_apart(xy_m: NDArray[np.float64]) -> list[tuple[float, float]]:
    """First the one nearest to the middle of all, then each the farthest from those before, at least 20 m."""
    chosen = [int(np.linalg.norm(xy_m - xy_m.mean(axis=0), axis=1).argmin())]
    while len(chosen) < _MOST:
        gap_m = np.linalg.norm(xy_m[:, None] - xy_m[chosen][None], axis=2).min(axis=1)
        if gap_m.max() < 20.0 * CELL_M:
            break
        chosen.append(int(gap_m.argmax()))
    return [(float(x), float(y)) for x, y in xy_m[chosen]]


def with_shafts(venue: Venue, level_ids: Sequence[LevelId], places: Sequence[tuple[float, float]]) -> Venue:
    """The venue with a stairwell at each place on each of some levels, cut out of the floor it stands in."""
    squares = [box(x - _HALF_M, y - _HALF_M, x + _HALF_M, y + _HALF_M) for x, y in places]
    taken = shapely.union_all(squares)
    units = [
        replace(unit, area=polygonal(shapely.difference(unit.area, taken)))
        if unit.level_id in level_ids and unit.area.intersects(taken)
        else unit
        for unit in venue.units
    ]
    openings = list(venue.openings)
    for level_id in level_ids:
        for square, (x, y) in zip(squares, places, strict=True):
            key = f"stairs:{level_id}:{x:.3f}:{y:.3f}"
            units.append(Unit(UnitId(str(uuid.uuid5(NAMESPACE, key))), level_id, "stairs", square, "Stairs"))
            for side in (-_HALF_M, _HALF_M):
                line = LineString([(x - 1.0, y + side), (x + 1.0, y + side)])
                name = str(uuid.uuid5(NAMESPACE, f"{key}:{side}"))
                openings.append(Opening(name, level_id, "pedestrian", line))
    return replace(venue, units=tuple(units), openings=tuple(openings))
