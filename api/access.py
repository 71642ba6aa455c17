"""Who may do what: the roles of each kind of call, in one table; 401 without a key, 403 with a wrong role."""

from collections.abc import Callable
from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Request

from api.errors import NoKeyError, NotAllowedError
from api.ports import Caller, Role, Services

_READERS = frozenset({Role.VIEWER, Role.MARKETER, Role.APPROVER, Role.AUDITOR, Role.ADMIN})

MAY: dict[str, frozenset[Role]] = {
    "locate": frozenset({Role.DEVICE, Role.RESEARCHER, Role.ADMIN}),
    "register": frozenset({Role.DEVICE, Role.ADMIN}),
    "see_own": frozenset({Role.DEVICE}),
    "identify": frozenset({Role.ADMIN, Role.CASHIER, Role.STORE}),
    "see_people": frozenset({Role.ADMIN}),
    "see_stores": frozenset(Role),
    "read": _READERS,
    "write_campaigns": frozenset({Role.MARKETER, Role.ADMIN}),
    "publish": frozenset({Role.MARKETER, Role.APPROVER, Role.ADMIN}),
    "write_webhooks": frozenset({Role.ADMIN}),
    "see_webhooks": frozenset({Role.ADMIN, Role.AUDITOR}),
    "redeem": frozenset({Role.CASHIER, Role.STORE, Role.ADMIN}),
    "write_payments": frozenset({Role.CASHIER, Role.STORE, Role.ADMIN}),
    "move_points": frozenset({Role.CASHIER, Role.ADMIN}),
    "open_points": frozenset({Role.ADMIN}),
}
"""The roles that may do each thing. Readers see pseudonyms; no role reads a person's places."""

_SCHEME = "bearer "


def services_of(request: Request) -> Services:
    """What ``create_app`` was given."""
    services: Services = request.app.state.services
    return services


async def caller_of(request: Request, deed: str, key: str | None = None) -> Caller:
    """The caller behind the key of a request, if its role may do the deed; for routes on the event loop.

    Raises:
        NoKeyError: no key came, or one that is unknown, expired or revoked.
        NotAllowedError: the role does not allow it.
    """
    key, keys = key or _key_of(request), services_of(request).keys
    caller = keys.recall_caller(key) if key else None
    if caller is None and key:
        caller = await to_thread.run_sync(keys.find_caller, key)
    return _checked(caller, key, deed)


def _key_of(request: Request) -> str:
    header = request.headers.get("authorization", "")
    return header[len(_SCHEME) :].strip() if header.lower().startswith(_SCHEME) else ""


def _checked(caller: Caller | None, key: str, deed: str) -> Caller:
    if caller is None:
        raise NoKeyError("a key is needed: Authorization: Bearer KEY" if not key else "the key is not known")
    if caller.role not in MAY[deed]:
        raise NotAllowedError(f"the role {caller.role.value} may not do this")
    return caller


async def still_may(request: Request, deed: str) -> bool:
    """Whether the key of a long call is good still, and its role allows the deed."""
    try:
        await caller_of(request, deed)
    except (NoKeyError, NotAllowedError):
        return False
    return True


def needs(deed: str) -> Callable[[Request], Caller]:
    """A FastAPI dependency that lets through callers whose role may do the deed; it runs on a thread of its own."""

    def dependency(request: Request) -> Caller:
        key, keys = _key_of(request), services_of(request).keys
        return _checked((keys.recall_caller(key) or keys.find_caller(key)) if key else None, key, deed)

    return dependency


ServicesDep = Annotated[Services, Depends(services_of)]
Locating = Annotated[Caller, Depends(needs("locate"))]
Registering = Annotated[Caller, Depends(needs("register"))]
SeeingOwn = Annotated[Caller, Depends(needs("see_own"))]
Identifying = Annotated[Caller, Depends(needs("identify"))]
SeeingPeople = Annotated[Caller, Depends(needs("see_people"))]
SeeingStores = Annotated[Caller, Depends(needs("see_stores"))]
Reading = Annotated[Caller, Depends(needs("read"))]
WritingCampaigns = Annotated[Caller, Depends(needs("write_campaigns"))]
Publishing = Annotated[Caller, Depends(needs("publish"))]
WritingWebhooks = Annotated[Caller, Depends(needs("write_webhooks"))]
SeeingWebhooks = Annotated[Caller, Depends(needs("see_webhooks"))]
Redeeming = Annotated[Caller, Depends(needs("redeem"))]
WritingPayments = Annotated[Caller, Depends(needs("write_payments"))]
MovingPoints = Annotated[Caller, Depends(needs("move_points"))]
OpeningPoints = Annotated[Caller, Depends(needs("open_points"))]
