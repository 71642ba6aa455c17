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

from positioning.kernels.neighbours import BLOCK, MOST_STEPS, SurveyArrays, pack_all
from positioning.kernels.stores import DB_STEP, SHARE_STEP
from positioning.kernels.weigh import N_WEIGHTS, POWED, RANK, RELATIVE, Weighed, WeighingArrays, weigh_readings
from positioning.radio_map import U8, RadioMap, ReadingBatch
from positioning.steps import to_bytes

Kind = Literal["powed", "rank", "relative"]
_KIND_NUMBER = {"powed": POWED, "rank": RANK, "relative": RELATIVE}
_MOST_TRANSMITTERS = 1 << 16
_SATURATED_FROM = 0.999
"""Share of the survey's weights that a byte of a block tells apart; those above look alike to the shortlist alone."""
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

    @property
    def arrays(self) -> WeighingArrays:
        """The weighing for the kernels."""
        return WeighingArrays(
            kind=np.array([_KIND_NUMBER[r.kind] for r in self.representations], dtype=np.int32),
            exponent=np.array([r.exponent for r in self.representations], dtype=np.float32),
            floor_dbm=float(self.floor_dbm),
            rate_per_ms=1.0 / float(self.tau_ms),
            max_kept=int(self.max_kept),
        )


@dataclass(frozen=True, slots=True)
class MatchIndex:
    """A survey as weights, and how they were made; ``dbm`` and ``fade`` are the power and the freshness of each entry
    of ``survey``, in steps of ``DB_STEP`` below 0 dBm and of ``SHARE_STEP``."""

    weighing: Weighing
    survey: SurveyArrays
    dbm: U8
    fade: U8


def weigh(weighing: Weighing, batch: ReadingBatch) -> Weighed:
    """The scans' weights; linear in the readings but for their order."""
    n_entries = len(batch.transmitter)
    out = Weighed(
        indptr=np.empty(batch.n_scans + 1, dtype=np.int64),
        transmitter=np.empty(n_entries, dtype=np.int32),
        weight=np.empty((n_entries, N_WEIGHTS), dtype=np.float32),
        total=np.empty((batch.n_scans, N_WEIGHTS), dtype=np.float32),
        dbm=np.empty(n_entries, dtype=np.float32),
        fade=np.empty(n_entries, dtype=np.float32),
    )
    weigh_readings(batch.indptr, batch.transmitter, batch.rssi_dbm, batch.age_ms, weighing.arrays, out)
    n_kept = int(out.indptr[-1])
    return out._replace(
        transmitter=out.transmitter[:n_kept], weight=out.weight[:n_kept], dbm=out.dbm[:n_kept], fade=out.fade[:n_kept]
    )


def survey_floor_dbm(radio_map: RadioMap) -> float:
    """One dB under the weakest power in the survey, within what phones report."""
    return max(float(radio_map.readings.rssi_dbm.min()) - 1.0, _DEEPEST_FLOOR_DBM)


def build_index(radio_map: RadioMap, weighing: Weighing) -> MatchIndex:
    """Weigh the survey, in steps, and lay its first weights out in blocks of scans.

    Raises:
        ValueError: the map has more transmitters than two bytes number.
    """
    n_transmitters = len(radio_map.transmitters)
    if n_transmitters > _MOST_TRANSMITTERS:
        raise ValueError(f"expected at most {_MOST_TRANSMITTERS} transmitters, found {n_transmitters}")
    survey = weigh(weighing, radio_map.readings)
    first_scan = np.array([0, radio_map.n_scans]) if radio_map.epochs is None else radio_map.epochs.first
    n_blocks = -(-np.diff(first_scan) // BLOCK)  # each epoch begins a block
    first_block = np.concatenate([[0], np.cumsum(n_blocks)])
    epoch_of_block = np.repeat(np.arange(len(n_blocks), dtype=np.int32), n_blocks)
    shift = first_block[:-1] * BLOCK - first_scan[:-1]
    shift_of_scan = np.repeat(shift, np.diff(first_scan))
    step = np.float32(max(float(survey.weight.max(initial=0.0)), 1e-6) / MOST_STEPS)
    packed = pack_all(survey.weight, step)
    row = np.repeat(np.arange(radio_map.n_scans), np.diff(survey.indptr))
    total = np.zeros((radio_map.n_scans, N_WEIGHTS), dtype=np.float32)
    for r in range(N_WEIGHTS):
        of_column = (packed >> np.uint64(16 * r)) & np.uint64(0xFFFF)
        total[:, r] = np.bincount(row, weights=of_column * float(step), minlength=radio_map.n_scans)
    slot_total = np.full(int(first_block[-1]) * BLOCK, np.inf, dtype=np.float32)
    slot_total[np.arange(radio_map.n_scans) + shift_of_scan] = total[:, 0]
    heaviest = float(np.quantile(survey.weight[:, 0], _SATURATED_FROM)) if len(survey.weight) else 1.0
    per_step = np.float32(255.0 / max(heaviest, 1e-6))
    byte = np.clip(np.rint(survey.weight[:, 0] * per_step), 1, 255).astype(np.uint8)
    slot = row + shift_of_scan[row]
    transmitter = survey.transmitter.astype(np.int64)
    key, at = np.unique(transmitter * max(int(first_block[-1]), 1) + slot // BLOCK, return_inverse=True)
    block_weight = np.zeros((len(key), BLOCK), dtype=np.uint8)
    block_weight[at, slot % BLOCK] = byte
    block_indptr = np.zeros(n_transmitters + 1, dtype=np.int64)
    of_transmitter = key // max(int(first_block[-1]), 1)
    np.cumsum(np.bincount(of_transmitter, minlength=n_transmitters), out=block_indptr[1:])
    return MatchIndex(
        weighing,
        SurveyArrays(
            block_indptr=block_indptr,
            block=(key % max(int(first_block[-1]), 1)).astype(np.int32),
            block_weight=block_weight,
            per_step=per_step,
            epoch_of_block=epoch_of_block,
            shift=shift.astype(np.int64),
            slot_total=slot_total,
            indptr=survey.indptr,
            transmitter=survey.transmitter.astype(np.uint16),
            packed=packed,
            step=step,
            total=total,
        ),
        dbm=to_bytes(-survey.dbm, DB_STEP),
        fade=to_bytes(survey.fade, SHARE_STEP),
    )
