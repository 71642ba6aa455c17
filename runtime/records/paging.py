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
    """One page of ``query`` in the order of the columns, after ``cursor``, which names the list it is of.

    Raises:
        BadCursorError: the cursor is none that this list gave.
    """
    columns = order if isinstance(order, tuple) else (order,)
    if cursor is not None:
        after = _read(cursor, columns[0].table.name, len(columns))
        query = query.where(sa.tuple_(*columns) > sa.tuple_(*(sa.literal(value) for value in after)))
    rows = connection.execute(query.order_by(*columns).limit(limit + 1)).all()
    more = len(rows) > limit
    page = rows[:limit]
    if not more:
        return Page(page, None)
    last = [getattr(page[-1], column.name) for column in columns]
    return Page(page, _write([columns[0].table.name, *last]))


def cursor_after(column: sa.Column[int], value: int) -> str:
    """The cursor of a list in the order of one column: what comes after this value."""
    return _write([column.table.name, value])


def read_cursor(column: sa.Column[int], cursor: str) -> int:
    """The value that a cursor of such a list stands for.

    Raises:
        BadCursorError: the cursor is none that this list gave.
    """
    return int(_read(cursor, column.table.name, 1)[0])


def _write(values: list[object]) -> str:
    return base64.urlsafe_b64encode("\x1f".join(map(str, values)).encode()).decode().rstrip("=")


def _read(cursor: str, name: str, length: int) -> list[int | str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        of, first, *rest = text.split("\x1f")
        number = int(first)
    except (binascii.Error, UnicodeError, ValueError):
        raise BadCursorError from None
    if of != name or len(rest) != length - 1 or not -(2**62) < number < 2**62:
        raise BadCursorError
    return [number, *rest]
