"""Codes that cannot be guessed or misread, and when a coupon may be redeemed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.coupon import Coupon, canonical_code, check_redeemable, coupon_code
from campaigns.errors import AlreadyRedeemedError, CouponExpiredError, WrongStoreError
from kernel.ids import CampaignId, CouponId, PersonRef, StoreId, VisitId

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
COUPON = Coupon(
    CouponId("cpn_1"),
    CampaignId("cmp_1"),
    1,
    coupon_code(CampaignId("cmp_1"), 1, b"key"),
    PersonRef("per_1"),
    VisitId("vis_1"),
    NOW,
    NOW + timedelta(hours=3),
    (StoreId("st_a"),),
)


@given(st.integers(1, 10**9), st.binary(min_size=1, max_size=64))
def test_a_code_reads_back_however_it_is_typed(sequence: int, key: bytes) -> None:
    code = coupon_code(CampaignId("cmp_1"), sequence, key)
    for typed in (code, code.lower(), code.replace("-", ""), code.replace("-", " "), code.replace("0", "O")):
        assert canonical_code(typed) == code


def test_codes_of_a_campaign_differ_and_depend_on_the_key() -> None:
    codes = {coupon_code(CampaignId("cmp_1"), n, b"key") for n in range(20_000)}
    assert len(codes) == 20_000
    assert coupon_code(CampaignId("cmp_1"), 1, b"other") not in codes


@given(st.text(max_size=30))
def test_any_text_is_a_code_or_nothing(typed: str) -> None:
    code = canonical_code(typed)
    assert code in {"", canonical_code(code)}


def test_a_coupon_is_refused_with_the_reason() -> None:
    store = StoreId("st_a")
    check_redeemable(COUPON, store, NOW)
    with pytest.raises(WrongStoreError):
        check_redeemable(COUPON, StoreId("st_b"), NOW)
    with pytest.raises(CouponExpiredError):
        check_redeemable(COUPON, store, COUPON.expires_at)
    with pytest.raises(AlreadyRedeemedError):
        check_redeemable(replace(COUPON, status="redeemed", redeemed_at=NOW), store, NOW)
    check_redeemable(replace(COUPON, stores=()), StoreId("st_b"), NOW)
