"""A survey by store: all that candidates and pair features are made from. Nothing in it is fitted."""

from dataclasses import dataclass

import numpy as np

from fingerprints.transmitters import is_beacon
from positioning.epoch_tables import build_epoch_tables
from positioning.kernels.pairs import MEAN_AT, RATE_AT, PairArrays
from positioning.kernels.stores import SHARE_STEP
from positioning.model import Settings
from positioning.radio_map import I32, I64, RadioMap
from positioning.representation import REPRESENTATIONS, MatchIndex, build_index
from positioning.statistics import StoreTables, build_tables, count_stores

_EXPECTED_RATE = 0.6
"""Share of a store's scans from which a transmitter is expected there."""


@dataclass(frozen=True, slots=True)
class StoreMap:
    """Args:
    tables: naive Bayes and the shares of each store and transmitter.
    index: the survey in all representations (``Settings.measured``).
    voting: the columns of its distances that vote.
    pairs: what the pair features look at.
    """

    tables: StoreTables
    index: MatchIndex
    voting: I64
    pairs: PairArrays


def build_store_map(
    radio_map: RadioMap,
    settings: Settings,
    m_store: I32,
    n_stores: int,
    *,
    index: MatchIndex | None = None,
    counted: np.ndarray | None = None,
) -> StoreMap:
    """Count the survey by store.

    Args:
        index: of the same map and settings, where it is there already.
        counted: (n_map,) which survey scans count; all by default.
    """
    store = m_store if counted is None else np.where(counted, m_store, -1).astype(np.int32)
    n_transmitters = len(radio_map.transmitters)
    statistics = count_stores(radio_map.readings, store, n_transmitters, n_stores, settings.weighing.tau_ms)
    epochs = radio_map.epochs
    tables = build_tables(statistics) if epochs is None else build_epoch_tables(statistics, epochs, store)
    expected_store, expected = np.nonzero((tables.cell[:, :, RATE_AT] * SHARE_STEP > _EXPECTED_RATE).T)
    indptr = np.zeros(n_stores + 1, dtype=np.int64)
    np.cumsum(np.bincount(expected_store, minlength=n_stores), out=indptr[1:])
    at = store >= 0
    scans = np.bincount(store[at], minlength=n_stores)
    some = np.maximum(scans, 1)
    centre = [np.bincount(store[at], weights=radio_map.xy_m[at, axis], minlength=n_stores) / some for axis in (0, 1)]
    of_level = np.zeros((n_stores, len(radio_map.levels)))
    np.add.at(of_level, (store[at], radio_map.level[at]), 1.0)
    measured = settings.measured.representations
    index = build_index(radio_map, settings.measured) if index is None else index
    return StoreMap(
        tables=tables,
        index=index,
        voting=settings.voting,
        pairs=PairArrays(
            exposure=tables.exposure,
            cell=tables.cell,
            expected_indptr=indptr,
            expected=expected.astype(np.int32),
            expected_mean=tables.cell[expected, expected_store, MEAN_AT],
            expected_rate=tables.cell[expected, expected_store, RATE_AT],
            centre_xy_m=np.where(scans[:, None] > 0, np.stack(centre, axis=-1), np.nan),
            store_level=np.where(scans > 0, of_level.argmax(axis=1), -1).astype(np.int32),
            is_beacon=np.array([is_beacon(t) for t in radio_map.transmitters], dtype=np.uint8),
            columns=np.array([measured.index(r) for r in REPRESENTATIONS[1:]], dtype=np.int32),
            m_store=m_store,
            m_level=radio_map.level,
            n_levels=len(radio_map.levels),
            dbm=index.dbm,
            fade=index.fade,
        ),
    )
