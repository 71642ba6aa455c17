"""Payments as the HTTP layer and the command line record them: each by itself, whole or not at all."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from api.ports import Page, PaymentRow, Recorded
from kernel.clock import EPOCH, Clock
from kernel.errors import AtriumError
from kernel.ids import TenantId
from members.payment import Complaint, Told
from members.ports import PeopleBook
from runtime.clocks import SystemClock
from runtime.confirming import Confirming
from runtime.database import Database
from runtime.records.payments import Door, list_payments, record_all
from runtime.store_book import StoreBook

_WALL = SystemClock()
AT_ONCE: Final = 100
"""Payments stored in one transaction, about 50 ms: scans wait no longer for their turn to write."""


class PaymentDesk:
    """Records payments and lists them."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        stores: StoreBook,
        people: PeopleBook,
        digest_key: bytes,
        confirming: Confirming | None = None,
    ) -> None:
        """Args: confirming: takes what payments say of where phones are; None where no scans are at hand."""
        self._database, self._clock, self._stores = database, clock, stores
        self._people, self._digest_key, self._confirming = people, digest_key, confirming

    def door(self, tenant: TenantId, told: Sequence[Told]) -> Door:
        """What these are let in by, as things are now; read before the transaction, which reads no files."""
        stores = {one.store_id for one in told if not isinstance(one, Complaint) and one.store_id is not None}
        return Door(self._people, self._stores.find(tenant, stores), latest(self._clock), self._digest_key)

    def record(self, tenant: TenantId, told: Sequence[Told]) -> Sequence[Recorded | AtriumError]:
        outcomes: list[Recorded | AtriumError] = []
        door = self.door(tenant, told)
        for some in in_parts(told, AT_ONCE):
            with self._database.write() as connection:
                made = record_all(connection, tenant, some, door, _WALL.now())
                if self._confirming is not None:
                    self._confirming.paid(connection, tenant, some, made, door.places)
            outcomes += made
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
