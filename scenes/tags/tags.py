"""Which tags hold at a day, and what changed since it was last settled: ``tag.added`` and ``tag.removed``.

A tag is added at one threshold and stays down to a lower one, so that a score near the border does not flicker. What is
held is part of the record: ``tags_of`` only reads it, ``settle`` writes it and tells the difference, once.
"""

from dataclasses import dataclass

import numpy as np

from scenes.tags.kernels.layout import I64, Rows
from scenes.tags.kernels.tags import MOST_TAGS, list_tags
from scenes.tags.kernels.thresholds import pack
from scenes.tags.names import BANDS, NAMES, STAGES, WEEKDAYS, TagName
from scenes.tags.places import TagPlaces
from scenes.tags.record import TagStates, check_people
from scenes.tags.rules import TagRules
from scenes.tags.shares import MallShares
from scenes.tags.stage import StageTables

TAG = np.dtype(
    [
        ("person", "i4"), ("subject", "i4"), ("evidence_n", "i4"), ("score", "f4"), ("expires_day", "f8"),
        ("name", "u1"), ("slot", "u1"), ("was_held", "u1"), ("holds", "u1"), ("spare", "u1", 4),
    ]
)  # fmt: skip
"""One tag of one person. ``name`` indexes ``names.NAMES``; ``subject`` is the number of a category, brand, level,
weekday or hour band, of a stage 8 x category + stage, -1 for none; ``evidence_n`` is visits, days or entries; ``score``
0 to 1; ``expires_day`` (days since 1970, with a fraction) is when decay alone ends it."""
_PEOPLE_AT_ONCE = 2_048


@dataclass(frozen=True, slots=True)
class TagContext:
    """What tags are judged by, together."""

    places: TagPlaces
    shares: MallShares
    rules: TagRules
    stages: StageTables

    def __post_init__(self) -> None:
        found = (len(self.shares.category), len(self.shares.brand), len(self.shares.level))
        known = (self.places.n_categories, self.places.n_brands, self.places.n_levels)
        if found != known:
            raise ValueError(f"expected shares of {known} categories, brands and levels, found {found}")


def tags_of(states: TagStates, person: I64, day: float, context: TagContext) -> Rows:
    """Rows of ``TAG`` of the tags that hold for these people at a day; nothing is written.

    A stage is among them only where the last settling held it or there is evidence of its category this very day.

    Args:
        person: (n,) rows of the states.
        day: days since 1970, with a fraction; no earlier than what was learnt, or the future is looked into.
    """
    rows = _list(states, person, day, context, settles=False)
    holding: Rows = rows[rows["holds"] == 1]
    return holding


def settle(states: TagStates, person: I64, day: float, context: TagContext) -> Rows:
    """Rows of ``TAG`` whose holding changed, and hold what holds from now on; a second call tells nothing.

    ``holds`` 1 is a ``tag.added``, 0 a ``tag.removed``. To be called for the people of a batch after ``learn``, and
    for everybody once a day, for what ends by time alone.
    """
    rows = _list(states, person, day, context, settles=True)
    changed: Rows = rows[rows["holds"] != rows["was_held"]]
    return changed


def _list(states: TagStates, person: I64, day: float, context: TagContext, *, settles: bool) -> Rows:
    check_people(states, person)
    found = []
    rules, places, shares = context.rules, context.places, context.shares
    if states.half_life_days != rules.half_life_days:
        raise ValueError(f"records of half-life {states.half_life_days} d, rules of {rules.half_life_days} d")
    for first in range(0, len(person), _PEOPLE_AT_ONCE):
        some = np.asarray(person[first : first + _PEOPLE_AT_ONCE], dtype=np.int64)
        out = np.empty(len(some) * MOST_TAGS, dtype=TAG)
        n = list_tags(
            states.words,
            states.floats,
            some,
            float(day),
            pack(rules),
            shares.category,
            shares.brand,
            places.category_of_brand,
            shares.weekday,
            shares.band,
            shares.level,
            places.has_stage,
            context.stages.later,
            context.stages.prior,
            context.stages.chance,
            settles,
            out,
        )
        found.append(out[:n].copy())
    return np.concatenate(found) if found else np.empty(0, dtype=TAG)


def subject_of(name: TagName, subject: int) -> str | int | None:
    """A subject in words where it has any: ``friday``, ``evening``; a category's, brand's or level's number; else None.

    >>> subject_of(TagName.WEEKDAY_HABIT, 4)
    'friday'
    """
    if name is TagName.WEEKDAY_HABIT:
        return WEEKDAYS[subject]
    if name is TagName.ARRIVAL_HABIT:
        return BANDS[subject].value
    if name is TagName.STAGE:
        return f"{subject >> 3}:{STAGES[subject & 7].value}"
    return None if subject < 0 else subject


def name_of(number: int) -> TagName:
    """The tag of a row's ``name``."""
    return NAMES[number]
