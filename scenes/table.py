"""The scenes of all phones present, side by side: 128 bytes each, and the phone's name with its place among them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

import numpy as np

from kernel.ids import DeviceRef
from scenes.advance import Phones, Told, sweep
from scenes.kernels.record import BASE, I32, I64, LAST, N_RECORD, PackedRules
from scenes.places import PlaceBook
from scenes.record import to_ms
from scenes.slot_index import SlotIndex

_FIRST_ROOM = 64
_MINUTE_MS = 60_000


class SceneTable:
    """Records by phone. Not for several threads at once."""

    def __init__(self) -> None:
        self._index = SlotIndex()
        self._records = np.zeros((_FIRST_ROOM, N_RECORD), dtype=np.int32)

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, ref: object) -> bool:
        return ref in self._index

    def __iter__(self) -> Iterator[DeviceRef]:
        return iter(self._index)

    def take(self, refs: Iterable[DeviceRef]) -> dict[DeviceRef, I32]:
        """Copies of the records of those phones that have one."""
        asked = list(dict.fromkeys(refs))
        slots = self._index.find(asked)
        held = np.flatnonzero(slots >= 0)
        return dict(zip([asked[at] for at in held.tolist()], self._records[slots[held]], strict=True))

    def put(self, records: Mapping[DeviceRef, I32 | None]) -> None:
        """Keep records, each (32,); None forgets the phone."""
        self._records[self._index.drop([ref for ref, record in records.items() if record is None])] = 0
        kept = {ref: record for ref, record in records.items() if record is not None}
        if kept:
            slots = self._index.add(list(kept))
            while len(self._records) <= int(slots.max()):
                self._records = np.vstack([self._records, np.zeros_like(self._records)])
            self._records[slots] = np.stack(list(kept.values()))

    def sweep(
        self, now: datetime, day_base_min: I64, rules: PackedRules, book: PlaceBook
    ) -> tuple[dict[DeviceRef, I32], tuple[tuple[DeviceRef, Told], ...]]:
        """What time alone ends (``advance.sweep``); nothing is kept until it is ``put``."""
        phones = Phones(list(self._index), self._records[self._index.slots])
        records, is_changed, told = sweep(phones, now, day_base_min, rules, book)
        changed = {phones.refs[at]: records[at] for at in np.flatnonzero(is_changed).tolist()}
        return changed, tuple((phones.refs[one.fix], one) for one in told)

    def silent_since(self, before: datetime) -> Collection[DeviceRef]:
        """The phones whose newest fix is older."""
        records = self._records[self._index.slots]
        last_ms = records[:, BASE].astype(np.int64) * _MINUTE_MS + records[:, LAST]
        refs = list(self._index)
        return [refs[at] for at in np.flatnonzero(last_ms < to_ms(before))]
