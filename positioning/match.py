"""Scans in, their nearest survey scans out: the arrays laid out for the kernel."""

import numpy as np

from positioning.kernels.neighbours import find_neighbours
from positioning.radio_map import F32, I32, RadioMap, ReadingBatch
from positioning.representation import MatchIndex, weigh_all

COVER = 0.9
N_SHORT = 64


def match(
    radio_map: RadioMap,
    index: MatchIndex,
    batch: ReadingBatch,
    *,
    walk: I32 | None = None,
    n_short: int = N_SHORT,
    cover: float = COVER,
) -> tuple[I32, F32]:
    """The nearest survey scans of each scan: (n, n_short) indices, -1 for none, and
    (n, n_short, n_representations) Sørensen distances.

    Args:
        walk: (n,) number of the survey walk each scan must not be compared with, for held-out answers.
    """
    n_scans = batch.n_scans
    out_index = np.empty((n_scans, n_short), dtype=np.int32)
    out_distance = np.empty((n_scans, n_short, len(index.representations)), dtype=np.float32)
    find_neighbours(
        batch.indptr,
        batch.transmitter,
        weigh_all(index.representations, batch),
        np.full(n_scans, -1, dtype=np.int32) if walk is None else walk,
        index.p_indptr,
        index.p_scan,
        index.p_power,
        radio_map.readings.indptr,
        radio_map.readings.transmitter,
        index.m_power,
        index.m_sum,
        radio_map.walk,
        cover,
        out_index,
        out_distance,
    )
    return out_index, out_distance
