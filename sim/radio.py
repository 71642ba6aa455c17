"""The radio field of a mall, and what a phone hears in it.

Means are computed once, cell by cell; hearing is then a compiled loop over the radios of the phone's cell
(``listening.py``).
"""

from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from fingerprints.scan import Reading
from kernel.ids import TransmitterId
from sim.ageing import age_transmitters
from sim.grid import CELL_M, CellGrid, make_grid
from sim.kernels import mean_power_dbm
from sim.listening import Crowd, Heard, HearingTables, hear_at
from sim.radio_spec import Ageing, RadioSpec
from sim.shadowing import shadowing_fields
from sim.transmitters import Transmitters, make_transmitters
from sim.walls import radio_walls
from venues.model import Venue

_LOWEST_DBM = -118.0
"""Below this no draw is heard: the weakest sensitivity lies 23 dB, or three standard deviations of all draws
together, above it."""
_by_transmitter = attrgetter("transmitter")


@dataclass(frozen=True)
class RadioField:
    """Mean power of every radio of a venue in every cell, shadowing included; NaN where it is never heard."""

    spec: RadioSpec
    grid: CellGrid
    transmitters: Transmitters
    mean_dbm: NDArray[np.float32]
    """(n_levels, n_cells, n_radios)"""
    shared_db: NDArray[np.float32]
    """(n_levels, n_cells) what of the shadowing all radios share; it stays as they age."""

    def hear(
        self,
        level_index: ArrayLike,
        xy_m: ArrayLike,
        crowd: Crowd,
        rng: np.random.Generator,
        *,
        who: ArrayLike | None = None,
        at_ms: ArrayLike | None = None,
        facing_rad: ArrayLike | None = None,
        number: ArrayLike | None = None,
    ) -> Heard:
        """Hear one scan at each place.

        Args:
            level_index: (n_scans,) index into the venue's levels.
            xy_m: (n_scans, 2) venue frame.
            crowd: the phones; what they list is changed.
            rng: gives the seed of this call, one draw, and the hotspots.
            who: (n_scans,) which phone of the crowd listens; by default each phone once.
            at_ms: (n_scans,) when; by default all at once.
            facing_rad: (n_scans,) where each holder faces, counter-clockwise from east; by default any way.
            number: (n_scans,) the scan's number in the stream of draws; by default its place in the call. Where it
                names phone and time, a scan hears the same whatever is asked with it.
        """
        levels = np.asarray(level_index, dtype=np.int64)
        places = np.asarray(xy_m, dtype=np.float64)
        if places.shape != (len(levels), 2):
            raise ValueError(f"expected {len(levels)} places, found {places.shape}")
        cell = levels * self.grid.n_cells + self.grid.cell_of(places)
        return hear_at(
            self._tables, self.spec, cell, crowd, rng, who=who, at_ms=at_ms, facing_rad=facing_rad, number=number
        )

    def readings(self, heard: Heard, rng: np.random.Generator) -> list[tuple[Reading, ...]]:
        """What was heard as domain values, hotspots among them, by id."""
        ids, frequency_mhz = self.transmitters.ids, self.transmitters.frequency_mhz.tolist()
        item, rssi = heard.transmitter.tolist(), heard.rssi_dbm.astype(np.float64).tolist()
        whole_ms = np.trunc(heard.age_ms).tolist()
        readings = [
            Reading(ids[one], power, age_ms, frequency_mhz[one] or None)
            for one, power, age_ms in zip(item, rssi, whole_ms, strict=True)
        ]
        hotspots = _hotspots(int(heard.n_hotspots.sum()), rng)
        ends = np.cumsum(heard.n_hotspots).tolist()
        out: list[tuple[Reading, ...]] = []
        for i, n in enumerate(heard.n_hotspots.tolist()):
            row = readings[heard.indptr[i] : heard.indptr[i + 1]] + hotspots[ends[i] - n : ends[i]]
            row.sort(key=_by_transmitter)
            out.append(tuple(row))
        return out

    @cached_property
    def _tables(self) -> "HearingTables":
        mean_dbm = self.mean_dbm.reshape(self.grid.n_levels * self.grid.n_cells, -1)
        xy_m = np.tile(self.grid.centres_xy_m(), (self.grid.n_levels, 1))
        return HearingTables.of(mean_dbm, xy_m, self.transmitters, self.spec)


def make_radio_field(venue: Venue, spec: RadioSpec, rng: np.random.Generator, *, cell_m: float = CELL_M) -> RadioField:
    """Hang the radios and compute their means in cells of ``cell_m``; about 3 s of one core for the default mall."""
    grid = make_grid(venue, cell_m)
    transmitters = make_transmitters(venue, spec, rng)
    mean_dbm = _mean_dbm(venue, grid, spec, transmitters.radio_xyz_m, transmitters.power_1m_dbm)
    _add_shadowing(mean_dbm, grid, transmitters.radio_mast, spec.shadowing_sd_db, spec.shadowing_length_m, rng)
    shared_db = np.zeros(mean_dbm.shape[:2], dtype=np.float32)
    if spec.shadowing_shared_sd_db > 0.0:
        shared_db = shadowing_fields(
            grid.n_levels,
            grid.nx,
            grid.ny,
            grid.cell_m,
            spec.shadowing_shared_sd_db,
            spec.shadowing_shared_length_m,
            rng,
        ).reshape(shared_db.shape)
        mean_dbm += shared_db[:, :, None]
    return RadioField(spec, grid, transmitters, mean_dbm, shared_db)


def aged(field: RadioField, venue: Venue, ageing: Ageing, rng: np.random.Generator) -> RadioField:
    """The field some weeks later: radios removed, renamed, moved, set to another power, new; the rest has drifted.

    Each radio has at most one of the fates, drawn radio by radio at the shares of ``ageing``; a renamed radio sends
    new addresses, a moved one hangs elsewhere on its level.
    """
    spec, grid = field.spec, field.grid
    later, changed = age_transmitters(field.transmitters, venue, spec, ageing, rng)
    mean_dbm = np.full((grid.n_levels, grid.n_cells, later.n_radios), np.nan, dtype=np.float32)
    stays = np.flatnonzero(changed.came_from >= 0)
    mean_dbm[:, :, stays] = field.mean_dbm[:, :, changed.came_from[stays]] + changed.power_db[stays].astype(np.float32)
    _add_shadowing(mean_dbm, grid, later.radio_mast, ageing.drift_sd_db, spec.shadowing_length_m, rng)
    fresh = np.flatnonzero(changed.came_from < 0)
    if len(fresh):
        new = _mean_dbm(venue, grid, spec, later.radio_xyz_m[fresh], later.power_1m_dbm[fresh])
        _add_shadowing(new, grid, later.radio_mast[fresh], spec.shadowing_sd_db, spec.shadowing_length_m, rng)
        mean_dbm[:, :, fresh] = new + field.shared_db[:, :, None]
    return RadioField(spec, grid, later, mean_dbm, field.shared_db)


def _mean_dbm(
    venue: Venue, grid: CellGrid, spec: RadioSpec, radio_xyz_m: NDArray[np.float64], power_1m_dbm: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(n_levels, n_cells, n_radios) path loss, walls and floors, without shadowing; NaN beyond a level's outline."""
    cells = [grid.cells_in(shapely.buffer(level.area, grid.cell_m)) for level in venue.levels]
    level_index = np.repeat(np.arange(grid.n_levels), [len(part) for part in cells])
    cell = np.concatenate(cells)
    places_xy_m = grid.centres_xy_m()[cell]
    mean_dbm = np.full((grid.n_levels, grid.n_cells, len(power_1m_dbm)), np.nan, dtype=np.float32)
    mean_dbm[level_index, cell] = mean_at(
        venue, grid, spec, radio_xyz_m, power_1m_dbm, level_index, places_xy_m, _LOWEST_DBM
    )
    return mean_dbm


def mean_at(
    venue: Venue,
    grid: CellGrid,
    spec: RadioSpec,
    radio_xyz_m: NDArray[np.float64],
    power_1m_dbm: NDArray[np.float64],
    level_index: NDArray[np.int64],
    places_xy_m: NDArray[np.float64],
    lowest_dbm: float,
) -> NDArray[np.float32]:
    """(n_places, n_radios) path loss, walls and floors at any places, without shadowing; NaN under ``lowest_dbm``."""
    order = np.argsort([level.ordinal for level in venue.levels])
    ordinals = np.array([venue.levels[i].ordinal for i in order], dtype=np.int64)
    if not np.array_equal(ordinals, np.arange(len(ordinals)) + ordinals[0]):
        raise ValueError(f"levels must follow each other without gaps, found ordinals {ordinals.tolist()}")
    walls = [radio_walls(venue, venue.levels[i].id) for i in order]
    found: NDArray[np.float32] = mean_power_dbm(
        radio_xyz_m,
        power_1m_dbm,
        places_xy_m,
        np.argsort(order)[level_index],
        ordinals,
        spec.phone_height_m,
        spec.storey_m,
        np.vstack(walls),
        np.cumsum([0, *map(len, walls)]),
        np.stack([_floor_holes(venue, grid, int(i)) for i in order]),
        np.array(grid.origin_xy_m),
        grid.nx,
        grid.ny,
        grid.cell_m,
        spec.path_exponent,
        spec.attenuation_db_per_m,
        spec.wall_db,
        spec.floor_db,
        spec.atrium_db,
        lowest_dbm,
    )
    return found


def _add_shadowing(
    mean_dbm: NDArray[np.float32],
    grid: CellGrid,
    radio_mast: NDArray[np.int64],
    sd_db: float,
    length_m: float,
    rng: np.random.Generator,
) -> None:
    """Add one field a mast and level, the same for all radios of a mast."""
    masts, at = np.unique(radio_mast, return_inverse=True)
    for level in range(grid.n_levels):
        fields = shadowing_fields(len(masts), grid.nx, grid.ny, grid.cell_m, sd_db, length_m, rng)
        mean_dbm[level] += fields.reshape(len(masts), -1)[at].T


def _floor_holes(venue: Venue, grid: CellGrid, level_index: int) -> NDArray[np.bool_]:
    """Cells of a level where its floor is open to the level below."""
    level_id = venue.levels[level_index].id
    holes = np.zeros(grid.n_cells, dtype=np.bool_)
    xy_m = grid.centres_xy_m()
    for unit in venue.units:
        if unit.level_id == level_id and unit.category.startswith("opentobelow"):
            holes |= shapely.contains_xy(unit.area, xy_m)
    return holes


def _hotspots(n: int, rng: np.random.Generator) -> list[Reading]:
    """Passers-by's phones that share their networks, each at a random local address."""
    octets = np.frombuffer(rng.bytes(6 * n), dtype=np.uint8).reshape(n, 6).copy()
    octets[:, 0] = (octets[:, 0] & 0xFC) | 2
    rssi_dbm = np.rint(rng.uniform(-88.0, -50.0, n)).tolist()
    names = [octets[i].tobytes().hex(":") for i in range(n)]
    return [Reading(TransmitterId(name), power, 0.0, 2437) for name, power in zip(names, rssi_dbm, strict=True)]
