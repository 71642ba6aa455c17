"""What happened: visits, events and deliveries, in pages; the scenes and answers that outlive a restart."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.ports import Page, VisitRow
from campaigns.decide import Delivery, Reason
from kernel.clock import from_epoch_us, to_epoch_us
from kernel.ids import CampaignId, CardId, DeviceRef, PersonRef, TenantId, VenueId, VisitId
from runtime.records.paging import read_page
from runtime.records.schema import answers, deliveries, scenes, visits
from runtime.records.staff import visit_of_staff
from scenes.rules import PlaceKind
from scenes.state import Place, Visit


def list_visits(
    connection: Connection, tenant: TenantId, limit: int, cursor: str | None, is_open: bool | None = None
) -> Page[VisitRow]:
    """A tenant's visits in the order of arrival: the open ones, the closed ones, or both; staff's are left out."""
    query = sa.select(visits).where(visits.c.tenant_id == tenant, ~visit_of_staff())
    if is_open is not None:
        query = query.where(visits.c.left_us.is_(None) if is_open else visits.c.left_us.is_not(None))
    page = read_page(connection, query, (visits.c.arrived_us, visits.c.id), limit, cursor)
    return Page([VisitRow(_visit(row), PersonRef(row.person)) for row in page.data], page.next_cursor)


def list_deliveries(connection: Connection, tenant: TenantId, limit: int, cursor: str | None) -> Page[Delivery]:
    """A tenant's deliveries, given and withheld, in the order they were decided; without coupon codes."""
    query = sa.select(deliveries).where(deliveries.c.tenant_id == tenant)
    page = read_page(connection, query, (deliveries.c.at_us, deliveries.c.id), limit, cursor)
    rows = [
        Delivery(
            id=row.id,
            campaign_id=CampaignId(row.campaign_id),
            person=PersonRef(row.person),
            visit_id=VisitId(row.visit_id),
            at=from_epoch_us(row.at_us),
            reason=Reason(row.reason),
            explanation=row.explanation,
            card_id=None if row.card_id is None else CardId(row.card_id),
        )
        for row in page.data
    ]
    return Page(rows, page.next_cursor)


def load_scenes(connection: Connection) -> list[tuple[TenantId, DeviceRef, bytes]]:
    """All stored scenes, for a start: the snapshots of ``scenes.record``."""
    rows = connection.execute(sa.select(scenes))
    return [(TenantId(row.tenant_id), DeviceRef(row.device_ref), row.snapshot) for row in rows]


def load_answers(
    connection: Connection, wanted: Collection[tuple[DeviceRef, str]]
) -> dict[tuple[DeviceRef, str], bytes]:
    """The stored answers of repeated scans."""
    if not wanted:
        return {}
    rows = connection.execute(
        sa.select(answers).where(sa.tuple_(answers.c.device_ref, answers.c.scan_id).in_(list(wanted)))
    )
    return {(DeviceRef(row.device_ref), row.scan_id): row.body for row in rows}


def drop_old_answers(connection: Connection, before: datetime, at_most: int) -> int:
    """Delete answers that no repeat can ask for any more; how many, up to ``at_most``, oldest first."""
    key = answers.c.device_ref, answers.c.scan_id
    over = sa.select(*key).where(answers.c.at_us < to_epoch_us(before)).order_by(answers.c.at_us).limit(at_most)
    return connection.execute(answers.delete().where(sa.tuple_(*key).in_(over))).rowcount


def latest_instant(connection: Connection) -> datetime | None:
    """The greatest instant any scene has seen: where the clock of events goes on after a restart."""
    value = connection.execute(sa.select(sa.func.max(scenes.c.last_us))).scalar()
    return None if value is None else from_epoch_us(value)


def _visit(row: sa.Row[Any]) -> Visit:
    return Visit(
        visit_id=VisitId(row.id),
        place=Place(PlaceKind(row.kind), row.place_id, VenueId(row.venue_id)),
        arrived_at=from_epoch_us(row.arrived_us),
        last_inside_at=from_epoch_us(row.last_inside_us),
        fix_count=row.fix_count,
        confidence=row.confidence,
        is_counted=row.counted,
        revision=row.revision,
        left_at=None if row.left_us is None else from_epoch_us(row.left_us),
    )
