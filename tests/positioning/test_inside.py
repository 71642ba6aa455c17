"""Inside any store or in a walkway: naive Bayes between the two, over what the neighbours are of."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from kernel.ids import TransmitterId
from positioning.epochs import Epochs
from positioning.inside import (
    CELL_M,
    build_inside_map,
    inside_odds,
    inside_odds_held_out,
    number_columns,
)
from positioning.kernels.inside import (
    GAIN,
    MEAN,
    MOST_ODDS,
    MOST_Z,
    ODDS,
    PRECISION,
    TEMPER,
    InsideArrays,
    weigh_inside,
)
from positioning.kernels.stores import DB_STEP, GAIN_LEAST, GAIN_STEP, NEVER, OFFSET_SD_DB, PRECISION_STEP
from positioning.kernels.weigh import Weighed
from positioning.radio_map import F32, LevelKey, RadioMap, ReadingBatch, take_scans
from positioning.representation import REPRESENTATIONS, Weighing, weigh
from venues.frame import LocalFrame

_WEIGHING = Weighing(REPRESENTATIONS[:1], -100.0, float("inf"), 96)


def odds_of(x: F32, table: NDArray[np.uint8], absent: Sequence[float], index: list[int], n_stores: int) -> float:
    """Of one scan that hears every transmitter, the survey scans being of the columns in order."""
    n = len(x)
    one = np.ones((n, 4), dtype=np.float32)
    asked = Weighed(np.array([0, n]), np.arange(n, dtype=np.int32), one, one[:1], x, np.ones(n, dtype=np.float32))
    column = np.arange(len(table), dtype=np.int32)
    out = np.empty((1, 2))
    inside = InsideArrays(column, n_stores, table, np.array(absent, dtype=np.float32))
    weigh_inside(asked, np.array([index], dtype=np.int32), inside, out)
    return float(out[0, ODDS])


@pytest.fixture
def table() -> NDArray[np.uint8]:
    """Four columns of six transmitters."""
    rng = np.random.default_rng(5)
    table = np.empty((4, 6, 3), dtype=np.uint8)
    table[:, :, MEAN] = rng.integers(126, 132, (4, 6))
    table[:, :, PRECISION] = rng.integers(60, 200, (4, 6))
    table[:, :, GAIN] = rng.integers(180, 200, (4, 6))
    return table


def test_the_odds_are_those_of_the_integrals_over_the_phones_offset(table: NDArray[np.uint8]) -> None:
    """Two stores against two pieces of walkway; no deviation is large enough to be bounded."""
    x = np.random.default_rng(6).uniform(-65, -62, 6).astype(np.float32)
    mean, precision = -DB_STEP * table[:, :, MEAN], PRECISION_STEP * table[:, :, PRECISION]
    d = np.linspace(-60, 60, 24_001)
    likelihood = np.empty(4)
    for c in range(4):
        deviation = precision[c, :, None] * (x[:, None] - d - mean[c, :, None]) ** 2
        assert deviation[:, np.abs(d) < 3.0].max() < MOST_Z
        density = np.exp(-0.5 * deviation.sum(axis=0) - 0.5 * (d / OFFSET_SD_DB) ** 2)
        integral = density.sum() * (d[1] - d[0]) / (OFFSET_SD_DB * np.sqrt(2 * np.pi))
        likelihood[c] = np.log(integral) + (GAIN_LEAST + GAIN_STEP * table[c, :, GAIN]).sum() - c
    share = np.exp(TEMPER * likelihood)
    expected = np.log(share[:2].sum() / share[2:].sum())
    assert odds_of(x, table, [0.0, -1.0, -2.0, -3.0], [3, 1, 0, 2, -1], 2) == pytest.approx(expected, abs=1e-4)


def test_only_what_the_neighbours_are_of_is_weighed(table: NDArray[np.uint8]) -> None:
    x = np.full(6, -64.0, dtype=np.float32)
    none = [0.0] * 4
    one_each = odds_of(x, table, none, [0, 3], 2)
    table[[1, 2]] = 0
    assert odds_of(x, table, none, [0, 3, 3, -1], 2) == one_each
    assert abs(one_each) < MOST_ODDS
    assert odds_of(x, table, none, [0, 1, -1, 3], 2) == MOST_ODDS
    assert odds_of(x, table, none, [2, 3], 2) == -MOST_ODDS
    assert odds_of(x, table, none, [-1, 2], 2) == 0.0


def test_a_column_without_a_scan_does_not_speak(table: NDArray[np.uint8]) -> None:
    x = np.full(6, -64.0, dtype=np.float32)
    assert odds_of(x, table, [0.0, float(NEVER), 0.0, 0.0], [0, 1, 2], 2) == odds_of(x, table, [0.0] * 4, [0, 2], 2)
    assert odds_of(x, table, [float(NEVER)] * 4, [0, 1, 2], 2) == 0.0


def test_one_strange_power_says_no_more_than_its_bound() -> None:
    """Thirty transmitters, alike in the store and the walkway but for the last, which does not tell the offset."""
    table = np.full((2, 30, 3), 128, dtype=np.uint8)
    x = np.full(30, -64.0, dtype=np.float32)
    assert odds_of(x, table, [0.0, 0.0], [0, 1], 1) == pytest.approx(0.0, abs=1e-6)
    table[:, 29, PRECISION] = 255
    table[0, 29, MEAN] = 188  # 30 dB off
    assert odds_of(x, table, [0.0, 0.0], [0, 1], 1) == pytest.approx(-TEMPER * MOST_Z / 2, abs=1e-4)


def test_the_offset_of_a_louder_phone_is_told() -> None:
    radio_map, m_inside = make_map()
    inside = build_inside_map(radio_map, _WEIGHING, m_inside)
    batch = radio_map.readings
    louder = replace(batch, rssi_dbm=(batch.rssi_dbm + 6.0).astype(np.float32))
    more = ask(inside, radio_map, louder)[:, 1] - ask(inside, radio_map, batch)[:, 1]
    assert float(np.median(more)) == pytest.approx(1.0, abs=0.1)  # the prior draws it to 0 a little


def make_map(n_walks: int = 40, per_walk: int = 10, seed: int = 3) -> tuple[RadioMap, NDArray[np.int32]]:
    """Walks in turn in store 0, store 1 and a walkway of 30 m; a third of the transmitters is strong in each."""
    rng = np.random.default_rng(seed)
    n, n_transmitters = n_walks * per_walk, 12
    walk = np.repeat(np.arange(n_walks), per_walk).astype(np.int32)
    place = walk % 3
    strong = np.arange(n_transmitters) % 3
    dbm = np.where(strong[None, :] == place[:, None], -53.0, -63.0) + rng.normal(0.0, 4.0, (n, n_transmitters))
    names = tuple(TransmitterId(f"x-{i}") for i in range(n_transmitters))
    xy_m = np.column_stack([rng.uniform(0.0, 30.0, n), 10.0 * place + rng.uniform(1.0, 9.0, n)])
    radio_map = RadioMap(
        frame=LocalFrame(0.0, 0.0),
        transmitters=names,
        index={name: i for i, name in enumerate(names)},
        levels=(LevelKey(None, "F1", None), LevelKey(None, "F2", None)),
        readings=ReadingBatch(
            np.arange(0, n * n_transmitters + 1, n_transmitters, dtype=np.int64),
            np.tile(np.arange(n_transmitters, dtype=np.int32), n),
            dbm.ravel().astype(np.float32),
            np.full(n * n_transmitters, np.nan, dtype=np.float32),
            np.full(n, n_transmitters, dtype=np.int32),
        ),
        xy_m=xy_m,
        level=np.zeros(n, dtype=np.int32),
        walk=walk,
        store=np.where(place < 2, place, -1).astype(np.int32),
    )
    return radio_map, radio_map.store


def ask(inside: InsideArrays, radio_map: RadioMap, batch: ReadingBatch) -> NDArray[np.float64]:
    """With every survey scan a neighbour."""
    index = np.tile(np.arange(radio_map.n_scans, dtype=np.int32), (batch.n_scans, 1))
    return inside_odds(inside, weigh(_WEIGHING, batch), index)


def test_walkways_are_told_from_stores() -> None:
    radio_map, m_inside = make_map()
    asked, truth = make_map(seed=4)
    odds = ask(build_inside_map(radio_map, _WEIGHING, m_inside), radio_map, asked.readings)
    assert ((odds[:, ODDS] > 0) == (truth >= 0)).mean() > 0.98


def test_walkways_are_counted_in_squares_of_one_level() -> None:
    radio_map, m_inside = make_map()
    column, n_columns = number_columns(radio_map, m_inside)
    walkway = m_inside < 0
    assert (column[~walkway] == m_inside[~walkway]).all()
    assert n_columns == 2 + 3  # 30 m
    for c in range(2, n_columns):
        assert np.ptp(radio_map.xy_m[column == c, 0]) <= CELL_M
    level = np.where(radio_map.xy_m[:, 0] < CELL_M / 2, 1, 0).astype(np.int32)
    assert number_columns(replace(radio_map, level=level), m_inside)[1] == 2 + 4


def test_a_survey_of_one_kind_says_nothing() -> None:
    radio_map, m_inside = make_map()
    for of_one_kind in (np.full_like(m_inside, -1), np.maximum(m_inside, 0)):
        inside = build_inside_map(radio_map, _WEIGHING, of_one_kind)
        assert ask(inside, radio_map, take_scans(radio_map.readings, np.arange(3))).tolist() == [[0.0, 0.0]] * 3


def test_held_out_odds_know_nothing_of_their_own_walk() -> None:
    """The asked walk's scans on the map are made strange: its own odds stay, those of the others change."""
    radio_map, m_inside = make_map()
    own = np.flatnonzero(radio_map.walk == 7)
    readings = radio_map.readings
    of_own = np.isin(np.repeat(np.arange(radio_map.n_scans), np.diff(readings.indptr)), own)
    strange = replace(readings, rssi_dbm=np.where(of_own, -30.0, readings.rssi_dbm).astype(np.float32))
    asked = np.flatnonzero((radio_map.walk == 7) | (radio_map.walk == 8))
    batch = take_scans(readings, asked)
    index = np.tile(np.arange(radio_map.n_scans, dtype=np.int32), (len(asked), 1))

    def held_out(heard: ReadingBatch) -> NDArray[np.float64]:
        changed = replace(radio_map, readings=heard)
        return inside_odds_held_out(changed, _WEIGHING, m_inside, asked, batch, radio_map.walk, index)

    before, after = held_out(readings), held_out(strange)
    is_own = radio_map.walk[asked] == 7
    assert (before[is_own] == after[is_own]).all()
    assert (before[~is_own] != after[~is_own]).any()


def test_what_was_born_after_a_walkways_survey_does_not_speak_against_it() -> None:
    """Only store 0 was sampled since transmitter 0 was born; without epochs not hearing it would say walkway."""
    radio_map, m_inside = make_map()
    n = radio_map.n_scans
    of_store = np.flatnonzero(m_inside == 0)[:100]
    order = np.concatenate([np.setdiff1d(np.arange(n), of_store), of_store])
    row = np.repeat(np.arange(n), 12)
    readings = take_scans(radio_map.readings, order)
    kept = (readings.transmitter != 0) | (row >= n - 100)
    counts = np.bincount(row[kept], minlength=n)
    readings = ReadingBatch(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        readings.transmitter[kept],
        readings.rssi_dbm[kept],
        readings.age_ms[kept],
        counts.astype(np.int32),
    )
    born = np.zeros(12, dtype=np.int32)
    born[0] = 1
    healed = replace(
        radio_map,
        readings=readings,
        xy_m=radio_map.xy_m[order],
        walk=radio_map.walk[order],
        store=radio_map.store[order],
        epochs=Epochs(np.array([0, n - 100, n], dtype=np.int64), born),
    )
    asked = take_scans(readings, np.flatnonzero(healed.store < 0)[:50])
    heard = ReadingBatch(  # transmitter 0 is heard in the walkway too by now
        np.arange(0, 50 * 12 + 1, 12, dtype=np.int64),
        np.tile(np.arange(12, dtype=np.int32), 50),
        np.insert(asked.rssi_dbm.reshape(50, 11), 0, -60.0, axis=1).ravel().astype(np.float32),
        np.full(600, np.nan, dtype=np.float32),
        np.full(50, 12, dtype=np.int32),
    )
    by_epoch = ask(build_inside_map(healed, _WEIGHING, healed.store), healed, heard)
    naive = replace(healed, epochs=None)
    by_all = ask(build_inside_map(naive, _WEIGHING, naive.store), naive, heard)
    assert (by_epoch[:, ODDS] < by_all[:, ODDS]).mean() > 0.9
