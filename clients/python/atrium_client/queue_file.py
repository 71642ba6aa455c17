"""The queue's file: SQLite opened for many processes, and its errors as ours."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from atrium_client.errors import QueueBusy, QueueDamaged, QueueError

_VERSION: Final = 1
_BUSY_S: Final = 10.0
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS scans"
    " (seq INTEGER PRIMARY KEY AUTOINCREMENT, queued_s REAL NOT NULL, device BLOB NOT NULL, body BLOB NOT NULL,"
    " checksum INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS allowed (device BLOB PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO counts VALUES ('scans', 0), ('bytes', 0), ('full', 0), ('old', 0), ('damaged', 0)",
    "CREATE TRIGGER IF NOT EXISTS counts_in AFTER INSERT ON scans BEGIN"
    " UPDATE counts SET value = value + 1 WHERE name = 'scans';"
    " UPDATE counts SET value = value + length(NEW.body) WHERE name = 'bytes'; END",
    "CREATE TRIGGER IF NOT EXISTS counts_out AFTER DELETE ON scans BEGIN"
    " UPDATE counts SET value = value - 1 WHERE name = 'scans';"
    " UPDATE counts SET value = value - length(OLD.body) WHERE name = 'bytes'; END",
    f"PRAGMA user_version = {_VERSION}",
)


def connect(path: Path, busy_s: float) -> sqlite3.Connection:
    """A connection to a file that only its owner may read."""
    with suppress(FileExistsError):
        # only where there is none: to close a file that SQLite has open would let go of SQLite's locks
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    return sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)


def open_queue(path: Path, *, is_durable: bool) -> sqlite3.Connection:
    db = connect(path, _BUSY_S)
    try:
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        _use_log(db)
        db.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA wal_autocheckpoint = 256")  # pages: the log stays near 1 MiB
        with transaction(db):
            _make(db)
    except BaseException:
        db.close()
        raise
    return db


def _make(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > _VERSION:
        raise QueueError(f"the queue was written by a newer client: version {version}, {_VERSION} is read")
    for statement in _SCHEMA:
        db.execute(statement)


def _use_log(db: sqlite3.Connection) -> None:
    """Write-ahead logging. Whoever opens at the same moment is not waited for by SQLite here, so by us."""
    ends_s = time.monotonic() + _BUSY_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if _primary(error) != sqlite3.SQLITE_BUSY or time.monotonic() > ends_s:
                raise
            time.sleep(0.01)
        else:
            return


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def told() -> Iterator[None]:
    """SQLite's errors and the system's as the queue's."""
    try:
        yield
    except sqlite3.Error as error:
        kinds = {
            sqlite3.SQLITE_BUSY: QueueBusy,
            sqlite3.SQLITE_LOCKED: QueueBusy,
            sqlite3.SQLITE_CORRUPT: QueueDamaged,
            sqlite3.SQLITE_NOTADB: QueueDamaged,
        }
        raise kinds.get(_primary(error), QueueError)(f"the queue on disk: {error}") from error
    except OSError as error:
        raise QueueError(f"the queue on disk: {error}") from error


def _primary(error: sqlite3.Error) -> int:
    """SQLite's code without its finer part; 0 where Python itself complains."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
