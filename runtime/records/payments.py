"""Payments, refunds and complaints as rows: each stored once, whatever was given back never above what was paid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, assert_never

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.ports import Page, PaymentRow, Recorded
from kernel.clock import from_epoch_us, to_epoch_us
from kernel.errors import AtriumError, PartFailedError
from kernel.ids import PaymentId, PersonRef, StoreId, TenantId, VenueId, derive_id
from members.errors import PaymentMismatchError, RefundTooLargeError, UnknownPaymentError, UnknownStoreError
from members.payment import (
    Complaint,
    ComplaintReason,
    Kind,
    Line,
    Payment,
    Refund,
    Told,
    check_refund,
    check_told,
    digest_of,
    kind_of,
    payment_id,
)
from members.ports import PeopleBook
from runtime.records.events import append_events
from runtime.records.paging import read_page
from runtime.records.schema import payments

_INSERT = payments.insert()
_EVENT_OF = {
    Kind.PAYMENT: "payment.recorded",
    Kind.REFUND: "payment.refunded",
    Kind.COMPLAINT: "payment.complained",
}


@dataclass(frozen=True, slots=True)
class StorePlace:
    """The venue whose map has a store, its time zone, and whether no record may hold who was there."""

    venue_id: VenueId
    zone: tzinfo
    is_sensitive: bool


@dataclass(frozen=True, slots=True)
class Door:
    """What payments are let in by.

    Args:
        places: where the stores are that are named; one that is not there is unknown.
        now: what is dated further ahead of it is refused.
        digest_key: of the digests of what was told.
    """

    people: PeopleBook
    places: Mapping[StoreId, StorePlace]
    now: datetime
    digest_key: bytes


def record_all(
    connection: Connection, tenant: TenantId, told: Sequence[Told], door: Door, recorded_at: datetime
) -> list[Recorded | AtriumError]:
    """Store each by itself within the caller's transaction; a refused one leaves nothing behind.

    Raises:
        PartFailedError: ours, not the payment's fault: nothing of the transaction may be kept.
    """
    held = _held(connection, tenant, told)
    outcomes: list[Recorded | AtriumError] = []
    rows: list[dict[str, Any]] = []
    for one in told:
        own_id = payment_id(tenant, one.source, one.receipt_id)
        try:
            if own_id in held:
                outcome = _repeated(held[own_id], one, door)
            else:
                with connection.begin_nested():
                    held[own_id] = _record(connection, tenant, own_id, one, door, recorded_at)
                outcome = Recorded(_payment(held[own_id]), is_replay=False)
        except PartFailedError:
            raise
        except AtriumError as refusal:
            outcomes.append(refusal)
            continue
        outcomes.append(outcome)
        if not outcome.is_replay:
            rows.append(_event_row(tenant, outcome.row))
    append_events(connection, tenant, rows)
    return outcomes


def list_payments(connection: Connection, tenant: TenantId, limit: int, cursor: str | None) -> Page[PaymentRow]:
    """A tenant's payments, refunds and complaints in the order they were recorded: what comes late is not missed."""
    query = sa.select(payments).where(payments.c.tenant_id == tenant)
    page = read_page(connection, query, (payments.c.recorded_us, payments.c.id), limit, cursor)
    return Page([_payment(row._asdict()) for row in page.data], page.next_cursor)


def _held(connection: Connection, tenant: TenantId, told: Sequence[Told]) -> dict[str, Mapping[str, Any]]:
    """What is stored already of these, by id."""
    ids = {payment_id(tenant, one.source, one.receipt_id) for one in told}
    rows = connection.execute(sa.select(payments).where(payments.c.id.in_(ids)))
    return {row.id: row._asdict() for row in rows}


def _repeated(row: Mapping[str, Any], told: Told, door: Door) -> Recorded:
    if row["digest"] != digest_of(told, door.digest_key):
        raise PaymentMismatchError
    return Recorded(_payment(row), is_replay=True)


def _record(
    connection: Connection, tenant: TenantId, own_id: PaymentId, told: Told, door: Door, recorded_at: datetime
) -> Mapping[str, Any]:
    """Store what was not told before; its row."""
    check_told(told, door.now)
    values: dict[str, Any] = {
        "id": own_id,
        "tenant_id": tenant,
        "kind": kind_of(told).value,
        "source": told.source,
        "receipt_id": told.receipt_id,
        "digest": digest_of(told, door.digest_key),
        "payment_id": None,
        "person": None,
        "at_us": to_epoch_us(told.at),
        "amount": None,
        "currency": None,
        "lines": [],
        "reason": None,
        "refunded": 0,
        "recorded_us": to_epoch_us(recorded_at),
    }
    match told:
        case Payment():
            values |= _of_payment(connection, tenant, told, door)
        case Refund():
            values |= _of_refund(connection, tenant, told, door)
        case Complaint():
            paid = _paid(connection, tenant, told.payment_id)
            values |= {"payment_id": paid.id, "reason": told.reason.value, "person": paid.person}
            values |= {"venue_id": paid.venue_id, "store_id": paid.store_id}
        case _:
            assert_never(told)
    connection.execute(_INSERT, values)
    return values


def _of_payment(connection: Connection, tenant: TenantId, told: Payment, door: Door) -> dict[str, Any]:
    place = _place(told.store_id, door)
    person = None
    if told.identities and not place.is_sensitive:  # no record holds who was there
        known_by = [(identity.kind, identity.value) for identity in told.identities]
        person = door.people.person_of(connection, tenant, known_by, told.at, told.source)
    return {
        "venue_id": place.venue_id,
        "store_id": told.store_id,
        "person": person,
        "amount": told.amount,
        "currency": told.currency,
        "lines": [_line_json(line) for line in told.lines],
    }


def _of_refund(connection: Connection, tenant: TenantId, told: Refund, door: Door) -> dict[str, Any]:
    """Guarded in the statement, so that no number of writers can give back more than was paid."""
    paid = _paid(connection, tenant, told.payment_id)
    check_refund(told, paid.currency)
    place = StorePlace(paid.venue_id, UTC, is_sensitive=False)
    if told.store_id is not None:
        place = _place(told.store_id, door)
    given = connection.execute(
        payments.update()
        .where(payments.c.id == paid.id, payments.c.refunded + told.amount <= payments.c.amount)
        .values(refunded=payments.c.refunded + told.amount)
    )
    if given.rowcount != 1:
        raise RefundTooLargeError(told.amount, paid.amount, paid.refunded)
    return {
        "payment_id": paid.id,
        "venue_id": place.venue_id,
        "store_id": told.store_id or paid.store_id,
        "person": None if place.is_sensitive else paid.person,
        "amount": told.amount,
        "currency": told.currency,
    }


def _paid(connection: Connection, tenant: TenantId, asked: PaymentId) -> sa.Row[Any]:
    row = connection.execute(
        sa.select(payments).where(
            payments.c.id == asked, payments.c.tenant_id == tenant, payments.c.kind == Kind.PAYMENT.value
        )
    ).first()
    if row is None:
        raise UnknownPaymentError(asked)
    return row


def _place(store_id: StoreId, door: Door) -> StorePlace:
    place = door.places.get(store_id)
    if place is None:
        raise UnknownStoreError(store_id)
    return place


def _event_row(tenant: TenantId, row: PaymentRow) -> dict[str, Any]:
    kind = _EVENT_OF[row.kind]
    data: dict[str, Any] = {
        "payment_id": row.payment_id or row.id,
        "place": {"id": row.store_id, "kind": "store"},
        "venue_id": row.venue_id,
    }
    match row.kind:
        case Kind.PAYMENT:
            data |= {"amount": row.amount, "currency": row.currency}
        case Kind.REFUND:
            data |= {"refund_id": row.id, "amount": row.amount, "currency": row.currency}
        case Kind.COMPLAINT:
            data |= {"complaint_id": row.id, "reason": None if row.reason is None else row.reason.value}
        case _:
            assert_never(row.kind)
    return {
        "id": derive_id("evt", row.id, kind),
        "tenant_id": tenant,
        "type": kind,
        "occurred_us": to_epoch_us(row.at),
        "recorded_us": to_epoch_us(row.recorded_at),
        "person": row.person,
        "data": data,
    }


def _line_json(line: Line) -> dict[str, Any]:
    return {"amount": line.amount, "quantity": line.quantity, "sku": line.sku, "category": line.category}


def _line(held: Mapping[str, Any]) -> Line:
    return Line(held["amount"], held["quantity"], held["sku"], held["category"])


def _payment(row: Mapping[str, Any]) -> PaymentRow:
    return PaymentRow(
        id=PaymentId(row["id"]),
        kind=Kind(row["kind"]),
        source=row["source"],
        receipt_id=row["receipt_id"],
        payment_id=None if row["payment_id"] is None else PaymentId(row["payment_id"]),
        venue_id=VenueId(row["venue_id"]),
        store_id=StoreId(row["store_id"]),
        at=from_epoch_us(row["at_us"]),
        amount=row["amount"],
        currency=row["currency"],
        lines=tuple(_line(line) for line in row["lines"]),
        reason=None if row["reason"] is None else ComplaintReason(row["reason"]),
        person=None if row["person"] is None else PersonRef(row["person"]),
        refunded=row["refunded"],
        recorded_at=from_epoch_us(row["recorded_us"]),
    )
