"""How many people each tag holds of, as of the last night: written once a night as it is told, and not told otherwise.

What is read between two nights is the same, so that nobody can be found by looking again after they came.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.ports import Page, TagCount
from insights.release import released_people
from kernel.ids import TenantId, VenueId
from runtime.records.paging import read_page
from runtime.records.rhythm import count_bands
from runtime.records.schema import person_tags, tag_counts

RHYTHM = "rhythm"
"""Stands beside the names of tags: whose turn it is, by category and band, or by band alone for the venue."""


def write_counts(connection: Connection, tenant: TenantId, day: int) -> None:
    """Count anew, as of the beginning of a service day; groups that are too small are not written."""
    by = person_tags.c.venue_id, person_tags.c.tag, person_tags.c.subject
    query = sa.select(*by, sa.func.count().label("n")).where(person_tags.c.tenant_id == tenant).group_by(*by)
    counted = [(row.venue_id, row.tag, row.subject, row.n) for row in connection.execute(query)]
    for venue_id, category, band, n in count_bands(connection, tenant):
        counted.append((venue_id, RHYTHM, f"{category}:{band}" if category else band, n))
    told = [(*what, released) for *what, n in counted if (released := released_people(n)) is not None]
    connection.execute(tag_counts.delete().where(tag_counts.c.tenant_id == tenant))
    rows = [
        {
            "tenant_id": tenant,
            "number": number,
            "venue_id": venue_id,
            "tag": tag,
            "subject": subject,
            "people": people,
            "day": day,
        }
        for number, (venue_id, tag, subject, people) in enumerate(
            sorted(told, key=lambda row: (row[0], row[1], row[2] or ""))
        )
    ]
    if rows:
        connection.execute(tag_counts.insert(), rows)


def list_counts(
    connection: Connection, tenant: TenantId, venue_id: VenueId | None, tag: str | None, limit: int, cursor: str | None
) -> Page[TagCount]:
    """A tenant's counts by venue, tag and subject."""
    query = sa.select(tag_counts).where(tag_counts.c.tenant_id == tenant)
    for column, value in ((tag_counts.c.venue_id, venue_id), (tag_counts.c.tag, tag)):
        if value is not None:
            query = query.where(column == value)
    page = read_page(connection, query, tag_counts.c.number, limit, cursor)
    counts = [TagCount(VenueId(row.venue_id), row.tag, row.subject, row.people, row.day) for row in page.data]
    return Page(counts, page.next_cursor)
