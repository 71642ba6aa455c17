"""The rankers that ship with the package, in ``positioning/models``."""

from collections.abc import Sequence
from importlib.resources import files

from positioning.errors import RankerError
from positioning.full import FullLocator
from positioning.light import LightLocator
from positioning.model import VenueModel
from positioning.ranker import Ranker, ranker_from_bytes
from runtime.settings import LocatorKind

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


def make_locator(models: Sequence[VenueModel], kind: LocatorKind) -> LightLocator:
    """The locator of this kind over these models.

    Raises:
        RankerError: the full one cannot be had of a model: it was trained for another ranker, or before there was one.
    """
    return FullLocator(models, load_ranker()) if kind == "full" else LightLocator(models)


def name_ranker(ranker: Ranker) -> str:
    """Hash and training sets, for reports."""
    return f"{ranker.sha256} trained on {', '.join(ranker.trained_on)}"
