"""The calendar of a simulated mall: when it is surveyed, when its days are played, how often its radios have aged.

A survey on ``SURVEY_DAY`` hears the radios as they were hung. They age once before ``FIRST_DAY``, and once more each
``AGEING_PERIOD_DAYS`` after it (``sim/ageing.py``). How fast real radios change is not known well; the period is a
choice, the shares of one ageing are those of the project's comparison of methods.
"""

from datetime import date, timedelta

SURVEY_DAY = date(2026, 3, 2)
FIRST_DAY = date(2026, 4, 18)
"""A Saturday, some weeks after the survey; the world's days are counted from it."""
AGEING_PERIOD_DAYS = 91
MAX_AGEINGS = 20
LAST_DAY = FIRST_DAY + timedelta(days=AGEING_PERIOD_DAYS * MAX_AGEINGS - 1)


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
    """The number from which a world draws the people of a date; no two dates share one.

    Days since ``FIRST_DAY``; the days before it are numbered after the last, since a number cannot be negative.
    """
    count_ageings(on)
    days = (on - FIRST_DAY).days
    return days if days >= 0 else (LAST_DAY - FIRST_DAY).days - days
