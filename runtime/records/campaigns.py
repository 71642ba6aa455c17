"""Campaigns and zones as rows, and the ledger of what is given."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.ports import Page
from campaigns.campaign import Campaign, CampaignStatus, Zone
from campaigns.decide import Reason
from kernel.clock import to_epoch_us
from kernel.ids import CampaignId, PersonRef, StoreId, TenantId, VenueId, VisitId, ZoneId
from runtime.records.paging import read_page
from runtime.records.schema import campaign_people, campaigns, deliveries, zones


def insert_campaign(connection: Connection, tenant: TenantId, campaign: Campaign, at: datetime) -> None:
    """Store a new campaign."""
    connection.execute(
        campaigns.insert().values(
            id=campaign.id,
            tenant_id=tenant,
            venue_id=campaign.venue_id,
            definition=msgspec.to_builtins(campaign),
            status=campaign.status.value,
            budget=campaign.budget,
            given=0,
            created_us=to_epoch_us(at),
        )
    )


def get_campaign(connection: Connection, tenant: TenantId, campaign_id: CampaignId) -> tuple[Campaign, int] | None:
    """A campaign and how many cards it has given; None when this tenant has none of the id."""
    row = connection.execute(
        sa.select(campaigns).where(campaigns.c.tenant_id == tenant, campaigns.c.id == campaign_id)
    ).first()
    return None if row is None else (_campaign(row), row.given)


def list_campaigns(
    connection: Connection, tenant: TenantId, limit: int, cursor: str | None
) -> Page[tuple[Campaign, int]]:
    """A tenant's campaigns, oldest first, each with the number of cards given."""
    query = sa.select(campaigns).where(campaigns.c.tenant_id == tenant)
    page = read_page(connection, query, (campaigns.c.created_us, campaigns.c.id), limit, cursor)
    return Page([(_campaign(row), row.given) for row in page.data], page.next_cursor)


def set_status(connection: Connection, campaign_id: CampaignId, status: CampaignStatus) -> None:
    """Change a campaign's status."""
    connection.execute(campaigns.update().where(campaigns.c.id == campaign_id).values(status=status.value))


def live_campaigns(connection: Connection, tenant: TenantId) -> list[tuple[Campaign, int]]:
    """The campaigns that may speak, in the order they were made, each with the cards given."""
    rows = connection.execute(
        sa.select(campaigns)
        .where(campaigns.c.tenant_id == tenant, campaigns.c.status == CampaignStatus.LIVE.value)
        .order_by(campaigns.c.created_us, campaigns.c.id)
    )
    return [(_campaign(row), row.given) for row in rows]


def given_to(connection: Connection, people: Collection[PersonRef]) -> dict[tuple[CampaignId, PersonRef], int]:
    """How often each campaign spoke to each of these people."""
    rows = connection.execute(sa.select(campaign_people).where(campaign_people.c.person.in_(list(people))))
    return {(CampaignId(row.campaign_id), PersonRef(row.person)): row.given for row in rows}


def settled(
    connection: Connection, people: Collection[PersonRef]
) -> dict[PersonRef, dict[tuple[CampaignId, VisitId], frozenset[Reason]]]:
    """What was decided for the visits of these people."""
    columns = deliveries.c.person, deliveries.c.campaign_id, deliveries.c.visit_id, deliveries.c.reason
    out: dict[PersonRef, dict[tuple[CampaignId, VisitId], frozenset[Reason]]] = {}
    for row in connection.execute(sa.select(*columns).where(deliveries.c.person.in_(list(people)))):
        of_person = out.setdefault(PersonRef(row.person), {})
        key = CampaignId(row.campaign_id), VisitId(row.visit_id)
        of_person[key] = of_person.get(key, frozenset()) | {Reason(row.reason)}
    return out


def insert_zone(connection: Connection, tenant: TenantId, zone: Zone, at: datetime) -> None:
    """Store a new zone."""
    connection.execute(
        zones.insert().values(
            id=zone.id,
            tenant_id=tenant,
            name=zone.name,
            venue_id=zone.venue_id,
            store_ids=sorted(zone.store_ids),
            level_ids=sorted(zone.level_ids),
            created_us=to_epoch_us(at),
        )
    )


def get_zones(connection: Connection, tenant: TenantId) -> dict[str, Zone]:
    """All zones of a tenant by id."""
    rows = connection.execute(sa.select(zones).where(zones.c.tenant_id == tenant).order_by(zones.c.created_us))
    return {
        row.id: Zone(
            id=ZoneId(row.id),
            name=row.name,
            venue_id=VenueId(row.venue_id),
            store_ids=frozenset(StoreId(store) for store in row.store_ids),
            level_ids=frozenset(row.level_ids),
        )
        for row in rows
    }


def _campaign(row: sa.Row[Any]) -> Campaign:
    return replace(msgspec.convert(row.definition, Campaign), status=CampaignStatus(row.status))
