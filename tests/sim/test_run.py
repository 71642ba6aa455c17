"""Every scenario, short: a small mall, two hours, a few phones; and what must hold in each."""

import json
from collections import Counter
from dataclasses import replace
from functools import cache
from html import escape

import numpy as np
import pytest

from sim.figures import figures
from sim.layout import MallSpec
from sim.lines import run_files
from sim.outcome import EVENTS, PLACES, RESULTS, ROGUE, join
from sim.report import report_html
from sim.run import Run, run_scenario
from sim.scenario import Scenario, ScenarioError, parse_scenario, shipped_scenarios
from sim.tills import Outage

SHORT_MALL = MallSpec(n_levels=2, width_m=78, depth_m=52, closes_hour=12)
SHIPPED = shipped_scenarios()


def shortened(name: str) -> Scenario:
    """A shipped scenario cut down: everything else of it is kept."""
    scenario = parse_scenario(SHIPPED[name])
    return replace(
        scenario,
        mall=SHORT_MALL,
        days=min(scenario.days, 3 if scenario.changes else 2),
        malls=min(scenario.malls, 2),
        survey=replace(scenario.survey, scans_per_store=12),
        crowd=replace(scenario.crowd, phones_per_day=12, visits_per_day=None),
        mix=replace(scenario.mix, maker=0.7, android_foreground=0.1, android_background=0.1, iphone=0.1),
        rogues=replace(scenario.rogues, period_s=60.0),
        tills=replace(
            scenario.tills, outages=(Outage(1_800.0, 5_400.0),) if scenario.tills.outages else (), offline_s=60.0
        ),
    )


@cache
def short_run(name: str) -> Run:
    return run_scenario(shortened(name))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_scenario_runs_and_its_files_and_report_say_what_happened(name: str) -> None:
    run = short_run(name)
    found = json.loads(json.dumps(figures(run), allow_nan=False))
    assert len(run.days) == run.scenario.days * run.scenario.malls
    assert found["scans"] > 100
    assert found["positions"]["maker"]["front"] > 0.3
    html = report_html(run, found)
    assert escape(run.scenario.title, quote=True) in html.replace("&#39;", "&#x27;")
    assert html.count("<svg") >= 3
    for lines in run_files(run).values():
        for line in lines:
            assert isinstance(json.loads(line), dict)


def test_the_same_seed_makes_the_same_run_on_any_number_of_workers() -> None:
    scenario = replace(shortened("peak-day"), crowd=replace(shortened("peak-day").crowd, phones_per_day=5))
    runs = [run_scenario(scenario, workers=workers) for workers in (1, 2)]
    one, two = ({name: b"".join(lines) for name, lines in run_files(run).items()} for run in runs)
    assert one == two
    assert figures(runs[0]) == figures(runs[1])
    assert len(one["scans.ndjson"]) > 10_000


def test_another_seed_makes_another_run() -> None:
    scenario = replace(shortened("ordinary-day"), seed=8)
    other = run_scenario(replace(scenario, crowd=replace(scenario.crowd, phones_per_day=4)))
    assert (
        join(other.days, "scans")["x_m"][:50].tolist()
        != join(short_run("ordinary-day").days, "scans")["x_m"][:50].tolist()
    )


def test_a_scan_is_answered_once_however_often_it_comes() -> None:
    for name in SHIPPED:
        scans = join(short_run(name).days, "scans")
        ids = list(zip(*(scans[c].tolist() for c in ("mall", "day", "phone", "number")), strict=True))
        assert len(ids) == len(set(ids))
    assert sum(day.n_repeats for name in SHIPPED for day in short_run(name).days) > 0


def test_nothing_reaches_the_server_before_it_happened() -> None:
    scans = join(short_run("ordinary-day").days, "scans")
    assert (scans["sent_s"] >= scans["at_s"] - 1e-3).all()


def test_a_budget_is_never_over_issued_and_a_person_is_given_a_campaign_once() -> None:
    scenario = shortened("grand-opening")
    (campaign,) = scenario.campaigns
    run = run_scenario(replace(scenario, campaigns=(replace(campaign, budget=3),)))
    (day,) = run.days
    assert day.given == (3,)
    assert day.withheld["budget_spent"] > 0
    cards = day.cards
    assert len(cards) == 3
    assert len(set(cards["phone"].tolist())) == 3


def test_tills_that_were_offline_tell_afterwards_and_nothing_twice() -> None:
    scenario = shortened("till-outage")
    scenario = replace(scenario, crowd=replace(scenario.crowd, phones_per_day=40), mix=replace(
        scenario.mix, maker=1.0, android_foreground=0.0, android_background=0.0, iphone=0.0))  # fmt: skip
    acts = join(run_scenario(scenario).days, "redemptions")
    during = acts[(acts["at_s"] >= 1_800.0) & (acts["at_s"] < 5_400.0)]
    assert len(during) > 0
    assert (during["sent_s"] >= 5_400.0).all()
    assert set(acts["result"].tolist()) <= {RESULTS.index("redeemed"), RESULTS.index("expired")}
    assert (acts["result"] == RESULTS.index("redeemed")).any()


def test_coupons_are_given_in_at_the_instant_and_till_of_a_payment() -> None:
    for name in ("ordinary-day", "grand-opening"):
        for day in short_run(name).days:
            paid = {(float(row["at_s"]), int(row["store"])): int(row["coupons"]) for row in day.payments}
            used = Counter((float(row["at_s"]), int(row["store"])) for row in day.redemptions)
            assert used == Counter({act: n for act, n in paid.items() if n})
            assert (day.payments["sent_s"] >= day.payments["at_s"]).all()
    assert sum(len(day.redemptions) for day in short_run("grand-opening").days) > 0


def test_an_outage_of_a_store_that_is_not_there_is_refused() -> None:
    scenario = shortened("till-outage")
    scenario = replace(scenario, tills=replace(scenario.tills, outages=(Outage(0.0, 9.0), Outage(0.0, 9.0, (2, 900)))))
    with pytest.raises(ScenarioError, match=r"tills\.outages\[1\]\.stores: the mall has stores 0 to"):
        run_scenario(scenario)


def test_what_the_system_told_is_written_and_fits_its_visits() -> None:
    (day,) = short_run("ordinary-day").days
    visits, events = day.said_visits, day.events
    at_stores = events[events["place"] == PLACES.index("store")]
    entered = at_stores[at_stores["type"] == EVENTS.index("visit.entered")]
    exited = at_stores[at_stores["type"] == EVENTS.index("visit.exited")]
    revised = at_stores[at_stores["type"] == EVENTS.index("visit.revised")]
    assert Counter(entered["phone"].tolist()) == Counter(visits["phone"].tolist())
    assert len(exited) == len(entered) + len(revised)  # each that closed and went on has closed again


def test_a_long_days_evening_visits_are_counted_too() -> None:
    scenario = shortened("ordinary-day")
    scenario = replace(
        scenario,
        mall=replace(scenario.mall, opens_hour=4, closes_hour=22),
        crowd=replace(scenario.crowd, phones_per_day=40),
        mix=replace(scenario.mix, maker=1.0, android_foreground=0.0, android_background=0.0, iphone=0.0),
    )
    (day,) = run_scenario(scenario).days
    late_s = 12 * 3_600.0
    entered = day.events[(day.events["type"] == EVENTS.index("visit.entered")) & (day.events["store"] >= 0)]
    assert (entered["said_s"] > late_s).sum() > 3
    assert len(day.said_visits) == len(entered)
    assert (day.said_visits["from_s"] > late_s).sum() > 3


def test_nobody_acts_on_a_card_before_the_phone_has_heard_of_it() -> None:
    scenario = shortened("ordinary-day")
    calls = replace(scenario.delivery.calls, answer_lost_ratio=0.5, lost_shows_s=(30.0, 300.0))
    scenario = replace(
        scenario,
        campaigns=scenario.campaigns[:1],
        crowd=replace(scenario.crowd, phones_per_day=40),
        mix=replace(scenario.mix, maker=1.0, android_foreground=0.0, android_background=0.0, iphone=0.0),
        delivery=replace(scenario.delivery, calls=calls, online_s=300.0, offline_s=300.0),
    )
    (day,) = run_scenario(scenario).days
    sent_s = {(int(row["phone"]), float(row["at_s"])): float(row["sent_s"]) for row in day.scans}
    came_s = {int(card["phone"]): sent_s[int(card["phone"]), float(card["at_s"])] for card in day.cards}
    assert day.n_repeats > 50
    assert len(day.redemptions) > 3
    for act in day.redemptions:
        assert act["at_s"] > came_s[int(act["phone"])]


def test_what_liars_get_is_told_apart_and_invented_radio_gets_no_position() -> None:
    run = short_run("rogue-phones")
    found = figures(run)
    lies = join(run.days, "scans")
    lies = lies[lies["kind"] == ROGUE]
    spec = run.scenario.rogues
    rogue = lies["phone"] - run.days[0].n_people
    invented = (rogue >= spec.replays) & (rogue < spec.replays + spec.invents)
    assert (lies["level"] == -1).all()
    assert (lies["reason"][invented] != 0).all()
    assert (lies["reason"][~invented] == 0).mean() > 0.9
    assert found["rogues"]["scans"] == len(lies)
    assert found["scans"] == len(join(run.days, "scans")) - len(lies)


def test_replaced_radios_cost_accuracy_from_their_day_on() -> None:
    days = figures(short_run("access-points-replaced"))["by_day"]
    assert len(days) == 3
    assert days[2]["error_m"][0] > 1.3 * np.mean([days[0]["error_m"][0], days[1]["error_m"][0]])
