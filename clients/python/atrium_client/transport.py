"""What both clients share: one request built, one answer read, one decision whether to try again."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx

from atrium_client.calls import Call
from atrium_client.errors import AtriumError, ServerError, Unreachable, from_response

T = TypeVar("T")

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_TRANSIENT_5XX = frozenset({500, 502, 504})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long to wait: ``first_s`` doubling up to ``longest_s``, each less a random half.

    A ``Retry-After`` of the server rules, up to ``longest_retry_after_s``.
    """

    retries: int = 4
    first_s: float = 0.25
    longest_s: float = 8.0
    longest_retry_after_s: float = 60.0

    def delay_s(self, attempt: int, retry_after_s: float | None) -> float:
        if retry_after_s is not None:
            return min(retry_after_s, self.longest_retry_after_s)
        full_s = min(self.first_s * 2.0**attempt, self.longest_s)
        return full_s * random.uniform(0.5, 1.0)  # noqa: S311  jitter, not a secret


def build_request(client: httpx.Client | httpx.AsyncClient, call: Call[Any]) -> httpx.Request:
    return client.build_request(
        call.method, call.path, json=call.json, params=dict(call.params), headers=dict(call.headers)
    )


def headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Accept": "application/json"}


def read_answer(call: Call[T], response: httpx.Response) -> T:
    """The value the call promises.

    Raises:
        AtriumError: the answer is an error, or is not what the API speaks.
    """
    if response.status_code >= 400:
        raise from_response(response.status_code, response.text)
    try:
        return call.read(response.json() if response.content else None)
    except (ValueError, KeyError, TypeError) as error:
        detail = f"the answer is not what the API speaks: {error!r}"
        raise ServerError(response.status_code, "unreadable_answer", detail, body=response.text) from error


def wait_after(
    policy: RetryPolicy, call: Call[Any], attempt: int, outcome: httpx.Response | httpx.TransportError
) -> float | None:
    """Seconds to wait before the next attempt; None where the outcome stands.

    A call that may not be doubled is sent again only where the server surely did not act: it was never reached, or
    it refused the call (429, 503).
    """
    if attempt >= policy.retries:
        return None
    if isinstance(outcome, httpx.TransportError):
        is_safe = call.is_idempotent or isinstance(outcome, _NEVER_SENT)
        return policy.delay_s(attempt, None) if is_safe else None
    status = outcome.status_code
    if status in (429, 503) or (status in _TRANSIENT_5XX and call.is_idempotent):
        return policy.delay_s(attempt, retry_after_s(outcome))
    return None


def retry_after_s(response: httpx.Response) -> float | None:
    """The wait that the server asks for: seconds, or a date; None where it asks for none."""
    text = response.headers.get("Retry-After")
    if text is None:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def unreachable(error: httpx.TransportError) -> AtriumError:
    return Unreachable(0, "unreachable", f"{type(error).__name__}: {error}")
