"""One mall's day: who carries which phone, what it hears, what reaches the server when, and what its owner does.

The same for any ``server.Server``, in this process or over HTTP, and for whoever watches: a run writes it all down
(``tally.py``), the demo counts (``demo_day.py``).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from atrium_client.wire import Answer, Card
from fingerprints.scan import LabelledScan, Reading, Scan
from kernel.ids import DeviceId, ScanId
from sim.chance import F64, I64, stream_key, uniform
from sim.checkout import Checkout, open_checkout
from sim.day_plan import DayPlan
from sim.delivery import ScanSends, clock_skew_s, deliver
from sim.history import History
from sim.listening import Crowd
from sim.outcome import ROGUE
from sim.phones import SCAN_PERIOD_S, device_of, truth_of
from sim.rogues import RogueScans, plan_rogues
from sim.scenario import ScenarioError
from sim.schedules import draw_mix, only_beacons, scan_times
from sim.server import MOST_SCANS, Server
from sim.shoppers import Shopper, plan_day
from sim.watch import Heard, Shown, Watch
from sim.world import World

ACTION_STORE = "atrium:store/"
"""What a card's address begins with that leads to a store."""
_TAKES, _PAYS = range(640, 642)
_AFTER_CLOSING_S = 1_800.0
_SWEEP_TICKS = 10
_PAY_AFTER_S = (40.0, 150.0)
_AFTERWARDS = timedelta(hours=2)
"""From the last scan to where all visits have run out: longer than any phone's clock is ahead, and their leave gap."""
_NOWHERE = (-1, math.nan, math.nan, -1)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A row of a call; ``index`` is the phones' scan, or from -1 down a rogue's."""

    index: int
    scan: Scan | LabelledScan
    heard: Heard
    is_lost: bool


@dataclass
class Day:
    """A day under way: ``play_tick`` in order, then ``close``.

    ``was_heard`` tells of each planned scan whether its phone was there to hear; ``keeps_visits`` of each phone that
    has registered.
    """

    plan: DayPlan
    world: World
    server: Server
    watch: Watch
    checkout: Checkout
    shoppers: list[Shopper]
    kind: NDArray[np.int8]
    skew_s: F64
    crowd: Crowd
    phone: I64
    number: I64
    at_s: F64
    sends: ScanSends
    rogues: RogueScans
    store_index: Mapping[str, int]
    was_heard: NDArray[np.bool_]
    was_answered: NDArray[np.bool_]
    keeps_visits: dict[str, bool] = field(default_factory=dict)
    _sends_left: I64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    _readings: dict[int, tuple[Reading, ...]] = field(default_factory=dict)
    _places: dict[int, tuple[int, float, float, int]] = field(default_factory=dict)
    _unheard: dict[int, Answer] = field(default_factory=dict)
    _n_cards: dict[int, int] = field(default_factory=dict)
    _n_registered: int = 0

    def __post_init__(self) -> None:
        self._sends_left = np.bincount(self.sends.scan, minlength=len(self.at_s))

    @property
    def n_ticks(self) -> int:
        """Until the last scan has reached the server."""
        last_s = max(float(self.sends.sent_at_s.max(initial=0.0)), float(self.rogues.at_s.max(initial=0.0)))
        return math.ceil((last_s + 1.0) / self.plan.scenario.tick_s)

    def is_over(self, tick: int) -> bool:
        """Whether everybody has left before a tick, and all that their phones heard has reached the server."""
        start_s = tick * self.plan.scenario.tick_s
        return (
            not self._readings
            and not (self.rogues.at_s >= start_s).any()
            and all(one.leaves_s < start_s for one in self.shoppers)
        )

    def play_tick(self, tick: int) -> None:
        """Hear what falls in the tick, and answer what reaches the server in it."""
        tick_s = self.plan.scenario.tick_s
        start_s, end_s = tick * tick_s, (tick + 1) * tick_s
        self._register(end_s)
        self._hear(tick, start_s, end_s)
        self._redeem(end_s)
        now = self.plan.opens_at + timedelta(seconds=end_s)
        sent = list(self._arrivals(start_s, end_s))
        for first in range(0, len(sent), MOST_SCANS):
            part = sent[first : first + MOST_SCANS]
            self._answered(part, self.server.answer([one.scan for one in part], now), end_s)
        if tick % _SWEEP_TICKS == 0:
            self.server.sweep(now)

    def close(self) -> None:
        """The mall has closed: tills tell what they have not told yet, and visits run out."""
        self._register(math.inf)
        self._redeem(math.inf)
        ends = timedelta(seconds=self.n_ticks * self.plan.scenario.tick_s)
        self.server.close_all(self.plan.opens_at + ends + _AFTERWARDS)

    def phones(self) -> dict[str, int]:
        """Phones by id, rogues behind the shoppers."""
        found = {shopper.device_id: i for i, shopper in enumerate(self.shoppers)}
        rogues = range(self.rogues.n)
        return found | {self.rogues.device_id(i, self.plan.day): len(self.shoppers) + i for i in rogues}

    def kind_of(self, phone: int) -> int:
        """A phone's schedule, or ``ROGUE``."""
        return ROGUE if phone >= len(self.shoppers) else int(self.kind[phone])

    def _register(self, end_s: float) -> None:
        """Who has come in, or is about to lie, says who they are and what they allow."""
        if not self.keeps_visits:
            for rogue in range(self.rogues.n):
                name = self.rogues.device_id(rogue, self.plan.day)
                device = device_of(None, None, None, "adult", ("visits", "marketing"), self.plan.opens_at)
                self.keeps_visits[name] = self.server.register(name, device)
        while self._n_registered < len(self.shoppers) and self.shoppers[self._n_registered].arrives_s < end_s:
            one = self.shoppers[self._n_registered]
            at = self.plan.opens_at + timedelta(seconds=one.arrives_s)
            zone = self.world.mall.venue.time_zone
            device = device_of(one.model, one.locale, zone, one.age_band, one.consents, at)
            self.keeps_visits[one.device_id] = self.server.register(one.device_id, device)
            self._n_registered += 1

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
        self.was_heard[index] = True
        rows = zip(index.tolist(), level.tolist(), xy_m.tolist(), store.tolist(), strict=True)
        for (i, on, (x, y), inside), readings in zip(rows, self.world.radio.readings(heard, rng), strict=True):
            if self._sends_left[i]:
                self._readings[i] = readings
                self._places[i] = (on, x, y, inside)

    def _arrivals(self, start_s: float, end_s: float) -> Iterator[_Sent]:
        """The scans that reach the server in the tick, phones' first."""
        low, high = np.searchsorted(self.sends.sent_at_s, (start_s, end_s))
        for row in range(low, high):
            i = int(self.sends.scan[row])
            if not self.was_heard[i]:  # its phone had left by then
                continue
            said_s, sent_s = float(self.sends.at_said_s[row]), float(self.sends.sent_at_s[row])
            phone, number, readings, place = int(self.phone[i]), int(self.number[i]), self._readings[i], self._places[i]
            name = self.shoppers[phone].device_id
            heard = Heard(
                phone, int(self.kind[phone]), number, name, float(self.at_s[i]), sent_s, said_s, place, len(readings)
            )
            yield _Sent(i, self._scan(heard, readings), heard, bool(self.sends.is_answer_lost[row]))
            self._sends_left[i] -= 1
            if not self._sends_left[i]:
                del self._readings[i], self._places[i]
        low, high = np.searchsorted(self.rogues.at_s, (start_s, end_s))
        for row in range(low, high):
            at_s, rogue, readings = float(self.rogues.at_s[row]), int(self.rogues.rogue[row]), self.rogues.readings(row)
            name = self.rogues.device_id(rogue, self.plan.day)
            phone = len(self.shoppers) + rogue
            heard = Heard(phone, ROGUE, row, name, at_s, at_s, at_s, _NOWHERE, len(readings))
            yield _Sent(-1 - row, self._scan(heard, readings), heard, is_lost=False)

    def _scan(self, heard: Heard, readings: tuple[Reading, ...]) -> Scan | LabelledScan:
        """The scan as its phone sends it; no two of a phone share a name, on whatever day."""
        scan = Scan(
            at=self.plan.opens_at + timedelta(milliseconds=round(heard.said_s * 1_000.0)),
            readings=readings,
            scan_id=ScanId(f"{heard.device_id}-{self.plan.on:%Y%m%d}-{heard.number}"),
            device_id=DeviceId(heard.device_id),
        )
        level, x_m, y_m, store = heard.place
        if not self.server.wants_truth or level < 0:
            return scan
        return LabelledScan(scan, truth_of(self.world.mall.venue, level, (x_m, y_m), store))

    def _answered(self, sent: Sequence[_Sent], answers: Sequence[Answer], end_s: float) -> None:
        """One call's answers: what is new is told, and what a phone hears it shows."""
        pairs = list(zip(sent, answers, strict=True))
        n_again = n_changed = 0
        for one, answer in sorted(pairs, key=lambda pair: pair[0].heard.said_s):
            if one.index >= 0 and self.was_answered[one.index]:
                n_again += 1
                before = self._unheard.get(one.index, answer)
                n_changed += before != answer and "error" not in before
                continue
            if one.index >= 0:
                self.was_answered[one.index] = True
            self.watch.answered(self, one.heard, answer)
        self.watch.arrived(len(sent), n_again, n_changed)
        for one, answer in pairs:
            if one.is_lost:
                self._unheard.setdefault(one.index, answer)
            else:
                self._unheard.pop(one.index, None)
                for card in answer.get("cards") or ():
                    self._show(one.heard, card, end_s)

    def _show(self, heard: Heard, card: Card, now_s: float) -> None:
        """The phone shows a card, and its owner may follow it."""
        store = self.store_index.get((card["action_url"] or "").removeprefix(ACTION_STORE), -1)
        number = self._n_cards.get(heard.phone, 0)
        self._n_cards[heard.phone] = number + 1
        goes = heard.kind != ROGUE and store >= 0 and self._follows(heard.phone, number, store, now_s)
        self.watch.showed(self, Shown(heard.phone, heard.kind, card["campaign_id"], heard.at_s, heard.place[3], goes))
        coupon = card["coupon"]
        if coupon is not None and goes:
            chance = float(uniform(self._key(_PAYS), self.shoppers[heard.phone].person, number)[0])
            low_s, high_s = _PAY_AFTER_S
            group = [self.shoppers[i] for i in self._group_of(heard.phone)]
            self.checkout.hold(heard.phone, group, coupon["code"], store, now_s, low_s + (high_s - low_s) * chance)

    def _follows(self, phone: int, number: int, store: int, at_s: float) -> bool:
        """Whether the card makes its person go there; then the group's first turns, and the others follow."""
        shopper = self.shoppers[phone]
        if not shopper.arrives_s <= at_s <= shopper.leaves_s:
            return False
        if float(uniform(self._key(_TAKES), shopper.person, number)[0]) >= shopper.answers_cards:
            return False
        group = self._group_of(phone)
        front = self.shoppers[min(group, key=lambda i: self.shoppers[i].lag_s)]
        rng = self.world.person_rng(self.plan.world_day, shopper.index)
        turned = front.with_detour(self.world.graph, store, min(max(at_s, front.arrives_s), front.leaves_s), rng)
        for one in group:
            self.shoppers[one] = self.shoppers[one].following(turned)
        self.checkout.turned([self.shoppers[one] for one in group], at_s)
        return True

    def _group_of(self, phone: int) -> list[int]:
        household = self.shoppers[phone].household
        return [i for i, one in enumerate(self.shoppers) if one.household == household]

    def _redeem(self, end_s: float) -> None:
        """The tills tell what they can by the end of the tick."""
        stores = self.world.mall.venue.stores
        for one in self.checkout.due(end_s):
            at = self.plan.opens_at + timedelta(seconds=one.sent_s)
            said = self.server.redeem(one.coupon.code, stores[one.coupon.store].id, at, one.key)
            self.watch.redeemed(one, said)

    def _key(self, stream: int) -> int:
        return stream_key(self.world.seed, stream, self.plan.world_day)


def open_day(plan: DayPlan, world: World, history: History, server: Server, watch: Watch) -> Day:
    """Draw the day's phones, their scans and what becomes of them on their way, and its tills."""
    scenario = plan.scenario
    n_phones = scenario.crowd.phones_per_day
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
    stores = world.mall.venue.stores
    return Day(
        plan=plan,
        world=world,
        server=server,
        watch=watch,
        checkout=open_checkout(
            history, records, shoppers, scenario.tills, seed=world.seed, n_stores=len(stores), run=f"{world.seed}"
        ),
        shoppers=shoppers,
        kind=kind,
        skew_s=clock_skew_s(person, scenario.delivery.clock, world.seed),
        crowd=crowd,
        phone=phone,
        number=number,
        at_s=at_s,
        sends=deliver(person, phone, at_s, world.seed, day=plan.world_day, spec=scenario.delivery),
        rogues=plan_rogues(scenario.rogues, world, plan.day),
        store_index={store.id: i for i, store in enumerate(stores)},
        was_heard=np.zeros(len(at_s), dtype=np.bool_),
        was_answered=np.zeros(len(at_s), dtype=np.bool_),
    )
