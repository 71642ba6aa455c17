"""When a venue's day begins: at 04:00 of its own time, when nobody shops. Every visit ends with its day."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta, tzinfo

import numpy as np

from kernel.ids import VenueId
from scenes.kernels.record import I64
from scenes.places import PlaceBook
from scenes.record import EPOCH

DAY_BEGINS: time = time(4)


def service_day_start(at: datetime, zone: tzinfo) -> datetime:
    """The newest 04:00 of a zone that is not after ``at``.

    Where the clock skips 04:00, the instant that would have been.

    >>> service_day_start(datetime(2026, 11, 22, 3, 59, tzinfo=UTC), UTC)
    datetime.datetime(2026, 11, 21, 4, 0, tzinfo=datetime.timezone.utc)
    """
    local = at.astimezone(zone)
    start = datetime.combine(local.date(), DAY_BEGINS, zone).astimezone(UTC)
    if start > at:
        start = datetime.combine(local.date() - timedelta(days=1), DAY_BEGINS, zone).astimezone(UTC)
    return start


class ServiceDays:
    """When the days of venues begin, in minutes since 1960; remembers the last day asked of each venue."""

    def __init__(self, zones: Mapping[VenueId, tzinfo]) -> None:
        """Args:
        zones: of the venues that tell theirs; UTC for the others.
        """
        self._zones = zones
        self._days: dict[VenueId | None, tuple[datetime, datetime, int]] = {}

    def base_min(self, venue_id: VenueId | None, at: datetime) -> int:
        """The start of the day that ``at`` falls into."""
        known = self._days.get(venue_id)
        if known is not None and known[0] <= at < known[1]:
            return known[2]
        zone = UTC if venue_id is None else self._zones.get(venue_id, UTC)
        start = service_day_start(at, zone)
        over = service_day_start(start + timedelta(hours=26), zone)
        base = (start - EPOCH) // timedelta(minutes=1)
        self._days[venue_id] = start, over, base
        return base

    def base_of_each(self, places: PlaceBook, at: datetime) -> I64:
        """(n_venues,) the same of all venues, by their numbers."""
        return np.array([self.base_min(venue_id, at) for venue_id in places.venue_ids], dtype=np.int64)
