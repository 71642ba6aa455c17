"""What is held out of a survey to learn what answers are worth, and the held-out answers themselves.

Scans are held out by walk: scans of one walk are near copies. Where a store was walked once, that takes the whole store
out of the map: the scan's true store then never gets a vote, the calibration learns that votes for a store speak
against it, and the locator falls under the plain reference without a sign (docs/algorithms/positioning.md). Such walks
are cut into pieces, each held out by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from positioning.radio_map import F64, I32, I64

THIN_SHARE = 0.5
"""Share of the inside scans whose store no other walk entered, from which a survey is thin."""
_N_PIECES = 3
"""Pieces of a store's only walk: two thirds stay on the map. Two and three did alike on simulated malls."""


@dataclass(frozen=True, slots=True)
class HoldOut:
    """What each survey scan is held out with: (n_map,) numbers; and the share of inside scans that stand alone."""

    group: I32
    only_walk_share: float

    @property
    def is_thin(self) -> bool:
        """Whether holding out by walk says little of the stores."""
        return self.only_walk_share > THIN_SHARE


def plan_hold_out(walk: I32, inside: I32) -> HoldOut:
    """Hold out by walk; in a thin survey, the only walk in a store by pieces in the order of the survey.

    Args:
        walk: (n_map,) number of each scan's walk.
        inside: (n_map,) the store around each scan, -1 for none.
    """
    group = walk.copy()
    fresh = int(walk.max(initial=-1)) + 1
    n_alone = 0
    for store in np.unique(inside[inside >= 0]):
        at = np.flatnonzero(inside == store)
        if len(np.unique(walk[at])) > 1:
            continue
        n_alone += len(at)
        for piece in np.array_split(at, min(_N_PIECES, len(at))):
            group[piece] = fresh
            fresh += 1
    share = n_alone / max(int((inside >= 0).sum()), 1)
    plan = HoldOut(group, share)
    return plan if plan.is_thin else HoldOut(walk, share)


@dataclass(frozen=True, slots=True)
class HeldOutAnswers:
    """Answers to n survey scans, each without its own walk and by a calibration that did not see it, beside the truth.

    Args:
        scan: the radio map's number of the scan.
        walk: the walk it came from.
        level: the true level, an index into the radio map's levels; ``answered_level`` the answer's.
        xy_m, answered_xy_m: the true place and the answer's.
        front: the true store before or around it, an index into the venue's stores, -1 for none; ``inside`` likewise.
        store: (n, 20) candidates, best first, -1 for none, with their ``probability``.
        nearest_m: to the nearest survey scan of the level that was not held out; inf for none.
    """

    scan: I64
    walk: I32
    level: I32
    answered_level: I32
    xy_m: F64
    answered_xy_m: F64
    accuracy_m: F64
    front: I32
    inside: I32
    store: I32
    probability: F64
    nearest_m: F64

    @property
    def error_m(self) -> F64:
        error_m: F64 = np.linalg.norm(self.answered_xy_m - self.xy_m, axis=1)
        return error_m

    @property
    def is_level_right(self) -> NDArray[np.bool_]:
        is_right: NDArray[np.bool_] = self.level == self.answered_level
        return is_right


def join_answers(parts: Sequence[HeldOutAnswers]) -> HeldOutAnswers:
    """All parts in one, in order."""
    names = HeldOutAnswers.__slots__
    return HeldOutAnswers(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
