"""The answer to one scan, as the wire format states it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from kernel.ids import LevelId, StoreId, VenueId

LocatorName = Literal["light", "full"]


class NoPositionReason(StrEnum):
    """Why there is no honest answer. None of these is a failure of the system."""

    NO_READINGS = "no_readings"
    UNKNOWN_RADIO = "unknown_radio"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A store front and the probability that the phone is in or before it, rather than another store's."""

    store_id: StoreId
    store_name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Position:
    """Where the phone is.

    ``candidates`` are ranked, given that the phone is in or before a store. ``in_store`` is the probability of
    being inside any store (None where the venue has no polygons); ``store_id`` is None in a walkway.
    ``confidence`` is that of ``store_id``, else of "in no store". ``store_set`` is made to hold the true store
    95 times in 100, ``accuracy_m`` to hold the true place 68 times in 100.
    """

    venue_id: VenueId
    level: str | None
    level_id: LevelId | None
    lat_deg: float
    lon_deg: float
    accuracy_m: float
    confidence: float
    building: str | None = None
    in_store: float | None = None
    store_id: StoreId | None = None
    store_name: str | None = None
    candidates: tuple[Candidate, ...] = ()
    store_set: tuple[StoreId, ...] = ()
    locator: LocatorName = "light"


@dataclass(frozen=True, slots=True)
class Located:
    """One scan's answer: a position, or the reason why there is none. Exactly one of the two is set."""

    position: Position | None
    reason: NoPositionReason | None = None
