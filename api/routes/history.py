"""``/v1/visits``, ``/v1/events``, ``/v1/deliveries``: what happened. No filter by person, on purpose."""

from fastapi import APIRouter

from api.access import Reading, ServicesDep
from api.ports import Caller, EventRow, VisitRow
from api.pseudonyms import pseudonym
from api.routes.documents import problems
from api.schemas.pages import Cursor, DeliveryOut, EventOut, Limit, PageOut, PlaceOut, VisitOut
from campaigns.decide import Delivery
from flow.answers import rfc3339

router = APIRouter(tags=["history"], responses=problems(401, 403, 422, 503))


@router.get("/v1/visits")
def list_visits(caller: Reading, services: ServicesDep, limit: Limit = 100, cursor: Cursor = None) -> PageOut[VisitOut]:
    """Visits in the order of arrival, open ones with ``left_at`` null."""
    page = services.history.visits(caller.tenant, limit, cursor)
    rows = [_visit(row, caller, services.pseudonym_key) for row in page.data]
    return PageOut(data=rows, next_cursor=page.next_cursor)


@router.get("/v1/events")
def list_events(caller: Reading, services: ServicesDep, limit: Limit = 100, cursor: Cursor = None) -> PageOut[EventOut]:
    """Events in the order they were recorded, as CloudEvents."""
    page = services.history.events(caller.tenant, limit, cursor)
    rows = [_event(row, caller, services.pseudonym_key) for row in page.data]
    return PageOut(data=rows, next_cursor=page.next_cursor)


@router.get("/v1/deliveries")
def list_deliveries(
    caller: Reading, services: ServicesDep, limit: Limit = 100, cursor: Cursor = None
) -> PageOut[DeliveryOut]:
    """Cards given and withheld, each with its reason."""
    page = services.history.deliveries(caller.tenant, limit, cursor)
    rows = [_delivery(row, caller, services.pseudonym_key) for row in page.data]
    return PageOut(data=rows, next_cursor=page.next_cursor)


def _visit(row: VisitRow, caller: Caller, key: bytes) -> VisitOut:
    visit = row.visit
    return VisitOut(
        id=visit.visit_id,
        person_ref=pseudonym(row.person, caller, visit.arrived_at, key),
        venue_id=visit.place.venue_id,
        place=PlaceOut(id=visit.place.id, kind=visit.place.kind.value),
        arrived_at=rfc3339(visit.arrived_at),
        last_inside_at=rfc3339(visit.last_inside_at),
        left_at=None if visit.left_at is None else rfc3339(visit.left_at),
        dwell_s=visit.dwell_s,
        counted=visit.is_counted,
        fix_count=visit.fix_count,
        confidence=round(visit.confidence, 4),
        revision=visit.revision,
    )


def _event(row: EventRow, caller: Caller, key: bytes) -> EventOut:
    return EventOut(
        specversion="1.0",
        id=row.id,
        source=f"/tenants/{caller.tenant}",
        type=row.type,
        time=rfc3339(row.occurred_at),
        recorded_at=rfc3339(row.recorded_at),
        person_ref=pseudonym(row.person, caller, row.occurred_at, key),
        data=dict(row.data),
    )


def _delivery(row: Delivery, caller: Caller, key: bytes) -> DeliveryOut:
    return DeliveryOut(
        id=row.id,
        campaign_id=row.campaign_id,
        person_ref=pseudonym(row.person, caller, row.at, key),
        visit_id=row.visit_id,
        at=rfc3339(row.at),
        delivered=row.is_delivered,
        reason=row.reason.value,
        explanation=row.explanation,
        card_id=row.card_id,
    )
