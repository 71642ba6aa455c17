"""``/v1/venues/{id}/stores`` and ``/v1/health``."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel

from api.access import SeeingStores, ServicesDep
from api.errors import UnknownThingError
from api.routes.documents import problems
from api.schemas.pages import PageOut, StoreOut
from kernel.errors import PartFailedError
from kernel.ids import VenueId

router = APIRouter(tags=["venues"])

VenueIdPath = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


class HealthOut(BaseModel):
    """Whether the server answers, and which version."""

    status: str
    version: str


@router.get("/v1/venues/{venue_id}/stores", responses=problems(401, 403, 404, 422, 503))
def list_stores(venue_id: VenueIdPath, caller: SeeingStores, services: ServicesDep) -> PageOut[StoreOut]:
    """The stores of a venue, with their level and place; none for a venue without a map."""
    if venue_id not in services.venues.list(caller.tenant):
        raise UnknownThingError("venue", venue_id)
    venue = services.venues.get(caller.tenant, VenueId(venue_id))
    if venue is None:
        return PageOut(data=[], next_cursor=None)
    levels = {level.id: level.short_name for level in venue.levels}
    rows = []
    for store in venue.stores:
        lon_deg, lat_deg = venue.frame.to_lon_lat_deg((store.display_point.x, store.display_point.y))
        rows.append(
            StoreOut(
                id=store.id,
                name=store.name,
                names=dict(store.names),
                category=store.category,
                level=levels[store.level_id],
                unit_id=store.unit_id,
                location={"lat": round(float(lat_deg), 7), "lng": round(float(lon_deg), 7)},
            )
        )
    return PageOut(data=rows, next_cursor=None)


@router.get("/v1/health", tags=["health"], responses=problems(503))
async def health(services: ServicesDep) -> HealthOut:
    """Whether scans are being answered. Needs no key, and no thread: it answers however busy the others are."""
    if not services.scans.is_running:
        raise PartFailedError("scans are not being answered")
    return HealthOut(status="ok", version=services.version)
