"""The simulation's calendar: numbers and dates of days, how busy each is, and how often the radios have aged by it.

A survey on ``SURVEY_DAY`` hears the radios as they were hung. They age once before ``FIRST_DAY``, and once more each
``AGEING_PERIOD_DAYS`` after it (``sim/ageing.py``). How fast real radios change is not known well; the period is a
choice, the shares of one ageing are those of the project's comparison of methods.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from sim.chance import F64, I64

SURVEY_DAY = date(2026, 3, 2)
FIRST_DAY = date(2026, 4, 18)
"""A Saturday, some weeks after the survey; the world's days are counted from it."""
AGEING_PERIOD_DAYS = 91
MAX_AGEINGS = 20
LAST_DAY = FIRST_DAY + timedelta(days=AGEING_PERIOD_DAYS * MAX_AGEINGS - 1)
BLOCK_DAYS = 28
"""Days are drawn in blocks of four weeks (``rhythm.py``)."""
BLOCKS_BEFORE = 13
"""Blocks of history that can be had before ``FIRST_DAY``: 364 days."""
EARLIEST_DAY = -BLOCKS_BEFORE * BLOCK_DAYS
EARLIEST_DATE = FIRST_DAY + timedelta(days=EARLIEST_DAY)

WORKS, LEARNS, IS_FREE = range(3)
"""Kinds of weeks; rows of ``Calendar.weekday``."""
_SATURDAY = 5


def block_of(day: int) -> int:
    """Which block a day lies in, from 0.

    Raises:
        ValueError: the day is before the earliest that can be drawn.
    """
    if day < EARLIEST_DAY:
        raise ValueError(f"expected a day from {EARLIEST_DAY} on, found {day}")
    return day // BLOCK_DAYS + BLOCKS_BEFORE


def days_of(block: int) -> I64:
    """The day numbers of a block."""
    return (block - BLOCKS_BEFORE) * BLOCK_DAYS + np.arange(BLOCK_DAYS, dtype=np.int64)


def _span(first: tuple[int, int, int], n_days: int) -> frozenset[date]:
    return frozenset(date(*first) + timedelta(days=i) for i in range(n_days))


_HOLIDAYS = frozenset().union(
    _span((2025, 5, 1), 5), _span((2025, 5, 31), 3), _span((2025, 10, 1), 8), _span((2026, 1, 1), 3),
    _span((2026, 2, 15), 9), _span((2026, 4, 4), 3), _span((2026, 5, 1), 5), _span((2026, 6, 19), 3),
    _span((2026, 9, 25), 3), _span((2026, 10, 1), 7),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Calendar:
    """How much likelier people come on some days. All constants are ours.

    Args:
        weekday: Monday to Sunday for people who work, who go to school, who do neither; each week sums to 7.
        month: January to December; made to have a mean of 1.
        holidays: days off for all (China's public holidays; make-up working days are left out).
        holiday: a holiday is a Saturday times this.
    """

    weekday: tuple[tuple[float, ...], ...] = (
        (0.80, 0.80, 0.80, 0.85, 1.10, 1.40, 1.25),
        (0.60, 0.60, 0.60, 0.60, 1.20, 1.70, 1.70),
        (1.05, 1.05, 1.05, 1.05, 1.00, 0.95, 0.85),
    )
    month: tuple[float, ...] = (1.05, 1.05, 0.92, 0.95, 1.03, 0.95, 1.00, 1.00, 0.95, 1.08, 1.00, 1.10)
    holidays: frozenset[date] = _HOLIDAYS
    holiday: float = 1.15

    def is_day_off(self, day: int) -> bool:
        """A Saturday, Sunday or holiday."""
        on = FIRST_DAY + timedelta(days=day)
        return on.weekday() >= _SATURDAY or on in self.holidays

    def weights(self, days: I64) -> F64:
        """(3, n_days) the factor on a person's mean rate, by kind of week."""
        on = [FIRST_DAY + timedelta(days=int(day)) for day in days]
        is_holiday = np.array([at in self.holidays for at in on])
        weekday = np.where(is_holiday, _SATURDAY, [at.weekday() for at in on])
        month = np.array(self.month)[[at.month - 1 for at in on]] / np.mean(self.month)
        found: F64 = np.array(self.weekday)[:, weekday] * month * np.where(is_holiday, self.holiday, 1.0)
        return found


def count_ageings(on: date) -> int:
    """How often the radios have aged by a date.

    >>> [count_ageings(day) for day in (SURVEY_DAY, FIRST_DAY, FIRST_DAY + timedelta(days=91))]
    [0, 1, 2]

    Raises:
        ValueError: before the survey, or after ``LAST_DAY``.
    """
    if not SURVEY_DAY <= on <= LAST_DAY:
        raise ValueError(f"expected a date from {SURVEY_DAY} to {LAST_DAY}, found {on}")
    return 0 if on < FIRST_DAY else 1 + (on - FIRST_DAY).days // AGEING_PERIOD_DAYS


def ageing_days(on: date) -> list[date]:
    """The days on which the radios have aged up to a date."""
    return [FIRST_DAY + timedelta(days=AGEING_PERIOD_DAYS * i) for i in range(count_ageings(on))]


def number_day(on: date) -> int:
    """Days from ``FIRST_DAY`` to a date that has a mall; negative before it.

    Raises:
        ValueError: before the survey, or after ``LAST_DAY``.
    """
    count_ageings(on)
    return (on - FIRST_DAY).days
