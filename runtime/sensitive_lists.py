"""The sensitive stores of each venue for whoever learns behind the flow; read anew where map or list has changed."""

from kernel.ids import StoreId, TenantId, VenueId
from runtime.venue_store import VenueStore
from venues.model import Venue


class SensitiveLists:
    """Keeps what was read last. Used by one thread."""

    def __init__(self, store: VenueStore) -> None:
        self._store = store
        self._held: dict[tuple[TenantId, VenueId], tuple[Venue, int, frozenset[StoreId]]] = {}

    def of(self, tenant: TenantId, venue: Venue) -> frozenset[StoreId]:
        """The sensitive stores of a venue on its map, as it is now.

        Raises:
            VenueFileError: the venue's own list cannot be read.
        """
        path = self._store.sensitive_path(tenant, venue.id)
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        held = self._held.get((tenant, venue.id))
        if held is None or held[0] is not venue or held[1] != stamp:
            stores = self._store.sensitive_of(tenant, venue, venue.id)
            held = self._held[tenant, venue.id] = venue, stamp, stores
        return held[2]
