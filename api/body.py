"""How large a body may be, packed or unpacked, and where it is worked on.

``app.py`` refuses a larger one before it is read.
"""

import zlib
from collections.abc import Callable
from typing import TypeVar

from anyio import to_thread
from fastapi import Request

from api.errors import BodyTooLargeError, MalformedBodyError, UnsupportedMediaError

MAX_SCANS_BODY = 16 * 1024 * 1024
"""A thousand scans of 100 readings are about 9 MB of JSON."""
MAX_PAYMENTS_BODY = 4 * 1024 * 1024
"""A thousand payments of 30 lines are about 3 MB of JSON."""
MAX_BODY = 256 * 1024
"""No other call has reason to send more."""
AT_ONCE_BYTES = 32 * 1024
"""A smaller body is decoded on the event loop: 8.7 kB (100 readings) take 25 µs, the way to a thread and back 200."""

T = TypeVar("T")


async def work(n_bytes: int, call: Callable[[], T]) -> T:
    """Do something whose cost goes with a body: at once where that is small, else on a thread."""
    return call() if n_bytes <= AT_ONCE_BYTES else await to_thread.run_sync(call)


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, unpacked if it came as gzip.

    Raises:
        BodyTooLargeError: it unpacks to more than ``limit`` bytes.
        MalformedBodyError: gzip that is damaged or cut off.
        UnsupportedMediaError: another content encoding.
    """
    body = await request.body()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise UnsupportedMediaError(f"content encoding {encoding[:40]!r} is not read; gzip is")
    return await to_thread.run_sync(_gunzip, body, limit)  # a few bytes may unpack to the limit


def _gunzip(packed: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        body = unpacker.decompress(packed, limit + 1)
    except zlib.error as error:
        raise MalformedBodyError(f"the gzip body is damaged: {error}") from None
    if len(body) > limit:
        raise BodyTooLargeError(f"the body unpacks to more than {limit} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise MalformedBodyError("the gzip body is cut off or has bytes after its end")
    return body
