"""Errors of members.

InputRefusedError
├── DeviceRefusedError    a device record or consent that cannot be stored as given; carries the field
└── IdentityRefusedError  an id that is none of its kind; carries the kind, never the text
AtriumError
├── BiometricRefusedError a biometric id where the venue or the person has not switched it on
└── PurposeRefusedError   personal data asked for what its person has not allowed
"""

from kernel.errors import AtriumError, InputRefusedError


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


class BiometricRefusedError(AtriumError):
    """A biometric id came where the venue, or the person, has not switched it on."""

    code = "biometric_off"


class PurposeRefusedError(AtriumError):
    """Personal data was asked for a purpose that its person has not allowed, or is a child's."""

    code = "purpose_not_allowed"
