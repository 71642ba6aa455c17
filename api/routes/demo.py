"""``/v1/demo``: the board of a simulated day, open to anyone who reaches the demo server.

All people on it are simulated; a server that is not a demo has none of these routes.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from api.access import services_of
from api.errors import UnknownThingError
from api.ports import Demo

router = APIRouter(tags=["demo"], prefix="/v1/demo")


def demo_of(request: Request) -> Demo:
    """The board of this server."""
    board = services_of(request).demo
    if board is None:
        raise UnknownThingError("demo", "board")
    return board


Board = Annotated[Demo, Depends(demo_of)]


@router.get("")
def summary(board: Board) -> dict[str, Any]:
    """The day in numbers, from the server's own answers and records."""
    return board.summary()


@router.get("/plan")
def plan(board: Board) -> dict[str, Any]:
    """The mall's levels and stores in metres of the venue frame, x east, y north."""
    return board.plan()


@router.get("/stream", response_class=StreamingResponse)
def stream(board: Board) -> StreamingResponse:
    """Server-sent events: ``phones``, ``happening`` and ``summary`` as they come."""

    async def messages() -> AsyncIterator[bytes]:
        async for message in board.watch():
            yield message

    return StreamingResponse(
        messages(), media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
