"""The two clocks: the machine's, and the one that scans carry with them."""

import threading
from datetime import UTC, datetime


class SystemClock:
    """The machine's clock in UTC."""

    refuses_future = True

    def now(self) -> datetime:
        return datetime.now(UTC)

    def saw(self, at: datetime) -> None:
        """The machine's clock does not listen to scans."""


class EventClock:
    """The greatest instant any scan has carried: a played day runs as fast as it is played.

    Never goes back; safe to read while another thread moves it.
    """

    refuses_future = False

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._moving = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def saw(self, at: datetime) -> None:
        with self._moving:
            self._now = max(self._now, at)


LiveClock = SystemClock | EventClock
