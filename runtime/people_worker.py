"""Behind the events: settles who is who where more of the same evidence came in, some ids at a time."""

import logging
import threading
from typing import Final

from kernel.errors import AtriumError
from kernel.ids import TenantId
from runtime.clocks import SystemClock
from runtime.database import Database
from runtime.people import PeopleDesk
from runtime.records.tenants import list_tenants

_log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 30.0
"""How old more of the same evidence may be before it counts."""
AT_ONCE: Final = 100
"""Ids a transaction: some tens of milliseconds, in which nobody else can write."""
_BREATH_S: Final = 0.1


class PeopleWorker:
    """``start`` and ``stop`` run steps in a thread of their own."""

    def __init__(self, database: Database, desk: PeopleDesk, look_every_s: float = LOOK_EVERY_S) -> None:
        self._database, self._desk, self._look_every_s = database, desk, look_every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="atrium-people", daemon=True)

    def start(self) -> None:
        """Begin to settle."""
        self._thread.start()

    def stop(self) -> None:
        """End behind the step under way; the rest waits in the records."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def is_log_empty(self) -> bool:
        """Whether nothing that was erased waits in the database's log."""
        return self._desk.log_is_empty

    def step(self) -> int:
        """One transaction for each tenant; how many ids were settled."""
        with self._database.read() as connection:
            tenants = [TenantId(tenant) for tenant, _ in list_tenants(connection)]
        n = 0
        if not self._desk.log_is_empty:
            self._desk.log_is_empty = self._database.empty_log()
        for tenant in tenants:
            with self._database.write() as connection:
                n += self._desk.book.settle(connection, tenant, AT_ONCE, SystemClock().now())
        return n

    def _run(self) -> None:
        wait_s = self._look_every_s
        while not self._stopping.wait(wait_s):
            try:
                wait_s = _BREATH_S if self.step() else self._look_every_s
            except AtriumError as error:
                _log.error("nobody was settled: %s", error)
                wait_s = self._look_every_s
            except Exception:  # noqa: BLE001  # an outermost loop logs and goes on
                _log.exception("nobody was settled; it is tried again")
                wait_s = self._look_every_s
