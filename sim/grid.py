"""The floor cut into cells: which unit and store each cell lies in, and where a person can stand."""

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from sim.kernels import is_line_inside
from venues.model import Area, Venue

CELL_M = 1.0
"""Edge of a cell. Shadowing changes over 7 m (research on the radio model), so a metre is fine enough to be
called the mean field, and the walls of a simulated mall stand on cell edges."""
NOT_WALKABLE = frozenset({"opentobelow", "nonpublic", "structure", "opentobelow.atrium", "column"})
"""IMDF unit categories that no shopper stands in."""
NO_STORE = -1


@dataclass(frozen=True)
class CellGrid:
    """Square cells over all levels of a venue, row by row from the south-west.

    Attributes:
        origin_xy_m: south-west corner of cell (0, 0), venue frame.
        store_of: (n_levels, ny, nx) index into ``venue.stores``; -1 for none.
        is_walkable: (n_levels, ny, nx).
        cell_m: edge of a cell.
    """

    origin_xy_m: tuple[float, float]
    nx: int
    ny: int
    store_of: NDArray[np.int32]
    is_walkable: NDArray[np.bool_]
    cell_m: float = CELL_M

    @property
    def n_levels(self) -> int:
        return int(self.store_of.shape[0])

    @property
    def n_cells(self) -> int:
        """Cells of one level."""
        return self.nx * self.ny

    def centres_xy_m(self) -> NDArray[np.float64]:
        """(n_cells, 2) middles of the cells of a level, in flat order."""
        x, y = np.meshgrid(np.arange(self.nx) + 0.5, np.arange(self.ny) + 0.5)
        return np.column_stack([x.ravel(), y.ravel()]) * self.cell_m + self.origin_xy_m

    def cells_in(self, area: Area) -> NDArray[np.int64]:
        """Flat numbers of the cells whose middles lie in an area, ascending."""
        if area.is_empty:
            return np.empty(0, dtype=np.int64)
        x0, y0, x1, y1 = (np.array(area.bounds) - np.tile(self.origin_xy_m, 2)) / self.cell_m
        columns = np.arange(max(0, math.floor(x0)), min(self.nx, math.ceil(x1)))
        rows = np.arange(max(0, math.floor(y0)), min(self.ny, math.ceil(y1)))
        column, row = (part.ravel() for part in np.meshgrid(columns, rows))
        x_m, y_m = (column + 0.5) * self.cell_m + self.origin_xy_m[0], (row + 0.5) * self.cell_m + self.origin_xy_m[1]
        cells: NDArray[np.int64] = (row * self.nx + column)[shapely.contains_xy(area, x_m, y_m)]
        return cells

    def cell_of(self, xy_m: ArrayLike) -> NDArray[np.int64]:
        """Flat cell of each of (..., 2) places; a place beyond the edge gets the nearest cell."""
        offset: NDArray[np.float64] = (np.asarray(xy_m, dtype=np.float64) - self.origin_xy_m) / self.cell_m
        column = np.clip(np.floor(offset[..., 0]).astype(np.int64), 0, self.nx - 1)
        row = np.clip(np.floor(offset[..., 1]).astype(np.int64), 0, self.ny - 1)
        flat: NDArray[np.int64] = row * self.nx + column
        return flat

    def middle_xy_m(self, cell: int) -> tuple[float, float]:
        """The middle of one cell, by its flat number."""
        row, column = divmod(cell, self.nx)
        return (column + 0.5) * self.cell_m + self.origin_xy_m[0], (row + 0.5) * self.cell_m + self.origin_xy_m[1]

    def is_straight_way_inside(self, level_index: int, start: int, goal: int, store: int) -> bool:
        """Whether the straight line between the middles of two cells of a level stays in one store's cells."""
        return bool(is_line_inside(self.store_of[level_index], store, *divmod(start, self.nx), *divmod(goal, self.nx)))

    def store_at(self, level_index: ArrayLike, xy_m: ArrayLike) -> NDArray[np.int32]:
        """Index of the store in which each place lies; -1 for none."""
        flat = self.store_of.reshape(self.n_levels, -1)
        found: NDArray[np.int32] = flat[np.asarray(level_index), self.cell_of(xy_m)]
        return found


def make_grid(venue: Venue, cell_m: float = CELL_M) -> CellGrid:
    """Cut a venue into cells; a cell belongs to the unit that holds its middle."""
    bounds = np.array([level.area.bounds for level in venue.levels])
    x0, y0 = np.floor(bounds[:, 0].min()), np.floor(bounds[:, 1].min())
    nx = int(np.ceil((bounds[:, 2].max() - x0) / cell_m))
    ny = int(np.ceil((bounds[:, 3].max() - y0) / cell_m))
    shape = (len(venue.levels), ny, nx)
    none, nowhere = np.full(shape, NO_STORE, np.int32), np.zeros(shape, np.bool_)
    grid = CellGrid((float(x0), float(y0)), nx, ny, none, nowhere, cell_m)
    level_index = {level.id: i for i, level in enumerate(venue.levels)}
    for unit in venue.units:
        if unit.category not in NOT_WALKABLE:
            grid.is_walkable[level_index[unit.level_id]].flat[grid.cells_in(unit.area)] = True
    for i, store in enumerate(venue.stores):
        grid.store_of[level_index[store.level_id]].flat[grid.cells_in(store.area)] = i
    return grid
