"""Every threshold of the tags, with its unit and its reason; read from TOML by ``parse_tag_rules``."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from scenes.errors import RulesError


@dataclass(frozen=True, slots=True)
class TagRules:
    """When a tag is added and when it is removed; ``keep_*`` is the lower threshold at which a held tag stays.

    Args:
        half_life_days: after which a visit weighs half (project's research on scenes, section 9). Part of the records:
            records made with another one cannot be read with these rules.
        full_dwell_s: a stay this long weighs 1, a shorter one its share of this. Longer stays weigh no more: in a
            simulated half-year plain counts found more favourites than minutes did (docs/algorithms/tags.md).
        prior_visits: how many visits the mall-wide rate counts as in a person's share (a Beta prior).
        min_visits, min_days: of evidence that any preference or habit needs (research, section 9).
        add_lift, keep_lift: shrunk share against the mall-wide one (research, section 9; the lower one is ours).
        long_ratio, keep_long_ratio: of stays to their category's base, for ``dwell_long``; its inverse for short.
        dwell_prior: stays of base length that are added to the mean.
        weekly_gap_days, monthly_gap_days: mean gap between days of visit up to which they are weekly, monthly.
        keep_gap_factor: a held frequency or ``loyal`` stays up to a gap this much longer.
        new_days: since a first and only day of visit.
        recent_days: since the last.
        loyal_gap_days, loyal_days: at most this mean gap over at least so many days of visit.
        lapsing_factor, lapsing_floor_days: lapsing when away for this many own gaps, and never before the floor.
        lapsing_until_days: after which somebody is gone and not lapsing.
        long_visit_ratio: a visit this many times the base is a long one for stages.
        min_frontage_s: a shorter pass is not one.
        min_stage: least probability at which a stage is told.
        keep_stage: and at which it stays.
    """

    half_life_days: int = 60
    full_dwell_s: float = 180.0
    prior_visits: float = 5.0
    min_visits: int = 3
    min_days: int = 2
    add_lift: float = 1.5
    keep_lift: float = 1.3
    long_ratio: float = 1.5
    keep_long_ratio: float = 1.3
    dwell_prior: float = 3.0
    weekly_gap_days: float = 9.0
    monthly_gap_days: float = 35.0
    keep_gap_factor: float = 1.25
    new_days: float = 30.0
    recent_days: float = 14.0
    loyal_gap_days: float = 12.0
    loyal_days: int = 8
    lapsing_factor: float = 2.5
    lapsing_floor_days: float = 21.0
    lapsing_until_days: float = 365.0
    long_visit_ratio: float = 1.5
    min_frontage_s: float = 3.0
    min_stage: float = 0.4
    keep_stage: float = 0.3

    def __post_init__(self) -> None:
        if self.half_life_days < 1 or self.min_visits < 1 or self.min_days < 1:
            raise RulesError("half_life_days, min_visits and min_days are at least 1")
        for kept, added in (("keep_lift", "add_lift"), ("keep_long_ratio", "long_ratio"), ("keep_stage", "min_stage")):
            if getattr(self, kept) > getattr(self, added):
                raise RulesError(f"expected {kept} <= {added}, found {getattr(self, kept)} > {getattr(self, added)}")
        if self.keep_lift <= 1.0 or self.keep_long_ratio <= 1.0 or self.keep_gap_factor < 1.0:
            raise RulesError("keep_lift and keep_long_ratio are over 1, keep_gap_factor is at least 1")
        if min(self.full_dwell_s, self.prior_visits, self.dwell_prior, self.weekly_gap_days) <= 0.0:
            raise RulesError("full_dwell_s, prior_visits, dwell_prior and weekly_gap_days are over 0")


def parse_tag_rules(table: Mapping[str, Any]) -> TagRules:
    """Read rules from a parsed TOML table; what is not named keeps its default.

    >>> parse_tag_rules({"add_lift": 2.0}).add_lift
    2.0

    Raises:
        RulesError: an unknown key, not a number, or a value out of range; names the key.
    """
    kinds = {field.name: type(field.default) for field in fields(TagRules)}
    for key, value in table.items():
        if key not in kinds:
            raise RulesError(f"unknown key {key!r}; known are {', '.join(sorted(kinds))}")
        allowed = (int,) if kinds[key] is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise RulesError(f"{key}: expected a number, found {value!r}")
        if not 0.0 <= value <= 1e6:
            raise RulesError(f"{key}: expected a number within 0..1e6, found {value!r}")
    return TagRules(**table)
