"""Moves points: one thread takes the orders that wait, settles them in one commit, then answers.

Whatever waits when the thread comes round shares the price of an fsync. No answer leaves before its commit. A batch
whose commit failed left nothing; its orders are then settled one by one. Delivery: an order with an Idempotency-Key is
effective exactly once within a day; without one, as often as it is sent.
"""

import asyncio
import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

from sqlalchemy.engine import Connection

from api.ports import Caller, Once, Page, Rendered
from kernel.clock import Clock
from kernel.errors import AtriumError, PartFailedError
from kernel.ids import TenantId
from members.errors import UnknownAccountError
from members.points.accounts import AccountKey, AccountKind
from members.points.rules import PointRules
from members.points.statement import Balance, StatementLine
from members.points.transfers import Order, Transfer
from runtime.clocks import SystemClock
from runtime.database import Database
from runtime.errors import BusyError, StorageError
from runtime.points_batch import Answer, Job, settle
from runtime.points_expiry import Expired, expire_step
from runtime.records.ledger import OwnersOf, is_open, known_owners, open_account
from runtime.records.statements import balance_of, list_statement

_log = logging.getLogger(__name__)
_WALL = SystemClock()

AT_ONCE: Final = 256
"""Orders a commit: beyond it waiting grows and throughput does not (``atrium bench points``)."""
MAX_WAITING: Final = 10_000
"""Two to three seconds of work; beyond it a caller is told to come back."""
EXPIRE_EVERY_S: Final = 60.0
"""How late points go to breakage. They cannot be spent from the instant on at which they run out."""
_BREATH_S: Final = 0.1
"""Between two parts of a large expiry, in which orders come through."""


class PointsWriter:
    """``start`` before the first order, ``stop`` at the end; ``submit`` from any thread."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        rules: PointRules,
        *,
        owners_of: OwnersOf = known_owners,
        at_once: int = AT_ONCE,
        expire_every_s: float = EXPIRE_EVERY_S,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._max_waiting = max_waiting
        self._database, self._clock, self._rules = database, clock, rules
        self._owners_of, self._at_once, self._expire_every_s = owners_of, at_once, expire_every_s
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._is_stopping = False
        self._next_expiry = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="atrium-points", daemon=True)

    def start(self) -> None:
        """Begin to settle orders, and to let points run out."""
        self._thread.start()

    def stop(self) -> None:
        """Settle what waits, then end."""
        self._is_stopping = True
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join()
        while not self._jobs.empty():  # came in behind the end: told, not left waiting
            job = self._jobs.get()
            if job is not None and _is_wanted(job):
                _tell([job], [PartFailedError("the server is stopping; nothing was stored")])

    def submit(self, job: Job) -> None:
        """Hand in an order; ``job.done`` resolves after its commit.

        Raises:
            BusyError: too many orders are waiting.
            PartFailedError: the writer is not running.
        """
        if not self._thread.is_alive() or self._is_stopping:
            raise PartFailedError("points are not being moved; nothing was stored")
        if self._jobs.qsize() >= self._max_waiting:
            raise BusyError(retry_after_s=1, what="transfers")
        self._jobs.put(job)

    # -- the writer's own thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        is_stopping = False
        while not is_stopping:
            jobs, is_stopping = self._take(max(0.0, self._next_expiry - time.monotonic()))
            if jobs:
                self._settle(jobs)
            if time.monotonic() >= self._next_expiry and not is_stopping:
                self._expire()

    def _take(self, wait_s: float) -> tuple[list[Job], bool]:
        jobs: list[Job] = []
        try:
            job = self._jobs.get(timeout=wait_s)
            while True:
                if job is None:
                    return jobs, True
                if _is_wanted(job):
                    jobs.append(job)
                if len(jobs) >= self._at_once:
                    break
                job = self._jobs.get_nowait()
        except queue.Empty:
            pass
        return jobs, False

    def _settle(self, jobs: Sequence[Job]) -> None:
        try:
            answers = self._commit(jobs)
        except Exception as error:  # noqa: BLE001  # an outermost loop logs and goes on
            if len(jobs) > 1:
                _log.error("a shared batch of transfers was not stored (%s); each is tried alone", type(error).__name__)
                for job in jobs:
                    self._settle([job])
                return
            is_known = isinstance(error, AtriumError)
            _log.error("a transfer failed: %s", type(error).__name__, exc_info=not is_known)
            answers = [
                error if isinstance(error, AtriumError) else StorageError("the transfer failed; nothing was stored")
            ]
        _tell(jobs, answers)

    def _commit(self, jobs: Sequence[Job]) -> list[Answer]:
        answers: dict[int, Answer] = {}
        with self._database.write() as connection:
            at, recorded_at = self._clock.now(), _WALL.now()
            for tenant in dict.fromkeys(job.tenant for job in jobs):
                own = [job for job in jobs if job.tenant == tenant]
                told = settle(connection, tenant, own, self._rules, self._owners_of, at, recorded_at)
                answers |= {id(job): answer for job, answer in zip(own, told, strict=True)}
        return [answers[id(job)] for job in jobs]

    def _expire(self) -> None:
        try:
            done = expire_step(self._database, self._clock.now(), _WALL.now(), self._rules)
        except Exception:  # noqa: BLE001  # an outermost loop logs and goes on
            _log.exception("points could not run out; it is tried again")
            done = Expired()
        self._next_expiry = time.monotonic() + (_BREATH_S if done != Expired() else self._expire_every_s)


def _is_wanted(job: Job) -> bool:
    """Whether the caller still waits; a thread's cannot cancel from here on, and a coroutine that does is not told."""
    return not job.done.cancelled() if isinstance(job.done, asyncio.Future) else job.done.set_running_or_notify_cancel()


def _tell(jobs: Sequence[Job], answers: Sequence[Answer]) -> None:
    """Resolve what was waited for. An event loop is woken once a batch: each waking costs as much as a transfer."""
    of_loops: defaultdict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Rendered], Answer]]] = defaultdict(list)
    for job, answer in zip(jobs, answers, strict=True):
        if isinstance(job.done, asyncio.Future):
            of_loops[job.done.get_loop()].append((job.done, answer))
        else:
            _resolve([(job.done, answer)])
    for loop, told in of_loops.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, told)


def _resolve(told: "Iterable[tuple[Future[Rendered] | asyncio.Future[Rendered], Answer]]") -> None:
    for done, answer in told:
        if done.cancelled():
            continue
        if isinstance(answer, AtriumError):
            done.set_exception(answer)
        else:
            done.set_result(answer)


class PointsDesk:
    """Answers what the HTTP layer asks about points."""

    def __init__(
        self,
        database: Database,
        writer: PointsWriter,
        clock: Clock,
        rules: PointRules,
        owners_of: OwnersOf = known_owners,
    ) -> None:
        self._database, self._writer, self._clock = database, writer, clock
        self._rules, self._owners_of = rules, owners_of

    @property
    def rules(self) -> PointRules:
        """The settings of the tenants of this server."""
        return self._rules

    async def move(
        self,
        caller: Caller,
        order: Order,
        once: Once | None,
        render: Callable[[Transfer | AtriumError], Rendered],
    ) -> Rendered:
        done: asyncio.Future[Rendered] = asyncio.get_running_loop().create_future()
        self._writer.submit(Job(caller.tenant, order, render, caller, once, done))
        return await done

    def balance(self, tenant: TenantId, whose: AccountKey) -> Balance:
        with self._database.read() as connection:
            owners = self._owners(connection, tenant, whose)
            return balance_of(connection, tenant, owners, self._clock.now(), whose.kind)

    def statement(self, tenant: TenantId, whose: AccountKey, limit: int, cursor: str | None) -> Page[StatementLine]:
        with self._database.read() as connection:
            owners = self._owners(connection, tenant, whose)
            return list_statement(connection, tenant, owners, limit, cursor, whose.kind)

    def _owners(self, connection: Connection, tenant: TenantId, whose: AccountKey) -> Sequence[str]:
        if whose.kind is AccountKind.PERSON:
            owners = self._owners_of(connection, tenant, [whose.owner]).get(whose.owner)
        else:
            owners = [whose.owner] if is_open(connection, tenant, whose) else None
        if owners is None:
            raise UnknownAccountError(whose.kind.value, whose.owner)
        return owners

    def open(self, tenant: TenantId, key: AccountKey, members: Sequence[str] | None) -> bool:
        with self._database.write() as connection:
            if members:
                known = self._owners_of(connection, tenant, members)
                for ref in members:
                    if ref not in known:
                        raise UnknownAccountError(AccountKind.PERSON.value, ref)
            return open_account(connection, tenant, key, members)
