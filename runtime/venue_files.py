"""Map paths opened and read by format."""

from enum import StrEnum
from pathlib import Path

from runtime.errors import VenueFileError
from runtime.survey_files import read_file, read_folder
from venues.imdf import ReadResult, read_archive
from venues.xyz10 import read_xyz10


class VenueFormat(StrEnum):
    """The maps that can be read."""

    IMDF = "imdf"
    XYZ10 = "xyz10"


def read_map(path: Path, map_format: VenueFormat, *, lenient: bool) -> ReadResult:
    """Read a map of any format.

    Raises:
        VenueFileError: the path cannot be read.
        MapRefusedError: it holds faults; all of them are in the error.
    """
    if map_format is VenueFormat.IMDF:
        if path.is_dir():
            raise VenueFileError(f"{path} is a folder; an IMDF archive is a zip file")
        return read_archive(read_file(path), lenient=lenient)
    files = {name: data for name, data in read_folder(path).items() if name.endswith(".json")}
    return ReadResult(read_xyz10(files, path.resolve().name), ())
