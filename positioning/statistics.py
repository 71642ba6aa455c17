"""What a survey says of each store and transmitter, in counts alone: nothing is fitted.

Adding scans is adding counts, so a survey can grow, or lose a part, without being read again.
"""

from dataclasses import dataclass

import numpy as np

from positioning.kernels.pairs import HIGHEST_AT, MEAN_AT, N_CELL, RATE_AT, SHARE_AT, TOP_SHARE_AT
from positioning.kernels.stores import (
    DB_STEP,
    GAIN_LEAST,
    GAIN_STEP,
    MOST_Z,
    NEVER_HEARD,
    PRECISION_STEP,
    PRESENCE_WEIGHT,
    SHARE_STEP,
    BayesArrays,
    count_scans,
    derive_tables,
    weigh_stores,
)
from positioning.kernels.weigh import Weighed
from positioning.radio_map import F32, I32, U8, ReadingBatch
from positioning.steps import to_bytes

_NEVER_DBM = -200.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What naive Bayes makes of counts: the weight of what is heard at all, and the bound of a squared deviation."""

    presence_weight: float = PRESENCE_WEIGHT
    most_z: float = MOST_Z


OF_STORES = Evidence()


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """Counts of each store, (n_stores,), and of each transmitter in it, (n_transmitters, n_stores).

    Args:
        exposure: scans taken in or before the store.
        detections: of those, how many heard the transmitter, each counting as the reading's freshness.
        total_dbm, squares_dbm2: sums of its powers and of their squares, likewise.
        highest_dbm: its greatest power; -200 where never heard.
        strongest: scans in which it was the strongest.
        tau_ms: time constant of a reading's freshness.
    """

    exposure: F32
    detections: F32
    total_dbm: F32
    squares_dbm2: F32
    highest_dbm: F32
    strongest: F32
    tau_ms: float


def no_statistics(n_transmitters: int, n_stores: int, tau_ms: float) -> StoreStatistics:
    """Nothing counted yet."""
    shape = (n_transmitters, n_stores)
    return StoreStatistics(
        exposure=np.zeros(n_stores, dtype=np.float32),
        detections=np.zeros(shape, dtype=np.float32),
        total_dbm=np.zeros(shape, dtype=np.float32),
        squares_dbm2=np.zeros(shape, dtype=np.float32),
        highest_dbm=np.full(shape, _NEVER_DBM, dtype=np.float32),
        strongest=np.zeros(shape, dtype=np.float32),
        tau_ms=tau_ms,
    )


def count_stores(
    readings: ReadingBatch, store: I32, n_transmitters: int, n_stores: int, tau_ms: float
) -> StoreStatistics:
    """Count scans by store: ``store`` (n_scans,), -1 for those of none."""
    counted = no_statistics(n_transmitters, n_stores, tau_ms)
    count_scans(
        readings.indptr,
        readings.transmitter,
        readings.rssi_dbm,
        readings.age_ms,
        store,
        1.0 / tau_ms,
        counted.exposure,
        counted.detections,
        counted.total_dbm,
        counted.squares_dbm2,
        counted.highest_dbm,
        counted.strongest,
    )
    return counted


def add_statistics(one: StoreStatistics, other: StoreStatistics) -> StoreStatistics:
    """The counts of both together; transmitters, stores and freshness must be the same."""
    if one.detections.shape != other.detections.shape or one.tau_ms != other.tau_ms:
        raise ValueError(
            f"expected counts of the same transmitters, stores and freshness, found {one.detections.shape} at "
            f"{one.tau_ms} ms and {other.detections.shape} at {other.tau_ms} ms"
        )
    return StoreStatistics(
        exposure=one.exposure + other.exposure,
        detections=one.detections + other.detections,
        total_dbm=one.total_dbm + other.total_dbm,
        squares_dbm2=one.squares_dbm2 + other.squares_dbm2,
        highest_dbm=np.maximum(one.highest_dbm, other.highest_dbm),
        strongest=one.strongest + other.strongest,
        tau_ms=one.tau_ms,
    )


@dataclass(frozen=True, slots=True)
class StoreTables:
    """What follows from the counts, in bytes (``kernels/stores.py``).

    ``mean``, ``precision`` and ``gain`` (n_transmitters, n_stores) are naive Bayes'; ``cell`` (n_transmitters,
    n_stores, 8) the pair features' (``kernels/pairs.py``); ``absent`` and ``exposure`` (n_stores,).
    """

    exposure: F32
    mean: U8
    precision: U8
    gain: U8
    absent: F32
    cell: U8
    tau_ms: float

    @property
    def n_stores(self) -> int:
        return len(self.exposure)

    @property
    def bayes(self) -> BayesArrays:
        """Naive Bayes' tables for the kernels."""
        return BayesArrays(self.mean, self.precision, self.gain, self.absent)


@dataclass(frozen=True, slots=True)
class DerivedTables:
    """The same in full precision: (n_transmitters, n_stores) each, but for ``exposure`` and ``absent`` (n_stores,).

    ``highest_dbm`` is -200 where a transmitter was never heard.
    """

    exposure: F32
    mean_dbm: F32
    precision: F32
    gain: F32
    absent: F32
    rate: F32
    share: F32
    top_share: F32
    highest_dbm: F32
    tau_ms: float


def build_tables(counted: StoreStatistics, evidence: Evidence = OF_STORES) -> StoreTables:
    """Derive the tables; linear in transmitters times stores."""
    return pack_tables(derive(counted, evidence))


def derive(counted: StoreStatistics, evidence: Evidence = OF_STORES) -> DerivedTables:
    """What the counts say of each transmitter and store."""
    shape = counted.detections.shape
    mean_dbm, precision, gain, rate, share, top_share = (np.empty(shape, dtype=np.float32) for _ in range(6))
    absent = np.empty(shape[1], dtype=np.float32)
    derive_tables(
        counted.exposure,
        counted.detections,
        counted.total_dbm,
        counted.squares_dbm2,
        counted.strongest,
        evidence.presence_weight,
        evidence.most_z,
        mean_dbm,
        precision,
        gain,
        absent,
        rate,
        share,
        top_share,
    )
    return DerivedTables(
        counted.exposure,
        mean_dbm,
        precision,
        gain,
        absent,
        rate,
        share,
        top_share,
        counted.highest_dbm,
        counted.tau_ms,
    )


def pack_tables(derived: DerivedTables) -> StoreTables:
    """The tables in bytes."""
    mean = to_bytes(-derived.mean_dbm, DB_STEP)
    cell = np.zeros((*mean.shape, N_CELL), dtype=np.uint8)
    cell[:, :, MEAN_AT] = mean
    highest = np.minimum(to_bytes(-derived.highest_dbm, DB_STEP), NEVER_HEARD - 1)
    cell[:, :, HIGHEST_AT] = np.where(derived.highest_dbm > _NEVER_DBM, highest, NEVER_HEARD)
    for at, part in ((RATE_AT, derived.rate), (SHARE_AT, derived.share), (TOP_SHARE_AT, derived.top_share)):
        cell[:, :, at] = to_bytes(part, SHARE_STEP)
    return StoreTables(
        exposure=derived.exposure,
        mean=mean,
        precision=to_bytes(derived.precision, PRECISION_STEP),
        gain=to_bytes(derived.gain - GAIN_LEAST, GAIN_STEP),
        absent=derived.absent,
        cell=cell,
        tau_ms=derived.tau_ms,
    )


def likelihoods(tables: StoreTables, asked: Weighed) -> tuple[F32, F32]:
    """(n, n_stores) log likelihood of each store, and the offset in dB that each store thinks the phone has.

    Args:
        asked: the scans as weights; what they leave out counts as not heard.
    """
    out = np.empty((len(asked.total), tables.n_stores), dtype=np.float32)
    offset_db = np.empty_like(out)
    weigh_stores(asked, tables.bayes, out, offset_db)
    return out, offset_db
