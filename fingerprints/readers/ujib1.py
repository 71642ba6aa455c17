"""UJIB1 (Mendoza-Silva et al., Data 2019): scans of 24 BLE beacons in an office, in local metres.

The set names neither phones, walks nor instants. Local metres are laid on latitude and longitude 0, 0; beacon ``7``
becomes ``x-BLE07``; instants count one second a row from the epoch, only to keep the order.
"""

from collections.abc import Container, Iterable
from datetime import timedelta

from fingerprints.readers.heard_table import read_heard_table
from fingerprints.readers.survey_read import WALK_NOT_CHOSEN, BadLine, SurveyRead, finish_read, takes_walk
from fingerprints.scan import LabelledScan, Scan, Truth
from kernel.clock import EPOCH
from kernel.ids import ScanId
from venues.frame import LocalFrame

_NEEDED = ("LONGITUDE", "LATITUDE", "FLOOR")
_MAX_LOCAL_M = 10_000.0
_N_BEACONS = 24
_BEACONS = {str(i): f"x-BLE{i:02d}" for i in range(_N_BEACONS)}


def read_ujib1(
    content: bytes | Iterable[bytes],
    *,
    file: str = "Train.csv",
    walks: Container[str] | None = None,
    not_walks: Container[str] | None = None,
) -> SurveyRead:
    """Read one of the set's two files.

    Raises:
        SurveyFormatError: not such a file, or no row is good.
    """
    frame = LocalFrame(0.0, 0.0)
    scans: list[LabelledScan] = []
    bad_lines: list[BadLine] = []
    n_not_chosen = 0
    for row in read_heard_table(content, file=file, transmitters=_BEACONS, needed=_NEEDED, bad_lines=bad_lines):
        x_m, y_m = row.columns["LONGITUDE"], row.columns["LATITUDE"]
        if max(abs(x_m), abs(y_m)) > _MAX_LOCAL_M:
            bad_lines.append(BadLine(row.number, file, f"expected local metres, found {x_m:g}, {y_m:g}"))
            continue
        if not takes_walk(None, walks, not_walks):
            n_not_chosen += 1
            continue
        lon_deg, lat_deg = frame.to_lon_lat_deg((x_m, y_m)).tolist()
        scans.append(
            LabelledScan(
                Scan(EPOCH + timedelta(seconds=row.number), row.readings, ScanId(f"row-{row.number}")),
                Truth(lat_deg, lon_deg, str(int(row.columns["FLOOR"]))),
            )
        )
    return finish_read(scans, bad_lines, {WALK_NOT_CHOSEN: n_not_chosen})
