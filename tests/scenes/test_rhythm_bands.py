"""Bands and the moment "overdue" is told."""

import numpy as np
import pytest

from kernel.ids import VenueId
from scenes.rhythm.bands import (
    BANDS,
    are_overdue,
    bands_of,
    expected_gaps_days,
    gap_ratios,
    mark_told,
    mean_gap_of_all_days,
)
from scenes.rhythm.cadence import States, VisitDays, empty_states, learn
from scenes.rhythm.nightly import KeyedStates, RhythmKey, Rhythms, tell_overdue

KEY = RhythmKey(VenueId("v"), "coffee")


def states_of(*days: list[int]) -> States:
    row = np.repeat(np.arange(len(days)), [len(each) for each in days])
    visits = VisitDays(row, np.array([day for each in days for day in each], dtype=np.int64))
    return learn(empty_states(len(days)), visits).states


@pytest.mark.parametrize(
    ("ratio", "band"),
    [
        (0.0, "early"),
        (0.5, "early"),
        (0.51, "due"),
        (1.0, "due"),
        (1.01, "overdue"),
        (2.0, "overdue"),
        (2.01, "at_risk"),
        (5.0, "at_risk"),
        (5.01, "lapsed"),
        (np.nan, "unknown"),
    ],
)
def test_bands_part_at_a_half_one_two_and_five(ratio: float, band: str) -> None:
    assert BANDS[bands_of(np.array([ratio]))[0]] == band


def test_the_expected_gap_is_drawn_to_that_of_all_by_three_gaps() -> None:
    states = states_of([0, 10, 20, 30], [5])
    assert expected_gaps_days(states, 20.0).tolist() == [(3 * 10 + 3 * 20) / 6, 20.0]
    assert gap_ratios(states, 20.0, 45).tolist() == [1.0, 2.0]
    assert np.isnan(gap_ratios(empty_states(1), 20.0, 45)).all()


def test_the_mean_gap_of_all_counts_people_once() -> None:
    assert mean_gap_of_all_days(states_of([0, 10, 20, 30, 40], [0, 30], [7])) == 20.0
    assert np.isnan(mean_gap_of_all_days(states_of([7])))


@pytest.mark.parametrize(
    ("n_days", "ratio", "p_active", "late"),
    [
        (4, 1.01, 0.51, True),
        (4, 1.0, 0.51, False),
        (4, 1.01, 0.5, False),
        (3, 1.01, 0.51, False),
        (4, np.nan, 0.9, False),
        (4, 1.5, np.nan, False),
    ],
)
def test_overdue_needs_lateness_likely_activity_and_three_gaps(
    n_days: int, ratio: float, p_active: float, late: bool
) -> None:
    states = states_of([10 * i for i in range(n_days)])
    assert are_overdue(states, np.array([ratio]), np.array([p_active])).tolist() == [late]


def rhythms_of(*is_overdue: bool) -> Rhythms:
    n = len(is_overdue)
    half = np.full(n, 0.5)
    return Rhythms(np.zeros(n, dtype=np.int8), half + 1, half + 40, half + 0.2, half, np.array(is_overdue))


def test_overdue_is_told_once_a_cycle_and_again_in_the_next() -> None:
    states = states_of([0, 10, 20, 30], [0, 10, 20, 30])
    people = KeyedStates(states, np.zeros(2, dtype=np.int64), (KEY,))
    first, told = tell_overdue(people, rhythms_of(True, False))
    assert first.row.tolist() == [0]
    assert (first.expected_day[0], first.ratio[0], first.p_return_28d[0], first.p_active[0]) == (41, 1.5, 0.5, 0.7)
    assert len(tell_overdue(KeyedStates(told, people.key, people.keys), rhythms_of(True, False))[0]) == 0
    came = learn(told, VisitDays(np.array([0]), np.array([45]))).states
    assert len(tell_overdue(KeyedStates(came, people.key, people.keys), rhythms_of(True, False))[0]) == 1


def test_marking_changes_no_argument() -> None:
    states = states_of([0, 10])
    kept = states.copy()
    mark_told(states, np.array([0]))
    assert (states == kept).all()
