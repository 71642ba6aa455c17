"""``/v1/tags``: of how many people what holds; and all that is held of a phone's owner, for its owner alone."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from api.access import Reading, SeeingOwn, ServicesDep
from api.ports import RhythmRow, TagCount, TagRow
from api.routes.documents import problems
from api.schemas.pages import Cursor, DeviceTagsOut, Limit, PageOut, RhythmOut, TagCountOut, TagOut
from flow.answers import rfc3339
from kernel.clock import EPOCH
from kernel.ids import DeviceId, VenueId
from scenes.rhythm.bands import Band
from scenes.tags.names import TagName

router = APIRouter(tags=["tags"])

DeviceIdPath = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
VenueFilter = Annotated[str | None, Query(max_length=128, description="Where the tag was earned")]
TagFilter = Annotated[TagName | Literal["rhythm"] | None, Query(description="Tags of this name alone")]


@router.get("/v1/tags", responses=problems(401, 403, 422, 503))
def list_tags(
    caller: Reading,
    services: ServicesDep,
    venue_id: VenueFilter = None,
    tag: TagFilter = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> PageOut[TagCountOut]:
    """Of how many people each tag holds, by venue, tag and subject, as of last night. Never of whom."""
    venue = None if venue_id is None else VenueId(venue_id)
    page = services.tags.counts(caller.tenant, limit, cursor, venue_id=venue, tag=tag)
    return PageOut(data=[_count(row) for row in page.data], next_cursor=page.next_cursor)


@router.get("/v1/devices/{device_id:path}/tags", include_in_schema=False)  # makers' ids hold slashes (Base64 does)
@router.get("/v1/devices/{device_id}/tags", responses=problems(401, 403, 422, 503))
def list_device_tags(device_id: DeviceIdPath, caller: SeeingOwn, services: ServicesDep) -> DeviceTagsOut:
    """What is held of a phone's owner, for the owner to see: empty where nothing is, as without the consents."""
    tags, rhythms = services.tags.of_device(caller.tenant, DeviceId(device_id))
    return DeviceTagsOut(
        device_id=device_id, data=[_tag(row) for row in tags], rhythms=[_rhythm(row) for row in rhythms]
    )


def _count(row: TagCount) -> TagCountOut:
    return TagCountOut(
        venue_id=row.venue_id,
        tag="rhythm" if row.tag == "rhythm" else TagName(row.tag),
        subject=row.subject,
        people=row.people,
        counted_on=(EPOCH + timedelta(days=row.day)).date(),
    )


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


def _rhythm(row: RhythmRow) -> RhythmOut:
    return RhythmOut(
        venue_id=row.venue_id,
        category=row.category,
        band=Band(row.band),
        ratio=row.ratio,
        expected_at=None if row.expected_at is None else rfc3339(row.expected_at),
        p_active=row.p_active,
        p_return_28d=row.p_return_28d,
    )
