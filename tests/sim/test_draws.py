"""Draws by counter against the distributions that they stand for."""

import numba
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from sim.draws import F32, U32, U64, draw32, exponential16, is_within, mix64, normal32, other16

N = 400_000


@numba.njit(nogil=True)
def draw_all(key: np.uint64, first: int, n: int) -> NDArray[np.uint32]:
    out = np.empty(n, dtype=np.uint32)
    for k in range(n):
        out[k] = draw32(key, U32(first + k))
    return out


@numba.njit(nogil=True)
def normals(bits: NDArray[np.uint32]) -> NDArray[np.float32]:
    out = np.empty(len(bits), dtype=np.float32)
    for k in range(len(bits)):
        out[k] = normal32(bits[k])
    return out


@numba.njit(nogil=True)
def exponentials(bits: NDArray[np.uint32]) -> NDArray[np.float32]:
    out = np.empty(len(bits), dtype=np.float32)
    for k in range(len(bits)):
        out[k] = exponential16(bits[k])
    return out


@numba.njit(nogil=True)
def others(bits: NDArray[np.uint32]) -> NDArray[np.uint32]:
    out = np.empty(len(bits), dtype=np.uint32)
    for k in range(len(bits)):
        out[k] = other16(bits[k])
    return out


@numba.njit(nogil=True)
def keys(n: int) -> NDArray[np.uint64]:
    out = np.empty(n, dtype=np.uint64)
    for k in range(n):
        out[k] = mix64(U64(k))
    return out


@numba.njit(nogil=True)
def share_within(ratio: float) -> float:
    n = 0
    for bits in range(65_536):
        n += int(is_within(U32(bits), ratio))
    return n / 65_536


def test_each_bit_is_as_often_set_as_not_and_alone() -> None:
    """Of neighbouring counters and of neighbouring keys; five standard errors, for about 2,000 comparisons."""
    of_counters = draw_all(U64(keys(5)[4]), 0, N)
    of_keys = np.array([draw_all(key, 7, 1)[0] for key in keys(20_000)])
    for drawn in (of_counters, of_keys):
        bits = (drawn[:, None] >> np.arange(32, dtype=np.uint32)) & 1
        signs = 2.0 * bits - 1.0
        five = 5.0 / np.sqrt(len(drawn))
        assert np.abs(signs.mean(axis=0)).max() < five
        together = signs.T @ signs / len(drawn)
        assert np.abs(together - np.eye(32)).max() < five
        following = signs[:-1].T @ signs[1:] / len(drawn)
        assert np.abs(following).max() < five


def test_normal_numbers_have_the_normal_distribution_function() -> None:
    drawn = np.sort(normals(draw_all(U64(keys(3)[2]), 0, N)).astype(np.float64))
    gap = np.abs(ndtr(drawn) - (np.arange(N) + 0.5) / N).max()
    assert gap < 0.001 + 1.95 / np.sqrt(N)  # Kolmogorov's bound, passed by chance once in a thousand
    assert drawn.std() == pytest.approx(1.0, abs=5 / np.sqrt(2 * N))
    assert (drawn**4).mean() == pytest.approx(3.0, abs=5 * np.sqrt(96 / N))
    assert 4.0 < drawn[-1] < 4.5
    every = normals(np.array([0, 0xFFFFFFFF], dtype=np.uint32))
    assert every[1] == -every[0] == pytest.approx(4.462, abs=0.001)


def test_exponential_numbers_are_the_logarithm() -> None:
    bits = np.arange(65_536, dtype=np.uint32)
    drawn = exponentials(bits)
    assert np.abs(drawn + np.log((bits + 0.5) / 65_536)).max() < 0.001
    assert drawn.min() >= 0.0
    assert drawn.mean() == pytest.approx(1.0, abs=0.002)
    assert drawn.dtype == F32


def test_the_second_purpose_of_a_draw_knows_nothing_of_the_first() -> None:
    bits = draw_all(U64(keys(2)[1]), 0, N)
    first, second = normals(bits), others(bits) / 65_536.0
    for power in (1, 2, 3):
        assert abs(np.corrcoef(first**power, second)[0, 1]) < 5 / np.sqrt(N)
    for low in np.arange(0.0, 1.0, 0.05):
        some = first[(second >= low) & (second < low + 0.05)]
        assert abs(some.mean()) < 5 / np.sqrt(len(some))
        assert some.std() == pytest.approx(1.0, abs=5 / np.sqrt(2 * len(some)))


def test_a_share_of_all_draws_is_within_it() -> None:
    assert share_within(0.0) == 0.0
    assert share_within(1.0) == 1.0
    assert share_within(0.12) == pytest.approx(0.12, abs=1 / 65_536)
