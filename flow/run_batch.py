"""From scans to replies, visits, deliveries: one pure function, the same for live phones, replay and simulation.

No clock, file, socket or randomness. The driver loads the state of the batch's phones, calls ``run_batch``,
stores the effects in one transaction, and only then keeps the new state and lets the replies go. When the store
fails, the old state is still whole and nothing was promised.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from campaigns.campaign import Campaign, Zones
from campaigns.decide import Delivery, Ledger, Moment, RunningLedger, decide
from fingerprints.scan import Scan
from flow.errors import ClockAheadError
from flow.track import track
from kernel.errors import AtriumError
from kernel.ids import DeviceId, DeviceRef, VisitId
from members.device import Allowance, Device, allowance_of
from positioning.ports import Locator, Tracker
from positioning.position import Located
from scenes.advance import advance, close_all, is_late
from scenes.events import SceneEvent
from scenes.fix import fix_of
from scenes.rules import SceneRules
from scenes.state import Phase, PhoneScene, Visit

CLOCK_TOLERANCE = timedelta(minutes=5)
"""A phone's clock may run this far ahead; beyond it the scan is refused (``clock_ahead``)."""
MAX_AGE = timedelta(hours=24)
"""An older scan gets a position and moves nothing."""


@dataclass(frozen=True, slots=True)
class Deps:
    """What a batch needs beside its phones' state; read only.

    ``now`` is the driver's clock; ``refuses_future`` is set where that clock is the machine's own. Without a
    ``tracker`` each scan is answered by itself.
    """

    locator: Locator
    members: Mapping[DeviceId, Device]
    campaigns: Sequence[Campaign]
    zones: Zones
    rules: SceneRules
    code_key: bytes
    now: datetime
    refuses_future: bool = True
    tracker: Tracker | None = None


@dataclass(frozen=True, slots=True)
class BatchState:
    """The live state a batch reads and gives back: its phones' scenes and tracks, and the campaigns' ledger."""

    scenes: Mapping[DeviceRef, PhoneScene] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    tracks: Mapping[DeviceRef, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SceneView:
    """What the phone is told of its scene."""

    phase: Phase
    visit_id: VisitId | None
    since: datetime | None
    dwell_s: float | None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one scan; with ``error`` set the rest is empty."""

    scan: Scan
    located: Located | None = None
    scene: SceneView | None = None
    deliveries: tuple[Delivery, ...] = ()
    error: AtriumError | None = None
    is_late: bool = False


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
    scenes: Mapping[DeviceRef, PhoneScene | None] = field(default_factory=dict)
    """The scenes that changed; None means forget it."""
    tracks: Mapping[DeviceRef, bytes | None] = field(default_factory=dict)
    """The tracks that changed, likewise. They hold coordinates: for the live state alone, never for the records."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Replies in the order of the scans, the state after them, and what to store."""

    replies: tuple[Reply, ...]
    state: BatchState
    effects: Effects


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
    replies: list[Reply | None] = [None] * len(scans)
    for index in sorted(range(len(scans)), key=lambda i: scans[i].at):
        replies[index] = run.take(scans[index], located[index])
    effects = Effects(
        tuple(run.events), tuple(run.visits.values()), tuple(run.deliveries), run.changed, run.changed_tracks
    )
    return BatchResult(
        tuple(reply for reply in replies if reply is not None),
        BatchState(run.scenes, run.ledger.now, run.tracks),
        effects,
    )


@dataclass(slots=True)
class _Run:
    """The batch while it is being answered; lives within one call."""

    deps: Deps
    scenes: dict[DeviceRef, PhoneScene]
    ledger: RunningLedger
    tracks: dict[DeviceRef, bytes]
    events: list[PersonEvent] = field(default_factory=list)
    visits: dict[VisitId, tuple[Device, Visit]] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    changed: dict[DeviceRef, PhoneScene | None] = field(default_factory=dict)
    changed_tracks: dict[DeviceRef, bytes | None] = field(default_factory=dict)

    def remembered(self, scan: Scan) -> DeviceRef | None:
        """The phone whose track the scan may move; None for one that is refused, too old or allows no visits."""
        ahead = scan.at - self.deps.now
        if scan.device_id is None or (self.deps.refuses_future and ahead > CLOCK_TOLERANCE) or -ahead > MAX_AGE:
            return None
        device = self.deps.members.get(scan.device_id)
        return device.ref if device is not None and allowance_of(device).keeps_visits else None

    def take(self, scan: Scan, located: Located) -> Reply:
        ahead = scan.at - self.deps.now
        if self.deps.refuses_future and ahead > CLOCK_TOLERANCE:
            return Reply(scan, error=ClockAheadError(ahead))
        device = None if scan.device_id is None else self.deps.members.get(scan.device_id)
        allowed = allowance_of(device)
        if device is None:
            return Reply(scan, located)
        if not allowed.keeps_visits:
            self._forget(device, scan.at)
            return Reply(scan, located)
        if -ahead > MAX_AGE:
            return Reply(scan, located, is_late=True)
        return self._advance(scan, located, device, allowed)

    def _advance(self, scan: Scan, located: Located, device: Device, allowed: Allowance) -> Reply:
        scene = self.scenes.get(device.ref, PhoneScene())
        if is_late(scene, scan.at, self.deps.rules):
            return Reply(scan, located, view_of(scene), is_late=True)
        fix = fix_of(located, scan.at)
        moved = advance(scene, fix, self.deps.rules, device.ref)
        self._keep(device, moved.scene, moved.events, moved.visits)
        given: tuple[Delivery, ...] = ()
        if allowed.gets_cards and moved.scene.open_visits:
            moment = Moment(device.person, scan.at, fix, moved.scene.open_visits)
            decided = decide(moment, self.deps.campaigns, self.deps.zones, self.ledger.now, self.deps.code_key)
            self.ledger.take(decided)
            self.deliveries += decided
            given = tuple(delivery for delivery in decided if delivery.is_delivered)
        return Reply(scan, located, view_of(moved.scene), given)

    def _forget(self, device: Device, at: datetime) -> None:
        """A phone that no longer allows visits: what is open closes, scene and track go."""
        if self.tracks.pop(device.ref, None) is not None:
            self.changed_tracks[device.ref] = None
        scene = self.scenes.pop(device.ref, None)
        if scene is not None:
            closed = close_all(scene, scene.last_at or at, "consent", device.ref)
            self._keep(device, None, closed.events, closed.visits)

    def _keep(
        self, device: Device, scene: PhoneScene | None, events: Sequence[SceneEvent], visits: Sequence[Visit]
    ) -> None:
        if scene is not None:
            self.scenes[device.ref] = scene
        self.changed[device.ref] = scene
        self.events += [PersonEvent(device, event) for event in events]
        self.visits |= {visit.visit_id: (device, visit) for visit in visits}


def view_of(scene: PhoneScene) -> SceneView:
    """What a phone is told: its phase, and the innermost open visit."""
    visit = scene.innermost
    if visit is None:
        return SceneView(scene.phase, None, scene.phase_since, None)
    return SceneView(scene.phase, visit.visit_id, visit.arrived_at, visit.dwell_s)
