"""The streaming state of one person at one category, brand or venue: when they came, in 36 bytes.

A visit counts by its local day, and a day once: two shops of a category on one afternoon are one coming. Gaps are
whole days, so the state keeps whole sums: what is made of them comes out exact, however the stream was cut.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

CADENCE = np.dtype(
    [
        ("count", np.int32),
        ("first", np.int32),
        ("last", np.int32),
        ("told", np.int32),
        ("gap", np.int32),
        ("squares", np.int64),
        ("unevenness", np.int64),
    ]
)
"""Days come, the first and the last of them, the ``last`` for which "overdue" was told, the last gap (0: none yet), the
sum of squared gaps (days^2), and that of ``pair_unevenness`` over each two gaps that follow each other.

Days are counted from 1970-01-01 in the venue's time zone. The sum of gaps needs no field: it is ``last - first``.
"""
UNEVENNESS_UNIT = 2.0**-30
"""Whole units add up to the same sum in any order, which fractions would not; a thousand years of pairs fit."""
NEVER = -(2**31)
"""The day of what did not happen."""
DAYS_A_WEEK = 7.0

States = NDArray[np.void]
"""(n_people,) of ``CADENCE``."""


@dataclass(frozen=True, slots=True)
class VisitDays:
    """Visits as a batch brings them, in any order: ``row`` into the states, local ``day``; both (n_visits,)."""

    row: I64
    day: I64

    def __post_init__(self) -> None:
        if self.row.ndim != 1 or self.row.shape != self.day.shape:
            raise ValueError(f"expected rows and days of one length, found {self.row.shape} and {self.day.shape}")


@dataclass(frozen=True, slots=True)
class Learned:
    """The next states, and how many visits were of a day before the person's last one and so changed nothing."""

    states: States
    n_late: int


@dataclass(frozen=True, slots=True)
class Summaries:
    """What BG/NBD asks of each person, in weeks, all (n_people,): repeats x, the last at t_x, age T; t_x <= T."""

    x: F64
    t_x: F64
    age: F64

    def __post_init__(self) -> None:
        if self.x.ndim != 1 or not self.x.shape == self.t_x.shape == self.age.shape:
            raise ValueError(f"expected three equal lengths, found {self.x.shape}, {self.t_x.shape}, {self.age.shape}")
        in_order = (self.x >= 0) & (self.t_x >= 0) & (self.t_x <= self.age)
        if not (in_order & ((self.x == 0) == (self.t_x == 0))).all():  # NaN is not in order
            raise ValueError("expected x >= 0, 0 <= t_x <= T, and t_x = 0 where x = 0 and nowhere else")

    def __len__(self) -> int:
        return len(self.x)


def empty_states(n_people: int) -> States:
    """The states of people who have not come yet."""
    states = np.zeros(n_people, dtype=CADENCE)
    for name in ("first", "last", "told"):
        states[name] = NEVER
    return states


def learn(states: States, visits: VisitDays) -> Learned:
    """Take visits into the states. Neither argument changes; a batch told twice changes nothing more.

    A visit of a day before the person's last one is left out and counted: the gap it would split is no longer known.

    Raises:
        ValueError: a row outside the states.
    """
    if len(visits.row) and not 0 <= visits.row.min() <= visits.row.max() < len(states):
        raise ValueError(f"expected rows within 0..{len(states) - 1}")
    late = visits.day < states["last"][visits.row]
    new = visits.day > states["last"][visits.row]
    row, day = _distinct_days(visits.row[new], visits.day[new])
    opens = np.ones(len(row), dtype=np.bool_)
    opens[1:] = row[1:] != row[:-1]
    gap = _gaps(row, day, states["last"], opens)
    before = np.where(opens, states["gap"][row], np.roll(gap, 1))
    learned = states.copy()
    _take_in(learned, row, day, gap, pair_unevenness(before, gap), np.flatnonzero(opens))
    return Learned(learned, int(late.sum()))


def pair_unevenness(gap: I64, following: I64) -> I64:
    """(n_pairs,) how unlike two gaps g and h of a person are: 0 alike, to 1, in ``UNEVENNESS_UNIT``.

    ``(g - h)^2 / (s (s - 2))`` with s = g + h; its mean is exactly 1/3 for days drawn by chance, at any rate: given s,
    g is then uniform on 1 .. s - 1. Two single days say nothing and count as that third; 0 where either gap is 0,
    which stands for none.
    """
    both, total = (gap > 0) & (following > 0), gap + following
    part = np.where(total > 2, (gap - following) ** 2 / np.maximum(total * (total - 2), 1), 1.0 / 3.0)
    units: I64 = np.rint(np.where(both, part, 0.0) / UNEVENNESS_UNIT).astype(np.int64)
    return units


def _gaps(row: I64, day: I64, last: NDArray[np.int32], opens: NDArray[np.bool_]) -> I64:
    """(n_days,) days since the person's day before; 0 for the first ever."""
    before = np.where(opens, last[row], np.roll(day, 1)).astype(np.int64)
    gaps: I64 = np.where(before == NEVER, 0, day - before)
    return gaps


def _distinct_days(row: I64, day: I64) -> tuple[I64, I64]:
    """Each person's days in order, each once."""
    order = np.lexsort((day, row))
    row, day = row[order], day[order]
    first = np.ones(len(row), dtype=np.bool_)
    first[1:] = (row[1:] != row[:-1]) | (day[1:] != day[:-1])
    return row[first], day[first]


def _take_in(states: States, row: I64, day: I64, gap: I64, uneven: I64, opens: I64) -> None:
    """Add runs of days, one run a person, each beginning at ``opens``, to states that are ours to change."""
    if not len(row):
        return
    who, ends = row[opens], np.append(opens[1:], len(row)) - 1
    states["first"][who] = np.where(states["count"][who] == 0, day[opens], states["first"][who])
    states["count"][who] += (ends - opens + 1).astype(np.int32)
    states["squares"][who] += np.add.reduceat(gap * gap, opens)
    states["unevenness"][who] += np.add.reduceat(uneven, opens)
    states["last"][who], states["gap"][who] = day[ends], gap[ends]


def gap_counts(states: States) -> I64:
    """(n_people,) gaps known of each: one fewer than days come."""
    counts: I64 = np.maximum(states["count"].astype(np.int64) - 1, 0)
    return counts


def pair_counts(states: States) -> I64:
    """(n_people,) pairs of gaps that follow each other."""
    counts: I64 = np.maximum(states["count"].astype(np.int64) - 2, 0)
    return counts


def gap_sums_days(states: States) -> I64:
    """(n_people,) the sum of each person's gaps."""
    sums: I64 = np.where(states["count"] > 0, states["last"].astype(np.int64) - states["first"], 0)
    return sums


def mean_gaps_days(states: States) -> F64:
    """(n_people,) each person's mean gap; NaN where there is none."""
    counts = gap_counts(states)
    return np.where(counts > 0, gap_sums_days(states) / np.maximum(counts, 1), np.nan)


def gap_m2_days2(states: States) -> F64:
    """(n_people,) the sum of squared differences of each person's gaps from their mean; NaN where there is none."""
    counts, sums = gap_counts(states), gap_sums_days(states)
    return np.where(counts > 0, (counts * states["squares"] - sums * sums) / np.maximum(counts, 1), np.nan)


def summarise(states: States, at_day: int) -> Summaries:
    """Repeats, the last of them and the age of each person at the end of a local day.

    Raises:
        ValueError: somebody has not come yet, or came after ``at_day``.
    """
    if (states["count"] == 0).any() or (states["last"] > at_day).any():
        raise ValueError(f"expected people who have come, none of them after day {at_day}")
    return Summaries(
        x=gap_counts(states).astype(np.float64),
        t_x=gap_sums_days(states) / DAYS_A_WEEK,
        age=(at_day - states["first"].astype(np.int64)) / DAYS_A_WEEK,
    )
