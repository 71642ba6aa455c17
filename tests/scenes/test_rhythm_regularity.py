"""The shape of gaps: recovered where gaps are gamma, 1 where days are drawn by chance, unmoved by rates and pauses."""

import numpy as np
import pytest

from benchmarks.rhythm import draw_log
from scenes.rhythm.cadence import States, VisitDays, empty_states, learn
from scenes.rhythm.errors import TooFewVisitsError
from scenes.rhythm.regularity import Regularity, estimate_regularity


def states_of(days: list[list[int]]) -> States:
    row = np.repeat(np.arange(len(days)), [len(each) for each in days])
    return learn(empty_states(len(days)), VisitDays(row, np.array([day for each in days for day in each]))).states


def measure_log(shape: float, seed: int, n: int = 1500) -> Regularity:
    log = draw_log(n, shape, seed)
    return estimate_regularity(learn(empty_states(n), log.visits).states)


@pytest.mark.parametrize(("shape", "rounded"), [(1.0, 0.0), (1.5, 0.08), (3.0, 0.12)])
def test_the_shape_of_gamma_gaps_is_found_whatever_peoples_rates(shape: float, rounded: float) -> None:
    found = measure_log(shape, seed=4)
    # whole days hide some of what is regular in gaps of few days, never the other way
    assert found.low <= shape
    assert found.high >= shape * (1.0 - rounded)


def test_the_interval_holds_the_shape_of_no_memory_19_times_in_20() -> None:
    held = [interval.low <= 1.0 <= interval.high for interval in (measure_log(1.0, seed, 300) for seed in range(60))]
    assert sum(held) >= 51  # of 60 at 95 %: fewer once in 300 such tests


@pytest.mark.parametrize("chance_a_day", [0.05, 0.3, 0.6])
def test_days_drawn_by_chance_have_no_rhythm_however_often(chance_a_day: float) -> None:
    comes = np.random.default_rng(3).random((800, 200)) < chance_a_day
    found = estimate_regularity(states_of([np.flatnonzero(row).tolist() for row in comes]))
    assert found.shape == pytest.approx(1.0, abs=0.06)  # four standard errors at 0.05 a day, where they are greatest
    assert not found.has_rhythm


def test_regular_gaps_are_a_rhythm_and_a_long_pause_does_not_undo_it() -> None:
    rng = np.random.default_rng(5)
    gaps = np.rint(rng.gamma(3.0, 20.0 / 3.0, (200, 12))).astype(int) + 1
    gaps[:, 6] = 200
    found = estimate_regularity(states_of(np.cumsum(gaps, axis=1).tolist()))
    assert found.has_rhythm
    assert (found.n_people, found.n_pairs) == (200, 200 * 10)


def test_few_people_with_two_gaps_say_nothing() -> None:
    with pytest.raises(TooFewVisitsError) as few:
        estimate_regularity(states_of([[1, 5, 12]] * 49 + [[1, 5]] * 100))
    assert (few.value.needed, few.value.found) == (50, 49)


def test_clockwork_is_a_rhythm_and_visits_on_each_day_are_none_that_days_can_show() -> None:
    assert estimate_regularity(states_of([[7, 14, 21, 28]] * 60)).has_rhythm
    assert estimate_regularity(states_of([[7, 8, 9, 10]] * 60)).shape == pytest.approx(1.0)
