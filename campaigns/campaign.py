"""What a marketer writes: whom a campaign aims at, when it speaks, what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from campaigns.errors import CampaignRefusedError, CampaignStateError
from kernel.ids import CampaignId, StoreId, VenueId, ZoneId

TargetKind = Literal["store", "level", "venue", "zone"]
TriggerOn = Literal["enter", "dwell"]
OfferKind = Literal["percentage", "amount", "gift"]


class CampaignStatus(StrEnum):
    """``draft -> live <-> paused``; a live campaign past its end simply issues no more."""

    DRAFT = "draft"
    LIVE = "live"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Target:
    """The place a campaign aims at."""

    kind: TargetKind
    id: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """When a campaign speaks, and how sure the place must be.

    The gate: P(target) >= ``min_confidence`` and P(target) - P(best store outside) >= ``min_margin``. Defaults
    0.70 and 0.20: a wrong card costs more trust than a missing one (research page on campaigns, section 5).
    """

    on: TriggerOn = "enter"
    dwell_s: int | None = None
    min_confidence: float = 0.70
    min_margin: float = 0.20


@dataclass(frozen=True, slots=True)
class Card:
    """What the phone shows."""

    title: str
    body: str
    action_url: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A coupon's template. ``value`` is a percentage, or integer minor units of ``currency``."""

    kind: OfferKind
    value: int
    currency: str | None
    valid_s: int


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign of one venue. ``budget`` cards at most in all (None: no limit), ``per_person`` each."""

    id: CampaignId
    name: str
    venue_id: VenueId
    target: Target
    trigger: Trigger
    starts_at: datetime
    ends_at: datetime
    budget: int | None
    per_person: int
    card: Card
    offer: Offer | None = None
    status: CampaignStatus = CampaignStatus.DRAFT


@dataclass(frozen=True, slots=True)
class Zone:
    """A named set of stores and levels that campaigns aim at."""

    id: ZoneId
    name: str
    venue_id: VenueId
    store_ids: frozenset[StoreId]
    level_ids: frozenset[str] = frozenset()


Zones = Mapping[str, Zone]


def check_campaign(campaign: Campaign) -> None:
    """Refuse a campaign that could never be right.

    Raises:
        CampaignRefusedError: names the field.
    """
    if campaign.ends_at <= campaign.starts_at:
        raise CampaignRefusedError("ends_at", "must be after starts_at")
    if campaign.trigger.on == "dwell" and not campaign.trigger.dwell_s:
        raise CampaignRefusedError("trigger.dwell_s", "a dwell trigger needs it, in seconds above 0")
    if campaign.trigger.on == "enter" and campaign.trigger.dwell_s:
        raise CampaignRefusedError("trigger.dwell_s", "only a dwell trigger has it")
    offer = campaign.offer
    if offer is None:
        return
    if offer.kind == "percentage" and not 1 <= offer.value <= 100:
        raise CampaignRefusedError("offer.value", "a percentage lies within 1..100")
    if offer.kind == "amount" and (offer.currency is None or offer.value < 1):
        raise CampaignRefusedError("offer.currency", "an amount needs a currency and at least one minor unit")
    if campaign.budget is None:
        raise CampaignRefusedError("budget", "a campaign that gives coupons needs one")


def next_status(now: CampaignStatus, verb: Literal["publish", "pause"]) -> CampaignStatus:
    """The status after ``:publish`` or ``:pause``; saying it twice changes nothing.

    Raises:
        CampaignStateError: a draft cannot be paused.
    """
    if verb == "publish":
        return CampaignStatus.LIVE
    if now is CampaignStatus.DRAFT:
        raise CampaignStateError("a draft was never live: publish it first")
    return CampaignStatus.PAUSED
