"""How many phones that allowed nothing were in a venue on a day: a number, never who.

Each is counted through a keyed hash in memory. The key is random, lives for one venue day (cut at local 04:00)
and is then dropped with the hashes; only the number is ever written.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from kernel.ids import DeviceId, TenantId, VenueId
from scenes.service_day import service_day_start


@dataclass(slots=True)
class _Day:
    day: str
    zone: tzinfo
    already: int
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    seen: set[bytes] = field(default_factory=set)
    written: int = 0


class PresenceCounter:
    """Counts phones by venue day. A restart forgets who was seen: such phones count again from then on."""

    def __init__(self, stored: Mapping[tuple[TenantId, VenueId, str], int]) -> None:
        self._stored = stored
        self._days: dict[tuple[TenantId, VenueId], _Day] = {}

    def saw(self, tenant: TenantId, venue: VenueId, device: DeviceId, at: datetime, zone: tzinfo) -> None:
        """Count a phone once a venue day."""
        day = _venue_day(at, zone)
        held = self._days.get((tenant, venue))
        if held is not None and day < held.day:
            return  # a late scan of a day whose key is gone
        if held is None or day > held.day:
            held = self._days[tenant, venue] = _Day(day, zone, self._stored.get((tenant, venue, day), 0))
        held.seen.add(hashlib.blake2b(device.encode(), key=held.key, digest_size=16).digest())

    def drop_over(self, now: datetime) -> None:
        """Drop the keys and hashes of days that are over, whether or not a new phone has come."""
        for key, held in list(self._days.items()):
            if _venue_day(now, held.zone) > held.day:
                stored = {**self._stored, (*key, held.day): held.already + len(held.seen)}
                self._stored = {where: n for where, n in stored.items() if where[2] >= oldest_day(now)}
                del self._days[key]

    def take_changes(self) -> dict[tuple[TenantId, VenueId, str], int]:
        """The counts that changed since they were last taken: phones by (tenant, venue, day)."""
        changed: dict[tuple[TenantId, VenueId, str], int] = {}
        for (tenant, venue), held in self._days.items():
            if len(held.seen) != held.written:
                held.written = len(held.seen)
                changed[tenant, venue, held.day] = held.already + held.written
        return changed


def oldest_day(now: datetime) -> str:
    """The oldest venue day that a scan of the last 24 h can fall in, wherever the venue is, and one to spare."""
    return (now - timedelta(days=3)).date().isoformat()


def _venue_day(at: datetime, zone: tzinfo) -> str:
    """The venue day an instant belongs to: local days that begin at 04:00."""
    return service_day_start(at, zone).astimezone(zone).date().isoformat()
