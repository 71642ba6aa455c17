"""Which addresses of a survey are one radio, and a radio map with one column a radio.

An access point announces several networks, each under an address of its own: in the Xixi mall half of the addresses
have a twin. Every one of them counted as evidence of its own, so that such radios outvoted the others, and each was
missed in scans that heard its twins. Twins are told by what the survey heard, since addresses alone tell it of some
vendors only and some surveys hide them.
"""

from dataclasses import replace

import numpy as np

from fingerprints.transmitters import is_beacon
from positioning.epochs import Epochs
from positioning.kernels.radios import compare_pairs
from positioning.radio_map import I32, RadioMap, merge_same

SPREADS_DB = (0.0, 2.0, 3.0)
"""Standard deviations of the difference up to which a venue may take two addresses for one (``choose.choose_radios``);
0 for not at all. On Xixi's survey, walks held out, 2.0, 2.5, 3.0 and 3.5 gave 0.07, 0.11, 0.12 and 0.11 m."""
_LEAST_SHARED = 15
"""Scans that heard both: the spread is then known to a fifth."""
_LEAST_SHARE = 0.5
_MOST_MEAN_DB = 3.0
"""Networks of one radio are sent with one power, or nearly so. 1.5 and 6 dB did alike on Xixi's survey."""


def find_radios(radio_map: RadioMap, most_spread_db: float) -> I32 | None:
    """(n_transmitters,) the radio of each address, numbered in the order of their first; None where none is shared.

    Pairs are joined from the most alike on, two groups only where all of their pairs are alike (complete linkage):
    chains of neighbours would join whole corridors (on Xixi's survey that cost 0.4 m).
    """
    readings, n = radio_map.readings, len(radio_map.transmitters)
    order = np.argsort(readings.transmitter, kind="stable")
    indptr = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(readings.transmitter, minlength=n), out=indptr[1:])
    scan = np.repeat(np.arange(readings.n_scans, dtype=np.int32), np.diff(readings.indptr))
    one, other, spread_db = compare_pairs(
        readings.indptr,
        readings.transmitter,
        readings.rssi_dbm,
        np.array([is_beacon(t) for t in radio_map.transmitters], dtype=np.int32),
        indptr,
        order,
        scan[order],
        _LEAST_SHARED,
        _LEAST_SHARE,
        _MOST_MEAN_DB,
        most_spread_db,
    )
    alike = set(zip(one.tolist(), other.tolist(), strict=True))
    group = {t: [t] for pair in alike for t in pair}
    for at in np.argsort(spread_db, kind="stable").tolist():
        left, right = group[int(one[at])], group[int(other[at])]
        if left is right or not all((min(a, b), max(a, b)) in alike for a in left for b in right):
            continue
        left.extend(right)
        for t in right:
            group[t] = left
    if all(len(members) == 1 for members in group.values()):
        return None
    first = np.array([min(group.get(t, [t])) for t in range(n)])
    return np.unique(first, return_inverse=True)[1].astype(np.int32)


def merge_radios(radio_map: RadioMap) -> RadioMap:
    """The map with one column a radio, named by its first address; all addresses are looked up to it.

    The map itself where no radio has two. Scans and their order stay as they are.
    """
    radio = radio_map.radio
    if radio is None:
        return radio_map
    n_radios = int(radio.max()) + 1
    _, first = np.unique(radio, return_index=True)
    epochs = radio_map.epochs
    if epochs is not None:  # a radio is as old as the oldest of its addresses
        born = np.full(n_radios, epochs.n_epochs, dtype=np.int32)
        np.minimum.at(born, radio, epochs.born)
        epochs = Epochs(epochs.first, born, epochs.until_us)
    readings = replace(radio_map.readings, transmitter=radio[radio_map.readings.transmitter])
    return replace(
        radio_map,
        transmitters=tuple(radio_map.transmitters[i] for i in first),
        index={name: int(radio[i]) for name, i in radio_map.index.items()},
        readings=merge_same(readings, n_radios),
        epochs=epochs,
        radio=None,
    )
