"""Phones as the API sees them: scans with their truth."""

from dataclasses import replace
from datetime import datetime
from typing import cast

from atrium_client.wire import Scan as ScanJson
from fingerprints.scan import LabelledScan, Reading, Scan, Truth
from fingerprints.wire import scan_to_json
from kernel.ids import DeviceId, ScanId, StoreId, VenueId
from sim.grid import NO_STORE
from venues.model import Venue

SCAN_PERIOD_S = 10.0
"""How often a phone of the maker's own scans."""


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


def to_wire(labelled: LabelledScan, venue_id: VenueId | None) -> ScanJson:
    """A labelled scan as the API takes it, with its truth."""
    scan = labelled.scan if venue_id is None else replace(labelled.scan, venue_id=venue_id)
    return cast("ScanJson", scan_to_json(scan, labelled.truth))
