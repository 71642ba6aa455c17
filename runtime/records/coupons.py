"""Coupons as rows: listed, and redeemed exactly once."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.ports import Page, Redemption
from campaigns.coupon import Coupon, canonical_code, check_redeemable
from campaigns.errors import AlreadyRedeemedError, UnknownCodeError, WrongStoreError
from kernel.clock import from_epoch_us, to_epoch_us
from kernel.ids import CampaignId, CouponId, PersonRef, StoreId, TenantId, VenueId, VisitId, derive_id
from runtime.records.events import append_events
from runtime.records.paging import read_page
from runtime.records.schema import campaigns, coupons, redemptions


def list_coupons(connection: Connection, tenant: TenantId, limit: int, cursor: str | None) -> Page[Coupon]:
    """A tenant's coupons in the order they were issued."""
    query = sa.select(coupons).where(coupons.c.tenant_id == tenant)
    page = read_page(connection, query, (coupons.c.issued_us, coupons.c.id), limit, cursor)
    return Page([_coupon(row) for row in page.data], page.next_cursor)


def redeem_coupon(
    connection: Connection,
    tenant: TenantId,
    code: str,
    store_id: StoreId,
    at: datetime,
    recorded_at: datetime,
    is_store: Callable[[VenueId, StoreId], bool],
) -> Redemption:
    """Redeem a coupon at a store; of any number of calls at once, one succeeds.

    Args:
        is_store: whether a venue has the store; a coupon is taken nowhere else.

    Raises:
        UnknownCodeError, AlreadyRedeemedError, CouponExpiredError, WrongStoreError: why it cannot be.
    """
    canonical = canonical_code(code)
    row = connection.execute(
        sa.select(coupons).where(coupons.c.tenant_id == tenant, coupons.c.code == canonical)
    ).first()
    if row is None:
        raise UnknownCodeError("no coupon has this code")
    coupon = _coupon(row)
    check_redeemable(coupon, store_id, at)
    venue_id = connection.execute(sa.select(campaigns.c.venue_id).where(campaigns.c.id == coupon.campaign_id)).scalar()
    if venue_id is None or not is_store(VenueId(venue_id), store_id):
        raise WrongStoreError(f"the venue has no store {store_id[:80]!r}")
    at_us = to_epoch_us(at)
    won = connection.execute(
        coupons.update()
        .where(coupons.c.id == coupon.id, coupons.c.status == "issued")
        .values(status="redeemed", redeemed_us=at_us)
    )
    if won.rowcount != 1:
        raise AlreadyRedeemedError(at)
    redemption = Redemption("rdm_" + secrets.token_hex(12), coupon, store_id, at)
    connection.execute(
        redemptions.insert().values(
            id=redemption.id, tenant_id=tenant, coupon_id=coupon.id, store_id=store_id, at_us=at_us
        )
    )
    used = {
        "id": derive_id("evt", coupon.id, "coupon.redeemed"),
        "tenant_id": tenant,
        "type": "coupon.redeemed",
        "occurred_us": at_us,
        "recorded_us": to_epoch_us(recorded_at),
        "person": coupon.person,
        "data": {
            "coupon_id": coupon.id,
            "campaign_id": coupon.campaign_id,
            "redemption_id": redemption.id,
            "place": {"id": store_id, "kind": "store"},
        },
    }
    append_events(connection, tenant, [used])
    return redemption


def _coupon(row: sa.Row[Any]) -> Coupon:
    return Coupon(
        id=CouponId(row.id),
        campaign_id=CampaignId(row.campaign_id),
        sequence=row.sequence,
        code=row.code,
        person=PersonRef(row.person),
        visit_id=VisitId(row.visit_id),
        issued_at=from_epoch_us(row.issued_us),
        expires_at=from_epoch_us(row.expires_us),
        stores=tuple(StoreId(store) for store in row.stores),
        status=row.status,
        redeemed_at=None if row.redeemed_us is None else from_epoch_us(row.redeemed_us),
    )
