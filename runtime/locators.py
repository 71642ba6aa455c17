"""The trained venues of each tenant, resident; a model that changes on disk is taken up at the next batch."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kernel.errors import AtriumError
from kernel.ids import StoreId, TenantId, VenueId
from positioning.bundle import from_bytes
from positioning.light import LightLocator
from positioning.ports import Locator, Tracker
from positioning.track.tracker import Tracker as VenueTracker
from runtime.rankers import make_locator
from runtime.settings import LocatorKind
from runtime.venue_store import VenueStore

_log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0


@dataclass(slots=True)
class _Resident:
    locator: Locator
    tracker: VenueTracker
    of_venue: dict[VenueId, tuple[LightLocator, VenueTracker]] = field(default_factory=dict)
    sensitive: dict[VenueId, frozenset[StoreId]] = field(default_factory=dict)
    stamps: dict[VenueId, tuple[int, int]] = field(default_factory=dict)
    looked_at: float = 0.0


@dataclass(slots=True)
class _Zones:
    of_venue: dict[VenueId, tzinfo] = field(default_factory=dict)
    stamps: dict[VenueId, int] = field(default_factory=dict)
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
        self._zones: dict[TenantId, _Zones] = {}

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

    def zones(self, tenant: TenantId) -> Mapping[VenueId, tzinfo]:
        """The time zones of the venues whose maps give one: known at once after a start, trained or not."""
        held = self._zones.setdefault(tenant, _Zones())
        if time.monotonic() - held.looked_at >= LOOK_EVERY_S or held.looked_at == 0.0:
            held.looked_at = time.monotonic()
            self._look_at_zones(tenant, held)
        return held.of_venue

    def sensitive(self, tenant: TenantId) -> dict[VenueId, frozenset[StoreId]]:
        """The sensitive stores of the resident venues, as of the last ``of``."""
        held = self._resident.get(tenant)
        return {} if held is None else held.sensitive

    def _look_at_zones(self, tenant: TenantId, held: _Zones) -> None:
        """Read the zones of maps that changed; that of a map that cannot be read stays as it was."""
        stamps = {
            venue_id: path.stat().st_mtime_ns
            for venue_id in self._store.venue_ids(tenant)
            if (path := self._store.map_path(tenant, venue_id)).exists()
        }
        if stamps == held.stamps:
            return
        found = {venue_id: zone for venue_id, zone in held.of_venue.items() if venue_id in stamps}
        for venue_id, stamp in stamps.items():
            if held.stamps.get(venue_id) == stamp:
                continue
            try:
                name = self._store.time_zone(tenant, venue_id)
                told = {} if name is None else {venue_id: ZoneInfo(name)}
            except (AtriumError, OSError, ValueError, ZoneInfoNotFoundError) as error:
                _log.error("the time zone of venue %s cannot be read: %s", venue_id, error)
                continue
            found.pop(venue_id, None)
            found.update(told)
        held.of_venue, held.stamps = found, stamps

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
            held.sensitive[venue_id] = sensitive
        except (AtriumError, OSError, UnicodeError) as error:
            _log.error("the model of venue %s cannot be used: %s", venue_id, error)
        return True
