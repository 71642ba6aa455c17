"""What can go wrong in a call, and with the queue on disk.

AtriumError
├── AuthError       401, 403: the key is missing, unknown or may not do this
├── InvalidInput    400, 413, 415, 422: the request cannot be accepted; ``field`` says where
├── NotFound        404, 410: no such thing, or not any more
├── Conflict        409: the thing is not in a state that allows the call
├── RateLimited     429: too many requests
├── ServerError     5xx: a part of the server failed
└── Unreachable     no answer at all: connection refused, broken or timed out (status 0)

QueueError          the queue's disk is full or its folder not ours to write
├── QueueBusy       another process or thread is sending it, or holds it open while it is wiped
└── QueueDamaged    its file is no queue, or not any more: ``ScanQueue.discard`` removes it

WebhookRefused      a request that the server did not send, or not just now
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
        retry_after_s: seconds that the server asks to wait, where it does.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        field: str | None = None,
        body: Any = None,
        retry_after_s: float | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.body = body
        self.retry_after_s = retry_after_s
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


class QueueError(Exception):
    """The queue cannot do it: its disk is full, its folder not ours to write."""


class QueueBusy(QueueError):
    """Another process or thread sends the queue, or holds it open while it is wiped."""


class QueueDamaged(QueueError):
    """The queue's file is no queue, or not any more."""


class WebhookRefused(Exception):
    """A request that does not prove to be a webhook of the server: answer it 400 and do nothing."""


_BY_STATUS: dict[int, type[AtriumError]] = {
    401: AuthError,
    403: AuthError,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    429: RateLimited,
}


def from_response(status: int, text: str, retry_after_s: float | None = None) -> AtriumError:
    """The error that an answer of 400 or more stands for (RFC 9457 problem, or anything else)."""
    try:
        body: Any = json.loads(text)
    except (ValueError, RecursionError):
        body = text
    return from_problem(status, body, text, retry_after_s)


def from_problem(status: int, body: Any, text: str = "", retry_after_s: float | None = None) -> AtriumError:
    """The error that a problem stands for, of a whole answer or of one scan in a batch."""
    problem = body if isinstance(body, dict) else {}
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else InvalidInput)
    return kind(
        status,
        str(problem.get("code") or "unknown"),
        str(problem.get("detail") or problem.get("title") or text[:MAX_DETAIL_CHARS] or "no detail"),
        None if problem.get("field") is None else str(problem["field"]),
        body,
        retry_after_s,
    )
