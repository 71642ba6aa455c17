"""What time it is: asked of an argument, never of the machine, so that a day can be replayed."""

from datetime import UTC, datetime
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Tells the present instant as an aware UTC ``datetime``."""

    def now(self) -> datetime: ...


def to_epoch_us(at: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, exact (a float second would lose the last digits)."""
    delta = at - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_epoch_us(value_us: int) -> datetime:
    """The instant that lies ``value_us`` microseconds after 1970-01-01 UTC."""
    seconds, micros = divmod(value_us, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
