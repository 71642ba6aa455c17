"""The shared ranker: our trees beside LightGBM's own, its file, and what ships."""

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from positioning.errors import RankerError
from positioning.pairs import PAIR_FEATURES
from positioning.ranker import Ranker, make_ranker, ranker_from_bytes, ranker_to_bytes
from positioning.ranker_fit import TrainingSet, fit_booster, flatten_booster
from runtime.rankers import SHIPPED, SIMULATED_ONLY, load_ranker

_MOST_BYTES = 1_000_000
_N = len(PAIR_FEATURES)


def _random_set(seed: int, n_groups: int = 300, size: int = 8) -> TrainingSet:
    rng = np.random.default_rng(seed)
    feature = rng.normal(size=(n_groups, size, _N)).astype(np.float32).round(1)
    best = (feature[:, :, 0] - np.abs(feature[:, :, 3]) + rng.normal(0, 0.3, (n_groups, size))).argmax(axis=1)
    is_true = np.arange(size) == best[:, None]
    sizes = np.full(n_groups, size, dtype=np.int32)
    return TrainingSet("random", feature.reshape(-1, _N), is_true.ravel(), sizes)


@pytest.fixture(scope="module")
def booster() -> Any:
    return fit_booster([_random_set(1)], n_trees=30)


@pytest.fixture(scope="module")
def ranker(booster: Any) -> Ranker:
    return flatten_booster(booster, ("random",))


def test_our_trees_say_what_lightgbm_says(booster: Any, ranker: Ranker) -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(400, 20, _N)).astype(np.float32)
    rows[:200] = rows[:200].round(1)  # on and beside the thresholds
    at = rng.integers(0, len(ranker.threshold), 4_000)
    is_split = np.isfinite(ranker.threshold[at]) & (np.abs(ranker.threshold[at]) > 1e-30)  # LightGBM reads those as 0
    split = at[is_split]
    rows.reshape(-1, _N)[np.arange(len(split)), ranker.column[split]] = ranker.threshold[split]
    found = ranker.score(rows, np.full(400, 20, dtype=np.int32))
    expected = booster.predict(rows.reshape(-1, _N)).reshape(400, 20)
    assert expected.std() > 0.5
    np.testing.assert_allclose(found, expected, atol=2e-5)  # single against double precision sums


def test_the_same_sets_grow_the_same_trees(ranker: Ranker) -> None:
    assert flatten_booster(fit_booster([_random_set(1)], n_trees=30), ("random",)).sha256 == ranker.sha256
    assert flatten_booster(fit_booster([_random_set(3)], n_trees=30), ("random",)).sha256 != ranker.sha256


def test_only_described_candidates_are_scored(ranker: Ranker) -> None:
    rows = np.zeros((3, 3, _N), dtype=np.float32)
    found = ranker.score(rows, np.array([3, 1, 0], dtype=np.int32))
    assert np.isfinite(found).sum(axis=1).tolist() == [3, 1, 0]
    assert np.isfinite(found[1]).tolist() == [True, False, False]


def test_a_ranker_comes_back_from_its_file(ranker: Ranker) -> None:
    data = ranker_to_bytes(ranker)
    back = ranker_from_bytes(data)
    assert ranker_to_bytes(back) == data
    assert (back.sha256, back.trained_on) == (ranker.sha256, ("random",))


def test_a_damaged_ranker_is_refused(ranker: Ranker) -> None:
    data = ranker_to_bytes(replace(ranker, value=ranker.value + np.float32(1.0)))
    with pytest.raises(RankerError, match="sha256"):
        ranker_from_bytes(data)
    with pytest.raises(RankerError, match="not readable"):
        ranker_from_bytes(data[: len(data) // 2])


def test_a_ranker_of_other_features_is_refused(ranker: Ranker) -> None:
    names = ("root", "depth", "column", "threshold", "child", "value")
    arrays = {name: getattr(ranker, name) for name in names}
    assert make_ranker(arrays, ("random",)).sha256 == ranker.sha256
    with pytest.raises(RankerError, match="other features"):
        ranker_from_bytes(ranker_to_bytes(make_ranker(arrays, ("random",), ("x", *PAIR_FEATURES[1:]))))


@pytest.mark.parametrize("name", [SHIPPED, SIMULATED_ONLY])
def test_what_ships_is_what_its_card_says(name: str) -> None:
    folder = files("positioning") / "models"
    ranker = load_ranker(name)
    card = json.loads((folder / f"{name}.json").read_text())
    assert card["sha256"] == ranker.sha256
    assert sorted(card["scans_by_set"]) == sorted(ranker.trained_on)
    assert ranker.sha256 in (folder / f"{name}.md").read_text()
    assert len((folder / f"{name}.npz").read_bytes()) <= _MOST_BYTES
    assert any("UJIIndoorLoc" in source for source in ranker.trained_on) == (name == SHIPPED)
    assert not any(word in source for source in ranker.trained_on for word in ("Xixi", "UJIB1"))
