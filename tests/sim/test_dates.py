"""The calendar: which radios a date has, and whose days are whose."""

from datetime import date, timedelta

import pytest

from sim.dates import AGEING_PERIOD_DAYS, FIRST_DAY, LAST_DAY, SURVEY_DAY, ageing_days, count_ageings, number_day
from sim.world import World


def test_radios_age_between_survey_and_first_day_and_then_each_period() -> None:
    period = timedelta(days=AGEING_PERIOD_DAYS)
    days = [SURVEY_DAY, FIRST_DAY - timedelta(days=1), FIRST_DAY, FIRST_DAY + period - timedelta(days=1)]
    assert [count_ageings(day) for day in days] == [0, 0, 1, 1]
    assert [count_ageings(FIRST_DAY + period * n) for n in range(3)] == [1, 2, 3]
    assert ageing_days(FIRST_DAY + period) == [FIRST_DAY, FIRST_DAY + period]


def test_no_two_dates_share_their_people_and_the_first_day_is_number_0() -> None:
    days = [SURVEY_DAY + timedelta(days=n) for n in range((LAST_DAY - SURVEY_DAY).days + 1)]
    numbers = [number_day(day) for day in days]
    assert len(set(numbers)) == len(days) > 1_800
    assert min(numbers) == 0 == number_day(FIRST_DAY)


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
