"""Fixtures that several packages' tests share: the public data sets, a small mall, a real server."""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.demo import store_mall
from runtime.home import open_home
from runtime.kernel_cache import forget_stale_kernels
from sim.layout import MallSpec
from sim.world import World, make_world
from tests.living_server import SCANS_PER_STORE, Living, copy_home, serve

_ROOT = Path(__file__).resolve().parent.parent
forget_stale_kernels()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets at ``$ATRIUM_SHARED``, else ``../shared``: ``<it>/data``.

    Absent data skips the test on a developer's machine and fails it in CI.
    """
    folder = Path(os.environ.get("ATRIUM_SHARED", _ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        message = f"the public data sets are not at {folder} (set ATRIUM_SHARED)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def xixi_dir(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Xixi Intime mall, unpacked: a folder holding B1, F1-F4."""
    target = tmp_path_factory.mktemp("xixi")
    with tarfile.open(shared_data / "xixi-intime" / "xixi-intime.tar.xz") as archive:
        archive.extractall(target, filter="data")
    return target / "xixi-intime"


@pytest.fixture(scope="session")
def small_world() -> World:
    """A simulated mall of one level: 20 stores, always the same."""
    return make_world(3, MallSpec(n_levels=1))


@pytest.fixture(scope="session")
def prepared_home(small_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which the small mall is imported, surveyed and trained; copy it before use."""
    folder = tmp_path_factory.mktemp("prepared")
    home = open_home(folder)
    store_mall(home, small_world.mall.archive, small_world.survey(scans_per_store=SCANS_PER_STORE), None)
    home.database.close()
    return folder


@pytest.fixture
def living(prepared_home: Path, small_world: World, tmp_path: Path) -> Iterator[Living]:
    """A real server on a fresh copy of the small mall."""
    with serve(copy_home(prepared_home, tmp_path / "home"), small_world) as running:
        yield running


@pytest.fixture(scope="module")
def living_module(
    prepared_home: Path, small_world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Living]:
    """Like ``living``, one for a whole file, for tests that leave nothing that another would trip over."""
    with serve(copy_home(prepared_home, tmp_path_factory.mktemp("module") / "home"), small_world) as running:
        yield running
