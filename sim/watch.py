"""What whoever watches a day is told of it: scans as they are answered, cards as they are shown, coupons as they go."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from atrium_client.wire import Answer
from sim.checkout import Redeeming

if TYPE_CHECKING:
    from sim.day import Day


@dataclass(frozen=True, slots=True)
class Heard:
    """A scan as it was made and sent; seconds since opening, ``said_s`` by the phone's clock.

    ``place`` is level index, venue-frame metres and store index (-1 for none), all of it -1 and NaN for a rogue's.
    """

    phone: int
    kind: int
    number: int
    device_id: str
    at_s: float
    sent_s: float
    said_s: float
    place: tuple[int, float, float, int]
    n_readings: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A card that a phone shows; ``store`` is where its scan was truly made, ``goes``: its person follows it."""

    phone: int
    kind: int
    campaign_id: str
    at_s: float
    store: int
    goes: bool


class Watch(Protocol):
    """Whoever is told of the day as it goes by."""

    def arrived(self, n_scans: int, n_again: int, n_changed: int) -> None:
        """So many scans reached the server, so many of them again, and so many of those were answered otherwise."""
        ...

    def answered(self, day: "Day", heard: Heard, answer: Answer) -> None:
        """A scan was answered for the first time; in the order in which the server takes them in."""
        ...

    def showed(self, day: "Day", shown: Shown) -> None:
        """A phone shows a card."""
        ...

    def redeemed(self, redeeming: Redeeming, said: str) -> None:
        """A till was told ``redeemed``, or the code of a refusal."""
        ...
