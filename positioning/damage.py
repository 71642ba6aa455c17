"""Survey scans as other phones would hear them at a later date: what a survey cannot show, made from what it can.

A survey is taken in days by a few phones; it is asked for months by others, while radios go and goods move. Held-out
survey scans alone flatter whatever must hold then.
"""

from typing import Final

import numpy as np

from positioning.radio_map import F64, I64, ReadingBatch

GONE_SHARE: Final = 0.4
"""At most this share of a scan's radios is taken away, evenly from none: some years of ordinary change."""
OFFSET_SD_DB: Final = 4.5
"""Of other phones (research: positioning, section 5)."""
NOISE_SD_DB: Final = 4.0
"""Of each radio at each place, where it sends otherwise than at the survey. Of 0, 2, 4 and 6, and 0.6 for the share
gone, chosen on five simulated malls asked weeks later (``benchmarks/coverage.py``, other seeds and other phones)."""


def hear_later(
    batch: ReadingBatch,
    rng: np.random.Generator,
    *,
    floor_dbm: float,
    loss_db: F64 | None = None,
    noise_sd_db: float = NOISE_SD_DB,
) -> ReadingBatch:
    """The scans as other phones would hear them when some of the radios are gone; some may hear nothing.

    Args:
        floor_dbm: weaker readings are not heard.
        loss_db: (n_scans,) what lies between; nothing by default.
        noise_sd_db: of each reading by itself.
    """
    n = batch.n_scans
    row = np.repeat(np.arange(n), np.diff(batch.indptr))
    gone, change_db = rng.uniform(0.0, GONE_SHARE, n), rng.normal(0.0, OFFSET_SD_DB, n)
    if loss_db is not None:
        change_db = change_db - loss_db
    rssi_dbm = (batch.rssi_dbm + change_db[row]).astype(np.float32)
    kept = rng.random(len(row)) >= gone[row]
    if noise_sd_db > 0.0:
        rssi_dbm += rng.normal(0.0, noise_sd_db, len(row)).astype(np.float32)
    kept &= rssi_dbm >= floor_dbm
    indptr: I64 = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(row[kept], minlength=n), out=indptr[1:])
    return ReadingBatch(indptr, batch.transmitter[kept], rssi_dbm[kept], batch.age_ms[kept], batch.n_heard)
