"""Errors of the flow.

InputRefusedError
└── ClockAheadError    a scan dated in the future; carries by how much
"""

from datetime import timedelta

from kernel.errors import InputRefusedError


class ClockAheadError(InputRefusedError):
    """A scan is dated further ahead of the server's clock than can be drift."""

    code = "clock_ahead"

    def __init__(self, ahead: timedelta) -> None:
        self.ahead = ahead
        self.field = "at"
        super().__init__(f"the scan is dated {ahead.total_seconds():.0f} s ahead of the server's clock")
