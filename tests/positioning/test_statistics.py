"""Counts of stores and transmitters, and naive Bayes over them."""

import math

import numpy as np
import pytest

from positioning.kernels.stores import (
    DB_STEP,
    GAIN_LEAST,
    GAIN_STEP,
    NEVER,
    OFFSET_SD_DB,
    PRECISION_STEP,
    BayesArrays,
    weigh_stores,
)
from positioning.kernels.weigh import Weighed
from positioning.radio_map import F32, U8, ReadingBatch
from positioning.representation import Representation, Weighing, weigh
from positioning.statistics import StoreStatistics, add_statistics, build_tables, count_stores, likelihoods

_N_TRANSMITTERS, _N_STORES = 9, 4


def _batch(n: int, seed: int) -> ReadingBatch:
    rng = np.random.default_rng(seed)
    heard = [np.sort(rng.choice(_N_TRANSMITTERS, rng.integers(1, 7), replace=False)) for _ in range(n)]
    indptr = np.concatenate([[0], np.cumsum([len(h) for h in heard])]).astype(np.int64)
    total = int(indptr[-1])
    return ReadingBatch(
        indptr,
        np.concatenate(heard).astype(np.int32),
        rng.uniform(-90, -40, total).astype(np.float32),
        rng.uniform(0, 9_000, total).astype(np.float32),
        np.diff(indptr).astype(np.int32),
    )


def _part(batch: ReadingBatch, first: int, stop: int) -> ReadingBatch:
    at = slice(int(batch.indptr[first]), int(batch.indptr[stop]))
    return ReadingBatch(
        batch.indptr[first : stop + 1] - batch.indptr[first],
        batch.transmitter[at],
        batch.rssi_dbm[at],
        batch.age_ms[at],
        batch.n_heard[first:stop],
    )


def _count(batch: ReadingBatch, store: np.ndarray) -> StoreStatistics:
    return count_stores(batch, store.astype(np.int32), _N_TRANSMITTERS, _N_STORES, 8_000.0)


def test_counts_of_two_parts_add_up_to_those_of_the_whole() -> None:
    batch, store = _batch(60, 1), np.random.default_rng(2).integers(-1, _N_STORES, 60)
    whole = _count(batch, store)
    both = add_statistics(_count(_part(batch, 0, 25), store[:25]), _count(_part(batch, 25, 60), store[25:]))
    for name in ("exposure", "detections", "total_dbm", "squares_dbm2", "highest_dbm", "strongest"):
        np.testing.assert_allclose(getattr(both, name), getattr(whole, name), rtol=1e-5)
    assert whole.exposure.sum() == (store >= 0).sum()
    assert whole.strongest.sum() == (store >= 0).sum()


def test_counts_of_different_freshness_are_not_added() -> None:
    batch, store = _batch(5, 1), np.zeros(5)
    other = count_stores(batch, store.astype(np.int32), _N_TRANSMITTERS, _N_STORES, math.inf)
    with pytest.raises(ValueError, match="freshness"):
        add_statistics(_count(batch, store), other)


def test_the_likelihood_is_the_integral_over_the_phones_offset() -> None:
    rng = np.random.default_rng(5)
    n = 6
    kept = (
        rng.integers(120, 140, (n, 3)).astype(np.uint8),
        rng.integers(60, 200, (n, 3)).astype(np.uint8),
        rng.integers(100, 200, (n, 3)).astype(np.uint8),
    )
    mean, precision, gain = -DB_STEP * kept[0], PRECISION_STEP * kept[1], GAIN_LEAST + GAIN_STEP * kept[2]
    x = rng.uniform(-70, -60, n).astype(np.float32)  # no deviation is large enough to be bounded
    likelihood, offset_db = _weigh(x, *kept, np.zeros(3, dtype=np.float32))
    d = np.linspace(-60, 60, 24_001)
    for s in range(3):
        log_density = (
            -0.5 * (precision[:, s, None] * (x[:, None] - d - mean[:, s, None]) ** 2).sum(axis=0)
            + gain[:, s].sum()
            - 0.5 * (d / OFFSET_SD_DB) ** 2
            - np.log(OFFSET_SD_DB * np.sqrt(2 * np.pi))
        )
        density = np.exp(log_density)
        assert likelihood[0, s] == pytest.approx(np.log(density.sum() * (d[1] - d[0])), abs=1e-4)
        assert offset_db[0, s] == pytest.approx((d * density).sum() / density.sum(), abs=1e-3)


def _weigh(x: F32, mean: U8, precision: U8, gain: U8, absent: F32) -> tuple[F32, F32]:
    n, n_stores = mean.shape
    likelihood, offset_db = np.empty((1, n_stores), dtype=np.float32), np.empty((1, n_stores), dtype=np.float32)
    one = np.ones((n, 4), dtype=np.float32)
    asked = Weighed(np.array([0, n]), np.arange(n, dtype=np.int32), one, one[:1], x, np.ones(n, dtype=np.float32))
    weigh_stores(asked, BayesArrays(mean, precision, gain, absent), likelihood, offset_db)
    return likelihood, offset_db


def test_a_store_without_survey_is_never_likely() -> None:
    batch, store = _batch(60, 3), np.random.default_rng(4).integers(0, _N_STORES - 1, 60)
    asked = _batch(20, 9)
    weighing = Weighing((Representation("powed", 2.0),), -100.0, 8_000.0, 48)
    likelihood, _ = likelihoods(build_tables(_count(batch, store)), weigh(weighing, asked))
    assert (likelihood[:, _N_STORES - 1] < 0.5 * NEVER).all()
    assert (likelihood[:, : _N_STORES - 1] > -1e4).all()


def test_a_louder_phone_is_told_by_its_offset() -> None:
    rng = np.random.default_rng(6)
    mean = rng.integers(100, 160, (40, 2)).astype(np.uint8)
    precision = np.full((40, 2), round(1 / 16 / PRECISION_STEP), dtype=np.uint8)
    none = np.zeros((40, 2), dtype=np.uint8)
    x = -DB_STEP * mean[:, 0] + np.float32(7.0)
    _, offset_db = _weigh(x, mean, precision, none, np.zeros(2, dtype=np.float32))
    assert offset_db[0, 0] == pytest.approx(7.0, abs=0.2)
