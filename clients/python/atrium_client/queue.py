"""Scans that wait on disk for a connection."""

import json
import sqlite3
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

from atrium_client.calls import encode
from atrium_client.errors import QueueBusy
from atrium_client.queue_file import connect, open_queue, told, transaction
from atrium_client.wire import Scan

MAX_BYTES: Final = 16 * 1024 * 1024
"""About 4,000 scans of 45 readings: eleven hours of one each 10 s."""
MAX_AGE_S: Final = 24 * 3_600.0
"""The server takes an older scan for its position only, and forgets which it has seen."""
MAX_ID_CHARS: Final = 128
"""The server takes no longer id."""

_FILE: Final = "scans.sqlite3"
_SENDING: Final = "sending.sqlite3"


@dataclass(frozen=True, slots=True)
class Held:
    """One scan of the queue, as it goes over the wire."""

    seq: int
    scan_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """What the queue holds, and what it has dropped since it was made or wiped.

    Attributes:
        scans: how many wait.
        bytes: how long they are as JSON.
        dropped_full: the oldest, to keep within ``max_bytes``.
        dropped_old: those past ``max_age_s``.
        dropped_damaged: those whose checksum no longer holds.
    """

    scans: int
    bytes: int
    dropped_full: int
    dropped_old: int
    dropped_damaged: int


class ScanQueue:
    """Scans on disk, in order, of phones whose owners allow it; bounded, the oldest dropped first.

    Threads may share one; several processes may open the same folder (not across a ``fork``, and on a disk of this
    machine: SQLite's locks keep them apart). File names are fixed and say nothing of anyone.

    Guarantee: what ``put`` has taken survives the death of the process at any moment, and with ``is_durable`` the
    loss of power; a record torn by either fails its checksum and is dropped, those before it stand. A scan leaves
    only when it was answered, refused for good, too old, crowded out, or wiped; it may be sent twice, under the same
    ``scan_id``, which the server answers alike.

    Consent: nothing is stored of a phone before ``allow``. ``Client(..., queue=queue)`` sees to it with each
    ``put_device``. What left or was wiped is overwritten in the file; a flash disk may still hold old copies, which
    only its encryption covers.

    Args:
        folder: made if it is not there, readable by its owner only; the queue's alone.
        max_bytes: bound of the scans as JSON; the files are up to about twice that and 2 MiB more.
        max_age_s: how long a scan may wait.
        is_durable: one fsync a ``put`` or ``put_many``; without, a loss of power may cost the last seconds, no more.
        now: the wall clock, in seconds since 1970.

    Raises (each method):
        QueueError: or one of its kinds.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        max_bytes: int = MAX_BYTES,
        max_age_s: float = MAX_AGE_S,
        is_durable: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder = Path(folder)
        self._max_bytes, self._max_age_s, self._now = max_bytes, max_age_s, now
        self._lock = threading.RLock()
        with told():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = open_queue(self._folder / _FILE, is_durable=is_durable)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @staticmethod
    def discard(folder: Path | str) -> None:
        """Remove a queue whole, damaged or not. Nobody may have it open."""
        for name in (_FILE, _SENDING):
            for suffix in ("", "-wal", "-shm", "-journal"):
                (Path(folder) / (name + suffix)).unlink(missing_ok=True)

    # -- consent -----------------------------------------------------------------------------------------------

    def allow(self, device_id: str) -> None:
        """The owner of this phone allows visits: its scans may wait here."""
        with self._change() as db:
            db.execute("INSERT OR IGNORE INTO allowed VALUES (?)", (device_id.encode(),))

    def wipe(self, device_id: str | None = None) -> None:
        """Forget a phone, or all: their scans, and that they were allowed.

        Raises:
            QueueBusy: it is deleted, but another process keeps old bytes from being overwritten yet; call again.
        """
        with self._change() as db:
            if device_id is None:
                db.execute("DELETE FROM scans")
                db.execute("DELETE FROM allowed")
                db.execute("UPDATE counts SET value = 0")
            else:
                db.execute("DELETE FROM scans WHERE device = ?", (device_id.encode(),))
                db.execute("DELETE FROM allowed WHERE device = ?", (device_id.encode(),))
        if not self.tidy():
            raise QueueBusy("the scans are gone, but old bytes are not overwritten yet: the queue is in use")

    # -- in ----------------------------------------------------------------------------------------------------

    def put(self, scan: Scan) -> bool:
        """Take a scan; False where it was not stored: its phone is not allowed, or it is larger than the queue."""
        return self.put_many([scan]) == 1

    def put_many(self, scans: Iterable[Scan]) -> int:
        """Take scans in order, all or none in one write; how many were stored.

        A scan without ``scan_id`` gets one. Names of networks are dropped, and with them the networks that ask not
        to be mapped.

        Raises:
            ValueError: a scan without ``device_id`` (its answer is of use only at once), an id of more than 128
                characters, or a scan that is no JSON.
        """
        ready = [_prepare(scan) for scan in scans]
        stored = 0
        with self._change() as db:
            self._drop_old(db)
            for device, body in ready:
                if db.execute("SELECT 1 FROM allowed WHERE device = ?", (device,)).fetchone() is None:
                    continue
                if len(body) > self._max_bytes:
                    _count(db, "full", 1)
                    continue
                db.execute(
                    "INSERT INTO scans (queued_s, device, body, checksum) VALUES (?, ?, ?, ?)",
                    (self._now(), device, body, _checksum(device, body)),
                )
                stored += 1
            self._drop_excess(db)
        return stored

    # -- out ---------------------------------------------------------------------------------------------------

    def counts(self) -> QueueCounts:
        """What is held now, the too old left out."""
        with self._change() as db:
            self._drop_old(db)
            held = dict(db.execute("SELECT name, value FROM counts"))
        return QueueCounts(held["scans"], held["bytes"], held["full"], held["old"], held["damaged"])

    def peek(self, n_scans: int, n_bytes: int) -> list[Held]:
        """The oldest scans, at most so many and so long, but one if there is any; they stay."""
        out: list[Held] = []
        damaged: list[int] = []
        with self._change() as db:
            self._drop_old(db)
            for seq, device, body, checksum in db.execute("SELECT seq, device, body, checksum FROM scans ORDER BY seq"):
                if checksum != _checksum(device, body):
                    damaged.append(seq)
                    continue
                n_bytes -= len(body) + 1
                if out and (n_bytes < 0 or len(out) >= n_scans):
                    break
                out.append(Held(seq, json.loads(body)["scan_id"], body))
            _delete(db, damaged)
            _count(db, "damaged", len(damaged))
        return out

    def remove(self, seqs: Sequence[int]) -> None:
        """Let scans go; those already gone are no fault."""
        with self._change() as db:
            _delete(db, seqs)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Be the only one who sends, in any process; the system lets go of it when the process dies.

        Raises:
            QueueBusy: somebody sends already.
        """
        with told():
            claim = connect(self._folder / _SENDING, busy_s=0.0)
            try:
                claim.execute("BEGIN EXCLUSIVE")
            except sqlite3.Error:
                claim.close()
                raise
        try:
            yield
        finally:
            claim.close()

    def tidy(self) -> bool:
        """Give back the room of what is gone and overwrite its last copies; False while another process is busy."""
        with self._lock, told():
            self._db.executescript("PRAGMA incremental_vacuum")  # execute() would free a single page
            (is_blocked, _, _) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not is_blocked

    # -- inside ------------------------------------------------------------------------------------------------

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock, told(), transaction(self._db):
            yield self._db

    def _drop_old(self, db: sqlite3.Connection) -> None:
        """Also what is dated far ahead: a clock that was wrong must not keep a scan for ever."""
        now_s = self._now()
        gone = db.execute(
            "DELETE FROM scans WHERE queued_s NOT BETWEEN ? AND ?", (now_s - self._max_age_s, now_s + self._max_age_s)
        )
        _count(db, "old", gone.rowcount)

    def _drop_excess(self, db: sqlite3.Connection) -> None:
        (held,) = db.execute("SELECT value FROM counts WHERE name = 'bytes'").fetchone()
        over = held - self._max_bytes
        if over <= 0:
            return
        gone: list[int] = []
        for seq, n_bytes in db.execute("SELECT seq, length(body) FROM scans ORDER BY seq"):
            if over <= 0:
                break
            gone.append(seq)
            over -= n_bytes
        _delete(db, gone)
        _count(db, "full", len(gone))


def _prepare(scan: Scan) -> tuple[bytes, bytes]:
    """The phone, and the scan as JSON without names of networks."""
    device_id = scan.get("device_id")
    if not isinstance(device_id, str) or not device_id:
        raise ValueError("a scan that waits needs its device_id")
    if max(len(device_id), len(scan.get("scan_id") or "")) > MAX_ID_CHARS:
        raise ValueError(f"scan_id and device_id have at most {MAX_ID_CHARS} characters")
    bare = cast("dict[str, Any]", {**scan, "scan_id": scan.get("scan_id") or uuid.uuid4().hex})
    if isinstance(bare.get("wifi"), list):
        bare["wifi"] = [
            {name: value for name, value in heard.items() if name != "ssid"}
            for heard in bare["wifi"]
            if not str(heard.get("ssid") or "").endswith("_nomap")
        ]
    return device_id.encode(), encode(bare)


def _checksum(device: bytes, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(device))


def _delete(db: sqlite3.Connection, seqs: Sequence[int]) -> None:
    db.executemany("DELETE FROM scans WHERE seq = ?", [(seq,) for seq in seqs])


def _count(db: sqlite3.Connection, name: str, n: int) -> None:
    if n:
        db.execute("UPDATE counts SET value = value + ? WHERE name = ?", (n, name))
