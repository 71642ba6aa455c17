"""The CSV shape of the UJI sets: one row a scan, one column a transmitter, 100 where nothing was heard."""

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fingerprints.errors import SurveyFormatError, TransmitterIdError
from fingerprints.readers.survey_read import BadLine
from fingerprints.scan import Reading
from fingerprints.transmitters import parse_bssid
from fingerprints.wire import MAX_RSSI_DBM, MIN_RSSI_DBM, merge_readings
from kernel.ids import TransmitterId

_NOT_HEARD = 100.0


@dataclass(frozen=True, slots=True)
class HeardRow:
    """One good row: its line number, what was heard, and the columns beside the transmitters'."""

    number: int
    readings: tuple[Reading, ...]
    columns: dict[str, float]


def read_heard_table(
    content: bytes | Iterable[bytes],
    *,
    file: str,
    transmitters: dict[str, str],
    needed: tuple[str, ...],
    optional: tuple[str, ...] = (),
    bad_lines: list[BadLine],
) -> Iterator[HeardRow]:
    """Yield the good rows; each bad one is added to ``bad_lines`` with its number.

    Args:
        transmitters: column name -> transmitter id in any accepted spelling.
        needed: columns that must hold a finite number in every row.
        optional: columns that must where the header has them.

    Raises:
        SurveyFormatError: the header lacks a needed column or has no transmitter.
    """
    lines = content.split(b"\n") if isinstance(content, bytes) else content
    numbered = enumerate(lines, start=1)
    header = next((_cells(line) for _, line in numbered), None) or []
    missing = [name for name in needed if name not in header]
    ids = {i: _id(transmitters[name]) for i, name in enumerate(header) if name in transmitters}
    if missing or not ids:
        what = f"the columns {', '.join(missing)}" if missing else "any transmitter column"
        raise SurveyFormatError(f"{file} line 1: expected {what}, found {len(header)} other columns")
    wanted = [(header.index(name), name) for name in (*needed, *optional) if name in header]
    for number, line in numbered:
        if not line.strip():
            continue
        try:
            cells = _row(line, len(header))
            columns = {name: _finite(cells[i], name) for i, name in wanted}
            readings = [_reading(ids[i], _finite(cells[i], header[i])) for i in ids if cells[i] not in ("100", "100.0")]
        except ValueError as error:
            bad_lines.append(BadLine(number, file, str(error)))
            continue
        yield HeardRow(number, merge_readings(r for r in readings if r is not None), columns)


def _cells(line: bytes) -> list[str] | None:
    try:
        return next(csv.reader([line.decode("utf-8-sig").strip()], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return None


def _row(line: bytes, n_cells: int) -> list[str]:
    cells = _cells(line)
    if cells is None or len(cells) != n_cells:
        found = "text that is no CSV" if cells is None else f"{len(cells)} cells"
        raise ValueError(f"expected {n_cells} cells, found {found}")
    return cells


def _id(spelling: str) -> TransmitterId:
    try:
        return parse_bssid(spelling)
    except TransmitterIdError as error:
        raise SurveyFormatError(str(error)) from error


def _finite(text: str, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"expected a number in {column}, found {text[:40]!r}") from None
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number in {column}, found {text[:40]!r}")
    return value


def _reading(transmitter: TransmitterId, rssi_dbm: float) -> Reading | None:
    if rssi_dbm == _NOT_HEARD:
        return None
    if not MIN_RSSI_DBM <= rssi_dbm <= MAX_RSSI_DBM:
        raise ValueError(f"expected {MIN_RSSI_DBM:g} to {MAX_RSSI_DBM:g} dBm (100 = not heard), found {rssi_dbm:g}")
    return Reading(transmitter, rssi_dbm)
