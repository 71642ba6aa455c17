"""Phones as the API sees them: a list of readings that holds some old ones, scan by scan."""

from dataclasses import replace
from datetime import datetime

import numpy as np

from fingerprints.scan import LabelledScan, Reading, Scan, Truth
from kernel.ids import DeviceId, ScanId, StoreId, TransmitterId
from sim.grid import NO_STORE
from sim.radio_spec import RadioSpec
from venues.model import Venue

SCAN_PERIOD_S = 10.0
"""How often a phone of the maker's own scans."""


class ScanMemory:
    """What one phone still lists from its earlier scans.

    A system's scan list keeps what was heard a while ago; a share of the transmitters that the present scan missed
    is reported at its old power and with its age. Call ``merge`` once a scan, in the order of time.
    """

    def __init__(self, spec: RadioSpec) -> None:
        self._spec = spec
        self._last: tuple[Reading, ...] = ()
        self._last_at: datetime | None = None

    def merge(self, at: datetime, fresh: tuple[Reading, ...], rng: np.random.Generator) -> tuple[Reading, ...]:
        """The fresh readings and those old ones that the phone still lists, by id."""
        merged = list(fresh)
        if self._last_at is not None and self._last:
            since_ms = (at - self._last_at).total_seconds() * 1000.0
            present: set[TransmitterId] = {reading.transmitter for reading in fresh}
            is_kept = rng.random(len(self._last)) < self._spec.stale_ratio
            for reading, keep in zip(self._last, is_kept.tolist(), strict=True):
                age_ms = (reading.age_ms or 0.0) + since_ms
                if keep and reading.transmitter not in present and age_ms <= self._spec.stale_limit_ms:
                    merged.append(replace(reading, age_ms=age_ms))
            merged.sort(key=lambda reading: reading.transmitter)
        self._last, self._last_at = tuple(merged), at
        return self._last


def truth_of(venue: Venue, level_index: int, xy_m: tuple[float, float], store_index: int) -> Truth:
    """The true place of a phone in the words of a labelled scan."""
    lon_deg, lat_deg = venue.frame.to_lon_lat_deg(xy_m)
    store_id: StoreId | None = None if store_index == NO_STORE else venue.stores[store_index].id
    return Truth(
        lat_deg=round(float(lat_deg), 8),
        lon_deg=round(float(lon_deg), 8),
        level=venue.levels[level_index].short_name,
        store_id=store_id,
    )


def label(
    venue: Venue,
    device_id: str,
    number: int,
    at: datetime,
    place: tuple[int, tuple[float, float], int],
    readings: tuple[Reading, ...],
    walk: str | None = None,
) -> LabelledScan:
    """A labelled scan of a phone at ``place`` (level index, venue-frame metres, store index)."""
    scan = Scan(
        at=at, readings=readings, scan_id=ScanId(f"{walk or device_id}-{number}"), device_id=DeviceId(device_id)
    )
    return LabelledScan(scan, truth_of(venue, *place), walk or device_id)
