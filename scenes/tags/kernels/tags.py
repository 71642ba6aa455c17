"""Which tags hold in a record at a day, with evidence, score and end; on wish, they are held from then on."""

from kernel.compiled import compiled
from scenes.tags.kernels.layout import (
    F32,
    F64,
    HEAD,
    I32,
    I64,
    LANDMARK,
    MOST_BRANDS,
    MOST_CATEGORIES,
    MOST_LEVELS,
    U8,
    Rows,
)
from scenes.tags.kernels.life import list_days, list_dwell
from scenes.tags.kernels.preferences import list_brands, list_categories, list_habits
from scenes.tags.kernels.stage_tags import list_stages
from scenes.tags.kernels.tell import settle_record
from scenes.tags.kernels.thresholds import HALF_LIFE

MOST_TAGS = 4 + 3 + 1 + 2 + 7 + 5 + MOST_LEVELS + 3 * MOST_CATEGORIES + MOST_BRANDS
"""Rows that one record can make; a stage that becomes another makes two."""


@compiled
def list_tags(
    words: I32,
    floats: F32,
    person: I64,
    day: float,
    limits: F64,
    category_share: F64,
    brand_share: F64,
    category_of_brand: I64,
    weekday_share: F64,
    band_share: F64,
    level_share: F64,
    has_stage: U8,
    later: F64,
    prior: F64,
    chance: F64,
    settles: bool,
    out: Rows,
) -> int:
    """Fill ``out`` with the tags that hold or were held; how many. With ``settles``, what holds is held from now on."""
    n = 0
    for i in range(len(person)):
        rec, weights = words[person[i]], floats[person[i]]
        if rec[HEAD] == 0:
            continue
        first = n
        fade = 2.0 ** (rec[LANDMARK] - day / limits[HALF_LIFE])
        n = list_days(rec, person[i], day, limits, out, n)
        n = list_dwell(rec, weights, person[i], fade, limits, out, n)
        n = list_habits(rec, weights, person[i], fade, limits, weekday_share, band_share, level_share, out, n)
        n = list_categories(rec, weights, person[i], fade, limits, category_share, out, n)
        n = list_brands(rec, weights, person[i], fade, limits, brand_share, category_of_brand, out, n)
        n = list_stages(rec, person[i], int(day), limits, has_stage, later, prior, chance, out, n)
        if settles:
            settle_record(rec, out, first, n)
    return n
