"""``/v1/campaigns`` and ``/v1/zones``: what marketers write."""

import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Path

from api.access import Publishing, Reading, ServicesDep, WritingCampaigns
from api.errors import UnknownThingError
from api.ports import Services
from api.routes.documents import problems
from api.schemas.campaigns import CampaignIn, CampaignOut, CampaignStatusOut, ZoneIn, ZoneOut
from api.schemas.pages import Cursor, Limit, PageOut
from campaigns.campaign import Campaign, check_campaign
from campaigns.errors import CampaignRefusedError
from kernel.ids import CampaignId, TenantId, VenueId, ZoneId

router = APIRouter(tags=["campaigns"])

CampaignIdPath = Annotated[str, Path(max_length=128, pattern=r"^[A-Za-z0-9_]+$")]


@router.post("/v1/campaigns", status_code=201, responses=problems(400, 401, 403, 413, 422, 503))
def create_campaign(body: CampaignIn, caller: WritingCampaigns, services: ServicesDep) -> CampaignStatusOut:
    """Store a draft. It speaks to nobody before it is published."""
    campaign = body.to_campaign(CampaignId("cmp_" + secrets.token_hex(12)))
    check_campaign(campaign)
    _check_target(campaign, caller.tenant, services)
    services.campaigns.create(caller.tenant, campaign)
    return CampaignStatusOut(id=campaign.id, status=campaign.status.value)


@router.get("/v1/campaigns", responses=problems(401, 403, 422, 503))
def list_campaigns(
    caller: Reading, services: ServicesDep, limit: Limit = 100, cursor: Cursor = None
) -> PageOut[CampaignOut]:
    """A tenant's campaigns, oldest first."""
    page = services.campaigns.list(caller.tenant, limit, cursor)
    return PageOut(data=[CampaignOut.of(*held) for held in page.data], next_cursor=page.next_cursor)


@router.get("/v1/campaigns/{campaign_id}", responses=problems(401, 403, 404, 422, 503))
def get_campaign(campaign_id: CampaignIdPath, caller: Reading, services: ServicesDep) -> CampaignOut:
    """One campaign, with the number of cards it has given."""
    held = services.campaigns.get(caller.tenant, CampaignId(campaign_id))
    if held is None:
        raise UnknownThingError("campaign", campaign_id)
    return CampaignOut.of(*held)


@router.post("/v1/campaigns/{campaign_id}:publish", responses=problems(401, 403, 404, 409, 422, 503))
def publish_campaign(campaign_id: CampaignIdPath, caller: Publishing, services: ServicesDep) -> CampaignStatusOut:
    """Let a campaign speak, from its start on."""
    return _change(campaign_id, "publish", caller.tenant, services)


@router.post("/v1/campaigns/{campaign_id}:pause", responses=problems(401, 403, 404, 409, 422, 503))
def pause_campaign(campaign_id: CampaignIdPath, caller: Publishing, services: ServicesDep) -> CampaignStatusOut:
    """Stop new cards at once; coupons already issued stay redeemable."""
    return _change(campaign_id, "pause", caller.tenant, services)


@router.post("/v1/zones", status_code=201, tags=["venues"], responses=problems(400, 401, 403, 404, 413, 422, 503))
def create_zone(body: ZoneIn, caller: WritingCampaigns, services: ServicesDep) -> ZoneOut:
    """Name a set of stores and levels of one venue, for campaigns to aim at."""
    venue = services.venues.get(caller.tenant, VenueId(body.venue_id))
    if venue is None:
        raise UnknownThingError("venue with a map", body.venue_id)
    if not body.store_ids and not body.level_ids:
        raise CampaignRefusedError("store_ids", "a zone needs at least one store or level")
    stores, levels = {store.id for store in venue.stores}, {level.id for level in venue.levels}
    for index, store_id in enumerate(body.store_ids):
        if store_id not in stores:
            raise CampaignRefusedError(f"store_ids[{index}]", f"the venue has no store {store_id!r}")
    for index, level_id in enumerate(body.level_ids):
        if level_id not in levels:
            raise CampaignRefusedError(f"level_ids[{index}]", f"the venue has no level {level_id!r}")
    zone = body.to_zone(ZoneId("zon_" + secrets.token_hex(12)))
    services.campaigns.create_zone(caller.tenant, zone)
    return ZoneOut.of(zone)


@router.get("/v1/zones", tags=["venues"], responses=problems(401, 403, 503))
def list_zones(caller: Reading, services: ServicesDep) -> PageOut[ZoneOut]:
    """All zones of the tenant."""
    held = services.campaigns.zones(caller.tenant).values()
    return PageOut(data=[ZoneOut.of(zone) for zone in held], next_cursor=None)


def _change(
    campaign_id: str, verb: Literal["publish", "pause"], tenant: TenantId, services: Services
) -> CampaignStatusOut:
    changed = services.campaigns.change_status(tenant, CampaignId(campaign_id), verb)
    if changed is None:
        raise UnknownThingError("campaign", campaign_id)
    return CampaignStatusOut(id=campaign_id, status=changed[0].status.value)


def _check_target(campaign: Campaign, tenant: TenantId, services: Services) -> None:
    """A campaign aimed at nothing would silently never fire."""
    venue = services.venues.get(tenant, campaign.venue_id)
    if venue is None and campaign.venue_id not in services.venues.list(tenant):
        raise CampaignRefusedError("venue_id", f"no venue {campaign.venue_id!r}")
    target = campaign.target
    known: set[str] = {campaign.venue_id}
    if target.kind == "zone":
        held = services.campaigns.zones(tenant).values()
        known = {zone.id for zone in held if zone.venue_id == campaign.venue_id}
    elif target.kind != "venue":
        if venue is None:
            raise CampaignRefusedError("target.kind", "a venue without a map can only be aimed at as a whole")
        known = {place.id for place in (venue.stores if target.kind == "store" else venue.levels)}
    if target.id not in known:
        raise CampaignRefusedError("target.id", f"the venue has no {target.kind} {target.id!r}")
