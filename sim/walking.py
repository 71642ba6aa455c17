"""Walking: the graph of cells a person can step between, and paths through it.

Two neighbouring cells are linked where a straight step between their middles touches no wall, so nobody walks
through one. Levels are linked through stairs, lifts and escalators.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra
from shapely.geometry.base import BaseGeometry

from sim.grid import NO_STORE, CellGrid, make_grid
from sim.walls import barriers
from venues.model import Store, Unit, Venue

WALK_MPS = 1.1
"""A shopper's pace: slower than the 1.3 m/s of a commuter."""
LINK_M = {"escalator": 22.0, "stairs": 28.0, "elevator": 45.0}
"""What a change of level costs in metres of walking: 20 s on an escalator, 25 s on stairs, 40 s with a lift."""
_NEAR_WALL_COST = 1.7
"""People keep off walls; a step beside one costs as much as a longer one in the open."""
_NO_PREDECESSOR = -9999


@dataclass(frozen=True)
class WalkingGraph:
    """Shortest ways from anywhere to the stores, the entrances and the car park of a venue.

    A node is ``level_index * grid.n_cells + cell``. Destinations are the stores in the venue's order, then the
    entrances, then ``n_bays`` bays. Trees of ways are kept for walkable nodes alone.

    Attributes:
        column_of: (n_nodes,) column of each walkable node in the two tables; the last column for the others.
        predecessors: (n_destinations, n_columns) the node that follows on the way to the destination.
        distance_m: (n_destinations, n_columns) the cost of the way; infinite where there is none.
        walls: each level's barriers, where cells do not tell on which side of a wall somebody stands; empty in malls
            whose walls lie on the edges of cells.
    """

    grid: CellGrid
    destinations: NDArray[np.int64]
    column_of: NDArray[np.int32]
    predecessors: NDArray[np.int32]
    distance_m: NDArray[np.float32]
    n_stores: int
    n_bays: int = 0
    walls: tuple[BaseGeometry, ...] = ()

    def node_of(self, level_index: int, xy_m: tuple[float, float]) -> int:
        """The node of a place: its cell, or a neighbouring one whose middle no wall parts from it."""
        base, cell = level_index * self.grid.n_cells, int(self.grid.cell_of(xy_m))
        if not self.walls:
            return base + cell
        row, column = divmod(cell, self.grid.nx)
        near = [
            r * self.grid.nx + c
            for r in range(max(0, row - 1), min(self.grid.ny, row + 2))
            for c in range(max(0, column - 1), min(self.grid.nx, column + 2))
            if self.grid.is_walkable[level_index, r, c]
        ]
        near.sort(key=lambda one: math.dist(self.grid.middle_xy_m(one), xy_m))
        free = (one for one in near if self._is_free(level_index, xy_m, self.grid.middle_xy_m(one)))
        return base + next(free, cell)

    def is_straight_way_inside(self, level_index: int, start: int, goal: int, store: int) -> bool:
        """Whether the straight line between the middles of two cells of a level stays in one store, through no wall."""
        if not self.grid.is_straight_way_inside(level_index, start, goal, store):
            return False
        ends = self.grid.middle_xy_m(start), self.grid.middle_xy_m(goal)
        return not self.walls or self._is_free(level_index, *ends)

    def _is_free(self, level_index: int, start_xy_m: tuple[float, float], goal_xy_m: tuple[float, float]) -> bool:
        return not shapely.intersects(self.walls[level_index], shapely.linestrings([start_xy_m, goal_xy_m]))

    def next_of(self, destination: NDArray[np.int64], node: NDArray[np.int64]) -> NDArray[np.int64]:
        """The node that follows each of some nodes on the way to a destination each; negative where there is no way."""
        return self.predecessors[destination, self.column_of[node]].astype(np.int64)

    def way_m(self, node: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n_destinations, n) what the way from each node to each destination costs, in metres of open floor."""
        return self.distance_m[:, self.column_of[node]]

    def path(self, node: int, destination: int) -> NDArray[np.int64]:
        """The nodes from ``node`` to a destination, both included.

        Raises:
            ValueError: there is no way.
        """
        tree = self.predecessors[destination]
        goal = int(self.destinations[destination])
        steps = [node]
        while steps[-1] != goal:
            following = int(tree[self.column_of[steps[-1]]])
            if following == _NO_PREDECESSOR:
                raise ValueError(f"no way from node {node} to destination {destination}")
            steps.append(following)
        return np.array(steps, dtype=np.int64)

    def place_of(self, nodes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Level index and middle (n, 2) of each node."""
        level, cell = np.divmod(nodes, self.grid.n_cells)
        row, column = np.divmod(cell, self.grid.nx)
        xy_m = (np.column_stack([column, row]) + 0.5) * self.grid.cell_m + np.asarray(self.grid.origin_xy_m)
        return level, xy_m


def make_walking_graph(
    venue: Venue,
    entrances_xy_m: tuple[tuple[float, float], ...],
    bays: tuple[tuple[int, tuple[float, float]], ...] = (),
    *,
    has_walls_anywhere: bool = False,
) -> WalkingGraph:
    """Build the graph and the trees of shortest ways to each store, entrance (ground level) and bay (level index).

    Args:
        has_walls_anywhere: walls do not stand on the edges of cells, so that each way is held against them.
    """
    grid = make_grid(venue)
    graph = join_steps(venue, grid)
    level_index = {level.id: i for i, level in enumerate(venue.levels)}
    goals = [
        level_index[store.level_id] * grid.n_cells + _store_cell(grid, level_index[store.level_id], i, store)
        for i, store in enumerate(venue.stores)
    ]
    places = [(ground_index(venue), entrance) for entrance in entrances_xy_m] + list(bays)
    goals += [i * grid.n_cells + int(grid.cell_of(xy_m)) for i, xy_m in places]
    destinations = np.array(goals, dtype=np.int64)
    nodes = np.union1d(np.flatnonzero(grid.is_walkable.ravel()), destinations)
    column_of = np.full(graph.shape[0], len(nodes), dtype=np.int32)
    column_of[nodes] = np.arange(len(nodes))
    part = graph[nodes][:, nodes]
    distance_m, before = dijkstra(part, directed=True, indices=column_of[destinations], return_predecessors=True)
    nowhere = np.full((len(destinations), 1), _NO_PREDECESSOR)
    following = np.where(before >= 0, nodes[np.maximum(before, 0)], _NO_PREDECESSOR)
    return WalkingGraph(
        grid,
        destinations,
        column_of,
        np.hstack([following, nowhere]).astype(np.int32),
        np.hstack([distance_m, np.full((len(destinations), 1), np.inf)]).astype(np.float32),
        len(venue.stores),
        len(bays),
        _prepared(barriers(venue, level.id) for level in venue.levels) if has_walls_anywhere else (),
    )


def _prepared(walls: Iterable[BaseGeometry]) -> tuple[BaseGeometry, ...]:
    made = tuple(walls)
    shapely.prepare(made)
    return made


def ground_index(venue: Venue) -> int:
    """The level that the street is on."""
    return min(range(len(venue.levels)), key=lambda i: abs(venue.levels[i].ordinal))


def _store_cell(grid: CellGrid, level_index: int, store_index: int, store: Store) -> int:
    """The cell that stands for a store's middle: that of its display point, or the nearest of its own."""
    point = (store.display_point.x, store.display_point.y)
    cell = int(grid.cell_of(point))
    own = grid.store_of[level_index].ravel()
    if own[cell] == store_index:
        return cell
    cells = np.flatnonzero(own == store_index)
    if not len(cells):
        return cell
    return int(cells[np.linalg.norm(grid.centres_xy_m()[cells] - point, axis=1).argmin()])


def join_steps(venue: Venue, grid: CellGrid) -> csr_array:
    """All steps of all levels and the ways between them: costs in metres from node to node, both ways."""
    steps = [level_steps(venue, grid, i) for i in range(grid.n_levels)]
    link_starts, link_ends, link_lengths = _links(venue, grid)
    a = np.concatenate([*(i * grid.n_cells + step[0] for i, step in enumerate(steps)), link_starts])
    b = np.concatenate([*(i * grid.n_cells + step[1] for i, step in enumerate(steps)), link_ends])
    length = np.concatenate([*(step[2] for step in steps), link_lengths])
    n_nodes = grid.n_levels * grid.n_cells
    return coo_array((np.tile(length, 2), (np.r_[a, b], np.r_[b, a])), shape=(n_nodes, n_nodes)).tocsr()


def level_steps(
    venue: Venue, grid: CellGrid, level_index: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Possible steps on one level, each pair once: two cells and the cost in metres; and (n, 2) what a wall stops."""
    walkable = grid.is_walkable[level_index]
    xy_m = grid.centres_xy_m()
    index = np.arange(grid.n_cells).reshape(grid.ny, grid.nx)
    wall = barriers(venue, venue.levels[level_index].id)
    shapely.prepare(wall)
    pairs: list[NDArray[np.int64]] = []
    stopped: list[NDArray[np.int64]] = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        a = index[: grid.ny - down, max(0, -right) : grid.nx - max(0, right)]
        b = index[down:, max(0, right) : grid.nx + min(0, right)]
        keep = walkable.ravel()[a] & walkable.ravel()[b]
        a, b = a[keep], b[keep]
        step = shapely.linestrings(np.stack([xy_m[a], xy_m[b]], axis=1))
        free = ~shapely.intersects(wall, step)
        pairs.append(np.column_stack([a[free], b[free]]))
        stopped.append(np.column_stack([a[~free], b[~free]]))
    both = np.vstack(pairs)
    n_steps = np.bincount(both.ravel(), minlength=grid.n_cells)
    length_m = np.linalg.norm(xy_m[both[:, 0]] - xy_m[both[:, 1]], axis=1)
    is_open = (n_steps[both] == 8).all(axis=1)
    return both[:, 0], both[:, 1], length_m * np.where(is_open, 1.0, _NEAR_WALL_COST), np.vstack(stopped)


def _links(venue: Venue, grid: CellGrid) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Stairs, lifts and escalators: units of one category that overlap on neighbouring levels."""
    order = sorted(range(len(venue.levels)), key=lambda i: venue.levels[i].ordinal)
    rows: list[tuple[int, int, float]] = []
    for low, high in pairwise(order):
        for below in _vertical_units(venue, low):
            for above in _vertical_units(venue, high):
                if above.category == below.category and above.area.intersects(below.area):
                    point = shapely.intersection(below.area, above.area).representative_point()
                    cell = int(grid.cell_of((point.x, point.y)))
                    rows.append((low * grid.n_cells + cell, high * grid.n_cells + cell, LINK_M[below.category]))
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2]


def _vertical_units(venue: Venue, level_index: int) -> list[Unit]:
    level_id = venue.levels[level_index].id
    return [unit for unit in venue.units if unit.level_id == level_id and unit.category in LINK_M]


@dataclass(frozen=True)
class Trajectory:
    """Where somebody is over time: straight and steady between way-points.

    Attributes:
        t_s: (n,) seconds, not decreasing.
        level_index: (n,) level of each way-point.
        xy_m: (n, 2) venue frame.
    """

    t_s: NDArray[np.float64]
    level_index: NDArray[np.int64]
    xy_m: NDArray[np.float64]

    def at(self, t_s: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Level index and place (m, 2) at each instant; before and after, the ends."""
        x = np.interp(t_s, self.t_s, self.xy_m[:, 0])
        y = np.interp(t_s, self.t_s, self.xy_m[:, 1])
        before = np.clip(np.searchsorted(self.t_s, t_s, side="right") - 1, 0, len(self.t_s) - 1)
        return self.level_index[before], np.column_stack([x, y])

    def later(self, by_s: float) -> "Trajectory":
        """The same way, walked later."""
        return Trajectory(self.t_s + by_s, self.level_index, self.xy_m)


class TrajectoryBuilder:
    """Strings way-points together: walk to a place, wander in a store, walk on. Call order is time order."""

    def __init__(self, graph: WalkingGraph, node: int, t_s: float) -> None:
        self._graph = graph
        self.node = node
        self.t_s = t_s
        self._times: list[NDArray[np.float64]] = [np.array([t_s])]
        self._nodes: list[NDArray[np.int64]] = [np.array([node], dtype=np.int64)]

    def walk_to(self, destination: int, speed_mps: float = WALK_MPS) -> None:
        """Take the shortest way to a store's middle (its index) or an entrance (after the stores)."""
        nodes = self._graph.path(self.node, destination)
        if len(nodes) < 2:
            return
        level, xy_m = self._graph.place_of(nodes)
        step_m = np.linalg.norm(np.diff(xy_m, axis=0), axis=1)
        step_m = np.where(np.diff(level) != 0, CHANGE_OF_LEVEL_M, step_m)
        times = self.t_s + np.cumsum(step_m) / speed_mps
        self._append(times, nodes[1:])

    def wander(
        self,
        stay_s: float,
        rng: np.random.Generator,
        *,
        speed_mps: float = 0.5,
        pause_s: tuple[float, float] = (15.0, 60.0),
    ) -> None:
        """Stay for ``stay_s`` in the store the walker stands in: stand a while, go to another cell, stand."""
        until = self.t_s + stay_s
        grid = self._graph.grid
        level_index, cell = divmod(self.node, grid.n_cells)
        cells, store = self._cells_here()
        while self.t_s < until:
            self._pause(float(rng.uniform(*pause_s)), until)
            goal = int(cells[rng.integers(len(cells))])
            x0, y0 = grid.middle_xy_m(cell)
            x1, y1 = grid.middle_xy_m(goal)
            walk_s = math.hypot(x1 - x0, y1 - y0) / speed_mps
            if self.t_s + walk_s < until and self._graph.is_straight_way_inside(level_index, cell, goal, store):
                self._append(
                    np.array([self.t_s + walk_s]), np.array([level_index * grid.n_cells + goal], dtype=np.int64)
                )
                cell = goal

    def build(self) -> Trajectory:
        """The trajectory so far."""
        level, xy_m = self._graph.place_of(np.concatenate(self._nodes))
        return Trajectory(np.concatenate(self._times), level, xy_m)

    def _append(self, times: NDArray[np.float64], nodes: NDArray[np.int64]) -> None:
        self._times.append(times)
        self._nodes.append(nodes)
        self.t_s, self.node = float(times[-1]), int(nodes[-1])

    def _pause(self, stay_s: float, until_s: float) -> None:
        self._append(np.array([min(self.t_s + stay_s, until_s)]), np.array([self.node], dtype=np.int64))

    def _cells_here(self) -> tuple[NDArray[np.int64], int]:
        """Cells of the store around the walker (its own cell where there is none), and the store's index."""
        grid = self._graph.grid
        level_index, cell = divmod(self.node, grid.n_cells)
        store_of = grid.store_of[level_index].ravel()
        store = int(store_of[cell])
        if store == NO_STORE:
            return np.array([cell], dtype=np.int64), store
        return np.flatnonzero(store_of == store).astype(np.int64), store


CHANGE_OF_LEVEL_M = 25.0
"""Metres of walking that the time of a change of level is worth, whatever it goes by."""
