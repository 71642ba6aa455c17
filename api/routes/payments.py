"""``/v1/payments``: what was paid, given back and complained of, as tills, wallets and fiscal receipts tell it."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api.access import Reading, ServicesDep, WritingPayments, caller_of, services_of
from api.body import MAX_PAYMENTS_BODY, read_body
from api.errors import BodyTooLargeError, MalformedBodyError, UnsupportedMediaError
from api.ports import Caller, PaymentRow, Recorded, Services
from api.problems import problem_of
from api.pseudonyms import pseudonym
from api.routes.documents import problems
from api.routes.payment_documents import PAYMENT_ANSWERS, PAYMENT_BODY
from api.schemas.pages import Cursor, Limit, PageOut
from api.schemas.payments import ComplaintIn, PaymentOut, PaymentRowOut, RefundIn, read_cloud_event, read_told
from kernel.errors import AtriumError
from kernel.ids import PaymentId, StoreId, TenantId
from members.payment import Complaint, Refund, Told

MAX_PAYMENTS = 1_000

router = APIRouter(tags=["payments"])

Read = Callable[[object, TenantId], Told]
_PLAIN, _EVENT, _EVENTS = "application/json", "application/cloudevents+json", "application/cloudevents-batch+json"


@router.post(
    "/v1/payments",
    status_code=201,
    summary="What was paid",
    openapi_extra={"requestBody": PAYMENT_BODY},
    responses={**PAYMENT_ANSWERS, **problems(400, 401, 403, 404, 409, 413, 415, 422, 503)},
    response_class=Response,
)
async def post_payments(request: Request) -> Response:
    """Store payments, refunds and complaints, each whole or not at all. A bad one in a batch is answered in its place;
    alone it is an error. What was told before under the same source and receipt gets the same answer and does nothing.
    """
    caller = await caller_of(request, "write_payments")
    media = request.headers.get("content-type", _PLAIN).partition(";")[0].strip().lower()
    if media not in {_PLAIN, _EVENT, _EVENTS}:
        raise UnsupportedMediaError(f"{media[:60]!r} is not read; {_PLAIN}, {_EVENT}, {_EVENTS} are")
    body = await read_body(request, MAX_PAYMENTS_BODY)
    return await to_thread.run_sync(_answer, media, body, caller, services_of(request))


@router.post(
    "/v1/payments/{payment_id}:refund",
    status_code=201,
    response_model=PaymentOut,
    responses=problems(400, 401, 403, 404, 409, 413, 422, 503),
)
def refund(payment_id: str, body: RefundIn, caller: WritingPayments, services: ServicesDep) -> JSONResponse:
    """Give back of a payment, never more in all than was paid."""
    store_id = None if body.store_id is None else StoreId(body.store_id)
    paid = PaymentId(payment_id)
    told = Refund(body.source, body.receipt_id, paid, body.at, body.amount, body.currency, store_id)
    return _one(told, caller, services)


@router.post(
    "/v1/payments/{payment_id}:complain",
    status_code=201,
    response_model=PaymentOut,
    responses=problems(400, 401, 403, 404, 409, 413, 422, 503),
)
def complain(payment_id: str, body: ComplaintIn, caller: WritingPayments, services: ServicesDep) -> JSONResponse:
    """Tell that somebody complained of what they paid for."""
    told = Complaint(body.source, body.receipt_id, PaymentId(payment_id), body.at, body.reason)
    return _one(told, caller, services)


@router.get("/v1/payments", responses=problems(401, 403, 422, 503))
def list_payments(
    caller: Reading, services: ServicesDep, limit: Limit = 100, cursor: Cursor = None
) -> PageOut[PaymentRowOut]:
    """Payments, refunds and complaints in the order they were recorded, without identities."""
    page = services.payments.list(caller.tenant, limit, cursor)
    rows = [PaymentRowOut.of(row, _person_ref(row, caller, services.pseudonym_key)) for row in page.data]
    return PageOut(data=rows, next_cursor=page.next_cursor)


def _answer(media: str, body: bytes, caller: Caller, services: Services) -> Response:
    told = _decode(body)
    if media == _EVENT:
        return _one(read_cloud_event(told, caller.tenant), caller, services)
    if media == _EVENTS:
        if not isinstance(told, list):
            raise MalformedBodyError("expected a list of events")
        return _batch(told, read_cloud_event, "id", caller, services)
    if isinstance(told, dict) and "payments" in told:
        if not isinstance(told["payments"], list):
            raise MalformedBodyError("expected a list", "payments")
        if len(told) > 1:
            raise MalformedBodyError("expected `payments` alone")
        return _batch(told["payments"], read_told, "receipt_id", caller, services)
    return _one(read_told(told, caller.tenant), caller, services)


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBodyError(f"not readable: {error}") from None
    except RecursionError:
        raise MalformedBodyError("nested too deeply") from None


def _one(told: Told, caller: Caller, services: Services) -> JSONResponse:
    (outcome,) = services.payments.record(caller.tenant, [told])
    if isinstance(outcome, AtriumError):
        raise outcome
    headers = {"Idempotent-Replayed": "true"} if outcome.is_replay else {}
    return JSONResponse(PaymentOut.of(outcome.row).model_dump(mode="json"), 201, headers)


def _batch(raws: Sequence[object], read: Read, number: str, caller: Caller, services: Services) -> JSONResponse:
    """Args: number: where a source's own number of a payment stands in its JSON."""
    if len(raws) > MAX_PAYMENTS:
        raise BodyTooLargeError(f"{len(raws)} payments in one call, at most {MAX_PAYMENTS} are taken")
    refused: dict[int, AtriumError] = {}
    told: list[Told] = []
    for index, raw in enumerate(raws):
        try:
            told.append(read(raw, caller.tenant))
        except AtriumError as error:
            refused[index] = error
    outcomes = iter(services.payments.record(caller.tenant, told) if told else ())
    results = [
        _in_place(raw, number, refused[index] if index in refused else next(outcomes)) for index, raw in enumerate(raws)
    ]
    return JSONResponse({"results": results}, 200)


def _in_place(raw: object, number: str, outcome: Recorded | AtriumError) -> dict[str, Any]:
    if not isinstance(outcome, AtriumError):
        return PaymentOut.of(outcome.row).model_dump(mode="json")
    held = raw if isinstance(raw, dict) else {}
    return {
        "source": _short(held.get("source")),
        "receipt_id": _short(held.get(number)),
        "error": problem_of(outcome),
    }


def _short(text: object) -> str | None:
    return text[:200] if isinstance(text, str) else None


def _person_ref(row: PaymentRow, caller: Caller, key: bytes) -> str | None:
    return None if row.person is None else pseudonym(row.person, caller.key_id, row.at, key)
