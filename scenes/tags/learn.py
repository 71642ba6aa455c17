"""Take closed visits, passes and purchases into records of tags, and out of them again when they are revised."""

import numpy as np

from scenes.tags.kernels.layout import MOST_DAY, PURCHASE, Rows
from scenes.tags.kernels.learn import learn_rows
from scenes.tags.places import TagPlaces
from scenes.tags.record import CLOSED, TagStates, check_people
from scenes.tags.rules import TagRules


def learn(states: TagStates, closed: Rows, places: TagPlaces, rules: TagRules) -> int:
    """Learn rows of ``record.CLOSED`` in any order; writes into ``states``.

    Rows of people who are not admitted, of sensitive places, and visits that did not count leave no trace. Telling a
    row twice counts it twice: the caller tells each visit once, at its exit.

    Returns:
        How many rows were taken.

    Raises:
        ValueError: rows of another type, or a number that the tables do not know.
    """
    return _learn(states, closed, places, rules, 1)


def unlearn(states: TagStates, closed: Rows, places: TagPlaces, rules: TagRules) -> int:
    """Take back rows that were learnt, as when a visit is revised or voided; the same rows, in any order.

    Sums and counts are then as if never learnt, to rounding. What a bounded list had dropped for them stays dropped.
    """
    return _learn(states, closed, places, rules, -1)


def _learn(states: TagStates, closed: Rows, places: TagPlaces, rules: TagRules, sign: int) -> int:
    _check(states, closed, places, rules)
    return learn_rows(
        states.words,
        states.floats,
        closed,
        places.is_sensitive_store,
        places.is_sensitive_category,
        places.base_dwell_s,
        places.has_stage,
        rules.half_life_days,
        rules.full_dwell_s,
        rules.long_visit_ratio,
        rules.min_frontage_s,
        sign,
    )


def _check(states: TagStates, closed: Rows, places: TagPlaces, rules: TagRules) -> None:
    if closed.dtype != CLOSED or closed.ndim != 1:
        raise ValueError(f"expected rows of {CLOSED}, found {closed.dtype} of {closed.shape}")
    if states.half_life_days != rules.half_life_days:
        raise ValueError(f"records of half-life {states.half_life_days} d, rules of {rules.half_life_days} d")
    if len(closed) == 0:
        return
    limits = {
        "store": len(places.is_sensitive_store),
        "category": places.n_categories,
        "brand": places.n_brands,
        "level": places.n_levels,
        "kind": PURCHASE + 1,
    }
    for name, most in limits.items():
        if int(closed[name].max()) >= most:
            raise ValueError(f"expected {name} below {most}, found {int(closed[name].max())}")
    check_people(states, closed["person"])
    if int(closed["kind"].min()) < 0 or int(closed["day"].min()) < 1 or int(closed["day"].max()) > MOST_DAY:
        raise ValueError(f"expected kinds from 0 on and days within 1..{MOST_DAY}")
    if bool(((closed["hour"] < 0) | (closed["hour"] > 23)).any()):
        raise ValueError("expected hours within 0..23")


def empty_rows(n: int) -> Rows:
    """Rows to be filled: counted store visits with no store, category, brand or level yet."""
    rows = np.zeros(n, dtype=CLOSED)
    for name in ("store", "level", "category", "brand"):
        rows[name] = -1
    rows["is_counted"] = 1
    return rows
