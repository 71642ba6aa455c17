"""Which of a venue's buildings: the neighbours' votes, joined by which transmitters are heard at all.

Two buildings are told apart by what is heard more surely than by how alike two scans are: a scan that resembles no
survey scan still hears the building's own transmitters. A venue of one building needs none of this and pays nothing.
"""

from dataclasses import dataclass

import numpy as np

from positioning.kernels import places
from positioning.radio_map import F32, F64, I32, RadioMap, ReadingBatch

_EVIDENCE_WEIGHT = 0.1
"""Weight of one transmitter's log likelihood: what a scan hears together is far from independent. Of 0.1, 0.3 and 1 the
best on UJIIndoorLoc's survey, each scan asked without its user (docs/algorithms/positioning.md)."""


@dataclass(frozen=True, slots=True)
class BuildingTable:
    """``of_level`` (n_levels,) numbers the levels' buildings; ``evidence`` (n_transmitters, n_buildings) is what
    hearing a transmitter adds to the logarithm of each building's vote."""

    of_level: I32
    evidence: F32

    @property
    def n_buildings(self) -> int:
        n: int = self.evidence.shape[1]
        return n


def build_building_table(radio_map: RadioMap) -> BuildingTable:
    """Count in how many of each building's survey scans every transmitter is heard."""
    of_level = _number_buildings(radio_map)
    heard, scans = _count(radio_map, of_level, np.ones(radio_map.n_scans, dtype=np.bool_))
    return BuildingTable(of_level, _evidence(heard, scans))


def hear_buildings(table: BuildingTable, batch: ReadingBatch) -> F32:
    """(n, n_buildings): the evidence of all that each scan hears; zeros where there is but one building."""
    out = np.empty((batch.n_scans, table.n_buildings), dtype=np.float32)
    places.hear_buildings(batch.indptr, batch.transmitter, table.evidence, out)
    return out


def hear_buildings_held_out(radio_map: RadioMap, table: BuildingTable, batch: ReadingBatch, walk: I32) -> F32:
    """The same for survey scans, each without what its own walk counted."""
    out = np.zeros((batch.n_scans, table.n_buildings), dtype=np.float32)
    if table.n_buildings == 1:
        return out
    everyone = np.ones(radio_map.n_scans, dtype=np.bool_)
    heard, scans = _count(radio_map, table.of_level, everyone)
    of_scan = np.repeat(walk, np.diff(batch.indptr))
    scan = np.repeat(np.arange(batch.n_scans), np.diff(batch.indptr))
    for own in np.unique(walk):
        own_heard, own_scans = _count(radio_map, table.of_level, radio_map.walk == own)
        evidence = _evidence(heard - own_heard, scans - own_scans)
        at = of_scan == own
        np.add.at(out, scan[at], evidence[batch.transmitter[at]])
    return out


def _number_buildings(radio_map: RadioMap) -> I32:
    number = {name: i for i, name in enumerate(dict.fromkeys(level.building for level in radio_map.levels))}
    return np.array([number[level.building] for level in radio_map.levels], dtype=np.int32)


def _count(radio_map: RadioMap, of_level: I32, counted: np.ndarray) -> tuple[F64, F64]:
    """Scans that hear each transmitter, (n_transmitters, n_buildings), and all scans, (n_buildings,)."""
    n_buildings = int(of_level.max()) + 1
    building = of_level[radio_map.level]
    per_reading = np.repeat(counted, np.diff(radio_map.readings.indptr))
    of_reading = np.repeat(building, np.diff(radio_map.readings.indptr))[per_reading]
    cell = radio_map.readings.transmitter[per_reading] * n_buildings + of_reading
    heard = np.bincount(cell, minlength=len(radio_map.transmitters) * n_buildings).astype(np.float64)
    scans = np.bincount(building[counted], minlength=n_buildings).astype(np.float64)
    return heard.reshape(-1, n_buildings), scans


def _evidence(heard: F64, scans: F64) -> F32:
    """log of each building's share in the rates at which a transmitter is heard, half a hearing added to each."""
    rate = (heard + 0.5) / (scans + 1.0)
    share: F32 = (_EVIDENCE_WEIGHT * np.log(rate / rate.sum(axis=1, keepdims=True))).astype(np.float32)
    return share
