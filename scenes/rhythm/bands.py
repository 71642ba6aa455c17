"""How late somebody is by their own rhythm: elapsed over expected gap, in bands, and the moment that is told.

The return rate by this ratio peaks at 0.5-1 where there is a rhythm, halves by 1.5-2, and is 0.03 beyond 5
(``docs/algorithms/rhythm.md``).
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from scenes.rhythm.cadence import F64, I64, States, gap_counts, gap_sums_days, mean_gaps_days

_EDGES = (0.5, 1.0, 2.0, 5.0)
_PRIOR_GAPS = 3.0
"""A person's mean gap counts as so many gaps of the category's mean, beside their own."""
MIN_GAPS = 3
"""Fewer gaps are no habit, whatever their mean."""
MIN_P_ACTIVE = 0.5
"""Below, "gone" is likelier than "late"."""


class Band(StrEnum):
    """Where somebody stands in their cycle; ``UNKNOWN`` where the category has no rhythm or nobody came yet."""

    EARLY = "early"
    DUE = "due"
    OVERDUE = "overdue"
    AT_RISK = "at_risk"
    LAPSED = "lapsed"
    UNKNOWN = "unknown"


BANDS = tuple(Band)
"""What the numbers in an array of bands stand for."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """What ``rhythm.overdue`` tells of the people in ``row``, all (n_overdue,); ``expected_day`` is a local day."""

    row: I64
    expected_day: I64
    ratio: F64
    p_return_28d: F64
    p_active: F64

    def __len__(self) -> int:
        return len(self.row)


def mean_gap_of_all_days(states: States) -> float:
    """The mean over people of their own mean gap; NaN where nobody came twice."""
    known = states[gap_counts(states) > 0]
    return float(mean_gaps_days(known).mean()) if len(known) else float("nan")


def expected_gaps_days(states: States, mean_all_days: float) -> F64:
    """(n_people,) each person's mean gap, drawn to the category's: (x * mean + 3 * mean_all) / (x + 3)."""
    return (gap_sums_days(states) + _PRIOR_GAPS * mean_all_days) / (gap_counts(states) + _PRIOR_GAPS)


def gap_ratios(states: States, mean_all_days: float, at_day: int) -> F64:
    """(n_people,) elapsed over expected gap at the end of a local day; NaN for those who have not come."""
    elapsed = np.where(states["count"] > 0, at_day - states["last"].astype(np.int64), np.nan)
    ratios: F64 = elapsed / expected_gaps_days(states, mean_all_days)
    return ratios


def bands_of(ratios: F64) -> NDArray[np.int8]:
    """(n_people,) places in ``BANDS``; a ratio on an edge belongs to the earlier band, NaN to none."""
    found = np.searchsorted(_EDGES, ratios, side="left").astype(np.int8)
    found[np.isnan(ratios)] = BANDS.index(Band.UNKNOWN)
    return found


def are_overdue(states: States, ratios: F64, p_active: F64) -> NDArray[np.bool_]:
    """(n_people,) whether each is late by a habit of at least three gaps, and likelier late than gone."""
    late: NDArray[np.bool_] = (ratios > 1.0) & (p_active > MIN_P_ACTIVE) & (gap_counts(states) >= MIN_GAPS)
    return late


def mark_told(states: States, row: I64) -> States:
    """The states once "overdue" has been told of these people: no more of it until they come again."""
    told = states.copy()
    told["told"][row] = told["last"][row]
    return told
