"""Payments as the HTTP layer and the command line record them: each by itself, whole or not at all."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Final

from api.ports import Page, PaymentRow, Recorded
from kernel.clock import EPOCH, Clock
from kernel.errors import AtriumError
from kernel.ids import StoreId, TenantId
from members.payment import Complaint, Told
from members.ports import PeopleBook
from runtime.clocks import SystemClock
from runtime.database import Database
from runtime.errors import StorageError
from runtime.records.payments import Door, StorePlace, list_payments, record_all
from runtime.sensitive_lists import SensitiveLists
from runtime.services import VenueDesk

_WALL = SystemClock()
AT_ONCE: Final = 100
"""Payments stored in one transaction, about 50 ms: scans wait no longer for their turn to write."""


class StoreBook:
    """Finds stores on the maps of a tenant's venues; safe to share between threads."""

    def __init__(self, venues: VenueDesk, sensitive: SensitiveLists) -> None:
        self._venues, self._sensitive = venues, sensitive
        self._reading = threading.Lock()

    def find(self, tenant: TenantId, wanted: Collection[StoreId]) -> dict[StoreId, StorePlace]:
        """Where these stores are, those that no map has left out; the first venue by id where two maps have one.

        Raises:
            StorageError: a venue's list of sensitive stores cannot be read, so nobody knows whether one is of them.
        """
        found: dict[StoreId, StorePlace] = {}
        with self._reading:
            for venue_id in sorted(self._venues.list(tenant)):
                venue = self._venues.get(tenant, venue_id)
                held = set() if venue is None else {store.id for store in venue.stores} & set(wanted) - found.keys()
                if venue is None or not held:
                    continue
                try:
                    sensitive = self._sensitive.of(tenant, venue)
                except AtriumError as error:
                    raise StorageError(f"the sensitive stores of venue {venue_id} cannot be read") from error
                found |= {store_id: StorePlace(venue_id, store_id in sensitive) for store_id in held}
        return found


class PaymentDesk:
    """Records payments and lists them."""

    def __init__(
        self, database: Database, clock: Clock, stores: StoreBook, people: PeopleBook, digest_key: bytes
    ) -> None:
        self._database, self._clock, self._stores = database, clock, stores
        self._people, self._digest_key = people, digest_key

    def door(self, tenant: TenantId, told: Sequence[Told]) -> Door:
        """What these are let in by, as things are now; read before the transaction, which reads no files."""
        stores = {one.store_id for one in told if not isinstance(one, Complaint) and one.store_id is not None}
        return Door(self._people, self._stores.find(tenant, stores), latest(self._clock), self._digest_key)

    def record(self, tenant: TenantId, told: Sequence[Told]) -> Sequence[Recorded | AtriumError]:
        outcomes: list[Recorded | AtriumError] = []
        door = self.door(tenant, told)
        for some in in_parts(told, AT_ONCE):
            with self._database.write() as connection:
                outcomes += record_all(connection, tenant, some, door, _WALL.now())
        return outcomes

    def record_together(
        self, tenant: TenantId, told: Sequence[Told], tell: Callable[[int], None], *, may_keep: bool
    ) -> tuple[Sequence[Recorded | AtriumError], bool]:
        """Store all or none, in one transaction, which others wait for; and whether it was kept.

        Args:
            tell: hears how many are done.
            may_keep: whether to keep them if none is refused.
        """
        outcomes: list[Recorded | AtriumError] = []
        door = self.door(tenant, told)
        with self._database.write() as connection:
            whole = connection.begin_nested()
            for some in in_parts(told, AT_ONCE):
                outcomes += record_all(connection, tenant, some, door, _WALL.now())
                tell(len(outcomes))
            is_kept = may_keep and not any(isinstance(outcome, AtriumError) for outcome in outcomes)
            if is_kept:
                whole.commit()
            else:
                whole.rollback()
        return outcomes, is_kept

    def list(self, tenant: TenantId, limit: int, cursor: str | None) -> Page[PaymentRow]:
        with self._database.read() as connection:
            return list_payments(connection, tenant, limit, cursor)


def latest(clock: Clock) -> datetime:
    """The instant that the future begins after: the clock's, the machine's while a clock of events has seen nothing."""
    now = clock.now()
    return _WALL.now() if now == EPOCH else now


def in_parts(told: Sequence[Told], n: int) -> Iterator[Sequence[Told]]:
    """``told`` in order, so many at a time."""
    for start in range(0, len(told), n):
        yield told[start : start + n]
