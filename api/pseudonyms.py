"""The name under which a reader of visits and events sees a person: another for each reader and day."""

from datetime import datetime

from kernel.ids import PersonRef, derive_id


def pseudonym(person: PersonRef, reader_id: str, at: datetime, key: bytes) -> str:
    """The name for a person of a reader (a key, or a webhook) on the day of ``at`` (UTC).

    Days and readers cannot be joined by it.
    """
    return derive_id("per", reader_id, at.date().isoformat(), person, key=key)
