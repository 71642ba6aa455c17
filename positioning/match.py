"""Scans in, their nearest survey scans out: the arrays laid out for the kernel."""

import numpy as np

from positioning.kernels.neighbours import find_neighbours, total_by_epoch
from positioning.kernels.weigh import N_WEIGHTS, Weighed
from positioning.radio_map import F32, I32, RadioMap, ReadingBatch
from positioning.representation import MatchIndex, weigh


def match(
    radio_map: RadioMap,
    index: MatchIndex,
    batch: ReadingBatch,
    *,
    n_short: int,
    cover: float,
    walk: I32 | None = None,
) -> tuple[I32, F32]:
    """The nearest survey scans of each scan: (n, n_short) indices, -1 for none, and
    (n, n_short, n_representations) Sørensen distances.

    Args:
        n_short: survey scans in the shortlist, which are measured with all readings in every representation.
        cover: share of a scan's weight that chooses the shortlist, its heaviest readings first; 1 for an exact search.
        walk: (n,) number of the survey walk each scan must not be compared with, for held-out answers.
    """
    return match_weighed(radio_map, index, weigh(index.weighing, batch), n_short=n_short, cover=cover, walk=walk)


def match_weighed(
    radio_map: RadioMap,
    index: MatchIndex,
    asked: Weighed,
    *,
    n_short: int,
    cover: float,
    walk: I32 | None = None,
) -> tuple[I32, F32]:
    """The same for scans that are weighed already, with the index's weighing."""
    n_scans = len(asked.total)
    out_index = np.empty((n_scans, n_short), dtype=np.int32)
    out_distance = np.empty((n_scans, n_short, len(index.weighing.representations)), dtype=np.float32)
    total = np.empty((n_scans, len(index.survey.shift), N_WEIGHTS), dtype=np.float32)
    total_by_epoch(asked, radio_map.born, total)
    forbidden = np.full(n_scans, -1, dtype=np.int32) if walk is None else walk
    find_neighbours(asked, total, forbidden, index.survey, radio_map.walk, cover, out_index, out_distance)
    return out_index, out_distance
