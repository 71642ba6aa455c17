"""Chance by counter: even, unrelated between neighbours, the same in any order."""

import numpy as np
from scipy.stats import kstest
from scipy.stats import poisson as poisson_law

from sim.chance import poisson, stream_key, uniform


def test_numbers_are_even_and_neighbours_are_unrelated() -> None:
    key = stream_key(3, 7)
    rows = uniform(key, np.arange(400)[:, None], np.arange(400))
    n = rows.size
    assert rows.min() >= 0.0
    assert rows.max() < 1.0
    assert kstest(rows.ravel(), "uniform").pvalue > 1e-3
    for a, b in (
        (rows[:-1], rows[1:]),
        (rows[:, :-1], rows[:, 1:]),
        (rows, rows.T),
        (rows, uniform(key + 1, *_both())),
    ):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4.0 / np.sqrt(n)


def _both() -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int64]], ...]:
    return np.arange(400)[:, None], np.arange(400)


def test_a_number_depends_on_its_counters_and_stream_alone() -> None:
    key = stream_key(3, 7)
    every = uniform(key, np.arange(-5, 50)[:, None], np.arange(9))
    assert float(uniform(key, 2, 4)[0]) == every[7, 4]
    assert np.array_equal(uniform(key, np.arange(49, -6, -1)[:, None], 3)[::-1, 0], every[:, 3])
    assert float(uniform(stream_key(3, 8), 2, 4)[0]) != every[7, 4]
    assert float(uniform(stream_key(4, 7), 2, 4)[0]) != every[7, 4]


def test_poisson_counts_invert_the_law() -> None:
    chance = (np.arange(2_000) + 0.5) / 2_000
    for mean in (0.0, 0.03, 1.0, 7.5, 60.0):
        assert np.array_equal(poisson(chance, np.full(2_000, mean)), poisson_law.ppf(chance, mean))
