"""The full locator and its ranker from the command line."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.demo import VENUE_ID
from runtime.ranker_malls import MALLS, make_set
from runtime.rankers import SHIPPED, SIMULATED_ONLY, load_ranker
from sim.layout import MallSpec
from sim.world import World
from tests.living_server import SCANS_PER_STORE, copy_home, stay
from tests.runtime.test_cli import atrium, files

__all__ = ["files"]


def test_locate_and_evaluate_say_which_locator_answered(
    prepared_home: Path, files: Path, tmp_path: Path, small_world: World
) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    store = small_world.mall.venue.stores[0].id
    lines = "\n".join(json.dumps(scan) for scan in stay(small_world, store, "d-1", n=3)).encode()
    for kind in ("full", "light"):
        found = atrium("locate", "--venue", VENUE_ID, "--locator", kind, home=home, stdin=lines)
        positions = [json.loads(line)["position"] for line in found.stdout.splitlines()]
        assert [position["locator"] for position in positions] == [kind] * 3
        assert positions[0]["candidates"][0]["store_id"] == store
    survey = str(files / "survey.ndjson")
    told = json.loads(atrium("evaluate", "--venue", VENUE_ID, survey, "--locator", "full", "--json", home=home).stdout)
    assert load_ranker().sha256 in told["ranker"]
    assert "simulated mall 901" in told["ranker"]
    told = json.loads(atrium("evaluate", "--venue", VENUE_ID, survey, "--json", home=home).stdout)
    assert told.get("ranker") is None


def test_zones_are_ranked_without_polygons(
    prepared_home: Path, tmp_path: Path, small_world: World, files: Path
) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    stores = [store.id for store in small_world.mall.venue.stores]
    zones = tmp_path / "zones.csv"
    zones.write_text("space,zone\n" + "".join(f"{store},{i}\n" for i, store in enumerate(stores)))
    labelled = [json.loads(line) for line in (files / "survey.ndjson").read_text().splitlines()]
    asked = [line for line in labelled if line["truth"].get("store_id")][::SCANS_PER_STORE]
    scans = tmp_path / "scans.ndjson"
    scans.write_text("\n".join(json.dumps(line) for line in asked))
    words = ("evaluate", "--venue", VENUE_ID, str(scans), "--stores", str(zones))
    told = json.loads(atrium(*words, "--locator", "full", "--simulated-ranker", "--json", home=home).stdout)
    assert told["n"] == len(asked)
    assert told["front"]["top1"] > 90.0  # the survey's own scans
    assert load_ranker(SIMULATED_ONLY).sha256 in told["ranker"]
    assert b"takes no --causal" in atrium(*words, "--causal", home=home, code=1).stderr
    zones.write_text("space,zone\nnowhere,0\n")
    assert b"found none" in atrium(*words, home=home, code=1).stderr
    zones.write_text("space,zone\n" + "".join(f"{store},{10**12 + i}\n" for i, store in enumerate(stores)))
    assert json.loads(atrium(*words, "--json", home=home).stdout)["n"] == len(asked)  # numbers may be any
    zones.write_text(f"space,zone\n{'x' * 200_000},1\n")
    assert b"zone's number" in atrium(*words, home=home, code=1).stderr
    zones.write_text("space,zone\nhere,one\n")
    assert b"zone's number" in atrium(*words, home=home, code=1).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("evaluate", "--venue", VENUE_ID, "x.ndjson", "--simulated-ranker"), b"needs --stores"),
        (("ranker", "train", "--uji", "trainingData.csv"), b"go together"),
    ],
)
def test_options_that_need_each_other_are_asked_for(
    prepared_home: Path, tmp_path: Path, words: tuple[str, ...], said: bytes
) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    assert said in atrium(*words, home=home, code=1).stderr


def test_a_training_mall_is_the_same_each_time() -> None:
    plan = replace(MALLS[0], seed=990, mall=MallSpec(n_levels=1), store_scans=12, asked_store_scans=4)
    one, other = make_set(plan), make_set(plan)
    np.testing.assert_array_equal(one.feature, other.feature)
    np.testing.assert_array_equal(one.is_true, other.is_true)
    assert one.is_true.sum() == len(one.group_size) > 50
    assert (one.group_size >= 2).all()
    assert one.feature.shape[0] == one.group_size.sum()


def test_no_benchmark_mall_is_a_training_mall() -> None:
    trained_on = load_ranker(SHIPPED).trained_on
    assert {f"simulated mall {plan.seed}" for plan in MALLS} <= set(trained_on)
    assert all(plan.seed >= 900 for plan in MALLS)  # benchmarks and tests of accuracy use other seeds
