"""Decision stages as tags."""

import numpy as np

from kernel.compiled import compiled
from scenes.tags.kernels.layout import (
    CATEGORIES,
    F64,
    I32,
    MOST_CATEGORIES,
    MOST_ENTRIES,
    N_CATEGORY,
    SLOT_ENTRIES,
    SLOT_STAGE,
    U8,
    Rows,
)
from scenes.tags.kernels.stage import N_HIDDEN, N_STAGES, filter_stage, stage_lasts
from scenes.tags.kernels.tell import STAGE, tell
from scenes.tags.kernels.thresholds import KEEP_STAGE, MIN_STAGE


@compiled
def list_stages(
    rec: I32, person: int, day: int, limits: F64, has_stage: U8, later: F64, prior: F64, chance: F64, out: Rows, n: int
) -> int:
    hidden, belief = np.empty(N_HIDDEN), np.empty(N_STAGES)
    for slot in range(MOST_CATEGORIES):
        at = CATEGORIES + slot * N_CATEGORY
        number, was = (rec[at] & 0xFFFF) - 1, rec[at + SLOT_STAGE]
        if number < 0 or (was == 0 and (has_stage[number] == 0 or not _has_entry(rec, at, day))):
            continue  # a stage begins by evidence, on its day; time alone only ends it or leads on
        n_entries = filter_stage(rec, at, day, later, prior, chance, hidden, belief)
        best = int(np.argmax(belief)) if n_entries > 0 else 0
        score = belief[best]
        if has_stage[number] == 0 or score < limits[KEEP_STAGE if best == was else MIN_STAGE]:
            best = 0
        if was not in (0, best):
            n = tell(out, n, person, STAGE, number * 8 + was, slot, True, False, n_entries, belief[was], float(day))
        if best != 0:
            until = day + stage_lasts(hidden, later, best, limits[KEEP_STAGE])
            n = tell(out, n, person, STAGE, number * 8 + best, slot, was == best, True, n_entries, score, float(until))
    return n


@compiled
def _has_entry(rec: I32, at: int, day: int) -> bool:
    """Whether there is evidence of the category on this day."""
    found = False
    for k in range(at + SLOT_ENTRIES, at + SLOT_ENTRIES + MOST_ENTRIES):
        found |= (rec[k] >> 16) & 0xFFFF == day
    return found
