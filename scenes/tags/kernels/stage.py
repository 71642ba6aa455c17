"""How near a person is to buying of one category: a hidden-Markov filter over the days with evidence."""

import numpy as np

from scenes.tags.kernels.compiled import compiled
from scenes.tags.kernels.layout import (
    DAYS,
    E_BUY,
    E_LONG,
    E_PASS,
    F64,
    I32,
    MOST_COUNT,
    MOST_DAYS,
    MOST_ENTRIES,
    SLOT_ENTRIES,
    STORE_MASK,
)

N_STAGES = 5
MOST_DAYS_BETWEEN = 400
"""After so long nothing is left of a belief but the prior."""


@compiled
def filter_stage(
    rec: I32, at: int, day: int, later: F64, prior: F64, chance: F64, belief: F64
) -> int:
    """The belief about a category's stage at the end of a day, into ``belief``; how many entries speak.

    Args:
        rec: (320,) a record.
        at: where the category's slot begins.
        later: (401, 5, 5) chance of each stage so many days later, from row to column.
        prior: (5,) on the first day with an entry, before it.
        chance: (5, 5, 5) of what a day in the mall shows, by stage (last axis): of 0 to 4 passes, short visits, long
            visits; of one store or several; of no purchase or one.
    """
    days = np.empty(MOST_DAYS + MOST_ENTRIES, dtype=np.int64)
    n_days, n_entries = _list_days(rec, at, day, days)
    belief[:] = prior
    for k in range(n_days):
        if k > 0:
            step(belief, later, days[k] - days[k - 1])
        _weigh(rec, at, days[k], chance, belief)
    if n_days > 0:
        step(belief, later, day - days[n_days - 1])
    return n_entries


@compiled
def step(belief: F64, later: F64, n_days: int) -> None:
    """Let days pass without evidence."""
    chance = later[min(n_days, MOST_DAYS_BETWEEN)]
    a, b, c, d, e = belief[0], belief[1], belief[2], belief[3], belief[4]
    for to in range(N_STAGES):
        belief[to] = a * chance[0, to] + b * chance[1, to] + c * chance[2, to] + d * chance[3, to] + e * chance[4, to]


@compiled
def _list_days(rec: I32, at: int, day: int, days: I32) -> tuple[int, int]:
    """The days in the mall from the first entry on, in order; how many, and how many entries."""
    n, n_entries, first = 0, 0, 1 << 30
    for k in range(at + SLOT_ENTRIES, at + SLOT_ENTRIES + MOST_ENTRIES):
        known = (rec[k] >> 16) & 0xFFFF
        if rec[k] != 0 and known <= day:
            n_entries += 1
            first = min(first, known)
            n = _insert(days, n, known)
    for k in range(DAYS, DAYS + MOST_DAYS):
        known = rec[k] & 0xFFFF
        if rec[k] != 0 and first <= known <= day:
            n = _insert(days, n, known)
    return n, n_entries


@compiled
def _insert(days: I32, n: int, day: int) -> int:
    at = n
    while at > 0 and days[at - 1] >= day:
        if days[at - 1] == day:
            return n
        at -= 1
    for k in range(n, at, -1):
        days[k] = days[k - 1]
    days[at] = day
    return n + 1


@compiled
def _weigh(rec: I32, at: int, day: int, chance: F64, belief: F64) -> None:
    """One day's evidence: counts are Poisson, comparing and buying coins; independent given the stage."""
    passes, short, long, bought = 0, 0, 0, 0
    first, several = -1, 0
    for k in range(at + SLOT_ENTRIES, at + SLOT_ENTRIES + MOST_ENTRIES):
        entry = rec[k]
        if entry == 0 or (entry >> 16) & 0xFFFF != day:
            continue
        kind, store, count = (entry >> 14) & 3, entry & STORE_MASK, (entry >> 10) & MOST_COUNT
        if kind == E_PASS:
            passes += count
        elif kind == E_BUY:
            bought = 1
        else:
            short += count if kind != E_LONG else 0
            long += count if kind == E_LONG else 0
            several = 1 if several == 1 or (first >= 0 and store != first) else 0
            first = store
    total = 0.0
    for stage in range(N_STAGES):
        likely = chance[0, min(passes, 4), stage] * chance[1, min(short, 4), stage] * chance[2, min(long, 4), stage]
        belief[stage] *= likely * chance[3, several, stage] * chance[4, bought, stage]
        total += belief[stage]
    for stage in range(N_STAGES):
        belief[stage] /= total
