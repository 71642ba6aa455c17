"""Of this venue or not: told by how weak and how few its radios are.

How strange the scan is tells nothing: radios that were replaced since the survey make every scan strange, while a scan
from the street is much like a survey scan, only faint. So a venue's own survey scans teach both: as they are heard
inside by other phones when a part of the radios is gone, and as they would be heard outside, behind its walls. Training
only: uses scikit-learn.
"""

from typing import Final

import numpy as np
from sklearn.linear_model import LogisticRegression

from positioning.choose import HeldOutScans
from positioning.model import Settings
from positioning.radio_map import F64, I64, RadioMap, ReadingBatch

GONE_SHARE: Final = 0.4
"""At most this share of a scan's radios is taken away, evenly from none: some years of ordinary change."""
OFFSET_SD_DB: Final = 4.5
"""Of other phones (research: positioning, section 5)."""
LOSS_DB: Final = (20.0, 35.0)
"""What lies between a scan inside and one outside: the outer walls, and some way."""
REFUSED_SHARE: Final = 0.002
"""Of the damaged scans from inside. The four were chosen on four simulated malls (seeds 101-104); a wrong refusal
counts for more than a scan let in, whose confidence still speaks (docs/algorithms/positioning.md)."""
_LEAST_SCANS: Final = 50


def fit_outside(radio_map: RadioMap, settings: Settings, held_out: HeldOutScans) -> tuple[float, ...]:
    """Weights of ``Settled.faintness()``, above 0 outside; empty where the survey is too small to say."""
    n = len(held_out.asked)
    if n < _LEAST_SCANS:
        return ()
    rng = np.random.default_rng(0)
    floor_dbm = float(radio_map.readings.rssi_dbm.min())
    inside = _damage(held_out.batch, np.zeros(n), floor_dbm, rng)
    outside = _damage(held_out.batch, rng.uniform(*LOSS_DB, n), floor_dbm, rng)
    features = [_features(held_out, settings, batch) for batch in (inside, outside)]
    if min(len(part) for part in features) < _LEAST_SCANS:
        return ()
    both = np.concatenate(features)
    is_outside = np.repeat([False, True], [len(part) for part in features])
    scale = both.std(axis=0) + 1e-9
    scale[0] = 1.0
    fitted = LogisticRegression(fit_intercept=False, C=10.0, max_iter=500).fit(both / scale, is_outside)
    weights: F64 = fitted.coef_[0] / scale
    weights[0] -= np.quantile(features[0] @ weights, 1.0 - REFUSED_SHARE)
    return tuple(weights.tolist())


def _features(held_out: HeldOutScans, settings: Settings, batch: ReadingBatch) -> F64:
    """Of those that share a radio with the survey."""
    settled = HeldOutScans(
        held_out.radio_map, held_out.asked, batch, held_out.walk, held_out.buildings, held_out.evidence
    ).answer(settings)
    return settled.faintness()[settled.level >= 0]


def _damage(batch: ReadingBatch, loss_db: F64, floor_dbm: float, rng: np.random.Generator) -> ReadingBatch:
    """The scans as other phones would hear them with ``loss_db`` (n,) between, when some of the radios are gone."""
    n = batch.n_scans
    row = np.repeat(np.arange(n), np.diff(batch.indptr))
    gone, offset_db = rng.uniform(0.0, GONE_SHARE, n), rng.normal(0.0, OFFSET_SD_DB, n)
    rssi_dbm = (batch.rssi_dbm - loss_db[row] + offset_db[row]).astype(np.float32)
    kept = (rng.random(len(row)) >= gone[row]) & (rssi_dbm >= floor_dbm)
    indptr: I64 = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(row[kept], minlength=n), out=indptr[1:])
    return ReadingBatch(indptr, batch.transmitter[kept], rssi_dbm[kept], batch.age_ms[kept], batch.n_heard)
