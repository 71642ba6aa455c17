"""``/v1/tags``: what visits say of people, under pseudonyms; a phone's own tags, for its owner. No filter by person."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.access import Reading, SeeingOwn, ServicesDep
from api.ports import TagRow
from api.pseudonyms import pseudonym
from api.routes.documents import problems
from api.schemas.pages import Cursor, DeviceTagsOut, Limit, PageOut, PersonTagOut, TagOut
from flow.answers import rfc3339
from kernel.ids import DeviceId, VenueId, derive_id
from scenes.tags.names import TagName

router = APIRouter(tags=["history"])

DeviceIdPath = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
VenueFilter = Annotated[str | None, Query(max_length=128, description="Where the tag was earned")]
TagFilter = Annotated[TagName | None, Query(description="Tags of this name alone")]
SubjectFilter = Annotated[str | None, Query(max_length=400, description="Of this category, brand, level, weekday...")]


@router.get("/v1/tags", responses=problems(401, 403, 422, 503))
def list_tags(
    caller: Reading,
    services: ServicesDep,
    venue_id: VenueFilter = None,
    tag: TagFilter = None,
    subject: SubjectFilter = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> PageOut[PersonTagOut]:
    """The tags that hold, in the order they were added; score and end as of their person's last visit or night."""
    venue = None if venue_id is None else VenueId(venue_id)
    page = services.tags.list(caller.tenant, limit, cursor, venue_id=venue, tag=tag, subject=subject)
    rows = [
        PersonTagOut(
            id=derive_id("tag", caller.key_id, row.id, key=services.pseudonym_key),
            person_ref=pseudonym(row.person, caller, row.added_at, services.pseudonym_key),
            **_tag(row).model_dump(),
        )
        for row in page.data
    ]
    return PageOut(data=rows, next_cursor=page.next_cursor)


@router.get("/v1/devices/{device_id:path}/tags", include_in_schema=False)  # makers' ids hold slashes (Base64 does)
@router.get("/v1/devices/{device_id}/tags", responses=problems(401, 403, 422, 503))
def list_device_tags(device_id: DeviceIdPath, caller: SeeingOwn, services: ServicesDep) -> DeviceTagsOut:
    """What is held of a phone's owner, for the owner to see: empty where nothing is, as without the consents."""
    rows = services.tags.of_device(caller.tenant, DeviceId(device_id))
    return DeviceTagsOut(device_id=device_id, data=[_tag(row) for row in rows])


def _tag(row: TagRow) -> TagOut:
    return TagOut(
        tag=TagName(row.tag),
        subject=row.subject,
        venue_id=row.venue_id,
        score=row.score,
        evidence_n=row.evidence_n,
        added_at=rfc3339(row.added_at),
        expires_at=None if row.expires_at is None else rfc3339(row.expires_at),
    )
