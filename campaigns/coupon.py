"""A coupon: one code for one person, made from a sequence and not to be guessed."""

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from campaigns.campaign import Campaign
from campaigns.errors import AlreadyRedeemedError, CouponExpiredError, WrongStoreError
from kernel.ids import CampaignId, CouponId, PersonRef, StoreId, VisitId, derive_id

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base32: no I, L, O, U to misread at a till
_CODE_LETTERS = 12  # 60 bits: with 1e6 live coupons, one guess in 1e12 hits
_LOOKALIKES = str.maketrans({"I": "1", "L": "1", "O": "0", "-": "", " ": ""})

CouponStatus = Literal["issued", "redeemed"]


@dataclass(frozen=True, slots=True)
class Coupon:
    """One code for one person; ``stores`` empty means any store of the venue takes it."""

    id: CouponId
    campaign_id: CampaignId
    sequence: int
    code: str
    person: PersonRef
    visit_id: VisitId
    issued_at: datetime
    expires_at: datetime
    stores: tuple[StoreId, ...] = ()
    status: CouponStatus = "issued"
    redeemed_at: datetime | None = None


def make_coupon(
    campaign: Campaign,
    sequence: int,
    person: PersonRef,
    visit_id: VisitId,
    at: datetime,
    code_key: bytes,
    stores: Collection[StoreId] = (),
) -> Coupon:
    """The ``sequence``-th coupon of a campaign, taken at ``stores``. The same arguments make the same coupon."""
    if campaign.offer is None:
        raise ValueError(f"campaign {campaign.id} has no offer")
    return Coupon(
        id=CouponId(derive_id("cpn", campaign.id, str(sequence))),
        campaign_id=campaign.id,
        sequence=sequence,
        code=coupon_code(campaign.id, sequence, code_key),
        person=person,
        visit_id=visit_id,
        issued_at=at,
        expires_at=at + timedelta(seconds=campaign.offer.valid_s),
        stores=tuple(sorted(stores)),
    )


def coupon_code(campaign_id: CampaignId, sequence: int, key: bytes) -> str:
    """Twelve letters in three groups, from a keyed hash of campaign and sequence number."""
    digest = hmac.digest(key, f"{campaign_id}\x1f{sequence}".encode(), hashlib.sha256)
    number = int.from_bytes(digest[:8])
    letters = "".join(_ALPHABET[(number >> (5 * i)) & 31] for i in range(_CODE_LETTERS))
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def canonical_code(typed: str) -> str:
    """A code as a cashier may type it (any case, no dashes, O for 0), in its one form; "" when it cannot be one.

    >>> canonical_code("abcd efgh jklm")
    'ABCD-EFGH-JK1M'
    """
    letters = typed.upper().translate(_LOOKALIKES)
    if len(letters) != _CODE_LETTERS or any(letter not in _ALPHABET for letter in letters):
        return ""
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def check_redeemable(coupon: Coupon, store_id: StoreId, at: datetime) -> None:
    """Whether a coupon may be redeemed at ``store_id`` now.

    Raises:
        AlreadyRedeemedError, CouponExpiredError, WrongStoreError: it may not, and why.
    """
    if coupon.status == "redeemed":
        raise AlreadyRedeemedError(coupon.redeemed_at or coupon.issued_at)
    if at >= coupon.expires_at:
        raise CouponExpiredError(coupon.expires_at)
    if coupon.stores and store_id not in coupon.stores:
        raise WrongStoreError(f"{store_id} does not take this coupon")
