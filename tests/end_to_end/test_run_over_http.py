"""A scenario against a real server says what it says by the flow, to the last byte."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from api.ports import Role
from api.schemas.campaigns import CampaignIn
from atrium_client import Client
from campaigns.campaign import CampaignStatus
from kernel.clock import EPOCH
from runtime.clocks import EventClock
from runtime.demo import DemoKeys
from runtime.errors import VenueFileError
from runtime.home import open_home
from runtime.sim_server import prepare, serve_at, serve_own
from sim.delivery import ClockSpec, DeliverySpec
from sim.http_server import draft_of
from sim.layout import MallSpec
from sim.lines import run_files
from sim.outcome import RESULTS, ROGUE
from sim.run import Run, open_mall, run_scenario
from sim.scenario import CampaignSpec, CrowdSpec, RogueSpec, Scenario, SurveySpec
from sim.schedules import PhoneMix
from sim.sending import CallSpec
from sim.tills import Outage, TillSpec
from tests.living_server import Living, serve

FAULTY = Scenario(
    name="an-hour-of-faults",
    seed=7,
    mall=MallSpec(n_levels=1, closes_hour=11),
    survey=SurveySpec(scans_per_store=12),
    crowd=CrowdSpec(20),
    mix=PhoneMix(0.8, 0.1, 0.05, 0.05),
    delivery=DeliverySpec(
        clock=ClockSpec(wrong_ratio=0.7, wrong_s=(400.0, 3_600.0)),
        calls=CallSpec(answer_lost_ratio=0.1),
        online_s=300.0,
        offline_s=120.0,
        hasty_ratio=0.3,
    ),
    tills=TillSpec(outages=(Outage(1_200.0, 2_400.0),), calls=CallSpec(1, answer_lost_ratio=0.2)),
    rogues=RogueSpec(1, 1, 1, 60.0),
    campaigns=(CampaignSpec("at the door", 3, budget=5), CampaignSpec("inside", 3, at="store")),
)
RIGHT_CLOCKS = replace(
    FAULTY, delivery=replace(FAULTY.delivery, clock=ClockSpec(wrong_ratio=0.0), offline_s=0.0), rogues=RogueSpec()
)


def written(run: Run) -> dict[str, list[bytes]]:
    return {name: b"".join(lines).splitlines() for name, lines in run_files(run).items()}


@pytest.fixture(scope="module")
def by_flow() -> Run:
    return run_scenario(FAULTY)


def test_a_run_over_http_says_what_the_flow_says_to_the_last_byte(by_flow: Run) -> None:
    over_http = run_scenario(FAULTY, serve=serve_own)
    flow, http = written(by_flow), written(over_http)
    assert flow.keys() == http.keys()
    for name in flow:
        assert http[name] == flow[name], name
    for one, other in zip(by_flow.days, over_http.days, strict=True):
        assert (one.given, one.withheld, one.n_repeats, one.n_changed) == (
            other.given,
            other.withheld,
            other.n_repeats,
            other.n_changed,
        )


def test_that_run_has_all_that_can_go_wrong(by_flow: Run) -> None:
    (day,) = by_flow.days
    scans = day.scans
    assert day.n_repeats > 50
    assert day.n_changed == 0
    assert scans["is_late"].sum() > 5
    assert (scans["reason"] == 4).sum() > 20
    assert (scans["kind"] == ROGUE).sum() > 100
    assert day.given[0] == 5
    assert day.withheld["budget_spent"] > 0
    assert (day.redemptions["attempts"] > 1).any()
    assert (day.redemptions["result"] == RESULTS.index("redeemed")).any()
    assert len(day.events) > 100


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Living, DemoKeys]]:
    """A server with its own clock, as ``atrium serve --clock events`` has it, on a prepared data folder."""
    folder = tmp_path_factory.mktemp("prepared") / "home"
    home = open_home(folder)
    mall = open_mall(RIGHT_CLOCKS, 0)
    keys = prepare(home, mall)
    home.database.close()
    with serve(folder, mall.world, EventClock(EPOCH), mall.world.mall.venue.id) as living:
        yield living, keys


def test_a_server_that_runs_elsewhere_says_the_same_where_clocks_are_right(prepared: tuple[Living, DemoKeys]) -> None:
    """Its clock is the newest scan's, and it sweeps when it likes: a visit that runs out is told at another instant."""
    living, keys = prepared
    flow, http = (written(run_scenario(RIGHT_CLOCKS, serve=how)) for how in (None, serve_at(living.url, keys)))
    for name in flow:
        if name != "events.ndjson":
            assert http[name] == flow[name], name
    assert len(flow["redemptions.ndjson"]) > 0


def test_a_server_that_has_played_is_refused(prepared: tuple[Living, DemoKeys]) -> None:
    """It would take the scans for repeats, and answer what it answered before."""
    living, keys = prepared
    with pytest.raises(VenueFileError, match="has visits or cards already"):
        run_scenario(RIGHT_CLOCKS, serve=serve_at(living.url, keys))


def test_a_server_with_another_mall_is_refused(prepared: tuple[Living, DemoKeys]) -> None:
    living, keys = prepared
    with pytest.raises(VenueFileError, match="scenario an-hour-of-faults builds it from seed 8"):
        run_scenario(replace(RIGHT_CLOCKS, seed=8), serve=serve_at(living.url, keys))


def test_a_campaign_comes_out_of_the_api_as_it_went_in(prepared: tuple[Living, DemoKeys]) -> None:
    living, _ = prepared
    (campaign,) = open_mall(replace(RIGHT_CLOCKS, campaigns=FAULTY.campaigns[:1]), 0).campaigns
    with Client(living.url, living.keys[Role.MARKETER]) as desk:
        held = desk.campaign(desk.create_campaign(draft_of(campaign))["id"])
    found = CampaignIn.model_validate({name: dict(held)[name] for name in CampaignIn.model_fields})
    assert found.to_campaign(campaign.id) == replace(campaign, status=CampaignStatus.DRAFT)
