"""What is kept of a phone between two scans: one packed record of fixed size.

It holds a place in a venue, so it is kept only of phones that allow it. A lost record is a phone seen for the first
time: its next answers differ, nothing breaks.
"""

from collections.abc import Sequence
from typing import Final

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


def _never_seen() -> bytes:
    record: Records = np.zeros(1, dtype=TRACK)
    record["version"] = VERSION
    record["level"] = record["other_level"] = -1
    record["store"] = -1
    return record.tobytes()


_NEVER: Final = _never_seen()


def pack(records: Records) -> list[bytes | None]:
    """Each record as bytes, always of the same length; None for one that has no place."""
    packed, size = records.tobytes(), TRACK.itemsize
    return [
        packed[i * size : (i + 1) * size] if has_place else None
        for i, has_place in enumerate((records["level"] >= 0).tolist())
    ]


def unpack(packed: Sequence[bytes | None]) -> Records:
    """The records in an array, free to be changed; None is a phone never seen, whose ``level`` is -1.

    Raises:
        TrackRecordError: of another length or version.
    """
    for one in packed:
        if one is not None and len(one) != TRACK.itemsize:
            raise TrackRecordError(f"expected {TRACK.itemsize} bytes, found {len(one)}")
    records: Records = np.frombuffer(bytearray(b"".join(_NEVER if one is None else one for one in packed)), dtype=TRACK)
    is_other = records["version"] != VERSION
    if is_other.any():
        raise TrackRecordError(f"expected version {VERSION}, found {records['version'][is_other][0]}")
    return records
