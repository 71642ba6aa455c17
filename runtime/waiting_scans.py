"""The last minutes of scans of phones with consent to analytics: in memory, until a till names the store, or gone."""

import secrets
import sys
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fingerprints.scan import Scan
from kernel.ids import DeviceRef, TenantId, VenueId

KEPT: Final = timedelta(minutes=10)
REACH: Final = timedelta(minutes=3)
"""How far from a payment a scan may be and still be of the same store."""
MOST_SCANS: Final = 20_000
"""About 15 MB with 60 readings each; the phones that were heard longest ago go first."""
_MOST_OF_PHONE: Final = 60
"""A phone that scans every ten seconds."""


@dataclass(frozen=True, slots=True)
class WaitingScan:
    """A scan that a payment may vouch for.

    Args:
        id: random: of the learning sample that it may become, so that it becomes one only.
        readings: transmitters and powers in whole dBm.
        phone_class: the maker of the phone's model.
    """

    id: str
    at: datetime
    venue_id: VenueId
    readings: tuple[tuple[str, int], ...]
    phone_class: str


class WaitingScans:
    """Added to by the engine, asked by tills, on any threads. Never written anywhere: a stop forgets it."""

    def __init__(self, most_scans: int = MOST_SCANS) -> None:
        self._most = most_scans
        self._n = 0
        self._of_phone: OrderedDict[tuple[TenantId, DeviceRef], deque[WaitingScan]] = OrderedDict()
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return self._n

    def add(self, tenant: TenantId, ref: DeviceRef, scan: Scan, venue_id: VenueId, model: str | None) -> None:
        """Let a scan wait; its phone must allow analytics, and be an adult's."""
        readings = tuple((sys.intern(str(one.transmitter)), round(one.rssi_dbm)) for one in scan.readings)
        waiting = WaitingScan("smp_" + secrets.token_hex(12), scan.at, venue_id, readings, phone_class_of(model))
        with self._guard:
            held = self._of_phone.setdefault((tenant, ref), deque())
            self._of_phone.move_to_end((tenant, ref))
            held.append(waiting)
            self._n += 1
            if len(held) > _MOST_OF_PHONE:
                held.popleft()
                self._n -= 1
            while self._n > self._most:
                self._drop(next(iter(self._of_phone)))

    def newest(self, tenant: TenantId, ref: DeviceRef, at: datetime, now: datetime) -> WaitingScan | None:
        """The newest scan of a phone within reach of ``at`` that may still wait; None where there is none."""
        with self._guard:
            near = [
                one
                for one in self._of_phone.get((tenant, ref), ())
                if abs(one.at - at) <= REACH and now - one.at <= KEPT
            ]
        return max(near, key=lambda one: one.at, default=None)

    def forget(self, tenant: TenantId, ref: DeviceRef) -> None:
        """Drop all of a phone."""
        with self._guard:
            if (tenant, ref) in self._of_phone:
                self._drop((tenant, ref))

    def drop_old(self, now: datetime) -> None:
        """Drop what has waited its time."""
        with self._guard:
            for key, held in list(self._of_phone.items()):
                kept = deque(one for one in held if now - one.at <= KEPT)
                self._n -= len(held) - len(kept)
                if kept:
                    self._of_phone[key] = kept
                else:
                    del self._of_phone[key]

    def _drop(self, key: tuple[TenantId, DeviceRef]) -> None:
        self._n -= len(self._of_phone.pop(key))


def phone_class_of(model: str | None) -> str:
    """The class of a phone: the first word of its model, since a rare model may be one person's.

    >>> phone_class_of("Pixel 8 Pro"), phone_class_of(None)
    ('pixel', 'unknown')
    """
    words = (model or "").lower().split()
    return words[0][:32] if words else "unknown"
