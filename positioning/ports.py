"""What positioning needs from the outside, and what it gives: one protocol each."""

from collections.abc import Sequence
from typing import Protocol

from fingerprints.scan import Scan
from kernel.ids import VenueId
from positioning.confirmed import ConfirmedScan
from positioning.position import Located


class Locator(Protocol):
    """Answers scans, in order; one answer a scan; the same scan always gets the same answer."""

    def locate(self, scans: Sequence[Scan]) -> list[Located]: ...

    @property
    def venue_ids(self) -> tuple[VenueId, ...]: ...


class ConfirmedPlaces(Protocol):
    """Scans whose store a payment or a redemption vouches for, fed from outside; in the order of time.

    What is told is a learning sample: store, transmitters and powers, the day, a group that says nothing of a person.
    """

    def confirmed(self, venue_id: VenueId) -> Sequence[ConfirmedScan]: ...


class Tracker(Protocol):
    """Betters scans' own answers by what the same phones heard before; keeps nothing itself.

    A phone's record is packed bytes of fixed size, None for a phone not seen. The same arguments give the same result,
    each phone's hangs on its own alone, and a scan that is not newer than the record changes nothing.
    """

    def advance_many(
        self, records: Sequence[bytes | None], located: Sequence[Located], scans: Sequence[Scan]
    ) -> list[tuple[bytes | None, Located]]: ...
