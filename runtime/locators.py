"""The trained venues of each tenant, resident; a model that changes on disk is taken up at the next batch."""

import logging
import time
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from kernel.errors import AtriumError
from kernel.ids import StoreId, TenantId, VenueId
from positioning.bundle import from_bytes
from positioning.light import LightLocator
from positioning.ports import Locator, Tracker
from positioning.track.tracker import Tracker as VenueTracker
from runtime.rankers import make_locator
from runtime.settings import LocatorKind
from runtime.venue_store import VenueStore
from venues.model import Venue

_log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0


@dataclass(slots=True)
class _Resident:
    locator: Locator
    tracker: VenueTracker
    of_venue: dict[VenueId, tuple[LightLocator, VenueTracker]] = field(default_factory=dict)
    venues: dict[VenueId, Venue | None] = field(default_factory=dict)
    sensitive: dict[VenueId, frozenset[StoreId]] = field(default_factory=dict)
    stamps: dict[VenueId, tuple[int, int]] = field(default_factory=dict)
    looked_at: float = 0.0


class Locators:
    """Gives each tenant a locator over its trained venues. Used by the engine's thread alone."""

    def __init__(
        self,
        store: VenueStore,
        *,
        tracks: bool = True,
        kind: LocatorKind = "light",
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        """Args:
        tracks: whether a phone's earlier scans are looked at; if not, each is answered by itself.
        kind: which locator answers.
        """
        self._kind, self._look_every_s = kind, look_every_s
        self._store = store
        self._tracks = tracks
        self._resident: dict[TenantId, _Resident] = {}

    def of(self, tenant: TenantId) -> Locator:
        """The tenant's locator. A model that cannot be read is left out and logged; its old one stays.

        So it is with a list of sensitive stores, which is looked at and logged again each time until it is mended.
        """
        held = self._resident.get(tenant)
        if held is None:
            held = self._resident[tenant] = _Resident(LightLocator(()), VenueTracker(()))
        if time.monotonic() - held.looked_at >= self._look_every_s or held.looked_at == 0.0:
            held.looked_at = time.monotonic()
            self._look(tenant, held)
        return held.locator

    def tracker_of(self, tenant: TenantId) -> Tracker | None:
        """The tracker over the same models, as of the last ``of``; None where scans are answered by themselves."""
        held = self._resident.get(tenant)
        return held.tracker if held is not None and self._tracks else None

    def time_zone(self, tenant: TenantId, venue_id: VenueId) -> str | None:
        """The venue's time zone where its map gives one."""
        held = self._resident.get(tenant)
        venue = None if held is None else held.venues.get(venue_id)
        return None if venue is None else venue.time_zone

    def zones(self, tenant: TenantId) -> dict[VenueId, tzinfo]:
        """The time zones of the resident venues whose maps give one."""
        held = self._resident.get(tenant)
        venues = {} if held is None else held.venues
        return {
            venue_id: ZoneInfo(venue.time_zone)
            for venue_id, venue in venues.items()
            if venue is not None and venue.time_zone is not None
        }

    def sensitive(self, tenant: TenantId) -> dict[VenueId, frozenset[StoreId]]:
        """The sensitive stores of the resident venues, as of the last ``of``."""
        held = self._resident.get(tenant)
        return {} if held is None else held.sensitive

    def _look(self, tenant: TenantId, held: _Resident) -> None:
        stamps = {
            venue_id: (path.stat().st_mtime_ns, self._list_stamp(tenant, venue_id))
            for venue_id in self._store.venue_ids(tenant)
            if (path := self._store.model_path(tenant, venue_id)).exists()
        }
        if stamps == held.stamps:
            return
        changed = {venue_id for venue_id, stamp in stamps.items() if held.stamps.get(venue_id) != stamp}
        unlisted = {venue_id for venue_id in changed if not self._load(tenant, venue_id, held)}
        gone = held.of_venue.keys() - stamps.keys()
        for venue_id in gone:
            del held.of_venue[venue_id]
        held.stamps = {venue_id: stamp for venue_id, stamp in stamps.items() if venue_id not in unlisted}
        if gone or changed - unlisted:
            held.locator = LightLocator.join([locator for locator, _ in held.of_venue.values()])
            held.tracker = VenueTracker.join([tracker for _, tracker in held.of_venue.values()])

    def _list_stamp(self, tenant: TenantId, venue_id: VenueId) -> int:
        path = self._store.sensitive_path(tenant, venue_id)
        return path.stat().st_mtime_ns if path.exists() else 0

    def _load(self, tenant: TenantId, venue_id: VenueId, held: _Resident) -> bool:
        """Take a model up: compiled, it answers; the model itself, with its survey, is let go.

        Returns:
            False where the list of sensitive stores cannot be read. The venue stays as it was, with its last good list
            or without an answer, and each look says so again until the list is mended.
        """
        try:
            self._store.sensitive_lines(tenant, venue_id)  # before the map and the model, which take long
        except AtriumError as error:
            _log.error("venue %s is not taken up: %s", venue_id, error)
            return False
        try:
            venue = self._store.load_venue(tenant, venue_id)
            model = from_bytes(self._store.model_path(tenant, venue_id).read_bytes(), venue)
            sensitive = self._store.sensitive_of(tenant, venue, venue_id)
            held.of_venue[venue_id] = make_locator((model,), self._kind), VenueTracker((model,))
            held.venues[venue_id], held.sensitive[venue_id] = venue, sensitive
        except (AtriumError, OSError, UnicodeError) as error:
            _log.error("the model of venue %s cannot be used: %s", venue_id, error)
        return True
