"""What can go wrong in a call.

AtriumError
├── AuthError       401, 403: the key is missing, unknown or may not do this
├── InvalidInput    400, 413, 415, 422: the request cannot be accepted; ``field`` says where
├── NotFound        404, 410: no such thing, or not any more
├── Conflict        409: the thing is not in a state that allows the call
├── RateLimited     429: too many requests
├── ServerError     5xx: a part of the server failed
└── Unreachable     no answer at all: connection refused, broken or timed out (status 0)
"""

import json
from typing import Any

MAX_DETAIL_CHARS = 500


class AtriumError(Exception):
    """A call that did not succeed.

    Attributes:
        status: HTTP status; 0 where there was no answer.
        code: the API's stable code, such as ``already_redeemed``; ``unknown`` where the answer names none.
        detail: a sentence for people.
        field: path of the field at fault, where there is one.
        body: the answer as it came (parsed JSON, else text).
    """

    def __init__(self, status: int, code: str, detail: str, field: str | None = None, body: Any = None) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.body = body
        where = f" ({field})" if field else ""
        super().__init__(f"{status} {code}{where}: {detail}")


class AuthError(AtriumError):
    """The key is missing, unknown, or may not do this."""


class InvalidInput(AtriumError):
    """The request cannot be accepted as it is."""


class NotFound(AtriumError):
    """No such thing for this key, or not any more."""


class Conflict(AtriumError):
    """The thing exists, but its state does not allow the call."""


class RateLimited(AtriumError):
    """Too many requests; all retries are used up."""


class ServerError(AtriumError):
    """A part of the server failed."""


class Unreachable(AtriumError):
    """There was no answer; whether the server acted is not known."""


_BY_STATUS: dict[int, type[AtriumError]] = {
    401: AuthError,
    403: AuthError,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    429: RateLimited,
}


def from_response(status: int, text: str) -> AtriumError:
    """The error that an answer of 400 or more stands for (RFC 9457 problem, or anything else)."""
    try:
        body: Any = json.loads(text)
    except ValueError:
        body = text
    problem = body if isinstance(body, dict) else {}
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else InvalidInput)
    return kind(
        status,
        str(problem.get("code") or "unknown"),
        str(problem.get("detail") or problem.get("title") or text[:MAX_DETAIL_CHARS] or "no detail"),
        None if problem.get("field") is None else str(problem["field"]),
        body,
    )
