"""Errors of members.

InputRefusedError
├── DeviceRefusedError    a device record or consent that cannot be stored as given; carries the field
└── IdentityRefusedError  an id that is none of its kind; carries the kind, never the text
"""

from kernel.errors import InputRefusedError


class DeviceRefusedError(InputRefusedError):
    """A device record that makes no sense; ``field`` says where."""

    code = "invalid_device"

    def __init__(self, field: str, detail: str) -> None:
        self.field = field
        super().__init__(detail)


class IdentityRefusedError(InputRefusedError):
    """An id that is none of its kind; ``field`` is the kind. What was sent is not repeated: it may be somebody's."""

    code = "invalid_identity"

    def __init__(self, field: str, detail: str) -> None:
        self.field = field
        super().__init__(detail)
