"""The words of a scene: phases, places, fixes and visits as plain values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kernel.ids import LevelId, StoreId, VenueId, VisitId
from scenes.rules import PlaceKind


class Phase(StrEnum):
    """Where a phone stands with respect to a venue (``docs/glossary.md``); in the order of the records' numbers."""

    AWAY = "away"
    APPROACHING = "approaching"
    IN_VENUE = "in_venue"
    IN_STORE = "in_store"
    LEAVING = "leaving"


class Presence(StrEnum):
    """How sure a scene is that the phone is where it was last heard: ``WEAK`` while no visit is confirmed, as of one
    that scans twice an hour."""

    CONFIRMED = "confirmed"
    WEAK = "weak"


@dataclass(frozen=True, slots=True)
class Place:
    """A place a visit is at, with the venue it belongs to."""

    kind: PlaceKind
    id: str
    venue_id: VenueId


@dataclass(frozen=True, slots=True)
class Fix:
    """What one scan's answer says of places; a fix of an unknown place has ``venue_id`` None.

    ``stores`` is the evidence per store, ``in_store`` x probability, best first; ``walkway`` the probability of
    standing in no store (None where the venue cannot tell). ``front`` is the store front before which a phone in a
    walkway stands, where that is likelier than not. ``at`` is in whole milliseconds.
    """

    at: datetime
    venue_id: VenueId | None = None
    level_id: LevelId | None = None
    stores: tuple[tuple[StoreId, float], ...] = ()
    walkway: float | None = None
    front: StoreId | None = None
    is_at_exit: bool = False
    is_approaching: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """A stay at one place. ``left_at`` is None while it is open; the times are those of fixes inside.

    ``is_void``: late scans showed that there was no such visit.
    """

    visit_id: VisitId
    place: Place
    arrived_at: datetime
    last_inside_at: datetime
    fix_count: int
    confidence: float
    is_counted: bool = False
    marks_passed: int = 0
    revision: int = 0
    left_at: datetime | None = None
    is_void: bool = False

    @property
    def dwell_s(self) -> float:
        """Seconds from the first to the last fix inside."""
        return (self.last_inside_at - self.arrived_at).total_seconds()
