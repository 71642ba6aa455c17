"""Doors for a map that has none: each store, stairs and lift that cannot be entered gets one from where people are.

Works level by level on a tidy map (``tidy.py``), on the cells that people will walk on, so that a door that is made is
one that can be gone through. A place is *reached* when it hangs together with the largest piece of open floor.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from shapely.geometry import LineString, Point

from kernel.ids import UnitId
from sim.grid import CellGrid
from sim.tidy import NAMESPACE
from sim.walking import LINK_M, level_steps
from sim.walls import NO_BARRIER
from venues.model import Level, Opening, Unit, Venue

_HALF_DOOR_M = 1.2
_FRONT_M = 3.0
"""Of the places where a door could be, the one with most others within this is the middle of the longest front."""
_TRIES = 40
_LEAST_FLOOR_CELLS = 10
"""A smaller piece of open floor that nobody reaches is a niche, and gets no door of its own."""

_I64 = NDArray[np.int64]


@dataclass(frozen=True)
class LevelCells:
    """The cells of one level, by what stands there and by what hangs together.

    Attributes:
        unit_of: (n_cells,) index into ``units``; -1 where none stands or nobody can.
        piece: (n_cells,) number of the piece that the cell hangs together with.
        shut: (n, 2) neighbouring cells, both walkable, with a wall between them.
    """

    level: Level
    units: tuple[Unit, ...]
    unit_of: _I64
    piece: _I64
    shut: _I64

    @property
    def is_open(self) -> NDArray[np.bool_]:
        """(n_cells,) whether the cell is open floor."""
        kinds = np.array([unit.category in NO_BARRIER for unit in self.units] + [False])
        found: NDArray[np.bool_] = kinds[self.unit_of]
        return found

    @property
    def main_piece(self) -> int:
        """The piece with most open floor; -1 on a level without any."""
        here = self.piece[self.is_open]
        return int(np.bincount(here).argmax()) if len(here) else -1


def cells_of_level(venue: Venue, grid: CellGrid, level_index: int) -> LevelCells:
    """Cut one level of a tidy map into cells and see what hangs together."""
    level = venue.levels[level_index]
    units = tuple(unit for unit in venue.units if unit.level_id == level.id)
    unit_of = np.full(grid.n_cells, -1, dtype=np.int64)
    walkable = grid.is_walkable[level_index].ravel()
    for i, unit in enumerate(units):
        unit_of[grid.cells_in(unit.area)] = i
    unit_of[~walkable] = -1
    a, b, _, shut = level_steps(venue, grid, level_index)
    graph = coo_array((np.ones(len(a)), (a, b)), shape=(grid.n_cells, grid.n_cells))
    _, piece = connected_components(graph, directed=False)
    return LevelCells(level, units, unit_of, piece.astype(np.int64), shut)


def make_doors(venue: Venue, grid: CellGrid, level_index: int) -> list[Opening]:
    """Doors for every store, stairs, lift and escalator of a level that is not reached, as far as one can be made.

    First from open floor, then from stores that are reached; a large piece of floor that nobody reaches is entered
    through a store that fronts it too. Linear in the cells, times the number of rounds (few).
    """
    cells = cells_of_level(venue, grid, level_index)
    if cells.main_piece < 0:
        return []
    rooms = {store.unit_id for store in venue.stores if store.level_id == cells.level.id}
    return list(_Builder(cells, grid, rooms).doors())


class _Builder:
    """Makes doors one after the other; each joins the piece behind it to what is reached. Used once."""

    def __init__(self, cells: LevelCells, grid: CellGrid, rooms: set[UnitId]) -> None:
        self._cells, self._grid = cells, grid
        self._wanted = np.array(
            [unit.id in rooms or unit.category in LINK_M for unit in cells.units] + [False], dtype=np.bool_
        )
        self._outlines = shapely.STRtree([unit.area.boundary for unit in cells.units])
        self._reached = {cells.main_piece}
        self._cut: list[LineString] = []

    def doors(self) -> Iterator[Opening]:
        from_floor = True
        while True:
            made = list(self._round(from_floor=from_floor))
            yield from made
            if not made and not from_floor:
                return
            from_floor = bool(made)

    def _round(self, *, from_floor: bool) -> Iterator[Opening]:
        """One door for each piece that can have one from what is reached now."""
        cells = self._cells
        for piece, pairs in self._fronts(from_floor=from_floor):
            found = self._best(pairs)
            if found is not None:
                self._reached.add(piece)
                for unit, line in found:
                    self._cut.append(line)
                    key = f"door:{unit.id}:{shapely.get_coordinates(line).round(3).tolist()}"
                    yield Opening(str(uuid.uuid5(NAMESPACE, key)), cells.level.id, "pedestrian", line)

    def _fronts(self, *, from_floor: bool) -> list[tuple[int, _I64]]:
        """Pieces that want a door, each with the pairs (reached cell, its own cell) where one could be."""
        cells = self._cells
        is_reached = np.isin(cells.piece, sorted(self._reached))
        pairs = np.vstack([cells.shut, cells.shut[:, ::-1]])
        inside = is_reached[pairs[:, 0]] & ~is_reached[pairs[:, 1]]
        pairs = pairs[inside]
        here = cells.is_open[pairs[:, 0]]
        there_open = cells.is_open[pairs[:, 1]]
        if not from_floor:
            here = here | self._wanted[cells.unit_of[pairs[:, 0]]]
        size = np.bincount(cells.piece)
        wanted = np.where(
            there_open, size[cells.piece[pairs[:, 1]]] >= _LEAST_FLOOR_CELLS, self._wanted[cells.unit_of[pairs[:, 1]]]
        )
        pairs = pairs[here & wanted]
        pieces = cells.piece[pairs[:, 1]]
        return [(int(piece), pairs[pieces == piece]) for piece in np.unique(pieces)]

    def _best(self, pairs: _I64) -> list[tuple[Unit, LineString]] | None:
        """The door in the middle of the longest front that opens the way; None where none does."""
        a = np.array([self._grid.middle_xy_m(int(cell)) for cell in pairs[:, 0]])
        b = np.array([self._grid.middle_xy_m(int(cell)) for cell in pairs[:, 1]])
        middle = (a + b) / 2
        tree = cKDTree(middle)
        n_near = np.array([len(found) for found in tree.query_ball_point(middle, _FRONT_M)])
        is_slanting = (a != b).all(axis=1)
        for i in np.lexsort((np.arange(len(pairs)), is_slanting, -n_near))[:_TRIES].tolist():
            found = self._door_at(LineString([a[i], b[i]]), pairs[i])
            if found:
                return found
        return None

    def _door_at(self, step: LineString, pair: _I64) -> list[tuple[Unit, LineString]]:
        """The parts of outlines that must be open for a step, where they are those of the two units beside it."""
        units = self._cells.units
        beside = {int(self._cells.unit_of[cell]) for cell in pair}
        doors: list[tuple[Unit, LineString]] = []
        crossed: list[int] = []
        for i in sorted(self._outlines.query(step, predicate="intersects").tolist()):
            if units[i].category in NO_BARRIER:
                continue
            crossed.append(i)
            if i in beside:
                line = _door_line(units[i], step)
                if line is None:
                    return []
                doors.append((units[i], line))
        opened = shapely.union_all([line.buffer(0.01, cap_style="flat") for _, line in doors])
        for i in crossed:
            if shapely.intersects(shapely.difference(units[i].area.boundary, opened), step):
                return []
        return doors


def _door_line(unit: Unit, step: LineString) -> LineString | None:
    """The part of a unit's outline about the place where a step crosses it first; None where it only touches it."""
    outline = unit.area.boundary
    crossing = shapely.intersection(outline, step)
    points = shapely.get_coordinates(crossing)
    if not len(points):
        return None
    at = Point(points[0])
    near = shapely.line_merge(shapely.intersection(outline, at.buffer(_HALF_DOOR_M)))
    lines = [part for part in shapely.get_parts(near) if isinstance(part, LineString) and part.distance(at) < 1e-6]
    return max(lines, key=lambda line: line.length) if lines else None
