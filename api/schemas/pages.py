"""Lists in pages, and what stands in them."""

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=1_000, description="Rows a page")]
Cursor = Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before")]


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
