"""The calendar: blocks, days off, how busy each day is, and which radios it has."""

from datetime import date, timedelta

import numpy as np
import pytest

from sim.dates import (
    AGEING_PERIOD_DAYS,
    BLOCK_DAYS,
    EARLIEST_DAY,
    FIRST_DAY,
    IS_FREE,
    LAST_DAY,
    LEARNS,
    SURVEY_DAY,
    WORKS,
    Calendar,
    ageing_days,
    block_of,
    count_ageings,
    days_of,
    number_day,
)
from sim.world import World


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


def test_radios_age_between_survey_and_first_day_and_then_each_period() -> None:
    period = timedelta(days=AGEING_PERIOD_DAYS)
    days = [SURVEY_DAY, FIRST_DAY - timedelta(days=1), FIRST_DAY, FIRST_DAY + period - timedelta(days=1)]
    assert [count_ageings(day) for day in days] == [0, 0, 1, 1]
    assert [count_ageings(FIRST_DAY + period * n) for n in range(3)] == [1, 2, 3]
    assert ageing_days(FIRST_DAY + period) == [FIRST_DAY, FIRST_DAY + period]


def test_days_are_numbered_from_the_first_one() -> None:
    assert [number_day(day) for day in (SURVEY_DAY, FIRST_DAY, LAST_DAY)] == [-47, 0, 1_819]


@pytest.mark.parametrize("on", [SURVEY_DAY - timedelta(days=1), LAST_DAY + timedelta(days=1), date(1, 1, 1), date.max])
def test_a_date_without_the_mall_is_refused(on: date) -> None:
    for function in (count_ageings, number_day):
        with pytest.raises(ValueError, match="expected a date from 2026-03-02"):
            function(on)


def test_a_world_ages_further_with_the_date(small_world: World) -> None:
    assert small_world.radio_on(SURVEY_DAY) is small_world.survey_radio
    assert small_world.radio_on(FIRST_DAY) is small_world.radio
    hung = set(small_world.survey_radio.transmitters.ids)
    later = FIRST_DAY + timedelta(days=AGEING_PERIOD_DAYS)
    kept = [len(hung & set(small_world.radio_on(day).transmitters.ids)) for day in (SURVEY_DAY, FIRST_DAY, later)]
    assert kept[0] > kept[1] > kept[2] > 0.5 * kept[0]
    assert small_world.radio_on(later).transmitters.ids == small_world.radio_on(later).transmitters.ids
