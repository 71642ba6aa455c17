"""A venue's time zone, which IMDF has no field for: an extension property of the venue feature."""

from dataclasses import replace
from typing import Final

from venues.archive import ImdfArchive

TIME_ZONE_PROPERTY: Final = "atrium_time_zone"
"""IANA name. It travels with the archive, so that an export and another import do not lose it."""


def time_zone_of(archive: ImdfArchive) -> str | None:
    """The zone that an archive tells; None where it tells none."""
    told = archive.of("venue")[0]["properties"].get(TIME_ZONE_PROPERTY)
    return told if isinstance(told, str) else None


def with_time_zone(archive: ImdfArchive, zone: str) -> ImdfArchive:
    """The same archive, telling this zone."""
    venue, *others = archive.of("venue")
    told = {**venue, "properties": {**venue["properties"], TIME_ZONE_PROPERTY: zone}}
    return replace(archive, features={**archive.features, "venue": (told, *others)})
