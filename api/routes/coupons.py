"""``/v1/coupons`` and ``/v1/redemptions``: what was issued, and used at the till."""

import hashlib

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.access import Reading, Redeeming, ServicesDep
from api.ports import Caller, Once, Redemption, Rendered
from api.problems import MEDIA_TYPE, problem_of, status_of
from api.pseudonyms import pseudonym
from api.routes.documents import problems
from api.schemas.pages import CouponOut, Cursor, IdempotencyKey, Limit, PageOut, RedemptionIn, RedemptionOut
from campaigns.coupon import Coupon
from flow.answers import rfc3339
from kernel.errors import AtriumError
from kernel.ids import StoreId

router = APIRouter(tags=["coupons"])


@router.get("/v1/coupons", responses=problems(401, 403, 422, 503))
def list_coupons(
    caller: Reading, services: ServicesDep, limit: Limit = 100, cursor: Cursor = None
) -> PageOut[CouponOut]:
    """Coupons in the order of issue, without their codes."""
    page = services.coupons.list(caller.tenant, limit, cursor)
    rows = [_coupon(coupon, caller, services.pseudonym_key) for coupon in page.data]
    return PageOut(data=rows, next_cursor=page.next_cursor)


@router.post(
    "/v1/redemptions",
    status_code=201,
    response_model=RedemptionOut,
    responses=problems(400, 401, 403, 404, 409, 410, 413, 422, 503),
)
def redeem(
    body: RedemptionIn, caller: Redeeming, services: ServicesDep, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Redeem a coupon; exactly once, however many tills try."""
    once = None
    if idempotency_key is not None:
        asked = hashlib.sha256(f"{body.code}\x1f{body.store_id}".encode()).hexdigest()
        once = Once("redemptions", idempotency_key, asked)
    done = services.coupons.redeem(caller, body.code, StoreId(body.store_id), once, _render)
    headers = {"Idempotent-Replayed": "true"} if done.is_replay else {}
    media = "application/json" if done.status < 400 else MEDIA_TYPE
    return JSONResponse(done.body, done.status, headers, media_type=media)


def _render(result: Redemption | AtriumError) -> Rendered:
    if isinstance(result, AtriumError):
        return Rendered(status_of(result), problem_of(result))
    return Rendered(
        201,
        RedemptionOut(
            id=result.id,
            coupon_id=result.coupon.id,
            campaign_id=result.coupon.campaign_id,
            store_id=result.store_id,
            at=rfc3339(result.at),
        ).model_dump(),
    )


def _coupon(coupon: Coupon, caller: Caller, key: bytes) -> CouponOut:
    return CouponOut(
        id=coupon.id,
        campaign_id=coupon.campaign_id,
        sequence=coupon.sequence,
        person_ref=pseudonym(coupon.person, caller.key_id, coupon.issued_at, key),
        visit_id=coupon.visit_id,
        issued_at=rfc3339(coupon.issued_at),
        expires_at=rfc3339(coupon.expires_at),
        status=coupon.status,
        redeemed_at=None if coupon.redeemed_at is None else rfc3339(coupon.redeemed_at),
    )
