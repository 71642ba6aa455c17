"""The demo's days: the same phones, people and tills as a scenario's, against a live server, at the pace of a clock.

Nothing goes wrong on the way here: all phones are the maker's own, their clocks are right, connections hold. The
campaigns are whatever marketers publish. Days follow each other until somebody stops them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import count

from atrium_client import Client
from atrium_client.wire import Answer
from sim.checkout import Redeeming
from sim.dates import FIRST_DAY
from sim.day import Day, open_day
from sim.day_plan import DayPlan, people_of
from sim.delivery import ClockSpec, DeliverySpec
from sim.http_server import HttpServer
from sim.layout import MallSpec
from sim.pace import Pacer, Stopped
from sim.phones import SCAN_PERIOD_S
from sim.radio_spec import RadioSpec
from sim.scenario import CrowdSpec, Scenario
from sim.schedules import PhoneMix
from sim.sending import CallSpec
from sim.server import Server
from sim.tills import TillSpec
from sim.watch import Heard, Shown
from sim.world import World, make_world

_VISITS_A_PHONE, _FEWEST_PHONES = 3, 100
"""Three times the phones come on a mean day, and never too few for a weak one."""


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
    first_day: date = FIRST_DAY,
    max_days: int | None = None,
) -> DayProgress:
    """Play day after day until ``stop()``: phones scan, shoppers follow cards, tills redeem coupons.

    All arguments can be pickled where ``stop`` and ``progress`` can, so that this may run as its own process. A
    server that is away is waited for; scans carry ids, so that nothing counts twice when it comes back.

    Args:
        speed: simulated seconds a second; never exceeded.
        n_shoppers: a day.
        first_day: from ``FIRST_DAY`` on. People come back on later dates with their phones; no scan id comes twice,
            so that a run may go on where another ended.
        max_days: end after so many days; None for no end.

    Raises:
        AtriumError: the server refuses the keys or the requests as such.
    """
    world = make_world(seed, spec, radio_spec)
    pacer = Pacer(speed, stop)
    with Client(base_url, device_key) as phones, Client(base_url, cashier_key) as till:
        server = HttpServer(phones, till, pause=pacer.pause, wants_truth=True)
        run = DemoRun(world, server, pacer, progress, n_shoppers=n_shoppers, first_day=first_day)
        try:
            for day in count() if max_days is None else range(max_days):
                run.play_day(day)
        except Stopped:
            pass
        return run.progress


def demo_scenario(world: World, n_shoppers: int, first_day: date) -> Scenario:
    """Days on which nothing goes wrong, in ticks of one scan a phone.

    Raises:
        TypeError: the mall is an imported venue: the demo shows a drawn one.
    """
    if not isinstance(world.mall.spec, MallSpec):
        raise TypeError(f"expected a drawn mall, found imported venue {world.mall.venue.id}")
    return Scenario(
        name="demo",
        seed=world.seed,
        first_day=first_day,
        tick_s=SCAN_PERIOD_S,
        mall=world.mall.spec,
        radio=world.radio.spec,
        crowd=CrowdSpec(n_shoppers, _VISITS_A_PHONE * max(n_shoppers, _FEWEST_PHONES)),
        mix=PhoneMix(1.0, 0.0, 0.0, 0.0),
        delivery=DeliverySpec(ClockSpec(0.0, 0.0), CallSpec(answer_lost_ratio=0.0), offline_s=0.0, hasty_ratio=0.0),
        tills=TillSpec(offline_s=0.0, calls=CallSpec(1, answer_lost_ratio=0.0)),
    )


class DemoRun:
    """One run against one server. Days are played in order; ``progress`` tells how far it is."""

    def __init__(
        self,
        world: World,
        server: Server,
        pacer: Pacer,
        report: Callable[[DayProgress], None] | None = None,
        *,
        n_shoppers: int = 600,
        first_day: date = FIRST_DAY,
    ) -> None:
        if first_day < FIRST_DAY:
            raise ValueError(f"expected a day from {FIRST_DAY} on, found {first_day}")
        self._world, self._server, self._pacer, self._report = world, server, pacer, report
        self._scenario = demo_scenario(world, n_shoppers, first_day)
        self._people = people_of(self._scenario, world)
        self._elapsed_s = 0.0
        self._n_now = 0
        self.progress = DayProgress(DayPlan(self._scenario, 0, 0).opens_at, 0, 0)

    def play_day(self, number: int) -> None:
        """Play one day from opening until the last shopper has left; raises ``Stopped``."""
        plan = DayPlan(self._scenario, 0, number)
        day = open_day(plan, self._world, self._people, self._server, self)
        tick_s = self._scenario.tick_s
        for tick in count():
            if day.is_over(tick):
                break
            self._pacer.wait_until(self._elapsed_s)
            self._elapsed_s += tick_s
            self._n_now = 0
            day.play_tick(tick)
            at = plan.opens_at + timedelta(seconds=tick * tick_s)
            self.progress = replace(
                self.progress, sim_time=at, day=number, phones=self._n_now, slipped_s=self._pacer.slipped_s
            )
            if self._report is not None:
                self._report(self.progress)
        day.close()

    def arrived(self, n_scans: int, n_again: int, n_changed: int) -> None:
        """Count the scans of a call."""
        self._n_now += n_scans
        self.progress = replace(self.progress, scans=self.progress.scans + n_scans)

    def answered(self, day: Day, heard: Heard, answer: Answer) -> None:
        """Count an answer."""
        done = self.progress
        self.progress = replace(
            done,
            positions=done.positions + (answer.get("position") is not None),
            refused_scans=done.refused_scans + ("error" in answer),
        )

    def showed(self, day: Day, shown: Shown) -> None:
        """Count a card."""
        self.progress = replace(self.progress, cards=self.progress.cards + 1)

    def redeemed(self, redeeming: Redeeming, said: str) -> None:
        """Count what a till was told."""
        done = self.progress
        if said == "redeemed":
            self.progress = replace(done, redemptions=done.redemptions + 1)
        else:
            self.progress = replace(done, refused_redemptions=done.refused_redemptions + 1)
