"""Errors of members.

InputRefusedError
└── DeviceRefusedError    a device record or consent that cannot be stored as given; carries the field
"""

from kernel.errors import InputRefusedError


class DeviceRefusedError(InputRefusedError):
    """A device record that makes no sense; ``field`` says where."""

    code = "invalid_device"

    def __init__(self, field: str, detail: str) -> None:
        self.field = field
        super().__init__(detail)
