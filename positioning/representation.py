"""How a power becomes a number that can be compared. Each representation gives a reading a weight >= 0.

With x in dBm and f the survey's floor:
- ``powed``: ((x - f) / 60)^e (Torres-Sospedra et al., Expert Systems with Applications 42, 2015);
- ``rank``: exp(-0.08 j), j the reading's place by power, from 0: blind to a phone's offset and gain;
- ``relative``: (max(x - mean of the three strongest + 40, 0) / 40)^e: blind to a phone's offset.
Each is faded by the reading's age, exp(-age / tau).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from positioning.radio_map import F32, I32, I64, RadioMap, ReadingBatch

Kind = Literal["powed", "rank", "relative"]
_SPAN_DB = 60.0  # sets the unit only: Sørensen distances do not change with it
_RANK_DECAY = 0.08
_RELATIVE_SPAN_DB = 40.0
_DEEPEST_FLOOR_DBM = -105.0
"""No phone receives below it; research sets carry single values under it that would shrink all differences."""


@dataclass(frozen=True, slots=True)
class Representation:
    """One way to weigh readings; ``tau_ms`` is infinite where age is not to matter."""

    kind: Kind
    floor_dbm: float
    exponent: float
    tau_ms: float

    def weigh(self, batch: ReadingBatch) -> F32:
        """The weights of a batch's readings, aligned with its entries."""
        match self.kind:
            case "powed":
                above_db = np.maximum(batch.rssi_dbm - np.float32(self.floor_dbm), np.float32(1.0))
                weight = (above_db * np.float32(1.0 / _SPAN_DB)) ** np.float32(self.exponent)
            case "rank":
                weight = np.exp(np.float32(-_RANK_DECAY) * _ranks(batch))
            case "relative":
                scan = np.repeat(np.arange(batch.n_scans), np.diff(batch.indptr))
                above_db = np.maximum(batch.rssi_dbm - _mean_of_three(batch)[scan] + np.float32(_RELATIVE_SPAN_DB), 0.5)
                weight = (above_db * np.float32(1.0 / _RELATIVE_SPAN_DB)) ** np.float32(self.exponent)
        if np.isfinite(self.tau_ms):
            fade = np.exp(batch.age_ms * np.float32(-1.0 / self.tau_ms))
            weight = np.where(np.isnan(fade), weight, weight * fade)  # no age told: taken as fresh
        out: F32 = weight.astype(np.float32, copy=False)
        return out


def _ranks(batch: ReadingBatch) -> F32:
    """Each reading's place by power within its scan, 0 for the strongest; ties in entry order."""
    scan = np.repeat(np.arange(batch.n_scans), np.diff(batch.indptr))
    order = np.lexsort((-batch.rssi_dbm, scan))
    ranks = np.empty(len(order), dtype=np.float32)
    ranks[order] = np.arange(len(order)) - batch.indptr[:-1][scan]
    return ranks


def _mean_of_three(batch: ReadingBatch) -> F32:
    """The mean power of each scan's three strongest readings (of all, where there are fewer)."""
    strong = _ranks(batch) < 3
    scan = np.repeat(np.arange(batch.n_scans), np.diff(batch.indptr))[strong]
    sums = np.bincount(scan, weights=batch.rssi_dbm[strong], minlength=batch.n_scans)
    counts = np.bincount(scan, minlength=batch.n_scans)
    return (sums / np.maximum(counts, 1)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class MatchIndex:
    """A radio map in its representations: scan -> weights (aligned with its readings) and transmitter -> postings.

    ``m_power`` is (n_entries, n_representations), ``m_sum`` (n_map, n_representations); the postings hold the first.
    """

    representations: tuple[Representation, ...]
    m_power: F32
    m_sum: F32
    p_indptr: I64
    p_scan: I32
    p_power: F32


def weigh_all(representations: tuple[Representation, ...], batch: ReadingBatch) -> F32:
    """(n_entries, n_representations) weights of a batch."""
    return np.ascontiguousarray(np.stack([r.weigh(batch) for r in representations], axis=-1))


def survey_floor_dbm(radio_map: RadioMap) -> float:
    """One dB under the weakest power in the survey, within what phones report."""
    return max(float(radio_map.readings.rssi_dbm.min()) - 1.0, _DEEPEST_FLOOR_DBM)


def build_index(radio_map: RadioMap, representations: tuple[Representation, ...]) -> MatchIndex:
    """Sort the map's entries by transmitter; linear in the readings."""
    readings = radio_map.readings
    power = weigh_all(representations, readings)
    scan = np.repeat(np.arange(readings.n_scans, dtype=np.int32), np.diff(readings.indptr))
    order = np.argsort(readings.transmitter, kind="stable")
    p_indptr = np.zeros(len(radio_map.transmitters) + 1, dtype=np.int64)
    np.cumsum(np.bincount(readings.transmitter, minlength=len(radio_map.transmitters)), out=p_indptr[1:])
    m_sum = np.add.reduceat(power, readings.indptr[:-1], axis=0)  # no scan of a map is empty
    return MatchIndex(representations, power, m_sum, p_indptr, scan[order], np.ascontiguousarray(power[order, 0]))
