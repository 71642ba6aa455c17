"""People: the ids they are known by, who looked, and what erasure did."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.instants import Instant
from members.device import Purpose
from members.identity import MOST_CHARACTERS, IdentityKind
from members.join import Strength
from members.tiers import Tier


class IdentityIn(BaseModel):
    """An id as it is written wherever it comes from; it is hashed at the door."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    kind: IdentityKind
    value: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]


class TogetherIn(BaseModel):
    """Ids that came together, and how much that says."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    identities: Annotated[list[IdentityIn], Field(min_length=1, max_length=8)]
    strength: Strength = Strength.OBSERVED
    source: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            pattern=r"^[^\x00-\x1f\x7f]+$",
            description="What saw them: `till-12`, `app-login`",
        ),
    ]
    at: Instant


class PersonOut(BaseModel):
    """Whose the ids are; `person_ref` is for this server's own calls and names nobody elsewhere."""

    person_ref: str
    tier: Tier


class FindIn(IdentityIn):
    """Whose id it is, and what for: a look is refused for what its person has not allowed."""

    purpose: Purpose


class IdentityOut(BaseModel):
    kind: IdentityKind
    issuer: str | None
    first_seen_at: str


class LinkOut(BaseModel):
    """Evidence that two ids are one person's; `undone`: taken back, and counts for nothing."""

    id: str
    kinds: list[IdentityKind]
    strength: Strength
    source: str
    first_at: str
    last_at: str
    undone: bool


class PersonViewOut(PersonOut):
    identities: list[IdentityOut]
    links: list[LinkOut]


class UndoIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=3, max_length=200)]


class UndoOut(BaseModel):
    """How many ids are another person's than before."""

    ids_moved: int


class AccessOut(BaseModel):
    at: str
    role: str
    purpose: str
    what: str


class AccessesOut(BaseModel):
    data: list[AccessOut]


class ExportOut(BaseModel):
    """Every row, by table; instants ending in `_us` are microseconds since 1970 (UTC)."""

    data: dict[str, list[dict[str, Any]]]


class ReceiptOut(BaseModel):
    """Rows by table: those that are gone, and those that are kept without a name, with why."""

    erased: dict[str, int]
    kept: dict[str, int]
    kept_because: str
