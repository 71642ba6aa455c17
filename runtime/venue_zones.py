"""Time zones of stored venues: which names there are, and what a stored map tells, without building the venue."""

import io
import json
import zipfile
from zoneinfo import ZoneInfo, available_timezones

from runtime.errors import VenueFileError
from venues.archive import ImdfArchive
from venues.time_zone import time_zone_of

_OF_THE_MACHINE = {"localtime", "Factory"}


def check_time_zone(name: str) -> str:
    """An IANA time zone's name.

    Raises:
        VenueFileError: there is no such zone.
    """
    if name not in available_timezones() - _OF_THE_MACHINE:
        raise VenueFileError(f"expected an IANA time zone such as Asia/Shanghai, found {name[:80]!r}")
    return str(ZoneInfo(name))


def zone_told_by(stored: bytes) -> str | None:
    """The zone in a map as ``write_archive`` wrote it; only the venue's feature is read, about 1 ms.

    Raises:
        VenueFileError: the bytes are no such archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(stored)) as held:
            features = json.loads(held.read("venue.geojson"))["features"]
        return time_zone_of(ImdfArchive({}, {"venue": tuple(features)}))
    except (zipfile.BadZipFile, ValueError, LookupError, TypeError, AttributeError) as error:
        raise VenueFileError("a stored map cannot be read") from error
