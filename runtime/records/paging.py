"""Cursor paging over (instant, id): stable while rows are added, no deep offsets."""

import base64
import binascii

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.errors import BadCursorError
from api.ports import Page


def read_page(
    connection: Connection,
    query: sa.Select[tuple[object, ...]],
    order: tuple[sa.Column[int], sa.Column[str]] | sa.Column[int],
    limit: int,
    cursor: str | None,
) -> Page[sa.Row[tuple[object, ...]]]:
    """One page of ``query`` in the order of the columns, after ``cursor``.

    Raises:
        BadCursorError: the cursor is none that this order gave.
    """
    columns = order if isinstance(order, tuple) else (order,)
    if cursor is not None:
        after = _read(cursor, len(columns))
        query = query.where(sa.tuple_(*columns) > sa.tuple_(*(sa.literal(value) for value in after)))
    rows = connection.execute(query.order_by(*columns).limit(limit + 1)).all()
    more = len(rows) > limit
    page = rows[:limit]
    last = [getattr(page[-1], column.name) for column in columns] if more else []
    return Page(page, _write(last) if more else None)


def _write(values: list[object]) -> str:
    return base64.urlsafe_b64encode("\x1f".join(map(str, values)).encode()).decode().rstrip("=")


def _read(cursor: str, length: int) -> list[int | str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        first, *rest = text.split("\x1f")
        number = int(first)
    except (binascii.Error, UnicodeError, ValueError):
        raise BadCursorError from None
    if len(rest) != length - 1 or not -(2**62) < number < 2**62:
        raise BadCursorError
    return [number, *rest]
