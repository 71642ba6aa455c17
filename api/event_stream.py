"""Server-sent events: a tenant's events as they are recorded, to a reader who takes them in time.

Delivery: each event once a connection, in order. Its ``id`` is the cursor of the list after it, so that a reader who
comes back with the last one (``Last-Event-ID``) loses nothing and gets nothing twice. What waits for a reader is one
part of ``_PART_EVENTS`` events and the socket's own buffers, never more.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import anyio
from fastapi import Response
from starlette.types import Message, Receive, Scope, Send

from api.ports import EventRow, EventStream, StreamLimits, StreamPart
from api.schemas.events import EventOut

MEDIA_TYPE = "text/event-stream"
RETRY_MS = 2_000
"""How long a browser waits before it comes back."""


class EventStreamResponse(Response):
    """Sends parts of a stream until the reader goes, is too slow, may not read any more, or the server stops."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        stream: EventStream,
        limits: StreamLimits,
        envelope: Callable[[EventRow], EventOut],
        may_go_on: Callable[[], Awaitable[bool]],
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._stream, self._limits = stream, limits
        self._envelope, self._may_go_on = envelope, may_go_on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        try:
            async with anyio.create_task_group() as group:

                async def until_gone() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    group.cancel_scope.cancel()

                group.start_soon(until_gone)
                await self._pump(send)
                group.cancel_scope.cancel()
        finally:
            self._stream.close()

    async def _pump(self, send: Send) -> None:
        """Send until the end. A reader who does not take is left in mid-answer, which closes the connection."""

        async def in_time(message: Message) -> None:
            async with asyncio.timeout(self._limits.take_within_s):
                await send(message)

        try:
            await in_time({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await in_time(_body(f"retry: {RETRY_MS}\nid: {self._stream.cursor}\n\n"))
            checked_s = time.monotonic()
            while (part := await self._stream.read(self._limits.heartbeat_s)) is not None:
                await in_time(_body(self._text_of(part)))
                if time.monotonic() - checked_s >= self._limits.heartbeat_s:
                    checked_s = time.monotonic()
                    if not await self._may_go_on():
                        break
            await in_time({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            return

    def _text_of(self, part: StreamPart) -> str:
        if not part.events:  # a comment keeps the line open, the id moves past what the filter left out
            return f": heartbeat\nid: {part.cursor}\n\n"
        return "".join(
            f"id: {row.cursor}\nevent: {row.type}\ndata: {self._envelope(row).model_dump_json()}\n\n"
            for row in part.events
        )


def is_wanted(accept: str) -> bool:
    """Whether an ``Accept`` header asks for server-sent events by name."""
    return any(item.partition(";")[0].strip().lower() == MEDIA_TYPE for item in accept.split(","))


def _body(text: str) -> Message:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}
