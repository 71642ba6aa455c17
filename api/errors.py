"""Errors of the HTTP layer.

InputRefusedError
├── MalformedBodyError       the body is not what its content type says; carries the field
├── BodyTooLargeError        more bytes or scans than one call takes
├── UnsupportedMediaError    a content type or encoding that we do not read
├── BadCursorError           a paging cursor that no answer of ours gave
└── IdempotencyMismatchError the key was used with another body
NotFoundError
└── UnknownThingError        no such campaign, zone, device... for this tenant
AtriumError
├── NoKeyError               no key, or one that is unknown, expired or revoked
├── TooManyStreamsError      the tenant holds as many streams of events as it may
└── NotAllowedError          a good key whose role does not allow the call
"""

from kernel.errors import AtriumError, InputRefusedError, NotFoundError


class MalformedBodyError(InputRefusedError):
    """A body that cannot be read; ``field`` is a path where one is at fault."""

    code = "malformed_body"

    def __init__(self, detail: str, field: str | None = None) -> None:
        self.field = field
        super().__init__(detail)


class BodyTooLargeError(InputRefusedError):
    """More than one call takes."""

    code = "too_large"


class UnsupportedMediaError(InputRefusedError):
    """A content type or encoding that this route does not read."""

    code = "unsupported_media_type"


class BadCursorError(InputRefusedError):
    """Not a cursor of ours."""

    code = "invalid_cursor"
    field = "cursor"

    def __init__(self) -> None:
        super().__init__("expected a next_cursor from an earlier answer")


class IdempotencyMismatchError(InputRefusedError):
    """The Idempotency-Key was used before with another body."""

    code = "idempotency_mismatch"


class UnknownThingError(NotFoundError):
    """Nothing of this kind has the id, for this tenant."""

    def __init__(self, kind: str, thing_id: str) -> None:
        self.kind = kind
        super().__init__(f"no {kind} {thing_id[:80]!r}")


class NoKeyError(AtriumError):
    """A key is missing or not ours."""

    code = "key_invalid"


class NotAllowedError(AtriumError):
    """The key's role does not allow the call."""

    code = "not_allowed"


class TooManyStreamsError(AtriumError):
    """The tenant holds as many streams as it may; one that ends makes room."""

    code = "too_many_streams"
    retry_after_s = 5

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} streams of events are open, as many as a tenant may have")
