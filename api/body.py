"""How large a body may be, packed or unpacked; ``app.py`` refuses a larger one before it is read."""

import zlib

from fastapi import Request

from api.errors import BodyTooLargeError, MalformedBodyError, UnsupportedMediaError

MAX_SCANS_BODY = 16 * 1024 * 1024
"""A thousand scans of 100 readings are about 9 MB of JSON."""
MAX_BODY = 256 * 1024
"""No other call has reason to send more."""


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
    return _gunzip(body, limit)


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
