"""Which cards a phone gets now, and why or why not.

For each live campaign whose place the phone is visiting: window of dates, trigger, cap, gate on confidence and
margin, budget; the first that fails is the reason. A refusal is recorded once a visit and reason; the gate may
still open on a later fix of the same visit. Whoever has not allowed marketing never comes here.

Budget and caps live in the ``Ledger``, a plain value: the driver stores its changes in one transaction with the
deliveries, under guards of its own, before any reply leaves. A batch writes them on its ``RunningLedger``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from campaigns.campaign import Campaign, CampaignStatus, Target, Zones
from campaigns.coupon import Coupon, make_coupon
from kernel.ids import CampaignId, CardId, PersonRef, StoreId, VisitId, derive_id
from scenes.rules import PlaceKind
from scenes.state import Fix, Visit


class Reason(StrEnum):
    """Why a card was delivered or suppressed; stable codes."""

    DELIVERED = "delivered"
    PER_PERSON_CAP = "per_person_cap"
    LOW_CONFIDENCE = "low_confidence"
    LOW_MARGIN = "low_margin"
    BUDGET_SPENT = "budget_spent"


@dataclass(frozen=True, slots=True)
class Moment:
    """What one phone's scan says to campaigns: who, when, which visits are open, how sure the place is."""

    person: PersonRef
    at: datetime
    fix: Fix
    open_visits: Mapping[PlaceKind, Visit]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One card given or withheld, with its reason in a code and in a sentence."""

    id: str
    campaign_id: CampaignId
    person: PersonRef
    visit_id: VisitId
    at: datetime
    reason: Reason
    explanation: str
    card_id: CardId | None = None
    coupon: Coupon | None = None

    @property
    def is_delivered(self) -> bool:
        """Whether the phone got the card."""
        return self.reason is Reason.DELIVERED


_GivenTo = dict[tuple[CampaignId, PersonRef], int]
_Settled = dict[tuple[CampaignId, VisitId], frozenset[Reason]]


@dataclass(frozen=True, slots=True)
class Ledger:
    """How much of each campaign is given: in all, to each person, and what is settled for each visit.

    Args:
        who: of somebody known by several refs, as by two phones, the one under which ``given_to`` counts.
    """

    given: Mapping[CampaignId, int] = field(default_factory=dict)
    given_to: Mapping[tuple[CampaignId, PersonRef], int] = field(default_factory=dict)
    settled: Mapping[tuple[CampaignId, VisitId], frozenset[Reason]] = field(default_factory=dict)
    who: Mapping[PersonRef, PersonRef] = field(default_factory=dict)

    def times_given(self, campaign: CampaignId, person: PersonRef) -> int:
        """How often the campaign spoke to a person, whichever of their phones it was."""
        return self.given_to.get((campaign, self.who.get(person, person)), 0)


class RunningLedger:
    """A ledger that one batch writes on, moment after moment.

    What it begins from never changes: it is copied at the first delivery, once, so that a batch costs its own
    deliveries and one copy. ``now`` holds until the next ``take``.
    """

    def __init__(self, start: Ledger) -> None:
        self._start = start
        self._own: tuple[dict[CampaignId, int], _GivenTo, _Settled] | None = None
        self.now = start

    def take(self, deliveries: Iterable[Delivery]) -> None:
        """Write down what was decided."""
        for delivery in deliveries:
            if self._own is None:
                self._own = dict(self._start.given), dict(self._start.given_to), dict(self._start.settled)
                self.now = Ledger(*self._own, self._start.who)
            given, given_to, settled = self._own
            campaign_id, visit = delivery.campaign_id, (delivery.campaign_id, delivery.visit_id)
            settled[visit] = settled.get(visit, frozenset()) | {delivery.reason}
            if delivery.is_delivered:
                person = campaign_id, self._start.who.get(delivery.person, delivery.person)
                given[campaign_id] = given.get(campaign_id, 0) + 1
                given_to[person] = given_to.get(person, 0) + 1


def decide(
    moment: Moment, campaigns: Iterable[Campaign], zones: Zones, ledger: Ledger, code_key: bytes
) -> tuple[Delivery, ...]:
    """Decide all campaigns for one moment, in the order given. Pure: the same arguments, the same answer.

    Args:
        campaigns: each once; what one gives is no matter to another.
    """
    deliveries: list[Delivery] = []
    for campaign in campaigns:
        visit = _triggering_visit(campaign, moment, zones)
        if visit is None:
            continue
        seen = ledger.settled.get((campaign.id, visit.visit_id), frozenset())
        if Reason.DELIVERED in seen:
            continue
        reason, explanation = _judge(campaign, moment, visit, zones, ledger)
        if reason in seen:
            continue
        if reason is Reason.DELIVERED:
            stores = _stores_of(campaign.target, zones)
            deliveries.append(_deliver(campaign, moment, visit, explanation, ledger, code_key, stores))
        else:
            deliveries.append(_delivery(campaign, moment, visit, reason, explanation))
    return tuple(deliveries)


def _triggering_visit(campaign: Campaign, moment: Moment, zones: Zones) -> Visit | None:
    """The open visit that speaks to a live campaign, None where the campaign has nothing to say now."""
    if campaign.status is not CampaignStatus.LIVE or not campaign.starts_at <= moment.at < campaign.ends_at:
        return None
    if campaign.venue_id != moment.fix.venue_id:
        return None
    visit = _visit_at(campaign.target, moment.open_visits, zones)
    if visit is None or visit.last_inside_at != moment.fix.at:
        return None  # this very fix must be inside
    if campaign.trigger.on == "dwell":
        return visit if visit.dwell_s >= (campaign.trigger.dwell_s or 0) else None
    return visit if visit.arrived_at >= campaign.starts_at else None


def _visit_at(target: Target, open_visits: Mapping[PlaceKind, Visit], zones: Zones) -> Visit | None:
    if target.kind != "zone":
        visit = open_visits.get(PlaceKind(target.kind))
        return visit if visit is not None and visit.place.id == target.id else None
    zone = zones.get(target.id)
    if zone is None:
        return None
    store, level = open_visits.get(PlaceKind.STORE), open_visits.get(PlaceKind.LEVEL)
    if store is not None and store.place.id in zone.store_ids:
        return store
    return level if level is not None and level.place.id in zone.level_ids else None


def _judge(campaign: Campaign, moment: Moment, visit: Visit, zones: Zones, ledger: Ledger) -> tuple[Reason, str]:
    given_to = ledger.times_given(campaign.id, moment.person)
    if given_to >= campaign.per_person:
        return Reason.PER_PERSON_CAP, f"had it {given_to} of {campaign.per_person} times"
    confidence, margin = _certainty(campaign.target, moment.fix, zones)
    trigger = campaign.trigger
    if confidence < trigger.min_confidence:
        return Reason.LOW_CONFIDENCE, f"P(place) {confidence:.2f}, asked {trigger.min_confidence:.2f}"
    if margin < trigger.min_margin:
        return Reason.LOW_MARGIN, f"margin to the best place outside {margin:.2f}, asked {trigger.min_margin:.2f}"
    given = ledger.given.get(campaign.id, 0)
    if campaign.budget is not None and given >= campaign.budget:
        return Reason.BUDGET_SPENT, f"all {campaign.budget} are given"
    said = f"stayed {visit.dwell_s:.0f} s" if trigger.on == "dwell" else "entered"
    return Reason.DELIVERED, (
        f"{said} at {campaign.target.kind} {campaign.target.id}: {visit.fix_count} fixes, "
        f"P(place) {confidence:.2f}, margin {margin:.2f}"
    )


def _certainty(target: Target, fix: Fix, zones: Zones) -> tuple[float, float]:
    """P(target) now and its margin to the best store outside it; levels and the venue have no rival here."""
    if target.kind in {"level", "venue"}:
        return 1.0, 1.0
    if target.kind == "zone":
        zone = zones[target.id]
        if fix.level_id in zone.level_ids:
            return 1.0, 1.0
        inside: frozenset[str] = frozenset(zone.store_ids)
    else:
        inside = frozenset({target.id})
    confidence = sum(evidence for store, evidence in fix.stores if store in inside)
    rival = max((evidence for store, evidence in fix.stores if store not in inside), default=0.0)
    return confidence, confidence - rival


def _stores_of(target: Target, zones: Zones) -> frozenset[StoreId]:
    """The stores that take a coupon aimed so; empty for any store of the venue (levels, the venue, mixed zones)."""
    if target.kind == "store":
        return frozenset({StoreId(target.id)})
    zone = zones.get(target.id) if target.kind == "zone" else None
    return zone.store_ids if zone is not None and not zone.level_ids else frozenset()


def _deliver(
    campaign: Campaign,
    moment: Moment,
    visit: Visit,
    explanation: str,
    ledger: Ledger,
    code_key: bytes,
    stores: frozenset[StoreId],
) -> Delivery:
    coupon = None
    if campaign.offer is not None:
        sequence = ledger.given.get(campaign.id, 0) + 1
        coupon = make_coupon(campaign, sequence, moment.person, visit.visit_id, moment.at, code_key, stores)
    return _delivery(
        campaign,
        moment,
        visit,
        Reason.DELIVERED,
        explanation,
        CardId(derive_id("crd", campaign.id, moment.person, visit.visit_id)),
        coupon,
    )


def _delivery(
    campaign: Campaign,
    moment: Moment,
    visit: Visit,
    reason: Reason,
    explanation: str,
    card_id: CardId | None = None,
    coupon: Coupon | None = None,
) -> Delivery:
    return Delivery(
        id=derive_id("dlv", campaign.id, visit.visit_id, reason),
        campaign_id=campaign.id,
        person=moment.person,
        visit_id=visit.visit_id,
        at=moment.at,
        reason=reason,
        explanation=explanation,
        card_id=card_id,
        coupon=coupon,
    )
