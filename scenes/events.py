"""What scenes tell the rest: events with ids that are the same whenever the same thing is found again."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from kernel.ids import DeviceRef, EventId, PersonRef, VisitId, derive_id
from scenes.state import Place, Visit

EventType = Literal[
    "visit.entered", "visit.dwelled", "visit.exited", "visit.revised", "place.passed", "phase.changed",
    "tag.added", "tag.removed", "rhythm.overdue",
]  # fmt: skip
ExitReason = Literal["gap", "moved", "closed", "consent"]
EXIT_REASONS: Final[tuple[ExitReason, ...]] = ("gap", "moved", "closed", "consent")
"""By the kernels' numbers; ``closed`` at the end of the venue's day."""
PASSING_MS: Final = 30 * 60_000
"""A front is passed once in such a span of the venue's day, however often the phone goes by."""


@dataclass(frozen=True, slots=True)
class SceneEvent:
    """One thing that happened to one phone; ``data`` is what this type adds (``docs/events.md``)."""

    event_id: EventId
    type: EventType
    occurred_at: datetime
    place: Place | None
    visit_id: VisitId | None
    revision: int = 0
    confidence: float | None = None
    fix_count: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


def visit_event(kind: EventType, visit: Visit, occurred_at: datetime, **data: Any) -> SceneEvent:
    """An event about a visit; its id comes from the visit, type, revision and mark, so a replay repeats it.

    That of an exit also from when it was left: a late scan may open a visit again, which then ends once more.
    """
    mark = str(data.get("mark_s", "")) if kind != "visit.exited" else str(data["left_at"])
    return SceneEvent(
        event_id=EventId(derive_id("evt", visit.visit_id, kind, str(visit.revision), mark)),
        type=kind,
        occurred_at=occurred_at,
        place=visit.place,
        visit_id=visit.visit_id,
        revision=visit.revision,
        confidence=round(visit.confidence, 4),
        fix_count=visit.fix_count,
        data=data,
    )


def phase_event(device: DeviceRef, occurred_at: datetime, before: str, after: str, place: Place | None) -> SceneEvent:
    """The phone's phase changed from ``before`` to ``after``."""
    return SceneEvent(
        event_id=EventId(derive_id("evt", device, "phase", before, after, occurred_at.isoformat())),
        type="phase.changed",
        occurred_at=occurred_at,
        place=place,
        visit_id=None,
        data={"from": before, "to": after},
    )


def passed_event(device: DeviceRef, place: Place, occurred_at: datetime, span: int) -> SceneEvent:
    """The phone went by a store front; ``span`` numbers the ``PASSING_MS`` of the day, each of which tells it once."""
    return SceneEvent(
        event_id=EventId(derive_id("evt", device, "passed", place.id, occurred_at.date().isoformat(), str(span))),
        type="place.passed",
        occurred_at=occurred_at,
        place=place,
        visit_id=None,
    )


def tag_event(
    kind: Literal["tag.added", "tag.removed"], person: PersonRef, cause: str, place: Place, at: datetime, **data: Any
) -> SceneEvent:
    """A tag came or went; ``cause`` names what was learnt, or the night that it ended in, which changes a tag once."""
    return SceneEvent(
        event_id=EventId(derive_id("evt", person, kind, cause, data["tag"], data["subject"] or "")),
        type=kind,
        occurred_at=at,
        place=place,
        visit_id=None,
        data=data,
    )


def overdue_event(
    person: PersonRef, place: Place, category: str | None, last_day: int, at: datetime, **data: Any
) -> SceneEvent:
    """Somebody is late by their own rhythm; the day they last came names the cycle, which is told of once."""
    return SceneEvent(
        event_id=EventId(derive_id("evt", person, "rhythm.overdue", place.id, category or "", str(last_day))),
        type="rhythm.overdue",
        occurred_at=at,
        place=place,
        visit_id=None,
        data={"category": category, **data},
    )
