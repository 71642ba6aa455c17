"""Which tags hold in a record at a day, with evidence, score and end; what is held is compared and, on wish, settled."""

import math

import numpy as np

from scenes.tags.kernels.compiled import compiled
from scenes.tags.kernels.layout import (
    BAND,
    BAND_N,
    BRAND_DAYS,
    BRANDS,
    CATEGORIES,
    DAYS,
    DWELL_SUM,
    DWELL_WEIGHT,
    F32,
    F64,
    HEAD,
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
    I64,
    LANDMARK,
    LEVELS,
    MOST_BRANDS,
    MOST_CATEGORIES,
    MOST_DAYS,
    MOST_ENTRIES,
    MOST_LEVELS,
    N_BRAND,
    N_CATEGORY,
    N_DAYS,
    N_LEVEL,
    N_VISITS,
    SLOT_ENTRIES,
    SLOT_STAGE,
    SLOT_WEIGHT,
    TOTAL,
    U8,
    WEEKDAY,
    WEEKDAY_N,
    Rows,
)
from scenes.tags.kernels.stage import N_HIDDEN, N_STAGES, filter_stage, stage_lasts
from scenes.tags.kernels.thresholds import (
    LOYAL_DAYS,
    LOYAL_GAP,
    MIN_DAYS,
    MIN_VISITS,
    MONTHLY_GAP,
    NEW_DAYS,
    PRIOR_DWELL,
    PRIOR_VISITS,
    RECENT_DAYS,
    WEEKLY_GAP,
    ADD_LIFT,
    HALF_LIFE,
    KEEP_GAP,
    KEEP_LIFT,
    KEEP_LOG_RATIO,
    KEEP_STAGE,
    LAPSING_FACTOR,
    LAPSING_FLOOR,
    LAPSING_UNTIL,
    LOG_RATIO,
    MIN_STAGE,
)

NEW, RETURNING, LOYAL, LAPSING, WEEKLY, MONTHLY, RARE, RECENT, LONG, SHORT = range(10)
ON_WEEKDAY, AT_HOUR, ON_LEVEL, CATEGORY, BRAND, STAGE = range(10, 16)
"""Numbers of ``names.TagName``."""
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
        n = _days(rec, person[i], day, limits, out, n)
        n = _dwell(rec, weights, person[i], fade, limits, out, n)
        n = _habits(rec, weights, person[i], fade, limits, weekday_share, band_share, level_share, out, n)
        n = _categories(rec, weights, person[i], fade, limits, category_share, out, n)
        n = _brands(rec, weights, person[i], fade, limits, brand_share, category_of_brand, out, n)
        n = _stages(rec, person[i], int(day), limits, has_stage, later, prior, chance, out, n)
        if settles:
            _settle(rec, out, first, n)
    return n


@compiled
def _tell(
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
def _days(rec: I32, person: int, day: float, limits: F64, out: Rows, n: int) -> int:
    """New, returning, loyal, lapsing; frequency; recent: all from the list of newest days."""
    oldest, last, m = 1 << 30, 0, 0
    for k in range(DAYS, DAYS + MOST_DAYS):
        if rec[k] != 0:
            known = rec[k] & 0xFFFF
            oldest, last, m = min(oldest, known), max(last, known), m + 1
    was = (rec[HELD] >> HELD_CYCLE) & 7
    frequency = (rec[HELD] >> HELD_FREQUENCY) & 3
    was_recent = (rec[HELD] >> HELD_RECENT) & 1 != 0
    if m == 0:
        oldest = last = 0
    away = max(day - last, 0.0)
    own_gap = (last - oldest) / (m - 1) if m > 1 else 0.0
    gap = max(own_gap, (last + away - oldest) / m) if m > 1 else math.inf
    lapse = max(limits[LAPSING_FLOOR], limits[LAPSING_FACTOR] * own_gap) if m >= 3 else limits[LAPSING_UNTIL]
    lapse = min(lapse, limits[LAPSING_UNTIL])
    keep = limits[KEEP_GAP]
    loyal_gap = limits[LOYAL_GAP] * (keep if was == LOYAL + 1 else 1.0)
    holds = -1
    if m > 0 and away <= limits[LAPSING_UNTIL]:
        if away > lapse:
            holds = LAPSING
        elif rec[N_DAYS] >= limits[LOYAL_DAYS] and gap <= loyal_gap:
            holds = LOYAL
        elif m >= 2:
            holds = RETURNING
        elif away <= limits[NEW_DAYS]:
            holds = NEW
    for name in range(NEW, LAPSING + 1):
        score, expires = 1.0 / (1.0 + gap / 7.0), last + lapse
        if name == NEW:
            score, expires = 0.5 ** (away / limits[NEW_DAYS]), last + limits[NEW_DAYS]
        elif name == LOYAL:
            expires = min(expires, oldest + m * limits[LOYAL_GAP] * keep)
        elif name == LAPSING:
            score, expires = 1.0 - 0.5 ** (away / max(lapse, 1.0)), last + limits[LAPSING_UNTIL]
        n = _tell(out, n, person, name, -1, 0, was == name + 1, holds == name, rec[N_DAYS], score, expires)
    holds = -1
    if m >= limits[MIN_VISITS] and away <= limits[LAPSING_UNTIL]:
        weekly = limits[WEEKLY_GAP] * (keep if frequency == 1 else 1.0)
        monthly = limits[MONTHLY_GAP] * (keep if frequency in (1, 2) else 1.0)
        holds = WEEKLY if gap <= weekly else MONTHLY if gap <= monthly else RARE
    for name in range(WEEKLY, RARE + 1):
        expires = last + limits[LAPSING_UNTIL]
        if name != RARE:
            expires = min(expires, oldest + m * keep * (limits[WEEKLY_GAP] if name == WEEKLY else limits[MONTHLY_GAP]))
        score = 1.0 / (1.0 + gap / 7.0)
        n = _tell(out, n, person, name, -1, 0, frequency == name - 3, holds == name, rec[N_DAYS], score, expires)
    is_recent = m > 0 and away <= limits[RECENT_DAYS]
    score = 0.5 ** (away / limits[RECENT_DAYS])
    return _tell(out, n, person, RECENT, -1, 0, was_recent, is_recent, m, score, last + limits[RECENT_DAYS])


@compiled
def _dwell(rec: I32, weights: F32, person: int, fade: float, limits: F64, out: Rows, n: int) -> int:
    was = (rec[HELD] >> HELD_DWELL) & 3
    total, weight = weights[DWELL_SUM], weights[DWELL_WEIGHT]
    mean = total * fade / (weight * fade + limits[PRIOR_DWELL])
    for name, sign in ((LONG, 1.0), (SHORT, -1.0)):
        held = was == name - LONG + 1
        least = limits[KEEP_LOG_RATIO] if held else limits[LOG_RATIO]
        holds = rec[N_VISITS] >= limits[MIN_VISITS] and rec[N_DAYS] >= limits[MIN_DAYS] and sign * mean >= least
        excess = sign * total - limits[KEEP_LOG_RATIO] * weight
        expires = -math.inf
        if excess > 0.0:
            ratio = limits[KEEP_LOG_RATIO] * limits[PRIOR_DWELL] / excess
            expires = limits[HALF_LIFE] * (rec[LANDMARK] - math.log2(ratio))
        n = _tell(out, n, person, name, -1, 0, held, holds, rec[N_VISITS], 1.0 - math.exp(-abs(mean)), expires)
    return n


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
    return _tell(out, n, person, name, subject, slot, held, holds, evidence, score, expires)


@compiled
def _habits(
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
def _visit_days(rec: I32, at: int) -> int:
    """On how many of the remembered days the category was visited."""
    n = 0
    for k in range(at + SLOT_ENTRIES, at + SLOT_ENTRIES + MOST_ENTRIES):
        n += 1 if rec[k] & 0x0FF0 else 0
    return n


@compiled
def _categories(
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
def _brands(
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
def _stages(
    rec: I32, person: int, day: int, limits: F64, has_stage: U8, later: F64, prior: F64, chance: F64, out: Rows, n: int
) -> int:
    hidden, belief = np.empty(N_HIDDEN), np.empty(N_STAGES)
    for slot in range(MOST_CATEGORIES):
        at = CATEGORIES + slot * N_CATEGORY
        number, was = (rec[at] & 0xFFFF) - 1, rec[at + SLOT_STAGE]
        if number < 0 or (has_stage[number] == 0 and was == 0):
            continue
        n_entries = filter_stage(rec, at, day, later, prior, chance, hidden, belief)
        best = int(np.argmax(belief)) if n_entries > 0 else 0
        score = belief[best]
        if has_stage[number] == 0 or score < limits[KEEP_STAGE if best == was else MIN_STAGE]:
            best = 0
        if was not in (0, best):
            n = _tell(out, n, person, STAGE, number * 8 + was, slot, True, False, n_entries, belief[was], float(day))
        if best != 0:
            until = day + stage_lasts(hidden, later, best, limits[KEEP_STAGE])
            n = _tell(
                out, n, person, STAGE, number * 8 + best, slot, was == best, True, n_entries, score, float(until)
            )
    return n


@compiled
def _settle(rec: I32, out: Rows, first: int, n: int) -> None:
    held, slots = 0, 0
    for slot in range(MOST_CATEGORIES):
        rec[CATEGORIES + slot * N_CATEGORY + SLOT_STAGE] = 0
    for i in range(first, n):
        row = out[i]
        if row.holds == 0:
            continue
        if row.name <= LAPSING:
            held |= (row.name + 1) << HELD_CYCLE
        elif row.name <= RARE:
            held |= (row.name - 3) << HELD_FREQUENCY
        elif row.name == RECENT:
            held |= 1 << HELD_RECENT
        elif row.name <= SHORT:
            held |= (row.name - LONG + 1) << HELD_DWELL
        elif row.name == ON_WEEKDAY:
            held |= 1 << (HELD_WEEKDAY + row.slot)
        elif row.name == AT_HOUR:
            held |= 1 << (HELD_BAND + row.slot)
        elif row.name == ON_LEVEL:
            held |= 1 << (HELD_LEVEL + row.slot)
        elif row.name == CATEGORY:
            slots |= 1 << row.slot
        elif row.name == BRAND:
            slots |= 1 << (16 + row.slot)
        else:
            rec[CATEGORIES + row.slot * N_CATEGORY + SLOT_STAGE] = row.subject & 7
    rec[HELD] = held
    rec[HELD_SLOTS] = slots - (1 << 32) if slots >= 1 << 31 else slots
