"""Is there a rhythm at all? The gamma shape of the gaps between visits of one category, over its people.

Shape 1 is no memory: how long ago somebody came says nothing of when they come next. Greater is more regular.

Of two gaps of one person that follow each other, g and h, the share g / (g + h) is Beta(k, k) whatever the person's
rate, and ((g - h) / (g + h))^2 has the mean 1 / (2k + 1). There is no rate to estimate, so few gaps are no bias; what
the log's end or dropping out cut off is no part of a pair; and a pause weighs no more than 1 in two of the pairs, where
squared variation over all gaps would let it decide (docs/algorithms/rhythm.md).

Source: Wheat and Morrison, "Estimating purchase regularity with two interpurchase times", Journal of Marketing
Research 27(1), 1990. Where we differ: every pair of a person, not one; and the square's denominator is that of whole
days, s (s - 2) with s = g + h, without which short gaps look regular merely because a day counts once.
"""

from dataclasses import dataclass

import numpy as np

from scenes.rhythm.cadence import UNEVENNESS_UNIT, States, pair_counts
from scenes.rhythm.errors import TooFewVisitsError

MIN_PEOPLE = 50
"""With a pair of gaps; with one pair each, the interval at shape 1 is then 0.7 to 1.5."""
RHYTHM_SHAPE = 1.25
"""The interval must lie above: a shape that changes what a gap says, not one that is merely not 1."""
_Z95 = 1.96
_LEAST = 1e-6
"""Unevenness under which gaps are clockwork; the shape ends at 5e5."""


@dataclass(frozen=True, slots=True)
class Regularity:
    """The pooled shape with its 95 % interval, by people, and how many people and pairs of gaps it stands on."""

    shape: float
    low: float
    high: float
    n_people: int
    n_pairs: int

    @property
    def has_rhythm(self) -> bool:
        """Whether the category's visits keep time well enough that being late means something."""
        return self.low > RHYTHM_SHAPE


def estimate_regularity(states: States) -> Regularity:
    """Estimate the gamma shape of the gaps within people; each pair counts once, people are what varies.

    Raises:
        TooFewVisitsError: fewer than 50 people with two gaps.
    """
    known = states[pair_counts(states) > 0]
    if len(known) < MIN_PEOPLE:
        raise TooFewVisitsError("people with two gaps", MIN_PEOPLE, len(known))
    pairs, uneven = pair_counts(known), known["unevenness"] * UNEVENNESS_UNIT
    mean = float(uneven.sum() / pairs.sum())
    spread = _Z95 * float(np.sqrt(((uneven - mean * pairs) ** 2).sum())) / float(pairs.sum())
    shape, low, high = (_shape_of(mean + way * spread) for way in (0.0, 1.0, -1.0))
    return Regularity(shape, low, high, len(known), int(pairs.sum()))


def _shape_of(mean_unevenness: float) -> float:
    """The shape whose pairs are so uneven in the mean; at 1 they are as uneven as can be, and it is 0."""
    return 0.5 * (1.0 / min(max(mean_unevenness, _LEAST), 1.0) - 1.0)
