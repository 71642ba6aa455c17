"""``atrium replay --commit``: everything a replay found, stored in one transaction."""

from datetime import datetime

import sqlalchemy as sa

from campaigns.campaign import CampaignStatus
from kernel.ids import TenantId
from runtime.clocks import SystemClock
from runtime.database import Database
from runtime.errors import AlreadyCommittedError
from runtime.records.campaigns import get_campaign, insert_campaign, set_status
from runtime.records.devices import put_device
from runtime.records.effects import store_effects
from runtime.records.schema import visits
from runtime.replay import Replayed, ReplayPlan


def commit_replay(database: Database, tenant: TenantId, done: Replayed, plan: ReplayPlan) -> None:
    """Store a replay whole.

    Raises:
        AlreadyCommittedError: the same scans were committed before.
        StorageError: the database refused; nothing was stored.
    """
    now: datetime = SystemClock().now()
    effects = done.effects()
    with database.write() as connection:
        ids = [visit.visit_id for _, visit in effects.visits]
        if ids and connection.execute(sa.select(visits.c.id).where(visits.c.id.in_(ids)).limit(1)).first() is not None:
            raise AlreadyCommittedError("these scans were committed before; nothing was stored")
        for device in done.devices.values():
            put_device(connection, tenant, device, now)
        for campaign in plan.campaigns:
            if get_campaign(connection, tenant, campaign.id) is None:
                insert_campaign(connection, tenant, campaign, now)
                set_status(connection, campaign.id, CampaignStatus.LIVE)
        store_effects(connection, tenant, effects, (), now, done.places)
