"""Recorded scans through the flow, in memory: what the system would have said and done.

Touches no stored state; ``commit_replay`` stores the whole of it in one transaction afterwards.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any

import msgspec

from campaigns.campaign import Campaign, CampaignStatus
from campaigns.decide import Delivery
from fingerprints.errors import ScanFormatError
from fingerprints.readers import BadLine
from fingerprints.scan import Scan
from fingerprints.wire import decode_json, to_scan
from flow.answers import reply_json, rfc3339
from flow.run_batch import BatchState, Deps, Effects, PersonEvent, phones_behind, run_batch
from kernel.ids import DeviceId, DeviceRef, EventId, PersonRef, StoreId, VenueId, VisitId, derive_id
from members.device import AgeBand, Consent, Device, Purpose
from positioning.ports import Locator, Tracker
from runtime.records.effects import campaigns_by_id, delivery_data, event_data
from scenes.fix import FixRows
from scenes.fix_log import FixLog
from scenes.kernels.record import I32
from scenes.places import PlaceBook
from scenes.rules import PlaceKind, SceneRules
from scenes.service_day import ServiceDays
from scenes.state import Visit
from scenes.table import SceneTable

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """What a replay runs on. The consents are given to every recorded phone, as an adult's, for this run."""

    locator: Locator
    rules: SceneRules
    campaigns: Sequence[Campaign]
    consents: Sequence[Purpose]
    code_key: bytes
    tracker: Tracker | None = None
    zones: Mapping[VenueId, tzinfo] = field(default_factory=dict)
    sensitive: Mapping[VenueId, frozenset[StoreId]] = field(default_factory=dict)


@dataclass(slots=True)
class Replayed:
    """All that a replay found; grows batch by batch."""

    replies: list[dict[str, Any]] = field(default_factory=list)
    events: list[PersonEvent] = field(default_factory=list)
    visits: dict[VisitId, tuple[Device, Visit]] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    scenes: SceneTable = field(default_factory=SceneTable)
    places: PlaceBook = field(default_factory=PlaceBook)
    log: FixLog = field(default_factory=FixLog)
    devices: dict[DeviceId, Device] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    n_late: int = 0
    last_at: datetime | None = None
    _told: set[EventId] = field(default_factory=set)

    def tell(self, events: Iterable[PersonEvent]) -> None:
        """Keep events, each once."""
        new = [one for one in events if one.event.event_id not in self._told]
        self._told.update(one.event.event_id for one in new)
        self.events += {one.event.event_id: one for one in new}.values()

    def effects(self) -> Effects:
        """What would have been stored."""
        scenes: dict[DeviceRef, I32] = self.scenes.take(self.scenes)
        fixes: dict[DeviceRef, FixRows] = self.log.days_of(scenes)
        return Effects(tuple(self.events), tuple(self.visits.values()), tuple(self.deliveries), scenes, fixes)


def read_scans(lines: Iterable[bytes]) -> tuple[list[Scan], list[BadLine]]:
    """Scans, labelled or not, one a line; truth is left aside. Bad lines by their numbers."""
    scans, bad = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            scans.append(to_scan(decode_json(line)))
        except ScanFormatError as error:
            bad.append(BadLine(number, "scans", str(error)))
    return scans, bad


def replay(scans: Sequence[Scan], plan: ReplayPlan, tell: Callable[[int], None] = lambda _done: None) -> Replayed:
    """Run scans through the flow in the order of their instants, then let all visits run out."""
    done = Replayed()
    campaigns = [replace(campaign, status=CampaignStatus.LIVE) for campaign in plan.campaigns]
    by_id = campaigns_by_id(campaigns)
    state = BatchState()
    days = ServiceDays(plan.zones)
    ordered = sorted(scans, key=lambda scan: scan.at)
    for start in range(0, len(ordered), BATCH):
        batch = ordered[start : start + BATCH]
        _register(done, batch, plan.consents)
        now = batch[-1].at
        deps = Deps(
            locator=plan.locator,
            members=done.devices,
            campaigns=campaigns,
            zones={},
            rules=plan.rules,
            code_key=plan.code_key,
            now=now,
            places=done.places,
            days=days,
            sensitive=plan.sensitive,
            refuses_future=False,
            tracker=plan.tracker,
        )
        refs = {done.devices[scan.device_id].ref for scan in batch if scan.device_id is not None}
        scenes = done.scenes.take(refs)
        behind = {ref: scenes[ref] for ref in phones_behind(batch, done.devices, scenes)}
        state = replace(state, scenes=scenes, fixes=done.log.days_of(behind))
        result = run_batch(batch, state, deps)
        for reply in result.replies:
            done.replies.append(reply_json(reply, by_id))
            done.n_late += reply.is_late
            if reply.located is not None:
                done.reasons[reply.located.reason or "position"] += 1
        _take(done, result.effects)
        state = result.state
        _sweep(done, now, plan.rules, days)
        done.last_at = now
        tell(start + len(batch))
    if done.last_at is not None:
        _sweep(done, done.last_at + timedelta(days=1), plan.rules, days)
    return done


def _register(done: Replayed, batch: Sequence[Scan], consents: Sequence[Purpose]) -> None:
    for scan in batch:
        if scan.device_id is not None and scan.device_id not in done.devices:
            done.devices[scan.device_id] = Device(
                ref=DeviceRef(derive_id("dev", "replay", scan.device_id)),
                person=PersonRef(derive_id("per", "replay", scan.device_id)),
                age_band=AgeBand.ADULT,
                consents=tuple(Consent(purpose, "replay", scan.at) for purpose in consents),
            )


def _take(done: Replayed, effects: Effects) -> None:
    done.tell(effects.events)
    done.visits |= {visit.visit_id: (device, visit) for device, visit in effects.visits}
    done.deliveries += effects.deliveries
    done.scenes.put(effects.scenes)
    done.log.add(effects.fixes)


def _sweep(done: Replayed, now: datetime, rules: SceneRules, days: ServiceDays) -> None:
    devices = {device.ref: device for device in done.devices.values()}
    moved, told = done.scenes.sweep(now, days.base_of_each(done.places, now), rules.packed(), done.places)
    done.scenes.put(moved)
    done.tell([PersonEvent(devices[ref], one.event) for ref, one in told])
    done.visits |= {one.visit.visit_id: (devices[ref], one.visit) for ref, one in told if one.visit is not None}


def summary_of(
    done: Replayed, plan: ReplayPlan, store_names: Mapping[StoreId, str], n_bad_lines: int
) -> dict[str, Any]:
    """The replay in numbers, and in ``notes`` what a reader should know about them."""
    visits = [visit for _, visit in done.visits.values() if not visit.is_void]
    counted = [visit for visit in visits if visit.is_counted]
    delivered = [delivery for delivery in done.deliveries if delivery.is_delivered]
    stores = Counter(
        store_names.get(StoreId(visit.place.id), visit.place.id)
        for visit in counted
        if visit.place.kind is PlaceKind.STORE
    )
    return {
        "scans": len(done.replies),
        "bad_lines": n_bad_lines,
        "phones": len(done.devices),
        "positions": done.reasons["position"],
        "no_position": {reason: n for reason, n in done.reasons.items() if reason != "position"},
        "late": done.n_late,
        "consents": [purpose.value for purpose in plan.consents],
        "visits": {
            kind.value: {
                "counted": sum(visit.place.kind is kind for visit in counted),
                "not_counted": sum(visit.place.kind is kind and not visit.is_counted for visit in visits),
            }
            for kind in PlaceKind
        },
        "store_visits": dict(stores.most_common()),
        "cards": len(delivered),
        "coupons": sum(delivery.coupon is not None for delivery in delivered),
        "suppressed": dict(Counter(delivery.reason.value for delivery in done.deliveries if not delivery.is_delivered)),
        "notes": _notes(done, plan, visits, counted),
    }


def _notes(done: Replayed, plan: ReplayPlan, visits: Sequence[Visit], counted: Sequence[Visit]) -> list[str]:
    notes = []
    if Purpose.VISITS not in plan.consents:
        notes.append("no phone allowed visits (--consent), so none was kept")
    elif not any(visit.place.kind is PlaceKind.STORE for visit in counted):
        stays = [visit.dwell_s for visit in visits if visit.place.kind is PlaceKind.STORE]
        rule = plan.rules.fast.store
        asked = rule.min_dwell.total_seconds()
        longest = f"the longest of {len(stays)} stays was {max(stays):.0f} s" if stays else "no stay was confirmed"
        notes.append(
            f"no store visit counted: {longest}, the rules ask {rule.k} of {rule.n} fixes "
            f"and {asked:.0f} s (--rules FILE.toml changes them)"
        )
    if plan.campaigns and Purpose.MARKETING not in plan.consents:
        notes.append("campaigns were given but no phone allowed marketing (--consent visits,marketing)")
    if plan.campaigns and done.last_at is not None:
        first = min((event.event.occurred_at for event in done.events), default=done.last_at)
        notes += [
            f"campaign {campaign.name!r} runs {rfc3339(campaign.starts_at)} to {rfc3339(campaign.ends_at)}, "
            f"outside the recorded time {rfc3339(first)} to {rfc3339(done.last_at)}"
            for campaign in plan.campaigns
            if campaign.ends_at <= first or campaign.starts_at > done.last_at
        ]
    return notes


def event_lines(done: Replayed) -> list[bytes]:
    """``events.ndjson``: CloudEvents, with the pseudonym of the run."""
    return [
        msgspec.json.encode(
            {
                "specversion": "1.0",
                "id": made.event.event_id,
                "source": "/replay",
                "type": made.event.type,
                "time": rfc3339(made.event.occurred_at),
                "person_ref": made.device.person,
                "data": event_data(made),
            }
        )
        for made in done.events
    ]


def delivery_lines(done: Replayed) -> list[bytes]:
    """``deliveries.ndjson``: each card given or withheld with its reason, and the coupon's code of this run."""
    return [
        msgspec.json.encode(
            {
                **delivery_data(delivery),
                "at": rfc3339(delivery.at),
                "person_ref": delivery.person,
                "delivered": delivery.is_delivered,
                "coupon": None
                if delivery.coupon is None
                else {"code": delivery.coupon.code, "expires_at": rfc3339(delivery.coupon.expires_at)},
            }
        )
        for delivery in done.deliveries
    ]
