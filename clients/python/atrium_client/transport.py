"""One request built, one answer read: what both clients share of HTTP."""

from typing import Any, TypeVar

import httpx

from atrium_client.calls import Call
from atrium_client.errors import AtriumError, ServerError, Unreachable, from_response
from atrium_client.retry import Outcome, retry_after_s

T = TypeVar("T")


def build_request(client: httpx.Client | httpx.AsyncClient, call: Call[Any], time_out_s: float) -> httpx.Request:
    headers = dict(call.headers)
    if call.content is not None:
        headers["Content-Type"] = "application/json"
    return client.build_request(
        call.method,
        call.path,
        content=call.content,
        params=dict(call.params),
        headers=headers,
        timeout=httpx.Timeout(time_out_s),
    )


def headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Accept": "application/json"}


def read_outcome(call: Call[T], outcome: Outcome) -> T:
    """The value the call promises.

    Raises:
        AtriumError: there was no answer, it is an error, or it is not what the API speaks.
    """
    if not isinstance(outcome, httpx.Response):
        raise unreachable(outcome) from outcome
    if outcome.status_code >= 300:
        raise read_failure(outcome)
    try:
        return call.read(outcome.json() if outcome.content else None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        detail = f"the answer is not what the API speaks: {error!r}"
        raise ServerError(outcome.status_code, "unreadable_answer", detail, body=outcome.text) from error


def read_failure(response: httpx.Response) -> AtriumError:
    """The error that an answer is which the call cannot use."""
    if response.status_code >= 400:
        return from_response(response.status_code, response.text, retry_after_s(response))
    detail = f"an answer of {response.headers.get('Content-Type')!r}, not what the API speaks"
    if response.status_code >= 300:
        detail = f"the address moves to {response.headers.get('Location')!r}; a key is not carried there"
    return ServerError(response.status_code, "unreadable_answer", detail, body=response.text)


def unreachable(error: httpx.RequestError) -> AtriumError:
    return Unreachable(0, "unreachable", f"{type(error).__name__}: {error}")
