"""Readings to weights: the formulas, and the heaviest few in order, against plain NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from positioning.radio_map import ReadingBatch
from positioning.representation import Representation, Weighing, weigh

_FLOOR_DBM = -100.0
_POWERS = st.one_of(st.integers(-110, 0).map(float), st.floats(-110, 0, width=32))


def _batch(scans: list[list[tuple[float, float]]]) -> ReadingBatch:
    counts = [len(scan) for scan in scans]
    flat = [reading for scan in scans for reading in scan]
    return ReadingBatch(
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        transmitter=np.concatenate([np.arange(n, dtype=np.int32) for n in counts]),
        rssi_dbm=np.array([power for power, _ in flat], dtype=np.float32),
        age_ms=np.array([age for _, age in flat], dtype=np.float32),
        n_heard=np.array(counts, dtype=np.int32),
    )


def _powed(rssi_dbm: np.ndarray, age_ms: np.ndarray, exponent: float, tau_ms: float) -> np.ndarray:
    fade = np.where(np.isnan(age_ms), 1.0, np.exp(-np.nan_to_num(age_ms) / tau_ms))
    return (np.maximum(rssi_dbm - _FLOOR_DBM, 1.0) / 60.0) ** exponent * fade


@settings(max_examples=150, deadline=None)
@given(
    scans=st.lists(
        st.lists(
            st.tuples(_POWERS, st.one_of(st.just(np.nan), st.floats(0, 60_000, width=32))), min_size=1, max_size=120
        ),
        min_size=1,
        max_size=4,
    ),
    max_kept=st.integers(1, 60),
    tau_ms=st.sampled_from([2_000.0, np.inf]),
)
def test_the_heaviest_are_kept_in_order(scans: list[list[tuple[float, float]]], max_kept: int, tau_ms: float) -> None:
    weighing = Weighing((Representation("powed", 2.5), Representation("rank", 1.0)), _FLOOR_DBM, tau_ms, max_kept)
    found = weigh(weighing, _batch(scans))
    for i, scan in enumerate(scans):
        mine = slice(found.indptr[i], found.indptr[i + 1])
        power, age = np.array(scan, dtype=np.float32).T
        expected = _powed(power.astype(np.float64), age.astype(np.float64), 2.5, tau_ms)
        kept = found.weight[mine, 0]
        assert len(kept) == min(len(scan), max_kept)
        assert len(set(found.transmitter[mine].tolist())) == len(kept)
        assert np.all(kept[1:] <= kept[:-1])
        # single precision, exp and power one after the other: a few parts in a million
        assert np.allclose(kept, np.sort(expected)[::-1][: len(kept)], rtol=1e-5, atol=1e-12)
        assert np.allclose(kept, expected[found.transmitter[mine]], rtol=1e-5, atol=1e-12)
        faded = np.where(np.isnan(age), 1.0, np.exp(-np.nan_to_num(age) / tau_ms))[found.transmitter[mine]]
        assert np.allclose(found.weight[mine, 1], np.exp(-0.08 * np.arange(len(kept))) * faded, rtol=1e-5)
        assert np.allclose(found.total[i], found.weight[mine].sum(axis=0), rtol=1e-4)


def test_equal_readings_stay_in_the_order_of_their_ids() -> None:
    weighing = Weighing((Representation("powed", 2.5),), _FLOOR_DBM, np.inf, 3)
    found = weigh(weighing, _batch([[(-70.0, 0.0), (-50.0, 0.0), (-70.0, 0.0), (-50.0, 0.0), (-70.0, 0.0)]]))
    assert found.transmitter.tolist() == [1, 3, 0]


@pytest.mark.parametrize("power_dbm", [-70.0, -70.5])
def test_a_power_weighs_the_same_wherever_it_is_asked(power_dbm: float) -> None:
    """Weights of whole dBm are kept after the first asking."""
    weighing = Weighing((Representation("powed", 2.5),), _FLOOR_DBM, np.inf, 8)
    found = weigh(weighing, _batch([[(power_dbm, 0.0), (power_dbm, 0.0)], [(power_dbm, 0.0)]]))
    assert len(set(found.weight[:, 0].tolist())) == 1
    assert found.weight[0, 0] == pytest.approx(((power_dbm - _FLOOR_DBM) / 60) ** 2.5, rel=1e-6)
