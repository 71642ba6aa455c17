"""What positioning needs from the outside, and what it gives: one protocol each."""

from collections.abc import Sequence
from typing import Protocol

from fingerprints.scan import Scan
from kernel.ids import VenueId
from positioning.position import Located


class Locator(Protocol):
    """Answers scans, in order; one answer a scan; the same scan always gets the same answer."""

    def locate(self, scans: Sequence[Scan]) -> list[Located]: ...

    @property
    def venue_ids(self) -> tuple[VenueId, ...]: ...
