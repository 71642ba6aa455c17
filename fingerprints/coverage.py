"""Where a survey came near, and where nobody walked: by store, by level, and as gaps on the ground.

Coverage is worth more than density: a phone at a place that no walk came near is answered with the nearest place that
one did (research on the Xixi mall: a quarter of the walks left a fifth of the test scans before stores never surveyed,
and a third of the first stores right).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.spatial import cKDTree

from fingerprints.scan import LabelledScan
from kernel.ids import LevelId, StoreId
from venues.index import VenueIndex
from venues.model import Level, Store, Venue

F64 = NDArray[np.float64]

NEAR_M = 6.0
"""A place is covered when a survey scan was taken this near on its level: about the error of one scan, so that a gap is
one that the answers can tell from noise (docs/algorithms/survey.md has the error by distance)."""
CELL_M = 2.0
_LEAST_GAP_M2 = 40.0
"""Smaller uncovered patches are corners of corridors, not places to send a surveyor to."""
_NAMED_STORES = 3


@dataclass(frozen=True, slots=True)
class StoreGround:
    """How one store was surveyed.

    ``n_walks`` count walks with a scan inside, or, where no scan of the survey is inside any store, before its front;
    ``nearest_m`` is from its polygon to the nearest survey scan of the level, None where the level has none.
    """

    store_id: StoreId
    store_name: str
    level: str
    n_scans: int
    n_walks: int
    n_phones: int
    nearest_m: float | None


@dataclass(frozen=True, slots=True)
class Gap:
    """A patch of walkable ground, all of it farther than ``NEAR_M`` from any survey scan of the level."""

    level: str
    level_id: LevelId
    xy_m: tuple[float, float]
    lat_deg: float
    lon_deg: float
    area_m2: float
    farthest_m: float | None
    near: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LevelGround:
    """A level's walkable ground, and the share of it within ``NEAR_M`` of a survey scan (None without ground)."""

    level: str
    level_id: LevelId
    n_scans: int
    n_walks: int
    walkable_m2: float
    covered_share: float | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The whole of it. ``goes_inside``: whether the survey went into stores, so that stores are judged by that."""

    levels: tuple[LevelGround, ...]
    stores: tuple[StoreGround, ...]
    gaps: tuple[Gap, ...]
    goes_inside: bool


@dataclass(frozen=True, slots=True)
class _Placed:
    """Survey scans on the map: their level's place in ``venue.levels`` (-1 for none), store, walk and phone."""

    xy_m: F64
    level: NDArray[np.int64]
    store: NDArray[np.int64]
    is_inside: NDArray[np.bool_]
    walk: NDArray[np.int64]
    phone: NDArray[np.int64]


def measure_coverage(scans: Sequence[LabelledScan], venue: Venue, index: VenueIndex | None = None) -> Coverage:
    """Measure a survey against its map; scans without readings cover nothing.

    Cost: linear in the ground's cells of ``CELL_M`` times the logarithm of the scans.
    """
    index = index or VenueIndex(venue)
    placed = _place([item for item in scans if item.scan.readings], venue, index)
    goes_inside = int(placed.is_inside.sum()) >= max(20, len(placed.level) // 20)
    levels, gaps = [], list[Gap]()
    for at, level in enumerate(venue.levels):
        here = placed.level == at
        cells_m, shape = walkable_cells(index.walkable(level.id))
        distance_m = _distances_m(cells_m, placed.xy_m[here])
        levels.append(
            LevelGround(
                level.short_name,
                level.id,
                int(here.sum()),
                len(np.unique(placed.walk[here])),
                len(cells_m) * CELL_M**2,
                float((distance_m <= NEAR_M).mean()) if len(cells_m) else None,
            )
        )
        gaps += _gaps(venue, index, level, cells_m, shape, distance_m)
    return Coverage(
        tuple(levels),
        tuple(_store(venue, number, placed, goes_inside) for number in range(len(venue.stores))),
        tuple(sorted(gaps, key=lambda gap: -gap.area_m2)),
        goes_inside,
    )


def walkable_cells(area: shapely.Geometry) -> tuple[F64, NDArray[np.int64]]:
    """Centres (n, 2) of the ``CELL_M`` cells in an area, and the row and column (n, 2) of each."""
    if shapely.is_empty(area):
        return np.empty((0, 2)), np.empty((0, 2), dtype=np.int64)
    west, south, east, north = shapely.bounds(area).tolist()
    xs, ys = np.arange(west + CELL_M / 2, east, CELL_M), np.arange(south + CELL_M / 2, north, CELL_M)
    grid_x, grid_y = np.meshgrid(xs, ys)
    shapely.prepare(area)
    row, column = np.nonzero(shapely.contains_xy(area, grid_x, grid_y))
    return np.stack([grid_x[row, column], grid_y[row, column]], axis=1), np.stack([row, column], axis=1)


def _place(scans: Sequence[LabelledScan], venue: Venue, index: VenueIndex) -> _Placed:
    n = len(scans)
    xy_m = venue.frame.to_xy_m([(item.truth.lon_deg, item.truth.lat_deg) for item in scans]) if n else np.empty((0, 2))
    level_at: dict[tuple[str | None, str | None], int] = {
        (level.building, level.short_name): i for i, level in enumerate(venue.levels)
    }
    short_at = {level.short_name: i for i, level in enumerate(venue.levels)}
    level = np.array(
        [level_at.get((t.building, t.level), short_at.get(t.level or "", -1)) for t in (item.truth for item in scans)],
        dtype=np.int64,
    )
    store_at = {store.id: i for i, store in enumerate(venue.stores)}
    store = np.full(n, -1, dtype=np.int64)
    is_inside = np.zeros(n, dtype=np.bool_)
    for at, known in enumerate(venue.levels):
        here = np.flatnonzero(level == at)
        if not len(here):
            continue
        around = index.store_at(known.id, xy_m[here])
        nearest = index.nearest_fronts(known.id, xy_m[here], 1)[0][:, 0]
        store[here] = np.where(around >= 0, around, nearest)
        is_inside[here] = around >= 0
    for i, item in enumerate(scans):
        if item.truth.store_id in store_at:
            store[i], is_inside[i] = store_at[item.truth.store_id], True
    walks: dict[object, int] = {}
    phones: dict[object, int] = {}
    walk = np.array([walks.setdefault(item.walk, len(walks)) for item in scans], dtype=np.int64)
    phone = np.array([phones.setdefault(item.scan.device_id, len(phones)) for item in scans], dtype=np.int64)
    return _Placed(xy_m, level, store, is_inside, walk, phone)


def _store(venue: Venue, number: int, placed: _Placed, goes_inside: bool) -> StoreGround:
    store = venue.stores[number]
    at = next(i for i, level in enumerate(venue.levels) if level.id == store.level_id)
    counts = (placed.store == number) & (placed.is_inside | (not goes_inside))
    here = placed.xy_m[placed.level == at]
    nearest_m = float(shapely.distance(store.area, shapely.points(here)).min()) if len(here) else None
    return StoreGround(
        store.id,
        store.name,
        venue.levels[at].short_name,
        int(counts.sum()),
        len(np.unique(placed.walk[counts])),
        len(np.unique(placed.phone[counts])),
        nearest_m,
    )


def _gaps(
    venue: Venue, index: VenueIndex, level: Level, cells_m: F64, shape: NDArray[np.int64], distance_m: F64
) -> list[Gap]:
    """Connected patches of far cells, the eight cells around each counting as next to it."""
    far = np.flatnonzero(distance_m > NEAR_M)
    if not len(far):
        return []
    grid = np.zeros(shape.max(axis=0) + 1, dtype=np.int64)
    grid[shape[far, 0], shape[far, 1]] = 1
    numbered, n_patches = label(grid, structure=np.ones((3, 3)))
    patch = numbered[shape[far, 0], shape[far, 1]]
    found = []
    for number in range(1, n_patches + 1):
        cells = far[patch == number]
        if len(cells) * CELL_M**2 < _LEAST_GAP_M2:
            continue
        deepest = int(cells[np.argmax(distance_m[cells])]) if np.isfinite(distance_m[cells]).all() else int(cells[0])
        fronts = index.nearest_fronts(level.id, cells_m[cells], 1)[0][:, 0]
        named, times = np.unique(fronts[fronts >= 0], return_counts=True)
        stores: list[Store] = [venue.stores[i] for i in named[np.argsort(-times, kind="stable")][:_NAMED_STORES]]
        lon_deg, lat_deg = venue.frame.to_lon_lat_deg(cells_m[deepest]).tolist()
        x, y = cells_m[deepest].tolist()
        farthest_m = float(distance_m[deepest])
        found.append(
            Gap(
                level.short_name,
                level.id,
                (x, y),
                lat_deg,
                lon_deg,
                len(cells) * CELL_M**2,
                farthest_m if np.isfinite(farthest_m) else None,
                tuple(store.name for store in stores),
            )
        )
    return found


def _distances_m(cells_m: F64, survey_m: F64) -> F64:
    """From each cell to the nearest survey scan; inf where there is none."""
    if not len(survey_m) or not len(cells_m):
        return np.full(len(cells_m), np.inf)
    distance_m: F64 = cKDTree(survey_m).query(cells_m)[0]
    return distance_m
