"""Compiled kernels on disk: what was compiled before a kernel was edited is thrown away.

numba looks for changes in the outermost function's own file alone. The kernels here call kernels of other
files, so the old code would answer on.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import kernel.compiled
import positioning.kernels
import scenes.kernels
import scenes.tags.kernels

KERNELS: Final = (positioning.kernels, scenes.kernels, scenes.tags.kernels)
"""All packages of kernels; a kernel may call others of its own package alone, and is compiled
as ``kernel/compiled.py`` says."""


def forget_stale_kernels() -> None:
    """Look wherever numba may have put what it compiled of the kernels of this code."""
    for kernels in KERNELS:
        forget_older_than_source(Path(kernels.__path__[0]), Path(kernel.compiled.__file__))


def forget_older_than_source(folder: Path, *shared: Path) -> None:
    """Remove numba's indices of a folder's kernels that are older than any of its sources or of what they share."""
    edited_at = max(path.stat().st_mtime for path in (*folder.glob("*.py"), *shared))
    for cache in _caches_of(folder):
        for index in cache.glob("*.nbi"):
            with suppress(OSError):  # another process may be doing the same
                if index.stat().st_mtime < edited_at:
                    index.unlink()


def _caches_of(folder: Path) -> Iterator[Path]:
    """Beside the code; in ``NUMBA_CACHE_DIR``; where the code's folder may not be written, in the user's own.

    In the last two a folder stands for each folder of code, named after it; those of other installations are looked at
    too, which costs them a compilation at most.
    """
    yield folder / "__pycache__"
    for root in (os.environ.get("NUMBA_CACHE_DIR"), str(Path.home() / ".cache" / "numba")):
        if root:
            yield from Path(root).glob(f"{folder.name}_*")
