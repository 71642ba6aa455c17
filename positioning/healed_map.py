"""A radio map with new scans: a further epoch, radios that changed, the new phones' offsets taken off."""

from collections.abc import Sequence

import numpy as np

from fingerprints.scan import Scan
from fingerprints.transmitters import is_beacon
from kernel.clock import to_epoch_us
from kernel.ids import TransmitterId
from positioning.epochs import Epochs, one_epoch
from positioning.learned import Learned
from positioning.radio_changes import RadioChanges
from positioning.radio_map import F32, F64, I32, I64, RadioMap, ReadingBatch, encode, take_scans
from positioning.representation import Weighing, weigh
from positioning.statistics import StoreTables, likelihoods

OFFSET_SHARE = 0.8
"""Of a new scan's estimated offset, what is taken off its Wi-Fi readings (research: positioning, section 4)."""
MOST_EPOCHS = 8
"""With the survey's own. The oldest healing goes when another comes, its transmitters then begin with the next."""


def heal_map(radio_map: RadioMap, changes: RadioChanges, learned: Learned, offset_db: F64) -> tuple[RadioMap, I64]:
    """The map with the learned scans as its last epoch; and which of them it took, since some may hear nothing known.

    Args:
        offset_db: (n,) what to take off the Wi-Fi readings of each learned scan.
    """
    radio_map = _forget_oldest(radio_map)
    epochs = radio_map.epochs or one_epoch(radio_map.n_scans, len(radio_map.transmitters))
    gone, fresh = set(changes.dead), set(changes.moved)
    transmitters = tuple(sorted((set(radio_map.transmitters) - gone) | set(changes.born)))
    index = {transmitter: i for i, transmitter in enumerate(transmitters)}
    older = [-1 if t in fresh else index.get(t, -1) for t in radio_map.transmitters]
    before, kept = _renumber(radio_map.readings, np.array(older, dtype=np.int32))
    taken, added = _encode_learned(learned, index, offset_db)
    born = np.full(len(transmitters), epochs.n_epochs, dtype=np.int32)
    for old, new in enumerate(older):
        if new >= 0:
            born[new] = epochs.born[old]
    n_before = np.bincount(epochs.of_scans()[kept], minlength=epochs.n_epochs)
    first = np.concatenate([[0], np.cumsum([*n_before.tolist(), added.n_scans])]).astype(np.int64)
    numbers: dict[str, int] = {}
    next_walk = int(radio_map.walk.max(initial=-1)) + 1
    walk = [numbers.setdefault(learned.group[i], next_walk + len(numbers)) for i in taken]
    healed = RadioMap(
        frame=radio_map.frame,
        transmitters=transmitters,
        index=index,
        levels=radio_map.levels,
        readings=_join(before, added),
        xy_m=np.concatenate([radio_map.xy_m[kept], learned.xy_m[taken]]),
        level=np.concatenate([radio_map.level[kept], learned.level[taken]]),
        walk=np.concatenate([radio_map.walk[kept], np.array(walk, dtype=np.int32)]),
        store=np.concatenate(
            [radio_map.store[kept], np.where(learned.is_inside[taken], learned.store[taken], -1).astype(np.int32)]
        ),
        epochs=Epochs(first, born, _until_us(epochs.until_us, learned)),
        radio=_number_radios(radio_map.radio, older, len(transmitters)),
    )
    return healed, taken


def _number_radios(before: I32 | None, older: Sequence[int], n: int) -> I32 | None:
    """Radios of the transmitters under their new numbers; what is born or was moved is one of its own.

    Args:
        older: the new number of each transmitter before, -1 for none.
    """
    if before is None:
        return None
    first: dict[int, int] = {}
    radio = np.arange(n)
    for old, new in enumerate(older):
        if new >= 0:
            radio[new] = first.setdefault(int(before[old]), new)
    numbers = np.unique(radio, return_inverse=True)[1].astype(np.int32)
    return numbers if numbers.max(initial=0) + 1 < n else None


def estimate_offsets_db(radio_map: RadioMap, weighing: Weighing, tables: StoreTables, learned: Learned) -> F64:
    """(n,) what each scan's phone hears more than the survey's, by naive Bayes at its store, times ``OFFSET_SHARE``.

    0 for scans in walkways.
    """
    _, offset_db = likelihoods(tables, weigh(weighing, encode(learned.scans, radio_map.index)))
    found = offset_db[np.arange(len(learned)), np.maximum(learned.store, 0)].astype(np.float64)
    share: F64 = np.where((learned.store >= 0) & np.isfinite(found), OFFSET_SHARE * found, 0.0)
    return share


def _forget_oldest(radio_map: RadioMap) -> RadioMap:
    """Without the scans of the oldest healing, where there are as many epochs as there may be."""
    epochs = radio_map.epochs
    if epochs is None or epochs.n_epochs < MOST_EPOCHS:
        return radio_map
    kept = np.flatnonzero(epochs.of_scans() != 1)
    n_gone = int(epochs.first[2] - epochs.first[1])
    first = np.concatenate([epochs.first[:1], epochs.first[2:] - n_gone])
    born = np.where(epochs.born > 1, epochs.born - 1, epochs.born).astype(np.int32)
    return RadioMap(
        frame=radio_map.frame,
        transmitters=radio_map.transmitters,
        index=radio_map.index,
        levels=radio_map.levels,
        readings=take_scans(radio_map.readings, kept),
        xy_m=radio_map.xy_m[kept],
        level=radio_map.level[kept],
        walk=radio_map.walk[kept],
        store=radio_map.store[kept],
        epochs=Epochs(first, born, epochs.until_us),
        radio=radio_map.radio,
    )


def _until_us(before: tuple[int, int], learned: Learned) -> tuple[int, int]:
    """The newest instants of each kind of scan, as ``Epochs.until_us``."""
    newest = list(before)
    for scan, is_confirmed in zip(learned.scans, learned.is_confirmed, strict=True):
        kind = 0 if is_confirmed else 1
        newest[kind] = max(newest[kind], to_epoch_us(scan.at))
    return newest[0], newest[1]


def _renumber(readings: ReadingBatch, new: I32) -> tuple[ReadingBatch, I64]:
    """Readings under new numbers, those of -1 left out, and so scans that hear nothing else; which scans are left."""
    row = np.repeat(np.arange(readings.n_scans), np.diff(readings.indptr))
    at = new[readings.transmitter] >= 0
    counts = np.bincount(row[at], minlength=readings.n_scans)
    kept = np.flatnonzero(counts > 0)
    indptr = np.zeros(len(kept) + 1, dtype=np.int64)
    np.cumsum(counts[kept], out=indptr[1:])
    return (
        ReadingBatch(
            indptr, new[readings.transmitter[at]], readings.rssi_dbm[at], readings.age_ms[at], readings.n_heard[kept]
        ),
        kept,
    )


def _encode_learned(learned: Learned, index: dict[TransmitterId, int], offset_db: F64) -> tuple[I64, ReadingBatch]:
    taken = np.array([i for i, scan in enumerate(learned.scans) if _hears(scan, index)], dtype=np.int64)
    batch = encode([learned.scans[i] for i in taken], index)
    beacon = np.zeros(len(index), dtype=np.bool_)
    for transmitter, i in index.items():
        beacon[i] = is_beacon(transmitter)
    off = np.repeat(offset_db[taken], np.diff(batch.indptr))
    rssi_dbm: F32 = (batch.rssi_dbm - np.where(beacon[batch.transmitter], 0.0, off)).astype(np.float32)
    return taken, ReadingBatch(batch.indptr, batch.transmitter, rssi_dbm, batch.age_ms, batch.n_heard)


def _hears(scan: Scan, index: dict[TransmitterId, int]) -> bool:
    return any(reading.transmitter in index for reading in scan.readings)


def _join(one: ReadingBatch, other: ReadingBatch) -> ReadingBatch:
    parts: Sequence[ReadingBatch] = (one, other)
    return ReadingBatch(
        np.concatenate([one.indptr, one.indptr[-1] + other.indptr[1:]]),
        np.concatenate([part.transmitter for part in parts]),
        np.concatenate([part.rssi_dbm for part in parts]),
        np.concatenate([part.age_ms for part in parts]),
        np.concatenate([part.n_heard for part in parts]),
    )
