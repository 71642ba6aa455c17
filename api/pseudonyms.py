"""The name under which a reader of visits and events sees a person: another for each reader and day."""

from datetime import datetime

from api.ports import Caller
from kernel.ids import PersonRef, derive_id


def pseudonym(person: PersonRef, reader: Caller, at: datetime, key: bytes) -> str:
    """The reader's name for a person on the day of ``at`` (UTC). Days and readers cannot be joined by it."""
    return derive_id("per", reader.key_id, at.date().isoformat(), person, key=key)
