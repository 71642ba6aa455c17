"""Access points and beacons: where they hang and what they send."""

import uuid
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from fingerprints.transmitters import ibeacon_id
from kernel.ids import TransmitterId
from sim.radio_spec import RadioSpec
from venues.model import Venue

_CHANNELS_2_MHZ = (2412, 2437, 2462)
_CHANNELS_5_MHZ = (5180, 5220, 5260, 5300, 5745, 5785, 5805)
_CANDIDATES = 12
"""Places tried for each next radio; the one farthest from its neighbours is taken, as an installer would."""


@dataclass(frozen=True)
class Transmitters:
    """All senders of a venue. A *mast* is a place; it has one or two radios; a radio has one or more ids.

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

    @property
    def n_masts(self) -> int:
        return int(self.radio_mast.max()) + 1 if len(self.radio_mast) else 0


def make_transmitters(venue: Venue, spec: RadioSpec, rng: np.random.Generator) -> Transmitters:
    """Hang access points and beacons over each level at the densities of the spec."""
    xyz: list[tuple[float, float, float]] = []
    masts: list[int] = []
    powers: list[float] = []
    sent: list[tuple[TransmitterId, int, int]] = []
    taken: set[str] = set()
    beacon_uuid = str(uuid.UUID(bytes=rng.bytes(16), version=4))
    n_masts = 0
    for level in venue.levels:
        floor_m = level.ordinal * spec.storey_m
        holes = [u.area for u in venue.units if u.level_id == level.id and u.category.startswith("opentobelow")]
        ground = level.area.difference(shapely.union_all(holes)) if holes else level.area
        for x, y in _spread(ground, round(level.area.area / spec.area_per_access_point_m2), rng):
            for ids, frequency_mhz in _access_point_radios(spec, taken, rng):
                mean_dbm = spec.wifi_2_power_1m_dbm if frequency_mhz < 3000 else spec.wifi_5_power_1m_dbm
                sent += [(name, len(xyz), frequency_mhz) for name in ids]
                xyz.append((x, y, floor_m + spec.access_point_height_m))
                masts.append(n_masts)
                powers.append(mean_dbm + spec.power_sd_db * float(rng.standard_normal()))
            n_masts += 1
        for x, y in _spread(ground, round(level.area.area / spec.area_per_beacon_m2), rng):
            name = ibeacon_id(beacon_uuid, 10_000 + level.ordinal % 1_000, n_masts)
            sent.append((name, len(xyz), 0))
            xyz.append((x, y, floor_m + spec.beacon_height_m))
            masts.append(n_masts)
            powers.append(spec.beacon_power_1m_dbm + spec.power_sd_db * float(rng.standard_normal()))
            n_masts += 1
    sent.sort()
    return Transmitters(
        np.array(xyz).reshape(-1, 3),
        np.array(masts, dtype=np.int64),
        np.array(powers),
        tuple(name for name, _, _ in sent),
        np.array([radio for _, radio, _ in sent], dtype=np.int64),
        np.array([frequency for _, _, frequency in sent], dtype=np.int64),
    )


def _access_point_radios(
    spec: RadioSpec, taken: set[str], rng: np.random.Generator
) -> list[tuple[list[TransmitterId], int]]:
    """The ids and carrier of each radio of one access point: its networks, shared out over the two bands."""
    n_ids = int(rng.integers(1, spec.max_ids_per_access_point + 1))
    ids = _addresses(n_ids, taken, rng)
    band_2, band_5 = int(rng.choice(_CHANNELS_2_MHZ)), int(rng.choice(_CHANNELS_5_MHZ))
    if n_ids == 1:
        return [(ids, band_2 if rng.random() < 0.5 else band_5)]
    half = (n_ids + 1) // 2
    return [(ids[:half], band_2), (ids[half:], band_5)]


def _addresses(n: int, taken: set[str], rng: np.random.Generator) -> list[TransmitterId]:
    """``n`` addresses of one device: a maker's address, the further ones derived with the local bit set."""
    while True:
        octets = list(rng.bytes(6))
        octets[0] &= 0xFC
        octets[5] &= 0xF0
        first = ":".join(f"{octet:02x}" for octet in octets)
        if first not in taken and any(octets):
            break
    taken.add(first)
    further = [[octets[0] | 2, *octets[1:5], octets[5] + i] for i in range(1, n)]
    return [TransmitterId(first)] + [
        TransmitterId(":".join(f"{octet:02x}" for octet in address)) for address in further
    ]


def _spread(area: BaseGeometry, n: int, rng: np.random.Generator) -> list[tuple[float, float]]:
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
