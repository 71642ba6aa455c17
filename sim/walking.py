"""Walking: the graph of cells a person can step between, and paths through it.

Two neighbouring cells are linked where a straight step between their middles touches no wall, so nobody walks
through one. Levels are linked through stairs, lifts and escalators.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from sim.grid import CELL_M, NO_STORE, CellGrid, make_grid
from sim.walls import barriers
from venues.model import Level, Unit, Venue

WALK_MPS = 1.1
"""A shopper's pace: slower than the 1.3 m/s of a commuter."""
_LINK_M = {"escalator": 22.0, "stairs": 28.0, "elevator": 45.0}
"""What a change of level costs in metres of walking: 20 s on an escalator, 25 s on stairs, 40 s with a lift."""
_NEAR_WALL_COST = 1.7
"""People keep off walls; a step beside one costs as much as a longer one in the open."""
_NO_PREDECESSOR = -9999


@dataclass(frozen=True)
class WalkingGraph:
    """Shortest ways from anywhere to the stores, the entrances and the car park of a venue.

    A node is ``level_index * grid.n_cells + cell``. ``predecessors[d]`` is the tree of ways to destination ``d``:
    the stores in the venue's order, then the entrances, then ``n_bays`` bays.
    """

    grid: CellGrid
    destinations: NDArray[np.int64]
    predecessors: NDArray[np.int32]
    distance_m: NDArray[np.float32]
    n_stores: int
    n_bays: int = 0

    def node_of(self, level_index: int, xy_m: tuple[float, float]) -> int:
        return level_index * self.grid.n_cells + int(self.grid.cell_of(xy_m))

    def path(self, node: int, destination: int) -> NDArray[np.int64]:
        """The nodes from ``node`` to a destination, both included.

        Raises:
            ValueError: there is no way.
        """
        tree = self.predecessors[destination]
        goal = int(self.destinations[destination])
        steps = [node]
        while steps[-1] != goal:
            following = int(tree[steps[-1]])
            if following == _NO_PREDECESSOR:
                raise ValueError(f"no way from node {node} to destination {destination}")
            steps.append(following)
        return np.array(steps, dtype=np.int64)

    def place_of(self, nodes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Level index and middle (n, 2) of each node."""
        level, cell = np.divmod(nodes, self.grid.n_cells)
        row, column = np.divmod(cell, self.grid.nx)
        xy_m = (np.column_stack([column, row]) + 0.5) * CELL_M + np.asarray(self.grid.origin_xy_m)
        return level, xy_m


def make_walking_graph(
    venue: Venue,
    entrances_xy_m: tuple[tuple[float, float], ...],
    bays: tuple[tuple[int, tuple[float, float]], ...] = (),
) -> WalkingGraph:
    """Build the graph and the trees of shortest ways to each store, entrance (ground level) and bay (level index)."""
    grid = make_grid(venue)
    starts, ends, lengths = zip(
        *(_level_steps(venue, grid, i, level) for i, level in enumerate(venue.levels)), strict=True
    )
    link_starts, link_ends, link_lengths = _links(venue, grid)
    a = np.concatenate([*starts, link_starts])
    b = np.concatenate([*ends, link_ends])
    length = np.concatenate([*lengths, link_lengths])
    n_nodes = grid.n_levels * grid.n_cells
    graph = coo_array((np.tile(length, 2), (np.r_[a, b], np.r_[b, a])), shape=(n_nodes, n_nodes)).tocsr()
    ground = min(range(len(venue.levels)), key=lambda i: abs(venue.levels[i].ordinal))
    level_index = {level.id: i for i, level in enumerate(venue.levels)}
    places = [(level_index[store.level_id], (store.display_point.x, store.display_point.y)) for store in venue.stores]
    places += [(ground, entrance) for entrance in entrances_xy_m]
    places += bays
    goals = np.array([i * grid.n_cells + int(grid.cell_of(xy_m)) for i, xy_m in places], dtype=np.int64)
    distance_m, predecessors = dijkstra(graph, directed=False, indices=goals, return_predecessors=True)
    return WalkingGraph(
        grid, goals, predecessors.astype(np.int32), distance_m.astype(np.float32), len(venue.stores), len(bays)
    )


def _level_steps(
    venue: Venue, grid: CellGrid, level_index: int, level: Level
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Possible steps on one level: two nodes and the cost in metres, each pair once."""
    walkable = grid.is_walkable[level_index]
    xy_m = grid.centres_xy_m()
    index = np.arange(grid.n_cells).reshape(grid.ny, grid.nx)
    wall = barriers(venue, level.id)
    shapely.prepare(wall)
    pairs: list[NDArray[np.int64]] = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        a = index[: grid.ny - down, max(0, -right) : grid.nx - max(0, right)]
        b = index[down:, max(0, right) : grid.nx + min(0, right)]
        keep = walkable.ravel()[a] & walkable.ravel()[b]
        a, b = a[keep], b[keep]
        step = shapely.linestrings(np.stack([xy_m[a], xy_m[b]], axis=1))
        free = ~shapely.intersects(wall, step)
        pairs.append(np.column_stack([a[free], b[free]]))
    both = np.vstack(pairs)
    n_steps = np.bincount(both.ravel(), minlength=grid.n_cells)
    length_m = np.linalg.norm(xy_m[both[:, 0]] - xy_m[both[:, 1]], axis=1)
    is_open = (n_steps[both] == 8).all(axis=1)
    base = level_index * grid.n_cells
    return both[:, 0] + base, both[:, 1] + base, length_m * np.where(is_open, 1.0, _NEAR_WALL_COST)


def _links(venue: Venue, grid: CellGrid) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Stairs, lifts and escalators: units of one category that overlap on neighbouring levels."""
    order = sorted(range(len(venue.levels)), key=lambda i: venue.levels[i].ordinal)
    rows: list[tuple[int, int, float]] = []
    for low, high in pairwise(order):
        for below in _vertical_units(venue, low):
            for above in _vertical_units(venue, high):
                if above.category == below.category and above.area.intersects(below.area):
                    point = below.area.representative_point()
                    cell = int(grid.cell_of((point.x, point.y)))
                    rows.append((low * grid.n_cells + cell, high * grid.n_cells + cell, _LINK_M[below.category]))
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2]


def _vertical_units(venue: Venue, level_index: int) -> list[Unit]:
    level_id = venue.levels[level_index].id
    return [unit for unit in venue.units if unit.level_id == level_id and unit.category in _LINK_M]


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
            if self.t_s + walk_s < until and grid.is_straight_way_inside(level_index, cell, goal, store):
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
