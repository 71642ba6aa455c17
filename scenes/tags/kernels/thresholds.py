"""The order in which the kernels take the thresholds of ``rules.TagRules``."""

import math

import numpy as np

from scenes.tags.kernels.layout import F64
from scenes.tags.rules import TagRules

HALF_LIFE, PRIOR_VISITS, MIN_VISITS, MIN_DAYS, ADD_LIFT, KEEP_LIFT, LOG_RATIO, KEEP_LOG_RATIO, PRIOR_DWELL = range(9)
WEEKLY_GAP, MONTHLY_GAP, KEEP_GAP, NEW_DAYS, RECENT_DAYS, LOYAL_GAP, LOYAL_DAYS = range(9, 16)
LAPSING_FACTOR, LAPSING_FLOOR, LAPSING_UNTIL, MIN_STAGE, KEEP_STAGE = range(16, 21)


def pack(rules: TagRules) -> F64:
    """(21,) the thresholds; ratios of stays as logarithms."""
    return np.array(
        [
            rules.half_life_days,
            rules.prior_visits,
            rules.min_visits,
            rules.min_days,
            rules.add_lift,
            rules.keep_lift,
            math.log(rules.long_ratio),
            math.log(rules.keep_long_ratio),
            rules.dwell_prior,
            rules.weekly_gap_days,
            rules.monthly_gap_days,
            rules.keep_gap_factor,
            rules.new_days,
            rules.recent_days,
            rules.loyal_gap_days,
            rules.loyal_days,
            rules.lapsing_factor,
            rules.lapsing_floor_days,
            rules.lapsing_until_days,
            rules.min_stage,
            rules.keep_stage,
        ],
        dtype=np.float64,
    )
