"""``/v1/points``: the ledger of points, at the till."""

import hashlib
import secrets
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse

from api.access import MovingPoints, OpeningPoints, ServicesDep
from api.errors import NotAllowedError
from api.ports import Caller, Once, Rendered, Role, Services
from api.problems import MEDIA_TYPE, problem_of, status_of
from api.routes.documents import problems
from api.schemas.pages import Cursor, IdempotencyKey, Limit, PageOut
from api.schemas.points import (
    NAME,
    PERSON,
    BalanceOut,
    OpenedOut,
    PoolIn,
    PostIn,
    ReasonIn,
    StatementLineOut,
    TransferIn,
    TransferOut,
    transfer_out,
)
from kernel.errors import AtriumError
from members.errors import PointsRefusedError
from members.points.accounts import AccountKey, AccountKind
from members.points.transfers import Order, Phase, Resolve, Reverse, Transfer, transfer_id

router = APIRouter(tags=["points"])

TransferId = Annotated[str, Path(max_length=128, pattern=r"^[A-Za-z0-9_]+$")]
NamePath = Annotated[str, Path(pattern=NAME)]
Person = Annotated[str | None, Query(pattern=PERSON, description="A person's id")]
Named = Annotated[str | None, Query(pattern=NAME)]

_MOVES = problems(400, 401, 403, 404, 409, 413, 422, 429, 503)


@router.post("/v1/points/transfers", status_code=201, response_model=TransferOut, responses=_MOVES)
async def move_points(
    body: TransferIn, caller: MovingPoints, services: ServicesDep, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Earn, redeem, give or pool points; all of it or nothing. With an Idempotency-Key the call may be repeated."""
    if body.kind in {"fund", "settle"} and caller.role is not Role.ADMIN:
        raise NotAllowedError(f"the role {caller.role.value} may not {body.kind} partners")
    order = body.to_order(_new_id(services), services.points.rules)
    return await _move(order, body.model_dump_json(), "points", caller, services, idempotency_key)


@router.post("/v1/points/transfers/{transfer_id}:post", status_code=201, response_model=TransferOut, responses=_MOVES)
async def post_transfer(
    transfer_id: TransferId,
    caller: MovingPoints,
    services: ServicesDep,
    body: PostIn | None = None,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Move the points of a pending transfer, all or some; the others go back."""
    told = body or PostIn()
    order = Resolve(
        _new_id(services),
        transfer_id,
        Phase.POST,
        told.reason or "a pending transfer posted",
        told.points,
        caller.role is Role.ADMIN,
    )
    asked = f"{transfer_id}\x1f{told.model_dump_json()}"
    return await _move(order, asked, "points:post", caller, services, idempotency_key)


@router.post("/v1/points/transfers/{transfer_id}:void", status_code=201, response_model=TransferOut, responses=_MOVES)
async def void_transfer(
    transfer_id: TransferId,
    caller: MovingPoints,
    services: ServicesDep,
    body: ReasonIn | None = None,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Give back what a pending transfer set aside."""
    told = body or ReasonIn()
    order = Resolve(
        _new_id(services),
        transfer_id,
        Phase.VOID,
        told.reason or "a pending transfer voided",
        None,
        caller.role is Role.ADMIN,
    )
    asked = f"{transfer_id}\x1f{told.model_dump_json()}"
    return await _move(order, asked, "points:void", caller, services, idempotency_key)


@router.post(
    "/v1/points/transfers/{transfer_id}:reverse", status_code=201, response_model=TransferOut, responses=_MOVES
)
async def reverse_transfer(
    transfer_id: TransferId,
    caller: MovingPoints,
    services: ServicesDep,
    body: ReasonIn | None = None,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Undo a transfer by its opposite, once and whole; the points are as good for as long as they were."""
    told = body or ReasonIn()
    order = Reverse(_new_id(services), transfer_id, told.reason or "a transfer reversed", caller.role is Role.ADMIN)
    asked = f"{transfer_id}\x1f{told.model_dump_json()}"
    return await _move(order, asked, "points:reverse", caller, services, idempotency_key)


@router.get("/v1/points/balance", responses=problems(401, 403, 404, 422, 503))
def get_balance(
    caller: MovingPoints, services: ServicesDep, person: Person = None, pool: Named = None, partner: Named = None
) -> BalanceOut:
    """What a person, a pool or a partner has."""
    balance = services.points.balance(caller.tenant, _whose(person, pool, partner))
    return BalanceOut.of(balance, services.points.rules)


@router.get("/v1/points/statement", responses=problems(401, 403, 404, 422, 503))
def get_statement(
    caller: MovingPoints,
    services: ServicesDep,
    person: Person = None,
    pool: Named = None,
    partner: Named = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> PageOut[StatementLineOut]:
    """The transfers of a person, a pool or a partner, each with its reason; oldest first."""
    page = services.points.statement(caller.tenant, _whose(person, pool, partner), limit, cursor)
    return PageOut(data=[StatementLineOut.of(line) for line in page.data], next_cursor=page.next_cursor)


@router.put("/v1/points/pools/{pool}", responses=problems(400, 401, 403, 404, 413, 422, 503))
def put_pool(pool: NamePath, body: PoolIn, caller: OpeningPoints, services: ServicesDep) -> OpenedOut:
    """Open a pool of points, or say anew who belongs to it; its members alone pay in and spend."""
    is_new = services.points.open(caller.tenant, AccountKey(AccountKind.POOL, pool), body.members)
    return OpenedOut(kind=AccountKind.POOL, id=pool, opened=is_new, members=body.members)


@router.put("/v1/points/partners/{partner}", responses=problems(401, 403, 422, 503))
def put_partner(partner: NamePath, caller: OpeningPoints, services: ServicesDep) -> OpenedOut:
    """Open a partner's account, which ``fund`` fills, and from which points can then be earned."""
    is_new = services.points.open(caller.tenant, AccountKey(AccountKind.PARTNER, partner), None)
    return OpenedOut(kind=AccountKind.PARTNER, id=partner, opened=is_new, members=None)


def _new_id(services: Services) -> str:
    return transfer_id(services.clock.now(), secrets.token_hex(6))


def _whose(person: str | None, pool: str | None, partner: str | None) -> AccountKey:
    given = {AccountKind.PERSON: person, AccountKind.POOL: pool, AccountKind.PARTNER: partner}
    named = [AccountKey(kind, owner) for kind, owner in given.items() if owner is not None]
    if len(named) != 1:
        raise PointsRefusedError("person", "expected one of person, pool and partner")
    return named[0]


async def _move(
    order: Order, asked: str, route: str, caller: Caller, services: Services, idempotency_key: str | None
) -> JSONResponse:
    once = None
    if idempotency_key is not None:
        once = Once(route, idempotency_key, hashlib.sha256(asked.encode()).hexdigest())
    done = await services.points.move(caller, order, once, _render)
    headers = {"Idempotent-Replayed": "true"} if done.is_replay else {}
    media = "application/json" if done.status < 400 else MEDIA_TYPE
    return JSONResponse(done.body, done.status, headers, media_type=media)


def _render(result: Transfer | AtriumError) -> Rendered:
    if isinstance(result, AtriumError):
        return Rendered(status_of(result), problem_of(result))
    return Rendered(201, transfer_out(result))
