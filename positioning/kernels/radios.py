"""Addresses that are one radio: which pairs are heard alike, and readings of one radio made one.

Imports no array names of ``radio_map.py``, which calls this.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_F32 = NDArray[np.float32]
_F64 = NDArray[np.float64]
_I32 = NDArray[np.int32]
_I64 = NDArray[np.int64]


@njit(cache=True, nogil=True)
def compare_pairs(
    indptr: _I64,
    transmitter: _I32,
    rssi_dbm: _F32,
    kind: _I32,
    p_indptr: _I64,
    p_entry: _I64,
    p_scan: _I32,
    least_shared: int,
    least_share: float,
    most_mean_db: float,
    most_sd_db: float,
) -> tuple[_I32, _I32, _F64]:
    """Pairs of transmitters of one kind that are heard alike: both numbers, and the spread in dB, by number.

    Of the scans that hear both, at least ``least_shared`` and ``least_share`` of those that hear the rarer, the
    difference of powers has a mean and a standard deviation of at most so much. Costs the sum of the scans' squared
    lengths.

    Args:
        p_*: transmitter -> (entry, scan) as CSR.
    """
    n_transmitters = len(p_indptr) - 1
    shared = np.zeros(n_transmitters, dtype=np.int64)
    total = np.zeros(n_transmitters)
    squares = np.zeros(n_transmitters)
    one = np.empty(1024, dtype=np.int32)
    other = np.empty(1024, dtype=np.int32)
    spread_db = np.empty(1024)
    n = 0
    for t in range(n_transmitters):
        first, end = p_indptr[t], p_indptr[t + 1]
        if end - first < least_shared:
            continue
        shared[:] = 0
        total[:] = 0.0
        squares[:] = 0.0
        for at in range(first, end):
            x = rssi_dbm[p_entry[at]]
            scan = p_scan[at]
            for j in range(indptr[scan], indptr[scan + 1]):
                u = transmitter[j]
                if u > t:
                    difference = x - rssi_dbm[j]
                    shared[u] += 1
                    total[u] += difference
                    squares[u] += difference * difference
        for u in range(t + 1, n_transmitters):
            rarer = min(end - first, p_indptr[u + 1] - p_indptr[u])
            if shared[u] < least_shared or shared[u] < least_share * rarer or kind[u] != kind[t]:
                continue
            mean_db = total[u] / shared[u]
            sd_db = np.sqrt(max(squares[u] / shared[u] - mean_db * mean_db, 0.0))
            if abs(mean_db) > most_mean_db or sd_db > most_sd_db:
                continue
            if n == len(one):
                one = np.concatenate((one, np.empty_like(one)))
                other = np.concatenate((other, np.empty_like(other)))
                spread_db = np.concatenate((spread_db, np.empty_like(spread_db)))
            one[n], other[n], spread_db[n] = t, u, sd_db
            n += 1
    return one[:n], other[:n], spread_db[:n]


@njit(cache=True, nogil=True)
def merge_readings(indptr: _I64, transmitter: _I32, rssi_dbm: _F32, age_ms: _F32, n_transmitters: int) -> int:
    """One reading a scan and transmitter: the strongest power and the least age; in the order of the first of each.

    In place; returns how many entries are left. NaN ages are of no account beside told ones.
    """
    place = np.full(n_transmitters, -1, dtype=np.int64)
    at = 0
    start = indptr[0]
    indptr[0] = 0
    for i in range(len(indptr) - 1):
        first, stop = at, indptr[i + 1]
        for j in range(start, stop):
            t = transmitter[j]
            before = place[t]
            if before < first:
                place[t] = at
                transmitter[at] = t
                rssi_dbm[at] = rssi_dbm[j]
                age_ms[at] = age_ms[j]
                at += 1
                continue
            rssi_dbm[before] = max(rssi_dbm[before], rssi_dbm[j])
            if age_ms[j] < age_ms[before] or np.isnan(age_ms[before]):
                age_ms[before] = age_ms[j]
        start = stop
        indptr[i + 1] = at
    return at
