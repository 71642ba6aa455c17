"""A scan: what one phone heard at one moment. The first type of the flow; every driver makes these."""

from dataclasses import dataclass
from datetime import datetime

from kernel.ids import DeviceId, ScanId, StoreId, TransmitterId, VenueId


@dataclass(frozen=True, slots=True)
class Reading:
    """One transmitter heard at one power.

    Args:
        transmitter: canonical id (``fingerprints.transmitters``).
        rssi_dbm: received power, -127 to 20 dBm. A transmitter that was not heard has no reading.
        age_ms: how long before the scan it was heard; None where the phone does not tell.
        frequency_mhz: carrier, 2400 to 7125 for Wi-Fi; None for beacons or where unknown.
        is_connected: the phone is associated with it.
        rtt_m: distance by Wi-Fi round-trip time, in metres.
    """

    transmitter: TransmitterId
    rssi_dbm: float
    age_ms: float | None = None
    frequency_mhz: int | None = None
    is_connected: bool = False
    rtt_m: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step since the phone's last scan; the heading in radians, clockwise from north."""

    at: datetime
    heading_rad: float


@dataclass(frozen=True, slots=True)
class GpsFix:
    """What the phone's satellite receiver says, with the radius it claims (68 %)."""

    lat_deg: float
    lon_deg: float
    accuracy_m: float | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """The readings of one phone at one moment, each transmitter at most once.

    ``device_id`` is None for a scan on its own: it gets a position and leaves no state.
    """

    at: datetime
    readings: tuple[Reading, ...]
    scan_id: ScanId | None = None
    device_id: DeviceId | None = None
    venue_id: VenueId | None = None
    gps: GpsFix | None = None
    pressure_hpa: float | None = None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Truth:
    """Where the phone of a labelled scan really was.

    ``building`` and ``level`` are names as the venue (or the data set) gives them; ``store_id`` is the store
    the phone was inside, None for none or not recorded.
    """

    lat_deg: float
    lon_deg: float
    level: str | None
    building: str | None = None
    store_id: StoreId | None = None


@dataclass(frozen=True, slots=True)
class LabelledScan:
    """A scan whose true place is known; ``walk`` names the survey walk, user or trace it came from.

    Splits are made by walk, never by scan: scans of one walk are near copies of each other.
    """

    scan: Scan
    truth: Truth
    walk: str | None = None
