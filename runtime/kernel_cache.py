"""Compiled kernels on disk: what was compiled before a kernel was edited is thrown away.

numba looks for changes in the outermost function's own file alone. The kernels of positioning call kernels of other
files, so the old code would answer on.
"""

from contextlib import suppress
from pathlib import Path

import positioning.kernels


def forget_stale_kernels() -> None:
    """Look at the kernels beside this code; where nothing may be written, nothing is edited either."""
    forget_older_than_source(Path(positioning.kernels.__path__[0]))


def forget_older_than_source(folder: Path) -> None:
    """Remove numba's indices in a folder's cache that are older than any of its sources."""
    edited_at = max(path.stat().st_mtime for path in folder.glob("*.py"))
    for index in (folder / "__pycache__").glob("*.nbi"):
        with suppress(OSError):  # another process may be doing the same
            if index.stat().st_mtime < edited_at:
                index.unlink()
