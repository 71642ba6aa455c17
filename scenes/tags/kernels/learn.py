"""Closed visits, passes and purchases into records, or out of them again.

Sums take any order and can be taken back; the lists of newest days and entries hold the same whatever the order, but
what fell off their end does not come back.
"""

import math

from kernel.compiled import compiled
from scenes.tags.kernels.layout import (
    BAND,
    BAND_N,
    BRAND_DAYS,
    BRANDS,
    CATEGORIES,
    DAYS,
    DWELL_SUM,
    DWELL_WEIGHT,
    E_BUY,
    E_LONG,
    E_PASS,
    E_SHORT,
    F32,
    F64,
    HEAD,
    HELD_SLOTS,
    I32,
    LANDMARK,
    LEVEL_VISIT,
    LEVELS,
    MOST_BRANDS,
    MOST_CATEGORIES,
    MOST_COUNT,
    MOST_DAYS,
    MOST_ENTRIES,
    MOST_LEVELS,
    MOST_SLOT_COUNT,
    N_BRAND,
    N_CATEGORY,
    N_DAYS,
    N_LEVEL,
    N_VISITS,
    PURCHASE,
    RAISE_AFTER,
    SLOT_ENTRIES,
    SLOT_WEIGHT,
    STORE_VISIT,
    TOTAL,
    U8,
    VENUE_VISIT,
    WEEKDAY,
    WEEKDAY_N,
    Rows,
)


@compiled
def learn_rows(
    words: I32,
    floats: F32,
    rows: Rows,
    is_sensitive_store: U8,
    is_sensitive_category: U8,
    base_dwell_s: F64,
    has_stage: U8,
    half_life: int,
    full_dwell_s: float,
    long_ratio: float,
    min_frontage_s: float,
    sign: int,
) -> int:
    """Learn (sign 1) or unlearn (sign -1) rows; how many were taken.

    Args:
        words, floats: (n_people, 360), the same bytes.
        rows: (n,) of ``record.CLOSED``, with numbers that are within the tables.
    """
    taken = 0
    for i in range(len(rows)):
        row = rows[i]
        rec, weights = words[row.person], floats[row.person]
        if rec[HEAD] == 0 or (row.is_counted == 0 and row.kind <= VENUE_VISIT):
            continue
        if row.kind in (VENUE_VISIT, LEVEL_VISIT):
            gain = sign * _decay(rec, weights, row.day, half_life)
            if row.kind == VENUE_VISIT:
                _learn_venue(rec, weights, row.day, row.hour, gain, sign)
            else:
                _learn_level(rec, weights, row.level, gain, sign)
            taken += 1
            continue
        if row.category < 0 or is_sensitive_category[row.category] != 0:
            continue
        if row.store >= 0 and is_sensitive_store[row.store] != 0:
            continue
        stay_s = float(max(row.left_s - row.arrived_s, 1))
        if row.kind == STORE_VISIT:
            ratio = stay_s / base_dwell_s[row.category]
            gain = sign * _decay(rec, weights, row.day, half_life)
            kind = E_LONG if ratio >= long_ratio else E_SHORT
            fullness = min(1.0, stay_s / full_dwell_s)
            _learn_store(rec, weights, row.day, row.category, row.brand, math.log(ratio), kind, gain, fullness, sign)
            taken += 1
        elif has_stage[row.category] != 0 and (row.kind == PURCHASE or stay_s >= min_frontage_s):
            _learn_sign(rec, weights, row.day, row.category, E_BUY if row.kind == PURCHASE else E_PASS, sign)
            taken += 1
    return taken


@compiled
def _learn_store(
    rec: I32, weights: F32, day: int, category: int, brand: int, log_ratio: float, kind: int, gain: float,
    fullness: float, sign: int,
) -> None:  # fmt: skip
    rec[N_VISITS] += sign
    weights[DWELL_SUM] += gain * log_ratio
    weights[DWELL_WEIGHT] += gain
    gain *= fullness
    weights[TOTAL] += gain
    at = _slot(rec, weights, CATEGORIES, MOST_CATEGORIES, N_CATEGORY, category, 0, sign)
    if at >= 0:
        _add(rec, weights, at, gain, sign)
        _put_entry(rec, at, day, kind, sign)
        _drop_empty(rec, at, N_CATEGORY, (at - CATEGORIES) // N_CATEGORY)
    if brand < 0:
        return
    at = _slot(rec, weights, BRANDS, MOST_BRANDS, N_BRAND, brand, 16, sign)
    if at >= 0:
        _add(rec, weights, at, gain, sign)
        _put_day(rec, at + 2, BRAND_DAYS, day, sign)
        _drop_empty(rec, at, N_BRAND, 16 + (at - BRANDS) // N_BRAND)


@compiled
def _learn_sign(rec: I32, weights: F32, day: int, category: int, kind: int, sign: int) -> None:
    """A pass or a purchase: evidence of a stage alone."""
    at = _slot(rec, weights, CATEGORIES, MOST_CATEGORIES, N_CATEGORY, category, 0, sign)
    if at >= 0:
        _put_entry(rec, at, day, kind, sign)
        _drop_empty(rec, at, N_CATEGORY, (at - CATEGORIES) // N_CATEGORY)


@compiled
def _decay(rec: I32, weights: F32, day: int, half_life: int) -> float:
    """What a visit of this day weighs as of the landmark, which is raised where the day is far past it."""
    if rec[LANDMARK] == 0:
        rec[LANDMARK] = day // half_life
    past = day // half_life - rec[LANDMARK]
    if past > RAISE_AFTER:
        _scale(weights, 2.0**-past)
        rec[LANDMARK] += past
    return float(2.0 ** (day / half_life - rec[LANDMARK]))


@compiled
def _scale(weights: F32, factor: float) -> None:
    for at in (TOTAL, DWELL_SUM, DWELL_WEIGHT):
        weights[at] *= factor
    for at in range(WEEKDAY, WEEKDAY_N):
        weights[at] *= factor
    for slot in range(MOST_LEVELS):
        weights[LEVELS + slot * N_LEVEL + SLOT_WEIGHT] *= factor
    for slot in range(MOST_BRANDS):
        weights[BRANDS + slot * N_BRAND + SLOT_WEIGHT] *= factor
    for slot in range(MOST_CATEGORIES):
        weights[CATEGORIES + slot * N_CATEGORY + SLOT_WEIGHT] *= factor


@compiled
def band_of(hour: int) -> int:
    """Which of ``names.BANDS`` a local hour lies in: from 4, 11, 14, 17 and 20 o'clock."""
    if hour < 4 or hour >= 20:
        return 4
    return 0 if hour < 11 else 1 if hour < 14 else 2 if hour < 17 else 3


@compiled
def _learn_venue(rec: I32, weights: F32, day: int, hour: int, gain: float, sign: int) -> None:
    band = band_of(hour)
    weights[BAND + band] += gain
    rec[BAND_N + band] += sign
    if _put_day(rec, DAYS, MOST_DAYS, day, sign):
        weekday = (day + 3) % 7  # 1 January 1970 was a Thursday
        weights[WEEKDAY + weekday] += gain
        rec[WEEKDAY_N + weekday] += sign
        rec[N_DAYS] += sign


@compiled
def _learn_level(rec: I32, weights: F32, level: int, gain: float, sign: int) -> None:
    if level < 0:
        return
    at = _slot(rec, weights, LEVELS, MOST_LEVELS, N_LEVEL, level, -1, sign)
    if at >= 0:
        _add(rec, weights, at, gain, sign)
        _drop_empty(rec, at, N_LEVEL, -1)


@compiled
def _slot(rec: I32, weights: F32, first: int, most: int, width: int, number: int, held_at: int, sign: int) -> int:
    """Where the slot of a number begins; a new one takes an empty place or that of the least that is not held."""
    least, at_least = math.inf, -1
    for slot in range(most):
        at = first + slot * width
        known = rec[at] & 0xFFFF
        if known == number + 1:
            return at
        is_held = held_at >= 0 and (rec[HELD_SLOTS] >> (held_at + slot)) & 1
        weight = -1.0 if known == 0 else weights[at + SLOT_WEIGHT]
        if weight < least and (known == 0 or not is_held):
            least, at_least = weight, at
    if sign < 0 or at_least < 0:
        return -1
    for at in range(at_least, at_least + width):
        rec[at] = 0
    rec[at_least] = number + 1
    return at_least


@compiled
def _add(rec: I32, weights: F32, at: int, gain: float, sign: int) -> None:
    count = min(max((rec[at] >> 16) + sign, 0), MOST_SLOT_COUNT)
    rec[at] = (rec[at] & 0xFFFF) | (count << 16)
    weights[at + SLOT_WEIGHT] += gain
    if count == 0:
        weights[at + SLOT_WEIGHT] = 0.0  # what rounding left


@compiled
def _drop_empty(rec: I32, at: int, width: int, held_at: int) -> None:
    """Free a slot without visits and entries, but for one held as a tag, whose end is still to be told."""
    is_held = held_at >= 0 and (rec[HELD_SLOTS] >> held_at) & 1 != 0
    if rec[at] >> 16 != 0 or is_held:
        return
    for k in range(at + 2, at + width):
        if rec[k] != 0:
            return
    rec[at], rec[at + 1] = 0, 0


@compiled
def _put_day(rec: I32, first: int, most: int, day: int, sign: int) -> bool:
    """Count a visit to a list of the newest days; whether the day is new to it, or gone from it."""
    oldest, at_oldest = 1 << 30, -1
    for at in range(first, first + most):
        known = rec[at] & 0xFFFF
        if known == day and rec[at] != 0:
            count = (rec[at] >> 16) + sign
            rec[at] = day | (count << 16) if count > 0 else 0
            return bool(count <= 0)
        if known < oldest:
            oldest, at_oldest = known, at
    if sign < 0 or day < oldest:
        return False
    rec[at_oldest] = day | (1 << 16)
    return True


@compiled
def _rank(entry: int) -> int:
    """Which days stay: the newest; one of passes alone counts as 14 days older, one with a purchase as 60 newer."""
    day = entry >> 16
    return day + 60 if (entry >> (4 * E_BUY)) & MOST_COUNT else day if entry & 0x0FF0 else day - 14


@compiled
def _put_entry(rec: I32, at: int, day: int, kind: int, sign: int) -> None:
    least, at_least = 1 << 62, -1
    shift = 4 * kind
    for k in range(at + SLOT_ENTRIES, at + SLOT_ENTRIES + MOST_ENTRIES):
        entry = rec[k] & 0xFFFFFFFF
        if entry >> 16 == day:
            count = min(max(((entry >> shift) & MOST_COUNT) + sign, 0), MOST_COUNT)
            entry = (entry & ~(MOST_COUNT << shift)) | (count << shift)
            rec[k] = _word(entry) if entry & 0xFFFF else 0
            return
        rank = _rank(entry) if entry != 0 else -1
        if rank < least:
            least, at_least = rank, k
    entry = (day << 16) | (1 << shift)
    if sign > 0 and (least < 0 or _rank(entry) > least):
        rec[at_least] = _word(entry)


@compiled
def _word(value: int) -> int:
    """The 32 bits as a number that an int32 holds."""
    return value - (1 << 32) if value >= 1 << 31 else value
