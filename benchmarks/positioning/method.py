"""What a method of the bench implements, and what it answers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from positioning.radio_map import F64, I32

if TYPE_CHECKING:  # arrays.py needs Answers
    from benchmarks.positioning.arrays import ScanArrays, SurveyArrays


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to n scans in the survey's numbers; what a method cannot give stays None, and its figures empty.

    Args:
        level: (n,) index into the radio map's levels; -1 for no answer, which is wrong in every share.
        xy_m: (n, 2) places in the venue frame; NaN for no answer.
        store: (n, any number) stores, the likeliest first; -1 for none.
        probability: of the stores, in their order; None for a method that claims none.
        level_probability: (n,) that the level is right; it is judged where there are no stores.
    """

    level: I32 | None = None
    xy_m: F64 | None = None
    store: I32 | None = None
    probability: F64 | None = None
    level_probability: F64 | None = None


class Method(Protocol):
    """A locator on the bench: made anew for each seed, fitted once, asked once.

    ``has_chance`` says whether the seed matters; only then is it run with several.
    """

    name: ClassVar[str]
    has_chance: ClassVar[bool]

    def __init__(self, seed: int) -> None: ...

    def fit(self, survey: "SurveyArrays") -> None:
        """Learn from the survey; the test is not there to be seen."""

    def answer(self, scans: "ScanArrays") -> Answers:
        """Answer scans, each by itself."""
