"""Preferences and habits: a person's shares against the mall's, shrunk to them."""

import math

from kernel.compiled import compiled
from scenes.tags.kernels.layout import (
    BAND,
    BAND_N,
    BRAND_DAYS,
    BRANDS,
    CATEGORIES,
    F32,
    F64,
    HELD,
    HELD_BAND,
    HELD_LEVEL,
    HELD_SLOTS,
    HELD_WEEKDAY,
    I32,
    I64,
    LANDMARK,
    LEVELS,
    MOST_BRANDS,
    MOST_CATEGORIES,
    MOST_ENTRIES,
    MOST_LEVELS,
    N_BRAND,
    N_CATEGORY,
    N_DAYS,
    N_LEVEL,
    SLOT_ENTRIES,
    SLOT_WEIGHT,
    TOTAL,
    WEEKDAY,
    WEEKDAY_N,
    Rows,
)
from scenes.tags.kernels.tell import AT_HOUR, BRAND, CATEGORY, ON_LEVEL, ON_WEEKDAY, tell
from scenes.tags.kernels.thresholds import ADD_LIFT, HALF_LIFE, KEEP_LIFT, MIN_DAYS, MIN_VISITS, PRIOR_VISITS


@compiled
def share_of(weight: float, total: float, fade: float, mall: float, prior: float) -> float:
    """A person's share, shrunk to the mall's: the mean of a Beta posterior."""
    return (weight * fade + prior * mall) / (total * fade + prior)


@compiled
def expiry_of_share(
    weight: float, total: float, mall: float, prior: float, lift: float, landmark: int, half_life: float
) -> float:
    """The day at which decay alone takes a share down to ``lift`` times the mall's; both sums fade alike."""
    excess = weight - lift * mall * total
    if excess <= 0.0 or mall <= 0.0:
        return -math.inf
    return half_life * (landmark - math.log2(prior * mall * (lift - 1.0) / excess))


@compiled
def _share(
    rec: I32, person: int, name: int, subject: int, slot: int, held: bool, evidence: int, n_days: int, weight: float,
    total: float, fade: float, mall: float, limits: F64, out: Rows, n: int,
) -> int:  # fmt: skip
    """One preference or habit."""
    prior = limits[PRIOR_VISITS]
    score = share_of(weight, total, fade, mall, prior)
    least = limits[KEEP_LIFT] if held else limits[ADD_LIFT]
    has_evidence = evidence >= limits[MIN_VISITS] and n_days >= limits[MIN_DAYS]
    holds = has_evidence and mall > 0.0 and score >= least * mall
    if not (held or holds):
        return n
    expires = expiry_of_share(weight, total, mall, prior, limits[KEEP_LIFT], rec[LANDMARK], limits[HALF_LIFE])
    return tell(out, n, person, name, subject, slot, held, holds, evidence, score, expires)


@compiled
def list_habits(
    rec: I32, weights: F32, person: int, fade: float, limits: F64, weekday_share: F64, band_share: F64,
    level_share: F64, out: Rows, n: int,
) -> int:  # fmt: skip
    total = 0.0
    for k in range(7):
        total += weights[WEEKDAY + k]
    for k in range(7):
        held, count = (rec[HELD] >> (HELD_WEEKDAY + k)) & 1 != 0, rec[WEEKDAY_N + k]
        n = _share(
            rec, person, ON_WEEKDAY, k, k, held, count, count, weights[WEEKDAY + k], total, fade, weekday_share[k],
            limits, out, n,
        )  # fmt: skip
    total = 0.0
    for k in range(5):
        total += weights[BAND + k]
    for k in range(5):
        held, count = (rec[HELD] >> (HELD_BAND + k)) & 1 != 0, rec[BAND_N + k]
        n = _share(
            rec, person, AT_HOUR, k, k, held, count, rec[N_DAYS], weights[BAND + k], total, fade, band_share[k],
            limits, out, n,
        )  # fmt: skip
    total = 0.0
    for slot in range(MOST_LEVELS):
        total += weights[LEVELS + slot * N_LEVEL + SLOT_WEIGHT]
    for slot in range(MOST_LEVELS):
        at = LEVELS + slot * N_LEVEL
        held, level = (rec[HELD] >> (HELD_LEVEL + slot)) & 1 != 0, (rec[at] & 0xFFFF) - 1
        if level >= 0:
            n = _share(
                rec, person, ON_LEVEL, level, slot, held, rec[at] >> 16, rec[N_DAYS], weights[at + SLOT_WEIGHT],
                total, fade, level_share[level], limits, out, n,
            )  # fmt: skip
    return n


@compiled
def list_categories(
    rec: I32, weights: F32, person: int, fade: float, limits: F64, category_share: F64, out: Rows, n: int
) -> int:
    for slot in range(MOST_CATEGORIES):
        at = CATEGORIES + slot * N_CATEGORY
        number = (rec[at] & 0xFFFF) - 1
        if number >= 0:
            held = (rec[HELD_SLOTS] >> slot) & 1 != 0
            n = _share(
                rec, person, CATEGORY, number, slot, held, rec[at] >> 16, _visit_days(rec, at),
                weights[at + SLOT_WEIGHT], weights[TOTAL], fade, category_share[number], limits, out, n,
            )  # fmt: skip
    return n


@compiled
def list_brands(
    rec: I32, weights: F32, person: int, fade: float, limits: F64, brand_share: F64, category_of_brand: I64, out: Rows,
    n: int,
) -> int:  # fmt: skip
    """Brands within their category, so that who likes coffee does not like every brand of it."""
    for slot in range(MOST_BRANDS):
        at = BRANDS + slot * N_BRAND
        number = (rec[at] & 0xFFFF) - 1
        if number < 0:
            continue
        total, n_days = weights[at + SLOT_WEIGHT], 0
        for other in range(MOST_CATEGORIES):
            k = CATEGORIES + other * N_CATEGORY
            if rec[k] & 0xFFFF == category_of_brand[number] + 1:
                total = max(total, weights[k + SLOT_WEIGHT])
        for k in range(at + 2, at + 2 + BRAND_DAYS):
            n_days += 1 if rec[k] != 0 else 0
        held = (rec[HELD_SLOTS] >> (16 + slot)) & 1 != 0
        n = _share(
            rec, person, BRAND, number, slot, held, rec[at] >> 16, n_days, weights[at + SLOT_WEIGHT], total, fade,
            brand_share[number], limits, out, n,
        )  # fmt: skip
    return n


@compiled
def _visit_days(rec: I32, at: int) -> int:
    """On how many of the remembered days the category was visited."""
    n = 0
    for k in range(at + SLOT_ENTRIES, at + SLOT_ENTRIES + MOST_ENTRIES):
        n += 1 if rec[k] & 0x0FF0 else 0
    return n
