"""The two clocks: the machine's, and the one that scans carry with them."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

from flow.errors import ClockAheadError
from flow.run_batch import CLOCK_TOLERANCE

MAX_JUMP: Final = timedelta(hours=24)
"""How far one scan may move the clock of events: a night between two days of a recording, not a wrong year."""


class SystemClock:
    """The machine's clock in UTC."""

    refuses_future = True

    def now(self) -> datetime:
        return datetime.now(UTC)

    def refusal(self, at: datetime) -> ClockAheadError | None:
        """Why a scan of this instant is not taken; None where it is."""
        return _refusal(at - self.now(), CLOCK_TOLERANCE)

    def saw(self, at: datetime) -> None:
        """The machine's clock does not listen to scans."""


class EventClock:
    """The greatest instant any scan has carried: a played day runs as fast as it is played.

    The first scan after ``start`` sets it wherever it says; any later one moves it by ``MAX_JUMP`` at most, so that
    one phone with a wrong date cannot move it for all. Never goes back; safe to read while another thread moves it.
    """

    refuses_future = False

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._is_running = False
        self._moving = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def refusal(self, at: datetime) -> ClockAheadError | None:
        """Why a scan of this instant may not move the clock; None where it may."""
        return _refusal(at - self._now, MAX_JUMP) if self._is_running else None

    def saw(self, at: datetime) -> None:
        with self._moving:
            if at > self._now:
                self._now, self._is_running = at, True


class PlayedClock(SystemClock):
    """The machine's clock at the instants of a simulation, whose driver sets it: it refuses what a real one would."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        """It is now so late. Set by one thread, read by any."""
        self._at = at


LiveClock = SystemClock | EventClock


def _refusal(ahead: timedelta, most: timedelta) -> ClockAheadError | None:
    return ClockAheadError(ahead) if ahead > most else None
