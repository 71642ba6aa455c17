"""Figures of a locator, each against a case small enough to count by hand."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from positioning.evaluate import bootstrap, to_web_mercator
from positioning.score import (
    UNDEFINED,
    RiskCoverage,
    Scored,
    TopShares,
    brier_score,
    expected_calibration_error,
    inside_rank,
    log_loss,
    rank_of,
    risk_coverage,
    summarise,
)

NAN = float("nan")


def ints(*values: int) -> NDArray[np.int32]:
    return np.array(values, dtype=np.int32)


def floats(*values: float) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def five_answers() -> Scored:
    """Five scans of three walks; the last has no answer, the fourth a truth without building, store or polygon."""
    return Scored(
        is_answered=np.array([True, True, True, True, False]),
        is_level_right=np.array([True, True, True, False, False]),
        is_building_right=floats(1, 1, 1, NAN, 0),
        error_m=floats(4, 1, 2, 13, NAN),
        error_units=floats(8, 2, 4, 26, NAN),
        accuracy_m=floats(5, 1, 1.5, 10, NAN),
        front_rank=ints(0, 2, 3, UNDEFINED, -1),
        inside_rank=ints(0, UNDEFINED, 1, UNDEFINED, UNDEFINED),
        is_in_set=floats(1, 1, 0, NAN, 0),
        set_size=floats(1, 3, 2, 2, NAN),
        claimed=floats(0.9, 0.5, 0.2, NAN, NAN),
        is_claim_right=floats(1, 0, 0, NAN, NAN),
        group=ints(7, 7, 9, 9, 4),
    )


def of_errors(error_m: NDArray[np.float64], walk: NDArray[np.int32], front_rank: NDArray[np.int32]) -> Scored:
    """Answers of which only the error, the walk and the store's rank matter."""
    n = len(error_m)
    none = np.full(n, NAN)
    return Scored(
        is_answered=np.isfinite(error_m),
        is_level_right=np.ones(n, dtype=np.bool_),
        is_building_right=none,
        error_m=error_m,
        error_units=error_m,
        accuracy_m=none,
        front_rank=front_rank,
        inside_rank=np.full(n, UNDEFINED, dtype=np.int32),
        is_in_set=none,
        set_size=none,
        claimed=none,
        is_claim_right=none,
        group=walk,
    )


def test_errors_are_of_the_answered_with_percentiles_between_neighbours() -> None:
    """Sorted 1, 2, 4, 13: the p-quantile stands at place 3 p, counted from 0."""
    figures = summarise(five_answers())
    assert (figures.n, figures.answered) == (5, 4)
    assert figures.error_m is not None
    assert (figures.error_m.mean, figures.error_m.p50) == (5.0, 3.0)
    assert figures.error_m.p75 == pytest.approx(4 + 0.25 * 9)
    assert figures.error_m.p95 == pytest.approx(4 + 0.85 * 9)
    assert figures.error_units is not None
    assert (figures.error_units.mean, figures.error_units.p50) == (10.0, 6.0)


def test_a_scan_without_an_answer_is_wrong_in_every_share() -> None:
    figures = summarise(five_answers())
    assert figures.floor_percent == 60.0  # 3 of 5
    assert figures.building_percent == 75.0  # 3 of the 4 whose truth names one
    assert figures.front == TopShares(top1=25.0, top3=50.0)  # ranks 0, 2, 3 and a miss
    assert figures.recall20 == 75.0
    assert figures.inside == TopShares(top1=50.0, top3=100.0)  # ranks 0 and 1
    assert figures.set_coverage == 50.0  # 2 of the 4 whose truth has a store
    assert figures.set_size == 2.0  # (1 + 3 + 2 + 2) / 4, of the answered
    assert figures.accuracy_coverage == 50.0  # 4 <= 5 and 1 <= 1; the edge counts as held


def test_shares_of_nothing_are_none_not_zero() -> None:
    figures = summarise(of_errors(floats(NAN, NAN), ints(0, 1), ints(UNDEFINED, UNDEFINED)))
    assert figures.answered == 0
    assert figures.floor_percent == 100.0
    nothing = ("building_percent", "error_m", "front", "inside", "recall20", "ece", "set_size", "accuracy_coverage")
    assert [getattr(figures, name) for name in nothing] == [None] * len(nothing)


def test_recall_ends_at_the_twentieth_candidate() -> None:
    figures = summarise(of_errors(floats(1, 1, 1, 1), ints(0, 1, 2, 3), ints(19, 20, 2, 3)))
    assert figures.recall20 == 75.0
    assert figures.front == TopShares(top1=0.0, top3=25.0)


def test_ranks_count_from_the_first_candidate() -> None:
    store = np.array([[5, 3, 8], [5, 3, -1], [5, 3, 8]], dtype=np.int32)
    assert rank_of(store, ints(8, 7, -1)).tolist() == [2, -1, UNDEFINED]
    assert rank_of(np.empty((2, 0), dtype=np.int32), ints(1, -1)).tolist() == [UNDEFINED, UNDEFINED]


def test_inside_a_store_first_is_only_what_was_named() -> None:
    """All four list store 5 first; the second names none, the third another, the fourth is inside no store."""
    store = np.full((4, 2), [5, 3], dtype=np.int32)
    inside = ints(5, 5, 5, -1)
    assert inside_rank(store, ints(5, -1, 3, 5), inside).tolist() == [0, 1, 1, UNDEFINED]
    assert inside_rank(store, None, inside).tolist() == [0, 0, 0, UNDEFINED]


def test_calibration_error_is_the_gap_of_each_bin_weighted_by_size() -> None:
    """Bins are 1/15 wide. [0.8, 0.867) holds 0.81 and 0.85, one right; [0.2, 0.267) holds 0.2, 0.21 and 0.25, one
    right; 0.38 stands alone and is wrong; the last holds 0.95, right, and 1, wrong."""
    claimed = floats(0.81, 0.85, 0.2, 0.21, 0.25, 0.38, 0.95, 1.0, NAN, 0.4)
    is_right = floats(1, 0, 0, 0, 1, 0, 1, 0, 1, NAN)
    expected = (2 * (0.83 - 1 / 2) + 3 * (1 / 3 - 0.22) + 0.38 + 2 * (0.975 - 1 / 2)) / 8
    assert expected_calibration_error(claimed, is_right) == pytest.approx(expected, abs=1e-12)
    assert expected_calibration_error(floats(NAN), floats(1)) is None


def test_gaps_of_different_bins_do_not_cancel() -> None:
    """Half the claims are 0.2 too high, half 0.2 too low: the mean claim is right, the claims are not."""
    claimed = np.repeat([0.7, 0.3], 10)
    is_right = np.concatenate([np.repeat([1.0, 0.0], 5), np.repeat([1.0, 0.0], 5)])
    assert expected_calibration_error(claimed, is_right) == pytest.approx(0.2, abs=1e-12)


def test_brier_and_log_loss_are_of_the_first_claim() -> None:
    """Claims 0.9 right, 0.5 wrong, 0.2 wrong: (0.01 + 0.25 + 0.04) / 3, and -(ln 0.9 + ln 0.5 + ln 0.8) / 3."""
    figures = summarise(five_answers())
    assert figures.ece_n == 3
    assert figures.brier == pytest.approx(0.1)
    assert figures.log_loss == pytest.approx(-np.log(0.9 * 0.5 * 0.8) / 3)
    assert (brier_score(floats(), floats()), log_loss(floats(), floats())) == (None, None)


def test_a_sure_claim_that_is_wrong_costs_much_but_not_everything() -> None:
    assert log_loss(floats(1.0), floats(0)) == pytest.approx(-np.log(1e-12))


def test_the_surer_the_fewer_and_each_edge_belongs_to_the_sure() -> None:
    """Claims 0.95 right, 0.9 wrong, 0.6 right, 0.55 wrong and one scan without an answer: fifths of the scans; one
    whose truth has no claim to compare does not count."""
    found = risk_coverage(floats(0.95, 0.9, 0.6, 0.55, NAN, 0.99), floats(1, 0, 1, 0, NAN, NAN))
    assert found[0] == RiskCoverage(0.5, 80.0, 50.0)
    assert (found[1].at_least, found[1].answered_percent) == (0.6, 60.0)
    assert found[1].right_percent == pytest.approx(200 / 3)
    assert found[4:] == (RiskCoverage(0.9, 40.0, 50.0), RiskCoverage(0.95, 20.0, 100.0))
    assert risk_coverage(floats(0.55), floats(1))[-1] == RiskCoverage(0.95, 0.0, None)
    assert risk_coverage(floats(NAN), floats(NAN)) == ()


def test_the_interval_of_equal_walks_is_their_mean() -> None:
    """Each walk has errors 2 and 6 and one right store of two: however they are drawn, 4 m and 50 %."""
    walk = np.repeat(np.arange(8, dtype=np.int32), 2)
    scored = of_errors(np.tile([2.0, 6.0], 8), walk, np.tile(ints(0, 3), 8))
    found = bootstrap(scored, np.random.default_rng(1))
    assert (found.error_m_mean, found.front_top1, found.n_walks) == ((4.0, 4.0), (50.0, 50.0), 8)


def test_the_interval_resamples_whole_walks() -> None:
    """Two walks of 0 m and 10 m: a draw of two takes the first twice, both, or the second twice, so each end of the
    interval is an end of the range (missed with p < 1e-50 in 1,000 draws), though a mean of 200 scans would hardly
    move."""
    walk = np.repeat(ints(3, 11), 100)
    scored = of_errors(np.repeat([0.0, 10.0], 100), walk, np.full(200, UNDEFINED, dtype=np.int32))
    found = bootstrap(scored, np.random.default_rng(2))
    assert (found.error_m_mean, found.front_top1, found.n_walks) == ((0.0, 10.0), None, 2)


def test_the_interval_weighs_walks_by_their_scans_and_leaves_the_unanswered_out() -> None:
    """Walks of 1 scan at 8 m and 3 at 4 m, one unanswered: both drawn make (8 + 2 * 4) / 3, a third of a draw."""
    scored = of_errors(floats(8, 4, 4, NAN), ints(0, 1, 1, 1), ints(0, -1, -1, -1))
    found = bootstrap(scored, np.random.default_rng(3))
    assert found.error_m_mean == (4.0, 8.0)
    assert found.front_top1 == (0.0, 100.0)
    one_walk = bootstrap(replace(scored, group=ints(5, 5, 5, 5)), np.random.default_rng(3))
    assert one_walk.error_m_mean is not None
    assert list(one_walk.error_m_mean) == pytest.approx([16 / 3, 16 / 3])
    assert one_walk.front_top1 == (25.0, 25.0)  # the unanswered scan is a miss


def test_the_interval_is_the_seeds() -> None:
    rng = np.random.default_rng(4)
    walk = rng.integers(0, 30, 300).astype(np.int32)
    scored = of_errors(rng.gamma(2.0, 2.0, 300), walk, rng.integers(-1, 4, 300).astype(np.int32))
    one, again, other = (bootstrap(scored, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert one == again
    assert one != other
    assert one.error_m_mean is not None
    low, high = one.error_m_mean
    assert low < scored.error_m.mean() < high


def test_the_interval_has_the_width_of_the_central_limit() -> None:
    """200 walks of one scan: 2 x 1.96 standard errors wide; 10 % is three times the noise of 1,000 resamples."""
    error_m = np.random.default_rng(7).gamma(2.0, 2.0, 200)
    walks = np.arange(200, dtype=np.int32)
    found = bootstrap(of_errors(error_m, walks, np.zeros(200, dtype=np.int32)), np.random.default_rng(8))
    assert found.error_m_mean is not None
    low, high = found.error_m_mean
    assert high - low == pytest.approx(2 * 1.96 * error_m.std() / np.sqrt(200), rel=0.1)


def test_units_are_web_mercator() -> None:
    """180 degrees are pi R; at latitude 60 a unit north is half a metre: y = R arcosh(2)."""
    radius_m = 6_378_137.0
    found = to_web_mercator(np.array([[180.0, 0.0], [0.0, 60.0]]))
    np.testing.assert_allclose(found, [[np.pi * radius_m, 0], [0, np.arccosh(2.0) * radius_m]], atol=1e-6)
