"""Errors as RFC 9457 problems: the one place that knows HTTP statuses.

Each class of error has a row, its own or its nearest ancestor's; a test walks the tree and finds each.
"""

from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api import errors as http
from campaigns import errors as campaigns
from kernel.errors import AtriumError, ConflictError, InputRefusedError, NotFoundError, PartFailedError
from members import errors as members

MEDIA_TYPE = "application/problem+json"

STATUS: dict[type[AtriumError], int] = {
    AtriumError: 500,
    InputRefusedError: 422,
    NotFoundError: 404,
    ConflictError: 409,
    PartFailedError: 503,
    http.MalformedBodyError: 400,
    http.BodyTooLargeError: 413,
    http.UnsupportedMediaError: 415,
    http.NoKeyError: 401,
    http.NotAllowedError: 403,
    http.TooManyStreamsError: 429,
    campaigns.CouponExpiredError: 410,
    members.BiometricRefusedError: 403,
    members.PartnerPointsError: 403,
    members.PurposeRefusedError: 403,
}
"""The status of an error class; a class without a row has its nearest ancestor's."""

_TITLES = {
    400: "The body cannot be read",
    401: "A key is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    410: "Gone",
    413: "Too large",
    415: "Unsupported media type",
    422: "The input is refused",
    429: "Too many requests",
    500: "An internal error",
    503: "A part of the service failed",
}


def status_of(error: AtriumError) -> int:
    """The HTTP status of an error."""
    if error.code == "busy":
        return 429
    if error.code == "malformed_body":
        return 400  # also a scan in a batch that cannot be read
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(status: int, code: str, detail: str, field: str | None = None) -> dict[str, Any]:
    """A problem document (RFC 9457) with our stable ``code``, and ``field`` where one is at fault."""
    body: dict[str, Any] = {
        "type": f"https://atrium.example/problems/{code}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
    }
    if field is not None:
        body["field"] = field
    return body


def problem_of(error: AtriumError) -> dict[str, Any]:
    """The problem document of an error of ours."""
    return problem(status_of(error), error.code, str(error), getattr(error, "field", None))


def problem_response(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    """A response that carries a problem."""
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def error_response(error: AtriumError) -> JSONResponse:
    """The response for an error of ours; a 401 says how to come with a key, a 429 when to come back."""
    status = status_of(error)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="atrium"'
    if status == 429:
        headers["Retry-After"] = str(getattr(error, "retry_after_s", 1))
    return problem_response(status, problem_of(error), headers)


async def on_atrium_error(_request: Request, error: Exception) -> JSONResponse:
    """Turn an error of ours into its problem."""
    assert isinstance(error, AtriumError)
    return error_response(error)


async def on_validation_error(_request: Request, error: Exception) -> JSONResponse:
    """Turn FastAPI's list of faults into one problem: the first field, and all of them under ``errors``."""
    assert isinstance(error, RequestValidationError)
    faults = [{"field": path_of(fault["loc"]), "detail": str(fault["msg"])} for fault in error.errors()]
    first = faults[0]
    if any(fault["type"] == "json_invalid" for fault in error.errors()):
        return problem_response(400, problem(400, "malformed_body", f"not JSON: {first['detail']}"))
    body = problem(422, "invalid_field", first["detail"], first["field"])
    return problem_response(422, body | {"errors": faults})


async def on_http_error(_request: Request, error: Exception) -> JSONResponse:
    """Turn the framework's own errors (unknown path, wrong method) into problems."""
    assert isinstance(error, HTTPException)
    code = {400: "malformed_body", 404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    body = problem(error.status_code, code, str(error.detail))
    return problem_response(error.status_code, body, dict(error.headers or {}))


async def on_unexpected(_request: Request, _error: Exception) -> JSONResponse:
    """An error nobody foresaw: logged by the server, told without its inside."""
    return problem_response(500, problem(500, "internal", "the server met an error it did not expect"))


def path_of(location: tuple[int | str, ...]) -> str:
    """``("body", "trigger", "dwell_s")`` as ``trigger.dwell_s``; query and header names as they are."""
    parts = location[1:] if location and location[0] in {"body", "query", "path", "header"} else location
    out = ""
    for part in parts:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else str(part)
    return out or "body"
