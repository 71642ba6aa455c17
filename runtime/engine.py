"""Drives the flow for live phones: one thread that answers all scans waiting, stores, then replies.

Whatever waits when the thread comes round is answered as one batch and stored in one commit, so the price of an
fsync is shared. No reply leaves before its commit. A batch whose commit failed leaves memory and records as they
were, and its callers get the error. Delivery: a scan with a ``scan_id`` is effective exactly once; without one,
at least once if the caller repeats it.
"""

import asyncio
import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import sqlalchemy as sa

from campaigns.errors import BudgetGuardError
from fingerprints.scan import LabelledScan, Scan, Truth
from flow.answers import reply_json
from flow.run_batch import MAX_AGE, BatchResult, Deps, Effects, PersonEvent, Reply, run_batch
from kernel.errors import AtriumError, PartFailedError
from kernel.ids import DeviceId, DeviceRef, ScanId, TenantId
from members.device import Device, allowance_of, device_ref, waits_for_confirmation
from runtime.clocks import LiveClock, SystemClock
from runtime.database import Database
from runtime.errors import BusyError, StorageError
from runtime.live_state import LiveState, load_live_states
from runtime.locators import Locators
from runtime.presence import PresenceCounter, oldest_day
from runtime.records.devices import traces_without_consent
from runtime.records.effects import Answer, campaigns_by_id, store_effects
from runtime.records.fixes import drop_old_fixes
from runtime.records.history import drop_old_answers, load_answers
from runtime.records.idempotency import KEPT, drop_old_idempotency
from runtime.records.learning_samples import drop_old_samples
from runtime.records.presence import load_counts, store_counts
from runtime.records.tenants import DEFAULT_TENANT, list_tenants
from runtime.records.tracks import store_tracks
from runtime.secrets import ServerKeys
from runtime.staff import LEAVE_OUT_EVERY_S, LeavingOut
from runtime.waiting_scans import KEPT as KEPT_WAITING
from runtime.waiting_scans import WaitingScans
from scenes.advance import Told, close_all
from scenes.kernels.record import I32
from scenes.record import last_at
from scenes.rules import SceneRules
from scenes.service_day import ServiceDays
from scenes.staff import StaffRule
from scenes.state import Visit

_log = logging.getLogger(__name__)

MAX_WAITING_SCANS: Final = 20_000
"""About two seconds of work; beyond it a caller is told to come back."""
MAX_BATCH_SCANS: Final = 2_000
SWEEP_EVERY_S: Final = 1.0
CLEAN_EVERY_S: Final = 600.0
CLEAN_AT_ONCE_ROWS: Final = 2_000
"""Rows of a table dropped in one step, about 60 ms; while there are more, a step follows with each sweep."""
RECENT_ANSWERS: Final = 50_000
"""Answers of phones that allowed nothing, or of sensitive stores, held in memory only: a repeat gets the same."""

Outcome = bytes | AtriumError
Observer = Callable[[TenantId, Truth, Reply], None]


@dataclass(slots=True)
class _Job:
    tenant: TenantId
    scans: Sequence[Scan | LabelledScan]
    chore: Callable[[], None] | None = None
    done: "Future[list[Outcome]]" = field(default_factory=Future)


@dataclass(slots=True)
class _Asked:
    """One scan of a batch, and where its answer goes."""

    scan: Scan
    truth: Truth | None
    ref: DeviceRef | None
    outcome: Outcome | None = None
    same_as: int | None = None


class ScanEngine:
    """Answers scans. ``start`` before the first, ``stop`` at the end; ``answer`` from any event loop."""

    def __init__(
        self,
        database: Database,
        locators: Locators,
        keys: ServerKeys,
        clock: LiveClock,
        rules: SceneRules,
        observer: Observer | None = None,
        *,
        sweep_every_s: float = SWEEP_EVERY_S,
        waiting: WaitingScans | None = None,
    ) -> None:
        """Args:
        sweep_every_s: by the machine's clock; a played day, whose own clock runs faster, asks for its own.
        waiting: where the last scans of phones that allow it wait for a till to name the store.
        """
        self._sweep_every_s = sweep_every_s
        self._database, self._locators, self._keys = database, locators, keys
        self._clock, self._rules, self._observer = clock, rules, observer
        self._awaiting = WaitingScans() if waiting is None else waiting
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._counting = threading.Lock()
        self._changed_devices: queue.SimpleQueue[tuple[TenantId, DeviceRef]] = queue.SimpleQueue()
        self._campaigns_changed = threading.Event()
        self._states: dict[TenantId, LiveState] = {}
        self._recent: OrderedDict[tuple[TenantId, DeviceId, ScanId], bytes] = OrderedDict()
        self._presence = PresenceCounter({})
        self._is_stopping = False
        self._next_clean = time.monotonic()
        self._next_leaving_out = time.monotonic()
        self._leaving_out: dict[TenantId, LeavingOut] = {}
        self._unfinished: set[TenantId] = set()
        self._next_part = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="atrium-engine", daemon=True)

    def start(self) -> None:
        """Load the live state of the last commit and begin to answer."""
        with self._database.read() as connection:
            self._states = load_live_states(connection, self._keys.people)
            for tenant, ref in traces_without_consent(connection):  # withdrawn, and stopped before the sweep
                self._states.setdefault(tenant, LiveState(tenant, self._keys.people)).to_recheck.add(ref)
            self._presence = PresenceCounter(load_counts(connection, oldest_day(self._clock.now())))
        self._thread.start()

    def stop(self) -> None:
        """Answer what waits, then end."""
        self._is_stopping = True
        self._jobs.put(None)
        self._thread.join()
        while not self._jobs.empty():  # came in behind the end: told, not left waiting
            job = self._jobs.get()
            if job is not None and job.done.set_running_or_notify_cancel():
                job.done.set_exception(PartFailedError("the server is stopping; nothing was stored"))

    @property
    def is_running(self) -> bool:
        """Whether scans are being answered."""
        return self._thread.is_alive() and not self._is_stopping

    async def answer(self, tenant: TenantId, scans: Sequence[Scan | LabelledScan]) -> list[Outcome]:
        """The JSON answer or the error of each scan, in order.

        Raises:
            BusyError: too many scans are waiting.
            StorageError: nothing of the batch was stored.
        """
        if not self.is_running:
            raise PartFailedError("the engine is not running; nothing was stored")
        with self._counting:
            if self._waiting + len(scans) > MAX_WAITING_SCANS:
                raise BusyError(retry_after_s=1)
            self._waiting += len(scans)
        job = _Job(tenant, scans)
        self._jobs.put(job)
        return await asyncio.wrap_future(job.done)

    def sweep(self) -> None:
        """Close the visits that have run out by the clock, behind all scans that wait; returns when it is done."""
        self._between_batches(self._sweep)

    def forget(self, tenant: TenantId, erase: Callable[[], Collection[DeviceRef]]) -> None:
        """Erase what the records hold of some phones, and what memory does, while no batch is under way.

        Args:
            erase: its own transaction, and whose phones it was; when it raises, nothing is forgotten.
        """

        def both() -> None:
            refs = erase()
            for ref in refs:
                self._awaiting.forget(tenant, ref)
            if (state := self._states.get(tenant)) is not None:
                state.keep(Effects(scenes=dict.fromkeys(refs)))
                state.forget_devices(refs)
                state.forget_people()
            self._recent = OrderedDict(
                (key, body)
                for key, body in self._recent.items()
                if key[0] != tenant or device_ref(tenant, key[1], self._keys.people) not in refs
            )

        self._between_batches(both)

    def _between_batches(self, chore: Callable[[], None]) -> None:
        """Run something on the engine's thread, behind all scans that wait; returns when it is done."""
        if not self.is_running:
            raise PartFailedError("the engine is not running; nothing was done")
        job = _Job(DEFAULT_TENANT, (), chore)
        self._jobs.put(job)
        job.done.result()

    def device_changed(self, tenant: TenantId, ref: DeviceRef) -> None:
        """A device's record changed: the next batch reads it anew, and none of its scans waits any longer."""
        self._changed_devices.put((tenant, ref))
        self._awaiting.forget(tenant, ref)

    def campaigns_changed(self) -> None:
        """A campaign or zone changed: the next batch reads them anew."""
        self._campaigns_changed.set()

    # -- the engine's own thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        next_sweep = time.monotonic() + self._sweep_every_s
        stopping = False
        while not stopping:
            taken, stopping = self._take_jobs(max(0.0, next_sweep - time.monotonic()))
            jobs = [job for job in taken if job.chore is None]
            for tenant in dict.fromkeys(job.tenant for job in jobs):
                self._finish(tenant, [job for job in jobs if job.tenant == tenant])
            for job in taken:
                if job.chore is not None:
                    _do(job, job.chore)
            if time.monotonic() >= next_sweep:
                self._guarded(self._sweep)
                next_sweep = time.monotonic() + self._sweep_every_s
            if time.monotonic() >= self._next_clean:
                self._guarded(self._clean)
            if time.monotonic() >= self._next_leaving_out:
                self._guarded(self._look_whom_to_leave_out)
            if self._unfinished and time.monotonic() >= self._next_part:
                self._guarded(self._leave_out)

    def _take_jobs(self, wait_s: float) -> tuple[list[_Job], bool]:
        jobs: list[_Job] = []
        n_scans = 0
        try:
            job = self._jobs.get(timeout=wait_s)
            while True:
                if job is None:
                    return jobs, True
                n_scans += len(job.scans)
                if job.done.set_running_or_notify_cancel():  # from here on its caller cannot cancel it
                    jobs.append(job)
                if n_scans >= MAX_BATCH_SCANS:
                    break
                job = self._jobs.get_nowait()
        except queue.Empty:
            pass
        with self._counting:
            self._waiting -= n_scans
        return jobs, False

    def _guarded(self, chore: Callable[[], None]) -> None:
        try:
            chore()
        except Exception:  # noqa: BLE001  # an outermost loop logs and goes on
            _log.exception("a chore of the engine failed; it is tried again")

    def _finish(self, tenant: TenantId, jobs: list[_Job]) -> None:
        try:
            outcomes = self._answer(tenant, [scan for job in jobs for scan in job.scans])
        except Exception as error:  # noqa: BLE001  # an outermost loop logs and goes on
            if isinstance(error, StorageError) and len(jobs) > 1:
                _log.error("a shared batch was not stored (%s); its callers are answered one by one", error)
                for job in jobs:
                    self._finish(tenant, [job])
                return
            known = isinstance(error, AtriumError)
            _log.error("a batch of scans failed: %s", type(error).__name__, exc_info=not known)
            told = error if known else PartFailedError("the batch could not be answered; nothing was stored")
            for job in jobs:
                job.done.set_exception(told)
            return
        for job in jobs:
            job.done.set_result(outcomes[: len(job.scans)])
            outcomes = outcomes[len(job.scans) :]

    def _answer(self, tenant: TenantId, scans: Sequence[Scan | LabelledScan]) -> list[Outcome]:
        state = self._states.setdefault(tenant, LiveState(tenant, self._keys.people))
        self._take_changes()
        asked = [_ask(state, scan) for scan in scans]
        with self._database.read() as connection:
            members = state.members(connection, {a.scan.device_id for a in asked if a.scan.device_id is not None})
            keeps = {
                state.device_ref(device_id)
                for device_id, device in members.items()
                if allowance_of(device).keeps_visits
            }
            self._judge_instants(asked, keeps)
            self._find_repeats(connection, tenant, asked, keeps)
        new = [a for a in asked if a.outcome is None and a.same_as is None]
        for attempt in (1, 2):
            try:
                self._answer_new(state, new, members, keeps)
                break
            except BudgetGuardError:
                if attempt == 2:
                    raise
                state.forget_campaigns()
        for a in asked:
            if a.same_as is not None:
                a.outcome = asked[a.same_as].outcome
        return [a.outcome if a.outcome is not None else PartFailedError("unanswered") for a in asked]

    def _answer_new(
        self, state: LiveState, new: list[_Asked], members: dict[DeviceId, Device], keeps: set[DeviceRef]
    ) -> None:
        if not new:
            return
        now = self._clock.now()
        with self._database.read() as connection:
            live = state.campaigns(connection)
            state.notice_people(connection)
            before = state.slice(connection, members, [a.scan for a in new])
        deps = Deps(
            locator=self._locators.of(state.tenant),
            members=members,
            campaigns=live.campaigns,
            zones=live.zones,
            rules=self._rules,
            code_key=self._keys.codes,
            now=now,
            places=state.places,
            days=ServiceDays(self._locators.zones(state.tenant)),
            sensitive=self._locators.sensitive(state.tenant),
            refuses_future=self._clock.refuses_future,
            tracker=self._locators.tracker_of(state.tenant),
        )
        result = run_batch([a.scan for a in new], before, deps)
        bodies = _encode(result, deps)
        kept = [
            Answer(a.ref, a.scan.scan_id, body, a.scan.at)
            for a, body, reply in zip(new, bodies, result.replies, strict=True)
            if a.ref in keeps
            and not reply.is_at_sensitive
            and a.ref is not None
            and a.scan.scan_id is not None
            and isinstance(body, bytes)
            and now - a.scan.at <= MAX_AGE
        ]
        effects, at_sensitive = result.effects, state.at_sensitive(result)
        if kept or effects.events or effects.visits or effects.deliveries or effects.scenes or effects.tracks:
            with self._database.write() as connection:
                store_effects(connection, state.tenant, effects, kept, now, state.places)
                store_tracks(connection, state.tenant, effects.tracks, at_sensitive)
        state.keep(effects, at_sensitive)
        for a, body, reply in zip(new, bodies, result.replies, strict=True):
            a.outcome = body
            try:
                self._after(state.tenant, a, reply, keeps)
                self._let_wait(state.tenant, a, reply, members)
            except Exception:  # noqa: BLE001  # what was committed and promised must reach its caller
                _log.exception("something after a commit failed; the answer stands")

    def _after(self, tenant: TenantId, asked: _Asked, reply: Reply, keeps: set[DeviceRef]) -> None:
        """What follows a commit: the memory of repeats, the count of phones that allowed nothing, the board."""
        scan = asked.scan
        if scan.device_id is not None and (asked.ref not in keeps or reply.is_at_sensitive):
            if scan.scan_id is not None and isinstance(asked.outcome, bytes):
                self._recent[tenant, scan.device_id, scan.scan_id] = asked.outcome
                while len(self._recent) > RECENT_ANSWERS:
                    self._recent.popitem(last=False)
            if asked.ref not in keeps:
                self._count(tenant, scan, reply)
        if self._observer is not None and asked.truth is not None:
            self._observer(tenant, asked.truth, reply)

    def _let_wait(self, tenant: TenantId, asked: _Asked, reply: Reply, members: dict[DeviceId, Device]) -> None:
        scan = asked.scan
        position = None if reply.located is None else reply.located.position
        if scan.device_id is None or asked.ref is None or position is None or reply.is_at_sensitive:
            return
        device = members.get(scan.device_id)
        if device is not None and waits_for_confirmation(device) and self._clock.now() - scan.at <= KEPT_WAITING:
            self._awaiting.add(tenant, asked.ref, scan, position.venue_id, device.model)

    def _count(self, tenant: TenantId, scan: Scan, reply: Reply) -> None:
        if scan.device_id is None or reply.located is None or reply.located.position is None:
            return
        if self._clock.refusal(scan.at) is not None or self._clock.now() - scan.at > MAX_AGE:
            return  # it counts no other day than the present one
        venue_id = reply.located.position.venue_id
        zone = self._locators.zones(tenant).get(venue_id, UTC)
        self._presence.saw(tenant, venue_id, scan.device_id, scan.at, zone)

    def _judge_instants(self, asked: list[_Asked], keeps: set[DeviceRef]) -> None:
        """Refuse what is dated too far ahead, each scan by itself, and let the others move the clock."""
        for a in sorted(asked, key=lambda one: one.scan.at):
            is_kept = a.ref in keeps  # a scan that leaves no state moves no clock, so any date of it is harmless
            if is_kept or self._clock.refuses_future:
                a.outcome = self._clock.refusal(a.scan.at)
            if is_kept and a.outcome is None:
                self._clock.saw(a.scan.at)

    def _find_repeats(
        self, connection: sa.Connection, tenant: TenantId, asked: list[_Asked], keeps: set[DeviceRef]
    ) -> None:
        """Find what was answered before, in the records or earlier in this batch; a refused scan is no answer."""
        first: dict[tuple[DeviceId, ScanId], int] = {}
        durable: dict[tuple[DeviceRef, str], int] = {}
        for index, a in enumerate(asked):
            if a.outcome is not None or a.scan.device_id is None or a.scan.scan_id is None or a.ref is None:
                continue
            key = a.scan.device_id, a.scan.scan_id
            if key in first:
                a.same_as = first[key]
                continue
            first[key] = index
            a.outcome = self._recent.get((tenant, *key))
            if a.outcome is None and a.ref in keeps:
                durable[a.ref, a.scan.scan_id] = index
        for found, body in load_answers(connection, list(durable)).items():
            asked[durable[found]].outcome = body

    def _take_changes(self) -> None:
        while not self._changed_devices.empty():
            tenant, ref = self._changed_devices.get()
            self._awaiting.forget(tenant, ref)  # a batch under way when it changed may have let one wait
            if tenant in self._states:
                self._states[tenant].forget_devices([ref])
        if self._campaigns_changed.is_set():
            self._campaigns_changed.clear()
            for state in self._states.values():
                state.forget_campaigns()

    def _sweep(self) -> None:
        """Close visits that ran out; write the day's counts; drop what is long over."""
        self._take_changes()
        now = self._clock.now()
        for state in self._states.values():
            effects = self._stale(state, now)
            if effects.events or effects.scenes:
                with self._database.write() as connection:
                    store_effects(connection, state.tenant, effects, (), now, state.places)
                state.keep(effects)
            state.to_recheck.clear()
        self._awaiting.drop_old(now)
        counts = self._presence.take_changes()
        self._presence.drop_over(now)
        if counts:
            with self._database.write() as connection:
                store_counts(connection, counts)

    def _stale(self, state: LiveState, now: datetime) -> Effects:
        """What the passing of time alone does: visits run out, withdrawn consents take effect, old scenes go."""
        days = ServiceDays(self._locators.zones(state.tenant))
        bases = days.base_of_each(state.places, now)
        moved, told = state.scenes.sweep(now, bases, self._rules.packed(), state.places)
        changed: dict[DeviceRef, I32 | None] = dict(moved)
        said: list[tuple[DeviceRef, Told]] = list(told)
        events: list[PersonEvent] = []
        visits: list[tuple[Device, Visit]] = []
        with self._database.read() as connection:
            changed |= dict.fromkeys(state.scenes.silent_since(now - MAX_AGE))
            for ref in {*state.to_recheck, *(ref for ref, _ in told)}:
                if allowance_of(state.device(connection, ref)).keeps_visits:
                    continue
                changed[ref] = None  # where there is no scene, there may be answers of the day
                said = [(whose, one) for whose, one in said if whose != ref]
                for record in state.scenes.take([ref]).values():
                    _, closed = close_all(record, ref, last_at(record) or now, "consent", state.places)
                    said += [(ref, one) for one in closed]
            for ref, one in said:
                device = state.device(connection, ref)
                if device is not None:
                    events.append(PersonEvent(device, one.event))
                    if one.visit is not None:
                        visits.append((device, one.visit))
        return Effects(tuple(events), tuple(visits), (), changed)

    def _clean(self) -> None:
        """Drop what no repeat can ask for any more, a step at a time, and what memory holds of phones that left."""
        self._next_clean = time.monotonic() + CLEAN_EVERY_S
        answers_over = self._clock.now() - MAX_AGE - timedelta(minutes=10)
        with self._database.write() as connection:
            n_answers = drop_old_answers(connection, answers_over, CLEAN_AT_ONCE_ROWS)
            n_fixes = drop_old_fixes(connection, answers_over, CLEAN_AT_ONCE_ROWS)
            n_calls = drop_old_idempotency(connection, SystemClock().now() - KEPT, CLEAN_AT_ONCE_ROWS)
            n_samples = drop_old_samples(connection, self._clock.now(), CLEAN_AT_ONCE_ROWS)
        if CLEAN_AT_ONCE_ROWS in {n_answers, n_calls, n_fixes, n_samples}:
            self._next_clean = time.monotonic() + SWEEP_EVERY_S
        for state in self._states.values():
            state.forget_strangers()

    def _look_whom_to_leave_out(self) -> None:
        self._next_leaving_out = time.monotonic() + LEAVE_OUT_EVERY_S
        with self._database.read() as connection:
            tenants = [TenantId(name) for name, _ in list_tenants(connection)]
        for tenant in tenants:
            self._locators.of(tenant)  # after a start nobody may have been located yet
            leaving_out = self._leaving_out.setdefault(tenant, LeavingOut(self._database, tenant))
            sensitive = dict(self._locators.sensitive(tenant))
            leaving_out.look(self._locators.zones(tenant), sensitive, self._clock.now(), StaffRule())
            self._unfinished.add(tenant)

    def _leave_out(self) -> None:
        """Delete what may not stay, a part at a time: of staff, and of stores from before they were sensitive."""
        self._next_part = time.monotonic() + SWEEP_EVERY_S
        for tenant in sorted(self._unfinished):
            _, is_over = self._leaving_out[tenant].step()
            if is_over:
                self._unfinished.discard(tenant)


def _do(job: _Job, chore: Callable[[], None]) -> None:
    try:
        chore()
    except Exception as error:  # noqa: BLE001  # it is the caller's, who waits for it
        job.done.set_exception(error)
    else:
        job.done.set_result([])


def _ask(state: LiveState, scan: Scan | LabelledScan) -> _Asked:
    bare, truth = (scan.scan, scan.truth) if isinstance(scan, LabelledScan) else (scan, None)
    return _Asked(bare, truth, None if bare.device_id is None else state.device_ref(bare.device_id))


def _encode(result: BatchResult, deps: Deps) -> list[Outcome]:
    by_id = campaigns_by_id(deps.campaigns)
    return [
        reply.error if reply.error is not None else msgspec.json.encode(reply_json(reply, by_id))
        for reply in result.replies
    ]
