"""Wake sets of trained venues, chosen when first asked for and kept until the model or map changes."""

from collections import OrderedDict
from dataclasses import dataclass
from importlib.metadata import version as version_of
from threading import Lock

from api.ports import WakeSetAnswer
from kernel.ids import TenantId, VenueId
from positioning.bundle import from_bytes
from positioning.wake import PlaceKind, RadioKind, choose_wake_set
from runtime.errors import UntrainedVenueError
from runtime.venue_store import VenueStore

_PROGRAM = version_of("atrium")
"""Another version may choose another set from the same model."""
_MOST_KEPT = 64
"""Answers kept for each tenant, some tens of kilobytes each; models are not, the locators hold theirs."""


@dataclass(frozen=True, slots=True)
class _Asked:
    venue_id: VenueId
    kind: PlaceKind
    radio: RadioKind
    limit: int


class WakeSetDesk:
    """Answers ``api.ports.WakeSets``. Calls may come from several threads; one set is chosen at a time."""

    def __init__(self, store: VenueStore) -> None:
        self._store = store
        self._kept: dict[TenantId, OrderedDict[_Asked, WakeSetAnswer]] = {}
        self._choosing = Lock()

    def choose(
        self, tenant: TenantId, venue_id: VenueId, *, kind: PlaceKind, radio: RadioKind, limit: int
    ) -> WakeSetAnswer:
        """The set, and a version that changes with the model.

        Raises:
            UntrainedVenueError: the venue has no model, or no map.
        """
        path = self._store.model_path(tenant, venue_id)
        if not path.exists():
            raise UntrainedVenueError(f"venue {venue_id} is not trained, so nothing is known of its radio")
        map_path = self._store.map_path(tenant, venue_id)
        if not map_path.exists():
            raise UntrainedVenueError(f"venue {venue_id} has no map, so it has no entrances or stores to wake at")
        version = f"{path.stat().st_mtime_ns:x}-{map_path.stat().st_mtime_ns:x}-{_PROGRAM}-{kind}-{radio}-{limit}"
        asked = _Asked(venue_id, kind, radio, limit)
        with self._choosing:
            kept = self._kept.setdefault(tenant, OrderedDict())
            held = kept.get(asked)
            if held is not None and held.version == version:
                return held
            venue = self._store.load_venue(tenant, venue_id)
            assert venue is not None  # its map is there
            model = from_bytes(path.read_bytes(), venue)
            answer = WakeSetAnswer(choose_wake_set(model, venue, kind=kind, limit=limit, radio=radio), version)
            kept[asked] = answer
            while len(kept) > _MOST_KEPT:
                kept.popitem(last=False)
            return answer
