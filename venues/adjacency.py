"""Which stores are near each other on foot: distances through walkable space on one level.

The walkable area is laid out in square cells; one step leads to any of the eight cells around. A store is left
and entered where its outline meets walkable cells, and where its outline has openings (doors), only there. A
straight way along the grid's axes or diagonals is exact to a cell; others come out up to 8 % long.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from shapely.geometry import LineString

from kernel.ids import StoreId
from venues.model import Area, Store

CELL_M: Final = 1.0
"""Half of the narrowest corridor one meets in a mall, so that no passage falls through the grid."""
_DOORSTEP_M: Final = 1.2
"""A store's edge meets a cell whose centre is this near: a cell's half diagonal and a thin wall."""
_DOOR_ON_EDGE_M: Final = 0.5
"""Maps draw an opening on the outline that it opens, within drawing precision."""


def walking_neighbours(
    stores: Sequence[Store], walkable: Area, openings: Sequence[LineString], max_distance_m: float
) -> dict[StoreId, tuple[tuple[StoreId, float], ...]]:
    """For each of a level's stores, the others within ``max_distance_m`` on foot, nearest first, then by id.

    Distances are in metres from edge to edge (door to door), through ``walkable``. A store that touches no
    walkable space has no neighbours. Cost: one search a store, bounded by ``max_distance_m``.
    """
    centres_m, graph = _grid(walkable)
    doorsteps = [_doorsteps(store, centres_m, openings) for store in stores]
    found: dict[StoreId, tuple[tuple[StoreId, float], ...]] = {}
    for store, (cells, leave_m) in zip(stores, doorsteps, strict=True):
        if not len(cells):
            found[store.id] = ()
            continue
        reach_m = _reach(graph, cells, leave_m, max_distance_m)
        near = []
        for other, (other_cells, enter_m) in zip(stores, doorsteps, strict=True):
            if other.id == store.id or not len(other_cells):
                continue
            distance_m = float(np.min(reach_m[other_cells] + enter_m))
            if distance_m <= max_distance_m:
                near.append((other.id, distance_m))
        found[store.id] = tuple(sorted(near, key=lambda pair: (pair[1], pair[0])))
    return found


def _grid(walkable: Area) -> tuple[NDArray[np.float64], csr_matrix]:
    """Centres (n_cells, 2) of the cells that lie in the area, and the graph of steps between them."""
    if walkable.is_empty:
        return np.empty((0, 2)), csr_matrix((0, 0))
    west, south, east, north = walkable.bounds
    xs = np.arange(west + CELL_M / 2, east + CELL_M, CELL_M)
    ys = np.arange(south + CELL_M / 2, north + CELL_M, CELL_M)
    grid_x, grid_y = np.meshgrid(xs, ys)
    shapely.prepare(walkable)
    is_free = shapely.intersects_xy(walkable, grid_x, grid_y)
    number = np.full(is_free.shape, -1, dtype=np.int64)
    number[is_free] = np.arange(np.count_nonzero(is_free))
    tails, heads, lengths = [], [], []
    rows, columns = len(ys), len(xs)
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        left = max(0, -right)
        here = number[: rows - down, left : columns - max(0, right)]
        there = number[down:, left + right : columns - max(0, right) + right]
        both = (here >= 0) & (there >= 0)
        tails.append(here[both])
        heads.append(there[both])
        lengths.append(np.full(np.count_nonzero(both), CELL_M * float(np.hypot(down, right))))
    n_cells = int(np.count_nonzero(is_free))
    graph = csr_matrix(
        (np.concatenate(lengths), (np.concatenate(tails), np.concatenate(heads))), shape=(n_cells, n_cells)
    )
    return np.stack([grid_x[is_free], grid_y[is_free]], axis=1), graph


def _doorsteps(
    store: Store, centres_m: NDArray[np.float64], openings: Sequence[LineString]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The walkable cells at a store's doors, else along its whole edge, and their distances to it."""
    edge = store.area.boundary
    doors = [line for line in openings if line.distance(edge) <= _DOOR_ON_EDGE_M]
    way_out = shapely.union_all(doors) if doors else store.area
    west, south, east, north = way_out.buffer(_DOORSTEP_M).bounds
    near = np.flatnonzero(
        (centres_m[:, 0] >= west) & (centres_m[:, 0] <= east) & (centres_m[:, 1] >= south) & (centres_m[:, 1] <= north)
    )
    distance_m = np.atleast_1d(shapely.distance(shapely.points(centres_m[near]), way_out))
    touching = distance_m <= _DOORSTEP_M
    return near[touching], distance_m[touching]


def _reach(
    graph: csr_matrix, cells: NDArray[np.int64], leave_m: NDArray[np.float64], limit_m: float
) -> NDArray[np.float64]:
    """Shortest way (n_cells,) from a store to each cell; inf beyond the limit.

    The store is one more node, linked to its doorsteps by the way out of it.
    """
    n_cells = graph.shape[0]
    steps = graph.tocoo()
    node = np.full(len(cells), n_cells)
    joined = csr_matrix(
        (
            np.concatenate([steps.data, np.maximum(leave_m, 1e-9)]),  # a zero would be no link at all
            (np.concatenate([steps.row, node]), np.concatenate([steps.col, cells])),
        ),
        shape=(n_cells + 1, n_cells + 1),
    )
    reach_m: NDArray[np.float64] = dijkstra(joined, directed=False, indices=n_cells, limit=limit_m)
    return reach_m[:n_cells]
