"""What payments may say, and that the same stays the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kernel.ids import PaymentId, StoreId, TenantId
from members.errors import FuturePaymentError, InvalidAmountError, MixedCurrenciesError
from members.identity import IdentityKind
from members.payment import (
    MOST_AHEAD,
    MOST_AMOUNT,
    Complaint,
    Identity,
    Line,
    Payment,
    Refund,
    check_refund,
    check_told,
    digest_of,
    payment_id,
)

AT = datetime(2026, 4, 18, 4, tzinfo=UTC)
KEY = b"k" * 32
PAID = Payment(
    "till-1",
    "r-1",
    StoreId("st_1"),
    AT,
    12_900,
    "CNY",
    (Line(9_900, 1, "A1", "shoes"), Line(3_000, 2, currency="CNY")),
    (Identity(IdentityKind.PHONE, "+86 138 0013 8000"),),
)
REFUND = Refund("till-1", "r-2", PaymentId("pay_1"), AT, 900, "CNY")
COMPLAINT = Complaint("till-1", "r-3", PaymentId("pay_1"), AT)


@pytest.mark.parametrize("amount", [0, -1, MOST_AMOUNT + 1])
def test_an_amount_is_above_zero_and_believable(amount: int) -> None:
    for told in (replace(PAID, amount=amount), replace(REFUND, amount=amount)):
        with pytest.raises(InvalidAmountError) as caught:
            check_told(told, AT)
        assert (caught.value.field, caught.value.amount) == ("amount", amount)


def test_a_line_may_cost_nothing_but_no_less() -> None:
    check_told(replace(PAID, lines=(Line(0),)), AT)
    with pytest.raises(InvalidAmountError) as caught:
        check_told(replace(PAID, lines=(Line(5), Line(-5))), AT)
    assert caught.value.field == "lines[1].amount"


def test_all_of_a_payment_is_in_one_currency() -> None:
    with pytest.raises(MixedCurrenciesError) as caught:
        check_told(replace(PAID, currency="RUB"), AT)
    assert caught.value.field == "lines[1].currency"
    check_refund(REFUND, "CNY")
    with pytest.raises(MixedCurrenciesError):
        check_refund(REFUND, "RUB")


@pytest.mark.parametrize("told", [PAID, REFUND, COMPLAINT])
def test_nothing_is_dated_further_ahead_than_a_clock_may_be(told: Payment | Refund | Complaint) -> None:
    check_told(told, AT - MOST_AHEAD)
    with pytest.raises(FuturePaymentError) as caught:
        check_told(told, AT - MOST_AHEAD - timedelta(seconds=1))
    assert caught.value.ahead == MOST_AHEAD + timedelta(seconds=1)


def test_the_same_number_of_a_source_is_the_same_payment_of_one_tenant_alone() -> None:
    ids = {payment_id(TenantId(t), s, r) for t in ("a", "b") for s in ("till-1", "till-2") for r in ("1", "2")}
    assert len(ids) == 8
    assert payment_id(TenantId("a"), "till-1", "1") in ids


def test_a_digest_tells_each_difference_and_needs_its_key() -> None:
    other = (
        replace(PAID, amount=1),
        replace(PAID, at=AT + timedelta(seconds=1)),
        replace(PAID, lines=()),
        replace(PAID, identities=()),
        replace(PAID, identities=(Identity(IdentityKind.LOYALTY, "+86 138 0013 8000"),)),
        REFUND,
        replace(REFUND, store_id=StoreId("st_1")),
        COMPLAINT,
    )
    assert len({digest_of(told, KEY) for told in (PAID, *other)}) == len(other) + 1
    assert digest_of(PAID, KEY) == digest_of(replace(PAID), KEY) != digest_of(PAID, b"x" * 32)


def test_no_message_shows_an_identity() -> None:
    assert "138" not in repr(PAID)
