"""Phones as the API sees them: their record, and scans with their truth."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from atrium_client.wire import Device
from atrium_client.wire import Scan as ScanJson
from fingerprints.scan import LabelledScan, Reading, Scan, Truth
from fingerprints.wire import scan_to_json
from flow.answers import rfc3339
from kernel.ids import DeviceId, ScanId, StoreId
from sim.grid import NO_STORE
from venues.model import Venue

SCAN_PERIOD_S = 10.0
"""How often a phone of the maker's own scans."""
_CONSENT_VERSION = "2026-01"


def device_of(
    model: str | None, locale: str | None, time_zone: str | None, age_band: str, consents: Sequence[str], at: datetime
) -> Device:
    """What ``PUT /v1/devices/{device_id}`` is told of a phone whose owner allowed all this at one instant."""
    return cast(
        "Device",
        {
            "model": model,
            "locale": locale,
            "time_zone": time_zone,
            "age_band": age_band,
            "consents": [{"purpose": one, "version": _CONSENT_VERSION, "at": rfc3339(at)} for one in consents],
        },
    )


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


def to_wire(scan: Scan | LabelledScan) -> ScanJson:
    """A scan as the API takes it, with its truth where it has one."""
    if isinstance(scan, LabelledScan):
        return cast("ScanJson", scan_to_json(scan.scan, scan.truth))
    return cast("ScanJson", scan_to_json(scan))
