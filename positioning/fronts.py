"""The venue's store polygons as flat arrays, so that fronts are found without leaving compiled code."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import MultiPolygon

from kernel.ids import LevelId, StoreId
from positioning.kernels.fronts import N_CANDIDATES, FrontArrays, fill_candidates, measure_fronts
from positioning.radio_map import F64, I32, I64
from venues.model import Area, Venue

_CELL_M = 4.0
_MARGIN_M = 10.0
_MAX_CELLS = 20_000
"""A level larger than 4 m cells allow gets larger cells; candidates are then less sharp at the list's end only."""


@dataclass(frozen=True, slots=True)
class FrontTable:
    """Store polygons by level with a grid of candidates; level l's grid starts at row ``grid_start[l]``."""

    level_ids: tuple[LevelId, ...]
    store_ids: tuple[StoreId, ...]
    store_names: tuple[str, ...]
    store_level: I32
    edge_indptr: I64
    edges: F64
    grid_start: I64
    grid_shape: I64
    grid_origin_m: F64
    cell_m: F64
    candidates: I32

    def level_index(self, level_ids: Sequence[LevelId | None]) -> I32:
        """The table's number of each level, -1 for one that has no stores."""
        at = {level_id: i for i, level_id in enumerate(self.level_ids)}
        return np.array([-1 if level is None else at.get(level, -1) for level in level_ids], dtype=np.int32)

    @property
    def arrays(self) -> FrontArrays:
        """The table for the kernels."""
        return FrontArrays(
            self.edge_indptr,
            self.edges,
            self.grid_start,
            self.grid_shape,
            self.grid_origin_m,
            self.cell_m,
            self.candidates,
        )

    def measure(self, xy_m: F64, level: I32) -> tuple[I32, F64]:
        """Candidate stores (n, 20), -1 for none, and signed distances in metres, negative inside."""
        store = np.empty((len(xy_m), N_CANDIDATES), dtype=np.int32)
        distance_m = np.empty((len(xy_m), N_CANDIDATES), dtype=np.float64)
        measure_fronts(np.ascontiguousarray(xy_m, dtype=np.float64), level, self.arrays, store, distance_m)
        return store, distance_m

    def nearest(self, xy_m: F64, level: I32) -> tuple[I32, I32]:
        """The store front nearest to each place, and the store around it: (n,) each, -1 for none.

        Of overlapping stores around a place, it is the one whose boundary is farthest.
        """
        store, distance_m = self.measure(xy_m, level)
        rows = np.arange(len(store))
        best = np.argmin(distance_m, axis=1)
        front = store[rows, best]
        return front, np.where(distance_m[rows, best] <= 0, front, -1).astype(np.int32)


def build_front_table(venue: Venue) -> FrontTable | None:
    """Flatten a venue's stores; None when it has none."""
    if not venue.stores:
        return None
    level_ids = tuple(level.id for level in venue.levels)
    level_at = {level_id: i for i, level_id in enumerate(level_ids)}
    edges_of = [_edges(store.area) for store in venue.stores]
    edge_indptr = np.zeros(len(edges_of) + 1, dtype=np.int64)
    np.cumsum([len(edges) for edges in edges_of], out=edge_indptr[1:])
    edges = np.concatenate(edges_of)
    store_level = np.array([level_at[store.level_id] for store in venue.stores], dtype=np.int32)
    shape = np.zeros((len(level_ids), 2), dtype=np.int64)
    origin_m = np.zeros((len(level_ids), 2))
    cell_m = np.full(len(level_ids), _CELL_M)
    grids = []
    for level in range(len(level_ids)):
        stores = np.flatnonzero(store_level == level).astype(np.int32)
        if len(stores) == 0:
            continue
        ends = np.concatenate([edges_of[s][:, :2] for s in stores])
        origin_m[level] = ends.min(axis=0) - _MARGIN_M
        extent_m = ends.max(axis=0) + _MARGIN_M - origin_m[level]
        cell_m[level] = max(_CELL_M, float(np.sqrt(extent_m.prod() / _MAX_CELLS)))
        shape[level] = np.ceil(extent_m[::-1] / cell_m[level]).astype(np.int64)
        grid = np.full((int(shape[level].prod()), N_CANDIDATES), -1, dtype=np.int32)
        fill_candidates(origin_m[level], int(shape[level, 1]), float(cell_m[level]), stores, edge_indptr, edges, grid)
        grids.append(grid)
    starts = np.zeros(len(level_ids), dtype=np.int64)
    np.cumsum(shape.prod(axis=1)[:-1], out=starts[1:])
    return FrontTable(
        level_ids=level_ids,
        store_ids=tuple(store.id for store in venue.stores),
        store_names=tuple(store.name for store in venue.stores),
        store_level=store_level,
        edge_indptr=edge_indptr,
        edges=edges,
        grid_start=starts,
        grid_shape=shape,
        grid_origin_m=origin_m,
        cell_m=cell_m,
        candidates=np.concatenate(grids),
    )


def _edges(area: Area) -> F64:
    """(n_edges, 4): the edges of all rings of an area."""
    polygons = area.geoms if isinstance(area, MultiPolygon) else [area]
    rings = [shapely.get_coordinates(ring) for polygon in polygons for ring in (polygon.exterior, *polygon.interiors)]
    return np.concatenate([np.hstack([ring[:-1], ring[1:]]) for ring in rings if len(ring)] or [np.empty((0, 4))])
