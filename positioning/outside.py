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
from positioning.damage import hear_later
from positioning.model import Settings
from positioning.radio_map import F64, RadioMap, ReadingBatch

LOSS_DB: Final = (20.0, 35.0)
"""What lies between a scan inside and one outside: the outer walls, and some way."""
REFUSED_SHARE: Final = 0.002
"""Of the damaged scans from inside. It, the loss, and the share gone and the offset of ``damage.py``
were chosen on four simulated malls (seeds 101-104); a wrong refusal
counts for more than a scan let in, whose confidence still speaks (docs/algorithms/positioning.md)."""
_LEAST_SCANS: Final = 50


def fit_outside(radio_map: RadioMap, settings: Settings, held_out: HeldOutScans) -> tuple[float, ...]:
    """Weights of ``Settled.faintness()``, above 0 outside; empty where the survey is too small to say."""
    n = len(held_out.asked)
    if n < _LEAST_SCANS:
        return ()
    rng = np.random.default_rng(0)
    floor_dbm = float(radio_map.readings.rssi_dbm.min())
    inside = hear_later(held_out.batch, rng, floor_dbm=floor_dbm, noise_sd_db=0.0)
    loss_db = rng.uniform(*LOSS_DB, n)
    outside = hear_later(held_out.batch, rng, floor_dbm=floor_dbm, loss_db=loss_db, noise_sd_db=0.0)
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
    settled = held_out.as_heard(batch).answer(settings)
    return settled.faintness()[settled.level >= 0]
