"""May a candidate model serve? Both models answer confirmed scans of other days; no group of stores may lose."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from kernel.ids import StoreId
from positioning.confirmed import ConfirmedScan
from positioning.labels import LabelCheck
from positioning.ports import Locator
from positioning.position import Located
from positioning.radio_map import F64, I32

LEAST_SCANS = 30
"""Confirmed scans by which a group can be judged."""
MOST_LOST = 0.01
"""Share of right answers that a group may lose."""
Verdict = Literal["gains", "holds", "loses", "too few scans"]


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """Shares of the confirmed scans whose store came first, of both models on the same scans.

    ``interval`` is of the gain, 95 % by groups of scans that err together; None where none was judged.
    """

    name: str
    n: int
    present: float | None
    candidate: float | None
    gain: float | None
    interval: tuple[float, float] | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Promotion:
    """The decision, with its reason; ``groups`` are the refreshed stores, the others, and the levels."""

    is_promoted: bool
    reason: str
    groups: tuple[GroupFigures, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "is_promoted": self.is_promoted,
            "reason": self.reason,
            "groups": [{name: getattr(group, name) for name in GroupFigures.__slots__} for group in self.groups],
        }


def judge_candidate(
    present: Locator,
    candidate: Locator,
    judged: Sequence[ConfirmedScan],
    *,
    labels: LabelCheck,
    refreshed: Set[StoreId],
    level_of: dict[StoreId, str],
) -> Promotion:
    """Compare both on confirmed scans that the candidate has not seen; a batch whose labels are refused decides it.

    A group loses where more than ``MOST_LOST`` of its answers are worse on balance, a level only where that is more
    than a standard error, since levels are small; a level with too few scans to judge where it loses beyond any chance.
    Stores that were not refreshed must be judged: they are in danger.

    Args:
        judged: of days that the candidate was not healed with.
        refreshed: stores with confirmed scans in the candidate.
        level_of: each store of the venue and its level.
    """
    usable = [item for item in judged if item.store_id in level_of]
    scans = [item.scan for item in usable]
    was, now = (_is_right(locator.locate(scans), usable) for locator in (present, candidate))
    group = np.unique([item.group for item in usable], return_inverse=True)[1].astype(np.int32)
    is_fresh = np.array([item.store_id in refreshed for item in usable], dtype=np.bool_)
    level = np.array([level_of[item.store_id] for item in usable], dtype=object)
    figures: list[GroupFigures] = []
    for name, at in (("refreshed stores", is_fresh), ("other stores", ~is_fresh)):
        figures.append(_compare(name, was[at], now[at], group[at], is_small=False))
    figures += [
        _compare(f"level {name}", was[level == name], now[level == name], group[level == name], is_small=True)
        for name in sorted(set(level_of.values()))
    ]
    others = set(level_of) - set(refreshed)
    return Promotion(*_decide(figures, labels, bool(refreshed), bool(others)), tuple(figures))


def _decide(
    figures: Sequence[GroupFigures], labels: LabelCheck, has_refreshed: bool, has_others: bool
) -> tuple[bool, str]:
    if labels.reason is not None:
        return False, f"the confirmed scans cannot be believed: {labels.reason}"
    for group, exists in zip(figures[:2], (has_refreshed, has_others), strict=True):
        if exists and group.verdict == "too few scans":
            return False, f"{group.name}: {group.n} confirmed scans of other days, {LEAST_SCANS} are needed to judge"
    lost = [group for group in figures if group.verdict == "loses"]
    if lost:
        told = "; ".join(f"{g.name} {g.gain:+.1%} of {g.n} scans" for g in lost if g.gain is not None)
        return False, f"a group of stores would lose: {told}"
    return True, "no group of stores loses"


def _compare(name: str, was: F64, now: F64, group: I32, *, is_small: bool) -> GroupFigures:
    n = len(was)
    if n == 0:
        return GroupFigures(name, 0, None, None, None, None, "too few scans")
    gain = float((now - was).mean())
    error = _standard_error(now - was, group)
    verdict: Verdict = "holds"
    if n < LEAST_SCANS:
        is_plain = is_small and gain < -MOST_LOST - 1.96 * max(error, 0.5 / np.sqrt(n))
        verdict = "loses" if is_plain else "too few scans"
    elif gain < -MOST_LOST - (error if is_small else 0.0):
        verdict = "loses"
    elif gain > 1.96 * error:
        verdict = "gains"
    interval = (gain - 1.96 * error, gain + 1.96 * error)
    return GroupFigures(name, n, float(was.mean()), float(now.mean()), gain, interval, verdict)


def _standard_error(values: F64, group: I32) -> float:
    """Of the mean, where the values of a group err together."""
    off = np.bincount(group, weights=values - values.mean())
    n_groups = len(np.unique(group))
    if n_groups < 2:
        return float(values.std() / np.sqrt(len(values)))
    return float(np.sqrt(n_groups / (n_groups - 1) * np.sum(off**2)) / len(values))


def _is_right(answers: Sequence[Located], truth: Sequence[ConfirmedScan]) -> F64:
    return np.array(
        [
            answer.position is not None
            and bool(answer.position.candidates)
            and answer.position.candidates[0].store_id == item.store_id
            for answer, item in zip(answers, truth, strict=True)
        ],
        dtype=np.float64,
    )
