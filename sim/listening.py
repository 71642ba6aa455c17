"""Phones that listen, and what they list."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.hearing import hear_scans
from sim.hearing_arrays import (
    LANES,
    MEMORY_SIZE,
    MOST_IDS,
    MOST_RADIOS,
    Effects,
    Lists,
    Phones,
    Places,
    Scans,
    index_places,
)
from sim.radio_spec import RadioSpec
from sim.transmitters import Transmitters

_GAIN_PIVOT_DBM = -65.0
_BODY_RADIUS_M = 1.0
"""Nearer than this in plan a radio hangs overhead, and a body shades less."""
_FIRST_ROOM = 256
"""Readings a phone's list has room for at first: nearly always enough, and no more memory than is used."""
_MOST_AT_ONCE = 1 << 24
"""Readings for which room is asked at once, 168 MB of address space; what is not filled is given back untouched."""


@dataclass(frozen=True, slots=True)
class PhoneRadio:
    """How one phone's receiver reads power: ``pivot + gain (x - pivot) + offset``, nothing under its sensitivity.

    ``only_beacons``: the system shows applications no Wi-Fi (iPhones).
    """

    offset_db: float
    gain: float
    sensitivity_dbm: float
    only_beacons: bool = False


def draw_phones(n: int, spec: RadioSpec, rng: np.random.Generator) -> list[PhoneRadio]:
    """Draw phones as different as those of a real crowd."""
    offset_db = rng.normal(0.0, spec.device_offset_sd_db, n)
    gain = rng.normal(1.0, spec.device_gain_sd, n)
    sensitivity_dbm = rng.uniform(*spec.sensitivity_dbm, n)
    return [PhoneRadio(float(o), float(g), float(s)) for o, g, s in zip(offset_db, gain, sensitivity_dbm, strict=True)]


class Crowd:
    """Phones that listen, and what each still lists of its earlier scans.

    A system's scan list keeps what was heard a while ago: a share of the ids that a scan misses is listed again at its
    old power and with its age (``RadioSpec.stale_ratio``). A phone's scans must be asked in the order of time.
    """

    def __init__(self, phones: Sequence[PhoneRadio], seed: int = 0) -> None:
        """``seed`` draws what each phone's walk has of its own: slow fading, radios it does not hear."""
        n = len(phones)
        self.walk_seed = np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64)
        self.receiver = np.array([(p.offset_db, p.gain, p.sensitivity_dbm) for p in phones]).reshape(-1, 3)
        self.only_beacons = np.array([p.only_beacons for p in phones], dtype=np.bool_)
        self.n_listed = np.zeros(n, dtype=np.int64)
        self.listed_at_ms = np.zeros(n, dtype=np.int64)
        self.listed = np.empty((n, _FIRST_ROOM), dtype=np.uint64)

    def __len__(self) -> int:
        return len(self.n_listed)

    def arrays(self) -> Phones:
        """As the compiled loop takes them."""
        return Phones(self.walk_seed, self.receiver, self.only_beacons, self.n_listed, self.listed_at_ms, self.listed)

    def make_room(self) -> None:
        """Twice the room for each phone's list, up to all that it can hold."""
        before = self.listed
        self.listed = np.empty((len(before), min(2 * before.shape[1], MEMORY_SIZE)), dtype=np.uint64)
        self.listed[:, : before.shape[1]] = before


@dataclass(frozen=True)
class Heard:
    """Readings of many scans as CSR arrays, by scan, then by radio; hotspots are counted, not listed.

    Attributes:
        indptr: (n_scans + 1,) scan i owns readings ``indptr[i]`` to ``indptr[i + 1]``.
        transmitter: (n_readings,) index into ``RadioField.transmitters.ids``.
        rssi_dbm: (n_readings,) whole dBm.
        age_ms: (n_readings,) how long before the scan.
        n_hotspots: (n_scans,) readings beside them that nobody has surveyed or will hear again.
    """

    indptr: NDArray[np.int64]
    transmitter: NDArray[np.int32]
    rssi_dbm: NDArray[np.int16]
    age_ms: NDArray[np.float32]
    n_hotspots: NDArray[np.int64]

    @property
    def n_scans(self) -> int:
        return len(self.n_hotspots)

    @property
    def scan(self) -> NDArray[np.int64]:
        """(n_readings,) which scan each reading is of."""
        return np.repeat(np.arange(self.n_scans), np.diff(self.indptr))


@dataclass(frozen=True)
class HearingTables:
    """Mean powers at places, laid out for the compiled loop."""

    places: Places

    @staticmethod
    def of(
        mean_dbm: NDArray[np.float32], place_xy_m: NDArray[np.float64], transmitters: Transmitters, spec: RadioSpec
    ) -> "HearingTables":
        """Of (n_places, n_radios) means, NaN where never heard."""
        n_radios, n_ids = transmitters.n_radios, len(transmitters.ids)
        if n_radios > MOST_RADIOS or n_ids > MOST_IDS:
            raise ValueError(f"expected {MOST_RADIOS} radios and {MOST_IDS} ids at most, found {n_radios} and {n_ids}")
        n_entries = -(np.count_nonzero(~np.isnan(mean_dbm), axis=1) // -LANES) * LANES
        indptr = np.concatenate([[0], np.cumsum(n_entries)]).astype(np.int64)
        row = np.empty(2 * int(indptr[-1]), dtype=np.uint32)
        row_mean_dbm = row.view(np.float32)
        radio_xy_m = np.ascontiguousarray(transmitters.radio_xyz_m[:, :2])
        index_places(mean_dbm, place_xy_m, radio_xy_m, _BODY_RADIUS_M, indptr, row, row_mean_dbm)
        n_ids_of = np.bincount(transmitters.radio_of, minlength=n_radios)
        is_beacon = np.zeros(n_radios, dtype=np.bool_)
        is_beacon[transmitters.radio_of[transmitters.frequency_mhz == 0]] = True
        soft_db = np.full(n_radios, spec.soft_2_db, dtype=np.float32)
        soft_db[transmitters.radio_of[transmitters.frequency_mhz > 3_000]] = spec.soft_5_db
        return HearingTables(
            Places(
                indptr,
                row,
                row_mean_dbm,
                np.concatenate([[0], np.cumsum(n_ids_of)]).astype(np.int64),
                is_beacon,
                soft_db,
                np.argsort(transmitters.radio_of, kind="stable").astype(np.int32),
                int(n_entries.max(initial=0)),
            )
        )


def hear_at(
    tables: HearingTables,
    spec: RadioSpec,
    place: NDArray[np.int64],
    crowd: Crowd,
    rng: np.random.Generator,
    *,
    who: ArrayLike | None = None,
    at_ms: ArrayLike | None = None,
    facing_rad: ArrayLike | None = None,
    number: ArrayLike | None = None,
    most_at_once: int = _MOST_AT_ONCE,
) -> Heard:
    """Hear one scan at each place, a row of the tables; see ``RadioField.hear``.

    ``most_at_once`` is the number of readings for which room is asked at once; it changes nothing that is heard.
    """
    n = len(place)
    phone = np.arange(n, dtype=np.int64) if who is None else np.asarray(who, dtype=np.int64)
    if phone.shape != (n,) or (n and not (phone.min() >= 0 and phone.max() < len(crowd))):
        raise ValueError(f"expected {n} phones among {len(crowd)}, found {phone.shape}: {phone[:3]} ...")
    scans = Scans(
        np.arange(n, dtype=np.int64) if number is None else np.asarray(number, dtype=np.int64),
        np.asarray(place, dtype=np.int64),
        phone,
        np.zeros(n, dtype=np.int64) if at_ms is None else np.asarray(at_ms, dtype=np.int64),
        np.full(n, np.nan) if facing_rad is None else np.asarray(facing_rad, dtype=np.float64),
    )
    seed, effects = np.uint64(rng.integers(0, 2**63)), _effects(spec)
    indptr = np.zeros(n + 1, dtype=np.int64)
    parts: list[Lists] = []
    done = 0
    while done < n or not parts:
        part, done = _hear_part(seed, scans, tables.places, effects, crowd, indptr, done, most_at_once)
        parts.append(part)
    readings = parts[0]
    if len(parts) > 1:
        readings = Lists(indptr, *(np.concatenate(columns) for columns in list(zip(*parts, strict=True))[1:]))
    n_hotspots = np.where(crowd.only_beacons[phone], 0, rng.poisson(spec.hotspots_per_scan, n)).astype(np.int64)
    return Heard(indptr, readings.transmitter, readings.rssi_dbm, readings.age_ms, n_hotspots)


def _hear_part(
    seed: np.uint64,
    scans: Scans,
    places: Places,
    effects: Effects,
    crowd: Crowd,
    indptr: NDArray[np.int64],
    begin: int,
    most_at_once: int,
) -> tuple[Lists, int]:
    """Hear from one scan on as many as find room; with the first that does not."""
    n, start = len(scans.place), indptr[begin]
    room = max(min((n - begin) * MEMORY_SIZE, most_at_once), MEMORY_SIZE)
    lists = Lists(indptr, np.empty(room, np.int32), np.empty(room, np.int16), np.empty(room, np.float32))
    done = hear_scans(seed, scans, places, effects, crowd.arrays(), lists, begin, 0)
    while done < n and indptr[done] - start + MEMORY_SIZE <= room:
        crowd.make_room()
        done = hear_scans(seed, scans, places, effects, crowd.arrays(), lists, done, int(indptr[done] - start))
    for column in lists[1:]:
        column.resize(int(indptr[done] - start), refcheck=False)
    return lists, done


def _effects(spec: RadioSpec) -> Effects:
    return Effects(
        fading_sd_db=spec.fading_sd_db,
        slow_sd_db=spec.slow_sd_db,
        slow_ms=spec.slow_s * 1_000.0,
        carry_sd_db=spec.carry_sd_db,
        walk_miss_ratio=spec.walk_miss_ratio,
        frame_sd_db=spec.frame_sd_db,
        edge_miss_ratio=spec.edge_miss_ratio,
        hand_sd_db=spec.hand_sd_db,
        body_db=spec.body_db,
        gain_pivot_dbm=_GAIN_PIVOT_DBM,
        radio_miss_ratio=spec.radio_miss_ratio,
        miss_ratio=spec.miss_ratio,
        mean_age_ms=spec.mean_age_ms,
        stale_ratio=spec.stale_ratio,
        stale_limit_ms=spec.stale_limit_ms,
    )
