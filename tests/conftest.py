"""Fixtures that several packages' tests share: the public data sets, unpacked once a run."""

import os
import tarfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent


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
