"""Access points and beacons: where they hang and what they send."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from fingerprints.transmitters import ibeacon_id
from kernel.ids import LevelId, TransmitterId
from sim.radio_spec import RadioSpec
from venues.model import Level, Venue

_CHANNELS_2_MHZ = (2412, 2437, 2462)
_CHANNELS_5_MHZ = (5180, 5220, 5260, 5300, 5745, 5785, 5805)
_CHANNELS_6_MHZ = (5955, 6115, 6275, 6435)
_CANDIDATES = 12
"""Places tried for each next radio; the one farthest from its neighbours is taken, as an installer would."""


@dataclass(frozen=True, slots=True)
class Radio:
    """One sender of one or more ids. ``mast`` numbers the place it hangs at; ``frequency_mhz`` is 0 for a beacon."""

    ids: tuple[TransmitterId, ...]
    frequency_mhz: int
    xyz_m: tuple[float, float, float]
    mast: int
    power_1m_dbm: float


@dataclass(frozen=True)
class Transmitters:
    """All senders of a venue. A *mast* is a place; it has one or more radios; a radio has one or more ids.

    Attributes:
        radio_xyz_m: (n_radios, 3), height over the floor of ordinal 0.
        radio_mast: (n_radios,) radios of one mast share their shadowing.
        power_1m_dbm: (n_radios,) at 1 m.
        ids: sorted, one a transmitter.
        radio_of: (n_transmitters,) the radio that sends it.
        frequency_mhz: (n_transmitters,) carrier; 0 for a beacon.
    """

    radio_xyz_m: NDArray[np.float64]
    radio_mast: NDArray[np.int64]
    power_1m_dbm: NDArray[np.float64]
    ids: tuple[TransmitterId, ...]
    radio_of: NDArray[np.int64]
    frequency_mhz: NDArray[np.int64]

    @staticmethod
    def of(radios: Sequence[Radio]) -> "Transmitters":
        """The radios as arrays, in their order."""
        sent = sorted((name, at, radio.frequency_mhz) for at, radio in enumerate(radios) for name in radio.ids)
        return Transmitters(
            np.array([radio.xyz_m for radio in radios], dtype=np.float64).reshape(-1, 3),
            np.array([radio.mast for radio in radios], dtype=np.int64),
            np.array([radio.power_1m_dbm for radio in radios], dtype=np.float64),
            tuple(name for name, _, _ in sent),
            np.array([at for _, at, _ in sent], dtype=np.int64),
            np.array([frequency for _, _, frequency in sent], dtype=np.int64),
        )

    @property
    def n_radios(self) -> int:
        return len(self.radio_mast)

    @property
    def n_masts(self) -> int:
        return int(self.radio_mast.max()) + 1 if len(self.radio_mast) else 0

    def radios(self) -> list[Radio]:
        """Back to one object a radio."""
        ids: list[list[TransmitterId]] = [[] for _ in range(self.n_radios)]
        frequency_mhz = [0] * self.n_radios
        for name, at, frequency in zip(self.ids, self.radio_of.tolist(), self.frequency_mhz.tolist(), strict=True):
            ids[at].append(name)
            frequency_mhz[at] = frequency
        return [
            Radio(tuple(names), frequency, (x, y, z), mast, power)
            for names, frequency, (x, y, z), mast, power in zip(
                ids,
                frequency_mhz,
                self.radio_xyz_m.tolist(),
                self.radio_mast.tolist(),
                self.power_1m_dbm.tolist(),
                strict=True,
            )
        ]


def make_transmitters(venue: Venue, spec: RadioSpec, rng: np.random.Generator) -> Transmitters:
    """Hang access points and beacons over each level at the densities of the spec."""
    radios: list[Radio] = []
    taken: set[TransmitterId] = set()
    beacon_uuid = str(uuid.UUID(bytes=rng.bytes(16), version=4))
    mast = 0
    for level in venue.levels:
        ground = ground_of(venue, level.id)
        for xy_m in spread(ground, round(level.area.area / spec.area_per_access_point_m2), rng):
            radios += access_point(spec, place_at(spec, level, xy_m, spec.access_point_height_m), mast, taken, rng)
            mast += 1
        for xy_m in spread(ground, round(level.area.area / spec.area_per_managed_m2), rng):
            place = place_at(spec, level, xy_m, spec.access_point_height_m)
            radios += managed_access_point(spec, place, mast, taken, rng)
            mast += 1
        for xy_m in spread(ground, round(level.area.area / spec.area_per_beacon_m2), rng):
            name = ibeacon_id(beacon_uuid, 10_000 + level.ordinal % 1_000, mast)
            radios.append(beacon(spec, place_at(spec, level, xy_m, spec.beacon_height_m), mast, name, rng))
            mast += 1
    return Transmitters.of(radios)


def ground_of(venue: Venue, level_id: LevelId) -> BaseGeometry:
    """Where a level has a floor, and a ceiling to hang radios from."""
    level = next(level for level in venue.levels if level.id == level_id)
    holes = [u.area for u in venue.units if u.level_id == level_id and u.category.startswith("opentobelow")]
    return level.area.difference(shapely.union_all(holes)) if holes else level.area


def place_at(spec: RadioSpec, level: Level, xy_m: tuple[float, float], height_m: float) -> tuple[float, float, float]:
    """A place of the venue's plan at a height over a level's floor."""
    return (*xy_m, level.ordinal * spec.storey_m + height_m)


def beacon(
    spec: RadioSpec, xyz_m: tuple[float, float, float], mast: int, name: TransmitterId, rng: np.random.Generator
) -> Radio:
    """A BLE beacon with a power of its own."""
    return Radio((name,), 0, xyz_m, mast, spec.beacon_power_1m_dbm + spec.power_sd_db * float(rng.standard_normal()))


def access_point(
    spec: RadioSpec, xyz_m: tuple[float, float, float], mast: int, taken: set[TransmitterId], rng: np.random.Generator
) -> list[Radio]:
    """One access point: its networks, each on every of its bands as far as its ids reach.

    An access point of one id has one band, of more ids two, and some of those a third at 6 GHz.
    """
    n_ids = int(rng.integers(1, spec.max_ids_per_access_point + 1))
    ids = new_addresses(n_ids, taken, rng)
    bands = [int(rng.choice(_CHANNELS_2_MHZ)), int(rng.choice(_CHANNELS_5_MHZ))]
    if n_ids == 1:
        bands = [bands[int(rng.random() >= 0.5)]]
    if n_ids >= 3 and rng.random() < spec.share_with_6_ghz:
        bands.append(int(rng.choice(_CHANNELS_6_MHZ)))
    return _share_out(spec, ids, bands, xyz_m, mast, rng)


def managed_access_point(
    spec: RadioSpec, xyz_m: tuple[float, float, float], mast: int, taken: set[TransmitterId], rng: np.random.Generator
) -> list[Radio]:
    """An access point of the mall itself: each of its networks on 2.4 and on 5 GHz."""
    ids = new_addresses(spec.managed_ids, taken, rng)
    return _share_out(spec, ids, [int(rng.choice(_CHANNELS_2_MHZ)), int(rng.choice(_CHANNELS_5_MHZ))], xyz_m, mast, rng)


def _share_out(
    spec: RadioSpec,
    ids: list[TransmitterId],
    bands: list[int],
    xyz_m: tuple[float, float, float],
    mast: int,
    rng: np.random.Generator,
) -> list[Radio]:
    parts = np.array_split(np.arange(len(ids)), len(bands))
    return [
        Radio(
            tuple(ids[i] for i in part),
            frequency_mhz,
            xyz_m,
            mast,
            _band_power_1m_dbm(spec, frequency_mhz) + spec.power_sd_db * float(rng.standard_normal()),
        )
        for part, frequency_mhz in zip(parts, bands, strict=True)
    ]


def _band_power_1m_dbm(spec: RadioSpec, frequency_mhz: int) -> float:
    if frequency_mhz < 3_000:
        return spec.wifi_2_power_1m_dbm
    return spec.wifi_5_power_1m_dbm if frequency_mhz < 5_925 else spec.wifi_6_power_1m_dbm


def new_addresses(n: int, taken: set[TransmitterId], rng: np.random.Generator) -> list[TransmitterId]:
    """``n`` addresses of one device: a maker's address, the further ones derived with the local bit set."""
    while True:
        octets = list(rng.bytes(6))
        octets[0] &= 0xFC
        octets[5] &= 0xF0  # room for 16 addresses
        first = TransmitterId(":".join(f"{octet:02x}" for octet in octets))
        if first not in taken and any(octets):
            break
    taken.add(first)
    further = [[octets[0] | 2, *octets[1:5], octets[5] + i] for i in range(1, n)]
    return [first] + [TransmitterId(":".join(f"{octet:02x}" for octet in address)) for address in further]


def spread(area: BaseGeometry, n: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """``n`` places in ``area``, each the farthest of some random ones from those before (Mitchell 1991)."""
    x0, y0, x1, y1 = area.bounds
    chosen = np.empty((0, 2))
    while len(chosen) < n:
        drawn = rng.uniform((x0, y0), (x1, y1), (_CANDIDATES, 2))
        drawn = drawn[shapely.contains_xy(area, drawn)]
        if not len(drawn):
            continue
        if len(chosen):
            gap_m = np.linalg.norm(drawn[:, None] - chosen[None], axis=2).min(axis=1)
            drawn = drawn[[int(gap_m.argmax())]]
        chosen = np.vstack([chosen, drawn[:1]])
    return [(float(x), float(y)) for x, y in chosen]
