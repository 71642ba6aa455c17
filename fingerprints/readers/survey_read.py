"""What every survey reader gives: the good scans, the bad lines by number, and what was left out on purpose."""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from fingerprints.errors import SurveyFormatError
from fingerprints.scan import LabelledScan


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that could not be used. ``number`` counts from 1 as editors do; 0 stands for the file as a whole."""

    number: int
    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Good input that the survey cannot use, such as scans outside the way-points, and how much of it."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class SurveyRead:
    """A survey source, read: its scans in file order and all that did not become one."""

    scans: tuple[LabelledScan, ...]
    bad_lines: tuple[BadLine, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def finish_read(scans: Iterable[LabelledScan], bad_lines: Iterable[BadLine], left_out: dict[str, int]) -> SurveyRead:
    """Close a reading; a source without one good scan is refused, with its first fault as the reason.

    Raises:
        SurveyFormatError: no scan is good.
    """
    read = SurveyRead(
        tuple(scans), tuple(bad_lines), tuple(LeftOut(reason, count) for reason, count in left_out.items() if count)
    )
    if not read.scans:
        if read.bad_lines:
            first = read.bad_lines[0]
            detail = f"first fault: {first.file} line {first.number}: {first.reason}"
        elif read.left_out:
            detail = "; ".join(f"{item.count} {item.reason}" for item in read.left_out)
        else:
            detail = "it is empty"
        raise SurveyFormatError(f"expected at least one good labelled scan, found none; {detail}")
    return read


def takes_walk(walk: str | None, walks: Container[str] | None, not_walks: Container[str] | None) -> bool:
    """Whether a walk passes the filters: in ``walks`` where given, and not in ``not_walks``."""
    if walks is not None and (walk is None or walk not in walks):
        return False
    return not_walks is None or walk is None or walk not in not_walks


WALK_NOT_CHOSEN = "scans of walks that were not chosen"
