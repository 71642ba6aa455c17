"""The scenes of all phones present, side by side: 128 bytes each, and the phone's name with its place among them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

import numpy as np

from kernel.ids import DeviceRef
from scenes.advance import Phones, Told, sweep
from scenes.kernels.record import BASE, I32, I64, LAST, N_RECORD, PackedRules
from scenes.places import PlaceBook
from scenes.record import to_ms

_FIRST_ROOM = 64
_MINUTE_MS = 60_000


class SceneTable:
    """Records by phone. Not for several threads at once."""

    def __init__(self) -> None:
        self._slot: dict[DeviceRef, int] = {}
        self._free: list[int] = []
        self._records = np.zeros((_FIRST_ROOM, N_RECORD), dtype=np.int32)

    def __len__(self) -> int:
        return len(self._slot)

    def __contains__(self, ref: object) -> bool:
        return ref in self._slot

    def __iter__(self) -> Iterator[DeviceRef]:
        return iter(self._slot)

    def take(self, refs: Iterable[DeviceRef]) -> dict[DeviceRef, I32]:
        """Copies of the records of those phones that have one."""
        slots = {ref: self._slot[ref] for ref in refs if ref in self._slot}
        records = self._records[list(slots.values())]
        return dict(zip(slots, records, strict=True))

    def put(self, records: Mapping[DeviceRef, I32 | None]) -> None:
        """Keep records, each (32,); None forgets the phone."""
        for ref, record in records.items():
            if record is None:
                self._drop(ref)
            else:
                slot = self._place(ref)  # before the records are looked at: it may put others in their place
                self._records[slot] = record

    def sweep(
        self, now: datetime, day_base_min: I64, rules: PackedRules, book: PlaceBook
    ) -> tuple[dict[DeviceRef, I32], tuple[tuple[DeviceRef, Told], ...]]:
        """What time alone ends (``advance.sweep``); nothing is kept until it is ``put``."""
        phones = Phones(list(self._slot), self._records[list(self._slot.values())])
        records, is_changed, told = sweep(phones, now, day_base_min, rules, book)
        changed = {phones.refs[at]: records[at] for at in np.flatnonzero(is_changed).tolist()}
        return changed, tuple((phones.refs[one.fix], one) for one in told)

    def silent_since(self, before: datetime) -> Collection[DeviceRef]:
        """The phones whose newest fix is older."""
        slots = np.fromiter(self._slot.values(), dtype=np.int64, count=len(self._slot))
        last_ms = self._records[slots, BASE].astype(np.int64) * _MINUTE_MS + self._records[slots, LAST]
        refs = list(self._slot)
        return [refs[at] for at in np.flatnonzero(last_ms < to_ms(before))]

    def _place(self, ref: DeviceRef) -> int:
        slot = self._slot.get(ref)
        if slot is None:
            slot = self._free.pop() if self._free else len(self._slot)
            if slot >= len(self._records):
                self._records = np.vstack([self._records, np.zeros_like(self._records)])
            self._slot[ref] = slot
        return slot

    def _drop(self, ref: DeviceRef) -> None:
        slot = self._slot.pop(ref, None)
        if slot is not None:
            self._records[slot] = 0
            self._free.append(slot)
