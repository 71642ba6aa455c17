"""How often, how recently and how long somebody comes: life cycle, frequency, recency and stays."""

import math

from kernel.compiled import compiled
from scenes.tags.kernels.layout import (
    DAYS,
    DWELL_SUM,
    DWELL_WEIGHT,
    F32,
    F64,
    HELD,
    HELD_CYCLE,
    HELD_DWELL,
    HELD_FREQUENCY,
    HELD_RECENT,
    I32,
    LANDMARK,
    MOST_DAYS,
    N_DAYS,
    N_VISITS,
    Rows,
)
from scenes.tags.kernels.tell import (
    LAPSING,
    LONG,
    LOYAL,
    MONTHLY,
    NEW,
    RARE,
    RECENT,
    RETURNING,
    SHORT,
    WEEKLY,
    tell,
)
from scenes.tags.kernels.thresholds import (
    HALF_LIFE,
    KEEP_GAP,
    KEEP_LOG_RATIO,
    LAPSING_FACTOR,
    LAPSING_FLOOR,
    LAPSING_UNTIL,
    LOG_RATIO,
    LOYAL_DAYS,
    LOYAL_GAP,
    MIN_DAYS,
    MIN_VISITS,
    MONTHLY_GAP,
    NEW_DAYS,
    PRIOR_DWELL,
    RECENT_DAYS,
    WEEKLY_GAP,
)


@compiled
def list_days(rec: I32, person: int, day: float, limits: F64, out: Rows, n: int) -> int:
    """New, returning, loyal, lapsing; frequency; recent: all from the list of newest days."""
    oldest, last, m = 1 << 30, 0, 0
    for k in range(DAYS, DAYS + MOST_DAYS):
        if rec[k] != 0:
            known = rec[k] & 0xFFFF
            oldest, last, m = min(oldest, known), max(last, known), m + 1
    if m == 0:
        oldest = 0
    away = max(day - last, 0.0)
    own_gap = (last - oldest) / (m - 1) if m > 1 else 0.0
    gap = max(own_gap, (last + away - oldest) / m) if m > 1 else math.inf
    n = _list_cycle(rec, person, oldest, last, m, away, own_gap, gap, limits, out, n)
    n = _list_frequency(rec, person, oldest, last, m, away, gap, limits, out, n)
    was_recent = (rec[HELD] >> HELD_RECENT) & 1 != 0
    is_recent = m > 0 and away <= limits[RECENT_DAYS]
    score = 0.5 ** (away / limits[RECENT_DAYS])
    return tell(out, n, person, RECENT, -1, 0, was_recent, is_recent, m, score, last + limits[RECENT_DAYS])


@compiled
def _list_cycle(
    rec: I32, person: int, oldest: int, last: int, m: int, away: float, own_gap: float, gap: float, limits: F64,
    out: Rows, n: int,
) -> int:  # fmt: skip
    """The stage of life with the mall; ``m`` days from ``oldest`` to ``last`` are remembered."""
    was = (rec[HELD] >> HELD_CYCLE) & 7
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
        n = tell(out, n, person, name, -1, 0, was == name + 1, holds == name, rec[N_DAYS], score, expires)
    return n


@compiled
def _list_frequency(
    rec: I32, person: int, oldest: int, last: int, m: int, away: float, gap: float, limits: F64, out: Rows, n: int
) -> int:
    was = (rec[HELD] >> HELD_FREQUENCY) & 3
    keep = limits[KEEP_GAP]
    holds = -1
    if m >= limits[MIN_VISITS] and away <= limits[LAPSING_UNTIL]:
        weekly = limits[WEEKLY_GAP] * (keep if was == 1 else 1.0)
        monthly = limits[MONTHLY_GAP] * (keep if was in (1, 2) else 1.0)
        holds = WEEKLY if gap <= weekly else MONTHLY if gap <= monthly else RARE
    for name in range(WEEKLY, RARE + 1):
        expires = last + limits[LAPSING_UNTIL]
        if name != RARE:
            expires = min(expires, oldest + m * keep * (limits[WEEKLY_GAP] if name == WEEKLY else limits[MONTHLY_GAP]))
        score = 1.0 / (1.0 + gap / 7.0)
        n = tell(out, n, person, name, -1, 0, was == name - 3, holds == name, rec[N_DAYS], score, expires)
    return n


@compiled
def list_dwell(rec: I32, weights: F32, person: int, fade: float, limits: F64, out: Rows, n: int) -> int:
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
        n = tell(out, n, person, name, -1, 0, held, holds, rec[N_VISITS], 1.0 - math.exp(-abs(mean)), expires)
    return n
