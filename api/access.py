"""Who may do what: the roles of each kind of call, in one table; 401 without a key, 403 with a wrong role."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from api.errors import NoKeyError, NotAllowedError
from api.ports import Caller, Role, Services

_READERS = frozenset({Role.VIEWER, Role.MARKETER, Role.APPROVER, Role.AUDITOR, Role.ADMIN})

MAY: dict[str, frozenset[Role]] = {
    "locate": frozenset({Role.DEVICE, Role.RESEARCHER, Role.ADMIN}),
    "register": frozenset({Role.DEVICE, Role.ADMIN}),
    "see_stores": frozenset(Role),
    "read": _READERS,
    "write_campaigns": frozenset({Role.MARKETER, Role.ADMIN}),
    "publish": frozenset({Role.MARKETER, Role.APPROVER, Role.ADMIN}),
    "redeem": frozenset({Role.CASHIER, Role.STORE, Role.ADMIN}),
}
"""The roles that may do each thing. Readers see pseudonyms; no role reads a person's places."""

_SCHEME = "bearer "


def services_of(request: Request) -> Services:
    """What ``create_app`` was given."""
    services: Services = request.app.state.services
    return services


def caller_of(request: Request, deed: str, key: str | None = None) -> Caller:
    """The caller behind the key of a request, if its role may do the deed.

    Raises:
        NoKeyError: no key came, or one that is unknown, expired or revoked.
        NotAllowedError: the role does not allow it.
    """
    if key is None:
        header = request.headers.get("authorization", "")
        key = header[len(_SCHEME) :].strip() if header.lower().startswith(_SCHEME) else ""
    caller = services_of(request).keys.find_caller(key) if key else None
    if caller is None:
        raise NoKeyError("a key is needed: Authorization: Bearer KEY" if not key else "the key is not known")
    if caller.role not in MAY[deed]:
        raise NotAllowedError(f"the role {caller.role.value} may not do this")
    return caller


def needs(deed: str) -> Callable[[Request], Caller]:
    """A FastAPI dependency that lets through callers whose role may do the deed."""

    def dependency(request: Request) -> Caller:
        return caller_of(request, deed)

    return dependency


ServicesDep = Annotated[Services, Depends(services_of)]
Locating = Annotated[Caller, Depends(needs("locate"))]
Registering = Annotated[Caller, Depends(needs("register"))]
SeeingStores = Annotated[Caller, Depends(needs("see_stores"))]
Reading = Annotated[Caller, Depends(needs("read"))]
WritingCampaigns = Annotated[Caller, Depends(needs("write_campaigns"))]
Publishing = Annotated[Caller, Depends(needs("publish"))]
Redeeming = Annotated[Caller, Depends(needs("redeem"))]
