"""Intervals by whole walks and paired differences, against cases small enough to count by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.positioning.bootstrap import Estimate, Walks, mean_over_seeds

NAN = float("nan")


def floats(*values: float) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def walks_of(*numbers: int, seed: int = 1) -> Walks:
    return Walks(np.array(numbers, dtype=np.int32), seed=seed)


def test_a_constant_difference_is_certain_however_the_walks_differ() -> None:
    """Walk 4 is easy and walk 9 hard for both, and one is 2 better at each scan: exactly -2, no width; unpaired, the
    two intervals would overlap over nearly all their length."""
    walks = walks_of(4, 4, 9, 9, 9)
    reference = floats(3, 5, 40, 60, 80)
    assert walks.difference(reference - 2.0, reference) == Estimate(-2.0, -2.0, -2.0)
    alone = walks.mean(reference)
    assert alone is not None
    assert (alone.low, alone.high) == (4.0, 60.0)


def test_the_ends_of_two_walks_are_the_walks() -> None:
    """Differences 0 in a walk of 1 scan and -6 in one of 3: a draw of two takes the first twice (a quarter: 0), both
    (a half: (0 - 18) / 4), or the second twice (-6); 2.5 % from either end lies within the outer quarters."""
    found = walks_of(0, 1, 1, 1).difference(floats(7, 1, 2, 3), floats(7, 7, 8, 9))
    assert found == Estimate(-4.5, -6.0, 0.0)


def test_only_scans_that_both_answered_are_paired() -> None:
    """The scan that one of them did not answer would else pair 100 with nothing."""
    walks = walks_of(0, 0, 1, 1)
    assert walks.difference(floats(1, 100, 1, NAN), floats(2, NAN, 2, 9)) == Estimate(-1.0, -1.0, -1.0)
    assert walks.difference(floats(NAN, NAN, 1, 1), floats(1, 1, NAN, NAN)) is None
    assert walks.mean(floats(NAN, NAN, NAN, NAN)) is None


def test_one_walk_has_no_interval() -> None:
    assert walks_of(3, 3).mean(floats(1, 2)) == Estimate(1.5, None, None)


def test_swapping_the_methods_turns_the_interval_round() -> None:
    rng = np.random.default_rng(2)
    walks = Walks(rng.integers(0, 30, 300).astype(np.int32))
    mine, other = rng.gamma(2.0, 2.0, 300), rng.gamma(2.0, 2.0, 300)
    there, back = walks.difference(mine, other), walks.difference(other, mine)
    assert there is not None
    assert back is not None
    assert there.low is not None
    assert there.high is not None
    assert there.low < there.mean < there.high
    assert [back.mean, back.low, back.high] == pytest.approx([-there.mean, -there.high, -there.low], abs=1e-12)


def test_the_width_is_the_central_limits() -> None:
    """200 walks of one scan: 2 x 1.96 standard errors; 10 % is four times the noise of 2,000 resamples."""
    values = np.random.default_rng(7).gamma(2.0, 2.0, 200)
    found = Walks(np.arange(200, dtype=np.int32)).mean(values)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(200), rel=0.1)


def test_seeds_are_averaged_within_each_scan() -> None:
    assert mean_over_seeds([floats(0, 100, 1), floats(100, 100, 3)]).tolist() == [50.0, 100.0, 2.0]
    assert np.isnan(mean_over_seeds([floats(0), floats(NAN)])).all()
