"""What time does to a venue's radios: some are removed, renamed, moved, set to another power; some are new."""

import uuid
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fingerprints.transmitters import ibeacon_id
from kernel.ids import TransmitterId
from sim.radio_spec import Ageing, RadioSpec
from sim.transmitters import (
    Radio,
    Transmitters,
    access_point,
    beacon,
    ground_of,
    new_addresses,
    place_at,
    spread,
)
from venues.model import Level, Venue

_STAYS, _REMOVED, _RENAMED, _MOVED, _REPOWERED = range(5)


@dataclass(frozen=True)
class Changes:
    """Where each radio of the later date comes from.

    Attributes:
        came_from: (n_radios,) the radio it was, where its mean power is still known; -1 where it hangs elsewhere now.
        power_db: (n_radios,) what its power has changed by.
    """

    came_from: NDArray[np.int64]
    power_db: NDArray[np.float64]


def age_transmitters(
    before: Transmitters, venue: Venue, spec: RadioSpec, ageing: Ageing, rng: np.random.Generator
) -> tuple[Transmitters, Changes]:
    """Draw the fate of each radio, then hang the new ones."""
    radios = before.radios()
    fate = _draw_fates(len(radios), ageing, rng)
    taken = {name for radio in radios for name in radio.ids}
    beacon_uuid = str(uuid.UUID(bytes=rng.bytes(16), version=4))
    masts = before.n_masts
    later: list[Radio] = []
    came_from: list[int] = []
    power_db: list[float] = []
    for at, radio in enumerate(radios):
        if fate[at] == _REMOVED:
            continue
        change_db, origin, now = 0.0, at, radio
        if fate[at] == _RENAMED:
            now = replace(radio, ids=_new_ids(radio, taken, beacon_uuid, at, rng))
        elif fate[at] == _MOVED:
            now, origin = _move(radio, venue, spec, masts, rng), -1
            masts += 1
        elif fate[at] == _REPOWERED:
            change_db = ageing.power_change_db * (1.0 if rng.random() < 0.5 else -1.0)
            now = replace(radio, power_1m_dbm=radio.power_1m_dbm + change_db)
        later.append(now)
        came_from.append(origin)
        power_db.append(change_db)
    while len(later) - int(np.sum(fate != _REMOVED)) < round(ageing.new * len(radios)):
        for radio in _new_radios(venue, spec, masts, taken, beacon_uuid, rng):
            later.append(radio)
            came_from.append(-1)
            power_db.append(0.0)
        masts += 1
    return Transmitters.of(later), Changes(np.array(came_from, dtype=np.int64), np.array(power_db))


def _draw_fates(n: int, ageing: Ageing, rng: np.random.Generator) -> NDArray[np.int64]:
    shares = [ageing.removed, ageing.renamed, ageing.moved, ageing.repowered]
    if min(shares) < 0 or sum(shares) > 1:
        raise ValueError(f"shares of radios must be 0 or more and sum to 1 at most, found {shares}")
    fates: NDArray[np.int64] = rng.choice(5, size=n, p=[1.0 - sum(shares), *shares]).astype(np.int64)
    return fates


def _new_ids(
    radio: Radio, taken: set[TransmitterId], beacon_uuid: str, number: int, rng: np.random.Generator
) -> tuple[TransmitterId, ...]:
    if radio.frequency_mhz == 0:
        return (ibeacon_id(beacon_uuid, 20_000, number),)
    return tuple(new_addresses(len(radio.ids), taken, rng))


def _level_of(venue: Venue, spec: RadioSpec, radio: Radio) -> Level:
    ordinal = int(np.floor(radio.xyz_m[2] / spec.storey_m))
    return next(level for level in venue.levels if level.ordinal == ordinal)


def _move(radio: Radio, venue: Venue, spec: RadioSpec, mast: int, rng: np.random.Generator) -> Radio:
    """To any other place of its level, at its height."""
    level = _level_of(venue, spec, radio)
    (x, y), *_ = spread(ground_of(venue, level.id), 1, rng)
    return replace(radio, xyz_m=(x, y, radio.xyz_m[2]), mast=mast)


def _new_radios(
    venue: Venue, spec: RadioSpec, mast: int, taken: set[TransmitterId], beacon_uuid: str, rng: np.random.Generator
) -> list[Radio]:
    """A new access point, or a beacon as often as the venue has them."""
    level = venue.levels[int(rng.integers(len(venue.levels)))]
    (xy_m, *_) = spread(ground_of(venue, level.id), 1, rng)
    beacons = 1.0 / spec.area_per_beacon_m2
    if rng.random() < beacons / (beacons + 1.0 / spec.area_per_access_point_m2):
        name = ibeacon_id(beacon_uuid, 30_000, mast)
        return [beacon(spec, place_at(spec, level, xy_m, spec.beacon_height_m), mast, name, rng)]
    return access_point(spec, place_at(spec, level, xy_m, spec.access_point_height_m), mast, taken, rng)
