"""``/v1/visits``, ``/v1/events``, ``/v1/deliveries``: what happened. No filter by person, on purpose."""

from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request, Response

from api.access import Reading, ServicesDep, still_may
from api.event_stream import EventStreamResponse, is_wanted
from api.ports import Caller, EventRow, VisitRow
from api.pseudonyms import pseudonym
from api.routes.documents import problems
from api.schemas.events import EventOut, Types
from api.schemas.pages import Cursor, DeliveryOut, Limit, PageOut, PlaceOut, VisitOut
from campaigns.decide import Delivery
from flow.answers import rfc3339

router = APIRouter(tags=["history"], responses=problems(401, 403, 422, 503))

_PAGE_OR_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page; with `Accept: text/event-stream` the events as server-sent events, without end: "
        "`id` is the cursor after the event, `event` its type, `data` the envelope that a page holds. Comments keep "
        "the line open; messages with an `id` alone move the cursor.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("/v1/visits")
def list_visits(
    caller: Reading,
    services: ServicesDep,
    limit: Limit = 100,
    cursor: Cursor = None,
    is_open: Annotated[
        bool | None, Query(alias="open", description="true: entered and not left; false: left; absent: both")
    ] = None,
) -> PageOut[VisitOut]:
    """Visits in the order of arrival, open ones with ``left_at`` null."""
    page = services.history.visits(caller.tenant, limit, cursor, is_open=is_open)
    rows = [_visit(row, caller, services.pseudonym_key) for row in page.data]
    return PageOut(data=rows, next_cursor=page.next_cursor)


@router.get("/v1/events", response_model=PageOut[EventOut], responses=problems(429) | _PAGE_OR_STREAM)
async def list_events(
    request: Request,
    caller: Reading,
    services: ServicesDep,
    types: Types = [],  # noqa: B006  # pydantic copies it
    limit: Limit = 100,
    cursor: Cursor = None,
    start: Annotated[
        Literal["start", "now"], Query(alias="from", description="Where a stream without cursor begins")
    ] = "now",
    last_event_id: Annotated[
        str | None, Header(max_length=512, description="Of a stream: goes on after this `id`; beats `cursor`")
    ] = None,
) -> Response:
    """Events in the order they were recorded, as CloudEvents: a page, or a stream that goes on."""

    def envelope(row: EventRow) -> EventOut:
        return EventOut.of(row, caller.tenant, caller.key_id, services.pseudonym_key)

    if is_wanted(request.headers.get("accept", "")):
        stream = await services.streams.open(caller.tenant, last_event_id or cursor or start, types)
        return EventStreamResponse(stream, services.stream_limits, envelope, lambda: still_may(request, "read"))

    def page() -> Response:
        held = services.history.events(caller.tenant, limit, cursor, types=types)
        body = PageOut[EventOut](data=[envelope(row) for row in held.data], next_cursor=held.next_cursor)
        return Response(body.model_dump_json(), media_type="application/json")

    return await to_thread.run_sync(page)


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
        person_ref=pseudonym(row.person, caller.key_id, visit.arrived_at, key),
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


def _delivery(row: Delivery, caller: Caller, key: bytes) -> DeliveryOut:
    return DeliveryOut(
        id=row.id,
        campaign_id=row.campaign_id,
        person_ref=pseudonym(row.person, caller.key_id, row.at, key),
        visit_id=row.visit_id,
        at=rfc3339(row.at),
        delivered=row.is_delivered,
        reason=row.reason.value,
        explanation=row.explanation,
        card_id=row.card_id,
    )
