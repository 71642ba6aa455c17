"""How a power becomes a number that can be compared. Each representation gives a reading a weight >= 0.

With x in dBm and f the survey's floor:
- ``powed``: (max(x - f, 1) / 60)^e (Torres-Sospedra et al., Expert Systems with Applications 42, 2015);
- ``rank``: exp(-0.08 j), j the reading's place among the scan's by weight, from 0: blind to a phone's gain;
- ``relative``: (max(x - mean of the three strongest + 40, 0.5) / 40)^e: blind to a phone's offset.
Each is faded by the reading's age, exp(-age / tau). Only a scan's heaviest readings are kept, on both sides.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from positioning.kernels.weigh import N_WEIGHTS, POWED, RANK, RELATIVE, weigh_readings
from positioning.radio_map import F32, I32, I64, RadioMap, ReadingBatch

Kind = Literal["powed", "rank", "relative"]
_KIND_NUMBER = {"powed": POWED, "rank": RANK, "relative": RELATIVE}
_RANK_DECAY = 0.08
_RELATIVE_SPAN_DB = 40.0
_DEEPEST_FLOOR_DBM = -105.0
"""No phone receives below it; research sets carry single values under it that would shrink all differences."""


@dataclass(frozen=True, slots=True)
class Representation:
    """One way to weigh readings; ``exponent`` counts for powed and relative."""

    kind: Kind
    exponent: float


REPRESENTATIONS = (
    Representation("powed", float(np.e)),
    Representation("powed", 1.6),
    Representation("rank", 1.0),
    Representation("relative", 1.5),
)
"""Those that may vote at a venue (``choose.py``), and whose distances the full locator looks at everywhere."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """The representations of a model, 1 to 4, the first powed; a scan's ``max_kept`` heaviest readings in it count.

    ``tau_ms`` is infinite where age is not to matter.
    """

    representations: tuple[Representation, ...]
    floor_dbm: float
    tau_ms: float
    max_kept: int

    def __post_init__(self) -> None:
        if not 1 <= len(self.representations) <= N_WEIGHTS or self.representations[0].kind != "powed":
            raise ValueError(f"expected 1 to {N_WEIGHTS} representations, the first powed: {self.representations}")


@dataclass(frozen=True, slots=True)
class Weighed:
    """Scans as weights: CSR entries, heaviest first, ``weight`` (n_entries, 4) and ``total`` (n, 4) their sums."""

    indptr: I64
    transmitter: I32
    weight: F32
    total: F32


@dataclass(frozen=True, slots=True)
class MatchIndex:
    """A survey as weights, by scan and (first representation only) by transmitter."""

    weighing: Weighing
    survey: Weighed
    p_indptr: I64
    p_scan: I32
    p_weight: F32


def weigh(weighing: Weighing, batch: ReadingBatch) -> Weighed:
    """The scans' weights; linear in the readings but for their order."""
    n_entries = len(batch.transmitter)
    indptr = np.empty(batch.n_scans + 1, dtype=np.int64)
    transmitter = np.empty(n_entries, dtype=np.int32)
    weight = np.empty((n_entries, N_WEIGHTS), dtype=np.float32)
    total = np.empty((batch.n_scans, N_WEIGHTS), dtype=np.float32)
    weigh_readings(
        batch.indptr,
        batch.transmitter,
        batch.rssi_dbm,
        batch.age_ms,
        np.array([_KIND_NUMBER[r.kind] for r in weighing.representations], dtype=np.int32),
        np.array([r.exponent for r in weighing.representations], dtype=np.float32),
        weighing.floor_dbm,
        1.0 / weighing.tau_ms,
        _RANK_DECAY,
        _RELATIVE_SPAN_DB,
        weighing.max_kept,
        indptr,
        transmitter,
        weight,
        total,
    )
    n_kept = int(indptr[-1])
    return Weighed(indptr, transmitter[:n_kept], weight[:n_kept], total)


def survey_floor_dbm(radio_map: RadioMap) -> float:
    """One dB under the weakest power in the survey, within what phones report."""
    return max(float(radio_map.readings.rssi_dbm.min()) - 1.0, _DEEPEST_FLOOR_DBM)


def build_index(radio_map: RadioMap, weighing: Weighing) -> MatchIndex:
    """Weigh the survey and sort its entries by transmitter."""
    survey = weigh(weighing, radio_map.readings)
    scan = np.repeat(np.arange(radio_map.n_scans, dtype=np.int32), np.diff(survey.indptr))
    order = np.argsort(survey.transmitter, kind="stable")
    p_indptr = np.zeros(len(radio_map.transmitters) + 1, dtype=np.int64)
    np.cumsum(np.bincount(survey.transmitter, minlength=len(radio_map.transmitters)), out=p_indptr[1:])
    return MatchIndex(weighing, survey, p_indptr, scan[order], np.ascontiguousarray(survey.weight[order, 0]))
