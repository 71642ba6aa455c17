"""What time it is: asked of an argument, never of the machine, so that a day can be replayed."""

from datetime import UTC, datetime
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Tells the present instant as an aware UTC ``datetime``."""

    def now(self) -> datetime: ...


LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""No phone, consent or campaign is dated outside 1970..2200; such an instant is a mistake, and arithmetic at the
edges of the calendar overflows."""


def sane_utc(at: datetime) -> datetime:
    """An aware instant in UTC, between ``EPOCH`` and ``LATEST``.

    Raises:
        ValueError: without zone, or outside that range.
    """
    if at.tzinfo is None:
        raise ValueError("an instant needs its zone, such as a final Z")
    try:
        moved = at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the instant is out of range") from None
    if not EPOCH <= moved < LATEST:
        raise ValueError("the instant is out of range: expected 1970 to 2199")
    return moved


def to_epoch_us(at: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, exact (a float second would lose the last digits)."""
    delta = at - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_epoch_us(value_us: int) -> datetime:
    """The instant that lies ``value_us`` microseconds after 1970-01-01 UTC."""
    seconds, micros = divmod(value_us, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
