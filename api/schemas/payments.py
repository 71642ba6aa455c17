"""What tills, wallets and fiscal receipts tell, read from JSON of any origin; and payments as they are answered."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError

from api.ports import PaymentRow
from api.problems import path_of
from api.schemas.instants import Instant
from flow.answers import rfc3339
from kernel.ids import PaymentId, StoreId, TenantId
from members.errors import PaymentRefusedError, UnknownIdentityKindError
from members.identity import IdentityKind
from members.payment import Complaint, ComplaintReason, Identity, Kind, Line, Payment, Refund, Told, payment_id

MOST_LINES = 500
MOST_IDENTITIES = 8

_PLAIN = r"^[^\x00-\x1f\x7f]*$"
"""No control characters: ids are made of these with one between them."""
Id = Annotated[str, Field(min_length=1, max_length=128)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=_PLAIN)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class _Strict(BaseModel):
    """A misspelt field would silently do nothing, so unknown ones are refused; amounts are whole numbers, not text."""

    model_config = ConfigDict(extra="forbid")


class LineIn(_Strict):
    amount: StrictInt
    quantity: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)] = 1.0
    sku: Name | None = None
    category: Name | None = None
    currency: Currency | None = None


class IdentityIn(_Strict):
    kind: Annotated[str, Field(max_length=40)]
    value: Name


class _Told(_Strict):
    source: Name
    receipt_id: Name
    at: Instant


class _Payment(_Told):
    kind: Literal["payment"] = "payment"
    store_id: Id
    amount: StrictInt
    currency: Currency
    lines: Annotated[list[LineIn], Field(max_length=MOST_LINES)] = []
    identities: Annotated[list[IdentityIn], Field(max_length=MOST_IDENTITIES)] = []

    def to_told(self, _tenant: TenantId) -> Payment:
        return Payment(
            source=self.source,
            receipt_id=self.receipt_id,
            store_id=StoreId(self.store_id),
            at=self.at,
            amount=self.amount,
            currency=self.currency,
            lines=tuple(Line(x.amount, x.quantity, x.sku, x.category, x.currency) for x in self.lines),
            identities=tuple(_identity(index, one) for index, one in enumerate(self.identities)),
        )


class _OfPayment(_Told):
    """Of a payment by the id that it was answered with, or by the receipt that its source told it under."""

    payment_id: Id | None = None
    of_receipt_id: Name | None = None
    of_source: Name | None = None

    def payment(self, tenant: TenantId) -> PaymentId:
        if self.payment_id is not None and self.of_receipt_id is None and self.of_source is None:
            return PaymentId(self.payment_id)
        if self.payment_id is None and self.of_receipt_id is not None:
            return payment_id(tenant, self.of_source or self.source, self.of_receipt_id)
        raise PaymentRefusedError("payment_id", "expected payment_id, or of_receipt_id (and of_source), not both")


class _Refund(_OfPayment):
    kind: Literal["refund"] = "refund"
    amount: StrictInt
    currency: Currency
    store_id: Id | None = None

    def to_told(self, tenant: TenantId) -> Refund:
        store_id = None if self.store_id is None else StoreId(self.store_id)
        paid = self.payment(tenant)
        return Refund(self.source, self.receipt_id, paid, self.at, self.amount, self.currency, store_id)


class _Complaint(_OfPayment):
    kind: Literal["complaint"] = "complaint"
    reason: ComplaintReason = ComplaintReason.OTHER

    def to_told(self, tenant: TenantId) -> Complaint:
        return Complaint(self.source, self.receipt_id, self.payment(tenant), self.at, self.reason)


class RefundIn(_Strict):
    """What is given back of a payment, at the store where it was paid unless another is named."""

    source: Name
    receipt_id: Name
    at: Instant
    amount: StrictInt
    currency: Currency
    store_id: Id | None = None


class ComplaintIn(_Strict):
    source: Name
    receipt_id: Name
    at: Instant
    reason: ComplaintReason = ComplaintReason.OTHER


_FORMS: dict[str, type[_Payment] | type[_Refund] | type[_Complaint]] = {
    Kind.PAYMENT: _Payment,
    Kind.REFUND: _Refund,
    Kind.COMPLAINT: _Complaint,
}
KIND_OF_EVENT = {
    "payment.recorded": Kind.PAYMENT,
    "payment.refunded": Kind.REFUND,
    "payment.complained": Kind.COMPLAINT,
}
_ENVELOPE = frozenset({"source", "receipt_id"})
"""What a CloudEvent says in its envelope, so its data may not."""


def read_told(raw: object, tenant: TenantId) -> Told:
    """A payment, refund or complaint from its JSON object.

    Raises:
        PaymentRefusedError: it is none; the message shows no identity.
    """
    if not isinstance(raw, Mapping):
        raise PaymentRefusedError("body", "expected an object")
    kind = raw.get("kind", Kind.PAYMENT.value)
    form = _FORMS.get(kind) if isinstance(kind, str) else None
    if form is None:
        raise PaymentRefusedError("kind", f"expected one of {', '.join(_FORMS)}")
    try:
        return form.model_validate(raw).to_told(tenant)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        raise PaymentRefusedError(path_of(fault["loc"]), str(fault["msg"])) from None


def read_cloud_event(raw: object, tenant: TenantId) -> Told:
    """The same from a CloudEvents 1.0 envelope: its ``source``, ``id``, ``data``, and ``time`` for want of an ``at``.

    Raises:
        PaymentRefusedError: it is none.
    """
    if not isinstance(raw, Mapping):
        raise PaymentRefusedError("body", "expected an object")
    if raw.get("specversion") != "1.0":
        raise PaymentRefusedError("specversion", "expected 1.0")
    kind = KIND_OF_EVENT.get(raw["type"]) if isinstance(raw.get("type"), str) else None
    if kind is None:
        raise PaymentRefusedError("type", f"expected one of {', '.join(KIND_OF_EVENT)}")
    data = raw.get("data")
    if not isinstance(data, Mapping):
        raise PaymentRefusedError("data", "expected an object")
    if twice := sorted(_ENVELOPE & data.keys()):
        raise PaymentRefusedError(f"data.{twice[0]}", "the envelope's source and id say this")
    if data.get("kind", kind.value) != kind.value:
        raise PaymentRefusedError("data.kind", f"the type says {kind.value}")
    named = {"source": "source", "id": "receipt_id", "time": "at"}
    outer = {ours: raw[theirs] for theirs, ours in named.items() if theirs in raw}
    try:
        return read_told({**outer, **data, "kind": kind.value}, tenant)
    except PaymentRefusedError as error:
        error.field = _field_of_event(error.field, data)
        raise


def _field_of_event(field: str, data: Mapping[str, Any]) -> str:
    theirs = {"source": "source", "receipt_id": "id"}
    if field == "at" and "at" not in data:
        return "time"
    return theirs.get(field, f"data.{field}")


def _identity(index: int, told: IdentityIn) -> Identity:
    try:
        kind = IdentityKind(told.kind)
    except ValueError:
        raise UnknownIdentityKindError(f"identities[{index}].kind", told.kind, IdentityKind) from None
    value = told.value if kind is IdentityKind.MAKER else told.value.strip()  # a phone's is as scans have it
    if not value.strip():
        raise PaymentRefusedError(f"identities[{index}].value", "expected a value, found blanks")
    return Identity(kind, value)


class LineOut(BaseModel):
    amount: int
    quantity: float
    sku: str | None
    category: str | None


class PaymentOut(BaseModel):
    """What was stored, to whoever told it: the same at each repeat. Without its identities.

    ``payment_id`` is what a refund or complaint is of; ``reason`` a complaint's, which has no amount.
    """

    id: str
    kind: Kind
    source: str
    receipt_id: str
    payment_id: str | None
    venue_id: str
    store_id: str
    at: str
    amount: int | None
    currency: str | None
    lines: list[LineOut]
    reason: ComplaintReason | None
    recorded_at: str

    @classmethod
    def of(cls, row: PaymentRow) -> Self:
        """The answer for what is stored."""
        return cls(source=row.source, receipt_id=row.receipt_id, **_shown(row))


class PaymentRowOut(BaseModel):
    """What was paid, given back or complained of, to a reader; ``refunded`` is how much of a payment was given back.

    ``person_ref`` is another for each reader and day, null where nobody is known.
    """

    id: str
    kind: Kind
    payment_id: str | None
    person_ref: str | None
    venue_id: str
    store_id: str
    at: str
    amount: int | None
    currency: str | None
    lines: list[LineOut]
    reason: ComplaintReason | None
    refunded: int
    recorded_at: str

    @classmethod
    def of(cls, row: PaymentRow, person_ref: str | None) -> Self:
        """A row as a reader sees it."""
        return cls(person_ref=person_ref, refunded=row.refunded, **_shown(row))


def _shown(row: PaymentRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "payment_id": row.payment_id,
        "venue_id": row.venue_id,
        "store_id": row.store_id,
        "at": rfc3339(row.at),
        "amount": row.amount,
        "currency": row.currency,
        "lines": [LineOut(amount=x.amount, quantity=x.quantity, sku=x.sku, category=x.category) for x in row.lines],
        "reason": row.reason,
        "recorded_at": rfc3339(row.recorded_at),
    }
