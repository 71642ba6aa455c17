"""The root of every error that Atrium raises on purpose.

AtriumError
├── InputRefusedError     what came in cannot be accepted; the caller can mend it
├── NotFoundError         a thing was named that does not exist (or not for this tenant)
├── ConflictError         the thing exists, but not in a state that allows the call
└── PartFailedError       a part of ours failed; the caller did nothing wrong

Each package roots its own tree in one of these (see its ``errors.py``). Programming mistakes stay
``ValueError`` or ``TypeError``.
"""

from typing import ClassVar


class AtriumError(Exception):
    """Something that a caller may want to handle; ``code`` is stable and public."""

    code: ClassVar[str] = "error"


class InputRefusedError(AtriumError):
    """What came in cannot be accepted as it is."""

    code = "input_refused"


class NotFoundError(AtriumError):
    """A named thing does not exist for this caller."""

    code = "not_found"


class ConflictError(AtriumError):
    """The thing exists, but its state does not allow the call."""

    code = "conflict"


class PartFailedError(AtriumError):
    """A part of Atrium failed through no fault of the caller."""

    code = "part_failed"
