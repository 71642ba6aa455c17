"""One phone's scene as a plain value: its last fixes, its open visits, its phase.

Frozen throughout: ``advance`` returns a new one, so a batch that fails midway leaves the old state whole.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import msgspec

from kernel.ids import LevelId, StoreId, VenueId, VisitId
from scenes.errors import SnapshotError
from scenes.rules import PlaceKind


class Phase(StrEnum):
    """Where a phone stands with respect to a venue (``docs/glossary.md``)."""

    AWAY = "away"
    APPROACHING = "approaching"
    IN_VENUE = "in_venue"
    IN_STORE = "in_store"
    LEAVING = "leaving"


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
    standing in no store (None where the venue cannot tell).
    """

    at: datetime
    venue_id: VenueId | None = None
    level_id: LevelId | None = None
    stores: tuple[tuple[StoreId, float], ...] = ()
    walkway: float | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """A stay at one place. ``left_at`` is None while it is open; the times are those of fixes inside."""

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

    @property
    def dwell_s(self) -> float:
        """Seconds from the first to the last fix inside."""
        return (self.last_inside_at - self.arrived_at).total_seconds()


@dataclass(frozen=True, slots=True)
class PhoneScene:
    """All that the engine remembers of a phone.

    ``open_visits`` holds at most one visit a kind; ``closed_visits`` the last one of each kind, for the merge gap.
    """

    phase: Phase = Phase.AWAY
    phase_since: datetime | None = None
    last_at: datetime | None = None
    fixes: tuple[Fix, ...] = ()
    phase_changes: int = 0
    open_visits: dict[PlaceKind, Visit] = field(default_factory=dict)
    closed_visits: dict[PlaceKind, Visit] = field(default_factory=dict)

    @property
    def innermost(self) -> Visit | None:
        """The open visit of the smallest place, None when there is none."""
        for kind in PlaceKind:
            if kind in self.open_visits:
                return self.open_visits[kind]
        return None


class _Snapshot(msgspec.Struct):
    version: int
    scene: PhoneScene


_SNAPSHOT_VERSION = 1
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Snapshot)


def snapshot(scene: PhoneScene) -> bytes:
    """The scene as bytes; ``restore`` of them continues as if nothing had happened in between."""
    return _encoder.encode(_Snapshot(_SNAPSHOT_VERSION, scene))


def restore(data: bytes) -> PhoneScene:
    """Read a snapshot back.

    Raises:
        SnapshotError: damaged, or of a version that this code does not know.
    """
    try:
        held = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SnapshotError(f"a phone's scene cannot be read back: {error}") from error
    if held.version != _SNAPSHOT_VERSION:
        raise SnapshotError(f"expected scene version {_SNAPSHOT_VERSION}, found {held.version}")
    return held.scene
