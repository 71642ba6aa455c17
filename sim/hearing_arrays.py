"""What the compiled loop of ``hearing.py`` reads and writes, as flat arrays.

Named tuples, where else a frozen dataclass would stand: numba takes them as they are. It keeps their names with the
code it has compiled; after renaming one, delete ``sim/__pycache__``.
"""

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

MEMORY_SIZE = 768
"""Readings that a phone's list can hold; what comes after the first so many, by id, is not listed."""
MOST_RADIOS, MOST_IDS = 1 << 16, 1 << 24
"""What an entry and a reading have room for."""
LANES = 8
"""Entries of a place come in multiples of a vector's; those added are never heard."""


class Places(NamedTuple):
    """What is heard where.

    Attributes:
        indptr: (n_places + 1,) place p has ``indptr[p + 1] - indptr[p]`` entries, a multiple of ``LANES``.
        row: (2 n_entries,) from ``2 indptr[p]`` on the means of place p as bits, then for each of them 16 bits of the
            radio, 8 bits of the way to it east and 8 north (``index_places``). One after the other in memory, they are
            fetched at one go.
        mean_dbm: (2 n_entries,) the same memory, of which only the means are to be read.
        first_id: (n_radios + 1,) ids are numbered radio by radio; radio r sends ``first_id[r]`` to ``first_id[r + 1]``.
        is_beacon: (n_radios,)
        soft_db: (n_radios,) how soft the edge of what phones read is for each (``RadioSpec.edge_miss_ratio``).
        transmitter: (n_ids,) what each id is called in the answer.
        most_entries: of any place.
    """

    indptr: NDArray[np.int64]
    row: NDArray[np.uint32]
    mean_dbm: NDArray[np.float32]
    first_id: NDArray[np.int64]
    is_beacon: NDArray[np.bool_]
    soft_db: NDArray[np.float32]
    transmitter: NDArray[np.int32]
    most_entries: int


class Effects(NamedTuple):
    """What comes between a place's mean powers and a phone's list; ``radio_spec.RadioSpec`` explains each."""

    fading_sd_db: float
    slow_sd_db: float
    slow_ms: float
    carry_sd_db: float
    walk_miss_ratio: float
    frame_sd_db: float
    edge_miss_ratio: float
    hand_sd_db: float
    body_db: float
    gain_pivot_dbm: float
    radio_miss_ratio: float
    miss_ratio: float
    mean_age_ms: float
    stale_ratio: float
    stale_limit_ms: float


class Scans(NamedTuple):
    """What is asked, each (n_scans,); a phone's scans must come in the order of time.

    Attributes:
        number: counts the scan in its stream; the same number gives the same draws.
        place: a row of ``Places``.
        phone: a row of ``Phones``.
        at_ms: when.
        facing_rad: where the holder faces; NaN for any way.
    """

    number: NDArray[np.int64]
    place: NDArray[np.int64]
    phone: NDArray[np.int64]
    at_ms: NDArray[np.int64]
    facing_rad: NDArray[np.float64]


class Phones(NamedTuple):
    """Who listens, and what each phone listed last.

    Attributes:
        walk_seed: (n_phones,) of the slow fading and the silent radios of each phone.
        receiver: (n_phones, 3) offset in dB, gain, sensitivity in dBm.
        only_beacons: (n_phones,)
        n_listed, listed_at_ms: (n_phones,) changed by hearing, as is:
        listed: (n_phones, room) the last list's readings by id.
    """

    walk_seed: NDArray[np.uint64]
    receiver: NDArray[np.float64]
    only_beacons: NDArray[np.bool_]
    n_listed: NDArray[np.int64]
    listed_at_ms: NDArray[np.int64]
    listed: NDArray[np.uint64]


class Lists(NamedTuple):
    """Room for what is heard: ``indptr`` (n_scans + 1,) of all scans, and the readings of some, by scan, then by id."""

    indptr: NDArray[np.int64]
    transmitter: NDArray[np.int32]
    rssi_dbm: NDArray[np.int16]
    age_ms: NDArray[np.float32]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def index_places(
    mean_dbm: NDArray[np.float32],
    place_xy_m: NDArray[np.float64],
    radio_xy_m: NDArray[np.float64],
    body_radius_m: float,
    indptr: NDArray[np.int64],
    row: NDArray[np.uint32],
    row_mean_dbm: NDArray[np.float32],
) -> None:
    """Fill the rows of ``Places`` with the means, (n_places, n_radios), that are no NaN.

    The way from place to radio is a vector of length 1, shorter where the radio hangs nearer overhead than
    ``body_radius_m`` or so, in steps of 1 / 127: within 0.06 dB of a body's 10.
    """
    for place in range(mean_dbm.shape[0]):
        at, n = 2 * indptr[place], indptr[place + 1] - indptr[place]
        row_mean_dbm[at : at + n] = -np.inf
        row[at + n : at + 2 * n] = 0
        for radio in range(mean_dbm.shape[1]):
            if math.isnan(mean_dbm[place, radio]):
                continue
            east_m, north_m = radio_xy_m[radio, 0] - place_xy_m[place, 0], radio_xy_m[radio, 1] - place_xy_m[place, 1]
            scale = 127.0 / math.sqrt(east_m * east_m + north_m * north_m + body_radius_m * body_radius_m)
            east, north = np.int64(round(east_m * scale)), np.int64(round(north_m * scale))
            row_mean_dbm[at] = mean_dbm[place, radio]
            row[at + n] = radio | (east & 0xFF) << 16 | (north & 0xFF) << 24
            at += 1
