"""Fixes into packed scenes: which visits begin, go on or end, and what is told of it.

One record is advanced by one fix at a time; a batch may hold any number of fixes of any phones. A fix that is no newer
than its phone's newest is left alone and marked late: ``scenes/revise.py`` takes it.
"""

from numba import njit

from scenes.kernels.record import (
    ALONE,
    APPROACHING,
    ARRIVED,
    AWAY,
    BASE,
    CLOSED,
    DWELL_MS,
    FRONT,
    FRONT_STEP_MS,
    GAP_MS,
    HEAD,
    I32,
    I64,
    IN_STORE,
    IN_VENUE,
    INFO,
    INSIDE,
    LAST,
    LEAST,
    LEAVING,
    LEVEL,
    MERGE_MS,
    MOST_FIXES,
    MOST_REVISION,
    MOST_WINDOW,
    N_RECORD,
    NOTHING,
    OPEN,
    PHASE_SINCE,
    RATE,
    STAT,
    STORE,
    U8,
    UNKNOWN,
    UNNAMED_LEVEL,
    VENUE,
    VISITS,
    WALKWAY,
    WINDOW,
    WINDOW_MS,
    K,
    N,
    RuleArrays,
    evidence_of,
    is_at_exit,
    is_counted,
    level_of,
    make_info,
    marks_of,
    place_of,
    rate_of,
    revision_of,
    state_of,
    store_of,
    with_rate,
)

ENTERED, DWELLED, EXITED, REVISED, PHASE, PASSED = range(6)
"""Types of events."""
GAP, MOVED, DAY_OVER, CONSENT = range(4)
"""Reasons of an exit."""
E_FIX, E_TYPE, E_KIND, E_VENUE, E_BASE, E_AT, E_ARRIVED, E_INSIDE, E_INFO, E_STAT, E_A, E_B = range(12)
"""Columns of an event: the fix that made it (of a sweep: the record), the place's kind, its venue, the record's base,
the instant, the visit after it; A and B: reason of an exit, the mark in ms, when a visit was left that goes on, phases
from and to."""
N_EVENT = 12
MOST_EVENTS_A_FIX = 40
"""Three visits closed twice over and begun, eight marks each, a front passed, a phase: a bound, never reached."""
_MINUTE_MS = 60_000
_LONGEST_GAP_DS = 0xFFFF
_DAY_MS = 86_400_000 + 2 * 3_600_000
"""A service day is at most 25 hours; later than this, whatever a record holds is of another day."""


@njit(cache=True, nogil=True)
def advance_fixes(
    records: I32,
    slot: I64,
    at_ms: I64,
    base_min: I64,
    venue: I32,
    code: I32,
    front: I32,
    is_approaching: U8,
    rules: RuleArrays,
    start: int,
    events: I32,
    out_late: U8,
    out_view: I32,
) -> tuple[int, int]:
    """Advance records in place by fixes ``start`` to the end, or until the events are full.

    Args:
        records: (n_slots, 32).
        slot: (n,) whose fix it is.
        at_ms, base_min: (n,) instants since 1960 in milliseconds, and when the service day of each began, in minutes.
        venue: (n,) numbers, 0 for an unknown place.
        code: (n,) of ``record.make_code``.
        front: (n,) the store front before which a fix in a walkway is, 0 for none or another fix.
        events: (capacity, 12) to be filled.
        out_late: (n,) 1 for fixes that were left alone.
        out_view: (n, 32) each phone's record after its fix, or no rows.

    Returns:
        The first fix that was not taken, and the number of events.
    """
    n_events = 0
    rec = records.reshape(-1)
    wants_view = len(out_view) > 0
    for i in range(start, len(slot)):
        if n_events + MOST_EVENTS_A_FIX > len(events):
            return i, n_events
        o = int(slot[i]) * N_RECORD
        base = int(base_min[i]) if venue[i] != 0 or rec[o + BASE] == 0 else int(rec[o + BASE])
        t = int(at_ms[i]) - _MINUTE_MS * base
        out_late[i] = 0
        if rec[o + BASE] != 0:
            since = int(at_ms[i]) - _MINUTE_MS * int(rec[o + BASE]) - int(rec[o + LAST])
            if since <= 0:
                out_late[i] = 1
                if wants_view:
                    _copy(rec, o, out_view, i)
                continue
            if base != rec[o + BASE] or t >= _DAY_MS:
                n_events = _end_day(rec, o, i, events, n_events)
                rec[o + BASE] = 0
                base = int(base_min[i])
                t = int(at_ms[i]) - _MINUTE_MS * base
        if rec[o + BASE] == 0:
            _start_day(rec, o, base)
        n_events = _advance_one(rec, o, i, t, venue[i], code[i], front[i], is_approaching[i], rules, events, n_events)
        if wants_view:
            _copy(rec, o, out_view, i)
    return len(slot), n_events


@njit(cache=True, nogil=True)
def close_stale(
    records: I32, slot: I64, now_ms: int, day_base_min: I64, rules: RuleArrays, start: int, events: I32, out_changed: U8
) -> tuple[int, int]:
    """Close what no fix was inside for its leave gap, and what is of a day that is over; the sweep.

    Args:
        slot: (n,) the records to look at.
        now_ms: since 1960.
        day_base_min: (n_venues,) by number, when each venue's present service day began, in minutes since 1960.
        out_changed: (n,) 1 where the record is another.
    """
    n_events = 0
    rec = records.reshape(-1)
    for i in range(start, len(slot)):
        if n_events + MOST_EVENTS_A_FIX > len(events):
            return i, n_events
        o = int(slot[i]) * N_RECORD
        out_changed[i] = 0
        if rec[o + BASE] == 0:
            continue
        at = rec[o + HEAD] & 0xFFFF
        now = now_ms - _MINUTE_MS * int(rec[o + BASE])
        if now <= rec[o + LAST]:
            continue
        before = n_events
        front = rec[o + FRONT]
        is_over = now >= _DAY_MS or (at != 0 and at < len(day_base_min) and day_base_min[at] > rec[o + BASE])
        if is_over:
            n_events = _end_day(rec, o, i, events, n_events)
            out_changed[i] = 1 if n_events > before else 0
            continue
        rate = rate_of(rec[o + HEAD])
        n_events = _run_out(rec, o, i, now, rules, events, n_events)
        is_near = (rec[o + HEAD] >> 16) & 7 == APPROACHING and now - rec[o + LAST] <= rules.rule[rate, VENUE, GAP_MS]
        n_events = _settle_phase(rec, o, i, now, 1 if is_near else 0, events, n_events)
        out_changed[i] = 1 if n_events > before or rec[o + FRONT] != front else 0
    return len(slot), n_events


@njit(cache=True, nogil=True)
def close_record(rec: I32, now_ms: int, reason: int, events: I32) -> int:
    """Close whatever is open of one phone, as when a consent is withdrawn; the number of events."""
    o = 0
    now = now_ms - _MINUTE_MS * int(rec[o + BASE])
    n_events = _close_with_inner(rec, o, VENUE, -1, now, reason, events, 0)
    rec[o + FRONT] = 0
    return _settle_phase(rec, o, -1, now, 0, events, n_events)


@njit(cache=True, nogil=True)
def _copy(rec: I32, o: int, out: I32, i: int) -> None:
    for at in range(N_RECORD):
        out[i, at] = rec[o + at]


@njit(cache=True, nogil=True)
def _start_day(rec: I32, o: int, base: int) -> None:
    for at in range(N_RECORD):
        rec[o + at] = 0
    rec[o + BASE] = base
    rec[o + LAST] = -1


@njit(cache=True, nogil=True)
def _end_day(rec: I32, o: int, i: int, events: I32, n_events: int) -> int:
    """Close all at the end of a service day; the record then holds no place, but the newest instant."""
    base, last = rec[o + BASE], rec[o + LAST]
    n_events = _close_with_inner(rec, o, VENUE, i, last, DAY_OVER, events, n_events)
    n_events = _settle_phase(rec, o, i, last, 0, events, n_events)
    for at in range(N_RECORD):
        rec[o + at] = 0
    rec[o + BASE] = base
    rec[o + LAST] = last
    return n_events


@njit(cache=True, nogil=True)
def _advance_one(
    rec: I32,
    o: int,
    i: int,
    t: int,
    venue: int,
    code: int,
    front: int,
    is_approaching: int,
    rules: RuleArrays,
    events: I32,
    n_events: int,
) -> int:
    n_events = _run_out(rec, o, i, t, rules, events, n_events)
    rate, gap = 0, rec[o + RATE] & 0xFFFF
    other = rec[o + RATE] >> 16
    if rec[o + LAST] >= 0:
        before = gap
        gap = min((t - rec[o + LAST]) // 100, _LONGEST_GAP_DS)
        rate = _rate_at(min(before, gap) if before > 0 else gap, rules)
    here = rec[o + HEAD] & 0xFFFF
    if venue not in (0, here):
        if here == 0 or other == venue or not _has_open(rec, o):
            n_events = _close_with_inner(rec, o, VENUE, i, t, MOVED, events, n_events)
            phase = (rec[o + HEAD] >> 16) & 7
            for at in range(WINDOW, VISITS + 12):
                rec[o + at] = 0
            rec[o + FRONT] = 0
            rec[o + HEAD] = venue | (phase << 16)
            other = 0
        else:
            other = venue  # heard once: it may be a mistake, so this fix knows no place
            code = 0
    elif venue != 0:
        other = 0
    rec[o + RATE] = max(gap, 1) | (other << 16) if rec[o + LAST] >= 0 else other << 16
    rec[o + HEAD] = with_rate(rec[o + HEAD], rate)
    rec[o + LAST] = t
    _remember(rec, o, t, code)
    if code != 0:
        at = rec[o + HEAD] & 0xFFFF
        n_events = _advance_kind(rec, o, i, t, VENUE, at, 255, rate, rules, events, n_events)
        level = level_of(code)
        if level != UNNAMED_LEVEL:
            n_events = _advance_kind(rec, o, i, t, LEVEL, level, 255, rate, rules, events, n_events)
        store, evidence = store_of(code), evidence_of(code)
        if store == WALKWAY or (store != UNKNOWN and evidence >= rules.rule[rate, STORE, LEAST]):
            n_events = _advance_kind(rec, o, i, t, STORE, store, evidence, rate, rules, events, n_events)
        n_events = _walk_by(rec, o, i, t, store, front, rules, events, n_events)
    return _settle_phase(rec, o, i, t, is_approaching, events, n_events)


@njit(cache=True, nogil=True)
def _rate_at(interval: int, rules: RuleArrays) -> int:
    rate = 0
    while rate < len(rules.rate_ds) and interval > rules.rate_ds[rate]:
        rate += 1
    return rate


@njit(cache=True, nogil=True)
def _remember(rec: I32, o: int, t: int, code: int) -> None:
    n = (rec[o + HEAD] >> 19) & 7
    if n == MOST_WINDOW:
        for at in range(WINDOW, WINDOW + 2 * (MOST_WINDOW - 1)):
            rec[o + at] = rec[o + at + 2]
        n -= 1
    else:
        rec[o + HEAD] += 1 << 19
    rec[o + WINDOW + 2 * n] = t
    rec[o + WINDOW + 2 * n + 1] = code


@njit(cache=True, nogil=True)
def _speaks(code: int, kind: int, place: int, least: int) -> bool:
    """Whether a remembered fix speaks for the place."""
    if code == 0:
        return False
    if kind == VENUE:
        return True
    if kind == LEVEL:
        return level_of(code) == place
    return store_of(code) == place and (place == WALKWAY or evidence_of(code) >= least)


@njit(cache=True, nogil=True)
def _advance_kind(
    rec: I32,
    o: int,
    i: int,
    t: int,
    kind: int,
    place: int,
    evidence: int,
    rate: int,
    rules: RuleArrays,
    events: I32,
    n_events: int,
) -> int:
    rule = rules.rule
    window_ms, least = rule[rate, kind, WINDOW_MS], rule[rate, kind, LEAST]
    n = (rec[o + HEAD] >> 19) & 7
    voices = 0
    for at in range(max(n - rule[rate, kind, N], 0), n):
        fix = o + WINDOW + 2 * at
        if t - rec[fix] <= window_ms and _speaks(rec[fix + 1], kind, place, least):
            voices += 1
    if voices < rule[rate, kind, K] and evidence < rule[rate, kind, ALONE]:
        return n_events
    row = VISITS + 4 * kind
    info = rec[o + row + INFO]
    if state_of(info) == OPEN:
        if place_of(info) == place:
            rec[o + row + INSIDE] = t
            rec[o + row + STAT] = _mean(rec[o + row + STAT], evidence)
            return _pass_marks(rec, o, i, t, kind, rule[rate, kind, DWELL_MS], rules, events, n_events)
        n_events = _close_with_inner(rec, o, kind, i, t, MOVED, events, n_events)
    if kind == STORE and place == WALKWAY:
        return n_events
    return _begin(rec, o, i, t, kind, place, rate, rules, events, n_events)


@njit(cache=True, nogil=True)
def _begin(
    rec: I32, o: int, i: int, t: int, kind: int, place: int, rate: int, rules: RuleArrays, events: I32, n_events: int
) -> int:
    rule = rules.rule
    window_ms, least = rule[rate, kind, WINDOW_MS], rule[rate, kind, LEAST]
    row = VISITS + 4 * kind
    held = rec[o + row + INFO]
    is_held = state_of(held) == CLOSED
    left = int(rec[o + row + INSIDE]) if is_held else -1
    n = (rec[o + HEAD] >> 19) & 7
    arrived, stat = t, 0
    for at in range(max(n - rule[rate, kind, N], 0), n):
        when, code = rec[o + WINDOW + 2 * at], rec[o + WINDOW + 2 * at + 1]
        if when > left and t - when <= window_ms and _speaks(code, kind, place, least):
            if stat == 0:
                arrived = int(when)
            stat = _mean(stat, evidence_of(code) if kind == STORE else 255)
    if is_held and place_of(held) == place and arrived - left <= rule[rate, kind, MERGE_MS]:
        n_fixes = min((rec[o + row + STAT] >> 16) + (stat >> 16), MOST_FIXES)
        rec[o + row + STAT] = (rec[o + row + STAT] & 0xFFFF) | (n_fixes << 16)
        rec[o + row + INSIDE] = t
        revision = min(revision_of(held) + 1, MOST_REVISION)
        rec[o + row + INFO] = make_info(place, OPEN, is_counted(held), marks_of(held), revision)
        n_events = _tell(rec, o, i, REVISED, kind, t, left, 0, events, n_events)
    else:
        rec[o + row + ARRIVED] = arrived
        rec[o + row + INSIDE] = t
        rec[o + row + STAT] = stat
        rec[o + row + INFO] = make_info(place, OPEN, 0, 0, 0)
        n_events = _tell(rec, o, i, ENTERED, kind, t, 0, 0, events, n_events)
    if kind == STORE and (rec[o + FRONT] & 0xFFFF) == place:
        rec[o + FRONT] = 0
    return _pass_marks(rec, o, i, t, kind, rule[rate, kind, DWELL_MS], rules, events, n_events)


@njit(cache=True, nogil=True)
def _mean(stat: int, evidence: int) -> int:
    """STAT with one fix more."""
    n = stat >> 16
    mean = ((stat & 0xFFFF) * n + evidence * 257 + (n + 1) // 2) // (n + 1)
    return min(mean, 0xFFFF) | (min(n + 1, MOST_FIXES) << 16)


@njit(cache=True, nogil=True)
def _pass_marks(
    rec: I32, o: int, i: int, t: int, kind: int, dwell_ms: int, rules: RuleArrays, events: I32, n_events: int
) -> int:
    row = VISITS + 4 * kind
    info = rec[o + row + INFO]
    stayed = rec[o + row + INSIDE] - rec[o + row + ARRIVED]
    counted = 1 if is_counted(info) == 1 or stayed >= dwell_ms else 0
    marks = marks_of(info)
    rec[o + row + INFO] = make_info(place_of(info), OPEN, counted, marks, revision_of(info))
    while marks < rules.marks_ms.shape[1] and stayed >= rules.marks_ms[kind, marks]:
        marks += 1
        rec[o + row + INFO] = make_info(place_of(info), OPEN, counted, marks, revision_of(info))
        n_events = _tell(rec, o, i, DWELLED, kind, t, rules.marks_ms[kind, marks - 1], 0, events, n_events)
    return n_events


@njit(cache=True, nogil=True)
def _run_out(rec: I32, o: int, i: int, now: int, rules: RuleArrays, events: I32, n_events: int) -> int:
    """What time alone ends: visits that no fix was inside for their gap, and the front that was passed."""
    rate = rate_of(rec[o + HEAD])
    for kind in range(3):
        row = VISITS + 4 * kind
        if state_of(rec[o + row + INFO]) == OPEN and now - rec[o + row + INSIDE] > rules.rule[rate, kind, GAP_MS]:
            n_events = _close_with_inner(rec, o, kind, i, now, GAP, events, n_events)
    if rec[o + FRONT] != 0 and now - (rec[o + FRONT] >> 16) * FRONT_STEP_MS > rules.rule[rate, STORE, GAP_MS]:
        n_events = _pass_front(rec, o, i, now, rules, events, n_events)
    return n_events


@njit(cache=True, nogil=True)
def _close_with_inner(
    rec: I32, o: int, outermost: int, i: int, now: int, reason: int, events: I32, n_events: int
) -> int:
    for kind in range(outermost + 1):
        row = VISITS + 4 * kind
        info = rec[o + row + INFO]
        if state_of(info) == OPEN:
            rec[o + row + INFO] = make_info(place_of(info), CLOSED, is_counted(info), marks_of(info), revision_of(info))
            n_events = _tell(rec, o, i, EXITED, kind, now, reason, 0, events, n_events)
    return n_events


@njit(cache=True, nogil=True)
def _has_open(rec: I32, o: int) -> bool:
    is_open = False
    for kind in range(3):
        is_open |= state_of(rec[o + VISITS + 4 * kind + INFO]) == OPEN
    return is_open


@njit(cache=True, nogil=True)
def _walk_by(
    rec: I32, o: int, i: int, t: int, store: int, front: int, rules: RuleArrays, events: I32, n_events: int
) -> int:
    """Which front is being passed: another one ends it, a fix inside the store does not."""
    passing = rec[o + FRONT] & 0xFFFF
    if store != WALKWAY:
        return n_events
    if front in (0, passing):
        return n_events
    if passing != 0:
        n_events = _pass_front(rec, o, i, t, rules, events, n_events)
    rec[o + FRONT] = front | ((t // FRONT_STEP_MS) << 16)
    return n_events


@njit(cache=True, nogil=True)
def _pass_front(rec: I32, o: int, i: int, t: int, rules: RuleArrays, events: I32, n_events: int) -> int:
    """The front was passed by, unless its store is being visited or was a little before."""
    passing, since = rec[o + FRONT] & 0xFFFF, (rec[o + FRONT] >> 16) * FRONT_STEP_MS
    rec[o + FRONT] = 0
    row = VISITS + 4 * STORE
    info = rec[o + row + INFO]
    is_there = state_of(info) != NOTHING and place_of(info) == passing
    if is_there and (state_of(info) == OPEN or t - rec[o + row + INSIDE] <= rules.passing_ms):
        return n_events
    return _tell(rec, o, i, PASSED, STORE, since, passing, 0, events, n_events)


@njit(cache=True, nogil=True)
def _settle_phase(rec: I32, o: int, i: int, t: int, is_approaching: int, events: I32, n_events: int) -> int:
    before = (rec[o + HEAD] >> 16) & 7
    if state_of(rec[o + VISITS + 4 * STORE + INFO]) == OPEN:
        phase = IN_STORE
    elif _has_open(rec, o):
        n = (rec[o + HEAD] >> 19) & 7
        phase = IN_VENUE
        if n >= 2 and is_at_exit(rec[o + WINDOW + 2 * n - 1]) == 1 and is_at_exit(rec[o + WINDOW + 2 * n - 3]) == 1:
            phase = LEAVING
    else:
        phase = APPROACHING if is_approaching != 0 else AWAY
    if phase != before:
        rec[o + HEAD] = (rec[o + HEAD] & ~(7 << 16)) | (phase << 16)
        rec[o + PHASE_SINCE] = t
        inner = STORE
        while inner < VENUE and state_of(rec[o + VISITS + 4 * inner + INFO]) != OPEN:
            inner += 1
        n_events = _tell(rec, o, i, PHASE, inner, t, before, phase, events, n_events)
    return n_events


@njit(cache=True, nogil=True)
def _tell(rec: I32, o: int, i: int, told: int, kind: int, at: int, a: int, b: int, events: I32, n_events: int) -> int:
    row = VISITS + 4 * kind
    events[n_events, E_FIX] = i
    events[n_events, E_TYPE] = told
    events[n_events, E_KIND] = kind
    events[n_events, E_VENUE] = rec[o + HEAD] & 0xFFFF
    events[n_events, E_BASE] = rec[o + BASE]
    events[n_events, E_AT] = at
    events[n_events, E_ARRIVED] = rec[o + row + ARRIVED]
    events[n_events, E_INSIDE] = rec[o + row + INSIDE]
    events[n_events, E_INFO] = rec[o + row + INFO]
    events[n_events, E_STAT] = rec[o + row + STAT]
    events[n_events, E_A] = a
    events[n_events, E_B] = b
    return n_events + 1
