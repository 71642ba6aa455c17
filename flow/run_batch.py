"""From scans to replies, visits, deliveries: one pure function, the same for live phones, replay and simulation.

No clock, file, socket or randomness. The driver loads the state of the batch's phones, calls ``run_batch``,
stores the effects in one transaction, and only then keeps the new state and lets the replies go. When the store
fails, the old state is still whole and nothing was promised.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from campaigns.campaign import Campaign, Zones
from campaigns.decide import Delivery, Ledger, Moment, RunningLedger, decide
from fingerprints.scan import Scan
from flow.errors import ClockAheadError
from flow.track import track
from kernel.errors import AtriumError
from kernel.ids import DeviceId, DeviceRef, StoreId, VenueId, VisitId
from members.device import Device, allowance_of
from positioning.ports import Locator, Tracker
from positioning.position import Located
from scenes.advance import Phones, Told, advance, close_all
from scenes.events import SceneEvent
from scenes.fix import FixRows, fix_of, is_at_sensitive, pack_fixes
from scenes.kernels.record import I32
from scenes.places import PlaceBook
from scenes.record import has_open_visits, last_at, new_record, open_visits, phase_of, presence_of
from scenes.revise import in_order, revise
from scenes.rules import SceneRules
from scenes.service_day import ServiceDays
from scenes.state import Fix, Phase, Presence, Visit

CLOCK_TOLERANCE = timedelta(minutes=5)
"""A phone's clock may run this far ahead; beyond it the scan is refused (``clock_ahead``)."""
MAX_AGE = timedelta(hours=24)
"""An older scan gets a position and moves nothing."""


@dataclass(frozen=True, slots=True)
class Deps:
    """What a batch needs beside its phones' state; read only.

    ``now`` is the driver's clock; ``refuses_future`` is set where that clock is the machine's own. Without a
    ``tracker`` each scan is answered by itself. ``places`` and ``days`` remember what they were asked, which changes no
    answer. Of the stores of ``sensitive`` (``venues/sensitive.py``) its phone gets a position; nothing else is made.
    """

    locator: Locator
    members: Mapping[DeviceId, Device]
    campaigns: Sequence[Campaign]
    zones: Zones
    rules: SceneRules
    code_key: bytes
    now: datetime
    places: PlaceBook
    days: ServiceDays
    sensitive: Mapping[VenueId, frozenset[StoreId]]
    refuses_future: bool = True
    tracker: Tracker | None = None


@dataclass(frozen=True, slots=True)
class BatchState:
    """The live state a batch reads and gives back: its phones' scenes and tracks, and the campaigns' ledger.

    Args:
        scenes: each (32,), a packed record (``scenes/kernels/record.py``).
        fixes: the day's fixes of the phones of ``phones_behind``: what a late scan is put among.
    """

    scenes: Mapping[DeviceRef, I32] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    tracks: Mapping[DeviceRef, bytes] = field(default_factory=dict)
    fixes: Mapping[DeviceRef, FixRows] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SceneView:
    """What the phone is told of its scene."""

    phase: Phase
    visit_id: VisitId | None
    since: datetime | None
    dwell_s: float | None
    presence: Presence | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one scan; with ``error`` set the rest is empty."""

    scan: Scan
    located: Located | None = None
    scene: SceneView | None = None
    deliveries: tuple[Delivery, ...] = ()
    error: AtriumError | None = None
    is_late: bool = False
    is_at_sensitive: bool = False
    """Of a sensitive store: the answer is for the phone alone, no record may hold it."""


@dataclass(frozen=True, slots=True)
class PersonEvent:
    """A scene event with the person it is about."""

    device: Device
    event: SceneEvent


@dataclass(frozen=True, slots=True)
class Effects:
    """All that must be stored, in one transaction, before a reply leaves. Visits: the last word on each."""

    events: tuple[PersonEvent, ...] = ()
    visits: tuple[tuple[Device, Visit], ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    scenes: Mapping[DeviceRef, I32 | None] = field(default_factory=dict)
    """The scenes that changed; None means forget it."""
    fixes: Mapping[DeviceRef, FixRows] = field(default_factory=dict)
    """What was taken into scenes: the log that they can be made anew from."""
    tracks: Mapping[DeviceRef, bytes | None] = field(default_factory=dict)
    """The tracks that changed, likewise. They hold coordinates: no record may hold those of sensitive stores."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Replies in the order of the scans, the state after them, and what to store."""

    replies: tuple[Reply, ...]
    state: BatchState
    effects: Effects


def phones_behind(
    scans: Sequence[Scan], members: Mapping[DeviceId, Device], scenes: Mapping[DeviceRef, I32]
) -> set[DeviceRef]:
    """The phones with a scan that is no newer than their newest: a batch needs their day's fixes."""
    behind: set[DeviceRef] = set()
    for scan in scans:
        device = None if scan.device_id is None else members.get(scan.device_id)
        newest = None if device is None or device.ref not in scenes else last_at(scenes[device.ref])
        if device is not None and newest is not None and scan.at <= newest:
            behind.add(device.ref)
    return behind


def run_batch(scans: Sequence[Scan], state: BatchState, deps: Deps) -> BatchResult:
    """Answer a batch. No argument changes; the same arguments give the same result.

    Scans are taken into scenes in the order of their instants, ties in the order given; each is located on its
    own, then, with a tracker, in the light of its phone's earlier ones. Cost: linear in readings, plus the live
    campaigns of each scan's venue, plus one copy of the state that came in.
    """
    located: Sequence[Located] = deps.locator.locate(scans)
    run = _Run(deps, dict(state.scenes), RunningLedger(state.ledger), dict(state.tracks))
    if deps.tracker is not None:
        phones = [run.remembered(scan) for scan in scans]
        located, moved = track(deps.tracker, scans, located, phones, state.tracks)
        run.tracks |= moved
        run.changed_tracks |= moved
    order = sorted(range(len(scans)), key=lambda i: scans[i].at)
    replies: list[Reply | None] = [run.refuse(scan, answer) for scan, answer in zip(scans, located, strict=True)]
    asked = [_Asked(i, run.device_of(scans[i]), *run.fix(located[i], scans[i].at)) for i in order if replies[i] is None]
    run.advance(asked, state.fixes)
    for one in asked:
        replies[one.place] = run.reply(scans[one.place], located[one.place], one)
    run.keep_open_visits()
    effects = Effects(
        tuple(run.events),
        tuple(run.visits.values()),
        tuple(run.deliveries),
        run.changed,
        run.fixes,
        run.changed_tracks,
    )
    return BatchResult(
        tuple(reply for reply in replies if reply is not None),
        BatchState(run.scenes, run.ledger.now, run.tracks),
        effects,
    )


@dataclass(slots=True)
class _Asked:
    """A scan that a scene is asked to take: its place in the batch, its phone, its fix, the phone's record after it."""

    place: int
    device: Device
    fix: Fix
    is_at_sensitive: bool
    after: I32 | None = None
    is_late: bool = False
    is_newest: bool = False


@dataclass(slots=True)
class _Run:
    """The batch while it is being answered; lives within one call."""

    deps: Deps
    scenes: dict[DeviceRef, I32]
    ledger: RunningLedger
    tracks: dict[DeviceRef, bytes]
    events: list[PersonEvent] = field(default_factory=list)
    visits: dict[VisitId, tuple[Device, Visit]] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    changed: dict[DeviceRef, I32 | None] = field(default_factory=dict)
    fixes: dict[DeviceRef, FixRows] = field(default_factory=dict)
    changed_tracks: dict[DeviceRef, bytes | None] = field(default_factory=dict)
    moved: dict[DeviceRef, Device] = field(default_factory=dict)

    def remembered(self, scan: Scan) -> DeviceRef | None:
        """The phone whose track the scan may move; None for one that is refused, too old or allows no visits."""
        ahead = scan.at - self.deps.now
        if scan.device_id is None or (self.deps.refuses_future and ahead > CLOCK_TOLERANCE) or -ahead > MAX_AGE:
            return None
        device = self.deps.members.get(scan.device_id)
        return device.ref if device is not None and allowance_of(device).keeps_visits else None

    def device_of(self, scan: Scan) -> Device:
        """The phone of a scan that was not refused."""
        assert scan.device_id is not None
        return self.deps.members[scan.device_id]

    def fix(self, located: Located, at: datetime) -> tuple[Fix, bool]:
        """The fix of an answer, and whether a sensitive store was left out of it."""
        stores = frozenset() if located.position is None else self.sensitive_of(located.position.venue_id)
        return fix_of(located, at, stores), is_at_sensitive(located, stores)

    def sensitive_of(self, venue_id: VenueId) -> frozenset[StoreId]:
        """The sensitive stores of a venue."""
        return self.deps.sensitive.get(venue_id, frozenset())

    def refuse(self, scan: Scan, located: Located) -> Reply | None:
        """The reply to a scan that moves no scene; None for one that may."""
        ahead = scan.at - self.deps.now
        if self.deps.refuses_future and ahead > CLOCK_TOLERANCE:
            return Reply(scan, error=ClockAheadError(ahead))
        device = None if scan.device_id is None else self.deps.members.get(scan.device_id)
        if device is None:
            return Reply(scan, located)
        if not allowance_of(device).keeps_visits:
            self._forget(device, scan.at)
            return Reply(scan, located)
        return Reply(scan, located, is_late=True) if -ahead > MAX_AGE else None

    def advance(self, asked: Sequence[_Asked], history: Mapping[DeviceRef, FixRows]) -> None:
        """Take the fixes into their phones' scenes: the late ones first, then the rest in one go."""
        rows = pack_fixes([one.fix for one in asked], self.deps.places, self.deps.days)
        rules = self.deps.rules.packed()
        of_phone: dict[DeviceRef, list[int]] = {}
        for at, one in enumerate(asked):
            of_phone.setdefault(one.device.ref, []).append(at)
        fresh: list[int] = []
        for ref, places in of_phone.items():
            newest = last_at(self.scenes[ref]) if ref in self.scenes else None
            late = [at for at in places if newest is not None and asked[at].fix.at <= newest]
            new = _surest(places[len(late) :], rows)
            until = min(self.deps.now, asked[new[0]].fix.at) if new else self.deps.now  # newer fixes may go on with it
            taken = self._take_late(asked, late, rows, history.get(ref), until) if late else []
            fresh += new
            if taken or new:
                self.fixes[ref] = rows.take([*taken, *new])
                self.moved[ref] = asked[places[0]].device
        fresh.sort()
        refs = list(dict.fromkeys(asked[at].device.ref for at in fresh))
        place_of = {ref: at for at, ref in enumerate(refs)}
        before = [self.scenes.get(ref, new_record()) for ref in refs]
        done = advance(
            Phones(refs, np.array(before, dtype=np.int32).reshape(len(refs), -1) if refs else new_record()[None][:0]),
            [place_of[asked[at].device.ref] for at in fresh],
            rows.take(fresh),
            rules,
            self.deps.places,
        )
        for number, at in enumerate(fresh):
            asked[at].after, asked[at].is_newest = done.after[number], True
        for told in done.told:
            self._tell(asked[fresh[told.fix]].device, told)
        for ref, at in place_of.items():
            self.scenes[ref] = self.changed[ref] = done.records[at]

    def _take_late(
        self, asked: Sequence[_Asked], late: Sequence[int], rows: FixRows, day: FixRows | None, until: datetime
    ) -> list[int]:
        """Fold a phone's day again with its late fixes; the places of those that were taken."""
        device = asked[late[0]].device
        newest = last_at(self.scenes[device.ref])
        assert newest is not None
        taken = [at for at in late if day is not None and newest - asked[at].fix.at <= self.deps.rules.lateness]
        for at in late:  # what is too late is told the scene as it was
            asked[at].is_late, asked[at].after = at not in taken, self.scenes[device.ref]
        if taken and day is not None:
            deps, found_at = self.deps, asked[taken[-1]].fix.at
            bases = deps.days.base_of_each(deps.places, until)
            late_rows, rules = rows.take(taken), deps.rules.packed()
            done = revise(device.ref, day, late_rows, rules, deps.places, found_at, until, bases)
            self.scenes[device.ref] = self.changed[device.ref] = done.record
            for told in done.told:
                self._tell(device, told)
        for at in taken:
            asked[at].after = self.scenes[device.ref]
        return taken

    def reply(self, scan: Scan, located: Located, asked: _Asked) -> Reply:
        """The reply to a scan that was asked of a scene, and what campaigns say to it."""
        device = asked.device
        record = self.scenes[device.ref] if asked.after is None else asked.after
        seen = view_of(record, device.ref, self.deps.places)
        given: tuple[Delivery, ...] = ()
        if (
            asked.is_newest
            and not asked.is_at_sensitive
            and self.deps.campaigns
            and allowance_of(device).gets_cards
            and has_open_visits(record)
        ):
            visits = open_visits(record, device.ref, self.deps.places)
            moment = Moment(device.person, scan.at, asked.fix, visits)
            decided = decide(moment, self.deps.campaigns, self.deps.zones, self.ledger.now, self.deps.code_key)
            self.ledger.take(decided)
            self.deliveries += decided
            given = tuple(delivery for delivery in decided if delivery.is_delivered)
        return Reply(scan, located, seen, given, is_late=asked.is_late, is_at_sensitive=asked.is_at_sensitive)

    def keep_open_visits(self) -> None:
        """The open visits of the phones that moved, as they are now."""
        for ref, device in self.moved.items():
            for visit in open_visits(self.scenes[ref], ref, self.deps.places).values():
                self.visits[visit.visit_id] = device, visit

    def _forget(self, device: Device, at: datetime) -> None:
        """A phone that no longer allows visits: what is open closes, scene and track go."""
        if self.tracks.pop(device.ref, None) is not None:
            self.changed_tracks[device.ref] = None
        record = self.scenes.pop(device.ref, None)
        if record is not None:
            _, told = close_all(record, device.ref, last_at(record) or at, "consent", self.deps.places)
            for one in told:
                self._tell(device, one)
            self.changed[device.ref] = None

    def _tell(self, device: Device, told: Told) -> None:
        self.events.append(PersonEvent(device, told.event))
        if told.visit is not None:
            self.visits[told.visit.visit_id] = device, told.visit


def _surest(places: Sequence[int], rows: FixRows) -> list[int]:
    """One fix an instant of a phone: the surer (``revise.in_order``)."""
    if len(places) < 2:
        return list(places)
    return [places[at] for at in in_order(rows.take(places)).tolist()]


def view_of(record: I32, device: DeviceRef, places: PlaceBook) -> SceneView:
    """What a phone is told: its phase, and the innermost open visit."""
    phase, since = phase_of(record)
    visit = next(iter(open_visits(record, device, places).values()), None)
    if visit is None:
        return SceneView(phase, None, since, None, presence_of(record))
    return SceneView(phase, visit.visit_id, visit.arrived_at, visit.dwell_s, presence_of(record))
