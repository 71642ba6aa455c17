"""A mall out of any map: what is needed to walk it and is not drawn is added, and said.

Real maps often have polygons of stores and no more. In this order: the map is made tidy (``tidy.py``), parts of the
ground level are joined over the street (``yards.py``), what nobody can enter gets doors (``doors.py``), levels that
nothing joins get stairs (``shafts.py``), a ground level without a door to the street gets some, and stores that still
cannot be reached are shut.
"""

import uuid
from dataclasses import replace
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from shapely.geometry import LineString, Point

from kernel.errors import InputRefusedError
from kernel.ids import StoreId, VenueId
from sim.doors import cells_of_level, make_doors
from sim.grid import CellGrid, make_grid
from sim.imported_spec import ImportedSpec, OpenHours
from sim.mall import SimulatedMall, some_bays
from sim.shafts import is_joined, places_for_shafts, with_shafts
from sim.tidy import NAMESPACE, tidy
from sim.time_zone import zone_of_offset
from sim.venue_archive import archive_of
from sim.walking import ground_index, join_steps
from sim.yards import join_yards
from venues.model import Opening, Venue

_AT_EDGE_M = 1.5
_MOST_ENTRANCES = 4
_HALF_ENTRANCE_M = 1.5
_SAME_EDGE_M = 0.02


class UnwalkableVenueError(InputRefusedError):
    """A map on which nobody could walk; the message says what is missing, and on which level."""

    code = "unwalkable_venue"


def import_mall(venue: Venue, hours: OpenHours | None = None, *, venue_id: str | None = None) -> SimulatedMall:
    """Make a mall of a venue; the same venue gives the same mall. Seconds for five levels of 250 x 180 m.

    Raises:
        UnwalkableVenueError: a level has no outline or no floor, levels are missing between others or stand side by
            side in several buildings, two levels cannot be joined, or no store can be reached.
    """
    times = hours or OpenHours()
    _check_levels(venue)
    made = tidy(venue)
    made = join_yards(made, make_grid(made))
    grid = make_grid(made)
    doors = [door for i in range(len(made.levels)) for door in make_doors(made, grid, i)]
    made = replace(made, openings=(*made.openings, *doors))
    made, n_stairs = _join_levels(made, grid)
    made, entrances, n_entrances = _with_entrances(made, make_grid(made))
    made, shut = _without_unreachable(made, entrances)
    spec = ImportedSpec(
        times.opens_hour, times.closes_hour, times.utc_offset_h, len(doors), n_stairs, n_entrances, shut
    )
    made = replace(made, id=VenueId(venue_id or venue.id), time_zone=zone_of_offset(times.utc_offset_h))
    return SimulatedMall(spec, archive_of(made), made, entrances, some_bays(made))


def _check_levels(venue: Venue) -> None:
    if not venue.levels:
        raise UnwalkableVenueError(f"venue {venue.id} has no levels")
    for level in venue.levels:
        if level.area.is_empty:
            raise UnwalkableVenueError(f"level {level.short_name} has no outline: there is no floor to walk on")
    if not venue.stores:
        raise UnwalkableVenueError(f"venue {venue.id} has no stores to walk to")
    ordinals = sorted(level.ordinal for level in venue.levels)
    if len(set(ordinals)) < len(ordinals):
        raise UnwalkableVenueError(f"expected one building, a level for each ordinal; found ordinals {ordinals}")
    if ordinals != list(range(ordinals[0], ordinals[0] + len(ordinals))):
        raise UnwalkableVenueError(f"expected levels one above the other without gaps, found ordinals {ordinals}")


def _join_levels(venue: Venue, grid: CellGrid) -> tuple[Venue, int]:
    """The venue with stairs wherever nothing joins two levels, and how many."""
    order = sorted(range(len(venue.levels)), key=lambda i: venue.levels[i].ordinal)
    cells = [cells_of_level(venue, grid, i) for i in range(len(venue.levels))]
    for one in cells:
        if one.main_piece < 0:
            name = one.level.short_name
            raise UnwalkableVenueError(f"level {name} has no floor to walk on: closed units cover all of it")
    n_stairs = 0
    for low, high in pairwise(order):
        below, above = cells[low], cells[high]
        if is_joined(venue, grid, below, above):
            continue
        places = places_for_shafts(grid, below, above)
        if not places:
            raise UnwalkableVenueError(
                f"nothing joins levels {below.level.short_name} and {above.level.short_name}, and no floor of 5 x 5 m "
                f"is clear on both for stairs"
            )
        venue = with_shafts(venue, (below.level.id, above.level.id), places)
        cells[low], cells[high] = (cells_of_level(venue, grid, i) for i in (low, high))
        n_stairs += len(places)
    return venue, n_stairs


def _with_entrances(venue: Venue, grid: CellGrid) -> tuple[Venue, tuple[tuple[float, float], ...], int]:
    """Where people come in on the ground level, and how many doors were added for it.

    The map's own doors to the street; else places on the level's outline that can be walked to; else the place
    nearest to the outline.
    """
    ground = ground_index(venue)
    cells = cells_of_level(venue, grid, ground)
    floor = np.flatnonzero(cells.is_open & (cells.piece == cells.main_piece))
    xy_m = grid.centres_xy_m()[floor]
    level = venue.levels[ground]
    doors = [door for door in venue.openings if door.level_id == level.id and door.category == "pedestrian.principal"]
    middles = [door.line.interpolate(0.5, normalized=True) for door in doors]
    found = [_nearest(xy_m, (point.x, point.y)) for point in middles]
    near = [place for place, gap_m in found if gap_m < 2 * _AT_EDGE_M]
    if near:
        return venue, tuple(near), 0
    edge = level.area.boundary
    gap_m = shapely.distance(edge, shapely.points(xy_m))
    at_edge = xy_m[gap_m < max(_AT_EDGE_M, float(gap_m.min()) + 1e-6)]
    places = _spread(at_edge)
    added = [_street_door(venue, place, i) for i, place in enumerate(places)]
    return replace(venue, openings=(*venue.openings, *added)), tuple(places), len(places)


def _street_door(venue: Venue, place: tuple[float, float], number: int) -> Opening:
    """A door in the border of the floor at a place, where that is nearest to the level's outline."""
    level = venue.levels[ground_index(venue)]
    point = Point(place)
    floor = next(unit for unit in venue.units if unit.level_id == level.id and unit.area.contains(point))
    border = floor.area.boundary
    on_edge = level.area.boundary.interpolate(level.area.boundary.project(point))
    at = border.interpolate(border.project(on_edge))
    part = shapely.intersection(border, at.buffer(_HALF_ENTRANCE_M))
    if at.distance(on_edge) < _SAME_EDGE_M:  # not round the corner into a wall
        part = shapely.intersection(part, level.area.boundary.buffer(_SAME_EDGE_M))
    part = shapely.line_merge(part)
    lines = [line for line in shapely.get_parts(part) if isinstance(line, LineString) and line.distance(at) < 1e-6]
    name = str(uuid.uuid5(NAMESPACE, f"entrance:{level.id}:{number}"))
    return Opening(name, level.id, "pedestrian.principal", max(lines, key=lambda line: line.length))


def _nearest(xy_m: NDArray[np.float64], place: tuple[float, float]) -> tuple[tuple[float, float], float]:
    gap_m = np.linalg.norm(xy_m - place, axis=1)
    x, y = xy_m[gap_m.argmin()]
    return (float(x), float(y)), float(gap_m.min())


def _spread(xy_m: NDArray[np.float64]) -> list[tuple[float, float]]:
    """At most ``_MOST_ENTRANCES`` of some places, each the farthest from those before; the first lies southernmost."""
    chosen = [int(np.lexsort((xy_m[:, 0], xy_m[:, 1]))[0])]
    while len(chosen) < _MOST_ENTRANCES:
        gap_m = np.linalg.norm(xy_m[:, None] - xy_m[chosen][None], axis=2).min(axis=1)
        if gap_m.max() < 10.0:
            break
        chosen.append(int(gap_m.argmax()))
    return [(float(x), float(y)) for x, y in xy_m[chosen]]


def _without_unreachable(
    venue: Venue, entrances_xy_m: tuple[tuple[float, float], ...]
) -> tuple[Venue, tuple[StoreId, ...]]:
    """The venue without the stores that nobody gets to, and which these are. Their rooms stay."""
    grid = make_grid(venue)
    _, piece = connected_components(join_steps(venue, grid), directed=False)
    street = ground_index(venue) * grid.n_cells + int(grid.cell_of(entrances_xy_m[0]))
    reached = (piece == piece[street]).reshape(grid.n_levels, grid.n_cells)
    store_of = grid.store_of.reshape(grid.n_levels, grid.n_cells)
    open_stores = set(np.unique(store_of[reached & (store_of >= 0)]).tolist())
    kept = tuple(store for i, store in enumerate(venue.stores) if i in open_stores)
    if not kept:
        raise UnwalkableVenueError(f"none of the {len(venue.stores)} stores of venue {venue.id} can be reached")
    shut = tuple(store.id for i, store in enumerate(venue.stores) if i not in open_stores)
    return replace(venue, stores=kept), shut
