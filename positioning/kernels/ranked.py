"""The ranker's scores joined with what speaks for each store in the light locator."""

import numpy as np
from numba import njit

from positioning.kernels.fronts import N_FEATURES, describe_fronts
from positioning.radio_map import F32, F64, I32

_UNRANKED_BEHIND = 4.0
_UNRANKED_STEP = 0.5
_FARTHEST_M = 40.0
"""A front farther from the place, or on another level, counts as this far."""


@njit(cache=True, nogil=True)
def describe_ranked(
    store: I32,
    n_described: I32,
    score: F32,
    front_m: F64,
    accuracy_m: F64,
    index: I32,
    weight: F32,
    m_front: I32,
    m_inside: I32,
    n_stores: int,
    out: F64,
    out_inside_share: F64,
) -> None:
    """(n, n_candidates, 7): the ranker's score, and the six features of ``describe_fronts``.

    A candidate that the ranker did not look at stands behind all that it did, in their order.
    """
    n, n_candidates = store.shape
    feature = np.empty((n, n_candidates, N_FEATURES))
    distance_m = np.minimum(front_m, _FARTHEST_M)
    describe_fronts(
        store, distance_m, accuracy_m, index, weight, m_front, m_inside, n_stores, feature, out_inside_share
    )
    for i in range(n):
        lowest = np.float32(np.inf)
        for c in range(n_described[i]):
            lowest = min(lowest, score[i, c])
        has_map = False
        for c in range(n_candidates):
            has_map = has_map or distance_m[i, c] < _FARTHEST_M
            behind = lowest - _UNRANKED_BEHIND - _UNRANKED_STEP * (c - n_described[i])
            out[i, c, 0] = score[i, c] if c < n_described[i] else behind if store[i, c] >= 0 else 0.0
            out[i, c, 1:] = feature[i, c]
        if not has_map:
            out[i, :, 1] = 0.0  # without a map no front is the nearest
