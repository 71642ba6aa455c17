"""Epochs: what was born later is unknown to older scans, in neighbours and in counts by store."""

from dataclasses import replace

import numpy as np
import pytest

from kernel.ids import TransmitterId
from positioning.epoch_tables import build_epoch_tables, exposure_since
from positioning.epochs import Epochs, one_epoch
from positioning.healed_map import MOST_EPOCHS, heal_map
from positioning.kernels.pairs import RATE_AT
from positioning.kernels.stores import NEVER, SHARE_STEP
from positioning.learned import Learned
from positioning.match import match
from positioning.radio_changes import RadioChanges
from positioning.radio_map import LevelKey, RadioMap, ReadingBatch
from positioning.representation import REPRESENTATIONS, Weighing, build_index
from positioning.statistics import build_tables, count_stores
from venues.frame import LocalFrame

_N_SURVEY, _N_NEW, _N_TRANSMITTERS = 30, 12, 10
_BORN = _N_TRANSMITTERS - 1
_WEIGHING = Weighing(REPRESENTATIONS[:2], -100.0, float("inf"), 96)


def _batch(rows: list[list[int]], rng: np.random.Generator) -> ReadingBatch:
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    n = int(indptr[-1])
    return ReadingBatch(
        indptr,
        np.array([t for row in rows for t in row], dtype=np.int32),
        rng.uniform(-85, -45, n).astype(np.float32),
        np.full(n, np.nan, dtype=np.float32),
        np.diff(indptr).astype(np.int32),
    )


@pytest.fixture
def healed() -> RadioMap:
    """30 survey scans that cannot hear transmitter 9, and 12 newer ones that do."""
    rng = np.random.default_rng(5)
    old = [sorted(rng.choice(_BORN, 5, replace=False).tolist()) for _ in range(_N_SURVEY)]
    new = [[*sorted(rng.choice(_BORN, 4, replace=False).tolist()), _BORN] for _ in range(_N_NEW)]
    n = _N_SURVEY + _N_NEW
    names = tuple(TransmitterId(f"x-{i}") for i in range(_N_TRANSMITTERS))
    born = np.zeros(_N_TRANSMITTERS, dtype=np.int32)
    born[_BORN] = 1
    return RadioMap(
        frame=LocalFrame(0.0, 0.0),
        transmitters=names,
        index={name: i for i, name in enumerate(names)},
        levels=(LevelKey(None, "F1", None),),
        readings=_batch(old + new, rng),
        xy_m=rng.uniform(0, 50, (n, 2)),
        level=np.zeros(n, dtype=np.int32),
        walk=np.arange(n, dtype=np.int32),
        store=(np.arange(n) % 3).astype(np.int32),
        epochs=Epochs(np.array([0, _N_SURVEY, n], dtype=np.int64), born),
    )


def _distances(radio_map: RadioMap, asked: ReadingBatch) -> dict[int, list[float]]:
    index, distance = match(radio_map, build_index(radio_map, _WEIGHING), asked, n_short=50, cover=1.0)
    return {int(s): d.tolist() for s, d in zip(index[0], distance[0], strict=True) if s >= 0}


def test_older_scans_are_compared_without_what_was_born_after_them_and_newer_with_it(healed: RadioMap) -> None:
    asked = _batch([[0, 2, 3, 5, _BORN]], np.random.default_rng(1))
    without = ReadingBatch(
        np.array([0, 4], dtype=np.int64), asked.transmitter[:4], asked.rssi_dbm[:4], asked.age_ms[:4], asked.n_heard
    )
    mine, plain, bare = _distances(healed, asked), _distances(replace(healed, epochs=None), asked), {}
    bare = _distances(replace(healed, epochs=None), without)
    old = [s for s in mine if s < _N_SURVEY and s in bare]
    new = [s for s in mine if s >= _N_SURVEY]
    assert len(old) > 20
    assert len(new) == _N_NEW
    for s in old:  # the same sums of four weights in another order: float32
        assert mine[s] == pytest.approx(bare[s], abs=1e-5)
        assert mine[s][0] < plain[s][0] - 1e-3
    for s in new:
        assert mine[s] == plain[s]


def test_a_survey_of_one_epoch_answers_as_one_without_epochs(healed: RadioMap) -> None:
    asked = _batch([[0, 2, 3, 5, _BORN]], np.random.default_rng(1))
    one = replace(healed, epochs=one_epoch(healed.n_scans, _N_TRANSMITTERS))
    assert _distances(one, asked) == _distances(replace(healed, epochs=None), asked)


def test_a_store_without_a_scan_since_a_birth_does_not_know_the_transmitter(healed: RadioMap) -> None:
    store = healed.store.copy()
    store[_N_SURVEY:] = np.arange(_N_NEW) % 2  # store 2 has no newer scan
    epochs = healed.epochs
    assert epochs is not None
    counted = count_stores(healed.readings, store, _N_TRANSMITTERS, 4, float("inf"))
    tables, naive = build_epoch_tables(counted, epochs, store), build_tables(counted)
    assert exposure_since(epochs, store, 4).tolist() == [[16, 16, 10, 0], [6, 6, 0, 0]]
    rate = SHARE_STEP * tables.cell[_BORN, :, RATE_AT]
    assert rate[:2].tolist() == pytest.approx([6 / 7, 6 / 7], abs=1 / 255)  # of the scans since the birth, not of all
    assert rate[2] == pytest.approx(6 / 7, abs=1 / 255)  # unknown: as in the stores that know it
    naive_rate = SHARE_STEP * naive.cell[_BORN, :3, RATE_AT]
    assert naive_rate.tolist() == pytest.approx([6 / 17, 6 / 17, 0.0], abs=1 / 255)
    assert tables.gain[_BORN, 2] > naive.gain[_BORN, 2]  # hearing it does not speak against store 2
    old = np.arange(_BORN)
    for name in ("mean", "precision", "gain", "cell"):
        np.testing.assert_array_equal(getattr(tables, name)[old], getattr(naive, name)[old])
    assert tables.absent[3] == NEVER
    part = naive.absent[2] - tables.absent[2]
    assert part > 0  # not hearing it speaks against a store that is like the others, as it does there
    np.testing.assert_allclose(
        tables.absent[2] - _absent_of(healed, store, old)[2],
        tables.absent[0] - _absent_of(healed, store, old)[0],
        rtol=1e-4,
    )


def _absent_of(radio_map: RadioMap, store: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """What hearing none of these transmitters is worth in each store."""
    readings = radio_map.readings
    kept = np.isin(readings.transmitter, rows)
    scan = np.repeat(np.arange(readings.n_scans), np.diff(readings.indptr))[kept]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(scan, minlength=readings.n_scans))]).astype(np.int64)
    batch = ReadingBatch(
        indptr, readings.transmitter[kept], readings.rssi_dbm[kept], readings.age_ms[kept], readings.n_heard
    )
    counted = count_stores(batch, store, len(rows), 4, float("inf"))
    return build_tables(counted).absent


def test_epochs_are_bounded_and_the_survey_itself_stays(healed: RadioMap) -> None:
    nothing = Learned(
        (),
        np.empty(0, dtype=np.int32),
        np.empty(0, dtype=np.bool_),
        np.empty((0, 2)),
        np.empty(0, dtype=np.int32),
        (),
        np.empty(0, dtype=np.bool_),
    )
    radio_map = healed
    for _ in range(MOST_EPOCHS + 2):
        radio_map, _ = heal_map(radio_map, RadioChanges((), (), ()), nothing, np.empty(0))
    assert radio_map.epochs is not None
    assert radio_map.epochs.n_epochs == MOST_EPOCHS
    assert radio_map.n_scans == _N_SURVEY  # the newer scans were of the oldest healing
    np.testing.assert_array_equal(radio_map.xy_m, healed.xy_m[:_N_SURVEY])


def test_dead_radios_leave_the_map_and_moved_ones_begin_anew(healed: RadioMap) -> None:
    names = healed.transmitters
    nothing = Learned(
        (),
        np.empty(0, dtype=np.int32),
        np.empty(0, dtype=np.bool_),
        np.empty((0, 2)),
        np.empty(0, dtype=np.int32),
        (),
        np.empty(0, dtype=np.bool_),
    )
    after, _ = heal_map(
        healed, RadioChanges((TransmitterId("x-fresh"),), (names[1],), (names[0],)), nothing, np.empty(0)
    )
    assert names[0] not in after.index
    assert not (after.readings.transmitter == after.index[names[1]]).any()
    assert after.epochs is not None
    born = {name: int(after.epochs.born[i]) for name, i in after.index.items()}
    assert (born[names[1]], born[TransmitterId("x-fresh")], born[names[_BORN]], born[names[2]]) == (2, 2, 1, 0)


@pytest.mark.parametrize(("first", "born"), [([1, 5], [0]), ([0, 5, 3], [0]), ([0, 5], [1]), ([0], [])])
def test_epochs_that_make_no_sense_are_refused(first: list[int], born: list[int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Epochs(np.array(first, dtype=np.int64), np.array(born, dtype=np.int32))
