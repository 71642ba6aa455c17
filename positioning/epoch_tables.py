"""The tables by store of a healed survey: each transmitter counts over the scans since its birth.

A store without a scan since then knows nothing of the transmitter. Of such a pair, hearing nothing is as likely as it
is on average in the stores that do know, so are the shares; a power that was heard is drawn from all powers there are.
"""

from dataclasses import replace

import numpy as np

from positioning.epochs import Epochs
from positioning.kernels.stores import NEVER
from positioning.radio_map import F32, I32
from positioning.statistics import OF_STORES, DerivedTables, Evidence, StoreStatistics, StoreTables, derive, pack_tables

UNKNOWN_SD_DB = 10.0
"""Spread of a reading's power where nothing is known of the transmitter: that of all readings of a survey."""


def build_epoch_tables(
    counted: StoreStatistics, epochs: Epochs, store: I32, evidence: Evidence = OF_STORES
) -> StoreTables:
    """As ``statistics.build_tables``, epoch by epoch.

    Args:
        store: (n_map,) the store of each scan that was counted, -1 for none.
    """
    n_stores = len(counted.exposure)
    since = exposure_since(epochs, store, n_stores)
    absent = np.zeros(n_stores, dtype=np.float32)
    shape = counted.detections.shape
    mean_dbm, precision, gain, rate, share, top_share = (np.empty(shape, dtype=np.float32) for _ in range(6))
    for epoch in np.unique(epochs.born).tolist():
        at = np.flatnonzero(epochs.born == epoch)
        part = derive(
            replace(
                counted,
                exposure=since[epoch],
                detections=counted.detections[at],
                total_dbm=counted.total_dbm[at],
                squares_dbm2=counted.squares_dbm2[at],
                highest_dbm=counted.highest_dbm[at],
                strongest=counted.strongest[at],
            ),
            evidence,
        )
        if epoch > 0:
            _fill_unknown(part, (since[epoch] <= 0) & (counted.exposure > 0), evidence)
        absent += np.where(part.absent > NEVER, part.absent, 0.0)
        mean_dbm[at], precision[at], gain[at] = part.mean_dbm, part.precision, part.gain
        rate[at], share[at], top_share[at] = part.rate, part.share, part.top_share
    return pack_tables(
        DerivedTables(
            counted.exposure,
            mean_dbm,
            precision,
            gain,
            np.where(counted.exposure > 0, absent, NEVER).astype(np.float32),
            rate,
            share,
            top_share,
            counted.highest_dbm,
            counted.tau_ms,
        )
    )


def exposure_since(epochs: Epochs, store: I32, n_stores: int) -> F32:
    """(n_epochs, n_stores): scans of each store in this epoch and after."""
    of_scan = epochs.of_scans()
    counts = np.zeros((epochs.n_epochs, n_stores))
    at = store >= 0
    np.add.at(counts, (of_scan[at], store[at]), 1.0)
    since: F32 = counts[::-1].cumsum(axis=0)[::-1].astype(np.float32)
    return since


def _fill_unknown(part: DerivedTables, is_unknown: np.ndarray, evidence: Evidence) -> None:
    """Overwrite the columns of stores that know nothing of these transmitters."""
    known = part.exposure > 0
    if not known.any() or not is_unknown.any():
        return
    part.absent[is_unknown] = part.absent[known].mean()
    for table in (part.rate, part.share, part.top_share):
        table[:, is_unknown] = table[:, known].mean(axis=1)[:, None]
    p = np.clip(part.rate[:, known].mean(axis=1), 0.003, 0.97)
    gain = -np.log(UNKNOWN_SD_DB) - 0.5 + evidence.presence_weight * (np.log(p) - np.log(1.0 - p))
    part.gain[:, is_unknown] = gain[:, None]
