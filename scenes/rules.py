"""Every threshold of the scene engine, with its unit and its reason; read from TOML by ``parse_rules``."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

import numpy as np

from scenes.errors import RulesError
from scenes.kernels.record import (
    AGREED,
    ALONE,
    DWELL_MS,
    EVIDENCE_STEPS,
    GAP_MS,
    HOLD_MS,
    LEAST,
    LOOKED_AT,
    MERGE_MS,
    MOST_MARKS,
    MOST_WINDOW,
    N_RULE,
    SWITCH_K,
    SWITCH_LEAST,
    WINDOW_MS,
    K,
    N,
    PackedRules,
)

MAX_WINDOW_FIXES = MOST_WINDOW
"""The window is part of each phone's record, which is 128 bytes."""
NEVER = 2.0
"""No fix confirms a place by itself."""


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
        switch_k: an open visit that was inside within ``switch_hold`` ends for another place of the kind only by so
            many of the last ``n`` fixes, for stores with ``switch_evidence`` each; None for ``k``. Wrong answers come
            in a row: with 3 of 5, and no more evidence than to enter, a neighbour broke one stay in eight
            (``benchmarks/visits.py``).
        switch_evidence: see there.
        switch_hold: see there; a stay in a store that is heard badly begins at last by ``k`` of ``n``.
        window: fixes older than this confirm nothing.
        min_evidence: a fix speaks for a store only if ``in_store`` x probability reaches this: likelier there than
            anywhere else. With 0.3 a phone that tells of beacons alone made false visits a fifth more often, and none
            else gained (``benchmarks/visits.py``, other seeds than its own).
        alone_evidence: one fix with this much confirms the place by itself; above 1 none does.
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
    min_evidence: float = 0.5
    alone_evidence: float = NEVER
    switch_k: int | None = None
    switch_evidence: float = 0.0
    switch_hold: timedelta = timedelta(seconds=180)
    dwell_marks: tuple[timedelta, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.n <= MAX_WINDOW_FIXES:
            raise RulesError(f"expected 1 <= k <= n <= {MAX_WINDOW_FIXES}, found k={self.k}, n={self.n}")
        if self.switch_k is not None and not self.k <= self.switch_k <= self.n:
            raise RulesError(f"expected k <= switch_k <= n, found switch_k={self.switch_k}, k={self.k}, n={self.n}")
        for name in ("min_evidence", "switch_evidence"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise RulesError(f"expected {name} within 0..1, found {getattr(self, name)}")
        if not 0.0 <= self.alone_evidence <= NEVER:
            raise RulesError(f"expected alone_evidence within 0..{NEVER:g}, found {self.alone_evidence}")
        if min(self.min_dwell, self.merge_gap, self.window, self.leave_gap, self.switch_hold) < timedelta(0):
            raise RulesError("durations may not be negative")
        if len(self.dwell_marks) > MOST_MARKS:
            raise RulesError(f"expected at most {MOST_MARKS} dwell marks, found {len(self.dwell_marks)}")


@dataclass(frozen=True, slots=True)
class KindRules:
    """The rule for each kind of place."""

    store: VisitRule
    level: VisitRule
    venue: VisitRule

    def of(self, kind: PlaceKind) -> VisitRule:
        """The rule for one kind of place."""
        rule: VisitRule = getattr(self, kind.value)
        return rule


_STORE = VisitRule(
    k=3,
    n=5,
    switch_k=5,
    switch_evidence=0.9,
    min_dwell=timedelta(seconds=60),
    merge_gap=timedelta(minutes=15),
    dwell_marks=(timedelta(minutes=3), timedelta(minutes=10)),
)
_LEVEL = VisitRule(k=3, n=5, switch_k=4, min_dwell=timedelta(seconds=120), merge_gap=timedelta(minutes=15))
_VENUE = VisitRule(k=2, n=5, min_dwell=timedelta(seconds=300), merge_gap=timedelta(hours=3))
_MANY = timedelta(minutes=75)
_SURE = 0.95


@dataclass(frozen=True, slots=True)
class SceneRules:
    """The visit rules by how often a phone scans and by kind of place, and how late a scan may come.

    Vendors' minimum dwell for a mall store lies between 30 s and 5 min; 60 s for a store, 120 s for a level and
    300 s for the venue stand in the middle (research page on scenes, section 5).

    Args:
        fast: for phones that scan every ``slow_from`` or oftener.
        slow: as an application in front may on Android, four times in two minutes: 3 of 5 would take two minutes.
        sparse: beyond ``sparse_from``, as in the background, twice an hour: a store visit cannot be known, so one fix
            begins it where that is all but sure, and two half an hour apart count; the rest is weak presence.
        passing: who visited a store within this did not pass it by.
        lateness: a scan that comes later than this behind its phone's newest changes nothing.
    """

    fast: KindRules = KindRules(_STORE, _LEVEL, _VENUE)
    slow: KindRules = KindRules(
        replace(_STORE, k=2, n=3, switch_k=2, switch_evidence=0.8), replace(_LEVEL, k=2, n=3, switch_k=2), _VENUE
    )
    sparse: KindRules = KindRules(
        *(
            replace(rule, k=2, n=2, switch_k=None, window=_MANY, leave_gap=_MANY, alone_evidence=_SURE)
            for rule in (replace(_STORE, switch_evidence=0.0), _LEVEL, _VENUE)
        )
    )
    slow_from: timedelta = timedelta(seconds=20)
    sparse_from: timedelta = timedelta(seconds=120)
    passing: timedelta = timedelta(minutes=30)
    lateness: timedelta = timedelta(seconds=120)

    def of(self, kind: PlaceKind) -> VisitRule:
        """The rule for one kind of place, of phones that scan often."""
        return self.fast.of(kind)

    @property
    def rates(self) -> tuple[KindRules, ...]:
        """From the phones that scan oftenest on."""
        return self.fast, self.slow, self.sparse

    def packed(self) -> PackedRules:
        """For the kernels, (132,)."""
        kinds = tuple(PlaceKind)
        rule = np.array([[_row(rules.of(kind)) for kind in kinds] for rules in self.rates], dtype=np.int32)
        marks_ms = np.full((len(kinds), MOST_MARKS), np.iinfo(np.int32).max, dtype=np.int32)
        for at, kind in enumerate(kinds):
            marks = [_ms(mark) for mark in self.fast.of(kind).dwell_marks]
            marks_ms[at, : len(marks)] = marks
        window_ms = rule[:, :, WINDOW_MS].min(axis=1)
        three_ms = np.where((rule[:, :, K] <= AGREED).all(axis=1), window_ms, -1)
        five_ms = np.where((rule[:, :, N] >= LOOKED_AT).all(axis=1), three_ms, -1)
        rates = [_ms(self.slow_from) // 100, _ms(self.sparse_from) // 100]
        parts = (rule.ravel(), marks_ms.ravel(), rates, [_ms(self.passing)], three_ms, five_ms)
        return np.concatenate(parts).astype(np.int32)


def _row(rule: VisitRule) -> list[int]:
    row = [0] * N_RULE
    row[K], row[N], row[SWITCH_K] = rule.k, rule.n, rule.switch_k or rule.k
    row[WINDOW_MS], row[GAP_MS] = _ms(rule.window), _ms(rule.leave_gap)
    row[DWELL_MS], row[MERGE_MS] = _ms(rule.min_dwell), _ms(rule.merge_gap)
    row[LEAST] = evidence_steps(rule.min_evidence)
    row[SWITCH_LEAST] = evidence_steps(max(rule.min_evidence, rule.switch_evidence))
    row[HOLD_MS] = _ms(rule.switch_hold)
    row[ALONE] = EVIDENCE_STEPS + 1 if rule.alone_evidence > 1.0 else evidence_steps(rule.alone_evidence)
    return row


def evidence_steps(evidence: float) -> int:
    """Evidence in the steps of a record."""
    return round(EVIDENCE_STEPS * min(max(evidence, 0.0), 1.0))


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


_DURATIONS = {
    "min_dwell_s": "min_dwell",
    "merge_gap_s": "merge_gap",
    "window_s": "window",
    "leave_gap_s": "leave_gap",
    "switch_hold_s": "switch_hold",
}
_KEYS = {"k", "n", "switch_k", "min_evidence", "switch_evidence", "alone_evidence", "dwell_marks_s", *_DURATIONS}
_WHOLE = {"lateness_s": "lateness", "slow_from_s": "slow_from", "sparse_from_s": "sparse_from", "passing_s": "passing"}
_RATES = ("fast", "slow", "sparse")


def parse_rules(table: Mapping[str, Any]) -> SceneRules:
    """Read rules from a parsed TOML table; what is not named keeps its default.

    Keys at the top hold for every kind of place and rate of scans; a table ``[store]``, ``[level]`` or ``[venue]``
    for that kind; ``[slow]`` or ``[sparse.store]`` for phones that scan so::

        k = 3
        n = 5
        min_dwell_s = 10

        [venue]
        min_dwell_s = 300

        [slow.store]
        k = 2

    Raises:
        RulesError: an unknown key or a value out of range; names the key.
    """
    rules = SceneRules()
    for rate in _RATES:
        of_rate = _table(table, rate)
        kinds: KindRules = getattr(rules, rate)
        for kind in PlaceKind:
            values = {
                **_shared(table),
                **_table(table, kind.value),
                **_shared(of_rate),
                **_table(of_rate, kind.value),
            }
            changes: dict[str, Any] = {kind.value: _apply(kinds.of(kind), values, kind.value)}
            kinds = replace(kinds, **changes)
        changed: dict[str, Any] = {rate: kinds}
        rules = replace(rules, **changed)
    whole: dict[str, Any] = {name: _duration(table[key], key) for key, name in _WHOLE.items() if key in table}
    return replace(rules, **whole)


def _shared(table: Mapping[str, Any]) -> dict[str, Any]:
    named = {*(kind.value for kind in PlaceKind), *_RATES, *_WHOLE}
    return {key: value for key, value in table.items() if key not in named}


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    own = table.get(name, {})
    if not isinstance(own, Mapping):
        raise RulesError(f"{name}: expected a table")
    return own


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
        elif isinstance(value, bool) or not isinstance(value, int if key in {"k", "n", "switch_k"} else (int, float)):
            raise RulesError(f"{key}: expected a number, found {value!r}")
        else:
            changes[key] = value
    if rule.switch_k is not None and "switch_k" not in changes:
        changes["switch_k"] = min(max(changes.get("k", rule.k), rule.switch_k), changes.get("n", rule.n))
    return replace(rule, **changes)


def _duration(value: object, key: str) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86_400:
        raise RulesError(f"{key}: expected seconds between 0 and 86400, found {value!r}")
    return timedelta(seconds=value)
