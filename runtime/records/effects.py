"""What a batch of scans did, stored in one transaction: all of it or nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from campaigns.campaign import Campaign, CampaignStatus
from campaigns.decide import Delivery
from campaigns.errors import BudgetGuardError
from flow.answers import rfc3339
from flow.run_batch import Effects, PersonEvent
from kernel.clock import to_epoch_us
from kernel.ids import CampaignId, DeviceRef, PersonRef, TenantId, derive_id
from members.device import Device
from runtime.records.events import append_events
from runtime.records.fixes import insert_fixes
from runtime.records.schema import (
    answers,
    campaign_people,
    campaigns,
    coupons,
    deliveries,
    fixes,
    scenes,
    tracks,
    visits,
)
from runtime.records.upsert import upsert
from scenes.events import SceneEvent
from scenes.kernels.record import I32
from scenes.places import PlaceBook
from scenes.record import last_at, snapshot
from scenes.state import Visit


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply to a scan of a phone that keeps visits, held for a day so that a repeat gets the same."""

    device_ref: DeviceRef
    scan_id: str
    body: bytes
    at: datetime


def store_effects(
    connection: Connection,
    tenant: TenantId,
    effects: Effects,
    kept: Sequence[Answer],
    recorded_at: datetime,
    places: PlaceBook,
) -> None:
    """Store a batch. The caller's transaction rolls back whole on any error.

    Raises:
        BudgetGuardError: the campaign has less left than the ledger said: another writer was first.
    """
    recorded_us = to_epoch_us(recorded_at)
    _store_visits(connection, tenant, effects)
    rows = [_event_row(tenant, event, recorded_us) for event in effects.events]
    rows += [row for delivery in effects.deliveries for row in _delivery_events(tenant, delivery, recorded_us)]
    _store_scenes(connection, tenant, effects, places)
    if kept:
        connection.execute(
            answers.insert(),
            [
                {
                    "tenant_id": tenant,
                    "device_ref": answer.device_ref,
                    "scan_id": answer.scan_id,
                    "body": answer.body,
                    "at_us": to_epoch_us(answer.at),
                }
                for answer in kept
            ],
        )
    _store_deliveries(connection, tenant, effects.deliveries)
    append_events(connection, tenant, rows)


def _store_visits(connection: Connection, tenant: TenantId, effects: Effects) -> None:
    """What late scans showed not to have been is no visit any more; its events tell of it."""
    kept = [(device, visit) for device, visit in effects.visits if not visit.is_void]
    upsert(connection, visits, [_visit_row(tenant, device, visit) for device, visit in kept])
    void = [visit.visit_id for _, visit in effects.visits if visit.is_void]
    if void:
        connection.execute(visits.delete().where(visits.c.id.in_(void)))


def _store_scenes(connection: Connection, tenant: TenantId, effects: Effects, places: PlaceBook) -> None:
    kept = [(ref, scene) for ref, scene in effects.scenes.items() if scene is not None]
    upsert(connection, scenes, [_scene_row(tenant, ref, scene, places) for ref, scene in kept])
    insert_fixes(connection, tenant, effects.fixes, places)
    forgotten = [ref for ref, scene in effects.scenes.items() if scene is None]
    if forgotten:
        connection.execute(scenes.delete().where(scenes.c.device_ref.in_(forgotten)))
        connection.execute(answers.delete().where(answers.c.device_ref.in_(forgotten)))
        connection.execute(fixes.delete().where(fixes.c.device_ref.in_(forgotten)))
        connection.execute(tracks.delete().where(tracks.c.device_ref.in_(forgotten)))


def _store_deliveries(connection: Connection, tenant: TenantId, made: Sequence[Delivery]) -> None:
    if not made:
        return
    connection.execute(deliveries.insert(), [_delivery_row(tenant, delivery) for delivery in made])
    issued = [delivery.coupon for delivery in made if delivery.coupon is not None]
    if issued:
        connection.execute(
            coupons.insert(),
            [
                {
                    "id": coupon.id,
                    "tenant_id": tenant,
                    "campaign_id": coupon.campaign_id,
                    "sequence": coupon.sequence,
                    "code": coupon.code,
                    "person": coupon.person,
                    "visit_id": coupon.visit_id,
                    "issued_us": to_epoch_us(coupon.issued_at),
                    "expires_us": to_epoch_us(coupon.expires_at),
                    "stores": list(coupon.stores),
                    "status": coupon.status,
                }
                for coupon in issued
            ],
        )
    delivered = [delivery for delivery in made if delivery.is_delivered]
    for (campaign_id, person), times in Counter((d.campaign_id, d.person) for d in delivered).items():
        counted = connection.execute(
            campaign_people.update()
            .where(campaign_people.c.campaign_id == campaign_id, campaign_people.c.person == person)
            .values(given=campaign_people.c.given + times)
        )
        if counted.rowcount == 0:
            connection.execute(
                campaign_people.insert().values(tenant_id=tenant, campaign_id=campaign_id, person=person, given=times)
            )
    for campaign_id, times in Counter(delivery.campaign_id for delivery in delivered).items():
        _take_budget(connection, campaign_id, times)  # the contended row comes last


def _take_budget(connection: Connection, campaign_id: CampaignId, times: int) -> None:
    """Guarded in the statement, so that no number of writers can give more than the budget."""
    taken = connection.execute(
        campaigns.update()
        .where(
            campaigns.c.id == campaign_id,
            campaigns.c.status == CampaignStatus.LIVE.value,  # paused since the batch read it: nothing is given
            sa.or_(campaigns.c.budget.is_(None), campaigns.c.given + times <= campaigns.c.budget),
        )
        .values(given=campaigns.c.given + times)
    )
    if taken.rowcount != 1:
        raise BudgetGuardError(f"campaign {campaign_id} is paused, or has less than {times} left")


def _scene_row(tenant: TenantId, ref: DeviceRef, record: I32, places: PlaceBook) -> dict[str, Any]:
    newest = last_at(record)
    return {
        "device_ref": ref,
        "tenant_id": tenant,
        "snapshot": snapshot(record, places),
        "last_us": 0 if newest is None else to_epoch_us(newest),
    }


def _visit_row(tenant: TenantId, device: Device, visit: Visit) -> dict[str, Any]:
    return {
        "id": visit.visit_id,
        "tenant_id": tenant,
        "device_ref": device.ref,
        "person": device.person,
        "venue_id": visit.place.venue_id,
        "kind": visit.place.kind.value,
        "place_id": visit.place.id,
        "arrived_us": to_epoch_us(visit.arrived_at),
        "last_inside_us": to_epoch_us(visit.last_inside_at),
        "left_us": None if visit.left_at is None else to_epoch_us(visit.left_at),
        "counted": visit.is_counted,
        "fix_count": visit.fix_count,
        "confidence": visit.confidence,
        "revision": visit.revision,
    }


def event_data(made: PersonEvent) -> dict[str, Any]:
    """The ``data`` of a scene event as JSON values, without the person."""
    return _data_of(made.event)


def _data_of(event: SceneEvent) -> dict[str, Any]:
    return {
        "place": None if event.place is None else {"id": event.place.id, "kind": event.place.kind.value},
        "venue_id": None if event.place is None else event.place.venue_id,
        "visit_id": event.visit_id,
        "revision": event.revision,
        "confidence": event.confidence,
        "fix_count": event.fix_count,
        **{key: plain(value) for key, value in event.data.items()},
    }


def plain(value: object) -> object:
    """A value of an event as JSON has it: instants as RFC 3339."""
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def _event_row(tenant: TenantId, made: PersonEvent, recorded_us: int) -> dict[str, Any]:
    return scene_event_row(tenant, made.device.person, made.event, recorded_us)


def scene_event_row(tenant: TenantId, person: PersonRef, event: SceneEvent, recorded_us: int) -> dict[str, Any]:
    """A scene's event as a row of ``events``."""
    return {
        "id": event.event_id,
        "tenant_id": tenant,
        "type": event.type,
        "occurred_us": to_epoch_us(event.occurred_at),
        "recorded_us": recorded_us,
        "person": person,
        "data": _data_of(event),
    }


def _delivery_events(tenant: TenantId, delivery: Delivery, recorded_us: int) -> list[dict[str, Any]]:
    told = [("delivery.delivered" if delivery.is_delivered else "delivery.suppressed", delivery.id)]
    if delivery.coupon is not None:
        told.append(("coupon.issued", delivery.coupon.id))
    return [
        {
            "id": derive_id("evt", thing, kind),
            "tenant_id": tenant,
            "type": kind,
            "occurred_us": to_epoch_us(delivery.at),
            "recorded_us": recorded_us,
            "person": delivery.person,
            "data": delivery_data(delivery),
        }
        for kind, thing in told
    ]


def delivery_data(delivery: Delivery) -> dict[str, Any]:
    """What is told of a delivery; never a coupon's code."""
    return {
        "delivery_id": delivery.id,
        "campaign_id": delivery.campaign_id,
        "visit_id": delivery.visit_id,
        "card_id": delivery.card_id,
        "coupon_id": None if delivery.coupon is None else delivery.coupon.id,
        "reason": delivery.reason.value,
        "explanation": delivery.explanation,
    }


def _delivery_row(tenant: TenantId, delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "tenant_id": tenant,
        "campaign_id": delivery.campaign_id,
        "person": delivery.person,
        "visit_id": delivery.visit_id,
        "at_us": to_epoch_us(delivery.at),
        "reason": delivery.reason.value,
        "explanation": delivery.explanation,
        "card_id": delivery.card_id,
        "coupon_id": None if delivery.coupon is None else delivery.coupon.id,
    }


def campaigns_by_id(held: Sequence[Campaign]) -> dict[CampaignId, Campaign]:
    """Campaigns by their ids."""
    return {campaign.id: campaign for campaign in held}
