"""The tail of the durable events: each tenant's read once as it grows, for any number of followers.

One thread asks the table for what is new of the tenants that have followers and keeps the newest ``RECENT_EVENTS`` of
each in memory, shared. A follower who is further behind (it came back with an old cursor, or is slow) reads the table
by pages until it has caught up; nothing waits for it in memory. Delivery: in the order of the table, none left out;
where a follower begins anew is its caller's to remember.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, Literal

from api.errors import TooManyStreamsError
from api.ports import EventRow, StreamPart
from kernel.ids import TenantId
from runtime.database import Database
from runtime.records.events import event_cursor, events_after, last_sequence, sequence_of

_log = logging.getLogger(__name__)

POLL_S: Final = 0.2
"""How soon an event is told after its commit; one indexed look a tenant, 0.1 ms."""
RECENT_EVENTS: Final = 1_000
"""About 1 MB a tenant that is followed."""
_READ_EVENTS: Final = 500
PART_EVENTS: Final = 100
"""What a follower gets at once: 100 kB at most, encoded in 2 ms."""


@dataclass(slots=True)
class _Recent:
    """A tenant's newest events: all that came after ``begins_after``."""

    begins_after: int
    rows: deque[EventRow] = field(default_factory=deque)
    followers: set["Follower"] = field(default_factory=set)

    @property
    def newest(self) -> int:
        return self.rows[-1].sequence if self.rows else self.begins_after

    def add(self, rows: Collection[EventRow]) -> None:
        self.rows.extend(rows)
        while len(self.rows) > RECENT_EVENTS:
            self.begins_after = self.rows.popleft().sequence


class EventTail:
    """``start`` first, ``close`` to let all followers go, ``stop`` at the end; ``follow`` from any event loop."""

    def __init__(self, database: Database, poll_s: float = POLL_S) -> None:
        self._database, self._poll_s = database, poll_s
        self._tenants: dict[TenantId, _Recent] = {}
        self._guard = threading.Lock()
        self._is_followed, self._is_closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="atrium-events", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Let all followers go, and those that come later; does not wait."""
        self._is_closing.set()
        self._is_followed.set()
        with self._guard:
            followers = [follower for recent in self._tenants.values() for follower in recent.followers]
        for follower in followers:
            follower.wake()

    def stop(self) -> None:
        """Close, and wait for the thread."""
        self.close()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def is_closing(self) -> bool:
        """Whether followers are to go."""
        return self._is_closing.is_set()

    async def follow(self, tenant: TenantId, after: int | None, types: Collection[str]) -> "Follower":
        """Follow a tenant's events of these types (none named: all) after a sequence, or (None) from now on."""
        last = await asyncio.to_thread(self._last, tenant)
        with self._guard:
            recent = self._tenants.setdefault(tenant, _Recent(last))
            follower = Follower(self, tenant, last if after is None else after, frozenset(types))
            recent.followers.add(follower)
        self._is_followed.set()
        return follower

    def unfollow(self, follower: "Follower") -> None:
        """Forget a follower, and a tenant with its last one."""
        with self._guard:
            recent = self._tenants.get(follower.tenant)
            if recent is not None:
                recent.followers.discard(follower)
                if not recent.followers:
                    del self._tenants[follower.tenant]
            if not self._tenants and not self.is_closing:
                self._is_followed.clear()

    def n_followers(self, tenant: TenantId) -> int:
        """How many follow a tenant."""
        with self._guard:
            recent = self._tenants.get(tenant)
            return 0 if recent is None else len(recent.followers)

    def recent_after(self, tenant: TenantId, sequence: int) -> list[EventRow] | None:
        """The next events after a sequence; None where memory does not reach back so far."""
        with self._guard:
            recent = self._tenants.get(tenant)
            if recent is None or sequence < recent.begins_after:
                return None
            if recent.newest <= sequence:
                return []
            return [row for row in recent.rows if row.sequence > sequence][:PART_EVENTS]

    def stored_after(self, tenant: TenantId, sequence: int) -> list[EventRow]:
        """The next events after a sequence, from the table."""
        with self._database.read() as connection:
            return events_after(connection, tenant, sequence, PART_EVENTS)

    def _last(self, tenant: TenantId) -> int:
        with self._database.read() as connection:
            return last_sequence(connection, tenant)

    def _run(self) -> None:
        while not self.is_closing:
            self._is_followed.wait()
            with self._guard:
                tenants = [(tenant, recent.newest) for tenant, recent in self._tenants.items()]
            for tenant, newest in tenants:
                try:
                    self._look(tenant, newest)
                except Exception:  # noqa: BLE001  # an outermost loop logs and goes on
                    _log.exception("new events could not be read; it is tried again")
            self._is_closing.wait(self._poll_s)

    def _look(self, tenant: TenantId, newest: int) -> None:
        while not self.is_closing:
            with self._database.read() as connection:
                rows = events_after(connection, tenant, newest, _READ_EVENTS)
            if not rows:
                return
            newest = rows[-1].sequence
            with self._guard:
                recent = self._tenants.get(tenant)
                if recent is None or recent.newest >= newest:
                    return  # the last follower left meanwhile, or another has come since
                recent.add(rows)
                followers = list(recent.followers)
            for follower in followers:
                follower.wake()


class Follower:
    """One reader of a tail, on the event loop that made it; ``read`` by one task at a time."""

    def __init__(self, tail: EventTail, tenant: TenantId, after: int, types: frozenset[str]) -> None:
        self._tail, self.tenant, self._types = tail, tenant, types
        self.after = after
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()

    @property
    def cursor(self) -> str:
        """The cursor of ``/v1/events`` after all that was read."""
        return event_cursor(self.after)

    async def read(self, wait_s: float) -> StreamPart | None:
        """The next events, in order; a part without any after ``wait_s``; None once the tail closes."""
        ends_s = self._loop.time() + wait_s
        while not self._tail.is_closing:
            self._woken.clear()
            rows = self._tail.recent_after(self.tenant, self.after)
            if rows is None:
                rows = await asyncio.to_thread(self._tail.stored_after, self.tenant, self.after)
            if rows:
                self.after = rows[-1].sequence
                wanted = [row for row in rows if not self._types or row.type in self._types]
                if wanted or self._loop.time() >= ends_s:
                    return StreamPart(wanted, self.cursor)
                continue
            try:
                async with asyncio.timeout_at(ends_s):
                    await self._woken.wait()
            except TimeoutError:
                return StreamPart((), self.cursor)
        return None

    def wake(self) -> None:
        """There may be something new; from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    def close(self) -> None:
        """Follow no longer; harmless twice."""
        self._tail.unfollow(self)


class StreamDesk:
    """Opens streams for the HTTP layer, so many a tenant."""

    def __init__(self, tail: EventTail, most_per_tenant: int) -> None:
        self._tail, self._most = tail, most_per_tenant
        self._open: dict[TenantId, int] = {}

    async def open(self, tenant: TenantId, after: str | Literal["start", "now"], types: Collection[str]) -> "Stream":
        sequence = {"start": 0, "now": None}[after] if after in {"start", "now"} else sequence_of(after)
        if self._open.get(tenant, 0) >= self._most:
            raise TooManyStreamsError(self._most)
        self._open[tenant] = self._open.get(tenant, 0) + 1
        try:
            return Stream(await self._tail.follow(tenant, sequence, types), self)
        except BaseException:
            self.closed(tenant)
            raise

    def closed(self, tenant: TenantId) -> None:
        """A stream of the tenant has ended."""
        self._open[tenant] -= 1
        if not self._open[tenant]:
            del self._open[tenant]


class Stream:
    """A follower that takes one of its tenant's places."""

    def __init__(self, follower: Follower, desk: StreamDesk) -> None:
        self._follower, self._desk = follower, desk
        self._is_open = True

    @property
    def cursor(self) -> str:
        return self._follower.cursor

    async def read(self, wait_s: float) -> StreamPart | None:
        return await self._follower.read(wait_s)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._follower.close()
            self._desk.closed(self._follower.tenant)
