"""Scenario files: what ships can be read, what is misspelt is refused by name."""

import pytest

from sim.imported_spec import ImportedSpec
from sim.layout import MallSpec
from sim.presets import TABLE_MALL, XIXI
from sim.run import make_mall_world
from sim.scenario import ScenarioError, parse_scenario, shipped_scenarios
from tests.sim.odd_maps import odd_venue

SHIPPED = shipped_scenarios()


def test_the_scenarios_that_the_documentation_names_ship() -> None:
    assert set(SHIPPED) >= {
        "ordinary-day",
        "grand-opening",
        "access-points-replaced",
        "rogue-phones",
        "till-outage",
        "peak-day",
        "hard-mall",
        "anchors-and-parking",
        "chaoyang",
        "guorui",
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_scenario_is_called_as_its_file_and_says_what_it_is(name: str) -> None:
    scenario = parse_scenario(SHIPPED[name])
    assert scenario.name == name
    assert scenario.title
    assert scenario.about


def test_the_peak_day_is_as_great_as_the_chains() -> None:
    scenario = parse_scenario(SHIPPED["peak-day"])
    assert scenario.malls == 13
    assert scenario.malls * (scenario.crowd.visits_per_day or 0) == pytest.approx(1_550_000, rel=1e-4)


def test_a_preset_gives_way_to_what_the_scenario_names_itself() -> None:
    scenario = parse_scenario('name = "x"\n[mall]\npreset = "table"\nn_levels = 2\n[radio]\npreset = "xixi"\n')
    assert scenario.mall.n_levels == 2
    assert scenario.mall.width_m == TABLE_MALL.width_m
    assert scenario.radio == XIXI


def test_what_is_not_named_keeps_its_default() -> None:
    assert parse_scenario('name = "x"').mall == MallSpec()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("=", "not TOML"),
        ("name = 1", "name"),
        ('name = "x"\nsede = 2', "sede"),
        ('name = "x"\n[mall]\nn_level = 3', "mall.n_level"),
        ('name = "x"\n[mall]\nn_levels = "3"', "mall.n_levels"),
        ('name = "x"\n[mall]\nn_levels = 0', "a mall needs a level"),
        ('name = "x"\n[mall]\npreset = "huge"', "mall.preset"),
        ('name = "x"\ndays = 0', "days"),
        ('name = "x"\n[crowd]\nphones_per_day = 0', "phones_per_day"),
        ('name = "x"\n[mix]\nmaker = 0.9', "shares"),
        ('name = "x"\n[[campaigns]]\nname = "a"', "campaigns[0]"),
        ('name = "x"\n[[campaigns]]\nname = "a"\nstore = 1\nshop = 2', "campaigns[0].shop"),
        ('name = "../x"', "name of small letters"),
        ('name = "x"\nfirst_day = 2020-01-01', "first_day"),
        ('name = "x"\ndays = 100000', "days"),
        ('name = "x"\n[ageing]\nrenamed = 7.0', "shares of radios"),
        ('name = "x"\n[radio]\nbody_db = nan', "radio.body_db"),
        ('name = "x"\n[survey]\nphones = -1', "survey.phones"),
        ('name = "x"\n[crowd]\nphones_per_day = 30\nvisits_per_day = 10', "visits_per_day"),
        ('name = "x"\n[rogues]\nreplays = -3', "rogues"),
        ('name = "x"\n[[changes]]\nbefore_day = 1', "before_day"),
        ('name = "x"\n[mall]\nopens_hour = 22\ncloses_hour = 10', "opens_hour"),
        ('name = "x"\n[[campaigns]]\nname = "a"\nstore = 1\nbudget = -5', "budget"),
        ('name = "x"\n[[tills.outages]]\nfrom_s = 5\nuntil_s = 1', "outage"),
    ],
)
def test_a_scenario_that_cannot_be_run_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(ScenarioError, match=named.replace("[", r"\[").replace("]", r"\]")):
        parse_scenario(text)


def test_a_scenario_on_an_imported_venue_has_its_hours_and_no_shape() -> None:
    scenario = parse_scenario('name = "x"\n[mall]\nimported = "xixi"\ncloses_hour = 20\n')
    assert (scenario.imported, scenario.mall.closes_hour) == ("xixi", 20)
    assert parse_scenario('name = "x"').imported is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[mall]\nimported = "xixi"\nn_levels = 2', "mall.n_levels"),
        ('[mall]\nimported = "xixi"\npreset = "table"', "mall.preset"),
        ("[mall]\nimported = 3", "imported"),
        ('imported = "xixi"', "mall.imported"),
        ('malls = 2\n[mall]\nimported = "xixi"', "malls = 1"),
    ],
)
def test_an_imported_venue_with_a_shape_or_a_chain_is_refused(text: str, named: str) -> None:
    with pytest.raises(ScenarioError, match=named):
        parse_scenario(f'name = "x"\n{text}\n')


def test_a_scenario_runs_on_the_map_that_it_names_or_not_at_all() -> None:
    scenario = parse_scenario('name = "x"\n[mall]\nimported = "odd"\n')
    with pytest.raises(ScenarioError, match="map of venue odd"):
        make_mall_world(scenario, 0)
    with pytest.raises(ScenarioError, match="found odd"):
        make_mall_world(parse_scenario('name = "x"'), 0, odd_venue())
    world = make_mall_world(scenario, 0, odd_venue())
    assert isinstance(world.mall.spec, ImportedSpec)
    assert world.mall.venue.id == "mall-0"
