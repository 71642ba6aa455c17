"""Naive Bayes between the stores and the walkways round a scan: is it inside any store?"""

import numpy as np
from numba import njit

from positioning.kernels.stores import DB_STEP, GAIN_LEAST, GAIN_STEP, NEVER, OFFSET_SD_DB, PRECISION_STEP
from positioning.radio_map import F32, F64, I32, I64, U8

PRESENCE_WEIGHT = 0.6
MOST_Z = 2.5**2
"""As in ``kernels/stores.py``, where ranking stores has 0.3 and 3.5 squared: between a store and the walkway before it
it says more what is heard at all, and one strange power must say less (docs/algorithms/confidence.md)."""
TEMPER = 0.35
"""Exponent of the likelihood: readings of one scan are far from independent."""
MOST_ODDS = 8.0
"""The log odds end here; where the neighbours know but stores, or but walkways, they are this."""
N_OFFSET = 24
"""A scan's heaviest readings that tell the phone's offset."""
ODDS, OFFSET = 0, 1
"""Columns of the answer."""
MEAN, PRECISION, GAIN = 0, 1, 2
N_TABLE = 3
"""Bytes of a column and transmitter, in the steps of ``kernels/stores.py``."""
_TOGETHER_SCANS = 25
_TOGETHER_SHARE = 0.4
_SAME_RADIO_DB = 3.0
"""Standard deviation of the difference of two ids' powers under which one radio sends both. In simulated malls it is
1 to 2.5 dB there and over 4 dB between radios."""


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def weigh_inside(  # noqa: PLR0912, PLR0915  one pass over flat arrays
    b_indptr: I64,
    b_transmitter: I32,
    b_dbm: F32,
    b_age_ms: F32,
    q_indptr: I64,
    q_transmitter: I32,
    index: I32,
    rate_per_ms: float,
    m_column: I32,
    n_stores: int,
    table: U8,
    absent: F32,
    radio: I32,
    out: F64,
) -> None:
    """Log odds of all store columns against all walkway columns that the neighbours are of, and the phone's offset.

    The likelihood of a column is that of ``kernels/stores.weigh_stores``: Gaussian, the phone's unknown offset
    integrated out. Only the columns of the shortlist are looked at, some seven of two hundred; on six simulated malls
    all of them said no more. Of n ids of one radio each weighs 1 / sqrt(n): they fade together.

    Args:
        b_*: all readings of the scans; q_*: the kept ones, heaviest first.
        index: (n, n_short) neighbours, -1 for none.
        m_column: (n_map,) the column of each survey scan, those of stores under ``n_stores``; -1 for none.
        table: (n_columns, n_transmitters, 3) bytes; absent: (n_columns,), ``NEVER`` where nothing was counted.
        radio: (n_transmitters,) of ``group_radios``.
        out: (n, 2): the odds, and the offset that the likeliest column thinks the phone has, in standard deviations of
            phones; 0 where no neighbour has a column.
    """
    n_columns, n_transmitters = table.shape[0], table.shape[1]
    heard_dbm = np.empty(n_transmitters, dtype=np.float32)
    fades = np.empty(n_transmitters, dtype=np.float32)
    x = np.empty(n_transmitters, dtype=np.float32)
    fade = np.empty(n_transmitters, dtype=np.float32)
    asked_last = np.full(n_transmitters, -1, dtype=np.int64)
    n_ids = np.zeros(n_transmitters, dtype=np.int64)
    seen = np.full(n_columns, -1, dtype=np.int64)
    column = np.empty(n_columns, dtype=np.int32)
    score = np.empty(n_columns, dtype=np.float64)
    inverse = np.float32(1.0 / OFFSET_SD_DB**2)
    spread = np.float32(OFFSET_SD_DB**2)
    most, half, one = np.float32(MOST_Z), np.float32(0.5), np.float32(1.0)
    for i in range(len(b_indptr) - 1):
        for j in range(b_indptr[i], b_indptr[i + 1]):
            heard_dbm[b_transmitter[j]] = b_dbm[j]
            fades[b_transmitter[j]] = one
            if rate_per_ms > 0 and not np.isnan(b_age_ms[j]):
                fades[b_transmitter[j]] = np.float32(np.exp(-rate_per_ms * b_age_ms[j]))
            of = radio[b_transmitter[j]]
            if asked_last[of] != i:
                asked_last[of] = i
                n_ids[of] = 0
            n_ids[of] += 1
        n = 0
        for c in range(index.shape[1]):
            if index[i, c] < 0:
                break
            at = m_column[index[i, c]]
            if at >= 0 and seen[at] != i and absent[at] > half * NEVER:
                seen[at] = i
                column[n] = at
                n += 1
        start = q_indptr[i]
        n_kept = q_indptr[i + 1] - start
        for j in range(n_kept):
            t = q_transmitter[start + j]
            x[j], fade[j] = heard_dbm[t], fades[t] / np.float32(np.sqrt(n_ids[radio[t]]))
        best = -np.inf
        out[i, OFFSET] = 0.0
        for k in range(n):
            of_column = table[column[k]]
            sum_w, sum_wr = np.float32(0.0), np.float32(0.0)
            for j in range(min(n_kept, N_OFFSET)):
                t = np.uint64(q_transmitter[start + j])
                w = fade[j] * PRECISION_STEP * np.float32(of_column[t, PRECISION])
                sum_w += w
                sum_wr += w * (x[j] + DB_STEP * np.float32(of_column[t, MEAN]))
            d = sum_wr / (sum_w + inverse)
            likelihood = absent[column[k]] - half * d * d * inverse - half * np.log(one + spread * sum_w)
            for j in range(n_kept):
                t = np.uint64(q_transmitter[start + j])
                r = x[j] + DB_STEP * np.float32(of_column[t, MEAN]) - d
                z = PRECISION_STEP * np.float32(of_column[t, PRECISION]) * r * r
                z = z if z < most else most
                likelihood += fade[j] * (GAIN_LEAST + GAIN_STEP * np.float32(of_column[t, GAIN]) - half * z)
            score[k] = TEMPER * likelihood
            if score[k] > best:
                best = score[k]
                out[i, OFFSET] = d / OFFSET_SD_DB
        inside, walkway = 0.0, 0.0
        for k in range(n):
            share = np.exp(score[k] - best)
            if column[k] < n_stores:
                inside += share
            else:
                walkway += share
        least = np.exp(-MOST_ODDS)
        if n == 0:
            out[i, ODDS] = 0.0
        elif inside <= least * walkway:
            out[i, ODDS] = -MOST_ODDS
        elif walkway <= least * inside:
            out[i, ODDS] = MOST_ODDS
        else:
            out[i, ODDS] = np.log(inside / walkway)


@njit(cache=True, nogil=True)
def group_radios(indptr: I64, transmitter: I32, rssi_dbm: F32, every: int, out_radio: I32) -> None:
    """Which transmitters are ids of one radio: heard together, their powers go up and down together.

    ``out_radio`` (n_transmitters,) is the least of the ids of each one's radio. Looks at one scan in ``every``;
    quadratic in the readings of a scan, and in memory in the transmitters.
    """
    n_transmitters = len(out_radio)
    together = np.zeros((n_transmitters, n_transmitters), dtype=np.float32)
    total_db = np.zeros((n_transmitters, n_transmitters), dtype=np.float32)
    squares_db2 = np.zeros((n_transmitters, n_transmitters), dtype=np.float32)
    heard = np.zeros(n_transmitters, dtype=np.float32)
    for i in range(0, len(indptr) - 1, every):
        for j in range(indptr[i], indptr[i + 1]):
            heard[transmitter[j]] += np.float32(1.0)
            for k in range(indptr[i], j):
                low, high = min(transmitter[k], transmitter[j]), max(transmitter[k], transmitter[j])
                apart_db = rssi_dbm[j] - rssi_dbm[k] if transmitter[k] == low else rssi_dbm[k] - rssi_dbm[j]
                together[low, high] += np.float32(1.0)
                total_db[low, high] += apart_db
                squares_db2[low, high] += apart_db * apart_db
    for t in range(n_transmitters):
        out_radio[t] = t
    for low in range(n_transmitters):
        for high in range(low + 1, n_transmitters):
            n = together[low, high]
            if n < _TOGETHER_SCANS or n <= _TOGETHER_SHARE * min(heard[low], heard[high]):
                continue
            mean_db = total_db[low, high] / n
            if squares_db2[low, high] / n - mean_db * mean_db >= _SAME_RADIO_DB**2:
                continue
            one, other = min(out_radio[low], out_radio[high]), max(out_radio[low], out_radio[high])
            for t in range(n_transmitters):
                if out_radio[t] == other:
                    out_radio[t] = one
