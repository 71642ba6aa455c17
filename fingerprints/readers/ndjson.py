"""Labelled scans in the wire format, one JSON object a line: Atrium's own survey file."""

from collections.abc import Container, Iterable

from fingerprints.errors import ScanFormatError
from fingerprints.readers.survey_read import WALK_NOT_CHOSEN, BadLine, SurveyRead, finish_read, takes_walk
from fingerprints.scan import LabelledScan
from fingerprints.wire import decode_json, to_labelled_scan


def read_ndjson(
    lines: bytes | Iterable[bytes],
    *,
    file: str = "survey.ndjson",
    walks: Container[str] | None = None,
    not_walks: Container[str] | None = None,
) -> SurveyRead:
    """Read labelled scans, one a line; empty lines are skipped.

    Raises:
        SurveyFormatError: no line is good.
    """
    scans: list[LabelledScan] = []
    bad_lines: list[BadLine] = []
    n_not_chosen = 0
    for number, line in enumerate(lines.split(b"\n") if isinstance(lines, bytes) else lines, start=1):
        if not line.strip():
            continue
        try:
            labelled = to_labelled_scan(decode_json(line))
        except ScanFormatError as error:
            bad_lines.append(BadLine(number, file, str(error)))
            continue
        if takes_walk(labelled.walk, walks, not_walks):
            scans.append(labelled)
        else:
            n_not_chosen += 1
    return finish_read(scans, bad_lines, {WALK_NOT_CHOSEN: n_not_chosen})
