"""Inside any store or in a walkway: a survey counted by store and by piece of walkway, and what a scan is more like.

Votes and distances of single survey scans say where a scan is to some three metres, and a walkway is five wide. What
all scans of a store hear, and all scans of the piece of walkway before it, tells the two apart better.
"""

from dataclasses import dataclass

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
    group_radios,
    weigh_inside,
)
from positioning.radio_map import F32, F64, I32, I64, U8, RadioMap, ReadingBatch, take_scans
from positioning.representation import Weighed, Weighing, weigh
from positioning.statistics import Evidence, build_tables, count_stores

CELL_M = 10.0
"""Side of a piece of walkway. Of 6, 8, 10, 12 and 16 the best on six simulated malls (docs/algorithms/confidence.md);
pieces by nearest front were worse."""
_LEAST_SCANS = 50
"""Survey scans of a kind, stores or walkways, under which nothing is counted."""
_EVIDENCE = Evidence(PRESENCE_WEIGHT, MOST_Z)
_N_PARTS = 20
_MOST_GROUPED = 4_000
"""Scans from which radios are told, and transmitters up to which they are."""


@dataclass(frozen=True, slots=True)
class InsideMap:
    """Args:
    column: (n_map,) where each survey scan was counted: its store, or ``n_stores`` + its piece of walkway; -1 none.
    table: (n_columns, n_transmitters, 3) bytes, ``absent`` (n_columns,): of ``kernels/inside.py``.
    radio: (n_transmitters,) the radio that sends each id.
    """

    column: I32
    n_stores: int
    table: U8
    absent: F32
    radio: I32
    tau_ms: float


def build_inside_map(
    radio_map: RadioMap,
    weighing: Weighing,
    m_inside: I32,
    *,
    counted: NDArray[np.bool_] | None = None,
    radio: I32 | None = None,
) -> InsideMap | None:
    """Count a survey by store and piece of walkway; None where it has too few scans of either.

    Args:
        m_inside: (n_map,) the store around each survey scan, -1 for none.
        counted: (n_map,) which survey scans count; all by default.
        radio: of ``find_radios``, where it is known already.
    """
    n_inside = int((m_inside >= 0).sum())
    if min(n_inside, len(m_inside) - n_inside) < _LEAST_SCANS:
        return None
    column, n_columns = number_columns(radio_map, m_inside)
    n_stores = int(m_inside.max()) + 1
    of_counted = column if counted is None else np.where(counted, column, -1).astype(np.int32)
    statistics = count_stores(radio_map.readings, of_counted, len(radio_map.transmitters), n_columns, weighing.tau_ms)
    epochs = radio_map.epochs
    if epochs is None:
        tables = build_tables(statistics, _EVIDENCE)
    else:
        tables = build_epoch_tables(statistics, epochs, of_counted, _EVIDENCE)
    table = np.empty((n_columns, len(radio_map.transmitters), N_TABLE), dtype=np.uint8)
    for at, part in ((MEAN, tables.mean), (PRECISION, tables.precision), (GAIN, tables.gain)):
        table[:, :, at] = part.T
    radio = find_radios(radio_map) if radio is None else radio
    return InsideMap(column, n_stores, table, tables.absent, radio, weighing.tau_ms)


def find_radios(radio_map: RadioMap) -> I32:
    """(n_transmitters,) the radio that sends each id; an access point names several networks by as many ids."""
    n_transmitters = len(radio_map.transmitters)
    radio = np.arange(n_transmitters, dtype=np.int32)
    readings = radio_map.readings
    if n_transmitters <= _MOST_GROUPED:
        every = max(1, readings.n_scans // _MOST_GROUPED)
        group_radios(readings.indptr, readings.transmitter, readings.rssi_dbm, every, radio)
    return radio


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
    radio = find_radios(radio_map)
    _, number = np.unique(group, return_inverse=True)
    part = number.ravel() % _N_PARTS
    for held in np.unique(part[asked]):
        inside = build_inside_map(radio_map, weighing, m_inside, counted=part != held, radio=radio)
        if inside is None:
            break
        at = np.flatnonzero(part[asked] == held)
        of_part = take_scans(batch, at)
        out[at] = inside_odds(inside, of_part, weigh(weighing, of_part), index[at])
    return out


def inside_odds(inside: InsideMap | None, batch: ReadingBatch, asked: Weighed, index: I32) -> F64:
    """(n, 2): log odds of being inside any store, and the phone's offset in units of 6 dB; 0 where unknown.

    A quiet phone in a walkway hears it as others hear the store beside it: neighbours say inside too often, and the
    offset says by how much.

    Args:
        asked: the scans as weights; what they leave out counts as not heard.
        index: (n, n_short) their neighbours on the map, -1 for none.
    """
    out = np.zeros((batch.n_scans, 2))
    if inside is not None:
        weigh_inside(
            batch.indptr,
            batch.transmitter,
            batch.rssi_dbm,
            batch.age_ms,
            asked.indptr,
            asked.transmitter,
            index,
            1.0 / inside.tau_ms,
            inside.column,
            inside.n_stores,
            inside.table,
            inside.absent,
            inside.radio,
            out,
        )
    return out
