"""Compiled loops of the radio model: path loss, walls and floors on the straight way from a radio to a phone."""

import math

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True)
def count_crossings(
    x0: float, y0: float, z0: float, x1: float, y1: float, z1: float,
    walls: NDArray[np.float64], tried: NDArray[np.int32], low_m: float, high_m: float, most: float = math.inf,
) -> int:  # fmt: skip
    """Walls of one storey (``low_m`` <= height < ``high_m``) that the straight way from 0 to 1 goes through.

    Args:
        walls: (n_walls, 4) segments x0, y0, x1, y1 in metres.
        tried: which of them are looked at.
        most: counting stops above so many.
    """
    dx, dy, dz = x1 - x0, y1 - y0, z1 - z0
    n = 0
    for i in tried:
        ax, ay = walls[i, 0], walls[i, 1]
        ex, ey = walls[i, 2] - ax, walls[i, 3] - ay
        cross = dx * ey - dy * ex
        if cross == 0.0:
            continue
        along_way = (ax - x0) * ey - (ay - y0) * ex
        along_wall = (ax - x0) * dy - (ay - y0) * dx
        if cross < 0.0:
            cross, along_way, along_wall = -cross, -along_way, -along_wall
        if 0.0 < along_way < cross and 0.0 <= along_wall < cross:  # no division for the many walls beside the way
            z = z0 + along_way / cross * dz
            if low_m <= z < high_m:
                n += 1
                if n > most:
                    break
    return n


_SECTORS = 256
"""Directions round a radio in which the walls are listed that stand there, so that few are tried for a cell."""


@numba.njit(cache=True)
def sector_of(angle_rad: float) -> int:
    return min(int((angle_rad + math.pi) * (_SECTORS / (2.0 * math.pi))), _SECTORS - 1)


@numba.njit(cache=True)
def list_sectors(x0: float, y0: float, walls: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The walls that can stand on a straight way from (x0, y0) in each direction, as CSR over ``_SECTORS``."""
    n_walls = walls.shape[0]
    first = np.empty(n_walls, dtype=np.int64)
    width = np.empty(n_walls, dtype=np.int64)
    indptr = np.zeros(_SECTORS + 1, dtype=np.int64)
    for w in range(n_walls):
        a = math.atan2(walls[w, 1] - y0, walls[w, 0] - x0)
        b = math.atan2(walls[w, 3] - y0, walls[w, 2] - x0)
        turn = (b - a + math.pi) % (2.0 * math.pi) - math.pi
        if turn < 0.0:
            a, turn = b, -turn
        if turn > math.pi - 0.05:  # the radio hangs on the wall's line: any way may cross it
            first[w], width[w] = 0, _SECTORS
        else:  # one sector more on each side, for rounding
            first[w] = sector_of(a) - 1
            width[w] = min(int(turn * (_SECTORS / (2.0 * math.pi))) + 4, _SECTORS)
        for k in range(width[w]):
            indptr[(first[w] + k) % _SECTORS + 1] += 1
    for k in range(_SECTORS):
        indptr[k + 1] += indptr[k]
    at = indptr[:-1].copy()
    listed = np.empty(indptr[-1], dtype=np.int32)
    for w in range(n_walls):
        for k in range(width[w]):
            sector = (first[w] + k) % _SECTORS
            listed[at[sector]] = w
            at[sector] += 1
    return indptr, listed


@numba.njit(cache=True)
def mean_power_dbm(
    radios_xyz_m: NDArray[np.float64], power_1m_dbm: NDArray[np.float64],
    places_xy_m: NDArray[np.float64], storey_of: NDArray[np.int64],
    ordinals: NDArray[np.int64], phone_height_m: float, storey_m: float,
    walls: NDArray[np.float64], wall_starts: NDArray[np.int64], is_open: NDArray[np.bool_],
    origin_xy_m: NDArray[np.float64], nx: int, ny: int, cell_m: float,
    exponent: float, attenuation_db_per_m: float, wall_db: float, floor_db: float, atrium_db: float, lowest_dbm: float,
) -> NDArray[np.float32]:  # fmt: skip
    """Mean power of each radio at each place, without shadowing; NaN where it is under ``lowest_dbm``.

    Power at 1 m, less 10 ``exponent`` log10 of the distance (never under 1 m), less ``attenuation_db_per_m`` a metre
    beyond the first (Devasirvatham 1991), less ``wall_db`` a wall, less
    ``floor_db`` a floor slab, or ``atrium_db`` where the way goes through an opening in it.

    Args:
        radios_xyz_m: (n_radios, 3), height above the floor of ordinal 0.
        places_xy_m: (n_places, 2), on the storey ``storey_of`` (n_places,), an index into ``ordinals``.
        ordinals: (n_levels,) ascending and without gaps.
        walls, wall_starts: all levels' walls, and where each level's begin (n_levels + 1).
        is_open: (n_levels, ny * nx) the floor of this level has a hole here, in cells of ``cell_m`` from the origin.

    Returns:
        (n_places, n_radios).
    """
    n_levels, n_places, n_radios = len(ordinals), places_xy_m.shape[0], radios_xyz_m.shape[0]
    out = np.full((n_places, n_radios), np.nan, dtype=np.float32)
    for r in range(n_radios):
        x0, y0, z0 = radios_xyz_m[r]
        sides = [list_sectors(x0, y0, walls[wall_starts[s] : wall_starts[s + 1]]) for s in range(n_levels)]
        for place in range(n_places):
            x1, y1 = places_xy_m[place]
            z1 = ordinals[storey_of[place]] * storey_m + phone_height_m
            d_m = max(1.0, math.sqrt((x1 - x0) ** 2 + (y1 - y0) ** 2 + (z1 - z0) ** 2))
            power = power_1m_dbm[r] - 10.0 * exponent * math.log10(d_m) - attenuation_db_per_m * (d_m - 1.0)
            if power < lowest_dbm:
                continue
            for slab in range(1, n_levels):
                height = ordinals[slab] * storey_m
                if (z0 - height) * (z1 - height) < 0.0:
                    t = (height - z0) / (z1 - z0)
                    column = int(min(max((x0 + t * (x1 - x0) - origin_xy_m[0]) / cell_m, 0.0), nx - 1.0))
                    row = int(min(max((y0 + t * (y1 - y0) - origin_xy_m[1]) / cell_m, 0.0), ny - 1.0))
                    power -= atrium_db if is_open[slab, row * nx + column] else floor_db
            if power < lowest_dbm:
                continue
            sector = sector_of(math.atan2(y1 - y0, x1 - x0))
            for storey in range(n_levels):
                low = ordinals[storey] * storey_m
                if max(z0, z1) < low or min(z0, z1) >= low + storey_m:
                    continue
                part = walls[wall_starts[storey] : wall_starts[storey + 1]]
                indptr, listed = sides[storey]
                ahead = listed[indptr[sector] : indptr[sector + 1]]
                most = (power - lowest_dbm) / wall_db if wall_db > 0.0 else math.inf
                power -= wall_db * count_crossings(x0, y0, z0, x1, y1, z1, part, ahead, low, low + storey_m, most)
                if power < lowest_dbm:
                    break
            if power >= lowest_dbm:
                out[place, r] = power
    return out


@numba.njit(cache=True)
def is_line_inside(store_of: NDArray[np.int32], store: int, row0: int, column0: int, row1: int, column1: int) -> bool:
    """Whether the line between two cells' middles, looked at every quarter of a cell, stays in cells of ``store``.

    Args:
        store_of: (ny, nx) the store of each cell of one level.
    """
    n = 1 + 4 * max(abs(row1 - row0), abs(column1 - column0))
    for i in range(n + 1):
        row = int(row0 + 0.5 + i / n * (row1 - row0))
        column = int(column0 + 0.5 + i / n * (column1 - column0))
        if store_of[row, column] != store:
            return False
    return True
