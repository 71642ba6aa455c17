"""How a phone's scene lies in memory: 32 whole numbers of 32 bits, 128 bytes.

Instants are milliseconds since the record's service day began (``BASE``, the venue's local 04:00, in minutes since
1960); places are the numbers of a ``places.PlaceBook``. A record of zeros is a phone that nothing is known of.
"""

import numpy as np
from numpy.typing import NDArray

from kernel.compiled import inlined

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]

N_RECORD = 32
BASE = 0
LAST = 1
"""The newest fix."""
HEAD = 2
"""Venue (16 bits), phase (3), fixes in the window (3), rate (2), where in the window the next goes (3), a bit for each
kind of place whose visit a sweep has ended since the newest fix (3)."""
PHASE_SINCE = 3
RATE = 4
"""The last interval between fixes in tenths of a second (16 bits), and another venue that the last fix named (15).

A phone's rate is that of the shorter of its last two intervals: one long silence makes no other phone of it."""
FRONT = 5
"""The store front being passed (16 bits), and since when, in steps of 4 s (15)."""
WINDOW = 6
"""The last seven fixes, in a ring, two numbers each: instant, code."""
MOST_WINDOW = 7
VISITS = WINDOW + 2 * MOST_WINDOW
"""Of store, level and venue, four numbers each: ARRIVED, INSIDE, INFO, STAT."""
ARRIVED, INSIDE, INFO, STAT = range(4)
"""INFO: place (16 bits), state (2), counted (1), marks passed (4), revision (8). STAT: mean evidence (16 bits), fixes
(15)."""
NOTHING, OPEN, CLOSED = range(3)
STORE, LEVEL, VENUE = range(3)
UNKNOWN, WALKWAY, FIRST_STORE = 0, 1, 2
"""Store numbers that are none."""
UNNAMED_LEVEL = 63
AWAY, APPROACHING, IN_VENUE, IN_STORE, LEAVING = range(5)
FRONT_STEP_MS = 4_000
EVIDENCE_STEPS = 255
SWEPT_AT = 27
"""The lowest of those bits."""
_STATE_AT, _COUNTED_AT, _MARKS_AT, _REVISION_AT = 16, 18, 19, 23
MOST_REVISION = 255
MOST_FIXES = 32_767

K, N, WINDOW_MS, GAP_MS, LEAST, ALONE, DWELL_MS, MERGE_MS, SWITCH_K, SWITCH_LEAST, HOLD_MS = range(11)
N_RULE = 11
MOST_MARKS = 8
AGREED, LOOKED_AT = 3, 5
"""So many fixes of one place among so many are looked for first: where they are found, no kind need ask."""


N_RATES = 3
MARKS = N_RATES * 3 * N_RULE
RATE_DS = MARKS + 3 * MOST_MARKS
PASSING = RATE_DS + N_RATES - 1
THREE = PASSING + 1
FIVE = THREE + N_RATES
N_RULES = FIVE + N_RATES

PackedRules = I32
"""``rules.SceneRules`` for the kernels, (132,): one array, as each array of a call costs seven words of it.

The rule of each rate of fixes and kind of place (``rule_at``), evidence in steps of 1 / 255. From MARKS on the dwell
marks of each kind, ascending, the greatest number of 32 bits for none. RATE_DS: the greatest interval of each rate but
the last, in tenths of a second. PASSING: a store visited within these milliseconds is not passed by. THREE: for each
rate, three fixes of one place within this many milliseconds confirm it for every kind, -1 where more are asked. FIVE:
three of five do, -1 where more are asked or fewer are looked at.
"""


@inlined
def rule_at(rate: int, kind: int) -> int:
    """Where the numbers of a rule begin among all of them."""
    return N_RULE * (3 * rate + kind)


@inlined
def phase_of(head: int) -> int:
    """AWAY to LEAVING."""
    return (head >> 16) & 7


@inlined
def with_phase(head: int, phase: int) -> int:
    """HEAD with another phase."""
    return (head & ~(7 << 16)) | (phase << 16)


@inlined
def fixes_of(head: int) -> int:
    """How many fixes the window holds."""
    return (head >> 19) & 7


@inlined
def back_of(head: int, back: int) -> int:
    """Where in the window the fix lies that came so many fixes ago; 1 for the newest."""
    at = ((head >> 24) & 7) - back
    return 2 * (at + (MOST_WINDOW & (at >> 31)))


@inlined
def rate_of(head: int) -> int:
    """Which of the rules' rates the phone's fixes come at."""
    return (head >> 22) & 3


@inlined
def with_rate(head: int, rate: int) -> int:
    """HEAD with another rate."""
    return (head & ~(3 << 22)) | (rate << 22)


@inlined
def state_of(info: int) -> int:
    """NOTHING, OPEN or CLOSED."""
    return (info >> _STATE_AT) & 3


@inlined
def place_of(info: int) -> int:
    """The number of the visit's place."""
    return info & 0xFFFF


@inlined
def is_counted(info: int) -> int:
    """1 once the visit has lasted."""
    return (info >> _COUNTED_AT) & 1


@inlined
def marks_of(info: int) -> int:
    """Dwell marks passed."""
    return (info >> _MARKS_AT) & 15


@inlined
def revision_of(info: int) -> int:
    """How often the visit was taken up again."""
    return (info >> _REVISION_AT) & MOST_REVISION


@inlined
def make_info(place: int, state: int, counted: int, marks: int, revision: int) -> int:
    """INFO of its parts."""
    return place | (state << _STATE_AT) | (counted << _COUNTED_AT) | (marks << _MARKS_AT) | (revision << _REVISION_AT)


@inlined
def make_code(store: int, evidence: int, level: int, is_at_exit: int) -> int:
    """A fix of the window; 0 for one that knows no place."""
    return store | (evidence << 16) | (level << 24) | (is_at_exit << 30)


@inlined
def store_of(code: int) -> int:
    """UNKNOWN, WALKWAY or a store's number."""
    return code & 0xFFFF


@inlined
def evidence_of(code: int) -> int:
    """Of the store or the walkway, 0 to 255."""
    return (code >> 16) & 255


@inlined
def level_of(code: int) -> int:
    """The number of the level; 0 where the fix knows no venue."""
    return (code >> 24) & 63


@inlined
def is_at_exit(code: int) -> int:
    """1 where the fix is at a way out."""
    return (code >> 30) & 1
