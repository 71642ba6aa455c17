"""One fix into one phone's scene: which visits begin, go on or end, and what is told of it.

The rule (each kind of place on its own): a visit begins when ``k`` of the last ``n`` fixes speak for the place;
its arrival is the first of those fixes. It ends when another place of its kind is confirmed, when walkway is
confirmed (stores), or when no fix was inside for ``leave_gap``; it left at the last fix inside. Inner visits
close first. Coming back within ``merge_gap`` continues the visit.

Call order: fixes of one phone in the order they arrive; ``close_stale`` at any time between. Time never goes
back: a fix up to ``lateness`` older than the newest joins the window in its place, an older one is not ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from kernel.ids import DeviceRef, VisitId, derive_id
from scenes.events import ExitReason, SceneEvent, phase_event, visit_event
from scenes.rules import PlaceKind, SceneRules, VisitRule
from scenes.state import Fix, Phase, PhoneScene, Place, Visit

_WALKWAY = "walkway"
"""Stands for "in no store" among the store places of a window."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """A phone's next scene, the events that led there and the visits that changed."""

    scene: PhoneScene
    events: tuple[SceneEvent, ...] = ()
    visits: tuple[Visit, ...] = ()


def is_late(scene: PhoneScene, at: datetime, rules: SceneRules) -> bool:
    """Whether a scan comes too late to change this phone's scene."""
    return scene.last_at is not None and scene.last_at - at > rules.lateness


def advance(scene: PhoneScene, fix: Fix, rules: SceneRules, device: DeviceRef) -> Advanced:
    """Take one fix into a phone's scene. Neither argument changes.

    Raises:
        ValueError: the fix is late (ask ``is_late`` first).
    """
    if is_late(scene, fix.at, rules):
        raise ValueError(f"a fix at {fix.at} is late against {scene.last_at}")
    now = fix.at if scene.last_at is None else max(fix.at, scene.last_at)
    stale = close_stale(scene, now, rules, device)
    draft = _Draft(stale.scene, device, list(stale.events), {visit.visit_id: visit for visit in stale.visits})
    window = sorted((*draft.scene.fixes, fix), key=lambda held: held.at)[-rules.window_fixes :]
    draft.scene = replace(draft.scene, fixes=tuple(window), last_at=now)
    for kind in (PlaceKind.VENUE, PlaceKind.LEVEL, PlaceKind.STORE):
        _advance_kind(draft, kind, rules.of(kind), fix)
    _settle_phase(draft, now)
    return draft.done()


def close_stale(scene: PhoneScene, now: datetime, rules: SceneRules, device: DeviceRef) -> Advanced:
    """Close the visits that no fix has been inside for their leave gap: the sweep, to be run every few seconds."""
    draft = _Draft(scene, device)
    for kind in PlaceKind:
        visit = scene.open_visits.get(kind)
        if visit is not None and now - visit.last_inside_at > rules.of(kind).leave_gap:
            draft.close_with_inner(kind, now, "gap")
    _settle_phase(draft, now)
    return draft.done()


def close_all(scene: PhoneScene, now: datetime, reason: ExitReason, device: DeviceRef) -> Advanced:
    """Close whatever is open, as when a consent is withdrawn."""
    draft = _Draft(scene, device)
    draft.close_with_inner(PlaceKind.VENUE, now, reason)
    _settle_phase(draft, now)
    return draft.done()


@dataclass(slots=True)
class _Draft:
    """The next scene while it is being made; lives within one call."""

    scene: PhoneScene
    device: DeviceRef
    events: list[SceneEvent]
    visits: dict[VisitId, Visit]

    def __init__(
        self,
        scene: PhoneScene,
        device: DeviceRef,
        events: list[SceneEvent] | None = None,
        visits: dict[VisitId, Visit] | None = None,
    ) -> None:
        self.scene, self.device = scene, device
        self.events = [] if events is None else events
        self.visits = {} if visits is None else visits

    def put(self, visit: Visit) -> None:
        kind = visit.place.kind
        self.scene = replace(self.scene, open_visits={**self.scene.open_visits, kind: visit})
        self.visits[visit.visit_id] = visit

    def close_with_inner(self, outermost: PlaceKind, now: datetime, reason: ExitReason) -> None:
        for kind in PlaceKind:  # innermost first
            visit = self.scene.open_visits.get(kind)
            if visit is not None:
                closed = replace(visit, left_at=visit.last_inside_at)
                still_open = {k: v for k, v in self.scene.open_visits.items() if k is not kind}
                self.scene = replace(
                    self.scene, open_visits=still_open, closed_visits={**self.scene.closed_visits, kind: closed}
                )
                self.visits[closed.visit_id] = closed
                self.events.append(
                    visit_event(
                        "visit.exited",
                        closed,
                        now,
                        reason=reason,
                        counted=closed.is_counted,
                        dwell_s=closed.dwell_s,
                        arrived_at=closed.arrived_at,
                        left_at=closed.left_at,
                    )
                )
            if kind is outermost:
                return

    def done(self) -> Advanced:
        return Advanced(self.scene, tuple(self.events), tuple(self.visits.values()))


def _advance_kind(draft: _Draft, kind: PlaceKind, rule: VisitRule, fix: Fix) -> None:
    spoken = _spoken_place(fix, kind, rule)
    if spoken is None:
        return
    voices = list(_voices(draft.scene.fixes, spoken[0], kind, rule, fix.at))
    if len(voices) < rule.k:
        return
    place_id, venue = spoken[0], fix.venue_id
    assert venue is not None
    open_visit = draft.scene.open_visits.get(kind)
    if open_visit is not None and open_visit.place.id == place_id:
        _go_on(draft, open_visit, rule, fix, spoken[1])
        return
    if open_visit is not None:
        draft.close_with_inner(kind, fix.at, "moved")
    if place_id == _WALKWAY:
        return
    _begin(draft, Place(kind, place_id, venue), rule, fix, voices)


def _begin(draft: _Draft, place: Place, rule: VisitRule, fix: Fix, voices: list[tuple[Fix, float]]) -> None:
    held = draft.scene.closed_visits.get(place.kind)
    if held is not None:  # a fix from before the last visit ended is that visit's time, not this one's
        voices = [voice for voice in voices if voice[0].at > held.last_inside_at] or [(fix, voices[-1][1])]
    arrived_at = voices[0][0].at
    if held is not None and held.place == place and arrived_at - held.last_inside_at <= rule.merge_gap:
        visit = replace(
            held,
            left_at=None,
            revision=held.revision + 1,
            last_inside_at=max(fix.at, held.last_inside_at),
            fix_count=held.fix_count + len(voices),
        )
        closed = {k: v for k, v in draft.scene.closed_visits.items() if k is not place.kind}
        draft.scene = replace(draft.scene, closed_visits=closed)
        draft.events.append(visit_event("visit.revised", visit, fix.at, previous={"left_at": held.left_at}, void=False))
    else:
        visit = Visit(
            visit_id=VisitId(derive_id("vis", draft.device, place.id, arrived_at.isoformat())),
            place=place,
            arrived_at=arrived_at,
            last_inside_at=max(voice.at for voice, _ in voices),
            fix_count=len(voices),
            confidence=sum(weight for _, weight in voices) / len(voices),
        )
        latency_s = (fix.at - arrived_at).total_seconds()
        draft.events.append(visit_event("visit.entered", visit, fix.at, arrived_at=arrived_at, latency_s=latency_s))
    draft.put(_pass_marks(draft, visit, rule, fix.at))


def _go_on(draft: _Draft, visit: Visit, rule: VisitRule, fix: Fix, evidence: float) -> None:
    count = visit.fix_count + 1
    visit = replace(
        visit,
        last_inside_at=max(visit.last_inside_at, fix.at),
        fix_count=count,
        confidence=visit.confidence + (evidence - visit.confidence) / count,
    )
    draft.put(_pass_marks(draft, visit, rule, fix.at))


def _pass_marks(draft: _Draft, visit: Visit, rule: VisitRule, at: datetime) -> Visit:
    """Count the visit once it has lasted, and tell each dwell mark once."""
    stayed = visit.last_inside_at - visit.arrived_at
    visit = replace(visit, is_counted=visit.is_counted or stayed >= rule.min_dwell)
    for mark in rule.dwell_marks[visit.marks_passed :]:
        if stayed < mark:
            break
        visit = replace(visit, marks_passed=visit.marks_passed + 1)
        draft.events.append(visit_event("visit.dwelled", visit, at, mark_s=mark.total_seconds()))
    return visit


def _voices(
    fixes: tuple[Fix, ...], place_id: str, kind: PlaceKind, rule: VisitRule, at: datetime
) -> Iterator[tuple[Fix, float]]:
    """The fixes among the last n, up to ``at``, that speak for a place, oldest first, with their evidence."""
    for held in [held for held in fixes if held.at <= at][-rule.n :]:
        spoken = _spoken_place(held, kind, rule)
        if spoken is not None and spoken[0] == place_id and at - held.at <= rule.window:
            yield held, spoken[1]


def _spoken_place(fix: Fix, kind: PlaceKind, rule: VisitRule) -> tuple[str, float] | None:
    """The place of one kind that a fix speaks for, with its evidence; None where it speaks for none."""
    if fix.venue_id is None:
        return None
    if kind is PlaceKind.VENUE:
        return fix.venue_id, 1.0
    if kind is PlaceKind.LEVEL:
        return None if fix.level_id is None else (fix.level_id, 1.0)
    best, evidence = fix.stores[0] if fix.stores else ("", 0.0)
    if fix.walkway is not None and fix.walkway > max(evidence, 0.5):
        return _WALKWAY, fix.walkway
    return (best, evidence) if best and evidence >= rule.min_evidence else None


def _settle_phase(draft: _Draft, now: datetime) -> None:
    visits = draft.scene.open_visits
    if PlaceKind.STORE in visits:
        phase = Phase.IN_STORE
    elif visits:
        phase = Phase.IN_VENUE
    else:
        phase = Phase.AWAY
    before = draft.scene.phase
    if phase is not before:
        inner = draft.scene.innermost
        number = draft.scene.phase_changes + 1
        place = None if inner is None else inner.place
        draft.events.append(phase_event(draft.device, now, before, phase, place, number))
        draft.scene = replace(draft.scene, phase=phase, phase_since=now, phase_changes=number)
