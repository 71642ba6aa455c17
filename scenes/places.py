"""Places by small numbers, for packed records: each process numbers them as it meets them.

The numbers mean nothing outside the process: what is stored carries the places' own ids (``record.snapshot``).
"""

from collections.abc import Sequence

from kernel.ids import LevelId, StoreId, VenueId
from scenes.errors import TooManyPlacesError
from scenes.kernels.record import FIRST_STORE, LEVEL, STORE, UNNAMED_LEVEL

_MOST = 0x7FFF


class PlaceBook:
    """Numbers venues from 1, a venue's levels from 1 and its stores from 2, in the order they are asked for.

    Asking is harmless: a number once given stays. Not for several threads at once.
    """

    def __init__(self) -> None:
        self._venues: dict[VenueId, int] = {}
        self._venue_ids: list[VenueId] = [VenueId("")]
        self._levels: list[dict[LevelId, int]] = [{}]
        self._level_ids: list[list[LevelId]] = [[LevelId("")]]
        self._stores: list[dict[StoreId, int]] = [{}]
        self._store_ids: list[list[StoreId]] = [[]]

    @property
    def venue_ids(self) -> Sequence[VenueId]:
        """By number; the first is none."""
        return self._venue_ids

    def venue(self, venue_id: VenueId) -> int:
        """A venue's number.

        Raises:
            TooManyPlacesError: more than 32,767 venues in one process.
        """
        number = self._venues.get(venue_id)
        if number is None:
            number = len(self._venue_ids)
            if number > _MOST:
                raise TooManyPlacesError(f"expected at most {_MOST} venues in a process")
            self._venues[venue_id] = number
            self._venue_ids.append(venue_id)
            self._levels.append({})
            self._level_ids.append([LevelId("")])
            self._stores.append({})
            self._store_ids.append([StoreId("")] * FIRST_STORE)
        return number

    def level(self, venue: int, level_id: LevelId | None) -> int:
        """A level's number; ``UNNAMED_LEVEL`` for none, and for all beyond the 62nd of a venue."""
        if level_id is None:
            return UNNAMED_LEVEL
        number = self._levels[venue].get(level_id)
        if number is None:
            number = min(len(self._level_ids[venue]), UNNAMED_LEVEL)
            self._levels[venue][level_id] = number
            if number < UNNAMED_LEVEL:
                self._level_ids[venue].append(level_id)
        return number

    def store(self, venue: int, store_id: StoreId) -> int:
        """A store's number.

        Raises:
            TooManyPlacesError: more than 32,765 stores in one venue.
        """
        number = self._stores[venue].get(store_id)
        if number is None:
            number = len(self._store_ids[venue])
            if number > _MOST:
                raise TooManyPlacesError(f"expected at most {_MOST - 1} stores in venue {self._venue_ids[venue]}")
            self._stores[venue][store_id] = number
            self._store_ids[venue].append(store_id)
        return number

    def place_id(self, venue: int, kind: int, number: int) -> str:
        """The id behind a number; ``kind`` of ``kernels.record``."""
        if kind == STORE:
            return self._store_ids[venue][number]
        if kind == LEVEL:
            return self._level_ids[venue][number]
        return self._venue_ids[venue]
