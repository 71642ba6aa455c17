"""Lists in pages, and what stands in them."""

from datetime import date
from typing import Annotated, Generic, Literal, TypeVar

from fastapi import Header, Query
from pydantic import BaseModel, Field

from scenes.rhythm.bands import Band
from scenes.tags.names import TagName

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=1_000, description="Rows a page")]
Cursor = Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before")]

IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, description="A repeat within 24 h gets the first answer and no new effect"),
]


class PageOut(BaseModel, Generic[T]):
    """Some rows; ``next_cursor`` is null at the end."""

    data: list[T]
    next_cursor: str | None


class PlaceOut(BaseModel):
    id: str
    kind: str


class VisitOut(BaseModel):
    """A stay; ``left_at`` is null while it is open. ``person_ref`` is another for each reader and day."""

    id: str
    person_ref: str
    venue_id: str
    place: PlaceOut
    arrived_at: str
    last_inside_at: str
    left_at: str | None
    dwell_s: float
    counted: bool
    fix_count: int
    confidence: float
    revision: int


class TagOut(BaseModel):
    """A statement about a person by visits, with its evidence and its end if nothing more is learnt.

    ``subject`` is a category, brand, level, weekday, part of the day, or category and stage; null where a tag has none.
    """

    tag: TagName
    subject: str | None
    venue_id: str
    score: float
    evidence_n: int
    added_at: str
    expires_at: str | None


class RhythmOut(BaseModel):
    """Whose turn it is: the time since the last visit over the gap expected of this person, and what follows from it.

    At a venue, or at one category of it; only where visits keep time well enough. As of last night.
    """

    venue_id: str
    category: str | None
    band: Band
    ratio: float | None
    expected_at: str | None
    p_active: float | None
    p_return_28d: float | None


class TagCountOut(BaseModel):
    """How many people a tag holds of, to the nearest five; groups under ten are not listed. As of ``counted_on``.

    ``rhythm`` counts people by whose turn it is: its ``subject`` is a band, or category and band.
    """

    venue_id: str
    tag: TagName | Literal["rhythm"]
    subject: str | None
    people: int
    counted_on: date


class DeviceTagsOut(BaseModel):
    """All that is held of the person behind a phone."""

    device_id: str
    data: list[TagOut]
    rhythms: list[RhythmOut]


class DeliveryOut(BaseModel):
    """A card given or withheld, with its reason."""

    id: str
    campaign_id: str
    person_ref: str
    visit_id: str
    at: str
    delivered: bool
    reason: str
    explanation: str
    card_id: str | None


class CouponOut(BaseModel):
    """A coupon without its code: the code belongs to the person who holds it."""

    id: str
    campaign_id: str
    sequence: int
    person_ref: str
    visit_id: str
    issued_at: str
    expires_at: str
    status: str
    redeemed_at: str | None


class StoreOut(BaseModel):
    id: str
    name: str
    names: dict[str, str]
    category: str
    level: str
    unit_id: str
    location: dict[str, float]


class RedemptionIn(BaseModel):
    code: Annotated[str, Field(min_length=1, max_length=64)]
    store_id: Annotated[str, Field(min_length=1, max_length=128)]


class RedemptionOut(BaseModel):
    id: str
    coupon_id: str
    campaign_id: str
    store_id: str
    at: str
