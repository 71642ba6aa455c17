"""Simulated time against the wall clock: never faster than told, and late rather than with a gap."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

_SLICE_S = 0.2
"""Longest wait before asking again whether to stop."""


class Stopped(Exception):
    """The caller asked the run to end."""


@dataclass
class Pacer:
    """Holds the run back to ``speed`` times life.

    When the server is slower than that, the run slips: the lost time is not made up afterwards, and no scan is left
    out. Call ``wait_until`` with instants that never go back.
    """

    speed: float
    stop: Callable[[], bool]
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    slipped_s: float = 0.0
    _base_s: float | None = field(default=None, init=False)

    def wait_until(self, sim_s: float) -> None:
        """Return when simulated second ``sim_s`` (since the first call's) is due; raises ``Stopped``."""
        if self._base_s is None:
            self._base_s = self.monotonic() - sim_s / self.speed
        due_s = self._base_s + sim_s / self.speed
        late_s = self.monotonic() - due_s
        if late_s > 0.0:
            self._base_s += late_s
            self.slipped_s += late_s
            due_s += late_s
        self.pause(due_s - self.monotonic())

    def pause(self, wait_s: float) -> None:
        """Wait in slices; raises ``Stopped`` as soon as the caller asks for the end."""
        until_s = self.monotonic() + wait_s
        while True:
            if self.stop():
                raise Stopped
            left_s = until_s - self.monotonic()
            if left_s <= 0.0:
                return
            self.sleep(min(left_s, _SLICE_S))
