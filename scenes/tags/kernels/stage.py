"""How near a person is to buying of one category: a hidden-Markov filter over the days with evidence."""

import numpy as np

from kernel.compiled import compiled
from scenes.tags.kernels.layout import (
    CATEGORIES,
    DAYS,
    F64,
    I32,
    I64,
    MOST_CATEGORIES,
    MOST_COUNT,
    MOST_DAYS,
    MOST_ENTRIES,
    N_CATEGORY,
    SLOT_ENTRIES,
)

N_STAGES = 5
N_HIDDEN = 8
"""States of the chain: contemplating, preparing and after are passed in two steps each, so that none ends at once and
few last for ever (durations are Erlang of shape 2)."""
_OF_HIDDEN = (0, 1, 1, 2, 2, 3, 4, 4)
"""The stage of each state."""
MOST_DAYS_BETWEEN = 400
"""After so long nothing is left of a belief but the prior."""


@compiled
def filter_stage(rec: I32, at: int, day: int, later: F64, prior: F64, chance: F64, hidden: F64, belief: F64) -> int:
    """The belief at the end of a day, into ``hidden`` by state and ``belief`` by stage; how many entries speak.

    Args:
        rec: (360,) a record.
        at: where the category's slot begins.
        later: (401, 8, 8) chance of each state so many days later, from row to column.
        prior: (8,) on the first day with an entry, before it.
        chance: (5, 5, 5) of what a day in the mall shows, by stage (last axis): of 0 to 4 passes, short visits, long
            visits; of at most one visit or several; of no purchase or some.
    """
    days = np.empty(MOST_DAYS + MOST_ENTRIES, dtype=np.int64)
    n_days, n_entries = _list_days(rec, at, day, days)
    hidden[:] = prior
    for k in range(n_days):
        if k > 0:
            step(hidden, later, days[k] - days[k - 1])
        _weigh(rec, at, days[k], chance, hidden)
    if n_days > 0:
        step(hidden, later, day - days[n_days - 1])
    belief[:] = 0.0
    for state in range(N_HIDDEN):
        belief[_OF_HIDDEN[state]] += hidden[state]
    return n_entries


@compiled
def believe_each(
    words: I32, person: I64, category: I64, day: int, later: F64, prior: F64, chance: F64, belief: F64
) -> None:
    """The belief about one category of each person, into (n, 5) ``belief``; certainly none where nothing is known."""
    hidden = np.empty(N_HIDDEN)
    for i in range(len(person)):
        rec = words[person[i]]
        n_entries = 0
        for slot in range(MOST_CATEGORIES):
            at = CATEGORIES + slot * N_CATEGORY
            if rec[at] & 0xFFFF == category[i] + 1:
                n_entries = filter_stage(rec, at, day, later, prior, chance, hidden, belief[i])
        if n_entries == 0:
            belief[i] = 0.0
            belief[i, 0] = 1.0


@compiled
def step(hidden: F64, later: F64, n_days: int) -> None:
    """Let days pass without evidence."""
    chance = later[min(n_days, MOST_DAYS_BETWEEN)]
    before = (hidden[0], hidden[1], hidden[2], hidden[3], hidden[4], hidden[5], hidden[6], hidden[7])
    for to in range(N_HIDDEN):
        total = 0.0
        for state in range(N_HIDDEN):
            total += before[state] * chance[state, to]
        hidden[to] = total


@compiled
def _list_days(rec: I32, at: int, day: int, days: I64) -> tuple[int, int]:
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
def _insert(days: I64, n: int, day: int) -> int:
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
def _weigh(rec: I32, at: int, day: int, chance: F64, hidden: F64) -> None:
    """One day's evidence: counts are Poisson, comparing and buying coins; independent given the stage."""
    entry = 0
    for k in range(at + SLOT_ENTRIES, at + SLOT_ENTRIES + MOST_ENTRIES):
        if (rec[k] >> 16) & 0xFFFF == day:
            entry = rec[k] & 0xFFFF
    passes, short, long = entry & MOST_COUNT, (entry >> 4) & MOST_COUNT, (entry >> 8) & MOST_COUNT
    several = 1 if short + long >= 2 else 0
    bought = 1 if (entry >> 12) & MOST_COUNT else 0
    total = 0.0
    for state in range(N_HIDDEN):
        stage = _OF_HIDDEN[state]
        likely = chance[0, min(passes, 4), stage] * chance[1, min(short, 4), stage] * chance[2, min(long, 4), stage]
        hidden[state] *= likely * chance[3, several, stage] * chance[4, bought, stage]
        total += hidden[state]
    for state in range(N_HIDDEN):
        hidden[state] /= total


@compiled
def stage_lasts(hidden: F64, later: F64, best: int, least: float) -> int:
    """Days without evidence after which a stage is no longer the likeliest, or under ``least``."""
    belief = np.zeros(N_STAGES)
    for days in range(1, MOST_DAYS_BETWEEN):
        belief[:] = 0.0
        for to in range(N_HIDDEN):
            for state in range(N_HIDDEN):
                belief[_OF_HIDDEN[to]] += hidden[state] * later[days, state, to]
        if belief[best] < least or np.argmax(belief) != best:
            return days
    return MOST_DAYS_BETWEEN
