"""The visit rule once more, as a dictionary of objects: what the packed kernel is held against, in tests and in speed.

Written from the rule's words (``scenes/advance.py``), one phone an object, one fix a call, without numpy or numba. It
tells the same events; ``tests/scenes/test_twin.py`` compares them one by one.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from scenes.rules import PlaceKind, SceneRules, VisitRule, evidence_steps

AWAY, APPROACHING, IN_VENUE, IN_STORE, LEAVING = range(5)
_KINDS = (PlaceKind.STORE, PlaceKind.LEVEL, PlaceKind.VENUE)
_MINUTE_MS = 60_000
_LONGEST_DAY_MS = 26 * 3_600_000
_WALKWAY, _UNNAMED = 1, 63


class PlainFix(NamedTuple):
    """A fix in whole numbers, as of ``scenes.fix.FixRows``, its code in parts."""

    at_ms: int
    base_min: int
    venue: int = 0
    store: int = 0
    evidence: int = 0
    level: int = 0
    is_at_exit: bool = False
    front: int = 0
    is_approaching: bool = False


class PlainEvent(NamedTuple):
    """An event: type, kind and instants since the base, and the visit after it."""

    type: str
    kind: int
    venue: int
    base_min: int
    at_ms: int
    place: int
    arrived_ms: int
    inside_ms: int
    is_open: bool
    is_counted: bool
    marks: int
    revision: int
    n_fixes: int
    evidence: int
    told: tuple[int, ...] = ()


@dataclass(slots=True)
class PlainVisit:
    """A visit, open or the last of its kind."""

    place: int
    arrived_ms: int
    inside_ms: int
    n_fixes: int
    evidence: int
    is_open: bool = True
    is_counted: bool = False
    marks: int = 0
    revision: int = 0

    def hear(self, evidence: int) -> None:
        """One fix more: the mean evidence in steps of 1 / 65535."""
        self.evidence, self.n_fixes = _mean(self.evidence, self.n_fixes, evidence)


def _mean(mean: int, n: int, evidence: int) -> tuple[int, int]:
    return min((mean * n + evidence * 257 + (n + 1) // 2) // (n + 1), 65_535), min(n + 1, 32_767)


@dataclass(slots=True)
class PlainScene:
    """A phone."""

    rules: SceneRules
    base_min: int = 0
    last_ms: int = -1
    venue: int = 0
    other_venue: int = 0
    phase: int = AWAY
    rate: int = 0
    gap_ds: int = 0
    front: int = 0
    front_since_ms: int = 0
    window: list[tuple[int, PlainFix | None]] = field(default_factory=list)
    visits: dict[int, PlainVisit] = field(default_factory=dict)
    events: list[PlainEvent] = field(default_factory=list)
    swept: set[int] = field(default_factory=set)

    def take(self, fix: PlainFix) -> list[PlainEvent] | None:
        """The events of a fix; None where it is no newer than the newest."""
        self.events = []
        base = fix.base_min if fix.venue or not self.base_min else self.base_min
        if self.base_min:
            if fix.at_ms <= self.base_min * _MINUTE_MS + self.last_ms:
                return None
            if base != self.base_min or fix.at_ms - base * _MINUTE_MS >= _LONGEST_DAY_MS:
                self._end_day()
                base, self.base_min = fix.base_min, 0
        if not self.base_min:
            self.base_min, self.last_ms = base, -1
        self._take(fix, fix.at_ms - base * _MINUTE_MS)
        return self.events

    def sweep(self, now_ms: int, day_base_min: int) -> list[PlainEvent]:
        """What time alone ends."""
        self.events = []
        now = now_ms - self.base_min * _MINUTE_MS
        if not self.base_min or now <= self.last_ms:
            return []
        if now >= _LONGEST_DAY_MS or (self.venue and day_base_min > self.base_min):
            self._end_day()
            return self.events
        before = {kind for kind, visit in self.visits.items() if visit.is_open}
        self._run_out(now)
        self.swept |= {kind for kind in before if not self.visits[kind].is_open}
        is_near = self.phase == APPROACHING and now - self.last_ms <= _ms(self._rule(2, self.rate).leave_gap)
        self._settle_phase(now, is_near)
        return self.events

    def _take(self, fix: PlainFix, t: int) -> None:
        for kind in sorted(self.swept, reverse=True):
            if t - self.visits[kind].inside_ms > _ms(self._rule(kind, self.rate).leave_gap):
                break
            self.visits[kind].is_open = True
        self.swept = set()
        self._run_out(t)
        rate = 0
        gap = self.gap_ds
        if self.last_ms >= 0:
            gap = min((t - self.last_ms) // 100, 65_535)
            shorter = min(gap, self.gap_ds) if self.gap_ds else gap
            limits = (self.rules.slow_from, self.rules.sparse_from)
            rate = sum(shorter > _ms(limit) // 100 for limit in limits)
        known: PlainFix | None = fix if fix.venue else None
        if fix.venue and fix.venue != self.venue:
            if not self.venue or self.other_venue == fix.venue or not any(v.is_open for v in self.visits.values()):
                self._close(2, t, "moved")
                self.window.clear()
                self.visits.clear()
                self.venue, self.other_venue, self.front = fix.venue, 0, 0
            else:
                self.other_venue, known = fix.venue, None
        elif fix.venue:
            self.other_venue = 0
        self.gap_ds = max(gap, 1) if self.last_ms >= 0 else 0
        self.rate, self.last_ms = rate, t
        self.window = [*self.window, (t, known)][-7:]
        if known is not None:
            self._advance(t, 2, self.venue, 255)
            if known.level != _UNNAMED:
                self._advance(t, 1, known.level, 255)
            least = evidence_steps(self._rule(0, rate).min_evidence)
            if known.store == _WALKWAY or (known.store and known.evidence >= least):
                self._advance(t, 0, known.store, known.evidence)
            if known.store == _WALKWAY and known.front not in {0, self.front}:
                if self.front:
                    self._pass(t)
                self.front, self.front_since_ms = known.front, t // 4_000 * 4_000
        self._settle_phase(t, fix.is_approaching)

    def _rule(self, kind: int, rate: int) -> VisitRule:
        return self.rules.rates[rate].of(_KINDS[kind])

    def _advance(self, t: int, kind: int, place: int, evidence: int) -> None:
        rule = self._rule(kind, self.rate)
        voices = [
            (at, fix.evidence if kind == 0 else 255)
            for at, fix in self.window[-rule.n :]
            if fix is not None and t - at <= _ms(rule.window) and _speaks(fix, kind, place, rule)
        ]
        alone = rule.alone_evidence <= 1.0 and evidence >= evidence_steps(rule.alone_evidence)
        visit = self.visits.get(kind)
        is_walkway = kind == 0 and place == _WALKWAY
        moves = visit is not None and visit.is_open and visit.place != place and not is_walkway
        if visit is not None and moves and t - visit.inside_ms <= _ms(rule.switch_hold):
            least = evidence_steps(max(rule.switch_evidence, rule.min_evidence)) if kind == 0 else 0
            is_heard = sum(heard >= least for _, heard in voices) >= (rule.switch_k or rule.k)
        else:
            is_heard = len(voices) >= rule.k
        if not is_heard and not alone:
            return
        if visit is not None and visit.is_open:
            if visit.place == place:
                visit.inside_ms = t
                visit.hear(evidence)
                self._pass_marks(t, kind, visit, rule)
                return
            self._close(kind, t, "moved")
        if is_walkway:
            return
        if visit is not None:
            voices = [voice for voice in voices if voice[0] > visit.inside_ms]
        mean, n = 0, 0
        for _, heard in voices:
            mean, n = _mean(mean, n, heard)
        arrived = voices[0][0]
        if visit is not None and visit.place == place and arrived - visit.inside_ms <= _ms(rule.merge_gap):
            left = visit.inside_ms
            visit.inside_ms, visit.is_open, visit.revision = t, True, min(visit.revision + 1, 255)
            visit.n_fixes = min(visit.n_fixes + n, 32_767)
            self._tell("revised", kind, t, (left,))
        else:
            visit = self.visits[kind] = PlainVisit(place, arrived, t, n, mean)
            self._tell("entered", kind, t)
        if kind == 0 and self.front == place:
            self.front = 0
        self._pass_marks(t, kind, visit, rule)

    def _pass_marks(self, t: int, kind: int, visit: PlainVisit, rule: VisitRule) -> None:
        stayed = visit.inside_ms - visit.arrived_ms
        visit.is_counted = visit.is_counted or stayed >= _ms(rule.min_dwell)
        for mark in self.rules.fast.of(_KINDS[kind]).dwell_marks[visit.marks :]:
            if stayed < _ms(mark):
                break
            visit.marks += 1
            self._tell("dwelled", kind, t, (_ms(mark),))

    def _run_out(self, now: int) -> None:
        for kind in range(3):
            visit = self.visits.get(kind)
            gap = _ms(self._rule(kind, self.rate).leave_gap)
            if visit is not None and visit.is_open and now - visit.inside_ms > gap:
                self._close(kind, now, "gap")
        if self.front and now - self.front_since_ms > _ms(self._rule(0, self.rate).leave_gap):
            self._pass(now)

    def _pass(self, t: int) -> None:
        place, self.front = self.front, 0
        visit = self.visits.get(0)
        is_there = visit is not None and visit.place == place
        if visit is not None and is_there and (visit.is_open or t - visit.inside_ms <= _ms(self.rules.passing)):
            return
        self._tell("passed", 0, self.front_since_ms, (place,))

    def _close(self, outermost: int, now: int, reason: str) -> None:
        for kind in range(outermost + 1):
            visit = self.visits.get(kind)
            if visit is not None and visit.is_open:
                visit.is_open = False
                self._tell("exited", kind, now, (("gap", "moved", "closed").index(reason),))

    def _end_day(self) -> None:
        self._close(2, self.last_ms, "closed")
        self._settle_phase(self.last_ms, False)
        fresh = PlainScene(self.rules, self.base_min, self.last_ms, events=self.events)
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))

    def _settle_phase(self, t: int, is_approaching: bool) -> None:
        is_open = [kind in self.visits and self.visits[kind].is_open for kind in range(3)]
        if is_open[0]:
            phase = IN_STORE
        elif any(is_open):
            ends = [fix is not None and fix.is_at_exit for _, fix in self.window[-2:]]
            phase = LEAVING if len(ends) == 2 and all(ends) else IN_VENUE
        else:
            phase = APPROACHING if is_approaching else AWAY
        if phase != self.phase:
            before, self.phase = self.phase, phase
            self._tell("phase", is_open.index(True) if any(is_open) else 2, t, (before, phase))

    def _tell(self, kind_of: str, kind: int, at: int, told: tuple[int, ...] = ()) -> None:
        visit = self.visits.get(kind) or PlainVisit(0, 0, 0, 0, 0, is_open=False)
        self.events.append(
            PlainEvent(
                kind_of,
                kind,
                self.venue,
                self.base_min,
                at,
                visit.place,
                visit.arrived_ms,
                visit.inside_ms,
                visit.is_open,
                visit.is_counted,
                visit.marks,
                visit.revision,
                visit.n_fixes,
                visit.evidence,
                told,
            )
        )


def _speaks(fix: PlainFix, kind: int, place: int, rule: VisitRule) -> bool:
    if kind == 0:
        return fix.store == place and (place == _WALKWAY or fix.evidence >= evidence_steps(rule.min_evidence))
    return fix.level == place if kind == 1 else True


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
