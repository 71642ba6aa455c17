"""What counts as a true stay, and as the same visit: by hand."""

import numpy as np
import pytest

from sim.chance import F64, I64
from sim.figures import positions
from sim.lines import table_lines
from sim.outcome import SCAN, VISIT, match_visits, stays_in_stores


def seconds(*spans: tuple[int, int]) -> tuple[I64, F64]:
    """A phone that is so many seconds in each store, one sample a second."""
    store = np.concatenate([np.full(n, where, dtype=np.int64) for where, n in spans])
    return store, np.arange(len(store), dtype=np.float64)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(1, 100)], [(1, 0.0, 99.0)]),
        ([(1, 50)], []),
        ([(-1, 10), (1, 100), (-1, 10)], [(1, 10.0, 109.0)]),
        ([(1, 40), (-1, 10), (1, 40)], [(1, 0.0, 89.0)]),
        ([(1, 40), (-1, 1_000), (1, 40)], []),
        ([(1, 100), (2, 30), (1, 100)], [(1, 0.0, 229.0)]),
        ([(1, 100), (2, 100), (1, 100)], [(1, 0.0, 99.0), (2, 100.0, 199.0), (1, 200.0, 299.0)]),
    ],
)
def test_a_stay_is_as_long_as_the_rule_asks_and_goes_on_after_a_short_way_out(
    spans: list[tuple[int, int]], expected: list[tuple[int, float, float]]
) -> None:
    assert stays_in_stores(*seconds(*spans), min_dwell_s=60.0, merge_gap_s=900.0) == expected


def visits(*rows: tuple[int, int, float, float]) -> np.ndarray:
    """(phone, store, from, until) of one mall's day."""
    return np.array([(0, 0, phone, 0, store, start, end, True) for phone, store, start, end in rows], dtype=VISIT)


def test_a_visit_is_right_once_for_each_true_stay_and_counted_again_after_that() -> None:
    true = visits((1, 5, 0, 100), (1, 6, 200, 300), (2, 5, 0, 100))
    said = visits((1, 5, 10, 40), (1, 5, 60, 90), (1, 6, 301, 400), (2, 6, 10, 50), (2, 5, 99, 150))
    matched = match_visits(true, said)
    assert matched.found.tolist() == [True, False, True]
    assert matched.right.tolist() == [True, False, False, False, True]
    assert matched.again.tolist() == [False, True, False, False, False]


def test_shares_of_positions_are_of_what_they_say() -> None:
    scans = np.zeros(5, dtype=SCAN)
    scans["level"] = [0, 0, 0, 1, 0]
    scans["store"] = [3, 3, -1, -1, 3]
    scans["reason"] = [0, 0, 0, 0, 2]
    scans["said_level"] = [0, 0, 0, 0, -1]
    scans["front"] = [3, 4, 4, 4, -1]
    scans["said_store"] = [3, -1, -1, 4, -1]
    scans["said_x_m"] = [3, 0, 0, 0, np.nan]
    scans["said_y_m"] = [4, 0, 0, 0, np.nan]
    scans["accuracy_m"] = [4, 1, 1, 1, np.nan]
    scans["set_holds"] = [True, False, False, False, False]
    found = positions(scans)
    assert (found["n"], found["in_stores"]) == (5, 2)
    assert (found["answered"], found["level"]) == (0.8, 0.75)
    assert (found["front"], found["named"], found["false_store"]) == (0.5, 0.5, 0.5)
    assert (found["set_holds"], found["accuracy_holds"]) == (0.5, 0.75)
    assert found["error_m"] == pytest.approx([1.25, 0.0, 4.25])


def test_shares_of_nothing_are_unknown_and_not_zero() -> None:
    found = positions(np.zeros(0, dtype=SCAN))
    assert found["n"] == 0
    assert {found[name] for name in ("answered", "level", "error_m", "front", "named", "false_store")} == {None}


def test_lines_write_codes_out_and_leave_nothing_that_is_not_json() -> None:
    scans = np.zeros(1, dtype=SCAN)
    scans["kind"], scans["reason"], scans["store"], scans["said_x_m"] = 3, 2, -1, np.nan
    (line,) = table_lines(scans, is_odd=[True])
    assert b'"kind":"iphone"' in line
    assert b'"reason":"unknown_radio"' in line
    assert b'"store":null' in line
    assert b'"said_x_m":null' in line
    assert b'"is_odd":true' in line
