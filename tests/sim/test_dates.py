"""The calendar: blocks, days off, and how busy each day is."""

from datetime import date

import numpy as np
import pytest

from sim.dates import BLOCK_DAYS, EARLIEST_DAY, FIRST_DAY, IS_FREE, LEARNS, WORKS, Calendar, block_of, days_of


def test_each_day_lies_in_one_block_and_none_before_the_earliest() -> None:
    days = np.concatenate([days_of(block) for block in range(20)])
    assert days.tolist() == list(range(EARLIEST_DAY, EARLIEST_DAY + 20 * BLOCK_DAYS))
    assert all(block_of(int(day)) == i // BLOCK_DAYS for i, day in enumerate(days))
    with pytest.raises(ValueError, match="from -364 on"):
        block_of(EARLIEST_DAY - 1)


def test_weeks_and_years_change_when_people_come_and_not_how_often() -> None:
    calendar = Calendar()
    assert np.allclose(np.sum(calendar.weekday, axis=1), 7.0)
    plain = Calendar(holidays=frozenset())
    year = plain.weights(np.arange(364))
    assert np.allclose(year.mean(axis=1), 1.0, atol=0.01)


def test_those_who_work_or_learn_come_at_the_weekend_and_the_others_rather_before_it() -> None:
    saturday, monday, holiday = 0, 2, (date(2026, 5, 1) - FIRST_DAY).days
    weights = Calendar().weights(np.array([saturday, monday, holiday]))
    assert FIRST_DAY.weekday() == 5
    assert (weights[[WORKS, LEARNS], 0] > 1.5 * weights[[WORKS, LEARNS], 1]).all()
    assert weights[IS_FREE, 0] < weights[IS_FREE, 1]
    assert (weights[:, 2] > weights[:, 0]).all()
    assert [Calendar().is_day_off(day) for day in (saturday, monday, holiday)] == [True, False, True]
