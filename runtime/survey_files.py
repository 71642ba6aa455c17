"""Survey paths opened and read by format: the one place where survey files meet the disk."""

import gzip
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

from fingerprints.readers import SurveyRead, read_ndjson, read_ujib1, read_ujiindoorloc, read_xyz10_survey
from runtime.errors import VenueFileError
from venues.xyz10 import level_frames

MAX_FILE_BYTES = 2 * 1024**3


class SurveyFormat(StrEnum):
    """The survey files that can be read."""

    NDJSON = "ndjson"
    XYZ10 = "xyz10"
    UJIINDOORLOC = "ujiindoorloc"
    UJIB1 = "ujib1"


def read_survey(
    path: Path,
    survey_format: SurveyFormat,
    *,
    walks: Path | None = None,
    not_walks: Path | None = None,
    steps: Path | None = None,
) -> SurveyRead:
    """Read a survey of any format; ``.gz`` is unpacked on the way.

    Raises:
        VenueFileError: a path cannot be read, or options do not go together.
        SurveyFormatError: no line is good.
    """
    if walks is not None and not_walks is not None:
        raise VenueFileError("--walks and --not-walks exclude each other")
    only = None if walks is None else read_walk_ids(walks)
    without = None if not_walks is None else read_walk_ids(not_walks)
    if survey_format is SurveyFormat.XYZ10:
        files = read_folder(path)
        return read_xyz10_survey(
            files,
            level_frames(files),
            walks=only,
            not_walks=without,
            steps=None if steps is None else read_file(steps),
        )
    if steps is not None:
        raise VenueFileError("--steps goes with --format xyz10 alone")
    readers: dict[SurveyFormat, Callable[..., SurveyRead]] = {
        SurveyFormat.NDJSON: read_ndjson,
        SurveyFormat.UJIINDOORLOC: read_ujiindoorloc,
        SurveyFormat.UJIB1: read_ujib1,
    }
    return readers[survey_format](read_file(path), file=path.name, walks=only, not_walks=without)


def read_walk_ids(path: Path) -> frozenset[str]:
    """Walk ids, one a line; a final ``.txt`` is taken off, ``#`` begins a comment."""
    lines = (line.partition("#")[0].strip() for line in _text(path).splitlines())
    ids = frozenset(line.removesuffix(".txt") for line in lines if line)
    if not ids:
        raise VenueFileError(f"{path} names no walk")
    return ids


def read_file(path: Path) -> bytes:
    """A file's content, unpacked when it is gzip.

    Raises:
        VenueFileError: it cannot be read, is damaged or too large.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise VenueFileError(f"{path} is larger than {MAX_FILE_BYTES} bytes")
        if path.suffix != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise VenueFileError(f"cannot read {path}: {error.strerror or error}") from error
    except EOFError as error:
        raise VenueFileError(f"cannot read {path}: the gzip file is cut off") from error
    if len(content) > MAX_FILE_BYTES:
        raise VenueFileError(f"{path} unpacks to more than {MAX_FILE_BYTES} bytes")
    return content


def read_folder(path: Path) -> dict[str, bytes]:
    """All files of a folder but pictures, by their path within it.

    Raises:
        VenueFileError: it is not a folder, or a file cannot be read.
    """
    if not path.is_dir():
        raise VenueFileError(f"{path} is not a folder")
    return {
        file.relative_to(path).as_posix(): read_file(file)
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.suffix not in {".png", ".jpg"}
    }


def open_lines(path: Path | None, stdin: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a file, or of standard input where the path is None or ``-``."""
    if path is None or str(path) == "-":
        yield from stdin
    else:
        yield from read_file(path).splitlines()


def _text(path: Path) -> str:
    try:
        return read_file(path).decode()
    except UnicodeDecodeError as error:
        raise VenueFileError(f"{path} is not UTF-8 text") from error
