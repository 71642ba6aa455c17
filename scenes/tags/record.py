"""The packed states of people: how to make, admit, forget, store and read them back. The layout: ``kernels/layout.py``.

A row of ``words`` is one person's; which person, only the caller knows. All sums can be taken back (``learn.unlearn``).
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenes.errors import SnapshotError
from scenes.tags.kernels.layout import (
    BRANDS,
    CATEGORIES,
    F32,
    HEAD,
    HELD_SLOTS,
    I32,
    MOST_BRANDS,
    MOST_CATEGORIES,
    N_BRAND,
    N_CATEGORY,
    N_VISITS,
    N_WORDS,
    SLOT_WEIGHT,
    TOTAL,
    VERSION,
)

CLOSED = np.dtype(
    [
        ("arrived_s", "i8"), ("left_s", "i8"), ("person", "i4"), ("store", "i4"), ("day", "i4"), ("level", "i2"),
        ("category", "i2"), ("brand", "i2"), ("kind", "i1"), ("hour", "i1"), ("is_counted", "u1"), ("spare", "u1", 3),
    ]
)  # fmt: skip
"""One thing to learn, 40 bytes. ``kind`` is ``layout.STORE_VISIT``, ``LEVEL_VISIT``, ``VENUE_VISIT``, ``PASS`` (a front
was passed from arrived to left) or ``PURCHASE``. ``person`` is a row of the states; instants are seconds since 1970;
``day`` is the local service day in days since 1970, from which the weekday follows; ``hour`` the local hour of arrival.
``store``, ``level``, ``category`` and ``brand`` are numbers of the caller's, -1 for none."""
_MAGIC = b"ATG"
_HEADER = np.dtype([("magic", "S3"), ("version", "u1"), ("half_life_days", "<u2"), ("n_words", "<u2")])


@dataclass(frozen=True, slots=True)
class TagStates:
    """Records of people; calls that learn or settle write into ``words``.

    Args:
        words: (n_people, 360).
        half_life_days: of all weights within.
    """

    words: I32
    half_life_days: int

    def __post_init__(self) -> None:
        if self.words.ndim != 2 or self.words.shape[1] != N_WORDS or self.words.dtype != np.int32:
            raise ValueError(f"expected int32 of (n, {N_WORDS}), found {self.words.dtype} of {self.words.shape}")
        if not self.words.flags.c_contiguous:
            raise ValueError("expected words that lie one after the other")

    @property
    def floats(self) -> F32:
        """The same bytes, read as weights."""
        return self.words.view(np.float32)

    def __len__(self) -> int:
        return len(self.words)


def make_states(n_people: int, half_life_days: int = 60) -> TagStates:
    """Records of nobody: they learn nothing before ``admit``."""
    return TagStates(np.zeros((n_people, N_WORDS), dtype=np.int32), half_life_days)


def admit(states: TagStates, person: NDArray[np.integer]) -> None:
    """These rows may be known from now on: grown or teen by a known age, with consent. The caller answers for it."""
    states.words[person, HEAD] = 1


def forget(states: TagStates, person: NDArray[np.integer]) -> None:
    """Nothing remains of these rows, and they learn nothing until admitted again."""
    states.words[person] = 0


def forget_places(states: TagStates, categories: Collection[int], brands: Collection[int]) -> NDArray[np.bool_]:
    """Nothing of these categories and brands remains in any row; which rows changed, (n_people,).

    A category's visits leave the total as well, so the shares of the others are as if it had never been visited. Its
    stays remain in the mean of all stays, which names no place; a brand's visits remain in its category.
    """
    words, floats = states.words, states.floats
    before = words.copy()
    for first, most, width, held_at, numbers in (
        (CATEGORIES, MOST_CATEGORIES, N_CATEGORY, 0, categories),
        (BRANDS, MOST_BRANDS, N_BRAND, 16, brands),
    ):
        gone = np.array(sorted(numbers), dtype=np.int64) + 1
        for slot in range(most):
            at = first + slot * width
            rows = np.flatnonzero(np.isin(words[:, at] & 0xFFFF, gone))
            if first == CATEGORIES:
                words[rows, N_VISITS] = np.maximum(words[rows, N_VISITS] - (words[rows, at] >> 16), 0)
                floats[rows, TOTAL] = np.maximum(floats[rows, TOTAL] - floats[rows, at + SLOT_WEIGHT], 0.0)
            words[rows, at : at + width] = 0
            words[rows, HELD_SLOTS] &= np.array([~(1 << (held_at + slot)) & 0xFFFFFFFF], dtype=np.uint32).view(
                np.int32
            )[0]
    return np.asarray((words != before).any(axis=1))


def check_people(states: TagStates, person: NDArray[np.integer]) -> None:
    """Raise ``ValueError`` where a row is asked for that is not there."""
    if len(person) and not 0 <= int(person.min()) <= int(person.max()) < len(states):
        raise ValueError(f"expected people within 0..{len(states) - 1}, found {person.min()}..{person.max()}")


def take_snapshot(states: TagStates, person: int) -> bytes:
    """One person's record as bytes of a fixed length (1,448), to be kept by the caller."""
    header = np.array([(_MAGIC, VERSION, states.half_life_days, N_WORDS)], dtype=_HEADER)
    packed: bytes = header.tobytes() + states.words[person].astype("<i4").tobytes()
    return packed


def restore_snapshot(states: TagStates, person: int, snapshot: bytes) -> None:
    """Put a stored record into a row.

    Raises:
        SnapshotError: of another version or half-life, or damaged; the row is then as it was.
    """
    expected = _HEADER.itemsize + 4 * N_WORDS
    if len(snapshot) != expected:
        raise SnapshotError(f"expected {expected} bytes, found {len(snapshot)}")
    header = np.frombuffer(snapshot[: _HEADER.itemsize], dtype=_HEADER)[0]
    found = (bytes(header["magic"]), int(header["version"]), int(header["half_life_days"]), int(header["n_words"]))
    if found != (_MAGIC, VERSION, states.half_life_days, N_WORDS):
        raise SnapshotError(f"expected {(_MAGIC, VERSION, states.half_life_days, N_WORDS)}, found {found}")
    states.words[person] = np.frombuffer(snapshot[_HEADER.itemsize :], dtype="<i4")
