"""The system in this process: a mall's model, the flow and its live state; for runs where speed matters.

It keeps the promises of the API: a scan that comes again moves nothing, and a coupon is redeemed once.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from campaigns.campaign import Campaign
from campaigns.coupon import Coupon, check_redeemable
from campaigns.decide import Delivery
from campaigns.errors import AlreadyRedeemedError
from fingerprints.scan import Scan
from flow.run_batch import BatchState, Deps, PersonEvent, Reply, run_batch
from kernel.errors import AtriumError
from kernel.ids import DeviceId, DeviceRef, PersonRef, ScanId, StoreId, VisitId, derive_id
from members.device import AgeBand, Consent, Device, Purpose, allowance_of
from positioning.ports import Locator
from scenes.advance import close_stale
from scenes.rules import SceneRules
from scenes.state import Visit

UNKNOWN_CODE = "unknown_code"


@dataclass(slots=True)
class FlowServer:
    """One venue. ``visits`` holds the last word on each visit, ``deliveries`` each card given or withheld."""

    locator: Locator
    campaigns: Sequence[Campaign]
    code_key: bytes
    rules: SceneRules = field(default_factory=SceneRules)
    visits: dict[VisitId, tuple[DeviceId, Visit]] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    n_repeats: int = 0
    _members: dict[DeviceId, Device] = field(default_factory=dict)
    _names: dict[DeviceRef, DeviceId] = field(default_factory=dict)
    _coupons: dict[str, Coupon] = field(default_factory=dict)
    _redeemed: dict[str, str] = field(default_factory=dict)
    _taken: set[tuple[DeviceId, ScanId]] = field(default_factory=set)
    _state: BatchState = field(default_factory=BatchState)

    def register(self, device_id: DeviceId, age_band: str, consents: Sequence[str], at: datetime) -> None:
        """What ``PUT /v1/devices/{device_id}`` does."""
        ref = DeviceRef(derive_id("dev", "sim", device_id))
        self._names[ref] = device_id
        self._members[device_id] = Device(
            ref=ref,
            person=PersonRef(derive_id("per", "sim", device_id)),
            age_band=AgeBand(age_band),
            consents=tuple(Consent(Purpose(purpose), "sim", at) for purpose in consents),
        )

    def answer(self, scans: Sequence[Scan], now: datetime) -> list[Reply | None]:
        """Answer scans that reached the server by ``now``; None for one that was answered before."""
        fresh: list[Scan] = []
        places: list[int] = []
        for place, scan in enumerate(scans):
            if scan.device_id is not None and scan.scan_id is not None:
                name = (scan.device_id, scan.scan_id)
                if name in self._taken:
                    self.n_repeats += 1
                    continue
                self._taken.add(name)
            fresh.append(scan)
            places.append(place)
        result = run_batch(fresh, self._state, self._deps(now))
        self._state = result.state
        self._keep(result.effects.events, result.effects.visits)
        self.deliveries += result.effects.deliveries
        for delivery in result.effects.deliveries:
            if delivery.coupon is not None:
                self._coupons[delivery.coupon.code] = delivery.coupon
        replies: list[Reply | None] = [None] * len(scans)
        for place, reply in zip(places, result.replies, strict=True):
            replies[place] = reply
        return replies

    def sweep(self, now: datetime) -> None:
        """Close the visits of phones that have long been silent."""
        scenes = dict(self._state.scenes)
        for ref, scene in self._state.scenes.items():
            if scene.open_visits:
                moved = close_stale(scene, now, self.rules, ref)
                scenes[ref] = moved.scene
                device = self._members[self._names[ref]]
                self._keep(
                    [PersonEvent(device, event) for event in moved.events], [(device, visit) for visit in moved.visits]
                )
        self._state = BatchState(scenes, self._state.ledger)

    def redeem(self, code: str, store_id: StoreId, at: datetime, key: str) -> str:
        """What ``POST /v1/redemptions`` answers: ``redeemed``, or the code of the refusal.

        The same key gets the same answer.
        """
        if self._redeemed.get(code) == key:
            return "redeemed"
        coupon = self._coupons.get(code)
        if coupon is None:
            return UNKNOWN_CODE
        try:
            if code in self._redeemed:
                raise AlreadyRedeemedError(coupon.redeemed_at or at)
            check_redeemable(coupon, store_id, at)
        except AtriumError as refused:
            return refused.code
        self._redeemed[code] = key
        self._coupons[code] = replace(coupon, status="redeemed", redeemed_at=at)
        return "redeemed"

    def given(self) -> tuple[int, ...]:
        """Cards given, by campaign."""
        counts = Counter(delivery.campaign_id for delivery in self.deliveries if delivery.is_delivered)
        return tuple(counts[campaign.id] for campaign in self.campaigns)

    def keeps_visits(self, device_id: DeviceId) -> bool:
        """Whether a phone's visits may be kept."""
        return allowance_of(self._members.get(device_id)).keeps_visits

    def _deps(self, now: datetime) -> Deps:
        return Deps(
            locator=self.locator,
            members=self._members,
            campaigns=self.campaigns,
            zones={},
            rules=self.rules,
            code_key=self.code_key,
            now=now,
        )

    def _keep(self, events: Sequence[PersonEvent], visits: Sequence[tuple[Device, Visit]]) -> None:
        self.events.update(made.event.type for made in events)
        for device, visit in visits:
            self.visits[visit.visit_id] = self._names[device.ref], visit
