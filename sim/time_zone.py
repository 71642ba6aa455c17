"""The time zone of a simulated mall, whose hours are told by its offset from UTC."""

from typing import Final

_NAMED: Final = {0: "UTC", 8: "Asia/Shanghai"}
"""Zones without summer time, as the simulation has none."""


def zone_of_offset(utc_offset_h: int) -> str:
    """A zone that is always so many hours ahead of UTC; what the tz database calls ``Etc/GMT-9`` is 9 hours ahead.

    >>> zone_of_offset(8), zone_of_offset(9), zone_of_offset(-5)
    ('Asia/Shanghai', 'Etc/GMT-9', 'Etc/GMT+5')
    """
    return _NAMED.get(utc_offset_h) or f"Etc/GMT{-utc_offset_h:+d}"
