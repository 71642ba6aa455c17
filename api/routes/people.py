"""``/v1/identities``, ``/v1/people:find``, ``/v1/me``: who is known by what; and each person's own look, copy and end.

No call here, or anywhere, takes a person and returns places, but that person's own export.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.access import Identifying, SeeingOwn, SeeingPeople, ServicesDep
from api.errors import NotAllowedError
from api.ports import Role
from api.routes.documents import problems
from api.schemas.people import (
    AccessesOut,
    AccessOut,
    ExportOut,
    FindIn,
    IdentityOut,
    LinkOut,
    PersonOut,
    PersonViewOut,
    ReceiptOut,
    TogetherIn,
    UndoIn,
    UndoOut,
)
from flow.answers import rfc3339
from kernel.ids import DeviceId
from members.join import Strength

router = APIRouter(tags=["members"], responses=problems(401, 403, 422, 503))

MyDevice = Annotated[
    str,
    Query(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$", description="The phone whose owner asks"),
]
_KEPT_BECAUSE = (
    "Coupons, deliveries, payments and the books of points are accounts: the amounts stay, with their days, of nobody "
    "or under names drawn at random that are written nowhere beside you."
)


@router.post("/v1/identities", responses=problems(400, 403))
def see_together(body: TogetherIn, caller: Identifying, services: ServicesDep) -> PersonOut:
    """Tell that ids came together: who signs in, joins on arrival or pays becomes known by all of them."""
    if body.strength is Strength.VERIFIED and caller.role is not Role.ADMIN:
        raise NotAllowedError("a till tells what it observed; what is verified is an admin's to tell")
    ids = [(one.kind, one.value) for one in body.identities]
    person, tier = services.people.see(caller, ids, body.strength, body.source, body.at)
    return PersonOut(person_ref=person, tier=tier)


@router.post("/v1/people:find", responses=problems(400, 404))
def find_person(body: FindIn, caller: SeeingPeople, services: ServicesDep) -> PersonViewOut:
    """Who has an id and what else they are known by: no places, no tags. The look is written into their own log."""
    found = services.people.find(caller, body.kind, body.value, body.purpose)
    return PersonViewOut(
        person_ref=found.person,
        tier=found.tier,
        identities=[
            IdentityOut(kind=one.kind, issuer=one.issuer, first_seen_at=rfc3339(one.first_seen_at))
            for one in found.identities
        ],
        links=[
            LinkOut(
                id=link.id,
                kinds=list(link.kinds),
                strength=link.strength,
                source=link.source,
                first_at=rfc3339(link.first_at),
                last_at=rfc3339(link.last_at),
                undone=link.is_undone,
            )
            for link in found.links
        ],
    )


@router.post("/v1/identity-links/{link_id}:undo", responses=problems(400, 404))
def undo_link(
    link_id: Annotated[str, Path(max_length=160)], body: UndoIn, caller: SeeingPeople, services: ServicesDep
) -> UndoOut:
    """Take evidence back, for good: whoever it had joined is as without it."""
    return UndoOut(ids_moved=services.people.undo(caller, link_id, body.reason))


@router.get("/v1/me/accesses")
def list_accesses(device_id: MyDevice, caller: SeeingOwn, services: ServicesDep) -> AccessesOut:
    """Who looked at me, when, in which role and for what; the last thousand."""
    rows = services.people.accesses(caller.tenant, DeviceId(device_id))
    return AccessesOut(
        data=[AccessOut(at=rfc3339(row.at), role=row.role, purpose=row.purpose, what=row.what) for row in rows]
    )


@router.get("/v1/me/export", responses=problems(404))
def export_me(device_id: MyDevice, caller: SeeingOwn, services: ServicesDep) -> ExportOut:
    """All that is held of me, what was inferred too."""
    return ExportOut(data=services.people.export(caller, DeviceId(device_id)))


@router.delete("/v1/me", responses=problems(404))
def erase_me(device_id: MyDevice, caller: SeeingOwn, services: ServicesDep) -> ReceiptOut:
    """Erase me, all my phones and ids with me. What is answered is done."""
    receipt = services.people.erase(caller.tenant, DeviceId(device_id))
    return ReceiptOut(erased=receipt["goes"], kept=receipt["kept"], kept_because=_KEPT_BECAUSE)
