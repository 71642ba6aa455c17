"""Questions of place, asked in batches: which store is here, which fronts are near, where can one walk."""

from functools import cached_property
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon

from kernel.ids import LevelId, StoreId
from venues.adjacency import walking_neighbours
from venues.model import Area, Level, Venue
from venues.segments import SegmentTable

WALKABLE_CATEGORIES: Final = frozenset(
    {
        "walkway",
        "walkway.island",
        "footbridge",
        "lobby",
        "lounge",
        "movingwalkway",
        "parking",
        "platform",
        "ramp",
        "road",
        "terrace",
        "unenclosedarea",
        "waitingroom",
    }
)
"""IMDF unit categories on which anyone may walk. Stairs, lifts and escalators lead off the level and are not."""


class VenueIndex:
    """Answers for one venue; built once, then read only. Store numbers are positions in ``venue.stores``.

    Within a level stores stand in the order of their ids, which settles every tie.
    """

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self._levels = {level.id: _LevelIndex(venue, level) for level in venue.levels}

    def store_at(self, level_id: LevelId, xy_m: NDArray[np.float64]) -> NDArray[np.int64]:
        """The store in which, or on whose edge, each point (n, 2) lies; -1 for none, the smaller id of two."""
        return self._of(level_id).store_at(_points(xy_m))

    def nearest_fronts(
        self, level_id: LevelId, xy_m: NDArray[np.float64], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The ``k`` stores of the level nearest to each point (n, 2), nearest first.

        Returns:
            (n, k) store numbers and (n, k) distances in metres to the polygons, 0 inside. Equal distances
            order by id. Where the level has fewer stores, -1 and inf fill up.

        Cost: linear in the level's boundary segments, see ``venues.segments``.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, found {k}")
        return self._of(level_id).nearest_fronts(_points(xy_m), k)

    def stores_on(self, level_id: LevelId) -> NDArray[np.int64]:
        """The numbers of the level's stores, in the order of their ids."""
        return self._of(level_id).stores.copy()

    def walkable(self, level_id: LevelId) -> Area:
        """The area of the level on which visitors walk.

        The union of its units of walkable categories; where a map draws none, the level without its units.
        """
        return self._of(level_id).walkable

    def snap_to_walkable(self, level_id: LevelId, xy_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each point (n, 2), moved to the nearest place of the walkable area when it lies outside it."""
        return self._of(level_id).snap(_points(xy_m))

    def adjacency(self, max_distance_m: float = 20.0) -> dict[StoreId, tuple[tuple[StoreId, float], ...]]:
        """Which stores can be reached from each on foot within ``max_distance_m``, on the same level.

        See ``venues.adjacency`` for how the distance is measured. Symmetric; nearest first, then by id.
        """
        found: dict[StoreId, tuple[tuple[StoreId, float], ...]] = {}
        for level in self.venue.levels:
            index = self._of(level.id)
            stores = [self.venue.stores[number] for number in index.stores]
            openings = [opening.line for opening in self.venue.openings if opening.level_id == level.id]
            found |= walking_neighbours(stores, index.walkable, openings, max_distance_m)
        return found

    def _of(self, level_id: LevelId) -> "_LevelIndex":
        return self._levels[level_id]


class _LevelIndex:
    def __init__(self, venue: Venue, level: Level) -> None:
        self._venue = venue
        self._level = level
        numbers = [
            number
            for number, store in enumerate(venue.stores)
            if store.level_id == level.id and not store.area.is_empty
        ]
        numbers.sort(key=lambda number: venue.stores[number].id)
        self.stores: NDArray[np.int64] = np.array(numbers, dtype=np.int64)
        areas = [venue.stores[number].area for number in numbers]
        self._tree = shapely.STRtree(areas)
        self._segments = SegmentTable.of(areas)

    def store_at(self, xy_m: NDArray[np.float64]) -> NDArray[np.int64]:
        rank = np.full(len(xy_m), len(self.stores), dtype=np.int64)
        point_index, store_rank = self._tree.query(shapely.points(xy_m), predicate="intersects")
        np.minimum.at(rank, point_index, store_rank)
        return np.append(self.stores, -1)[rank]

    def nearest_fronts(self, xy_m: NDArray[np.float64], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        numbers = np.full((len(xy_m), k), -1, dtype=np.int64)
        distances_m = np.full((len(xy_m), k), np.inf)
        found = min(k, len(self.stores))
        if found and len(xy_m):
            all_m = self._segments.edge_distances_m(xy_m)
            inside, rank = self._tree.query(shapely.points(xy_m), predicate="intersects")
            all_m[inside, rank] = 0.0
            order = np.argsort(all_m, axis=1, kind="stable")[:, :found]
            numbers[:, :found] = self.stores[order]
            distances_m[:, :found] = np.take_along_axis(all_m, order, axis=1)
        return numbers, distances_m

    @cached_property
    def walkable(self) -> Area:
        units = [unit for unit in self._venue.units if unit.level_id == self._level.id]
        open_to_all = [unit.area for unit in units if unit.category in WALKABLE_CATEGORIES]
        if open_to_all:
            return _polygonal(shapely.union_all(open_to_all))
        taken = [unit.area for unit in units] or [self._venue.stores[number].area for number in self.stores]
        return _polygonal(shapely.difference(self._level.area, shapely.union_all(taken)))

    @cached_property
    def _edges(self) -> tuple[shapely.STRtree, SegmentTable]:
        table = SegmentTable.of([] if self.walkable.is_empty else [self.walkable])
        lines = np.asarray(shapely.linestrings(np.stack([table.start_m, table.end_m], axis=1)))
        shapely.prepare(self.walkable)
        return shapely.STRtree(lines), table

    def snap(self, xy_m: NDArray[np.float64]) -> NDArray[np.float64]:
        tree, table = self._edges
        snapped = xy_m.copy()
        if self.walkable.is_empty:
            return snapped
        outside = np.flatnonzero(~shapely.intersects_xy(self.walkable, xy_m[:, 0], xy_m[:, 1]))
        if not len(outside):
            return snapped
        _, edge = tree.query_nearest(shapely.points(xy_m[outside]), all_matches=False)
        start_m = table.start_m[edge]
        step_m = table.end_m[edge] - start_m
        length2 = np.maximum(np.sum(step_m * step_m, axis=1), np.finfo(np.float64).tiny)
        along = np.clip(np.sum((xy_m[outside] - start_m) * step_m, axis=1) / length2, 0.0, 1.0)
        snapped[outside] = start_m + along[:, None] * step_m
        return snapped


def _points(xy_m: NDArray[np.float64]) -> NDArray[np.float64]:
    points = np.asarray(xy_m, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"expected points of shape (n, 2), found {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("points must be finite")
    return points


def _polygonal(geometry: shapely.Geometry) -> Area:
    """The polygonal part of a geometry; set operations may leave touching lines and points behind."""
    if isinstance(geometry, Polygon | MultiPolygon):
        return geometry
    return MultiPolygon([part for part in shapely.get_parts(geometry) if isinstance(part, Polygon)])
