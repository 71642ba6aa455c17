"""Radios born, moved and dead since a map was made, from counts alone.

What a map expects of new scans is the sum, over those whose store is known, of the share of the store's own scans that
heard the transmitter. Expected and never heard in any: dead. Heard, but hardly where it was expected: moved. Heard
often by several, and not on the map: born.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerprints.scan import Scan
from kernel.ids import DeviceId, TransmitterId
from positioning.kernels.pairs import RATE_AT
from positioning.kernels.stores import SHARE_STEP
from positioning.learned import Learned
from positioning.radio_map import RadioMap, encode
from positioning.statistics import StoreTables

BORN_DETECTIONS = 5
"""New scans that must hear it (research: positioning, section 4)."""
BORN_PHONES = 2
"""Phones that must: a shopper's own hotspot goes where the shopper goes."""
DEAD_EXPECTED = 8.0
"""Detections expected of a living one: none comes by chance once in 3,000 transmitters."""
MOVED_DETECTIONS = 8
MOVED_RATIO = 0.25
"""How much of what a radio in its place would show: the mean rate expected of the scans that hear it, over the same as
expected of a radio that stayed."""


@dataclass(frozen=True, slots=True)
class RadioChanges:
    """Transmitters by what became of them."""

    born: tuple[TransmitterId, ...]
    moved: tuple[TransmitterId, ...]
    dead: tuple[TransmitterId, ...]


def find_changes(
    radio_map: RadioMap, tables: StoreTables, learned: Learned, unlabelled: Sequence[Scan]
) -> RadioChanges:
    """Compare new scans with the map.

    Args:
        tables: the map's, by store.
        unlabelled: all scans without a confirmed place, the sure ones of ``learned`` among them: what they hear is
            alive, and may be born.
    """
    in_store = np.flatnonzero(learned.store >= 0)
    batch = encode([learned.scans[i] for i in in_store], radio_map.index)
    store = learned.store[in_store]
    rate = SHARE_STEP * tables.cell[:, :, RATE_AT].astype(np.float64)
    scans_of = np.bincount(store, minlength=tables.n_stores).astype(np.float64)
    n = len(radio_map.transmitters)
    row = np.repeat(np.arange(batch.n_scans), np.diff(batch.indptr))
    heard = np.bincount(batch.transmitter, minlength=n)
    at_heard = np.bincount(batch.transmitter, weights=rate[batch.transmitter, store[row]], minlength=n)
    expected = rate @ scans_of
    of_stayed = (rate**2 @ scans_of) / np.maximum(expected, 1e-9)
    every = (*(learned.scans[i] for i in np.flatnonzero(learned.is_confirmed)), *unlabelled)
    alive = np.bincount(encode(every, radio_map.index).transmitter, minlength=n)
    is_dead = (expected >= DEAD_EXPECTED) & (alive == 0)
    is_moved = (heard >= MOVED_DETECTIONS) & (at_heard / np.maximum(heard, 1) < MOVED_RATIO * of_stayed)
    names = radio_map.transmitters
    return RadioChanges(
        born=_find_born(radio_map, every),
        moved=tuple(names[t] for t in np.flatnonzero(is_moved)),
        dead=tuple(names[t] for t in np.flatnonzero(is_dead)),
    )


def _find_born(radio_map: RadioMap, scans: Sequence[Scan]) -> tuple[TransmitterId, ...]:
    """Scans that name no phone may all be of one."""
    counts: dict[TransmitterId, int] = {}
    heard_by: dict[TransmitterId, set[DeviceId | None]] = {}
    for scan in scans:
        for reading in scan.readings:
            if reading.transmitter not in radio_map.index:
                counts[reading.transmitter] = counts.get(reading.transmitter, 0) + 1
                heard_by.setdefault(reading.transmitter, set()).add(scan.device_id)
    return tuple(sorted(t for t, n in counts.items() if n >= BORN_DETECTIONS and len(heard_by[t]) >= BORN_PHONES))
