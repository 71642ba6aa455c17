"""Payments as tills, wallets and fiscal receipts tell them; what is given back of them, and complaints about them.

Whatever is told has its source's name and that source's own number for it, and the two together stand for it: told
again, it is the same. Identities are raw here, at the door: they are shown to a ``PeopleBook`` and nowhere else.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from kernel.ids import PaymentId, StoreId, TenantId, derive_id
from members.errors import FuturePaymentError, InvalidAmountError, MixedCurrenciesError
from members.identity import IdentityKind

MOST_AHEAD: Final = timedelta(minutes=5)
"""How far a till's clock may run ahead, as a phone's may (``flow.run_batch.CLOCK_TOLERANCE``)."""
MOST_AMOUNT: Final = 10**12
"""Ten billion of a currency with two decimals; beyond it somebody mistook a number. Sums stay exact in JSON."""


class Kind(StrEnum):
    """What is told; the value is also that of the wire and the records."""

    PAYMENT = "payment"
    REFUND = "refund"
    COMPLAINT = "complaint"


class ComplaintReason(StrEnum):
    """What a complaint is about. Never a text: people name themselves and others in it."""

    GOODS = "goods"
    SERVICE = "service"
    PRICE = "price"
    DELIVERY = "delivery"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a receipt; ``amount`` is for all of it. Lines need not add up: there are tips and discounts."""

    amount: int
    quantity: float = 1.0
    sku: str | None = None
    category: str | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """What the payer may be known by, as it was told; its value stands in no log, record or message."""

    kind: IdentityKind
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Payment:
    """What was paid at a store, in minor units of a currency (ISO 4217)."""

    source: str
    receipt_id: str
    store_id: StoreId
    at: datetime
    amount: int
    currency: str
    lines: tuple[Line, ...] = ()
    identities: tuple[Identity, ...] = ()


@dataclass(frozen=True, slots=True)
class Refund:
    """What was given back of a payment; ``store_id`` None: where it was paid."""

    source: str
    receipt_id: str
    payment_id: PaymentId
    at: datetime
    amount: int
    currency: str
    store_id: StoreId | None = None


@dataclass(frozen=True, slots=True)
class Complaint:
    """Somebody complained of what they paid for."""

    source: str
    receipt_id: str
    payment_id: PaymentId
    at: datetime
    reason: ComplaintReason = ComplaintReason.OTHER


Told = Payment | Refund | Complaint


def kind_of(told: Told) -> Kind:
    """What is told."""
    match told:
        case Payment():
            return Kind.PAYMENT
        case Refund():
            return Kind.REFUND
        case Complaint():
            return Kind.COMPLAINT


def payment_id(tenant: TenantId, source: str, receipt_id: str) -> PaymentId:
    """The id of whatever a source tells under one of its numbers: always the same, so that it is stored once."""
    return PaymentId(derive_id("pay", tenant, source, receipt_id))


def check_told(told: Told, now: datetime) -> None:
    """Refuse what can be seen to be wrong without the records.

    Raises:
        InvalidAmountError, MixedCurrenciesError, FuturePaymentError: what is wrong, and where.
    """
    if told.at - now > MOST_AHEAD:
        raise FuturePaymentError(told.at - now, MOST_AHEAD)
    if isinstance(told, Complaint):
        return
    if not 0 < told.amount <= MOST_AMOUNT:
        raise InvalidAmountError("amount", told.amount, 1, MOST_AMOUNT)
    if isinstance(told, Payment):
        _check_lines(told.lines, told.currency)


def _check_lines(lines: Sequence[Line], currency: str) -> None:
    for index, line in enumerate(lines):
        if not 0 <= line.amount <= MOST_AMOUNT:  # a gift costs nothing
            raise InvalidAmountError(f"lines[{index}].amount", line.amount, 0, MOST_AMOUNT)
        if line.currency is not None and line.currency != currency:
            raise MixedCurrenciesError(f"lines[{index}].currency", line.currency, currency)


def check_refund(refund: Refund, currency: str) -> None:
    """Refuse a refund in another currency than was paid.

    Raises:
        MixedCurrenciesError: it is.
    """
    if refund.currency != currency:
        raise MixedCurrenciesError("currency", refund.currency, currency)


def digest_of(told: Told, key: bytes) -> str:
    """Stands for all that was told, identities too, so that another body under the same number is seen.

    Keyed: whoever has the records knows all of it but the identities, and could try all phone numbers.
    """
    parts: list[object] = [kind_of(told).value, told.source, told.receipt_id, told.at.isoformat()]
    match told:
        case Payment():
            parts += [told.store_id, told.amount, told.currency]
            parts += [[[x.amount, x.quantity, x.sku, x.category, x.currency] for x in told.lines]]
            parts += [[[identity.kind.value, identity.value] for identity in told.identities]]
        case Refund():
            parts += [told.payment_id, told.store_id, told.amount, told.currency]
        case Complaint():
            parts += [told.payment_id, told.reason.value]
    return hashlib.blake2b(json.dumps(parts).encode(), key=key, digest_size=32).hexdigest()
