"""Shopping days played against the real HTTP API, as phones and tills would."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import TypeVar

import numpy as np

from atrium_client import Client, Conflict, InvalidInput, NotFound, RateLimited, ServerError, Unreachable
from atrium_client.wire import Answer, Consent, Device
from atrium_client.wire import Scan as ScanJson
from kernel.ids import StoreId, VenueId
from sim.dates import FIRST_DAY
from sim.layout import MallSpec
from sim.listening import Crowd
from sim.pace import Pacer, Stopped
from sim.phones import SCAN_PERIOD_S, label, to_wire
from sim.radio_spec import RadioSpec
from sim.shoppers import Place, Shopper
from sim.world import World, make_world

T = TypeVar("T")

_CONSENT_VERSION = "2026-01"
_ACTION_STORE = "atrium:store/"
_PAY_AFTER_S = (40.0, 150.0)
_LONGEST_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class DayProgress:
    """Where the run stands; counts are since its start.

    ``slipped_s`` is wall time by which the run fell behind its speed because the server took longer.
    """

    sim_time: datetime
    day: int
    phones: int
    scans: int = 0
    positions: int = 0
    refused_scans: int = 0
    cards: int = 0
    redemptions: int = 0
    refused_redemptions: int = 0
    slipped_s: float = 0.0


def run_demo_day(
    *,
    base_url: str,
    device_key: str,
    cashier_key: str,
    seed: int,
    stop: Callable[[], bool],
    progress: Callable[[DayProgress], None] | None = None,
    speed: float = 60.0,
    n_shoppers: int = 600,
    spec: MallSpec | None = None,
    radio_spec: RadioSpec | None = None,
    venue_id: str | None = None,
    first_day: date = FIRST_DAY,
    max_days: int | None = None,
) -> DayProgress:
    """Play day after day until ``stop()``: phones scan, shoppers follow cards, tills redeem coupons.

    All arguments can be pickled where ``stop`` and ``progress`` can, so that this may run as its own process. A
    server that is away is waited for; scans carry ids, so that nothing counts twice when it comes back.

    Args:
        speed: simulated seconds a second; never exceeded.
        n_shoppers: a day.
        venue_id: sent with each scan; None lets the server find it.
        first_day: from ``FIRST_DAY`` on. People come back on later dates with their phones; no scan id comes twice,
            so that a run may go on where another ended.
        max_days: end after so many days; None for no end.

    Raises:
        AtriumError: the server refuses the keys or the requests as such.
    """
    world = make_world(seed, spec, radio_spec)
    pacer = Pacer(speed, stop)
    with Client(base_url, device_key) as phones, Client(base_url, cashier_key) as till:
        run = DemoRun(world, phones, till, pacer, progress, venue_id=venue_id, first_day=first_day)
        try:
            for day in count() if max_days is None else range(max_days):
                run.play_day(day, n_shoppers)
        except Stopped:
            pass
        return run.progress


@dataclass
class _Coupon:
    store_id: StoreId
    pay_after_s: float
    inside_since_s: float | None = None


@dataclass
class _Person:
    """A shopper of today as the run knows them: the plan, the phone's list, coupons not yet redeemed."""

    shopper: Shopper
    rng: np.random.Generator
    is_registered: bool = False
    n_scans: int = 0
    coupons: dict[str, _Coupon] = field(default_factory=dict)


class DemoRun:
    """One run against one server. Days are played in order; ``progress`` tells how far it is."""

    def __init__(
        self,
        world: World,
        phones: Client,
        till: Client,
        pacer: Pacer,
        report: Callable[[DayProgress], None] | None = None,
        *,
        venue_id: str | None = None,
        first_day: date = FIRST_DAY,
    ) -> None:
        self._world = world
        self._phones = phones
        self._till = till
        self._pacer = pacer
        self._report = report
        self._venue_id = None if venue_id is None else VenueId(venue_id)
        self._first_day = first_day
        self._first_world_day = (first_day - FIRST_DAY).days
        if self._first_world_day < 0:
            raise ValueError(f"expected a day from {FIRST_DAY} on, found {first_day}")
        self._store_index = {store.id: i for i, store in enumerate(world.mall.venue.stores)}
        self._elapsed_s = 0.0
        self.progress = DayProgress(self._opens_at(0), 0, 0)

    def _opens_at(self, day: int) -> datetime:
        spec = self._world.mall.spec
        midnight = datetime.combine(self._first_day + timedelta(days=day), datetime.min.time(), UTC)
        return midnight + timedelta(hours=spec.opens_hour - spec.utc_offset_h)

    def play_day(self, day: int, n_shoppers: int) -> None:
        """Play one day from opening until the last shopper has left; raises ``Stopped``."""
        world_day = self._first_world_day + day
        shoppers = self._world.shoppers(world_day, n_shoppers, SCAN_PERIOD_S)
        people = [_Person(shopper, self._world.person_rng(world_day, shopper.index)) for shopper in shoppers]
        crowd = Crowd([shopper.radio for shopper in shoppers], self._world.crowd_seed(world_day))
        for tick in count():
            t_s = tick * SCAN_PERIOD_S
            if all(person.shopper.leaves_s < t_s for person in people):
                break
            self._pacer.wait_until(self._elapsed_s)
            self._elapsed_s += SCAN_PERIOD_S
            self._play_tick(day, tick, people, crowd)

    def _play_tick(self, day: int, tick: int, people: list[_Person], crowd: Crowd) -> None:
        opens_at, start_s = self._opens_at(day), tick * SCAN_PERIOD_S
        present: list[tuple[_Person, Place, float]] = []
        for person in people:
            t_s = start_s + person.shopper.scan_phase_s
            place = person.shopper.place_at(t_s, self._world.graph)
            if place is not None:
                present.append((person, place, t_s))
        present.sort(key=lambda entry: entry[2])
        for person, _, t_s in present:
            if not person.is_registered:
                self._register(person.shopper, opens_at + timedelta(seconds=t_s))
                person.is_registered = True
        scans = self._scan(day, tick, opens_at, present, crowd)
        answers = self._patiently(lambda: self._phones.locate_many(scans)) if scans else []
        self._count(answers, day, opens_at + timedelta(seconds=start_s), len(present))
        for (person, place, t_s), answer in zip(present, answers, strict=True):
            self._take_cards(person, people, answer, t_s)
            self._pay(person, place, t_s)
        if self._report is not None:
            self._report(self.progress)

    def _register(self, shopper: Shopper, at: datetime) -> None:
        said_at = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        consents: list[Consent] = [
            {"purpose": purpose, "version": _CONSENT_VERSION, "at": said_at} for purpose in shopper.consents
        ]
        device: Device = {
            "model": shopper.model,
            "locale": shopper.locale,
            "time_zone": self._world.mall.venue.time_zone,
            "age_band": shopper.age_band,
            "consents": consents,
        }
        self._patiently(lambda: self._phones.put_device(shopper.device_id, device))

    def _scan(
        self, day: int, tick: int, opens_at: datetime, present: list[tuple[_Person, Place, float]], crowd: Crowd
    ) -> list[ScanJson]:
        """What all phones present hear in this tick, as labelled scans on the wire."""
        rng = self._world.tick_rng(self._first_world_day + day, tick)
        radio = self._world.radio
        at_ms = [round(t_s * 1000.0) for _, _, t_s in present]
        heard = radio.hear(
            [place.level_index for _, place, _ in present],
            np.array([place.xy_m for _, place, _ in present]).reshape(-1, 2),
            crowd,
            rng,
            who=[person.shopper.index for person, _, _ in present],
            at_ms=at_ms,
            number=[person.shopper.index for person, _, _ in present],
        )
        out: list[ScanJson] = []
        for (person, place, _), ms, readings in zip(present, at_ms, radio.readings(heard, rng), strict=True):
            labelled = label(
                self._world.mall.venue,
                person.shopper.device_id,
                person.n_scans,
                opens_at + timedelta(milliseconds=ms),
                (place.level_index, place.xy_m, place.store_index),
                readings,
                walk=person.shopper.walk_on(self._first_day + timedelta(days=day)),
            )
            person.n_scans += 1
            out.append(to_wire(labelled, self._venue_id))
        return out

    def _count(self, answers: list[Answer], day: int, at: datetime, n_phones: int) -> None:
        done = self.progress
        self.progress = replace(
            done,
            sim_time=at,
            day=day,
            phones=n_phones,
            scans=done.scans + len(answers),
            positions=done.positions + sum(answer.get("position") is not None for answer in answers),
            refused_scans=done.refused_scans + sum("error" in answer for answer in answers),
            cards=done.cards + sum(len(answer.get("cards") or ()) for answer in answers),
            slipped_s=self._pacer.slipped_s,
        )

    def _take_cards(self, person: _Person, people: list[_Person], answer: Answer, t_s: float) -> None:
        """Keep the coupons of the answer, and go to their store with the person's own inclination."""
        for card in answer.get("cards") or ():
            coupon, url = card["coupon"], card["action_url"] or ""
            store_id = StoreId(url.removeprefix(_ACTION_STORE))
            store_index = self._store_index.get(store_id)
            if coupon is None or store_index is None or coupon["code"] in person.coupons:
                continue
            if person.rng.random() >= person.shopper.answers_cards:
                continue
            person.coupons[coupon["code"]] = _Coupon(store_id, float(person.rng.uniform(*_PAY_AFTER_S)))
            self._lead(person, people, store_index, t_s)

    def _lead(self, person: _Person, people: list[_Person], store_index: int, t_s: float) -> None:
        """The person's group goes to a store first: whoever walks in front turns, and the others follow."""
        group = [other for other in people if other.shopper.household == person.shopper.household]
        front = min(group, key=lambda other: other.shopper.lag_s)
        at_s = min(t_s, front.shopper.leaves_s)
        turned = front.shopper.with_detour(self._world.graph, store_index, at_s, person.rng)
        for other in group:
            other.shopper = other.shopper.following(turned)

    def _pay(self, person: _Person, place: Place, t_s: float) -> None:
        """Redeem at the till of the store the person is truly in, once they have been there for a while."""
        stores = self._world.mall.venue.stores
        here = stores[place.store_index].id if place.store_index >= 0 else None
        for code, coupon in list(person.coupons.items()):
            if coupon.store_id != here:
                coupon.inside_since_s = None
                continue
            if coupon.inside_since_s is None:
                coupon.inside_since_s = t_s
            if t_s - coupon.inside_since_s < coupon.pay_after_s:
                continue
            del person.coupons[code]
            self._redeem(code, coupon.store_id)

    def _redeem(self, code: str, store_id: StoreId) -> None:
        try:
            self._patiently(lambda: self._till.redeem(code, store_id, idempotency_key=f"till-{code}"))
        except (Conflict, NotFound, InvalidInput):
            self.progress = replace(self.progress, refused_redemptions=self.progress.refused_redemptions + 1)
        else:
            self.progress = replace(self.progress, redemptions=self.progress.redemptions + 1)

    def _patiently(self, call: Callable[[], T]) -> T:
        """Call until the server answers, however long it is away; raises ``Stopped`` or what it refuses."""
        wait_s = 0.2
        while True:
            try:
                return call()
            except (Unreachable, ServerError, RateLimited):
                self._pacer.pause(wait_s)
                wait_s = min(wait_s * 2.0, _LONGEST_PATIENCE_S)
