"""Runs a scenario: malls with their survey, days with their phones, through the whole system, with the truth beside.

A day goes by in ticks. In each, phones whose scan falls in it hear; what reaches the server in it is answered in one
batch; who got a card may turn off to its store. Malls know nothing of each other, so they run on as many processes
as told, with the same result; the days of one mall follow each other. The system is the flow in this process, or
whatever ``serve`` opens.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from multiprocessing import get_context
from zoneinfo import ZoneInfo

import numpy as np

from campaigns.campaign import Campaign, CampaignStatus, Card, Offer, Target, Trigger, check_campaign
from fingerprints.scan import LabelledScan
from kernel.ids import CampaignId, derive_id
from positioning.light import LightLocator
from positioning.track.tracker import Tracker
from positioning.train import train_venue
from sim.day import ACTION_STORE, Day, open_day
from sim.day_plan import DayPlan, opens_at, people_of
from sim.flow_server import FlowServer
from sim.outcome import DayOutcome
from sim.radio import aged
from sim.scenario import CampaignSpec, Scenario, ScenarioError
from sim.server import System
from sim.tally import DayTally
from sim.world import World, make_world
from venues.build import build_venue
from venues.model import Venue
from venues.sensitive import sensitive_stores

_MALL_SEEDS = 1_000_003
_CHANGE = 90


@dataclass(frozen=True, slots=True)
class Tick:
    """How far a run is; days are counted over all malls."""

    day: int
    n_days: int
    share_of_day: float
    said: str


@dataclass(frozen=True)
class Mall:
    """A mall as it opens for the first time: its world, the survey of it, its campaigns."""

    scenario: Scenario
    world: World
    survey: list[LabelledScan]
    campaigns: list[Campaign]


Serve = Callable[[Mall], AbstractContextManager[System]]
"""Opens a system that knows a mall, for as long as the mall is played."""


@dataclass(frozen=True)
class Run:
    """A finished run: the scenario, its first mall's map, and each mall's days in order."""

    scenario: Scenario
    venue: Venue
    days: tuple[DayOutcome, ...]


@dataclass(frozen=True)
class Played:
    """A mall's days."""

    venue: Venue
    days: tuple[DayOutcome, ...]


def run_scenario(
    scenario: Scenario,
    *,
    workers: int = 1,
    tell: Callable[[Tick], None] | None = None,
    serve: Serve | None = None,
    venue: Venue | None = None,
) -> Run:
    """Run it all. The result is the same for any number of workers.

    Args:
        serve: None for the flow; else the malls are played one after the other in this process.
        venue: that of ``scenario.imported``.

    Raises:
        ScenarioError: a campaign or outage that could never be right.
    """
    said = tell or (lambda _tick: None)
    n = scenario.malls * scenario.days
    malls: list[Played] = []
    if workers < 2 or scenario.malls < 2 or serve is not None:
        for mall in range(scenario.malls):
            malls.append(
                play_mall(scenario, mall, venue, lambda tick: said(replace(tick, n_days=n)), serve or serve_by_flow)
            )
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            every = range(scenario.malls)
            for played in pool.map(play_mall, [scenario] * scenario.malls, every, [venue] * scenario.malls):
                malls.append(played)
                said(Tick(len(malls) * scenario.days, n, 0.0, f"mall {len(malls)}"))
    return Run(scenario, malls[0].venue, tuple(day for played in malls for day in played.days))


def make_mall_world(scenario: Scenario, mall: int, venue: Venue | None = None) -> World:
    """The world of one of the scenario's malls; the first has the scenario's own seed.

    Raises:
        ScenarioError: the scenario is of an imported venue, which is not here.
    """
    if (scenario.imported is None) != (venue is None):
        raise ScenarioError(f"mall.imported: expected the map of venue {scenario.imported}, found {venue and venue.id}")
    return make_world(
        scenario.seed + mall * _MALL_SEEDS,
        scenario.mall,
        scenario.radio,
        ageing=scenario.ageing,
        venue_id=f"mall-{mall}",
        venue=venue,
    )


def open_mall(scenario: Scenario, mall: int, venue: Venue | None = None) -> Mall:
    """Build a mall and survey it.

    Args:
        venue: that of ``scenario.imported``.

    Raises:
        ScenarioError: a campaign or outage that could never be right; an imported venue that is not here.
    """
    world = make_mall_world(scenario, mall, venue)
    campaigns = [_campaign(scenario, world, number, spec) for number, spec in enumerate(scenario.campaigns)]
    _check_outages(scenario, len(world.mall.venue.stores))
    survey = world.survey(phones=scenario.survey.phones, scans_per_store=scenario.survey.scans_per_store)
    return Mall(scenario, world, survey, campaigns)


def serve_by_flow(mall: Mall) -> AbstractContextManager[FlowServer]:
    """Train, and answer in this process."""
    seed, venue_id = mall.scenario.seed, mall.world.mall.venue.id
    venue = build_venue(mall.world.mall.archive, venue_id)  # as an import has it, to the last digit
    model = train_venue(mall.survey, venue, venue_id=venue.id).model
    key = f"sim-{seed}".encode()
    zones = {} if venue.time_zone is None else {venue.id: ZoneInfo(venue.time_zone)}
    sensitive = {venue.id: sensitive_stores(venue)}
    locator, tracker = LightLocator((model,)), Tracker((model,))
    return nullcontext(FlowServer(locator, mall.campaigns, key, tracker=tracker, zones=zones, sensitive=sensitive))


def play_mall(
    scenario: Scenario,
    mall: int,
    venue: Venue | None = None,
    tell: Callable[[Tick], None] | None = None,
    serve: Serve = serve_by_flow,
) -> Played:
    """One mall, day by day."""
    said = tell or (lambda _tick: None)
    first = mall * scenario.days
    said(Tick(first, 0, 0.0, f"mall {mall + 1}: building and surveying"))
    opened = open_mall(scenario, mall, venue)
    said(Tick(first, 0, 0.0, f"mall {mall + 1}: training"))
    with serve(opened) as system:
        return Played(opened.world.mall.venue, tuple(_play_days(opened, mall, system, said)))


def _play_days(opened: Mall, mall: int, system: System, tell: Callable[[Tick], None]) -> Iterator[DayOutcome]:
    scenario, world = opened.scenario, opened.world
    history = people_of(scenario, world)
    for day in range(scenario.days):
        for number, change in enumerate(scenario.changes):
            if change.before_day == day:
                rng = np.random.default_rng([world.seed, _CHANGE, number])
                world = replace(world, radio=aged(world.radio, world.mall.venue, change.ageing, rng))
        tally = DayTally(system)
        playing = open_day(DayPlan(scenario, mall, day), world, history, system, tally)
        number = mall * scenario.days + day
        _play_day(playing, number, tell)
        yield tally.close(playing)
        tell(Tick(number + 1, 0, 0.0, f"mall {mall + 1}, day {day + 1}"))


def _play_day(day: Day, number: int, tell: Callable[[Tick], None]) -> None:
    n_ticks, name = day.n_ticks, f"mall {day.plan.mall + 1}, day {day.plan.day + 1}"
    for tick in range(n_ticks):
        if day.is_over(tick):
            break
        day.play_tick(tick)
        if tick % 20 == 0:
            tell(Tick(number, 0, tick / n_ticks, name))
    day.close()


def _check_outages(scenario: Scenario, n_stores: int) -> None:
    for number, outage in enumerate(scenario.tills.outages):
        if not all(0 <= store < n_stores for store in outage.stores or ()):
            raise ScenarioError(f"tills.outages[{number}].stores: the mall has stores 0 to {n_stores - 1}")


def _campaign(scenario: Scenario, world: World, number: int, spec: CampaignSpec) -> Campaign:
    venue = world.mall.venue
    if not 0 <= spec.store < len(venue.stores):
        raise ScenarioError(f"campaigns[{number}].store: the mall has stores 0 to {len(venue.stores) - 1}")
    store = venue.stores[spec.store]
    campaign = Campaign(
        id=CampaignId(derive_id("cmp", venue.id, str(number))),
        name=spec.name,
        venue_id=venue.id,
        target=Target("store", store.id) if spec.at == "store" else Target("venue", venue.id),
        trigger=Trigger(spec.trigger, spec.dwell_s),
        starts_at=opens_at(scenario, 0),
        ends_at=opens_at(scenario, scenario.days),
        budget=spec.budget,
        per_person=spec.per_person,
        card=Card(spec.title, store.name, f"{ACTION_STORE}{store.id}"),
        offer=Offer(spec.offer, spec.value, spec.currency, spec.valid_s),
        status=CampaignStatus.LIVE,
    )
    check_campaign(campaign)
    return campaign
