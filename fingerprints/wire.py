"""Scan JSON (and msgpack) of the wire format, decoded and checked.

Two kinds of fault are kept apart. A scan without the right shape (a missing ``at``, a text where a number
belongs) is refused with the field's path. A single reading that cannot be true (a power of 1e308, the
broadcast address) is dropped and the scan survives, as other location services do.
"""

import math
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec

from fingerprints.errors import ScanFormatError, TransmitterIdError
from fingerprints.scan import GpsFix, LabelledScan, Reading, Scan, Step, Truth
from fingerprints.transmitters import eddystone_id, ibeacon_id, parse_bssid
from kernel.clock import EPOCH, sane_utc
from kernel.ids import DeviceId, ScanId, StoreId, TransmitterId, VenueId

MIN_RSSI_DBM = -127.0
MAX_RSSI_DBM = 20.0
MAX_AGE_MS = 3_600_000.0
"""Readings older than an hour say nothing about the present (the limit of mozilla/ichnaea)."""
MAX_READINGS = 1_000
"""The busiest real scan seen has 246 readings (research on the Xixi mall); a longer list is refused."""

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_Text = Annotated[str, msgspec.Meta(max_length=256)]
_Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
_Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]


class WifiWire(msgspec.Struct):
    bssid: _Text
    rssi_dbm: float
    frequency_mhz: int | None = None
    age_ms: float | None = None
    connected: bool | None = None
    ssid: _Text | None = None
    rtt_m: float | None = None


class BeaconWire(msgspec.Struct):
    rssi_dbm: float
    uuid: _Text | None = None
    major: int | None = None
    minor: int | None = None
    namespace: _Text | None = None
    instance: _Text | None = None
    age_ms: float | None = None


class GpsWire(msgspec.Struct):
    lat: _Latitude
    lng: _Longitude
    accuracy_m: float | None = None


class StepWire(msgspec.Struct):
    at: datetime | int | float
    heading_deg: float


class TruthWire(msgspec.Struct):
    lat: _Latitude
    lng: _Longitude
    level: _Text | None = None
    building: _Text | None = None
    store_id: _Id | None = None
    walk: _Text | None = None


class ScanWire(msgspec.Struct):
    """One scan as it comes over the wire; unknown fields are ignored at every level."""

    at: datetime | int | float
    scan_id: _Id | None = None
    device_id: _Id | None = None
    venue_id: _Id | None = None
    wifi: Annotated[list[WifiWire], msgspec.Meta(max_length=MAX_READINGS)] = []
    beacons: Annotated[list[BeaconWire], msgspec.Meta(max_length=MAX_READINGS)] = []
    gps: GpsWire | None = None
    pressure_hpa: float | None = None
    steps: Annotated[list[StepWire], msgspec.Meta(max_length=10_000)] | None = None
    truth: TruthWire | None = None


_json = msgspec.json.Decoder(ScanWire)
_msgpack = msgspec.msgpack.Decoder(ScanWire)
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def decode_json(body: bytes | msgspec.Raw) -> ScanWire:
    """Decode one scan from JSON; raises ``ScanFormatError`` naming the field at fault."""
    if not is_utf8(body):  # msgspec skips unknown fields without reading their text
        raise ScanFormatError("not readable: not UTF-8", code="malformed_body")
    return _decode(_json.decode, body)


def is_utf8(body: bytes | msgspec.Raw) -> bool:
    """Whether a body is UTF-8 throughout, as JSON must be."""
    try:
        str(body, "utf-8")  # any buffer will do
    except UnicodeDecodeError:
        return False
    return True


def decode_msgpack(body: bytes | msgspec.Raw) -> ScanWire:
    """Decode one scan from msgpack; raises ``ScanFormatError`` naming the field at fault."""
    return _decode(_msgpack.decode, body)


def _decode(decode: Callable[[bytes | msgspec.Raw], ScanWire], body: bytes | msgspec.Raw) -> ScanWire:
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _PATH.search(text)
        if found is None and text.startswith("Expected `object`"):
            raise ScanFormatError(f"expected a scan: {text}", code="malformed_body") from None
        raise ScanFormatError(_PATH.sub("", text), found.group(1) if found else None) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScanFormatError(f"not readable: {error}", code="malformed_body") from None
    except RecursionError:
        raise ScanFormatError("nested too deeply", code="malformed_body") from None


def to_scan(wire: ScanWire) -> Scan:
    """Turn a decoded scan into the domain's: canonical ids, each transmitter once, impossible readings dropped.

    Raises:
        ScanFormatError: an instant without zone or out of range; a device id with control characters.
    """
    if wire.device_id is not None and _CONTROL.search(wire.device_id):
        raise ScanFormatError("control characters are not taken", "device_id")
    steps = tuple(
        Step(instant(step.at, f"steps[{i}].at"), math.radians(step.heading_deg))
        for i, step in enumerate(wire.steps or ())
        if math.isfinite(step.heading_deg)
    )
    gps = None if wire.gps is None else GpsFix(wire.gps.lat, wire.gps.lng, wire.gps.accuracy_m)
    return Scan(
        at=instant(wire.at, "at"),
        readings=merge_readings([*_wifi_readings(wire.wifi), *_beacon_readings(wire.beacons)]),
        scan_id=None if wire.scan_id is None else ScanId(wire.scan_id),
        device_id=None if wire.device_id is None else DeviceId(wire.device_id),
        venue_id=None if wire.venue_id is None else VenueId(wire.venue_id),
        gps=gps,
        pressure_hpa=wire.pressure_hpa,
        steps=steps,
    )


def to_labelled_scan(wire: ScanWire) -> LabelledScan:
    """Like ``to_scan`` for a scan that must carry ``truth``; the walk is ``truth.walk``, else the device."""
    if wire.truth is None:
        raise ScanFormatError("a labelled scan needs it", "truth", code="missing_truth")
    scan = to_scan(wire)
    return LabelledScan(scan, to_truth(wire.truth), wire.truth.walk or scan.device_id)


def to_truth(wire: TruthWire) -> Truth:
    """The true place that a labelled scan names."""
    return Truth(
        lat_deg=wire.lat,
        lon_deg=wire.lng,
        level=wire.level,
        building=wire.building,
        store_id=None if wire.store_id is None else StoreId(wire.store_id),
    )


def instant(value: datetime | int | float, field: str) -> datetime:
    """An aware UTC instant from RFC 3339 text (already parsed) or epoch milliseconds."""
    try:
        return sane_utc(value if isinstance(value, datetime) else EPOCH + timedelta(milliseconds=value))
    except OverflowError:
        raise ScanFormatError("epoch milliseconds out of range", field, code="invalid_time") from None
    except ValueError as error:
        raise ScanFormatError(str(error), field, code="invalid_time") from None


def merge_readings(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    """Keep each transmitter once, its strongest reading, then its youngest; the order is by id.

    The answer must not depend on the order of entries, and a doubled entry must not count twice.
    """
    best: dict[TransmitterId, Reading] = {}
    for reading in readings:
        held = best.get(reading.transmitter)
        if held is None or _rank(reading) > _rank(held):
            best[reading.transmitter] = reading
    return tuple(best[key] for key in sorted(best))


def _rank(reading: Reading) -> tuple[float, float]:
    return reading.rssi_dbm, -(math.inf if reading.age_ms is None else reading.age_ms)


def _wifi_readings(entries: list[WifiWire]) -> Iterable[Reading]:
    for entry in entries:
        if not _is_plausible(entry.rssi_dbm, entry.age_ms):
            continue
        if entry.ssid is not None and entry.ssid.endswith("_nomap"):
            continue  # its owner asks not to be mapped
        try:
            transmitter = parse_bssid(entry.bssid)
        except TransmitterIdError:
            continue
        yield Reading(
            transmitter,
            entry.rssi_dbm,
            entry.age_ms,
            entry.frequency_mhz,
            bool(entry.connected),
            entry.rtt_m,
        )


def _beacon_readings(entries: list[BeaconWire]) -> Iterable[Reading]:
    for entry in entries:
        if not _is_plausible(entry.rssi_dbm, entry.age_ms):
            continue
        try:
            if entry.uuid is not None and entry.major is not None and entry.minor is not None:
                transmitter = ibeacon_id(entry.uuid, entry.major, entry.minor)
            elif entry.namespace is not None and entry.instance is not None:
                transmitter = eddystone_id(entry.namespace, entry.instance)
            else:
                continue
        except TransmitterIdError:
            continue
        yield Reading(transmitter, entry.rssi_dbm, entry.age_ms)


def _is_plausible(rssi_dbm: float, age_ms: float | None) -> bool:
    return MIN_RSSI_DBM <= rssi_dbm <= MAX_RSSI_DBM and (age_ms is None or 0 <= age_ms <= MAX_AGE_MS)


def scan_to_json(scan: Scan, truth: Truth | None = None, walk: str | None = None) -> dict[str, Any]:
    """The wire form of a scan as plain JSON values; ``to_scan`` of it gives the scan back."""
    out: dict[str, Any] = {
        "scan_id": scan.scan_id,
        "device_id": scan.device_id,
        "at": scan.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "venue_id": scan.venue_id,
        "wifi": [_wifi_json(r) for r in scan.readings if not r.transmitter.startswith(("ib:", "ed:"))],
        "beacons": [_beacon_json(r) for r in scan.readings if r.transmitter.startswith(("ib:", "ed:"))],
    }
    if scan.gps is not None:
        out["gps"] = {"lat": scan.gps.lat_deg, "lng": scan.gps.lon_deg, "accuracy_m": scan.gps.accuracy_m}
    if scan.pressure_hpa is not None:
        out["pressure_hpa"] = scan.pressure_hpa
    if scan.steps:
        out["steps"] = [
            {
                "at": step.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "heading_deg": round(math.degrees(step.heading_rad), 2),
            }
            for step in scan.steps
        ]
    if truth is not None:
        out["truth"] = {
            "building": truth.building,
            "level": truth.level,
            "lat": truth.lat_deg,
            "lng": truth.lon_deg,
            "store_id": truth.store_id,
        } | ({} if walk is None else {"walk": walk})
    return out


def _wifi_json(reading: Reading) -> dict[str, Any]:
    out: dict[str, Any] = {"bssid": reading.transmitter, "rssi_dbm": reading.rssi_dbm}
    if reading.frequency_mhz is not None:
        out["frequency_mhz"] = reading.frequency_mhz
    if reading.age_ms is not None:
        out["age_ms"] = reading.age_ms
    if reading.is_connected:
        out["connected"] = True
    if reading.rtt_m is not None:
        out["rtt_m"] = reading.rtt_m
    return out


def _beacon_json(reading: Reading) -> dict[str, Any]:
    kind, first, *rest = reading.transmitter.split(":")
    out: dict[str, Any] = (
        {"uuid": first, "major": int(rest[0]), "minor": int(rest[1])}
        if kind == "ib"
        else {"namespace": first, "instance": rest[0]}
    )
    out["rssi_dbm"] = reading.rssi_dbm
    if reading.age_ms is not None:
        out["age_ms"] = reading.age_ms
    return out
