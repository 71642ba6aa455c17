"""The mall of the test vectors: drawn by hand, its radio one formula, so that no change of the simulator moves it."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from fingerprints.scan import LabelledScan, Reading, Scan, Truth
from fingerprints.wire import scan_to_json
from kernel.ids import StoreId, TransmitterId
from runtime.demo import store_mall
from runtime.home import open_home
from tests.venues.tiny_mall import FRAME, tiny_mall, uid

STORE_D = StoreId("st_" + uid("store-d"))
IN_STORE_D, IN_WALKWAY = (15.0, 3.0), (25.0, 10.0)
SURVEYED_AT = datetime(2026, 4, 1, tzinfo=UTC)

_ROOMS = {
    "F1": {"a": (0, 12, 10, 20), "b": (10, 12, 20, 20), "c": (0, 0, 10, 8), "d": (10, 0, 20, 8)},
    "F2": {"e": (0, 12, 10, 20)},
}
"""West, south, east, north of each store's room, in metres, as ``tiny_mall`` draws them."""
_RADIOS: tuple[tuple[str, str, float, float], ...] = (
    *((f"0e:74:9c:a7:b2:{i:02x}", "F1", x, y) for i, (x, y) in enumerate([(2, 18), (15, 18), (2, 2), (15, 2)])),
    *((f"0e:74:9c:a7:b3:{i:02x}", "F1", x, 10.0) for i, x in enumerate([2.0, 9.0, 16.0, 23.0, 29.0])),
    *((f"0e:74:9c:a7:b4:{i:02x}", "F2", x, y) for i, (x, y) in enumerate([(5, 16), (5, 10), (15, 10), (28, 10)])),
    ("ib:fda50693-a4e2-4fb1-afcf-c6eb07647825:10073:61418", "F1", 12.0, 6.0),
    ("ed:edd1ebeac04e5defa017:0bdb87539b67", "F1", 26.0, 11.0),
)


def _room_of(level: str, x_m: float, y_m: float) -> str | None:
    for name, (west, south, east, north) in _ROOMS[level].items():
        if west < x_m < east and south < y_m < north:
            return name
    return None


def readings_at(level: str, x_m: float, y_m: float, rng: np.random.Generator) -> tuple[Reading, ...]:
    """What a phone hears: 25 dB a decade, 6 dB a wall of a room, 18 dB a floor, 1.5 dB of noise."""
    out = []
    for name, at_level, at_x_m, at_y_m in _RADIOS:
        distance_m = max(1.0, math.hypot(x_m - at_x_m, y_m - at_y_m))
        walls = 6.0 * (_room_of(level, x_m, y_m) != _room_of(at_level, at_x_m, at_y_m)) if level == at_level else 18.0
        rssi_dbm = round(-38.0 - 25.0 * math.log10(distance_m) - walls + rng.normal(0.0, 1.5))
        if rssi_dbm > -92:
            out.append(Reading(TransmitterId(name), float(rssi_dbm)))
    return tuple(sorted(out, key=lambda reading: reading.transmitter))


def survey() -> list[LabelledScan]:
    """Both levels walked in rows a metre apart, each row twice."""
    rng = np.random.default_rng(11)
    out: list[LabelledScan] = []
    for level in ("F1", "F2"):
        for turn in range(2):
            for y in range(20):
                for x in range(30):
                    room = _room_of(level, x + 0.5, y + 0.5)
                    if room is None and not 8 <= y < 12:
                        continue  # a void, a wall, the toilets
                    lon_deg, lat_deg = FRAME.to_lon_lat_deg([x + 0.5, y + 0.5])
                    truth = Truth(
                        float(lat_deg),
                        float(lon_deg),
                        level,
                        store_id=None if room is None else StoreId("st_" + uid(f"store-{room}")),
                    )
                    scan = Scan(SURVEYED_AT + timedelta(seconds=len(out)), readings_at(level, x + 0.5, y + 0.5, rng))
                    out.append(LabelledScan(scan, truth, f"{level}-{turn}-{y}"))
    return out


def prepare_home(folder: Path) -> None:
    """A data folder in which this mall is imported, surveyed and trained."""
    home = open_home(folder)
    store_mall(home, tiny_mall(), survey(), None)
    home.database.close()


def wire_scan(scan_id: str, device_id: str | None, at: datetime, place_m: tuple[float, float]) -> dict[str, Any]:
    """A scan on level F1 on the wire."""
    readings = readings_at("F1", *place_m, np.random.default_rng([7, len(scan_id), ord(scan_id[-1])]))
    out = scan_to_json(Scan(at, readings))
    return out | {"scan_id": scan_id, "device_id": device_id}
