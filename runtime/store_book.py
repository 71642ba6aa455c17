"""Where the stores are that tills name."""

import threading
from collections.abc import Collection, Sequence, Set
from typing import Protocol

from kernel.errors import AtriumError
from kernel.ids import StoreId, TenantId, VenueId
from runtime.errors import StorageError
from runtime.records.payments import StorePlace
from runtime.sensitive_lists import SensitiveLists
from runtime.tag_places import zone_of
from venues.model import Venue


class Maps(Protocol):
    """The maps of a tenant's venues."""

    def list(self, tenant: TenantId) -> Sequence[VenueId]: ...

    def get(self, tenant: TenantId, venue_id: VenueId) -> Venue | None: ...


class StoreBook:
    """Finds stores on the maps of a tenant's venues; safe to share between threads."""

    def __init__(self, venues: Maps, sensitive: SensitiveLists) -> None:
        self._venues, self._sensitive = venues, sensitive
        self._reading = threading.Lock()

    def find(self, tenant: TenantId, wanted: Collection[StoreId]) -> dict[StoreId, StorePlace]:
        """Where these stores are, those that no map has left out; the first venue by id where two maps have one.

        Raises:
            StorageError: a map, or a list of sensitive stores, cannot be read, and a store may be of it: unknown is not
                the same as not there.
        """
        found: dict[StoreId, StorePlace] = {}
        unread: AtriumError | None = None
        with self._reading:
            for venue_id in sorted(self._venues.list(tenant)):
                try:
                    found |= self._find_at(tenant, venue_id, set(wanted) - found.keys())
                except AtriumError as error:
                    unread = error
        if unread is not None and found.keys() != set(wanted):
            raise StorageError(f"not all venues can be read: {unread}") from unread
        return found

    def _find_at(self, tenant: TenantId, venue_id: VenueId, wanted: Set[StoreId]) -> dict[StoreId, StorePlace]:
        venue = self._venues.get(tenant, venue_id)
        held = set() if venue is None else {store.id for store in venue.stores} & wanted
        if venue is None or not held:
            return {}
        sensitive = self._sensitive.of(tenant, venue)
        zone = zone_of(venue.time_zone)
        return {store_id: StorePlace(venue_id, zone, store_id in sensitive) for store_id in held}
