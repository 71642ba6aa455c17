"""Who comes when: weeks, seasons, pauses, regular people, and households that come together."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.dates import BLOCK_DAYS, FIRST_DAY, IS_FREE, LEARNS, WORKS, Calendar, days_of
from sim.history import History
from sim.people import PeopleSpec, draw_people
from sim.rhythm import BROUGHT_BACK, JOINED, OWN, draw_own_visits, gather, is_lapsed, mean_visits_a_day

FLAT = Calendar(weekday=((1.0,) * 7,) * 3, month=(1.0,) * 12, holidays=frozenset())
N_BLOCKS = 13


def counts_by_day(spec: PeopleSpec, calendar: Calendar, n_households: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """A year's days with the kinds of weeks of those who come."""
    people = draw_people(n_households, spec, 1, 8)
    for block in range(N_BLOCKS):
        own = draw_own_visits(people, calendar, block)
        for day in days_of(block).tolist():
            yield day, np.bincount(people.week[own.on(day)].astype(np.int64), minlength=3)


def test_weekdays_and_months_fill_the_mall_as_the_calendar_says() -> None:
    calendar = Calendar()
    days, counts = zip(*counts_by_day(PeopleSpec(), calendar, 20_000), strict=True)
    weights = calendar.weights(np.array(days)).T
    for kind in (WORKS, LEARNS, IS_FREE):
        n, weight = np.array(counts)[:, kind].astype(np.float64), weights[:, kind]
        expected = weight * n.sum() / weight.sum()
        # people who would come twice a day come once: busy days have up to a few percent less
        assert np.allclose(n, expected, atol=5.0 * np.sqrt(expected.max()) + 0.05 * expected.max())
        assert np.corrcoef(n, expected)[0, 1] > (0.95 if kind != IS_FREE else 0.6)
    weekday = np.array([(FIRST_DAY.weekday() + day) % 7 for day in days])
    total = np.array(counts).sum(axis=1)
    assert total[weekday == 5].mean() > 1.2 * total[weekday == 1].mean()


def test_seasons_show_where_weeks_are_flat() -> None:
    month = (0.5,) * 6 + (1.5,) * 6
    days, counts = zip(*counts_by_day(PeopleSpec(), replace(FLAT, month=month), 4_000), strict=True)
    dark = np.array([month_of(day) > 6 for day in days])
    total = np.array(counts).sum(axis=1)
    assert total[dark].mean() == pytest.approx(3.0 * total[~dark].mean(), rel=0.1)


def month_of(day: int) -> int:
    return int((np.datetime64(FIRST_DAY) + np.timedelta64(day, "D")).astype("datetime64[M]").astype(int) % 12) + 1


def test_gaps_of_regular_people_vary_less_as_the_root_of_their_order() -> None:
    """Gamma gaps of shape k have a coefficient of variation of 1 / sqrt(k).

    Everybody comes every 25 days, so that whole days and visits of one day change it by under 3 %; ten years of
    1,000 households leave a standard error under 1 %, and cut off too few long gaps to matter.
    """
    for order in (1, 2, 4):
        regularity = tuple(float(k == order) for k in range(1, 5))
        people = draw_people(1_000, PeopleSpec(regularity=regularity, lapsed=0.0), 2, 8)
        people = replace(people, rate=np.full(len(people), 0.04))
        blocks = [draw_own_visits(people, FLAT, 0)]
        for block in range(1, 130):
            blocks.append(draw_own_visits(people, FLAT, block, known=blocks[-1]))
        day = np.concatenate([own.day for own in blocks])
        person = np.concatenate([own.person for own in blocks])
        by_person = np.lexsort((day, person))
        gaps = np.diff(day[by_person])[np.diff(person[by_person]) == 0]
        assert gaps.mean() == pytest.approx(25.0, rel=0.03)
        assert gaps.std() / gaps.mean() == pytest.approx(order**-0.5, rel=0.04)


def test_people_pause_for_whole_blocks_and_come_back() -> None:
    people = draw_people(4_000, PeopleSpec(lapsed=0.3), 3, 8)
    lapsed = np.array([is_lapsed(people, block) for block in range(60)])
    assert lapsed.mean() == pytest.approx(0.3, abs=0.01)
    own = draw_own_visits(people, FLAT, 5)
    assert not np.isin(own.person, np.flatnonzero(lapsed[5])).any()
    changes = np.abs(np.diff(lapsed.astype(int), axis=0)).sum(axis=0)
    assert 3 < changes[(lapsed.any(axis=0)) & (~lapsed.all(axis=0))].mean() < 12  # spells of 3 to 9 blocks


def test_nobody_comes_twice_on_a_day_and_children_never_by_themselves(history: History) -> None:
    own = draw_own_visits(history.people, history.calendar, 13)
    keys = own.day * len(history.people) + own.person
    assert len(np.unique(keys)) == len(keys) > 10_000
    assert set(own.day.tolist()) == set(range(BLOCK_DAYS))
    assert history.people.age_y[own.person].min() >= 14


def test_household_members_go_along_as_often_as_told(history: History) -> None:
    people, calendar = history.people, history.calendar
    own = draw_own_visits(people, calendar, 13)
    asked, joined = np.zeros(2), np.zeros(2)
    for day in range(BLOCK_DAYS):
        come = own.on(day)
        there = gather(people, calendar, day, come)
        assert np.array_equal(there.person[there.why == OWN], come)
        assert np.isin(people.household[there.person], people.household[come]).all()
        others = np.isin(people.household, people.household[come])
        others[come] = False
        off = int(calendar.is_day_off(day))
        asked[off] += others.sum()
        joined[off] += (there.why == JOINED).sum()
    error = np.sqrt(0.25 / asked)
    assert (np.abs(joined / asked - people.spec.joins) < 4 * error).all()


def test_who_is_brought_back_comes_with_others_and_changes_nobody_elses_day(history: History) -> None:
    people, calendar = history.people, history.calendar
    own = draw_own_visits(people, calendar, 13).on(3)
    extra = np.flatnonzero(people.takes_cards)[::40]
    before, after = gather(people, calendar, 3, own), gather(people, calendar, 3, own, extra)
    assert set(before.person.tolist()) <= set(after.person.tolist())
    assert np.isin(extra, after.person).all()
    was_there = np.isin(after.person, before.person)
    stays_the_same = was_there & ~np.isin(after.person, np.setdiff1d(before.person, own))
    assert (after.why[stays_the_same] == OWN).all()
    assert np.array_equal(after.person[after.why == BROUGHT_BACK], np.setdiff1d(extra, before.person))


def test_the_mean_day_is_as_busy_as_the_closed_form_says(history: History) -> None:
    """Half a percent of standard error from a year's draws of some 50,000 people."""
    people, calendar = history.people, history.calendar
    n = 0
    for block in range(13, 26):
        own = draw_own_visits(people, calendar, block)
        n += sum(len(gather(people, calendar, day, own.on(day)).person) for day in days_of(block).tolist())
    assert n / 364 == pytest.approx(mean_visits_a_day(people, calendar), rel=0.02)
    assert n / 364 == pytest.approx(3_000, rel=0.04)


def test_a_block_drawn_after_an_earlier_one_is_the_block_drawn_alone() -> None:
    people = draw_people(2_000, PeopleSpec(), 4, 8)
    alone = draw_own_visits(people, FLAT, 9)
    for known in (3, 8, 9, 12):
        again = draw_own_visits(people, FLAT, 9, known=draw_own_visits(people, FLAT, known))
        assert np.array_equal(again.person, alone.person)
        assert np.array_equal(again.day, alone.day)
