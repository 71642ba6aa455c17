"""From a position to the evidence that a scene is made of, and that evidence as numbers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from kernel.ids import StoreId
from positioning.position import Located
from scenes.kernels.record import I32, I64, U8, UNKNOWN, WALKWAY, make_code
from scenes.places import PlaceBook
from scenes.record import to_ms
from scenes.rules import evidence_steps
from scenes.service_day import ServiceDays
from scenes.state import Fix

MAX_STORES = 5
"""Stores a fix remembers: the top 5 hold over 97 % of the probability."""
_LEAST_OF_FRONT = 0.5
_LEAST_OF_WALKWAY = 0.5


def is_at_sensitive(located: Located, sensitive: Collection[StoreId]) -> bool:
    """Whether an answer says that its phone is in or before a sensitive store (``venues/sensitive.py``)."""
    position = located.position
    if position is None or not sensitive:
        return False
    first = position.candidates[0].store_id if position.candidates else None
    return position.store_id in sensitive or first in sensitive


def fix_of(
    located: Located, at: datetime, sensitive: Collection[StoreId] = frozenset(), *, is_approaching: bool = False
) -> Fix:
    """The fix that a scan's answer gives; an answer without a position is a fix of an unknown place.

    The evidence for a store is ``in_store`` x its probability. Where the survey cannot tell inside from outside
    (``in_store`` None), it is the front's probability alone.

    Args:
        sensitive: of these stores no fix tells: an answer that is of one gives level and venue, and no store.
        is_approaching: the phone itself says that it is on its way to a venue.
    """
    at = at.replace(microsecond=at.microsecond // 1_000 * 1_000)
    position = located.position
    if position is None:
        return Fix(at, is_approaching=is_approaching)
    inside = 1.0 if position.in_store is None else position.in_store
    named = () if is_at_sensitive(located, sensitive) else position.candidates[:MAX_STORES]
    stores = [c for c in named if c.store_id not in sensitive]
    first = stores[0] if stores and stores[0] is position.candidates[0] else None
    return Fix(
        at=at,
        venue_id=position.venue_id,
        level_id=position.level_id,
        stores=tuple((c.store_id, inside * c.probability) for c in stores),
        walkway=None if position.in_store is None else 1.0 - position.in_store,
        front=None if first is None or first.probability < _LEAST_OF_FRONT else first.store_id,
    )


@dataclass(frozen=True, slots=True)
class FixRows:
    """n fixes as numbers, for ``kernels/visits.advance_fixes``; each (n,)."""

    at_ms: I64
    base_min: I64
    venue: I32
    code: I32
    front: I32
    is_approaching: U8

    def __len__(self) -> int:
        return len(self.at_ms)

    def take(self, places: Sequence[int] | I64) -> "FixRows":
        """Some of them, in that order."""
        at = np.asarray(places, dtype=np.int64)
        return FixRows(*(getattr(self, name)[at] for name in self.__slots__))

    @staticmethod
    def of_table(table: I64) -> "FixRows":
        """Of one table, (n, 6), in the order of the attributes."""
        at_ms, base_min, venue, code, front, is_approaching = table.T
        return FixRows(
            at_ms.copy(),
            base_min.copy(),
            venue.astype(np.int32),
            code.astype(np.int32),
            front.astype(np.int32),
            is_approaching.astype(np.uint8),
        )

    @staticmethod
    def join(parts: Sequence["FixRows"]) -> "FixRows":
        """One behind another."""
        return FixRows(*(np.concatenate([getattr(part, name) for part in parts]) for name in FixRows.__slots__))


def pack_fixes(fixes: Sequence[Fix], book: PlaceBook, days: ServiceDays) -> FixRows:
    """Fixes as numbers. Of each the best store is kept, or the walkway where that is likelier than it and than not."""
    rows = np.empty((len(fixes), 6), dtype=np.int64)
    for i, fix in enumerate(fixes):
        base_min = days.base_min(fix.venue_id, fix.at)
        if fix.venue_id is None:
            rows[i] = to_ms(fix.at), base_min, 0, 0, 0, fix.is_approaching
            continue
        venue = book.venue(fix.venue_id)
        best, evidence = fix.stores[0] if fix.stores else (None, 0.0)
        store, front = UNKNOWN, 0
        if fix.walkway is not None and fix.walkway > max(evidence, _LEAST_OF_WALKWAY):
            store, evidence = WALKWAY, fix.walkway
            front = 0 if fix.front is None else book.store(venue, fix.front)
        elif best is not None:
            store = book.store(venue, best)
        code = make_code(store, evidence_steps(evidence), book.level(venue, fix.level_id), int(fix.is_at_exit))
        rows[i] = to_ms(fix.at), base_min, venue, code, front, fix.is_approaching
    return FixRows.of_table(rows)
