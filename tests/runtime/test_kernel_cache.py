"""Compiled kernels that are older than any kernel's source are not used again."""

import os
import re
from pathlib import Path

import pytest

import runtime
from runtime.kernel_cache import KERNELS, forget_older_than_source


def test_what_was_compiled_before_the_last_edit_is_forgotten(tmp_path: Path) -> None:
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    for name, at_s in (("old.nbi", 100), ("data.nbc", 100), ("new.nbi", 300)):
        (cache / name).touch()
        os.utime(cache / name, (at_s, at_s))
    for name, at_s in (("one.py", 50), ("two.py", 200)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (at_s, at_s))
    forget_older_than_source(tmp_path)
    assert sorted(path.name for path in cache.iterdir()) == ["data.nbc", "new.nbi"]


def test_so_it_is_where_numba_was_told_to_keep_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = tmp_path / "kernels", tmp_path / "cache" / "kernels_0123abcd"
    for made in (folder, cache):
        made.mkdir(parents=True)
    (folder / "one.py").touch()
    (cache / "old.nbi").touch()
    os.utime(cache / "old.nbi", (100, 100))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    forget_older_than_source(folder)
    assert list(cache.iterdir()) == []


def test_every_kernel_lies_where_stale_ones_are_forgotten() -> None:
    root = Path(runtime.__path__[0]).parent
    looked_at = {Path(kernels.__path__[0]) for kernels in KERNELS}
    compiled = {
        path.parent
        for package in ("positioning", "scenes", "fingerprints", "campaigns", "flow", "runtime")
        for path in (root / package).rglob("*.py")
        if re.search(r"^@(compiled|fused|njit|numba)", path.read_text(), re.MULTILINE)
    }
    assert compiled == looked_at
