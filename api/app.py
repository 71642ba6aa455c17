"""The application: routes, errors as problems, limits on bodies. Receives all that it needs."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.body import MAX_BODY, MAX_PAYMENTS_BODY, MAX_SCANS_BODY
from api.console.pages import console_router
from api.ports import Services
from api.routes import (
    campaigns,
    coupons,
    demo,
    devices,
    geolocate,
    history,
    payments,
    people,
    points,
    scans,
    tags,
    venues,
    wake_sets,
    webhooks,
)
from kernel.errors import AtriumError


def create_app(services: Services) -> FastAPI:
    """Build the HTTP application over these services."""
    app = FastAPI(
        title="Atrium",
        version=services.version,
        summary="Which store is this phone in, and what should it see there?",
        docs_url=None,  # its page loads scripts from elsewhere; the console brings its own
        redoc_url=None,
    )
    app.state.services = services
    for router in (
        scans.router,
        geolocate.router,
        devices.router,
        people.router,
        campaigns.router,
        coupons.router,
        payments.router,
        points.router,
        history.router,
        tags.router,
        venues.router,
        wake_sets.router,
        webhooks.router,
    ):
        app.include_router(router)
    if services.demo is not None:
        app.include_router(demo.router)
    app.include_router(console_router)
    app.add_exception_handler(AtriumError, problems.on_atrium_error)
    app.add_exception_handler(RequestValidationError, problems.on_validation_error)
    app.add_exception_handler(HTTPException, problems.on_http_error)
    app.add_exception_handler(Exception, problems.on_unexpected)
    app.add_middleware(_BodyLimit)
    app.add_middleware(_Headers)
    return app


_LIMITS = {"/v1/scans": MAX_SCANS_BODY, "/v1/payments": MAX_PAYMENTS_BODY}


class _BodyLimit:
    """Takes in a whole body, up to the limit, before any route sees it; refuses a larger one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        limit = _LIMITS.get(scope["path"], MAX_BODY)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        body = None if declared.isdigit() and int(declared) > limit else await _take_in(receive, limit)
        if body is None:
            await _too_large(limit)(scope, receive, send)
            return
        first: Message | None = {"type": "http.request", "body": body, "more_body": False}

        async def replay() -> Message:
            nonlocal first
            if first is not None:
                message, first = first, None
                return message
            return await receive()

        await self._app(scope, replay, send)


async def _take_in(receive: Receive, limit: int) -> bytes | None:
    """The whole body; None when it is larger than ``limit``. A caller who hangs up gets the part that came."""
    chunks, size = [], 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            return None
        chunks.append(chunk)
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return b"".join(chunks)


def _too_large(limit: int) -> JSONResponse:
    body = problems.problem(413, "too_large", f"the body has more than {limit} bytes")
    return problems.problem_response(413, body)


class _Headers:
    """The same safe headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"no-referrer"),
                ]
            await send(message)

        await self._app(scope, receive, with_headers)
