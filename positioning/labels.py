"""Whether confirmed scans can be believed: what they say beside what the present model thinks possible."""

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, norm

from kernel.ids import StoreId
from positioning.confirmed import ConfirmedScan
from positioning.position import Located

FAR_SHARE = 0.03
"""Labels that the present model does not list at all, of honest ones at most."""
SURE_FROM = 0.9
SURE_SLACK = 0.06
"""What the agreement of sure answers may fall short of their claim: radios have changed, the present model is older."""
_CHANCE = 0.01
"""Of refusing an honest batch by the luck of the draw."""


@dataclass(frozen=True, slots=True)
class LabelCheck:
    """Agreement of a batch of labels with the present model.

    Args:
        n: labels of the venue's stores.
        far_share: of them, those that name a store the answer does not list (all over 0.0005 are), or whose scan the
            present model cannot place at all: radio of another mall would else kill all radios of this one.
        n_sure: scans whose first candidate has 0.9 or more; ``sure_claimed`` the mean of that, ``sure_agreed`` the
            share whose label names it. None where there are none.
        reason: why the batch is refused; None where it can be believed.
    """

    n: int
    far_share: float
    n_sure: int
    sure_claimed: float | None
    sure_agreed: float | None
    reason: str | None


def check_labels(confirmed: Sequence[ConfirmedScan], answered: Sequence[Located], known: Set[StoreId]) -> LabelCheck:
    """Compare labels with answers; those of stores that the venue has not are left out."""
    first, agrees, listed = [], [], []
    for item, answer in zip(confirmed, answered, strict=True):
        if item.store_id not in known:
            continue
        candidates = () if answer.position is None else answer.position.candidates
        first.append(candidates[0].probability if candidates else 0.0)
        agrees.append(bool(candidates) and candidates[0].store_id == item.store_id)
        listed.append(any(candidate.store_id == item.store_id for candidate in candidates))
    n = len(first)
    if n == 0:
        return LabelCheck(0, 0.0, 0, None, None, None)
    claimed, agreed = np.array(first), np.array(agrees)
    n_far = n - sum(listed)
    sure = claimed >= SURE_FROM
    n_sure = int(sure.sum())
    sure_claimed = float(claimed[sure].mean()) if n_sure else None
    sure_agreed = float(agreed[sure].mean()) if n_sure else None
    reason = None
    if n_far > binom.ppf(1.0 - _CHANCE, n, FAR_SHARE):
        reason = (
            f"{n_far} of {n} confirmed scans name a store that the present model does not think possible "
            f"({n_far / n:.1%}, of honest labels {FAR_SHARE:.0%} at most)"
        )
    elif sure_claimed is not None and sure_agreed is not None:
        expected = sure_claimed - SURE_SLACK
        by_chance = float(norm.ppf(1.0 - _CHANCE) * np.sqrt(expected * (1.0 - expected) / n_sure))
        if sure_agreed < expected - by_chance:
            reason = (
                f"of {n_sure} confirmed scans that the present model is sure of, {sure_agreed:.1%} name its store, "
                f"where at least {expected - by_chance:.1%} was expected"
            )
    return LabelCheck(n, n_far / n, n_sure, sure_claimed, sure_agreed, reason)
