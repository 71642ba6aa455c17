"""Which place a phone's record has: names to places, a batch at a time.

A dictionary of a million names costs 0.7 to 1 µs a look, each of which waits for memory by itself; here the waits of a
batch overlap (``atrium bench scenes``).
"""

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from kernel.ids import DeviceRef
from scenes.kernels.record import I64
from scenes.kernels.slots import MOST_BYTES, N_WORDS, U64, drop_name, find_slots, place_names, split_names

_FIRST_ROOM = 64
_CELLS_A_PLACE = 4


class SlotIndex:
    """Names, up to 32 bytes each, and their places from 0 on; places given up are given again. Not for several
    threads."""

    def __init__(self) -> None:
        self._refs: list[DeviceRef | None] = []
        self._free: list[int] = []
        self._names: U64 = np.zeros((_FIRST_ROOM, N_WORDS), dtype=np.uint64)
        self._cells = np.full(_CELLS_A_PLACE * _FIRST_ROOM, -1, dtype=np.int32)

    def __len__(self) -> int:
        return len(self._refs) - len(self._free)

    def __iter__(self) -> Iterator[DeviceRef]:
        return (ref for ref in self._refs if ref is not None)

    def __contains__(self, ref: object) -> bool:
        return isinstance(ref, str) and bool(self.find([DeviceRef(ref)])[0] >= 0)

    @property
    def slots(self) -> I64:
        """The places that are taken, in order."""
        return np.array([at for at, ref in enumerate(self._refs) if ref is not None], dtype=np.int64)

    def find(self, refs: Collection[DeviceRef]) -> I64:
        """The place of each, (n,), -1 where it has none."""
        out = np.empty(len(refs), dtype=np.int64)
        find_slots(_words(refs), self._cells, self._names, out)
        return out

    def add(self, refs: Sequence[DeviceRef]) -> I64:
        """The place of each, (n,), a new one where it had none.

        Raises:
            ValueError: a name of more than 32 bytes, or with a line break or a zero.
        """
        found = self.find(refs)
        new = dict.fromkeys(ref for ref, slot in zip(refs, found.tolist(), strict=True) if slot < 0)
        if not new:
            return found
        words, slots = _words(new), self._give(list(new))
        self._make_room()
        self._names[slots] = words
        place_names(slots, self._cells, self._names)
        return self.find(refs)

    def drop(self, refs: Collection[DeviceRef]) -> I64:
        """Forget names; the places of those that had one."""
        slots = self.find(dict.fromkeys(refs))
        slots = slots[slots >= 0]
        for slot in slots.tolist():
            drop_name(slot, self._cells, self._names)
            self._refs[slot] = None
            self._free.append(slot)
        return slots

    def _give(self, refs: list[DeviceRef]) -> I64:
        slots = []
        for ref in refs:
            if self._free:
                slot = self._free.pop()
                self._refs[slot] = ref
            else:
                slot = len(self._refs)
                self._refs.append(ref)
            slots.append(slot)
        return np.array(slots, dtype=np.int64)

    def _make_room(self) -> None:
        """Room for the names given; the cells are filled anew by those that were there."""
        room = len(self._names)
        while room < len(self._refs):
            room *= 2
        if room > len(self._names):
            held = self._cells[self._cells >= 0].astype(np.int64)
            names = np.zeros((room, N_WORDS), dtype=np.uint64)
            names[: len(self._names)] = self._names
            self._names, self._cells = names, np.full(_CELLS_A_PLACE * room, -1, dtype=np.int32)
            place_names(held, self._cells, self._names)


def _words(refs: Collection[DeviceRef]) -> U64:
    """Names as words, (n, 4)."""
    words = np.zeros((len(refs), N_WORDS), dtype=np.uint64)
    text = np.frombuffer("\n".join((*refs, "")).encode(), dtype=np.uint8)
    if split_names(text, words) != len(refs):
        raise ValueError(f"expected names of at most {MOST_BYTES} bytes without line breaks and zeros")
    return words
