"""What a marketer sends and sees."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from api.schemas.instants import Instant
from campaigns.campaign import Campaign, Card, Offer, Target, Trigger, Zone
from flow.answers import rfc3339
from kernel.ids import CampaignId, StoreId, VenueId, ZoneId

Id = Annotated[str, Field(min_length=1, max_length=128)]
Ratio = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
MAX_AMOUNT = 10**9
_ACTION_URL = r"^(https://|http://|atrium:)[^\s\x00-\x1f\x7f]*$"
"""What a phone may be told to open: no script, and nothing that breaks a line where it is copied."""


class _Strict(BaseModel):
    """A misspelt field of a campaign would silently do nothing, so unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class TargetIn(_Strict):
    kind: Literal["store", "level", "venue", "zone"]
    id: Id


class TriggerIn(_Strict):
    on: Literal["enter", "dwell"] = "enter"
    dwell_s: Annotated[StrictInt, Field(ge=1, le=86_400)] | None = None
    min_confidence: Ratio = 0.70
    min_margin: Ratio = 0.20


class CardIn(_Strict):
    title: Text
    body: Annotated[str, Field(max_length=1_000)] = ""
    action_url: Annotated[str, Field(max_length=500, pattern=_ACTION_URL)] | None = None


class OfferIn(_Strict):
    kind: Literal["percentage", "amount", "gift"]
    value: Annotated[StrictInt, Field(ge=0, le=MAX_AMOUNT)] = 0
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    valid_s: Annotated[StrictInt, Field(ge=60, le=366 * 86_400)]


class CampaignIn(_Strict):
    name: Text
    venue_id: Id
    target: TargetIn
    trigger: TriggerIn = TriggerIn()
    starts_at: Instant
    ends_at: Instant
    budget: Annotated[StrictInt, Field(ge=1, le=MAX_AMOUNT)] | None = None
    per_person: Annotated[StrictInt, Field(ge=1, le=1_000)] = 1
    card: CardIn
    offer: OfferIn | None = None

    def to_campaign(self, campaign_id: CampaignId) -> Campaign:
        """The domain's campaign, a draft."""
        return Campaign(
            id=campaign_id,
            name=self.name,
            venue_id=VenueId(self.venue_id),
            target=Target(self.target.kind, self.target.id),
            trigger=Trigger(**self.trigger.model_dump()),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            budget=self.budget,
            per_person=self.per_person,
            card=Card(**self.card.model_dump()),
            offer=None if self.offer is None else Offer(**self.offer.model_dump()),
        )


class ZoneIn(_Strict):
    name: Text
    venue_id: Id
    store_ids: Annotated[list[Id], Field(max_length=2_000)] = []
    level_ids: Annotated[list[Id], Field(max_length=200)] = []

    def to_zone(self, zone_id: ZoneId) -> Zone:
        """The domain's zone."""
        stores = frozenset(StoreId(store) for store in self.store_ids)
        return Zone(zone_id, self.name, VenueId(self.venue_id), stores, frozenset(self.level_ids))


class CampaignStatusOut(BaseModel):
    """What ``POST /v1/campaigns`` and the verbs answer."""

    id: str
    status: str


class CardOut(BaseModel):
    """A card as it is stored, whatever was taken when it was written."""

    title: str
    body: str
    action_url: str | None


class CampaignOut(BaseModel):
    """A campaign as it is stored, with the cards given so far."""

    id: str
    status: str
    given: int
    name: str
    venue_id: str
    target: TargetIn
    trigger: TriggerIn
    starts_at: str
    ends_at: str
    budget: int | None
    per_person: int
    card: CardOut
    offer: OfferIn | None

    @classmethod
    def of(cls, campaign: Campaign, given: int) -> "CampaignOut":
        """The answer for a stored campaign."""
        offer = campaign.offer
        return cls(
            id=campaign.id,
            status=campaign.status.value,
            given=given,
            name=campaign.name,
            venue_id=campaign.venue_id,
            target=TargetIn(kind=campaign.target.kind, id=campaign.target.id),
            trigger=TriggerIn(
                on=campaign.trigger.on,
                dwell_s=campaign.trigger.dwell_s,
                min_confidence=campaign.trigger.min_confidence,
                min_margin=campaign.trigger.min_margin,
            ),
            starts_at=rfc3339(campaign.starts_at),
            ends_at=rfc3339(campaign.ends_at),
            budget=campaign.budget,
            per_person=campaign.per_person,
            card=CardOut(title=campaign.card.title, body=campaign.card.body, action_url=campaign.card.action_url),
            offer=None
            if offer is None
            else OfferIn(kind=offer.kind, value=offer.value, currency=offer.currency, valid_s=offer.valid_s),
        )


class ZoneOut(BaseModel):
    id: str
    name: str
    venue_id: str
    store_ids: list[str]
    level_ids: list[str]

    @classmethod
    def of(cls, zone: Zone) -> "ZoneOut":
        """The answer for a stored zone."""
        return cls(
            id=zone.id,
            name=zone.name,
            venue_id=zone.venue_id,
            store_ids=sorted(zone.store_ids),
            level_ids=sorted(zone.level_ids),
        )
