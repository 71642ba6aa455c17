"""Rows of tags, and how a record remembers which are held."""

from kernel.compiled import compiled
from scenes.tags.kernels.layout import (
    CATEGORIES,
    HELD,
    HELD_BAND,
    HELD_CYCLE,
    HELD_DWELL,
    HELD_FREQUENCY,
    HELD_LEVEL,
    HELD_RECENT,
    HELD_SLOTS,
    HELD_WEEKDAY,
    I32,
    MOST_CATEGORIES,
    N_CATEGORY,
    SLOT_STAGE,
    Rows,
)

NEW, RETURNING, LOYAL, LAPSING, WEEKLY, MONTHLY, RARE, RECENT, LONG, SHORT = range(10)
ON_WEEKDAY, AT_HOUR, ON_LEVEL, CATEGORY, BRAND, STAGE = range(10, 16)
"""Numbers of ``names.TagName``."""
_HELD_AT = (
    HELD_CYCLE, HELD_CYCLE, HELD_CYCLE, HELD_CYCLE, HELD_FREQUENCY, HELD_FREQUENCY, HELD_FREQUENCY, HELD_RECENT,
    HELD_DWELL, HELD_DWELL, HELD_WEEKDAY, HELD_BAND, HELD_LEVEL,
)  # fmt: skip
"""Where each tag up to ``ON_LEVEL`` is held, in steps of its slot."""
_HELD_AS = (1, 2, 3, 4, 1, 2, 3, 1, 1, 2, 1, 1, 1)
"""And as which number."""


@compiled
def tell(
    out: Rows, n: int, person: int, name: int, subject: int, slot: int, was: bool, holds: bool, evidence: int,
    score: float, expires: float,
) -> int:  # fmt: skip
    if not (was or holds):
        return n
    row = out[n]
    row.person, row.name, row.subject, row.slot = person, name, subject, slot
    row.was_held, row.holds, row.evidence_n = was, holds, evidence
    row.score, row.expires_day = min(max(score, 0.0), 1.0), expires
    return n + 1


@compiled
def settle_record(rec: I32, out: Rows, first: int, n: int) -> None:
    """Hold what rows ``first`` to ``n`` say holds, and nothing else."""
    held, slots = 0, 0
    for slot in range(MOST_CATEGORIES):
        rec[CATEGORIES + slot * N_CATEGORY + SLOT_STAGE] = 0
    for i in range(first, n):
        row = out[i]
        if row.holds == 0:
            continue
        if row.name < CATEGORY:
            held |= _HELD_AS[row.name] << (_HELD_AT[row.name] + row.slot)
        elif row.name == CATEGORY:
            slots |= 1 << row.slot
        elif row.name == BRAND:
            slots |= 1 << (16 + row.slot)
        else:
            rec[CATEGORIES + row.slot * N_CATEGORY + SLOT_STAGE] = row.subject & 7
    rec[HELD] = held
    rec[HELD_SLOTS] = slots - (1 << 32) if slots >= 1 << 31 else slots
