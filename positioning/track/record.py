"""What is kept of a phone between two scans: one packed record of fixed size.

It holds a place in a venue, so it is kept only of phones that allow it, and nowhere longer than the filter's gap is of
use. A lost record is a phone seen for the first time: nothing breaks.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from positioning.errors import TrackRecordError

VERSION: Final = 1
N_STATE: Final = 6
"""Place (2, metres east and north), then with steps (metres forward and aside a step), without (speed, 2), then the
shared error (2, in standard deviations)."""
N_KEPT: Final = 16
"""Stores whose probability is kept; the rest is one number."""
TRACK: Final = np.dtype(
    [
        ("version", "<u2"),
        ("has_steps", "u1"),
        ("n_taken", "<u4"),
        ("level", "<i2"),
        ("other_level", "<i2"),
        ("stamp", "<u8"),
        ("at_us", "<i8"),
        ("mean", "<f8", (N_STATE,)),
        ("covariance", "<f8", (N_STATE, N_STATE)),
        ("inside", "<f8"),
        ("rest", "<f8"),
        ("store", "<i4", (N_KEPT,)),
        ("probability", "<f8", (N_KEPT,)),
    ]
)
Records = NDArray[np.void]


def empty_records(n: int) -> Records:
    """n records of phones never seen."""
    records: Records = np.zeros(n, dtype=TRACK)
    records["version"] = VERSION
    records["level"] = records["other_level"] = -1
    records["store"] = -1
    return records


def pack(record: Any) -> bytes:
    """One record as bytes, always of the same length."""
    packed: bytes = record.tobytes()
    return packed


def unpack(packed: bytes) -> Records:
    """The record in an array of one, free to be changed.

    Raises:
        TrackRecordError: of another length or version.
    """
    if len(packed) != TRACK.itemsize:
        raise TrackRecordError(f"expected {TRACK.itemsize} bytes, found {len(packed)}")
    records: Records = np.frombuffer(packed, dtype=TRACK).copy()
    if records["version"][0] != VERSION:
        raise TrackRecordError(f"expected version {VERSION}, found {records['version'][0]}")
    return records
