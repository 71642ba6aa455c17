"""What a survey counts of each store and transmitter, the tables that follow, and naive Bayes over them.

Arrays are dense, transmitter by store, so that one heard transmitter is one contiguous row over all stores. What is
looked at for each scan is kept in bytes (``statistics.to_bytes``): a venue's tables then fit the processor's
caches, and half a decibel is less than any survey knows.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from positioning.kernels.weigh import Weighed
from positioning.radio_map import F32, I32, I64, U8

PRIOR_DBM = -86.0
"""One pseudo-reading at this power stands beside a store's own (research: positioning, section 2)."""
_PRIOR_SD_DB = 6.0
_PRIOR_COUNT = 6.0
_LEAST_SD_DB = 3.5
MOST_Z = 3.5**2
"""A reading's squared deviation counts as this at most: it may be a radio that was moved."""
OFFSET_SD_DB = 6.0
"""Standard deviation of phones' offsets."""
_N_OFFSET = 24
"""A scan's heaviest readings that tell the phone's offset."""
PRESENCE_WEIGHT = 0.3
DB_STEP = np.float32(0.5)
"""A power of x dBm is the byte -x / step; 255 stands for never heard."""
NEVER_HEARD = 255
PRECISION_STEP = np.float32(1.0 / _LEAST_SD_DB**2 / 255)
GAIN_LEAST = np.float32(-12.0)
GAIN_STEP = np.float32(0.055)
"""Gains lie between -10.2 and -0.2, those of ``kernels/inside.py`` between -8.9 and 0.9: see ``derive_tables``."""
SHARE_STEP = np.float32(1.0 / 255)
NEVER = np.float32(-1e9)
"""The log likelihood of a store that the survey never reached."""


@njit(cache=True, nogil=True)
def count_scans(
    indptr: I64,
    transmitter: I32,
    rssi_dbm: F32,
    age_ms: F32,
    store: I32,
    rate_per_ms: float,
    exposure: F32,
    detections: F32,
    total_dbm: F32,
    squares_dbm2: F32,
    highest_dbm: F32,
    strongest: F32,
) -> None:
    """Add scans to a survey's counts; those of store -1 are left out. A reading counts as its freshness."""
    for i in range(len(store)):
        s = store[i]
        if s < 0:
            continue
        exposure[s] += np.float32(1.0)
        loudest = -1
        for j in range(indptr[i], indptr[i + 1]):
            t, x = transmitter[j], rssi_dbm[j]
            fade = np.float32(1.0)
            if rate_per_ms > 0 and not np.isnan(age_ms[j]):
                fade = np.float32(np.exp(-rate_per_ms * age_ms[j]))
            detections[t, s] += fade
            total_dbm[t, s] += fade * x
            squares_dbm2[t, s] += fade * x * x
            highest_dbm[t, s] = max(highest_dbm[t, s], x)
            if loudest < 0 or x > rssi_dbm[loudest]:
                loudest = j
        if loudest >= 0:
            strongest[transmitter[loudest], s] += np.float32(1.0)


@njit(cache=True, nogil=True)
def derive_tables(
    exposure: F32,
    detections: F32,
    total_dbm: F32,
    squares_dbm2: F32,
    strongest: F32,
    presence_weight: float,
    most_z: float,
    out_mean_dbm: F32,
    out_precision: F32,
    out_gain: F32,
    out_absent: F32,
    out_rate: F32,
    out_share: F32,
    out_top_share: F32,
) -> None:
    """The tables of naive Bayes and of the pair features (formulas: research, sections 2 and 3).

    ``out_precision`` is 1 / sd^2, less where a store heard the transmitter less than twice, 0 where never;
    ``out_gain`` what hearing it adds beside the power's deviation; ``out_absent`` (n_stores,) what hearing nothing is.
    ``presence_weight`` is that of what is heard at all, ``most_z`` bounds a reading's squared deviation.
    """
    n_transmitters, n_stores = detections.shape
    scans = 0.0
    for s in range(n_stores):
        scans += exposure[s]
        out_absent[s] = np.float32(0.0) if exposure[s] > 0 else NEVER
    for t in range(n_transmitters):
        heard, rates, tops = 0.0, 0.0, 0.0
        for s in range(n_stores):
            heard += detections[t, s]
            rates += detections[t, s] / (exposure[s] + 1.0)
            tops += strongest[t, s] / (exposure[s] + 1.0)
        common = min(max(heard / max(scans, 1.0), 0.001), 0.9)
        for s in range(n_stores):
            n, c = exposure[s], detections[t, s]
            variance = 0.0
            if c > 0:
                mean = total_dbm[t, s] / c
                variance = max(squares_dbm2[t, s] / c - mean * mean, 0.0)
            sd_db = np.sqrt(max((variance * c + _PRIOR_COUNT * _PRIOR_SD_DB**2) / (c + _PRIOR_COUNT), _LEAST_SD_DB**2))
            known = min(c, 1.0)
            p = min(max((c + 0.5 * common + 0.02) / (n + 0.6), 0.003), 0.97)
            out_mean_dbm[t, s] = (total_dbm[t, s] + PRIOR_DBM) / (c + 1.0)
            out_precision[t, s] = min(c / 2.0, 1.0) / sd_db**2
            out_gain[t, s] = (
                -np.log(sd_db) - 0.5 * (1.0 - known) * most_z + presence_weight * (np.log(p) - np.log(1.0 - p))
            )
            if n > 0:
                out_absent[s] += np.float32(presence_weight * np.log(1.0 - p))
            out_rate[t, s] = c / (n + 1.0)
            out_share[t, s] = (c / (n + 1.0)) / (rates + 0.05)
            out_top_share[t, s] = (strongest[t, s] / (n + 1.0)) / (tops + 0.02)


class BayesArrays(NamedTuple):
    """Naive Bayes' tables (n_transmitters, n_stores), bytes in steps of ``DB_STEP`` and so on, and ``absent``
    (n_stores,)."""

    mean: U8
    precision: U8
    gain: U8
    absent: F32


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def weigh_stores(asked: Weighed, tables: BayesArrays, out_likelihood: F32, out_offset_db: F32) -> None:
    """Gaussian naive Bayes over all stores, the scan's unknown offset d ~ N(0, 6 dB) integrated out.

    With residuals r and precisions w of the heaviest 24 readings: A = sum w, B = sum w r, d = B / (A + 1 / 36); then
    over all kept readings ln p = -1/2 sum w (r - d)^2 - d^2 / 72 - 1/2 ln(1 + 36 A) + sum gain + absent, which for up
    to 24 readings without the bound on single deviations is the integral itself. An offset from all of them was worse
    on simulated malls and on Xixi's survey: weak readings are cut off at what a phone can hear at all. What is not
    kept of a scan counts as not heard.
    """
    n_stores = len(tables.absent)
    sum_w = np.empty(n_stores, dtype=np.float32)
    sum_wr = np.empty(n_stores, dtype=np.float32)
    inverse = np.float32(1.0 / OFFSET_SD_DB**2)
    spread = np.float32(OFFSET_SD_DB**2)
    most = np.float32(MOST_Z)
    half = np.float32(0.5)
    one = np.float32(1.0)
    absent = tables.absent
    for i in range(len(asked.indptr) - 1):
        likelihood, offset_db = out_likelihood[i], out_offset_db[i]
        sum_w[:] = np.float32(0.0)
        sum_wr[:] = np.float32(0.0)
        start, stop = asked.indptr[i], asked.indptr[i + 1]
        for j in range(start, min(stop, start + _N_OFFSET)):
            t = np.uint64(asked.transmitter[j])
            x, fade = asked.dbm[j], asked.fade[j] * PRECISION_STEP
            means, weights = tables.mean[t], tables.precision[t]
            for s in range(n_stores):
                w = fade * np.float32(weights[s])
                sum_w[s] += w
                sum_wr[s] += w * (x + DB_STEP * np.float32(means[s]))
        for s in range(n_stores):
            d = sum_wr[s] / (sum_w[s] + inverse)
            offset_db[s] = d
            likelihood[s] = absent[s] - half * d * d * inverse - half * np.log(one + spread * sum_w[s])
        for j in range(start, stop):
            t = np.uint64(asked.transmitter[j])
            x, fade = asked.dbm[j], asked.fade[j]
            means, weights, gains = tables.mean[t], tables.precision[t], tables.gain[t]
            for s in range(n_stores):
                r = x + DB_STEP * np.float32(means[s]) - offset_db[s]
                z = PRECISION_STEP * np.float32(weights[s]) * r * r
                z = z if z < most else most
                likelihood[s] += fade * (GAIN_LEAST + GAIN_STEP * np.float32(gains[s]) - half * z)
