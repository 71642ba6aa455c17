"""Answer sets by kind, the density inside, and scans as they are heard later."""

import numpy as np
import pytest

from positioning.calibrate import LEAST_OF_SETS, conformal_threshold, fit_sets
from positioning.confidence import describe_inside
from positioning.damage import hear_later
from positioning.kernels.confidence import size_sets
from positioning.kernels.fronts import share_inside
from positioning.radio_map import ReadingBatch


def test_each_kind_has_the_threshold_that_holds_95_percent_of_it() -> None:
    """The true stores of 199 scans of a kind have 1..199 thousandths, or a tenth of it: the tenth smallest."""
    of_store, of_walkway = np.arange(1, 200) / 1000.0, np.arange(1, 200) / 10_000.0
    kind = np.repeat([True, False], 199)
    assert fit_sets(np.concatenate([of_store, of_walkway]), kind) == (0.01, 0.001)


def test_a_kind_of_which_few_were_held_out_has_the_threshold_of_all() -> None:
    probability = np.linspace(0.0, 1.0, 500)
    kind = np.arange(500) >= LEAST_OF_SETS - 1
    of_store, of_walkway = fit_sets(probability, kind)
    assert of_walkway == conformal_threshold(probability)
    assert of_store == conformal_threshold(probability[kind]) > of_walkway


def test_the_density_inside_is_a_share_of_kernels() -> None:
    """Neighbours at 0, 0.02 and 0.04, the middle one inside, the last place empty: e^-1 of 1 + e^-1 + e^-2, and wide
    e^-0.1 of 1 + e^-0.1 + e^-0.2."""
    index = np.array([[5, 3, 1, -1], [-1, -1, -1, -1]], dtype=np.int32)
    distance = np.full((2, 4, 1), 1.0, dtype=np.float32)
    distance[0, :3, 0] = [0.0, 0.02, 0.04]
    m_inside = np.array([-1, -1, -1, 7, -1, -1], dtype=np.int32)
    out = np.empty((2, 2))
    share_inside(index, distance, m_inside, out)
    assert out[:, 0].tolist() == pytest.approx([np.exp(-1) / (1 + np.exp(-1) + np.exp(-2)), 0.5], rel=1e-5)
    assert out[:, 1].tolist() == pytest.approx([np.exp(-0.1) / (1 + np.exp(-0.1) + np.exp(-0.2)), 0.5], rel=1e-5)


def test_log_odds_of_being_inside_are_bounded() -> None:
    found = describe_inside(np.array([2.0]), np.array([[0.5, 0.0, 1.0]]), np.array([[3.0, -1.0]]), np.array([4.0]))
    bound = np.log(3e-4 / (1 - 3e-4))
    assert found[0].tolist() == pytest.approx([1.0, 0.0, 0.5, np.tanh(1.0), bound, -bound, 3.0, -1.0])


def batch_of(n_scans: int, n_readings: int) -> ReadingBatch:
    n = n_scans * n_readings
    return ReadingBatch(
        np.arange(0, n + 1, n_readings, dtype=np.int64),
        np.tile(np.arange(n_readings, dtype=np.int32), n_scans),
        np.full(n, -60.0, dtype=np.float32),
        np.zeros(n, dtype=np.float32),
        np.full(n_scans, n_readings, dtype=np.int32),
    )


def test_later_a_fifth_of_the_readings_is_gone_and_the_rest_is_changed() -> None:
    """400 scans: the mean share gone has a standard deviation of 0.6 %; per-scan offsets and noise add up."""
    before = batch_of(400, 50)
    later = hear_later(before, np.random.default_rng(3), floor_dbm=-127.0)
    assert later.n_scans == 400
    assert 1.0 - len(later.rssi_dbm) / 20_000 == pytest.approx(0.2, abs=0.025)
    assert float(later.rssi_dbm.std()) == pytest.approx(np.hypot(4.5, 4.0), abs=0.5)
    assert (before.rssi_dbm == -60.0).all()


def test_what_lies_between_silences_the_faint() -> None:
    loss_db = np.array([0.0, 60.0])
    later = hear_later(batch_of(2, 50), np.random.default_rng(4), floor_dbm=-95.0, loss_db=loss_db)
    assert np.diff(later.indptr)[0] > 20
    assert np.diff(later.indptr)[1] == 0


def test_a_set_holds_candidates_alone_however_low_its_threshold() -> None:
    """Under 19 held-out scans the threshold is 0, which the places of no candidate reach too."""
    store = np.array([[4, 2, -1, -1], [-1, -1, -1, -1]], dtype=np.int32)
    probability = np.array([[0.7, 0.3, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    n_in_set = np.empty(2, dtype=np.int32)
    size_sets(store, probability, np.array([1.0, 1.0]), 0.5, 0.0, 0.0, n_in_set)
    assert n_in_set.tolist() == [2, 0]


def test_stores_that_are_no_candidates_do_not_bring_the_threshold_to_nothing() -> None:
    reached = np.linspace(0.2, 0.9, 90)
    assert conformal_threshold(np.concatenate([np.zeros(10), reached])) == conformal_threshold(reached) > 0.2
    assert conformal_threshold(np.zeros(40)) == 0.0
    assert conformal_threshold(reached[:18]) == 0.0
