"""The compiled inner loops: float32, single thread, without the GIL, kept compiled on disk.

fastmath is limited to contraction: reassociation would make a sum depend on how a loop was vectorised, and the same
scan must get the same answer in any batch.

numba looks for changes in the outermost function's own file alone. Kernels here call kernels of other files, so after
an edit all that was compiled before it is thrown away, else the old code would answer on.
"""

from contextlib import suppress
from pathlib import Path


def forget_older_than_source(folder: Path) -> None:
    """Without write access, as in an installed package, nothing is edited either."""
    edited_at = max(path.stat().st_mtime for path in folder.glob("*.py"))
    for index in (folder / "__pycache__").glob("*.nbi"):
        with suppress(OSError):  # another process may be doing the same
            if index.stat().st_mtime < edited_at:
                index.unlink()


forget_older_than_source(Path(__file__).parent)
