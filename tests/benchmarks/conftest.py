"""A small simulated survey as the bench reads it."""

import importlib.util
import json
import os
from pathlib import Path

import pytest

from benchmarks.positioning.splits import Split, split_by_walk
from fingerprints.wire import scan_to_json
from sim.world import World


@pytest.fixture(scope="session")
def split(small_world: World) -> Split:
    """About 900 scans of 20 stores and their corridor, a fifth of the walks held out."""
    return split_by_walk(small_world.survey(scans_per_store=24), "survey.ndjson")


@pytest.fixture(scope="session")
def labelled_file(small_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same survey as a file."""
    path = tmp_path_factory.mktemp("bench") / "survey.ndjson"
    survey = small_world.survey(scans_per_store=24)
    path.write_text("".join(json.dumps(scan_to_json(s.scan, s.truth, s.walk)) + "\n" for s in survey))
    return path


@pytest.fixture
def needs_lightgbm() -> None:
    """Absent LightGBM skips the test on a developer's machine and fails it in CI."""
    if importlib.util.find_spec("lightgbm") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("lightgbm is not installed (extra test)")
        pytest.skip("lightgbm is not installed (extra test)")
