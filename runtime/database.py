"""The database: one engine, reads beside one writer at a time, migrations.

Durability: a ``write`` block that ended without error survives kill -9 and power loss (SQLite in WAL mode with
``synchronous=FULL``: the commit is fsynced). A block that raised left nothing behind.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from runtime.errors import StorageError

_BUSY_TIMEOUT_S = 30
"""How long a writer waits for another process's commit; a commit takes milliseconds."""
_LOG_WAIT_MS = 50
_MOST_CONNECTIONS = 60
"""Beyond the five that stay open: more than the HTTP layer has threads (40), so that slow readers never leave the
engine without one."""
_LOG_PAGES = 8_000
"""How long SQLite's log grows (32 MB) before it is moved into the database, which is fsynced then: 1,830 transfers of
points a second where 1,000 pages, the default, give 1,450 (two runs each, 64 callers, a busy machine)."""


class Database:
    """An open database. ``read`` gives a snapshot, ``write`` a transaction; writers of this process queue."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = _open_engine(url)
        self._writing = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for statements that change nothing."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StorageError(f"the database refused a read: {_short(error)}") from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, all or nothing; other errors pass through after the roll-back."""
        with self._writing:
            try:
                with self._engine.execution_options(writes=True).begin() as connection:
                    yield connection
            except SQLAlchemyError as error:
                raise StorageError(f"the database refused a write: {_short(error)}") from error

    def empty_log(self) -> bool:
        """Bring what was committed into the database's own file and empty the log that held it, erased rows too.

        Returns:
            Whether it is empty: not while somebody reads what was before. It waits for nobody; ask again.
        """
        if not self.url.startswith("sqlite:"):
            return True
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql(f"PRAGMA busy_timeout={_LOG_WAIT_MS}")
                try:
                    is_busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar()
                finally:
                    connection.exec_driver_sql(f"PRAGMA busy_timeout={1_000 * _BUSY_TIMEOUT_S}")
        except SQLAlchemyError:
            return False
        return is_busy == 0

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def upgrade(self) -> None:
        """Bring the tables to this version's shape; harmless when they are there already."""
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["engine"] = self._engine
        with self._writing:
            try:
                command.upgrade(config, "head")
            except SQLAlchemyError as error:
                raise StorageError(f"the database cannot be brought up to date: {_short(error)}") from error


def _short(error: SQLAlchemyError) -> str:
    """The driver's sentence, without the statement and its parameters, which may be personal."""
    origin = getattr(error, "orig", None)
    return str(origin) if origin is not None else type(error).__name__


def _open_engine(url: str) -> Engine:
    engine = sa.create_engine(
        url,
        connect_args={"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False},
        max_overflow=_MOST_CONNECTIONS,
    )

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, see below
        cursor = connection.cursor()
        log = f"wal_autocheckpoint={_LOG_PAGES}"
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", log):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # a deferred transaction that reads first cannot become a writer once another has committed
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
