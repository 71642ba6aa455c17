"""Errors of members.

InputRefusedError
└── ConsentError    a consent for a purpose that does not exist, or dated in the future
"""

from kernel.errors import InputRefusedError


class ConsentError(InputRefusedError):
    """A consent that cannot be recorded as given."""

    code = "invalid_consent"
