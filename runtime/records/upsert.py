"""Insert-or-replace in the words of the database at hand."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

OnTaken: TypeAlias = Literal["fail", "keep", "replace"]
"""What becomes of a row whose primary key, or whose column ``unique``, is taken."""


def upsert(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; where the primary key is taken, replace all other columns. Rows have equal columns."""
    if not rows:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)


def write_rows(
    connection: Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    on_taken: OnTaken = "fail",
    unique: str | None = None,
) -> None:
    """Insert many rows by the driver's own ``executemany``: a third of the time of Core's, for those who write most.

    Rows have equal columns. Values go to the driver as they are, but JSON, which is encoded here: None is NULL in any
    column.
    """
    if not rows:
        return
    text = _statement(connection.dialect.name, table, tuple(rows[0]), on_taken, unique)
    documents = [column.name for column in table.c if isinstance(column.type, sa.JSON)]
    if documents:
        rows = [{**row, **{name: _document(row[name]) for name in documents}} for row in rows]
    connection.exec_driver_sql(text, list(rows))


def _document(value: object) -> str | None:
    return None if value is None else json.dumps(value)


@lru_cache(maxsize=64)
def _statement(name: str, table: sa.Table, columns: tuple[str, ...], on_taken: OnTaken, unique: str | None) -> str:
    """The text of an insert, its parameters by name: the same whenever it is asked for."""
    insert = postgresql.insert if name == "postgresql" else sqlite.insert
    statement = insert(table).values({column: sa.bindparam(column) for column in columns})
    keys = [column.name for column in table.primary_key] if unique is None else [unique]
    if on_taken == "keep":
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    elif on_taken == "replace":
        changed = {column: statement.excluded[column] for column in columns if column not in keys}
        statement = statement.on_conflict_do_update(index_elements=keys, set_=changed)
    dialect, style = (postgresql.dialect, "pyformat") if name == "postgresql" else (sqlite.dialect, "named")
    named = dialect(paramstyle=style)
    return str(statement.compile(dialect=named))
