"""The system in this process: a mall's model, the flow and its live state; for runs where speed matters.

It keeps the promises of the API (``server.Server``): a scan that comes again moves nothing and gets the same answer,
and a coupon is redeemed once. Its clock is what it is told, and a phone too far ahead of it is refused.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import cast

import msgspec

from atrium_client.wire import Answer
from atrium_client.wire import Device as DeviceJson
from campaigns.campaign import Campaign
from campaigns.coupon import Coupon, check_redeemable
from campaigns.decide import Delivery
from campaigns.errors import AlreadyRedeemedError
from fingerprints.scan import LabelledScan, Scan
from flow.answers import reply_json
from flow.run_batch import BatchState, Deps, PersonEvent, Reply, phones_behind, run_batch
from kernel.errors import AtriumError
from kernel.ids import CampaignId, DeviceId, DeviceRef, EventId, PersonRef, StoreId, VenueId, VisitId, derive_id
from members.device import AgeBand, Consent, Device, Purpose, allowance_of
from positioning.ports import Locator, Tracker
from scenes.fix_log import FixLog
from scenes.places import PlaceBook
from scenes.rules import SceneRules
from scenes.service_day import ServiceDays
from scenes.state import Visit
from scenes.table import SceneTable
from sim.server import SaidEvent, SaidVisit

UNKNOWN_CODE = "unknown_code"


@dataclass(slots=True)
class FlowServer:
    """One venue. Answers are kept, encoded, until ``close_all``: a repeat on the same day gets the same."""

    locator: Locator
    campaigns: Sequence[Campaign]
    code_key: bytes
    rules: SceneRules = field(default_factory=SceneRules)
    wants_truth: bool = False
    tracker: Tracker | None = None
    zones: Mapping[VenueId, tzinfo] = field(default_factory=dict)
    sensitive: Mapping[VenueId, frozenset[StoreId]] = field(default_factory=dict)
    _scenes: SceneTable = field(default_factory=SceneTable)
    _places: PlaceBook = field(default_factory=PlaceBook)
    _log: FixLog = field(default_factory=FixLog)
    _visits: dict[VisitId, tuple[DeviceId, Visit]] = field(default_factory=dict)
    _deliveries: list[Delivery] = field(default_factory=list)
    _events: dict[EventId, SaidEvent] = field(default_factory=dict)
    _told: set[VisitId] = field(default_factory=set)
    _members: dict[DeviceId, Device] = field(default_factory=dict)
    _names: dict[DeviceRef, DeviceId] = field(default_factory=dict)
    _coupons: dict[str, Coupon] = field(default_factory=dict)
    _redeemed: dict[str, str] = field(default_factory=dict)
    _answers: dict[Hashable, bytes] = field(default_factory=dict)
    _state: BatchState = field(default_factory=BatchState)

    @property
    def campaign_ids(self) -> Sequence[str]:
        """In the order given."""
        return [campaign.id for campaign in self.campaigns]

    def register(self, device_id: str, device: DeviceJson) -> bool:
        """What ``PUT /v1/devices/{device_id}`` does."""
        name, ref = DeviceId(device_id), DeviceRef(derive_id("dev", "sim", device_id))
        held = Device(
            ref=ref,
            person=PersonRef(derive_id("per", "sim", device_id)),
            age_band=AgeBand(device.get("age_band", "unknown")),
            consents=tuple(
                Consent(Purpose(one["purpose"]), one["version"], datetime.fromisoformat(one["at"]))
                for one in device.get("consents", ())
            ),
        )
        self._names[ref], self._members[name] = name, held
        return allowance_of(held).keeps_visits

    def answer(self, scans: Sequence[Scan | LabelledScan], now: datetime) -> list[Answer]:
        """What ``POST /v1/scans`` does; a scan without a phone or a name is new each time."""
        bare = [scan.scan if isinstance(scan, LabelledScan) else scan for scan in scans]
        keys = [_key(scan, place) for place, scan in enumerate(bare)]
        fresh: dict[Hashable, Scan] = {}
        for key, scan in zip(keys, bare, strict=True):
            if key not in self._answers:
                fresh.setdefault(key, scan)
        made = self._run(fresh, now)
        return [cast("Answer", msgspec.json.decode(made.get(key) or self._answers[key])) for key in keys]

    def _run(self, fresh: Mapping[Hashable, Scan], now: datetime) -> dict[Hashable, bytes]:
        """Take new scans into the flow. A refused one is no answer: it may come again and be taken."""
        if not fresh:
            return {}
        scans = list(fresh.values())
        refs = [self._members[one.device_id].ref for one in scans if one.device_id in self._members]
        scenes = self._scenes.take(refs)
        behind = {ref: scenes[ref] for ref in phones_behind(scans, self._members, scenes)}
        state = replace(self._state, scenes=scenes, fixes=self._log.days_of(behind))
        result = run_batch(scans, state, self._deps(now))
        self._state = result.state
        self._scenes.put(result.effects.scenes)
        self._log.add(result.effects.fixes)
        self._keep(result.effects.events, result.effects.visits)
        self._deliveries += result.effects.deliveries
        for delivery in result.effects.deliveries:
            if delivery.coupon is not None:
                self._coupons[delivery.coupon.code] = delivery.coupon
        by_id = {campaign.id: campaign for campaign in self.campaigns}
        made = {key: _encode(reply, by_id) for key, reply in zip(fresh, result.replies, strict=True)}
        for key, reply in zip(fresh, result.replies, strict=True):
            if reply.error is None and not isinstance(key, int):
                self._answers[key] = made[key]
            if reply.scene is not None and reply.scene.visit_id is not None:
                self._told.add(reply.scene.visit_id)
        return made

    def redeem(self, code: str, store_id: str, at: datetime, key: str) -> str:
        """What ``POST /v1/redemptions`` answers."""
        if self._redeemed.get(code) == key:
            return "redeemed"
        coupon = self._coupons.get(code)
        if coupon is None:
            return UNKNOWN_CODE
        try:
            if code in self._redeemed:
                raise AlreadyRedeemedError(coupon.redeemed_at or at)
            check_redeemable(coupon, StoreId(store_id), at)
        except AtriumError as refused:
            return refused.code
        self._redeemed[code] = key
        self._coupons[code] = replace(coupon, status="redeemed", redeemed_at=at)
        return "redeemed"

    def sweep(self, now: datetime) -> None:
        """Close the visits of phones that have long been silent."""
        days = ServiceDays(self.zones).base_of_each(self._places, now)
        moved, told = self._scenes.sweep(now, days, self.rules.packed(), self._places)
        self._scenes.put(moved)
        of = {ref: self._members[self._names[ref]] for ref, _ in told}
        self._keep(
            [PersonEvent(of[ref], one.event) for ref, one in told],
            [(of[ref], one.visit) for ref, one in told if one.visit is not None],
        )

    def close_all(self, now: datetime) -> None:
        """Close all visits; the day's answers are forgotten."""
        self.sweep(now)
        self._answers.clear()
        self._log = FixLog()

    def visits(self) -> list[SaidVisit]:
        """The last word on each visit, in the order in which they began to be."""
        return [
            SaidVisit(
                device_id,
                visit.place.kind.value,
                visit.place.id,
                visit.arrived_at,
                visit.last_inside_at,
                visit.is_counted,
            )
            for device_id, visit in self._visits.values()
            if not visit.is_void
        ]

    def events(self) -> list[SaidEvent]:
        """What scenes told of the phones that were told of a visit of that day: of others no desk knows whose it is."""
        told = [self._visits[visit_id] for visit_id in self._told & self._visits.keys()]
        known = {(device_id, visit.arrived_at.date()) for device_id, visit in told if not visit.is_void}
        return [one for one in self._events.values() if (one.device_id, one.at.date()) in known]

    def withheld(self) -> Counter[str]:
        """Cards withheld, by reason."""
        return Counter(one.reason.value for one in self._deliveries if not one.is_delivered)

    def given(self) -> tuple[int, ...]:
        """Cards given, by campaign."""
        counts = Counter(one.campaign_id for one in self._deliveries if one.is_delivered)
        return tuple(counts[campaign.id] for campaign in self.campaigns)

    def _deps(self, now: datetime) -> Deps:
        return Deps(
            locator=self.locator,
            members=self._members,
            campaigns=self.campaigns,
            zones={},
            rules=self.rules,
            code_key=self.code_key,
            now=now,
            places=self._places,
            days=ServiceDays(self.zones),
            sensitive=self.sensitive,
            tracker=self.tracker,
        )

    def _keep(self, events: Sequence[PersonEvent], visits: Sequence[tuple[Device, Visit]]) -> None:
        for made in events:
            event = made.event
            kind, place_id = (None, None) if event.place is None else (event.place.kind.value, event.place.id)
            name = self._names[made.device.ref]
            self._events.setdefault(event.event_id, SaidEvent(name, event.type, event.occurred_at, kind, place_id))
        for device, visit in visits:
            self._visits[visit.visit_id] = self._names[device.ref], visit


def _key(scan: Scan, place: int) -> Hashable:
    """What a scan is known by: phone and name, else its place in the call alone."""
    return place if scan.device_id is None or scan.scan_id is None else (scan.device_id, scan.scan_id)


def _encode(reply: Reply, campaigns: dict[CampaignId, Campaign]) -> bytes:
    """The reply as the API writes it; of a problem its code alone."""
    if reply.error is not None:
        return msgspec.json.encode({"scan_id": reply.scan.scan_id, "error": {"code": reply.error.code}})
    return msgspec.json.encode(reply_json(reply, campaigns))
