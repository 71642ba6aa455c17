"""Every threshold of the scene engine, with its unit and its reason; read from TOML by ``parse_rules``."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from scenes.errors import RulesError


class PlaceKind(StrEnum):
    """The kinds of place a visit can be at; a visit of one kind stands inside one of the next."""

    STORE = "store"
    LEVEL = "level"
    VENUE = "venue"


@dataclass(frozen=True, slots=True)
class VisitRule:
    """When a visit of one kind of place begins, counts and ends.

    Args:
        k: fixes at the place, among the last ``n``, that confirm it. 3 of 5 gives precision 0.990 and recall
            0.998 where one fix in ten names a wrong store (research on simulated visits, independent errors).
        n: how many of the phone's last fixes are looked at.
        window: fixes older than this confirm nothing.
        min_evidence: a fix speaks for a store only if ``in_store`` x probability reaches this.
        min_dwell: a shorter stay closes as not counted: it is in no footfall.
        leave_gap: an open visit ends when no fix was inside for this long.
        merge_gap: coming back within this, with no visit of the kind elsewhere in between, continues the visit
            and triggers nothing new.
        dwell_marks: stays at which ``visit.dwelled`` fires, once each.
    """

    k: int
    n: int
    min_dwell: timedelta
    merge_gap: timedelta
    window: timedelta = timedelta(seconds=300)
    leave_gap: timedelta = timedelta(seconds=300)
    min_evidence: float = 0.3
    dwell_marks: tuple[timedelta, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.n <= MAX_WINDOW_FIXES:
            raise RulesError(f"expected 1 <= k <= n <= {MAX_WINDOW_FIXES}, found k={self.k}, n={self.n}")
        if not 0.0 <= self.min_evidence <= 1.0:
            raise RulesError(f"expected min_evidence within 0..1, found {self.min_evidence}")
        if min(self.min_dwell, self.merge_gap, self.window, self.leave_gap) < timedelta(0):
            raise RulesError("durations may not be negative")


MAX_WINDOW_FIXES = 20
"""The window is part of each phone's stored state, so it stays small."""


@dataclass(frozen=True, slots=True)
class SceneRules:
    """The visit rules for each kind of place, and how late a scan may come.

    Vendors' minimum dwell for a mall store lies between 30 s and 5 min; 60 s for a store, 120 s for a level and
    300 s for the venue stand in the middle (research page on scenes, section 5).
    """

    store: VisitRule = VisitRule(
        k=3,
        n=5,
        min_dwell=timedelta(seconds=60),
        merge_gap=timedelta(minutes=15),
        dwell_marks=(timedelta(minutes=3), timedelta(minutes=10)),
    )
    level: VisitRule = VisitRule(k=3, n=5, min_dwell=timedelta(seconds=120), merge_gap=timedelta(minutes=15))
    venue: VisitRule = VisitRule(k=2, n=5, min_dwell=timedelta(seconds=300), merge_gap=timedelta(hours=3))
    lateness: timedelta = timedelta(seconds=120)

    def of(self, kind: PlaceKind) -> VisitRule:
        """The rule for one kind of place."""
        return {PlaceKind.STORE: self.store, PlaceKind.LEVEL: self.level, PlaceKind.VENUE: self.venue}[kind]

    @property
    def window_fixes(self) -> int:
        """How many fixes a phone's state must hold."""
        return max(self.store.n, self.level.n, self.venue.n)


_DURATIONS = {
    "min_dwell_s": "min_dwell",
    "merge_gap_s": "merge_gap",
    "window_s": "window",
    "leave_gap_s": "leave_gap",
}
_KEYS = {"k", "n", "min_evidence", "dwell_marks_s", *_DURATIONS}


def parse_rules(table: Mapping[str, Any]) -> SceneRules:
    """Read rules from a parsed TOML table; what is not named keeps its default.

    Keys at the top hold for every kind of place; a table ``[store]``, ``[level]`` or ``[venue]`` for that kind::

        k = 3
        n = 5
        min_dwell_s = 10

        [venue]
        min_dwell_s = 300

    Raises:
        RulesError: an unknown key or a value out of range; names the key.
    """
    kinds = {kind.value for kind in PlaceKind}
    shared = {key: value for key, value in table.items() if key not in kinds and key != "lateness_s"}
    rules = SceneRules()
    for kind in PlaceKind:
        own = table.get(kind.value, {})
        if not isinstance(own, Mapping):
            raise RulesError(f"{kind.value}: expected a table")
        changes: dict[str, Any] = {kind.value: _apply(rules.of(kind), {**shared, **own}, kind.value)}
        rules = replace(rules, **changes)
    if "lateness_s" in table:
        rules = replace(rules, lateness=_duration(table["lateness_s"], "lateness_s"))
    return rules


def _apply(rule: VisitRule, values: Mapping[str, Any], where: str) -> VisitRule:
    changes: dict[str, Any] = {}
    for key, value in values.items():
        if key not in _KEYS:
            raise RulesError(f"{where}: unknown key {key!r}; known are {', '.join(sorted(_KEYS))}")
        if key in _DURATIONS:
            changes[_DURATIONS[key]] = _duration(value, key)
        elif key == "dwell_marks_s":
            if not isinstance(value, list):
                raise RulesError(f"{key}: expected a list of seconds")
            changes["dwell_marks"] = tuple(sorted(_duration(mark, key) for mark in value))
        elif isinstance(value, bool) or not isinstance(value, int if key in {"k", "n"} else (int, float)):
            raise RulesError(f"{key}: expected a number, found {value!r}")
        else:
            changes[key] = value
    return replace(rule, **changes)


def _duration(value: object, key: str) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86_400:
        raise RulesError(f"{key}: expected seconds between 0 and 86400, found {value!r}")
    return timedelta(seconds=value)
