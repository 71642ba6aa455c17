"""How many people a figure must stand on before it leaves, and how it is coarsened.

Counts of people by something they share. A cell of few people is not told at all, and no cell is told to the person,
so that one person's coming or going does not show.
"""

from typing import Final

MIN_PEOPLE: Final = 10
"""For the mall's own staff (project's research on scenes, section 12: k of 10, 20 and 50 by reader)."""
ROUNDED_TO: Final = 5
"""The same section."""


def released_people(n: int) -> int | None:
    """A count as it may be told; None where too few people stand behind it.

    >>> released_people(9), released_people(12), released_people(13)
    (None, 10, 15)
    """
    return None if n < MIN_PEOPLE else ROUNDED_TO * ((n + ROUNDED_TO // 2) // ROUNDED_TO)
