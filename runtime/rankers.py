"""The rankers that ship with the package, in ``positioning/models``."""

from importlib.resources import files

from positioning.errors import RankerError
from positioning.ranker import Ranker, ranker_from_bytes

SHIPPED, SIMULATED_ONLY = "ranker", "ranker-simulated"
"""The ranker that serves, and one that never saw UJIIndoorLoc, for figures on that set."""


def load_ranker(name: str = SHIPPED) -> Ranker:
    """A ranker that ships with the package.

    Raises:
        RankerError: there is none of this name, or it is damaged.
    """
    path = files("positioning") / "models" / f"{name}.npz"
    if not path.is_file():
        raise RankerError(f"no ranker {name!r} in the package")
    return ranker_from_bytes(path.read_bytes())
