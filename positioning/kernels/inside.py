"""Naive Bayes between the stores and the walkways round a scan: is it inside any store?"""

from typing import NamedTuple

import numpy as np
from numba import njit

from positioning.kernels.stores import DB_STEP, GAIN_LEAST, GAIN_STEP, NEVER, OFFSET_SD_DB, PRECISION_STEP
from positioning.kernels.weigh import Weighed
from positioning.radio_map import F32, F64, I32, U8

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


class InsideArrays(NamedTuple):
    """A survey by store and piece of walkway.

    Args:
        column: (n_map,) where each survey scan was counted: its store, or ``n_stores`` + its piece of walkway; -1 none.
        table: (n_columns, n_transmitters, 3) bytes.
        absent: (n_columns,), ``NEVER`` where nothing was counted.
    """

    column: I32
    n_stores: int
    table: U8
    absent: F32


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def weigh_inside(asked: Weighed, index: I32, inside_map: InsideArrays, out: F64) -> None:  # noqa: PLR0912, PLR0915
    """Log odds of all store columns against all walkway columns that the neighbours are of, and the phone's offset.

    The likelihood of a column is that of ``kernels/stores.weigh_stores``: Gaussian, the phone's unknown offset
    integrated out. Only the columns of the shortlist are looked at, some seven of two hundred; on six simulated malls
    all of them said no more.

    Args:
        asked: the scans as weights; what they leave out counts as not heard.
        index: (n, n_short) neighbours, -1 for none.
        out: (n, 2): the odds, and the offset that the likeliest column thinks the phone has, in standard deviations of
            phones; 0 where no neighbour has a column.
    """
    m_column, n_stores, table, absent = inside_map.column, inside_map.n_stores, inside_map.table, inside_map.absent
    n_columns = table.shape[0]
    seen = np.full(n_columns, -1, dtype=np.int64)
    column = np.empty(n_columns, dtype=np.int32)
    score = np.empty(n_columns, dtype=np.float64)
    inverse = np.float32(1.0 / OFFSET_SD_DB**2)
    spread = np.float32(OFFSET_SD_DB**2)
    most, half, one = np.float32(MOST_Z), np.float32(0.5), np.float32(1.0)
    for i in range(len(index)):
        n = 0
        for c in range(index.shape[1]):
            if index[i, c] < 0:
                break
            at = m_column[index[i, c]]
            if at >= 0 and seen[at] != i and absent[at] > half * NEVER:
                seen[at] = i
                column[n] = at
                n += 1
        start, stop = asked.indptr[i], asked.indptr[i + 1]
        n_kept = stop - start
        transmitter, x, fade = asked.transmitter[start:stop], asked.dbm[start:stop], asked.fade[start:stop]
        best = -np.inf
        out[i, OFFSET] = 0.0
        for k in range(n):
            of_column = table[column[k]]
            sum_w, sum_wr = np.float32(0.0), np.float32(0.0)
            for j in range(min(n_kept, N_OFFSET)):
                t = np.uint64(transmitter[j])
                w = fade[j] * PRECISION_STEP * np.float32(of_column[t, PRECISION])
                sum_w += w
                sum_wr += w * (x[j] + DB_STEP * np.float32(of_column[t, MEAN]))
            d = sum_wr / (sum_w + inverse)
            likelihood = absent[column[k]] - half * d * d * inverse - half * np.log(one + spread * sum_w)
            for j in range(n_kept):
                t = np.uint64(transmitter[j])
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
