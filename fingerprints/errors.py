"""Errors of scans and surveys.

InputRefusedError
├── TransmitterIdError      not an address, opaque name or beacon id
├── ScanFormatError         a scan that does not have the wire format; carries the field
└── SurveyFormatError       a survey file in which no line is good
"""

from kernel.errors import InputRefusedError


class TransmitterIdError(InputRefusedError):
    """A text that names no transmitter."""

    code = "invalid_transmitter_id"

    def __init__(self, text: str) -> None:
        self.text = text[:80]
        super().__init__(f"expected a MAC address, x-NAME or a beacon id, found {self.text!r}")


class ScanFormatError(InputRefusedError):
    """A scan that does not have the wire format; ``field`` is a path such as ``wifi[3].rssi_dbm``."""

    code = "invalid_scan"

    def __init__(self, detail: str, field: str | None = None, code: str | None = None) -> None:
        self.field = field
        self.detail = detail
        if code is not None:
            self.code = code  # type: ignore[misc]  # a finer public code for this one instance
        super().__init__(f"{field}: {detail}" if field else detail)


class SurveyFormatError(InputRefusedError):
    """A survey source that holds no usable scan."""

    code = "invalid_survey"
