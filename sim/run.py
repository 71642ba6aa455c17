"""Runs a scenario: malls with their survey, days with their phones, through the whole flow, with the truth beside.

A day goes by in ticks. In each, phones whose scan falls in it hear; what reaches the server in it is answered in one
batch; who got a card may turn off to its store. Malls know nothing of each other, so they run on as many processes
as told, with the same result; the days of one mall follow each other.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

import numpy as np

from campaigns.campaign import Campaign, CampaignStatus, Card, Offer, Target, Trigger, check_campaign
from kernel.ids import CampaignId, derive_id
from positioning.light import LightLocator
from positioning.train import train_venue
from sim.day import Day, DayPlan, open_day
from sim.flow_server import FlowServer
from sim.outcome import DayOutcome
from sim.radio import aged
from sim.scenario import CampaignSpec, Scenario, ScenarioError
from sim.world import World, make_world
from venues.model import Venue

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
class Run:
    """A finished run: the scenario, its first mall as it was, and each mall's days in order."""

    scenario: Scenario
    world: World
    days: tuple[DayOutcome, ...]


def run_scenario(
    scenario: Scenario,
    *,
    workers: int = 1,
    tell: Callable[[Tick], None] | None = None,
    venue: Venue | None = None,
) -> Run:
    """Run it all. The result is the same for any number of workers.

    Args:
        venue: that of ``scenario.imported``.

    Raises:
        ScenarioError: a campaign that could never be right.
    """
    said = tell or (lambda _tick: None)
    n = scenario.malls * scenario.days
    days: list[DayOutcome] = []
    if workers < 2 or scenario.malls < 2:
        for mall in range(scenario.malls):
            for outcome in play_mall(scenario, mall, lambda tick: said(replace(tick, n_days=n)), venue):
                days.append(outcome)
                said(Tick(len(days), n, 0.0, f"mall {mall + 1}, day {outcome.day + 1}"))
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for played in pool.map(_play_whole, [scenario] * scenario.malls, range(scenario.malls)):
                days += played
                said(Tick(len(days), n, 0.0, f"mall {played[0].mall + 1}"))
    return Run(scenario, make_mall_world(scenario, 0, venue), tuple(days))


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


def play_mall(
    scenario: Scenario, mall: int, tell: Callable[[Tick], None] | None = None, venue: Venue | None = None
) -> Iterator[DayOutcome]:
    """The days of one mall, in order."""
    said = tell or (lambda _tick: None)
    first = mall * scenario.days
    said(Tick(first, 0, 0.0, f"mall {mall + 1}: building"))
    world = make_mall_world(scenario, mall, venue)
    said(Tick(first, 0, 0.0, f"mall {mall + 1}: surveying and training"))
    survey = world.survey(phones=scenario.survey.phones, scans_per_store=scenario.survey.scans_per_store)
    model = train_venue(survey, world.mall.venue, venue_id=world.mall.venue.id).model
    server = FlowServer(LightLocator((model,)), _campaigns(scenario, world), f"sim-{scenario.seed}".encode())
    for day in range(scenario.days):
        for number, change in enumerate(scenario.changes):
            if change.before_day == day:
                rng = np.random.default_rng([world.seed, _CHANGE, number])
                world = replace(world, radio=aged(world.radio, world.mall.venue, change.ageing, rng))
        plan = DayPlan(scenario, mall, day, opens_at(scenario, day))
        opened = open_day(plan, world, server)
        yield _play_day(opened, first + day, said)


def opens_at(scenario: Scenario, day: int) -> datetime:
    """When the malls open on a day, in UTC."""
    spec = scenario.mall
    midnight = datetime.combine(scenario.first_day + timedelta(days=day), datetime.min.time(), UTC)
    return midnight + timedelta(hours=spec.opens_hour - spec.utc_offset_h)


def _play_whole(scenario: Scenario, mall: int) -> list[DayOutcome]:
    return list(play_mall(scenario, mall))


def _play_day(day: Day, number: int, tell: Callable[[Tick], None]) -> DayOutcome:
    n_ticks, name = day.n_ticks, f"mall {day.plan.mall + 1}, day {day.plan.day + 1}"
    for tick in range(n_ticks):
        day.play_tick(tick)
        if tick % 20 == 0:
            tell(Tick(number, 0, tick / n_ticks, name))
    return day.close()


def _campaigns(scenario: Scenario, world: World) -> list[Campaign]:
    return [_campaign(scenario, world, number, spec) for number, spec in enumerate(scenario.campaigns)]


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
        card=Card(spec.title, store.name, f"atrium:store/{store.id}"),
        offer=Offer(spec.offer, spec.value, spec.currency, spec.valid_s),
        status=CampaignStatus.LIVE,
    )
    check_campaign(campaign)
    return campaign
