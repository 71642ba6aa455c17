"""UJIIndoorLoc (Torres-Sospedra et al., IPIN 2014): Wi-Fi scans of three university buildings.

Coordinates are Web Mercator (EPSG:3857); one unit is 0.766 m on the ground there. Access points have no addresses:
WAP001 becomes ``x-WAP001``. A row's space becomes its ``store_id``, building * 100000 + floor * 10000 + SPACEID; the
validation file names none (0). A survey's walk is the user (the fair unit to hold out); the validation file names no
user (0), so there a walk is one phone's scans without a pause of half an hour.
"""

import math
from collections.abc import Container, Iterable
from datetime import timedelta

from fingerprints.readers.heard_table import read_heard_table
from fingerprints.readers.survey_read import WALK_NOT_CHOSEN, BadLine, SurveyRead, finish_read, takes_walk
from fingerprints.scan import LabelledScan, Scan, Truth
from kernel.clock import EPOCH
from kernel.ids import DeviceId, ScanId, StoreId

_EARTH_RADIUS_M = 6_378_137.0  # of EPSG:3857's sphere
_N_ACCESS_POINTS = 520
_PAUSE_S = 1_800.0
_MAX_TIMESTAMP_S = 4_102_444_800.0  # the year 2100
_NEEDED = ("LONGITUDE", "LATITUDE", "FLOOR", "BUILDINGID", "USERID", "PHONEID", "TIMESTAMP")
_WAPS = {f"WAP{i:03d}": f"x-WAP{i:03d}" for i in range(1, _N_ACCESS_POINTS + 1)}


def read_ujiindoorloc(
    content: bytes | Iterable[bytes],
    *,
    file: str = "trainingData.csv",
    walks: Container[str] | None = None,
    not_walks: Container[str] | None = None,
) -> SurveyRead:
    """Read a training or validation file; rows that hear nothing are kept as scans without readings.

    Raises:
        SurveyFormatError: not such a file, or no row is good.
    """
    scans: list[LabelledScan] = []
    bad_lines: list[BadLine] = []
    last_at_s: dict[int, float] = {}
    session: dict[int, int] = {}
    n_not_chosen = 0
    for row in read_heard_table(
        content, file=file, transmitters=_WAPS, needed=_NEEDED, optional=("SPACEID",), bad_lines=bad_lines
    ):
        at_s, user, phone = row.columns["TIMESTAMP"], int(row.columns["USERID"]), int(row.columns["PHONEID"])
        if not 0 <= at_s <= _MAX_TIMESTAMP_S:
            bad_lines.append(BadLine(row.number, file, f"expected TIMESTAMP in epoch seconds, found {at_s:g}"))
            continue
        try:
            lat_deg, lon_deg = from_web_mercator(row.columns["LONGITUDE"], row.columns["LATITUDE"])
        except ValueError as error:
            bad_lines.append(BadLine(row.number, file, str(error)))
            continue
        if abs(at_s - last_at_s.get(phone, -math.inf)) > _PAUSE_S:
            session[phone] = session.get(phone, 0) + 1
        last_at_s[phone] = at_s
        walk = f"user-{user}" if user else f"phone-{phone}-{session[phone]}"
        if not takes_walk(walk, walks, not_walks):
            n_not_chosen += 1
            continue
        scans.append(
            LabelledScan(
                Scan(
                    at=EPOCH + timedelta(seconds=at_s),
                    readings=row.readings,
                    scan_id=ScanId(f"{int(at_s)}-{row.number}"),
                    device_id=DeviceId(f"phone-{phone}"),
                ),
                Truth(
                    lat_deg,
                    lon_deg,
                    str(int(row.columns["FLOOR"])),
                    building=str(int(row.columns["BUILDINGID"])),
                    store_id=_space(row.columns),
                ),
                walk,
            )
        )
    return finish_read(scans, bad_lines, {WALK_NOT_CHOSEN: n_not_chosen})


def _space(columns: dict[str, float]) -> StoreId | None:
    space = int(columns.get("SPACEID", 0.0))
    if space <= 0:
        return None
    return StoreId(str(int(columns["BUILDINGID"]) * 100_000 + int(columns["FLOOR"]) * 10_000 + space))


def from_web_mercator(x: float, y: float) -> tuple[float, float]:
    """Latitude and longitude in degrees of a place in EPSG:3857 units.

    >>> from_web_mercator(0.0, 0.0)
    (0.0, 0.0)
    """
    limit = math.pi * _EARTH_RADIUS_M
    if not (abs(x) <= limit and abs(y) <= limit):
        raise ValueError(f"expected Web Mercator coordinates within {limit:.0f}, found {x:g}, {y:g}")
    return math.degrees(math.atan(math.sinh(y / _EARTH_RADIUS_M))), math.degrees(x / _EARTH_RADIUS_M)
