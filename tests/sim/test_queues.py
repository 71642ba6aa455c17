"""Waiting grows with load, and is exact where the formula is."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from sim.brands import CATEGORIES
from sim.queues import QueueSpec, mean_wait_s, waits


def test_the_wait_at_one_server_is_that_of_the_m_m_1_queue() -> None:
    load = np.linspace(0.0, 0.97, 98)
    assert np.allclose(mean_wait_s(load, np.ones(98), 60.0), 60.0 * load / (1.0 - load))


@pytest.mark.parametrize("servers", [2, 5, 20])
def test_the_wait_at_several_servers_is_near_the_erlang_c_formula(servers: int) -> None:
    """Sakasegawa's formula, within 10 % of the exact wait plus 2 % of the service time."""
    for load in (0.5, 0.7, 0.9, 0.95):
        offered = servers * load
        last = offered**servers / math.factorial(servers) / (1.0 - load)
        others = sum(offered**n / math.factorial(n) for n in range(servers))
        exact_s = last / (others + last) * 60.0 / (servers * (1.0 - load))
        (found_s,) = mean_wait_s(np.array([load]), np.array([float(servers)]), 60.0)
        assert found_s == pytest.approx(exact_s, abs=0.1 * exact_s + 1.2)


def test_the_wait_grows_with_load_and_falls_with_servers() -> None:
    load, servers = np.meshgrid(np.linspace(0.05, 0.95, 19), np.array([1.0, 2.0, 5.0, 20.0]))
    wait_s = mean_wait_s(load, servers, 60.0)
    assert (np.diff(wait_s, axis=1) > 0).all()
    assert (np.diff(wait_s, axis=0) < 0).all()


def crowd(
    n: int, category: str, *, pays: bool | Sequence[bool]
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], ...]:
    """What ``n`` groups wait who come to one store of 100 m2 within an hour and stay for half an hour."""
    return waits(
        QueueSpec(),
        np.array([CATEGORIES.index(category)]),
        np.array([100.0]),
        np.zeros(n, dtype=np.int64),
        np.linspace(7_200.0, 10_799.0, n),
        np.full(n, 1_800.0),
        np.broadcast_to(np.array(pays), n),
    )


def test_groups_wait_for_a_table_where_tables_are_taken() -> None:
    few, many, far_too_many = (crowd(n, "restaurant", pays=True) for n in (10, 45, 70))
    assert few[0].max() < 10.0 < many[0].max()
    assert far_too_many[0].max() == QueueSpec().longest_s
    assert far_too_many[0][0] < far_too_many[0][-1]  # the first find a table
    assert not far_too_many[1].any()  # who sits pays at the table


def test_groups_wait_at_the_till_only_where_they_pay() -> None:
    assert not np.any(crowd(40, "fashion", pays=False))
    by_turns = crowd(40, "fashion", pays=[True, False] * 20)[1]
    assert (by_turns[::2] > 0.0).all()
    assert not by_turns[1::2].any()
    few, many = crowd(5, "fashion", pays=True), crowd(40, "fashion", pays=True)
    assert not many[0].any()
    assert 0.0 < few[1].mean() < 30.0 < many[1].mean()
