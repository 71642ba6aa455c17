"""One mall's day: who carries which phone, what it hears, what reaches the server when, and what its owner does."""

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from campaigns.decide import Delivery
from fingerprints.scan import Reading, Scan
from flow.run_batch import Reply
from kernel.ids import DeviceId, ScanId, StoreId
from scenes.rules import PlaceKind
from sim.chance import F64, I64, stream_key, uniform
from sim.dates import FIRST_DAY
from sim.delivery import ScanSends, clock_skew_s, deliver
from sim.flow_server import FlowServer
from sim.listening import Crowd
from sim.outcome import CARD, REASONS, REDEMPTION, RESULTS, ROGUE, SCAN, VISIT, DayOutcome, stays_in_stores
from sim.phones import SCAN_PERIOD_S
from sim.records import DayRecords
from sim.rogues import RogueScans, plan_rogues
from sim.scenario import Scenario, ScenarioError
from sim.schedules import draw_mix, only_beacons, scan_times
from sim.shoppers import Shopper, plan_day
from sim.tills import idempotency_key, till_sends
from sim.world import World

_TAKES, _PAYS = range(640, 642)
_AFTER_CLOSING_S = 1_800.0
_SWEEP_TICKS = 10
_PAY_AFTER_S = (40.0, 150.0)
_SAMPLE_S = 1.0
_FEWEST = 100.0
_REFUSED = REASONS.index("refused")


@dataclass(frozen=True, slots=True)
class DayPlan:
    """Which day of which mall of a scenario."""

    scenario: Scenario
    mall: int
    day: int
    opens_at: datetime

    @property
    def world_day(self) -> int:
        """The day as the world counts it."""
        return (self.scenario.first_day - FIRST_DAY).days + self.day


@dataclass(slots=True)
class _Coupon:
    """A coupon whose holder means to use it; ``store`` by index."""

    phone: int
    code: str
    store: int
    got_s: float
    pay_after_s: float


@dataclass
class Day:
    """A day under way: ``play_tick`` in order, then ``close``."""

    plan: DayPlan
    world: World
    server: FlowServer
    shoppers: list[Shopper]
    kind: NDArray[np.int8]
    skew_s: F64
    crowd: Crowd
    phone: I64
    number: I64
    at_s: F64
    sends: ScanSends
    rogues: RogueScans
    store_index: dict[StoreId, int]
    records: DayRecords
    readings: dict[int, tuple[Reading, ...]] = field(default_factory=dict)
    places: dict[int, tuple[int, float, float, int]] = field(default_factory=dict)
    unheard: dict[int, Reply] = field(default_factory=dict)
    rows: list[tuple[object, ...]] = field(default_factory=list)
    cards: list[tuple[object, ...]] = field(default_factory=list)
    coupons: list[_Coupon] = field(default_factory=list)
    n_deliveries_before: int = 0
    n_repeats_before: int = 0
    n_sends: int = 0

    @property
    def n_ticks(self) -> int:
        """Until the last scan has reached the server."""
        last_s = max(float(self.sends.sent_at_s.max(initial=0.0)), float(self.rogues.at_s.max(initial=0.0)))
        return math.ceil((last_s + 1.0) / self.plan.scenario.tick_s)

    def play_tick(self, tick: int) -> None:
        """Hear what falls in the tick, and answer what reaches the server in it."""
        tick_s = self.plan.scenario.tick_s
        start_s, end_s = tick * tick_s, (tick + 1) * tick_s
        self._hear(tick, start_s, end_s)
        scans, who = self._arrived(start_s, end_s)
        now = self.plan.opens_at + timedelta(seconds=end_s)
        if scans:
            replies = self.server.answer([scan for scan, _, _, _ in scans], now)
            for (_, sent_s, said_s, is_lost), index, reply in zip(scans, who, replies, strict=True):
                if reply is not None:
                    self._take(index, sent_s, said_s, reply)
                    self.unheard[index] = reply
                if not is_lost and index in self.unheard:  # a repeat gets the same answer
                    self._hand_over(index, self.unheard.pop(index), end_s)
        if tick % _SWEEP_TICKS == 0:
            self.server.sweep(now)

    def close(self) -> DayOutcome:
        """What the day was."""
        self.server.sweep(self.plan.opens_at + timedelta(hours=23))
        plan = self.plan
        withheld = Counter(
            delivery.reason.value
            for delivery in self.server.deliveries[self.n_deliveries_before :]
            if not delivery.is_delivered
        )
        return DayOutcome(
            mall=plan.mall,
            day=plan.day,
            scans=np.array(self.rows, dtype=SCAN),
            true_visits=self._true_visits(),
            said_visits=self._said_visits(),
            cards=np.array(self.cards, dtype=CARD),
            redemptions=self._redeem(),
            keeps_visits=np.array([self.server.keeps_visits(DeviceId(one.device_id)) for one in self.shoppers]),
            n_visits=len(self.records.mall_visits),
            n_payments=len(self.records.payments),
            paid_minor=int(self.records.payments["amount_minor"].sum()),
            n_sends=self.n_sends,
            n_repeats=self.server.n_repeats - self.n_repeats_before,
            n_dropped=sum(scan in self.readings for scan in self.sends.dropped.tolist()),
            given=self.server.given(),
            withheld=dict(withheld),
        )

    def _hear(self, tick: int, start_s: float, end_s: float) -> None:
        """Whose scan falls in the tick, and who is still there, listens."""
        low, high = np.searchsorted(self.at_s, (start_s, end_s))
        index = np.arange(low, high)
        if not len(index):
            return
        phone, at_s = self.phone[index], self.at_s[index]
        level = np.empty(len(index), dtype=np.int64)
        xy_m = np.empty((len(index), 2))
        there = np.zeros(len(index), dtype=np.bool_)
        for one in np.unique(phone).tolist():
            shopper, at = self.shoppers[one], phone == one
            level[at], xy_m[at] = shopper.trajectory.at(at_s[at])
            there[at] = (at_s[at] >= shopper.arrives_s) & (at_s[at] <= shopper.leaves_s)
        index, phone, at_s, level, xy_m = index[there], phone[there], at_s[there], level[there], xy_m[there]
        store = self.world.graph.grid.store_at(level, xy_m)
        rng = self.world.tick_rng(self.plan.world_day, tick)
        heard = self.world.radio.hear(
            level, xy_m, self.crowd, rng, who=phone, at_ms=np.rint(at_s * 1_000.0).astype(np.int64), number=index
        )
        rows = zip(index.tolist(), level.tolist(), xy_m.tolist(), store.tolist(), strict=True)
        for (i, on, (x, y), inside), readings in zip(rows, self.world.radio.readings(heard, rng), strict=True):
            self.readings[i] = readings
            self.places[i] = (on, x, y, inside)

    def _arrived(self, start_s: float, end_s: float) -> tuple[list[tuple[Scan, float, float, bool]], list[int]]:
        """The scans that reach the server in the tick; rogues have negative indices, from -1 down."""
        low, high = np.searchsorted(self.sends.sent_at_s, (start_s, end_s))
        out: list[tuple[Scan, float, float, bool]] = []
        who: list[int] = []
        for row in range(low, high):
            i = int(self.sends.scan[row])
            readings = self.readings.get(i)
            if readings is None:  # its phone had left by then
                continue
            said_s = float(self.sends.at_said_s[row])
            phone = int(self.phone[i])
            scan = self._scan(self.shoppers[phone].device_id, int(self.number[i]), said_s, readings)
            out.append((scan, float(self.sends.sent_at_s[row]), said_s, bool(self.sends.is_answer_lost[row])))
            who.append(i)
        low, high = np.searchsorted(self.rogues.at_s, (start_s, end_s))
        for row in range(low, high):
            at_s = float(self.rogues.at_s[row])
            device = self.rogues.device_id(int(self.rogues.rogue[row]), self.plan.day)
            out.append((self._scan(device, row, at_s, self.rogues.readings(row)), at_s, at_s, False))
            who.append(-1 - row)
        self.n_sends += len(out)
        return out, who

    def _scan(self, device_id: str, number: int, said_s: float, readings: tuple[Reading, ...]) -> Scan:
        return Scan(
            at=self.plan.opens_at + timedelta(milliseconds=round(said_s * 1_000.0)),
            readings=readings,
            scan_id=ScanId(f"{self.plan.day}-{number}"),
            device_id=DeviceId(device_id),
        )

    def _take(self, index: int, sent_s: float, said_s: float, reply: Reply) -> None:
        """Write the answer beside the truth."""
        if index < 0:
            rogue = int(self.rogues.rogue[-1 - index])
            phone, kind, number, at_s = len(self.shoppers) + rogue, ROGUE, -1 - index, said_s
            place = (-1, math.nan, math.nan, -1)
        else:
            phone, number = int(self.phone[index]), int(self.number[index])
            kind, at_s, place = int(self.kind[phone]), float(self.at_s[index]), self.places[index]
        self.rows.append(
            (
                self.plan.mall,
                self.plan.day,
                phone,
                kind,
                number,
                at_s,
                sent_s,
                said_s,
                *place,
                *self._said(reply, place),
            )
        )

    def _hand_over(self, index: int, reply: Reply, heard_s: float) -> None:
        """The phone has the answer: it shows its cards, and its owner may follow one."""
        for delivery in reply.deliveries:
            if index < 0:
                rogue = int(self.rogues.rogue[-1 - index])
                self._show(
                    delivery, len(self.shoppers) + rogue, ROGUE, float(self.rogues.at_s[-1 - index]), -1, heard_s
                )
            else:
                phone, store = int(self.phone[index]), self.places[index][3]
                self._show(delivery, phone, int(self.kind[phone]), float(self.at_s[index]), store, heard_s)

    def _said(self, reply: Reply, place: tuple[int, float, float, int]) -> tuple[object, ...]:
        n = len(reply.scan.readings)
        position = None if reply.located is None else reply.located.position
        if reply.error is not None or reply.located is None or position is None:
            why = None if reply.located is None else reply.located.reason
            reason = _REFUSED if why is None else REASONS.index(why.value)
            return (reason, -1, math.nan, math.nan, -1, -1, math.nan, math.nan, False, n, reply.is_late)
        venue = self.world.mall.venue
        x_m, y_m = venue.frame.to_xy_m((position.lon_deg, position.lat_deg))
        level = next((i for i, one in enumerate(venue.levels) if one.short_name == position.level), -1)
        front = self.store_index[position.candidates[0].store_id] if position.candidates else -1
        named = -1 if position.store_id is None else self.store_index[position.store_id]
        holds = place[3] >= 0 and venue.stores[place[3]].id in position.store_set
        return (0, level, x_m, y_m, front, named, position.confidence, position.accuracy_m, holds, n, reply.is_late)

    def _show(self, delivery: Delivery, phone: int, kind: int, at_s: float, true_store: int, reacts_s: float) -> None:
        number = next(i for i, one in enumerate(self.server.campaigns) if one.id == delivery.campaign_id)
        spec = self.plan.scenario.campaigns[number]
        target = spec.store if spec.at == "store" else -1
        is_right = kind != ROGUE and (target < 0 or target == true_store)
        goes = kind != ROGUE and self._follows(phone, number, spec.store, reacts_s)
        key = (phone, number)
        self.cards.append(
            (self.plan.mall, self.plan.day, phone, kind, number, at_s, target, true_store, is_right, goes)
        )
        if delivery.coupon is not None and goes:
            chance = float(uniform(self._key(_PAYS), *key)[0])
            low_s, high_s = _PAY_AFTER_S
            pay_after_s = low_s + (high_s - low_s) * chance
            self.coupons.append(_Coupon(phone, delivery.coupon.code, spec.store, reacts_s, pay_after_s))

    def _follows(self, phone: int, campaign: int, store: int, at_s: float) -> bool:
        """Whether the card makes its person go there; then the group's first turns, and the others follow."""
        shopper = self.shoppers[phone]
        if not shopper.arrives_s <= at_s <= shopper.leaves_s:
            return False
        if float(uniform(self._key(_TAKES), shopper.person, campaign)[0]) >= shopper.answers_cards:
            return False
        group = [i for i, one in enumerate(self.shoppers) if one.household == shopper.household]
        front = self.shoppers[min(group, key=lambda i: self.shoppers[i].lag_s)]
        rng = self.world.person_rng(self.plan.world_day, shopper.index)
        turned = front.with_detour(self.world.graph, store, min(max(at_s, front.arrives_s), front.leaves_s), rng)
        for one in group:
            self.shoppers[one] = self.shoppers[one].following(turned)
        return True

    def _key(self, stream: int) -> int:
        return stream_key(self.world.seed, stream, self.plan.world_day)

    def _true_visits(self) -> NDArray[np.void]:
        """Stays in stores of all phones, by the rules' own definition of a visit, to the second."""
        rule = self.server.rules.store
        rows = []
        for phone, shopper in enumerate(self.shoppers):
            at_s = np.arange(shopper.arrives_s, shopper.leaves_s, _SAMPLE_S)
            store = self.world.graph.grid.store_at(*shopper.trajectory.at(at_s)).astype(np.int64)
            for inside, from_s, until_s in stays_in_stores(
                store,
                at_s,
                min_dwell_s=rule.min_dwell.total_seconds(),
                merge_gap_s=rule.merge_gap.total_seconds(),
            ):
                rows.append((self.plan.mall, self.plan.day, phone, self.kind[phone], inside, from_s, until_s, True))
        return np.array(rows, dtype=VISIT)

    def _said_visits(self) -> NDArray[np.void]:
        """The day's store visits as the system has them, in true time: less what each phone's clock is ahead."""
        phone_of = {DeviceId(shopper.device_id): i for i, shopper in enumerate(self.shoppers)}
        for rogue in range(self.rogues.n):
            phone_of[DeviceId(self.rogues.device_id(rogue, self.plan.day))] = len(self.shoppers) + rogue
        rows = []
        for device_id, visit in self.server.visits.values():
            phone = phone_of.get(device_id)
            ahead_s = float(self.skew_s[phone]) if phone is not None and phone < len(self.shoppers) else 0.0
            from_s = (visit.arrived_at - self.plan.opens_at).total_seconds() - ahead_s
            if phone is None or visit.place.kind is not PlaceKind.STORE or not -12 * 3_600.0 < from_s < 12 * 3_600.0:
                continue
            until_s = (visit.last_inside_at - self.plan.opens_at).total_seconds() - ahead_s
            kind = ROGUE if phone >= len(self.shoppers) else int(self.kind[phone])
            store = self.store_index[StoreId(visit.place.id)]
            rows.append((self.plan.mall, self.plan.day, phone, kind, store, from_s, until_s, visit.is_counted))
        return np.array(rows, dtype=VISIT)

    def _redeem(self) -> NDArray[np.void]:
        """What becomes of the coupons at the tills: as late as their outages let it."""
        acts = []
        for coupon in self.coupons:
            stop = next(
                (s for s in self.shoppers[coupon.phone].stops
                 if s.store_index == coupon.store and s.leaves_s > coupon.got_s), None)  # fmt: skip
            if stop is not None:
                at_s = min(max(stop.arrives_s, coupon.got_s) + coupon.pay_after_s, stop.leaves_s)
                acts.append((coupon, round(at_s, 3)))
        acts.sort(key=lambda act: (act[0].store, act[1], act[0].code))
        stores = [coupon.store for coupon, _ in acts]
        sends = till_sends(
            stores,
            [at_s for _, at_s in acts],
            self.world.seed,
            n_stores=len(self.world.mall.venue.stores),
            day=self.plan.world_day,
            spec=self.plan.scenario.tills,
        )
        results: dict[int, tuple[float, str, int]] = {}
        for row in range(len(sends)):
            act, sent_s = int(sends.act[row]), float(sends.sent_at_s[row])
            coupon, at_s = acts[act]
            key = idempotency_key(f"{self.world.seed}", self.plan.day, coupon.store, act)
            said = self.server.redeem(
                coupon.code,
                self.world.mall.venue.stores[coupon.store].id,
                self.plan.opens_at + timedelta(seconds=sent_s),
                key,
            )
            first_s, _, attempts = results.get(act, (sent_s, "", 0))
            results[act] = (first_s, said, attempts + 1)
        rows = [
            (self.plan.mall, self.plan.day, coupon.phone, coupon.store, at_s, results[act][0],
             RESULTS.index(results[act][1]) if results[act][1] in RESULTS else RESULTS.index("other"), results[act][2])
            for act, (coupon, at_s) in enumerate(acts) if act in results
        ]  # fmt: skip
        return np.array(rows, dtype=REDEMPTION)


def open_day(plan: DayPlan, world: World, server: FlowServer) -> Day:
    """Draw the day's phones, their scans and what becomes of them on their way."""
    scenario = plan.scenario
    n_phones = scenario.crowd.phones_per_day
    history = world.history(visits_a_day=scenario.crowd.visits_per_day or 3.0 * n_phones + _FEWEST)
    records = history.day(plan.world_day)
    try:
        shoppers = plan_day(
            history.people, records, world.graph, n_phones, spec=world.radio.spec, scan_period_s=SCAN_PERIOD_S
        )
    except ValueError as error:
        raise ScenarioError(f"crowd.visits_per_day: too few come on day {plan.day} for {n_phones} phones") from error
    person = np.array([shopper.person for shopper in shoppers], dtype=np.int64)
    kind = draw_mix(person, scenario.mix, world.seed)
    radios = [shopper.radio for shopper in shoppers]
    crowd = Crowd(radios, world.crowd_seed(plan.world_day))
    crowd.only_beacons[:] = only_beacons(kind)
    until_s = np.array([shopper.leaves_s for shopper in shoppers]) + _AFTER_CLOSING_S
    times = scan_times(kind, person, [s.arrives_s for s in shoppers], until_s, world.seed, day=plan.world_day)
    order = np.lexsort((times.phone, times.at_s))
    phone, number, at_s = times.phone[order], times.number[order], times.at_s[order]
    sends = deliver(person, phone, at_s, world.seed, day=plan.world_day, spec=scenario.delivery)
    rogues = plan_rogues(scenario.rogues, world, plan.day)
    for shopper in shoppers:
        at = plan.opens_at + timedelta(seconds=shopper.arrives_s)
        server.register(DeviceId(shopper.device_id), shopper.age_band, shopper.consents, at)
    for rogue in range(rogues.n):
        server.register(DeviceId(rogues.device_id(rogue, plan.day)), "adult", ("visits", "marketing"), plan.opens_at)
    return Day(
        plan=plan,
        world=world,
        server=server,
        shoppers=shoppers,
        kind=kind,
        skew_s=clock_skew_s(person, scenario.delivery.clock, world.seed),
        crowd=crowd,
        phone=phone,
        number=number,
        at_s=at_s,
        sends=sends,
        rogues=rogues,
        records=records,
        store_index={store.id: i for i, store in enumerate(world.mall.venue.stores)},
        n_deliveries_before=len(server.deliveries),
        n_repeats_before=server.n_repeats,
    )
