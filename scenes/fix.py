"""From a position to the evidence that a scene is made of."""

from datetime import datetime

from positioning.position import Located
from scenes.state import Fix


def fix_of(located: Located, at: datetime) -> Fix:
    """The fix that a scan's answer gives; an answer without a position is a fix of an unknown place.

    The evidence for a store is ``in_store`` x its probability. Where the survey cannot tell inside from outside
    (``in_store`` None), it is the front's probability alone.
    """
    position = located.position
    if position is None:
        return Fix(at)
    inside = 1.0 if position.in_store is None else position.in_store
    return Fix(
        at=at,
        venue_id=position.venue_id,
        level_id=position.level_id,
        stores=tuple((c.store_id, inside * c.probability) for c in position.candidates[:MAX_STORES]),
        walkway=None if position.in_store is None else 1.0 - position.in_store,
    )


MAX_STORES = 5
"""Stores a fix remembers: the top 5 hold over 97 % of the probability, and the state stays small."""
