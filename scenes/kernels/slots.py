"""Names to their places, many at once: a table of open addressing, so that the waits for memory overlap.

A name is up to 32 bytes, zeros behind it, as four words; the table holds places or -1, four times as many cells as
names or more; a name is looked for from its hash on, cell by cell, until it or an empty cell is found. Source: Knuth,
The Art of Computer Programming, volume 3, section 6.4, algorithms L and R (linear probing, deletion without marks).
"""

import numpy as np
from numpy.typing import NDArray

from kernel.compiled import compiled_in_place, inlined
from scenes.kernels.record import I32, I64, U8

U64 = NDArray[np.uint64]

N_WORDS = 4
MOST_BYTES = 8 * N_WORDS
SEPARATOR = 10
_ODD = np.uint64(0x9E3779B97F4A7C15)
_FOLD = np.uint64(32)


@compiled_in_place
def split_names(text: U8, out: U64) -> int:
    """Names that a separator ends, as words, (n, 4) zeros before; how many; -1 where one is too long or has a zero."""
    n, at, word = 0, 0, np.uint64(0)
    for i in range(len(text)):
        byte = text[i]
        if byte == SEPARATOR:
            if at & 7 != 0:
                out[n, at >> 3] = word
            n, at, word = n + 1, 0, np.uint64(0)
        elif at == MOST_BYTES or n == len(out) or byte == 0:
            return -1
        else:
            word |= np.uint64(byte) << np.uint64(8 * (at & 7))
            at += 1
            if at & 7 == 0:
                out[n, (at >> 3) - 1] = word
                word = np.uint64(0)
    return n


@inlined
def _mix(hashed: np.uint64, word: np.uint64) -> np.uint64:
    return (hashed ^ (hashed >> _FOLD)) * _ODD + word


@inlined
def _cell_of(words: U64, i: int, n_cells: int) -> int:
    """Where a name is looked for first."""
    mixed = _mix(_mix(_mix(words[i, 0], words[i, 1]), words[i, 2]), words[i, 3])
    return int(np.int64(_mix(mixed, np.uint64(0)) >> _FOLD)) & (n_cells - 1)


@inlined
def _is_name(names: U64, slot: int, words: U64, i: int) -> bool:
    front = (names[slot, 0] ^ words[i, 0]) | (names[slot, 1] ^ words[i, 1])
    back = (names[slot, 2] ^ words[i, 2]) | (names[slot, 3] ^ words[i, 3])
    return bool((front | back) == np.uint64(0))


@compiled_in_place
def find_slots(words: U64, cells: I32, names: U64, out: I64) -> int:
    """The place of each name, -1 where it has none; returns nothing of use.

    What is far in memory is asked for in loops of their own, each name's without waiting for the one before.

    Args:
        words: (n, 4) the names looked for.
        cells: (n_cells,) a power of two.
        names: (n_slots, 4) by place.
        out: (n,).
    """
    asked = np.uint64(0)
    for i in range(len(words)):
        out[i] = cells[_cell_of(words, i, len(cells))]
    for i in range(len(words)):
        asked ^= names[max(out[i], 0), 0]
    for i in range(len(words)):
        if out[i] >= 0 and not _is_name(names, out[i], words, i):
            out[i] = _look_on(words, i, cells, names)
    return int(asked & np.uint64(1))


@compiled_in_place
def _look_on(words: U64, i: int, cells: I32, names: U64) -> int:
    """The place of a name that another stands in the way of, -1 where it has none."""
    last = len(cells) - 1
    cell = (_cell_of(words, i, len(cells)) + 1) & last
    while cells[cell] >= 0:
        if _is_name(names, cells[cell], words, i):
            return int(cells[cell])
        cell = (cell + 1) & last
    return -1


@compiled_in_place
def place_names(slots: I64, cells: I32, names: U64) -> None:
    """Enter the names at these places, none of which is there."""
    for i in range(len(slots)):
        cell = _cell_of(names, slots[i], len(cells))
        while cells[cell] >= 0:
            cell = (cell + 1) & (len(cells) - 1)
        cells[cell] = slots[i]


@compiled_in_place
def drop_name(slot: int, cells: I32, names: U64) -> None:
    """Take out the name at a place, which is there; those behind it move up where they were put off by it."""
    last = len(cells) - 1
    empty = _cell_of(names, slot, len(cells))
    while cells[empty] != slot:
        empty = (empty + 1) & last
    cells[empty] = -1
    cell = (empty + 1) & last
    while cells[cell] >= 0:
        first = _cell_of(names, cells[cell], len(cells))
        if ((cell - first) & last) >= ((cell - empty) & last):
            cells[empty], cells[cell] = cells[cell], -1
            empty = cell
        cell = (cell + 1) & last


@compiled_in_place
def ask_for(records: I32, slots: I64) -> int:
    """Bring records, two lines of memory each, near before they are moved; returns nothing of use."""
    asked = 0
    for i in range(len(slots)):
        asked ^= records[slots[i], 0] ^ records[slots[i], 16]
    return asked & 1
