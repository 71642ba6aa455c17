"""Fixes into packed scenes: what each fix does to its phone's visits.

One record is advanced by one fix at a time; a batch may hold any number of fixes of any phones. A fix that is no newer
than its phone's newest is left alone and marked late: ``scenes/revise.py`` takes it. What most fixes do is written out
in one loop, as a call with arrays costs more than all of it; what seldom happens is in ``changes.py``.
"""

from typing import Any

import numpy as np

from kernel.compiled import compiled_in_place, inlined
from scenes.kernels.changes import (
    LASTS,
    MOST_EVENTS_A_FIX,
    MOVED,
    MOVES,
    STAYS,
    change,
    close_with_inner,
    end_day,
    has_open,
    mean_with,
    phase_now,
    run_out,
    settle_phase,
    take_back,
    turn_day,
    walk_by,
)
from scenes.kernels.record import (
    AGREED,
    ALONE,
    APPROACHING,
    ARRIVED,
    BASE,
    DWELL_MS,
    FIVE,
    FRONT,
    FRONT_STEP_MS,
    GAP_MS,
    HEAD,
    HOLD_MS,
    I32,
    I64,
    IN_STORE,
    IN_VENUE,
    INFO,
    INSIDE,
    LAST,
    LEAST,
    LEVEL,
    LOOKED_AT,
    MARKS,
    MOST_MARKS,
    MOST_WINDOW,
    N_RATES,
    N_RECORD,
    OPEN,
    RATE,
    RATE_DS,
    STAT,
    STORE,
    SWEPT_AT,
    SWITCH_K,
    SWITCH_LEAST,
    THREE,
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
    PackedRules,
    back_of,
    evidence_of,
    fixes_of,
    is_at_exit,
    is_counted,
    level_of,
    marks_of,
    phase_of,
    place_of,
    rate_of,
    rule_at,
    state_of,
    store_of,
    with_rate,
)

_MINUTE_MS = 60_000
_LONGEST_GAP_DS = 0xFFFF
_DAY_MS = 86_400_000 + 2 * 3_600_000
"""A service day is at most 25 hours; later than this, whatever a record holds is of another day."""
_WHERE = 0xFFFF | (63 << 24)
"""The bits of a fix that name its store and level."""
_SETTLED = 0xFFFF | (7 << 16) | (7 << 19) | (3 << 22) | (7 << SWEPT_AT)
"""The bits of HEAD: venue, phase, fixes in the window, rate, what a sweep has ended."""
_VISIT = 0xFFFF | (3 << 16)
"""The bits of INFO: place, state."""
_ALL_SURE = 255
"""Evidence of levels and venues, which a fix names or does not."""


@compiled_in_place
def advance_fixes(  # noqa: PLR0912, PLR0915  # one loop: a call with arrays costs more than what it would do
    records: I32,
    slot: I64,
    at_ms: I64,
    base_min: I64,
    venue: I32,
    code: I32,
    front: I32,
    is_approaching: U8,
    rules: PackedRules,
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
    for at in range(np.uint64(start), np.uint64(len(slot))):  # unsigned: a signed index may count from the end
        i = int(np.int64(at))
        if n_events + MOST_EVENTS_A_FIX > len(events):
            return i, n_events
        o = int(slot[at]) * N_RECORD
        if o < 0:
            raise IndexError("a slot may not be negative")
        base = int(rec[o + BASE])
        t = int(at_ms[at]) - _MINUTE_MS * base
        is_late = base != 0 and t <= rec[o + LAST]
        out_late[at] = is_late
        if _goes_on(rec, o, t, base, base_min[at], venue[at], code[at], rules):
            _go_on(rec, o, t, code[at])
            if store_of(code[at]) == WALKWAY and _is_other_front(rec, o, front[at]):
                n_events = walk_by(rec, o, i, t, front[at], rules, events, n_events)
        elif not is_late:
            if base == 0 or t >= _DAY_MS or (venue[at] != 0 and base_min[at] != base):
                n_events = turn_day(rec, o, i, int(base_min[at]), events, n_events)
                t = int(at_ms[at]) - _MINUTE_MS * int(base_min[at])
            if rec[o + HEAD] >> SWEPT_AT:
                take_back(rec, o, t, rules)
            if _has_run_out(rec, o, t, rules):
                n_events = run_out(rec, o, i, t, rules, events, n_events)
            here, other, said = rec[o + HEAD] & 0xFFFF, rec[o + RATE] >> 16, int(code[at])
            if venue[at] != 0:
                if venue[at] == here:
                    other = 0
                elif here == 0 or other == venue[at] or not has_open(rec, o):
                    n_events = _move_to(rec, o, i, t, venue[at], events, n_events)
                    here, other = venue[at], 0
                else:
                    other = venue[at]  # heard once: it may be a mistake, so this fix knows no place
                    said = 0
            rate = _take_instant(rec, o, t, other, rules)
            _remember(rec, o, t, said)
            if said != 0:
                store, level = store_of(said), level_of(said)
                is_agreed = _agree(rec, o, t, said, rate, 1, rules)
                does = _hear_venue(rec, o, t, here, _ALL_SURE, is_agreed, rate, rules)
                if does > STAYS:
                    n_events = change(rec, o, i, t, VENUE, here, rate, does, rules, events, n_events)
                if level != UNNAMED_LEVEL:
                    does = _hear_level(rec, o, t, level, _ALL_SURE, is_agreed, rate, rules)
                    if does > STAYS:
                        n_events = change(rec, o, i, t, LEVEL, level, rate, does, rules, events, n_events)
                evidence = evidence_of(said)
                if store == WALKWAY or (store != UNKNOWN and evidence >= rules[rule_at(rate, STORE) + LEAST]):
                    does = _hear_store(rec, o, t, store, evidence, is_agreed, rate, rules)
                    if does > STAYS:
                        n_events = change(rec, o, i, t, STORE, store, rate, does, rules, events, n_events)
                if store == WALKWAY and _is_other_front(rec, o, front[at]):
                    n_events = walk_by(rec, o, i, t, front[at], rules, events, n_events)
            if phase_now(rec, o, is_approaching[at]) != phase_of(rec[o + HEAD]):
                n_events = settle_phase(rec, o, i, t, is_approaching[at], events, n_events)
        if wants_view:
            for word in range(N_RECORD):
                out_view[at, word] = rec[o + word]
    return len(slot), n_events


@inlined
def _goes_on(rec: I32, o: int, t: int, base: int, base_min: int, venue: int, code: int, rules: PackedRules) -> bool:
    """Whether a fix lengthens the open visits and does no more to them, as most do: by place, rate and times alone.

    It says no where it is not sure; the loop then asks rule by rule, and comes to the same.
    """
    store = store_of(code)
    phase = IN_VENUE if store == WALKWAY else IN_STORE
    settled = venue | (phase << 16) | (MOST_WINDOW << 19)
    if (rec[o + HEAD] & _SETTLED) != settled or base != base_min or venue == 0 or store == UNKNOWN:
        return False
    if is_at_exit(code) != 0 or level_of(code) == UNNAMED_LEVEL or not _comes_fast(rec, o, t, rules):
        return False
    row = o + VISITS
    if store == WALKWAY:
        goes_on = _passes_on(rec, o, t, rules)
    else:
        goes_on = rec[o + FRONT] == 0 and _lasts(rec, row, t, store, rules, STORE)
    if not goes_on or not _lasts(rec, row + 4, t, level_of(code), rules, LEVEL):
        return False
    return _lasts(rec, row + 8, t, venue, rules, VENUE) and _agree(rec, o, t, code, 0, 0, rules)


@inlined
def _comes_fast(rec: I32, o: int, t: int, rules: PackedRules) -> bool:
    """Whether a fix is newer, of the same day and at the fastest rate, and no other venue has been heard."""
    since, before_ds = t - rec[o + LAST], rec[o + RATE]
    is_near = (since > 0) & (t < _DAY_MS) & (before_ds <= _LONGEST_GAP_DS)
    is_fast: bool = is_near & (min(before_ds, since // 100) <= rules[RATE_DS])
    return is_fast


@inlined
def _passes_on(rec: I32, o: int, t: int, rules: PackedRules) -> bool:
    """Whether no front is being passed, or one that has not run out."""
    passing = rec[o + FRONT]
    passes_on: bool = (passing == 0) | (t - (passing >> 16) * FRONT_STEP_MS <= rules[rule_at(0, STORE) + GAP_MS])
    return passes_on


@inlined
def _is_other_front(rec: I32, o: int, front: int) -> bool:
    """Whether a fix in the walkway is before a front that is not the one being passed."""
    return bool((front != 0) & (front != rec[o + FRONT] & 0xFFFF))


@inlined
def _lasts(rec: I32, row: int, t: int, place: int, rules: PackedRules, kind: int) -> bool:
    """Whether a visit is open at the place, has not run out, and passes no mark."""
    info, at = rec[row + INFO], rule_at(0, kind)
    is_there = ((info & _VISIT) == place | (OPEN << 16)) & (t - rec[row + INSIDE] <= rules[at + GAP_MS])
    lasts: bool = is_there & (_is_mark_due(t - rec[row + ARRIVED], info, rules[at + DWELL_MS], rules, kind) ^ True)
    return lasts


@inlined
def _go_on(rec: I32, o: int, t: int, code: int) -> None:
    """Take a fix that lengthens the open visits."""
    row = o + VISITS
    rec[o + RATE] = max(min((t - rec[o + LAST]) // 100, _LONGEST_GAP_DS), 1)
    rec[o + LAST] = t
    _remember(rec, o, t, code)
    if store_of(code) != WALKWAY:
        rec[row + INSIDE] = t
        rec[row + STAT] = mean_with(rec[row + STAT], evidence_of(code))
    rec[row + 4 + INSIDE], rec[row + 8 + INSIDE] = t, t
    rec[row + 4 + STAT] = mean_with(rec[row + 4 + STAT], _ALL_SURE)
    rec[row + 8 + STAT] = mean_with(rec[row + 8 + STAT], _ALL_SURE)


@inlined
def _has_run_out(rec: I32, o: int, now: int, rules: PackedRules) -> bool:
    """Whether time alone ends something (``changes.run_out`` does it)."""
    rate = rate_of(rec[o + HEAD])
    is_over: bool = (
        rec[o + FRONT] != 0 and now - (rec[o + FRONT] >> 16) * FRONT_STEP_MS > rules[rule_at(rate, STORE) + GAP_MS]
    )
    for kind in range(3):
        row = o + VISITS + 4 * kind
        is_over |= state_of(rec[row + INFO]) == OPEN and now - rec[row + INSIDE] > rules[rule_at(rate, kind) + GAP_MS]
    return is_over


@compiled_in_place
def _move_to(rec: I32, o: int, i: int, t: int, venue: int, events: I32, n_events: int) -> int:
    """Into another venue: whatever is open in the last one ends."""
    n_events = close_with_inner(rec, o, VENUE, i, t, MOVED, events, n_events)
    phase = phase_of(rec[o + HEAD])
    for at in range(WINDOW, N_RECORD):
        rec[o + at] = 0
    rec[o + FRONT] = 0
    rec[o + HEAD] = venue | (phase << 16)
    return n_events


@inlined
def _take_instant(rec: I32, o: int, t: int, other: int, rules: PackedRules) -> int:
    """Make this the newest fix; the rate that the phone's fixes come at."""
    rate, gap, last = 0, 0, rec[o + LAST]
    if last >= 0:
        before = rec[o + RATE] & 0xFFFF
        gap = max(min((t - last) // 100, _LONGEST_GAP_DS), 1)
        shorter = min(before, gap) if before > 0 else gap
        while rate < N_RATES - 1 and shorter > rules[RATE_DS + rate]:
            rate += 1
    rec[o + RATE] = gap | (other << 16)
    rec[o + HEAD] = with_rate(rec[o + HEAD], rate)
    rec[o + LAST] = t
    return rate


@inlined
def _remember(rec: I32, o: int, t: int, code: int) -> None:
    """Put a fix into the window; the oldest goes where it is full."""
    head = rec[o + HEAD]
    to = (head >> 24) & 7
    rec[o + WINDOW + 2 * to] = t
    rec[o + WINDOW + 2 * to + 1] = code
    more, after = int(fixes_of(head) < MOST_WINDOW), (to + 1) * int(to < MOST_WINDOW - 1)
    rec[o + HEAD] = ((head & ~(7 << 24)) | (after << 24)) + (more << 19)


@inlined
def _agree(rec: I32, o: int, t: int, code: int, rate: int, newest: int, rules: PackedRules) -> bool:
    """Whether three of the last fixes name the same store and level and are near enough to confirm every kind of place.

    ``newest`` is 1 where the fix is in the window already, else 0.
    """
    head, at = rec[o + HEAD], o + WINDOW
    n = fixes_of(head) - newest
    floor = 0 if store_of(code) == WALKWAY else rules[rule_at(rate, STORE) + LEAST]
    if n < AGREED - 1 or evidence_of(code) < floor:
        return False
    one, two = at + back_of(head, newest + 1), at + back_of(head, newest + 2)
    said = _is_same(rec[one + 1], code, floor) + _is_same(rec[two + 1], code, floor)
    if said == AGREED - 1 and t - rec[two] <= rules[THREE + rate]:
        return True
    three, four = at + back_of(head, newest + 3), at + back_of(head, newest + 4)
    if n < LOOKED_AT - 1 or t - rec[four] > rules[FIVE + rate]:
        return False
    return said + _is_same(rec[three + 1], code, floor) + _is_same(rec[four + 1], code, floor) >= AGREED - 1


@inlined
def _is_same(code: int, other: int, floor: int) -> int:
    """1 where both fixes name the same store and level, and the first speaks for them."""
    return int((code ^ other) & _WHERE == 0) & int(evidence_of(code) >= floor)


@inlined
def _has_voices(
    rec: I32, o: int, t: int, kind: int, place: int, needs: int, least: int, rate: int, rules: PackedRules
) -> bool:
    """Whether so many of the last n fixes speak for the place; the newest are asked first."""
    mask, want = 0, 0
    if kind == LEVEL:
        mask, want = 63 << 24, place << 24
    elif kind == STORE:
        mask, want = 0xFFFF, place
    floor = 0 if kind != STORE or place == WALKWAY else least
    head, window_ms = rec[o + HEAD], rules[rule_at(rate, kind) + WINDOW_MS]
    last, missing, back = min(fixes_of(head), rules[rule_at(rate, kind) + N]), needs, 1
    while missing > 0 and back <= last:
        at = o + WINDOW + back_of(head, back)
        code = rec[at + 1]
        if code != 0 and code & mask == want and t - rec[at] <= window_ms:
            missing -= evidence_of(code) >= floor
        back += 1
    return missing <= 0


@inlined
def _is_mark_due(stayed: int, info: int, dwell_ms: int, rules: PackedRules, kind: int) -> bool:
    """Whether the visit counts from now on, or a dwell mark is passed."""
    marks = marks_of(info)
    next_mark = MARKS + MOST_MARKS * kind + min(marks, MOST_MARKS - 1)
    passes = (marks < MOST_MARKS) & (stayed >= rules[next_mark])
    is_due: bool = passes | ((is_counted(info) == 0) & (stayed >= dwell_ms))
    return is_due


def _hearing(kind: int) -> Any:
    """What a fix at a place does to the visits of one kind; a function a kind, which numba writes out one by one."""

    @inlined
    def hear(
        rec: I32,
        o: int,
        t: int,
        place: int,
        evidence: int,
        is_agreed: bool,
        rate: int,
        rules: PackedRules,
    ) -> int:
        at, row = rule_at(rate, kind), o + VISITS + 4 * kind
        info = rec[row + INFO]
        is_open, is_there = state_of(info) == OPEN, place_of(info) == place
        needs, least, may_agree = rules[at + K], rules[at + LEAST], is_agreed
        moves = is_open and not is_there and (kind != STORE or place != WALKWAY)
        if moves and t - rec[row + INSIDE] <= rules[at + HOLD_MS]:
            needs, least, may_agree = rules[at + SWITCH_K], rules[at + SWITCH_LEAST], False
        is_heard = may_agree or evidence >= rules[at + ALONE]
        if not is_heard and not _has_voices(rec, o, t, kind, place, needs, least, rate, rules):
            return STAYS
        if not is_open or not is_there:
            return MOVES if is_open or kind != STORE or place != WALKWAY else STAYS
        rec[row + INSIDE] = t
        rec[row + STAT] = mean_with(rec[row + STAT], evidence)
        return LASTS if _is_mark_due(t - rec[row + ARRIVED], info, rules[at + DWELL_MS], rules, kind) else STAYS

    return hear


_hear_store, _hear_level, _hear_venue = _hearing(STORE), _hearing(LEVEL), _hearing(VENUE)


@compiled_in_place
def close_stale(
    records: I32,
    slot: I64,
    now_ms: int,
    day_base_min: I64,
    rules: PackedRules,
    start: int,
    events: I32,
    out_changed: U8,
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
            n_events = end_day(rec, o, i, events, n_events)
            out_changed[i] = 1 if n_events > before else 0
            continue
        rate = rate_of(rec[o + HEAD])
        open_before = _open_bits(rec, o)
        n_events = run_out(rec, o, i, now, rules, events, n_events)
        rec[o + HEAD] |= (open_before & ~_open_bits(rec, o)) << SWEPT_AT
        is_near = phase_of(rec[o + HEAD]) == APPROACHING and now - rec[o + LAST] <= rules[rule_at(rate, VENUE) + GAP_MS]
        n_events = settle_phase(rec, o, i, now, 1 if is_near else 0, events, n_events)
        out_changed[i] = 1 if n_events > before or rec[o + FRONT] != front else 0
    return len(slot), n_events


@inlined
def _open_bits(rec: I32, o: int) -> int:
    """A bit for each kind of place whose visit is open."""
    bits = 0
    for kind in range(3):
        bits |= int(state_of(rec[o + VISITS + 4 * kind + INFO]) == OPEN) << kind
    return bits


@compiled_in_place
def close_record(rec: I32, now_ms: int, reason: int, events: I32) -> int:
    """Close whatever is open of one phone, as when a consent is withdrawn; the number of events."""
    o = 0
    now = now_ms - _MINUTE_MS * int(rec[o + BASE])
    n_events = close_with_inner(rec, o, VENUE, -1, now, reason, events, 0)
    rec[o + FRONT] = 0
    return settle_phase(rec, o, -1, now, 0, events, n_events)
