"""How the coverage and sparse benches count, on cases small enough to count by hand."""

from datetime import UTC, datetime

import numpy as np
import pytest

from benchmarks.coverage import count_names, count_sets, in_store_error, reject_walkways
from benchmarks.sparse import thin_out
from fingerprints.scan import LabelledScan, Scan, Truth


def test_walkways_are_rejected_under_the_score_of_5_percent_of_the_stores() -> None:
    """Stores score 1..101, the 5 % quantile is 6; walkways 2, 5, 6, 50: two are under it. They have 99, 96, 95 and 51
    stores above them and half of one beside each."""
    score = np.concatenate([np.arange(1.0, 102.0), [2.0, 5.0, 6.0, 50.0, np.nan]])
    found = reject_walkways(score, np.arange(106) < 101)
    assert found["rejected_percent"] == 50.0
    assert found["auroc"] == pytest.approx((99 + 96 + 95 + 51 + 4 * 0.5) / (4 * 101))


def test_names_are_counted_where_there_is_a_store_and_where_not() -> None:
    """Four scans in stores: named rightly, wrongly, not, rightly; two in walkways, one of them named."""
    found = count_names(
        np.array([True, True, False, True, True, False]),
        np.array([True, False, False, True, False, False]),
        np.array([True, True, True, True, False, False]),
    )
    assert found == {
        "named_in_walkways_percent": 50.0,
        "unnamed_in_stores_percent": 25.0,
        "wrong_in_stores_percent": 25.0,
    }


def test_in_store_errs_by_what_each_bin_says_too_much() -> None:
    """Two answers of 0.95, one inside (off by 0.9 together); one of 0.1, not inside (0.1); one without an answer."""
    error = in_store_error(np.array([0.95, 0.95, 0.1, np.nan]), np.array([True, False, False, True]))
    assert error == pytest.approx((0.9 + 0.1) / 3)


def test_sets_are_counted_by_kind_and_the_worst_is_told() -> None:
    """Six answers, the last without a truth: of five, four hold; of phone 2's two, one."""
    part = {
        "mall": np.full(6, "m"),
        "level": np.array(["F1", "F1", "F1", "F2", "F2", "F2"]),
        "phone": np.array([1, 1, 1, 2, 2, 2]),
        "is_inside": np.array([True, True, False, False, True, True]),
        "is_in_set": np.array([1.0, 1.0, 1.0, 0.0, 1.0, np.nan]),
        "set_size": np.array([1.0, 2.0, 3.0, 1.0, np.nan, 1.0]),
        "is_first": np.array([1.0, 0.0, 1.0, 0.0, np.nan, 1.0]),
    }
    found = count_sets([part])
    assert (found["n"], found["held_percent"]) == (5, 80.0)
    assert (found["held_in_stores_percent"], found["held_in_walkways_percent"]) == (100.0, 50.0)
    assert (found["worst_level_percent"], found["worst_phone_model_percent"]) == (50.0, 50.0)
    assert (found["set_size_mean"], found["singletons_percent"], found["top1_percent"]) == (1.75, 50.0, 50.0)


def test_every_fourth_scan_of_each_walk_is_kept() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    walks = [*"ababaababb"]
    survey = [LabelledScan(Scan(at, ()), Truth(0.0, float(i), "F1"), walk) for i, walk in enumerate(walks)]
    assert [item.truth.lon_deg for item in thin_out(survey, 4)] == [0.0, 1.0, 7.0, 9.0]
