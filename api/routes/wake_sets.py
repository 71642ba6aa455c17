"""``/v1/wake-sets``: which transmitters a phone's system should watch for, so that the phone scans when it matters."""

from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from api.access import Locating, ServicesDep
from api.errors import UnknownThingError
from api.routes.documents import problems
from api.schemas.wake_sets import WakeSetOut, wake_set_out
from kernel.ids import VenueId
from positioning.wake import PlaceKind, RadioKind

router = APIRouter(tags=["location"])

MOST_TRANSMITTERS = 100
_KEEP_S = 3_600
"""How long a phone may go by a set without asking: venues are surveyed anew in days, not hours."""
_NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The set is as it was: `If-None-Match` names it"}
}


@router.get(
    "/v1/wake-sets", response_model=WakeSetOut, responses=problems(401, 403, 404, 409, 422, 503) | _NOT_MODIFIED
)
def get_wake_set(
    caller: Locating,
    services: ServicesDep,
    response: Response,
    venue_id: Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")],
    kind: Annotated[PlaceKind, Query(description="Where waking is worth it")] = "entrance",
    radio: Annotated[RadioKind, Query(description="`beacon` for iOS, which watches no Wi-Fi")] = "any",
    limit: Annotated[int, Query(ge=1, le=MOST_TRANSMITTERS, description="iOS watches 20 regions")] = 20,
    if_none_match: Annotated[str | None, Header(max_length=512)] = None,
) -> WakeSetOut | Response:
    """The few transmitters worth waking a phone for; chosen from the venue's radio map, the same until that changes."""
    if venue_id not in services.venues.list(caller.tenant):
        raise UnknownThingError("venue", venue_id)
    found = services.wake_sets.choose(caller.tenant, VenueId(venue_id), kind=kind, radio=radio, limit=limit)
    tag = f'"{sha256(f"{caller.tenant}/{venue_id}/{found.version}".encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": f"private, max-age={_KEEP_S}", "Vary": "Authorization"}
    if if_none_match is not None and _names(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return wake_set_out(venue_id, found.chosen)


def _names(if_none_match: str, tag: str) -> bool:
    """Whether a list of entity tags (RFC 9110, 13.1.2: compared weakly) holds this one."""
    held = [item.strip().removeprefix("W/") for item in if_none_match.split(",")]
    return "*" in held or tag in held
