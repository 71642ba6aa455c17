"""Cadence states against the plain definition: distinct days in order, their gaps, and sums of those."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes.rhythm.cadence import (
    CADENCE,
    NEVER,
    UNEVENNESS_UNIT,
    States,
    Summaries,
    VisitDays,
    empty_states,
    gap_counts,
    gap_m2_days2,
    learn,
    mean_gaps_days,
    pair_counts,
    summarise,
)

_N_PEOPLE = 4
_BATCHES = st.lists(st.lists(st.tuples(st.integers(0, _N_PEOPLE - 1), st.integers(0, 9)), max_size=12), max_size=6)


def visits(pairs: list[tuple[int, int]]) -> VisitDays:
    return VisitDays(np.array([p for p, _ in pairs], dtype=np.int64), np.array([d for _, d in pairs], dtype=np.int64))


def in_weeks(batches: list[list[tuple[int, int]]]) -> list[list[tuple[int, int]]]:
    """Batches of times that follow each other, as a live stream's do; days repeat within a batch and at its edge."""
    return [[(person, 9 * i + day) for person, day in batch] for i, batch in enumerate(batches)]


def learn_all(batches: list[list[tuple[int, int]]]) -> States:
    states = empty_states(_N_PEOPLE)
    for batch in batches:
        states = learn(states, visits(batch)).states
    return states


def test_a_state_is_no_more_than_40_bytes() -> None:
    assert CADENCE.itemsize <= 40


@given(_BATCHES)
def test_a_state_is_what_the_distinct_days_and_their_gaps_say(batches: list[list[tuple[int, int]]]) -> None:
    told = in_weeks(batches)
    states = learn_all(told)
    for person in range(_N_PEOPLE):
        days = sorted({day for batch in told for who, day in batch if who == person})
        gaps = np.diff(days)
        state = states[person : person + 1]
        assert state["count"][0] == len(days)
        assert (state["first"][0], state["last"][0]) == ((days[0], days[-1]) if days else (NEVER, NEVER))
        assert state["gap"][0] == (gaps[-1] if len(gaps) else 0)
        assert gap_counts(state)[0] == len(gaps)
        assert pair_counts(state)[0] == max(len(gaps) - 1, 0)
        assert state["unevenness"][0] * UNEVENNESS_UNIT == pytest.approx(plain_unevenness(gaps), abs=1e-7)
        if len(gaps):
            assert mean_gaps_days(state)[0] == gaps.mean()
            assert gap_m2_days2(state)[0] == pytest.approx(((gaps - gaps.mean()) ** 2).sum(), abs=1e-9)
        else:
            assert np.isnan([mean_gaps_days(state)[0], gap_m2_days2(state)[0]]).all()


def plain_unevenness(gaps: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    pairs = [(int(g), int(h)) for g, h in pairwise(gaps)]
    return sum((g - h) ** 2 / ((g + h) * (g + h - 2)) if g + h > 2 else 1 / 3 for g, h in pairs)


@given(_BATCHES)
def test_stream_and_batch_give_the_same_bits(batches: list[list[tuple[int, int]]]) -> None:
    told = in_weeks(batches)
    one_by_one = [[visit] for batch in told for visit in sorted(batch, key=lambda visit: visit[1])]
    assert (learn_all(told) == learn_all(one_by_one)).all()


@given(_BATCHES)
def test_a_batch_told_twice_changes_nothing(batches: list[list[tuple[int, int]]]) -> None:
    told = in_weeks(batches)
    assert (learn_all(told) == learn_all([batch for each in told for batch in (each, each)])).all()


def test_a_visit_of_an_earlier_day_is_counted_as_late_and_changes_nothing() -> None:
    before = learn_all([[(0, 10), (0, 20)]])
    learned = learn(before, visits([(0, 15), (0, 20), (1, 3)]))
    assert learned.n_late == 1
    assert (learned.states[:1] == before[:1]).all()
    assert learned.states["count"].tolist() == [2, 1, 0, 0]


def test_learning_changes_no_argument() -> None:
    before = learn_all([[(0, 10)]])
    kept = before.copy()
    learn(before, visits([(0, 12), (2, 12)]))
    assert (before == kept).all()


def test_summaries_are_repeats_the_last_of_them_and_age_in_weeks() -> None:
    people = summarise(learn_all([[(0, 7), (0, 14), (0, 28), (1, 30)]])[:2], 35)
    assert people.x.tolist() == [2, 0]
    assert people.t_x.tolist() == [3, 0]
    assert people.age.tolist() == [4, 5 / 7]


def test_who_never_came_or_came_later_has_no_summary() -> None:
    states = learn_all([[(0, 7)]])
    with pytest.raises(ValueError, match="have come"):
        summarise(states, 35)
    with pytest.raises(ValueError, match="after day 6"):
        summarise(states[:1], 6)


@pytest.mark.parametrize(
    ("x", "t_x", "age"), [(0.0, 1.0, 2.0), (1.0, 0.0, 2.0), (1.0, 3.0, 2.0), (-1.0, 1.0, 2.0), (1.0, np.nan, 2.0)]
)
def test_summaries_that_contradict_themselves_are_refused(x: float, t_x: float, age: float) -> None:
    with pytest.raises(ValueError, match="expected x >= 0"):
        Summaries(np.array([x]), np.array([t_x]), np.array([age]))


def test_rows_outside_the_states_and_uneven_lengths_are_refused() -> None:
    for row in (-1, 2):
        with pytest.raises(ValueError, match="rows within"):
            learn(empty_states(2), visits([(row, 1)]))
    with pytest.raises(ValueError, match="one length"):
        VisitDays(np.array([1]), np.array([1, 2]))
