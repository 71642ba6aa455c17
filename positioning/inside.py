"""Inside any store or in a walkway: a survey counted by store and by piece of walkway, and what a scan is more like.

Votes and distances of single survey scans say where a scan is to some three metres, and a walkway is five wide. What
all scans of a store hear, and all scans of the piece of walkway before it, tells the two apart better.
"""

import numpy as np
from numpy.typing import NDArray

from positioning.epoch_tables import build_epoch_tables
from positioning.kernels.inside import (
    GAIN,
    MEAN,
    MOST_Z,
    N_TABLE,
    PRECISION,
    PRESENCE_WEIGHT,
    InsideArrays,
    weigh_inside,
)
from positioning.kernels.weigh import Weighed
from positioning.radio_map import F64, I32, I64, RadioMap, ReadingBatch, take_scans
from positioning.representation import Weighing, weigh
from positioning.statistics import Evidence, build_tables, count_stores

CELL_M = 10.0
"""Side of a piece of walkway. Of 6, 8, 10, 12 and 16 the best on six simulated malls (docs/algorithms/confidence.md);
pieces by nearest front were worse."""
_LEAST_SCANS = 50
"""Survey scans of a kind, stores or walkways, under which nothing is counted."""
_EVIDENCE = Evidence(PRESENCE_WEIGHT, MOST_Z)
_N_PARTS = 20


def build_inside_map(
    radio_map: RadioMap,
    weighing: Weighing,
    m_inside: I32,
    *,
    counted: NDArray[np.bool_] | None = None,
) -> InsideArrays:
    """Count a survey by store and piece of walkway; no columns where it has too few scans of either.

    Args:
        m_inside: (n_map,) the store around each survey scan, -1 for none.
        counted: (n_map,) which survey scans count; all by default.
    """
    n_inside = int((m_inside >= 0).sum())
    n_transmitters = len(radio_map.transmitters)
    if min(n_inside, len(m_inside) - n_inside) < _LEAST_SCANS:
        none = np.full(radio_map.n_scans, -1, dtype=np.int32)
        empty = np.empty((0, n_transmitters, N_TABLE), dtype=np.uint8)
        return InsideArrays(none, 0, empty, np.empty(0, dtype=np.float32))
    column, n_columns = number_columns(radio_map, m_inside)
    n_stores = int(m_inside.max()) + 1
    of_counted = column if counted is None else np.where(counted, column, -1).astype(np.int32)
    statistics = count_stores(radio_map.readings, of_counted, n_transmitters, n_columns, weighing.tau_ms)
    epochs = radio_map.epochs
    if epochs is None:
        tables = build_tables(statistics, _EVIDENCE)
    else:
        tables = build_epoch_tables(statistics, epochs, of_counted, _EVIDENCE)
    table = np.empty((n_columns, n_transmitters, N_TABLE), dtype=np.uint8)
    for at, part in ((MEAN, tables.mean), (PRECISION, tables.precision), (GAIN, tables.gain)):
        table[:, :, at] = part.T
    return InsideArrays(column, n_stores, table, tables.absent)


def number_columns(radio_map: RadioMap, m_inside: I32) -> tuple[I32, int]:
    """(n_map,) the column of each survey scan, and how many there are: the stores, then squares of walkway by level."""
    walkway = np.flatnonzero(m_inside < 0)
    square = np.floor(radio_map.xy_m[walkway] / CELL_M).astype(np.int64)
    cell, of_scan = np.unique(np.column_stack([radio_map.level[walkway], square]), axis=0, return_inverse=True)
    n_stores = int(m_inside.max(initial=-1)) + 1
    column = m_inside.astype(np.int32)
    column[walkway] = n_stores + of_scan.ravel()
    return column, n_stores + len(cell)


def inside_odds_held_out(
    radio_map: RadioMap, weighing: Weighing, m_inside: I32, asked: I64, batch: ReadingBatch, group: I32, index: I32
) -> F64:
    """The same as ``inside_odds`` for survey scans, each without what its twentieth of the groups counted.

    Args:
        asked: (n,) their places on the map; ``batch`` may be what is left of them (``damage.py``).
        group: (n_map,) what is held out together.
    """
    out = np.zeros((len(asked), 2))
    _, number = np.unique(group, return_inverse=True)
    part = number.ravel() % _N_PARTS
    for held in np.unique(part[asked]):
        inside = build_inside_map(radio_map, weighing, m_inside, counted=part != held)
        at = np.flatnonzero(part[asked] == held)
        of_part = take_scans(batch, at)
        out[at] = inside_odds(inside, weigh(weighing, of_part), index[at])
    return out


def inside_odds(inside: InsideArrays, asked: Weighed, index: I32) -> F64:
    """(n, 2): log odds of being inside any store, and the phone's offset in units of 6 dB; 0 where unknown.

    A quiet phone in a walkway hears it as others hear the store beside it: neighbours say inside too often, and the
    offset says by how much.

    Args:
        index: (n, n_short) the scans' neighbours on the map, -1 for none.
    """
    out = np.empty((len(index), 2))
    weigh_inside(asked, index, inside, out)
    return out
