"""What seldom happens to a packed scene: visits that begin, are taken up again or end, days that end, and what is told.

Each takes the records as one flat array and ``o``, where the phone's record begins in it; ``i`` is the number of the
fix (of a sweep: of the record). They are calls of their own, so that ``visits.py`` keeps to what each fix does.
"""

from kernel.compiled import compiled_in_place, inlined
from scenes.kernels.record import (
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
    IN_STORE,
    IN_VENUE,
    INFO,
    INSIDE,
    LAST,
    LEAST,
    LEAVING,
    LEVEL,
    MARKS,
    MERGE_MS,
    MOST_FIXES,
    MOST_MARKS,
    MOST_REVISION,
    N_RECORD,
    NOTHING,
    OPEN,
    PASSING,
    PHASE_SINCE,
    STAT,
    STORE,
    SWEPT_AT,
    VENUE,
    VISITS,
    WALKWAY,
    WINDOW,
    WINDOW_MS,
    N,
    PackedRules,
    back_of,
    evidence_of,
    fixes_of,
    is_at_exit,
    is_counted,
    level_of,
    make_info,
    marks_of,
    phase_of,
    place_of,
    rate_of,
    revision_of,
    rule_at,
    state_of,
    store_of,
    with_phase,
)

ENTERED, DWELLED, EXITED, REVISED, PHASE, PASSED = range(6)
"""Types of events."""
GAP, MOVED, DAY_OVER, CONSENT = range(4)
"""Reasons of an exit."""
STAYS, LASTS, MOVES = range(3)
"""What a fix at a place does to the visits of its kind: nothing is told; a mark is passed; another visit begins."""
E_FIX, E_TYPE, E_KIND, E_VENUE, E_BASE, E_AT, E_ARRIVED, E_INSIDE, E_INFO, E_STAT, E_A, E_B = range(12)
"""Columns of an event: the fix that made it (of a sweep: the record), the place's kind, its venue, the record's base,
the instant, the visit after it; A and B: reason of an exit, the mark in ms, when a visit was left that goes on, phases
from and to."""
N_EVENT = 12
MOST_EVENTS_A_FIX = 40
"""Three visits closed twice over and begun, eight marks each, a front passed, a phase: a bound, never reached."""


@inlined
def has_open(rec: I32, o: int) -> bool:
    """Whether a visit of any kind is open."""
    states = rec[o + VISITS + INFO] | rec[o + VISITS + 4 + INFO] | rec[o + VISITS + 8 + INFO]
    return bool(state_of(states) & OPEN)


@inlined
def mean_with(stat: int, evidence: int) -> int:
    """STAT with one fix more."""
    n, mean, new = stat >> 16, stat & 0xFFFF, evidence * 257
    if new == mean:
        return mean | (min(n + 1, MOST_FIXES) << 16)
    sum_ = mean * n + new + (n + 1) // 2
    return min(int(sum_ / (n + 1)), 0xFFFF) | (min(n + 1, MOST_FIXES) << 16)  # exact: the sum has 31 bits


@compiled_in_place
def end_day(rec: I32, o: int, i: int, events: I32, n_events: int) -> int:
    """Close all at the end of a service day; the record then holds no place, but the newest instant."""
    base, last = rec[o + BASE], rec[o + LAST]
    n_events = close_with_inner(rec, o, VENUE, i, last, DAY_OVER, events, n_events)
    n_events = settle_phase(rec, o, i, last, 0, events, n_events)
    for at in range(N_RECORD):
        rec[o + at] = 0
    rec[o + BASE] = base
    rec[o + LAST] = last
    return n_events


@compiled_in_place
def turn_day(rec: I32, o: int, i: int, base: int, events: I32, n_events: int) -> int:
    """Into the service day that began at ``base``: what is open of another one ends, the record begins empty."""
    if rec[o + BASE] != 0:
        n_events = end_day(rec, o, i, events, n_events)
    for at in range(N_RECORD):
        rec[o + at] = 0
    rec[o + BASE] = base
    rec[o + LAST] = -1
    return n_events


@compiled_in_place
def change(
    rec: I32,
    o: int,
    i: int,
    t: int,
    kind: int,
    place: int,
    rate: int,
    does: int,
    rules: PackedRules,
    events: I32,
    n_events: int,
) -> int:
    """LASTS or MOVES: to the walkway ends a store visit and begins none."""
    if does == LASTS:
        return _pass_marks(rec, o, i, t, kind, rules[rule_at(rate, kind) + DWELL_MS], rules, events, n_events)
    if state_of(rec[o + VISITS + 4 * kind + INFO]) == OPEN:
        n_events = close_with_inner(rec, o, kind, i, t, MOVED, events, n_events)
    if kind != STORE or place != WALKWAY:
        n_events = _begin(rec, o, i, t, kind, place, rate, rules, events, n_events)
    return n_events


@compiled_in_place
def _begin(
    rec: I32, o: int, i: int, t: int, kind: int, place: int, rate: int, rules: PackedRules, events: I32, n_events: int
) -> int:
    rule = rule_at(rate, kind)
    window_ms, least = rules[rule + WINDOW_MS], rules[rule + LEAST]
    row = VISITS + 4 * kind
    held = rec[o + row + INFO]
    is_held = state_of(held) == CLOSED
    left = int(rec[o + row + INSIDE]) if is_held else -1
    head, arrived, stat = rec[o + HEAD], t, 0
    for back in range(min(fixes_of(head), rules[rule + N]), 0, -1):
        at = o + WINDOW + back_of(head, back)
        when, code = rec[at], rec[at + 1]
        if when > left and t - when <= window_ms and _speaks(code, kind, place, least):
            if stat == 0:
                arrived = int(when)
            stat = mean_with(stat, evidence_of(code) if kind == STORE else 255)
    if is_held and place_of(held) == place and arrived - left <= rules[rule + MERGE_MS]:
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
    return _pass_marks(rec, o, i, t, kind, rules[rule + DWELL_MS], rules, events, n_events)


@compiled_in_place
def _pass_marks(
    rec: I32, o: int, i: int, t: int, kind: int, dwell_ms: int, rules: PackedRules, events: I32, n_events: int
) -> int:
    row = VISITS + 4 * kind
    info = rec[o + row + INFO]
    stayed = rec[o + row + INSIDE] - rec[o + row + ARRIVED]
    counted = 1 if is_counted(info) == 1 or stayed >= dwell_ms else 0
    marks = marks_of(info)
    rec[o + row + INFO] = make_info(place_of(info), OPEN, counted, marks, revision_of(info))
    first = MARKS + MOST_MARKS * kind
    while marks < MOST_MARKS and stayed >= rules[first + marks]:
        marks += 1
        rec[o + row + INFO] = make_info(place_of(info), OPEN, counted, marks, revision_of(info))
        n_events = _tell(rec, o, i, DWELLED, kind, t, rules[first + marks - 1], 0, events, n_events)
    return n_events


@compiled_in_place
def run_out(rec: I32, o: int, i: int, now: int, rules: PackedRules, events: I32, n_events: int) -> int:
    """What time alone ends: visits that no fix was inside for their gap, and the front that was passed."""
    rate = rate_of(rec[o + HEAD])
    for kind in range(3):
        row = VISITS + 4 * kind
        if state_of(rec[o + row + INFO]) == OPEN and now - rec[o + row + INSIDE] > rules[rule_at(rate, kind) + GAP_MS]:
            n_events = close_with_inner(rec, o, kind, i, now, GAP, events, n_events)
    if rec[o + FRONT] != 0 and now - (rec[o + FRONT] >> 16) * FRONT_STEP_MS > rules[rule_at(rate, STORE) + GAP_MS]:
        n_events = _pass_front(rec, o, i, now, rules, events, n_events)
    return n_events


@compiled_in_place
def take_back(rec: I32, o: int, t: int, rules: PackedRules) -> None:
    """Open again what a sweep has ended, where this fix, come after it, shows that it was not over."""
    head = rec[o + HEAD]
    for inward in range(3):
        kind = VENUE - inward
        if (head >> (SWEPT_AT + kind)) & 1:
            row = VISITS + 4 * kind
            if t - rec[o + row + INSIDE] > rules[rule_at(rate_of(head), kind) + GAP_MS]:
                break  # and with it all that is inside
            info = rec[o + row + INFO]
            rec[o + row + INFO] = make_info(place_of(info), OPEN, is_counted(info), marks_of(info), revision_of(info))
    rec[o + HEAD] = head & ~(7 << SWEPT_AT)


@compiled_in_place
def close_with_inner(
    rec: I32, o: int, outermost: int, i: int, now: int, reason: int, events: I32, n_events: int
) -> int:
    for kind in range(outermost + 1):
        row = VISITS + 4 * kind
        info = rec[o + row + INFO]
        if state_of(info) == OPEN:
            rec[o + row + INFO] = make_info(place_of(info), CLOSED, is_counted(info), marks_of(info), revision_of(info))
            n_events = _tell(rec, o, i, EXITED, kind, now, reason, 0, events, n_events)
    return n_events


@compiled_in_place
def walk_by(rec: I32, o: int, i: int, t: int, front: int, rules: PackedRules, events: I32, n_events: int) -> int:
    """Another front is being passed: that ends the one before."""
    if rec[o + FRONT] & 0xFFFF != 0:
        n_events = _pass_front(rec, o, i, t, rules, events, n_events)
    rec[o + FRONT] = front | ((t // FRONT_STEP_MS) << 16)
    return n_events


@inlined
def _pass_front(rec: I32, o: int, i: int, t: int, rules: PackedRules, events: I32, n_events: int) -> int:
    """The front was passed by, unless its store is being visited or was a little before."""
    passing, since = rec[o + FRONT] & 0xFFFF, (rec[o + FRONT] >> 16) * FRONT_STEP_MS
    rec[o + FRONT] = 0
    row = VISITS + 4 * STORE
    info = rec[o + row + INFO]
    is_there = state_of(info) != NOTHING and place_of(info) == passing
    if is_there and (state_of(info) == OPEN or t - rec[o + row + INSIDE] <= rules[PASSING]):
        return n_events
    return _tell(rec, o, i, PASSED, STORE, since, passing, 0, events, n_events)


@inlined
def phase_now(rec: I32, o: int, is_approaching: int) -> int:
    """The phase that the open visits and the last fixes make."""
    phase = APPROACHING if is_approaching != 0 else AWAY
    if state_of(rec[o + VISITS + 4 * STORE + INFO]) == OPEN:
        phase = IN_STORE
    elif has_open(rec, o):
        phase = IN_VENUE
        head, first = rec[o + HEAD], o + WINDOW + 1
        if is_at_exit(rec[first + back_of(head, 1)]) + is_at_exit(rec[first + back_of(head, 2)]) == 2:
            phase = LEAVING
    return phase


@compiled_in_place
def settle_phase(rec: I32, o: int, i: int, t: int, is_approaching: int, events: I32, n_events: int) -> int:
    """Turn to another phase where there is one, and tell it."""
    before, phase = phase_of(rec[o + HEAD]), phase_now(rec, o, is_approaching)
    if phase == before:
        return n_events
    rec[o + HEAD] = with_phase(rec[o + HEAD], phase)
    rec[o + PHASE_SINCE] = t
    inner = STORE
    while inner < VENUE and state_of(rec[o + VISITS + 4 * inner + INFO]) != OPEN:
        inner += 1
    return _tell(rec, o, i, PHASE, inner, t, before, phase, events, n_events)


@inlined
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


@compiled_in_place
def _speaks(code: int, kind: int, place: int, least: int) -> bool:
    """Whether a remembered fix speaks for the place."""
    if code == 0:
        return False
    if kind == VENUE:
        return True
    if kind == LEVEL:
        return level_of(code) == place
    return store_of(code) == place and (place == WALKWAY or evidence_of(code) >= least)
