"""Walks of the Indoor Location Competition 2.0 (XYZ10): one text file a walk, tab-separated.

| line | fields |
|---|---|
| way-point | ``t_ms TYPE_WAYPOINT x y`` metres in the floor-plan frame |
| Wi-Fi | ``t_ms TYPE_WIFI ssid bssid rssi freq last_seen_ms``; lines of one ``t_ms`` are one scan |
| beacon | ``t_ms TYPE_BEACON uuid major minor tx rssi distance mac ms`` |

A scan's true place is interpolated in time between the way-points around it; scans before the first or after the last
are left out and counted. A reading's age is the scan's time less its ``last_seen``. A beacon belongs to the first
Wi-Fi scan at or after it, if that comes within 5 s: a phone knows at a scan only what it heard before.
"""

import csv
import math
from bisect import bisect_left
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fingerprints.errors import SurveyFormatError, TransmitterIdError
from fingerprints.readers.survey_read import WALK_NOT_CHOSEN, BadLine, SurveyRead, finish_read, takes_walk
from fingerprints.scan import LabelledScan, Reading, Scan, Step, Truth
from fingerprints.transmitters import ibeacon_id, parse_bssid
from fingerprints.wire import MAX_AGE_MS, MAX_RSSI_DBM, MIN_RSSI_DBM, merge_readings
from kernel.clock import EPOCH
from kernel.ids import DeviceId, ScanId

BEACON_JOIN_MS = 5_000
_FOLDER = "path_data_files"
_MAX_EPOCH_MS = 4_102_444_800_000  # the year 2100
_OUTSIDE = "scans before the first or after the last way-point"
_UNPLACED = "scans of walks without two way-points"


class PlanFrame(Protocol):
    """A floor plan's frame: metres from its lower left corner to longitude and latitude."""

    def to_lon_lat_deg(self, xy_m: ArrayLike) -> NDArray[np.float64]: ...


@dataclass(slots=True)
class _Walk:
    """One file's lines, sorted by kind."""

    way_points: list[tuple[int, float, float]] = field(default_factory=list)
    scans: dict[int, list[Reading]] = field(default_factory=dict)
    beacons: list[tuple[int, Reading]] = field(default_factory=list)


def read_xyz10_survey(
    files: Mapping[str, bytes],
    frames: Mapping[str, PlanFrame],
    *,
    walks: Container[str] | None = None,
    not_walks: Container[str] | None = None,
    steps: bytes | None = None,
) -> SurveyRead:
    """Read all walks of a folder in that layout: ``LEVEL/path_data_files/WALK.txt``.

    Args:
        files: path within the folder (``/`` between parts) -> content; other files are ignored.
        frames: level's short name -> its plan's frame (``venues.xyz10.level_frames``).
        steps: content of a ``walk,t_ms,heading_deg,step_period_ms`` table; the steps between a phone's last scan
            and this one go into the scan.

    Raises:
        SurveyFormatError: no scan is good.
    """
    scans: list[LabelledScan] = []
    bad_lines: list[BadLine] = []
    left_out = {_OUTSIDE: 0, _UNPLACED: 0, WALK_NOT_CHOSEN: 0}
    steps_of = {} if steps is None else _read_steps(steps, bad_lines)
    for path in sorted(files):
        parts = PurePosixPath(path).parts
        if len(parts) < 3 or parts[-2] != _FOLDER or not parts[-1].endswith(".txt"):
            continue
        level, walk_id = parts[-3], parts[-1].removesuffix(".txt")
        if level not in frames:
            bad_lines.append(BadLine(0, path, f"expected a level with a plan ({', '.join(frames)}), found {level}"))
            continue
        walk = _read_walk(files[path], path, bad_lines)
        if not takes_walk(walk_id, walks, not_walks):
            left_out[WALK_NOT_CHOSEN] += len(walk.scans)
            continue
        scans += _place(
            walk,
            walk_id,
            level=level,
            frame=frames[level],
            steps=steps_of.get(walk_id, ()),
            left_out=left_out,
        )
    return finish_read(scans, bad_lines, left_out)


def _read_walk(content: bytes, path: str, bad_lines: list[BadLine]) -> _Walk:
    walk = _Walk()
    for number, line in enumerate(content.split(b"\n"), start=1):
        cells = line.decode("utf-8", errors="replace").rstrip("\r").split("\t")
        if line.startswith(b"#") or not line.strip():
            continue
        try:
            _read_line(cells, walk)
        except (ValueError, TransmitterIdError) as error:
            bad_lines.append(BadLine(number, path, str(error)))
    return walk


def _read_line(cells: list[str], walk: _Walk) -> None:
    kind = cells[1] if len(cells) > 1 else ""
    if kind == "TYPE_WAYPOINT":
        _expect(cells, 4)
        x_m, y_m = float(cells[2]), float(cells[3])
        if not (math.isfinite(x_m) and math.isfinite(y_m)):
            raise ValueError(f"expected a place in metres, found {x_m}, {y_m}")
        walk.way_points.append((_epoch_ms(cells[0]), x_m, y_m))
    elif kind == "TYPE_WIFI":
        _expect(cells, 7)
        t_ms = _epoch_ms(cells[0])
        age_ms = min(max(float(t_ms - _epoch_ms(cells[6])), 0.0), MAX_AGE_MS)
        reading = Reading(parse_bssid(cells[3]), _rssi(cells[4]), age_ms, int(cells[5]))
        heard = walk.scans.setdefault(t_ms, [])  # also when the only reading asks not to be mapped
        if not cells[2].endswith("_nomap"):
            heard.append(reading)
    elif kind == "TYPE_BEACON":
        _expect(cells, 7)
        reading = Reading(ibeacon_id(cells[2], int(cells[3]), int(cells[4])), _rssi(cells[6]))
        walk.beacons.append((_epoch_ms(cells[0]), reading))
    elif not kind.startswith("TYPE_"):  # the format's other sensors are of no use here
        raise ValueError(f"expected a line of kind TYPE_..., found {kind[:40]!r}")


def _expect(cells: list[str], count: int) -> None:
    if len(cells) < count:
        raise ValueError(f"expected {count} tab-separated fields for {cells[1]}, found {len(cells)}")


def _epoch_ms(text: str) -> int:
    value = int(text)
    if not 0 <= value <= _MAX_EPOCH_MS:
        raise ValueError(f"expected epoch milliseconds, found {text[:40]}")
    return value


def _rssi(text: str) -> float:
    value = float(text)
    if not MIN_RSSI_DBM <= value <= MAX_RSSI_DBM:
        raise ValueError(f"expected {MIN_RSSI_DBM:g} to {MAX_RSSI_DBM:g} dBm, found {text[:40]}")
    return value


def _place(
    walk: _Walk,
    walk_id: str,
    *,
    level: str,
    frame: PlanFrame,
    steps: Sequence[tuple[int, float]],
    left_out: dict[str, int],
) -> list[LabelledScan]:
    """The walk's scans that lie between its way-points, with their interpolated places."""
    way_points = sorted(walk.way_points)
    if len(way_points) < 2:
        left_out[_UNPLACED] += len(walk.scans)
        return []
    track_ms, track_x_m, track_y_m = (np.array(column, dtype=np.float64) for column in zip(*way_points, strict=True))
    times_ms = sorted(walk.scans)
    beacons_of: dict[int, list[Reading]] = {}
    for heard_ms, reading in walk.beacons:
        after = bisect_left(times_ms, heard_ms)
        if after < len(times_ms) and times_ms[after] - heard_ms <= BEACON_JOIN_MS:
            t_ms = times_ms[after]
            joined = Reading(reading.transmitter, reading.rssi_dbm, float(t_ms - heard_ms))
            beacons_of.setdefault(t_ms, []).append(joined)
    xy_m = np.stack([np.interp(times_ms, track_ms, track_x_m), np.interp(times_ms, track_ms, track_y_m)], axis=-1)
    lon_lat_deg = frame.to_lon_lat_deg(xy_m) if times_ms else xy_m
    placed = []
    for n, t_ms in enumerate(times_ms):
        if not track_ms[0] <= t_ms <= track_ms[-1]:
            left_out[_OUTSIDE] += 1
            continue
        scan = Scan(
            at=EPOCH + timedelta(milliseconds=t_ms),
            readings=merge_readings([*walk.scans[t_ms], *beacons_of.get(t_ms, ())]),
            scan_id=ScanId(f"{walk_id}-{n}"),
            device_id=DeviceId(walk_id),
            steps=_steps_between(steps, times_ms[n - 1] if n else -1, t_ms),
        )
        lon_deg, lat_deg = lon_lat_deg[n].tolist()
        placed.append(LabelledScan(scan, Truth(lat_deg, lon_deg, level), walk_id))
    return placed


def _steps_between(steps: Sequence[tuple[int, float]], after_ms: int, until_ms: int) -> tuple[Step, ...]:
    return tuple(
        Step(EPOCH + timedelta(milliseconds=t_ms), heading_rad)
        for t_ms, heading_rad in steps
        if after_ms < t_ms <= until_ms
    )


def _read_steps(content: bytes, bad_lines: list[BadLine]) -> dict[str, list[tuple[int, float]]]:
    """Walk -> its steps (epoch milliseconds, heading in radians) in time order."""
    rows = csv.reader(content.decode("utf-8-sig", errors="replace").splitlines())
    header = next(rows, [])
    if header[:3] != ["walk", "t_ms", "heading_deg"]:
        raise SurveyFormatError(f"steps line 1: expected walk,t_ms,heading_deg, found {','.join(header)[:80]!r}")
    steps: dict[str, list[tuple[int, float]]] = {}
    for number, row in enumerate(rows, start=2):
        try:
            steps.setdefault(row[0] if row else "", []).append(_step(row))
        except ValueError as error:
            bad_lines.append(BadLine(number, "steps", str(error)))
    return {walk: sorted(of_walk) for walk, of_walk in steps.items()}


def _step(row: list[str]) -> tuple[int, float]:
    if len(row) < 3:
        raise ValueError(f"expected 3 cells, found {len(row)}")
    heading_rad = math.radians(float(row[2]))
    if not math.isfinite(heading_rad):
        raise ValueError(f"expected a heading in degrees, found {row[2][:40]}")
    return _epoch_ms(row[1]), heading_rad
