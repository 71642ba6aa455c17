"""The radio field of a mall, and what a phone hears in it.

Means are computed once, cell by cell; hearing is then a look-up, one draw for each radio and one for each id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from fingerprints.scan import Reading
from kernel.ids import TransmitterId
from sim.grid import CELL_M, CellGrid, make_grid
from sim.kernels import mean_power_dbm
from sim.radio_spec import RadioSpec
from sim.shadowing import shadowing_fields
from sim.transmitters import Transmitters, make_transmitters
from sim.walls import radio_walls
from venues.model import Venue

_LOWEST_DBM = -118.0
"""Below this no draw is heard: the weakest sensitivity lies 23 dB, or three standard deviations of all draws
together, above it."""
_GAIN_PIVOT_DBM = -65.0
_BODY_RADIUS_M = 1.0
"""Nearer than this in plan a radio hangs overhead, and a body shades less."""
_CHUNK = 2_048


@dataclass(frozen=True, slots=True)
class PhoneRadio:
    """How one phone's receiver reads power: ``pivot + gain (x - pivot) + offset``, nothing under its sensitivity."""

    offset_db: float
    gain: float
    sensitivity_dbm: float


def draw_phones(n: int, spec: RadioSpec, rng: np.random.Generator) -> list[PhoneRadio]:
    """Draw phones as different as those of a real crowd."""
    offset_db = rng.normal(0.0, spec.device_offset_sd_db, n)
    gain = rng.normal(1.0, spec.device_gain_sd, n)
    sensitivity_dbm = rng.uniform(*spec.sensitivity_dbm, n)
    return [PhoneRadio(float(o), float(g), float(s)) for o, g, s in zip(offset_db, gain, sensitivity_dbm, strict=True)]


@dataclass(frozen=True)
class Heard:
    """Readings of many scans as flat arrays, by scan, then by transmitter id; hotspots are not among them.

    Attributes:
        scan: (n_readings,) which scan.
        transmitter: (n_readings,) index into ``RadioField.transmitters.ids``.
        rssi_dbm: (n_readings,) whole dBm.
    """

    n_scans: int
    scan: NDArray[np.int64]
    transmitter: NDArray[np.int64]
    rssi_dbm: NDArray[np.int64]


@dataclass(frozen=True)
class RadioField:
    """Mean power of every radio of a venue in every cell, shadowing included; NaN where it is never heard."""

    spec: RadioSpec
    grid: CellGrid
    transmitters: Transmitters
    mean_dbm: NDArray[np.float32]
    """(n_levels, n_cells, n_radios)"""

    def hear(
        self, level_index: ArrayLike, xy_m: ArrayLike, phones: Sequence[PhoneRadio], rng: np.random.Generator
    ) -> list[tuple[Reading, ...]]:
        """The readings of one scan at each place: ids sorted, hotspots among them.

        Args:
            level_index: (n_scans,) index into the venue's levels.
            xy_m: (n_scans, 2) venue frame.
            phones: (n_scans,) who listens.
        """
        heard = self.hear_arrays(level_index, xy_m, phones, rng)
        age_ms = np.minimum(rng.exponential(self.spec.mean_age_ms, len(heard.scan)), 4_000.0).astype(np.int64)
        ids, frequency_mhz = self.transmitters.ids, self.transmitters.frequency_mhz.tolist()
        rows: list[list[Reading]] = [_hotspots(self.spec, rng) for _ in range(heard.n_scans)]
        for scan, item, rssi, age in zip(
            heard.scan.tolist(), heard.transmitter.tolist(), heard.rssi_dbm.tolist(), age_ms.tolist(), strict=True
        ):
            rows[scan].append(Reading(ids[item], float(rssi), float(age), frequency_mhz[item] or None))
        return [tuple(sorted(row, key=lambda reading: reading.transmitter)) for row in rows]

    def hear_arrays(
        self, level_index: ArrayLike, xy_m: ArrayLike, phones: Sequence[PhoneRadio], rng: np.random.Generator
    ) -> Heard:
        """Like ``hear``, as arrays and without hotspots: for experiments and speed."""
        levels = np.asarray(level_index, dtype=np.int64)
        places = np.asarray(xy_m, dtype=np.float64)
        if places.shape != (len(levels), 2) or len(phones) != len(levels):
            raise ValueError(f"expected {len(levels)} places and phones, found {places.shape} and {len(phones)}")
        receiver = np.array([(p.offset_db, p.gain, p.sensitivity_dbm) for p in phones]).reshape(-1, 3)
        cells = self.grid.cell_of(places)
        parts = [
            self._hear_chunk(levels[i : i + _CHUNK], cells[i : i + _CHUNK], receiver[i : i + _CHUNK], rng)
            for i in range(0, len(levels), _CHUNK)
        ]
        return Heard(
            len(levels),
            np.concatenate([scan + i * _CHUNK for i, (scan, _, _) in enumerate(parts)] or [np.empty(0, np.int64)]),
            np.concatenate([item for _, item, _ in parts] or [np.empty(0, np.int64)]),
            np.concatenate([rssi for _, _, rssi in parts] or [np.empty(0, np.int64)]),
        )

    def _hear_chunk(
        self,
        levels: NDArray[np.int64],
        cells: NDArray[np.int64],
        receiver: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        spec = self.spec
        offset_db, gain, sensitivity_dbm = (receiver[:, [i]] for i in range(3))
        power = self.mean_dbm[levels, cells].astype(np.float64)
        power += rng.normal(0.0, spec.fading_sd_db, power.shape)
        power += rng.normal(0.0, spec.hand_sd_db, (len(levels), 1))
        power -= self._body_loss_db(cells, rng)
        power[rng.random(power.shape) < spec.radio_miss_ratio] = np.nan
        power = _GAIN_PIVOT_DBM + gain * (power - _GAIN_PIVOT_DBM) + offset_db
        power[~(power >= sensitivity_dbm)] = np.nan
        by_id = power[:, self.transmitters.radio_of]
        is_heard = ~np.isnan(by_id) & (rng.random(by_id.shape) >= spec.miss_ratio)
        scan, item = np.nonzero(is_heard)
        rssi = np.clip(np.rint(by_id[scan, item]), -110, -10).astype(np.int64)
        return scan.astype(np.int64), item.astype(np.int64), rssi

    def _body_loss_db(self, cells: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
        """(n_scans, n_radios) what the holder's body takes from radios behind it; they face any way."""
        to_radio = self.transmitters.radio_xyz_m[None, :, :2] - self.grid.centres_xy_m()[cells][:, None, :]
        facing_rad = rng.uniform(-np.pi, np.pi, (len(cells), 1))
        ahead = to_radio[..., 0] * np.cos(facing_rad) + to_radio[..., 1] * np.sin(facing_rad)
        distance_m = np.hypot(np.hypot(to_radio[..., 0], to_radio[..., 1]), _BODY_RADIUS_M)
        return np.asarray(self.spec.body_db * np.maximum(0.0, -ahead / distance_m))


def make_radio_field(venue: Venue, spec: RadioSpec, rng: np.random.Generator) -> RadioField:
    """Hang the radios and compute their means; about 3 s of one core for the default mall."""
    grid = make_grid(venue)
    transmitters = make_transmitters(venue, spec, rng)
    order = np.argsort([level.ordinal for level in venue.levels])
    ordinals = np.array([venue.levels[i].ordinal for i in order], dtype=np.int64)
    if not np.array_equal(ordinals, np.arange(len(ordinals)) + ordinals[0]):
        raise ValueError(f"levels must follow each other without gaps, found ordinals {ordinals.tolist()}")
    walls = [radio_walls(venue, venue.levels[i].id) for i in order]
    mean = mean_power_dbm(
        transmitters.radio_xyz_m,
        transmitters.power_1m_dbm,
        grid.centres_xy_m(),
        ordinals,
        spec.phone_height_m,
        spec.storey_m,
        np.vstack(walls),
        np.cumsum([0, *map(len, walls)]),
        np.stack([_floor_holes(venue, grid, int(i)) for i in order]),
        np.array(grid.origin_xy_m),
        grid.nx,
        grid.ny,
        CELL_M,
        spec.path_exponent,
        spec.wall_db,
        spec.floor_db,
        spec.atrium_db,
        _LOWEST_DBM,
    )
    mean_dbm = np.empty_like(mean)
    mean_dbm[order] = mean
    for level in range(grid.n_levels):
        shadow = shadowing_fields(
            transmitters.n_masts,
            grid.nx,
            grid.ny,
            CELL_M,
            spec.shadowing_sd_db,
            spec.shadowing_length_m,
            rng,
        )
        mean_dbm[level] += shadow.reshape(transmitters.n_masts, -1)[transmitters.radio_mast].T
    return RadioField(spec, grid, transmitters, mean_dbm)


def drifted(field: RadioField, rng: np.random.Generator) -> RadioField:
    """The field some weeks later: furniture and goods have moved, each mast's shadowing by ``drift_sd_db``.

    Radios removed, renamed, moved or new are another matter, and not simulated yet.
    """
    n_masts, grid, spec = field.transmitters.n_masts, field.grid, field.spec
    mean_dbm = field.mean_dbm.copy()
    for level in range(grid.n_levels):
        change = shadowing_fields(n_masts, grid.nx, grid.ny, CELL_M, spec.drift_sd_db, spec.shadowing_length_m, rng)
        mean_dbm[level] += change.reshape(n_masts, -1)[field.transmitters.radio_mast].T
    return replace(field, mean_dbm=mean_dbm)


def _floor_holes(venue: Venue, grid: CellGrid, level_index: int) -> NDArray[np.bool_]:
    """Cells of a level where its floor is open to the level below."""
    level_id = venue.levels[level_index].id
    holes = np.zeros(grid.n_cells, dtype=np.bool_)
    xy_m = grid.centres_xy_m()
    for unit in venue.units:
        if unit.level_id == level_id and unit.category.startswith("opentobelow"):
            holes |= shapely.contains_xy(unit.area, xy_m)
    return holes


def _hotspots(spec: RadioSpec, rng: np.random.Generator) -> list[Reading]:
    """Phones of passers-by that share their network: addresses that nobody has surveyed or will see again."""
    found: list[Reading] = []
    for _ in range(int(rng.poisson(spec.hotspots_per_scan))):
        octets = list(rng.bytes(6))
        octets[0] = (octets[0] & 0xFC) | 2
        address = TransmitterId(":".join(f"{octet:02x}" for octet in octets))
        found.append(Reading(address, float(round(rng.uniform(-88.0, -50.0))), 0.0, 2437))
    return found
