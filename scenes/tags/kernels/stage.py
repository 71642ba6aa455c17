"""How near a person is to buying of one category: a hidden-Markov filter over the days with evidence."""

import math

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
    rec: I32, at: int, day: int, daily: F64, prior: F64, means: F64, compares: F64, buys: F64, belief: F64
) -> int:
    """The belief about a category's stage at the end of a day, into ``belief``; how many entries speak.

    Args:
        rec: (320,) a record.
        at: where the category's slot begins.
        daily: (5, 5) chance of each stage a day later, from row to column.
        prior: (5,) on the first day with an entry, before it.
        means: (5, 3) passes, short and long visits to be expected on a day in the mall.
        compares, buys: (5,) chance on a day that two stores or more are visited; that a purchase is seen.
    """
    days = np.empty(MOST_DAYS + MOST_ENTRIES, dtype=np.int64)
    n_days, n_entries = _list_days(rec, at, day, days)
    belief[:] = prior
    for k in range(n_days):
        if k > 0:
            step(belief, daily, days[k] - days[k - 1])
        _weigh(rec, at, days[k], means, compares, buys, belief)
    if n_days > 0:
        step(belief, daily, day - days[n_days - 1])
    return n_entries


@compiled
def step(belief: F64, daily: F64, n_days: int) -> None:
    """Let days pass without evidence."""
    after = np.empty(N_STAGES)
    for _ in range(min(n_days, MOST_DAYS_BETWEEN)):
        for to in range(N_STAGES):
            total = 0.0
            for stage in range(N_STAGES):
                total += belief[stage] * daily[stage, to]
            after[to] = total
        belief[:] = after


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
def _weigh(rec: I32, at: int, day: int, means: F64, compares: F64, buys: F64, belief: F64) -> None:
    """One day's evidence: counts are Poisson, comparing and buying coins; independent given the stage."""
    counts = np.zeros(4)
    first, n_stores = -1, 0
    for k in range(at + SLOT_ENTRIES, at + SLOT_ENTRIES + MOST_ENTRIES):
        entry = rec[k]
        if entry != 0 and (entry >> 16) & 0xFFFF == day:
            kind, store = (entry >> 14) & 3, entry & STORE_MASK
            counts[kind] += (entry >> 10) & MOST_COUNT
            if kind not in (E_PASS, E_BUY) and store != first:
                n_stores += 1
                first = store
    total = 0.0
    for stage in range(N_STAGES):
        log = 0.0
        for kind in range(E_PASS, E_LONG + 1):
            log += min(counts[kind], 4.0) * math.log(means[stage, kind]) - means[stage, kind]
        log += math.log(compares[stage] if n_stores >= 2 else 1.0 - compares[stage])
        log += math.log(buys[stage] if counts[E_BUY] > 0 else 1.0 - buys[stage])
        belief[stage] *= math.exp(log)
        total += belief[stage]
    belief /= total
