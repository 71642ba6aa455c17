"""A day's records: nobody in two places, nobody through the air, nobody pays from outside."""

from dataclasses import replace

import numpy as np
import pytest

from sim.brands import CATEGORIES
from sim.cards import CardPlan
from sim.dates import EARLIEST_DAY
from sim.history import History, play_days
from sim.plans import draw_wishes, make_groups
from sim.records import DayRecords
from sim.rhythm import draw_own_visits, gather
from sim.visit_spec import VisitSpec
from sim.walking import CHANGE_OF_LEVEL_M, WALK_MPS
from sim.world import World

CARD = CardPlan(number=1, store_index=20, first_day=2, n_days=9)
TABLES = ("mall_visits", "store_visits", "payments", "exposures")


@pytest.fixture(scope="module")
def days(history: History) -> list[DayRecords]:
    """Working days and days off, and a holiday of the busiest kind."""
    return [*history.days(0, 7), history.day(13)]


def test_nobody_is_in_the_mall_while_it_is_closed(history: History, days: list[DayRecords]) -> None:
    for records in days:
        visits = records.mall_visits
        assert visits["arrives_s"].min() >= 0.0
        assert visits["leaves_s"].max() <= history.stores.open_s + 1e-6
        assert (visits["leaves_s"] > visits["arrives_s"]).all()
        assert visits["arrives_s"].max() > history.stores.open_s - 4_000.0


def test_a_day_has_one_visit_a_person_and_one_or_more_stores_a_visit(days: list[DayRecords]) -> None:
    for records in days:
        person = records.mall_visits["person"]
        assert len(np.unique(person)) == len(person)
        stays = records.store_visits
        assert np.array_equal(np.unique(stays["visit"]), np.arange(len(person)))
        assert np.array_equal(stays["person"], person[stays["visit"]])


def test_stays_of_a_person_lie_in_the_visit_and_do_not_overlap(days: list[DayRecords]) -> None:
    for records in days:
        stays, visits = records.store_visits, records.mall_visits
        assert (stays["enters_s"] > visits["arrives_s"][stays["visit"]]).all()
        assert (stays["leaves_s"] < visits["leaves_s"][stays["visit"]]).all()
        assert (stays["leaves_s"] > stays["enters_s"]).all()
        same = np.diff(stays["visit"]) == 0
        assert same.sum() > 2_000
        assert (stays["enters_s"][1:][same] > stays["leaves_s"][:-1][same]).all()
        assert (stays["waits_s"] < stays["leaves_s"] - stays["enters_s"]).all()


def test_nobody_is_faster_than_the_straight_way_and_the_changes_of_level(world: World, days: list[DayRecords]) -> None:
    level, xy_m = world.graph.place_of(world.graph.destinations)
    straight_m = np.linalg.norm(xy_m[:, None] - xy_m[None], axis=2)
    changes = np.abs(level[:, None] - level[None])
    # the grid's steps in eight directions lengthen no straight way; a change of level may carry over the floor below
    least_s = np.where(changes == 0, straight_m, changes * CHANGE_OF_LEVEL_M) / WALK_MPS
    for records in days:
        stays = records.store_visits
        same = np.diff(stays["visit"]) == 0
        walk_s = (stays["enters_s"][1:] - stays["leaves_s"][:-1])[same]
        assert (walk_s >= least_s[stays["store"][:-1][same], stays["store"][1:][same]] - 1e-6).all()
        first = np.flatnonzero(np.diff(stays["visit"], prepend=-1))
        visits = records.mall_visits
        in_s = stays["enters_s"][first] - visits["arrives_s"]
        assert (in_s >= least_s[visits["entrance"], stays["store"][first]] - 1e-6).all()
        last = np.append(first[1:], len(stays)) - 1
        out_s = visits["leaves_s"] - stays["leaves_s"][last]
        assert (out_s >= least_s[stays["store"][last], visits["leaves_by"]] - 1e-6).all()
        assert np.median(walk_s / least_s[stays["store"][:-1][same], stays["store"][1:][same]]) < 3.0


def test_a_group_is_a_household_whose_members_go_everywhere_together(days: list[DayRecords]) -> None:
    for records in days[:3]:
        visits, stays = records.mall_visits, records.store_visits
        first = np.searchsorted(visits["group"], visits["group"])
        assert np.array_equal(visits["household"], visits["household"][first])
        assert len(np.unique(visits["household"])) == visits["group"].max() + 1
        assert (visits["lag_s"][first] == 0).all()
        start = np.searchsorted(stays["visit"], np.arange(len(visits) + 1))
        for row in np.flatnonzero(first < np.arange(len(visits))).tolist():
            own, led = (stays[start[i] : start[i + 1]] for i in (row, int(first[row])))
            assert own["store"].tolist() == led["store"].tolist()
            behind_s = 1.5 * (row - first[row])
            assert np.allclose(own["enters_s"] - led["enters_s"], behind_s)
            assert np.allclose(own["leaves_s"] - led["leaves_s"], behind_s)


def test_who_pays_is_in_the_store_at_that_instant(days: list[DayRecords]) -> None:
    for records in days:
        payments, stays = records.payments, records.store_visits
        key = stays["visit"].astype(np.int64) * 1_000 + stays["store"]
        at = np.searchsorted(np.sort(key), payments["visit"].astype(np.int64) * 1_000 + payments["store"])
        stay = stays[np.argsort(key)[at]]
        assert np.array_equal(stay["visit"], payments["visit"])
        assert np.array_equal(stay["store"], payments["store"])
        assert np.array_equal(stay["person"], payments["person"])
        assert (payments["at_s"] >= stay["enters_s"]).all()
        assert (payments["at_s"] <= stay["leaves_s"]).all()
        assert (payments["amount_minor"] > 0).all()


def test_the_oldest_pays_once_a_store_and_under_their_membership(history: History, days: list[DayRecords]) -> None:
    age_y = history.people.age_y
    for records in days[:3]:
        payments, visits = records.payments, records.mall_visits
        group = visits["group"][payments["visit"]].astype(np.int64)
        assert len(np.unique(group * 1_000 + payments["store"])) == len(payments)
        oldest = np.full(visits["group"].max() + 1, -1)
        np.maximum.at(oldest, visits["group"], age_y[visits["person"]])
        assert np.array_equal(age_y[payments["person"]], oldest[group])
        assert np.array_equal(payments["member"], history.people.member[payments["person"]])


def test_shares_and_amounts_of_payments_are_those_told(history: History, days: list[DayRecords]) -> None:
    """By category: the share of groups' stays that end in a payment, and the median basket of a mean person."""
    spec, stores = history.visit_spec, history.stores
    stays, pays, baskets = np.zeros(len(CATEGORIES)), np.zeros(len(CATEGORIES)), []
    for records in days:
        leads = records.mall_visits["lag_s"][records.store_visits["visit"]] == 0
        stays += np.bincount(stores.category[records.store_visits["store"][leads]], minlength=len(CATEGORIES))
        category = stores.category[records.payments["store"]]
        pays += np.bincount(category, minlength=len(CATEGORIES))
        of_fashion = records.payments[category == CATEGORIES.index("fashion")]
        baskets.append(of_fashion["amount_minor"] / history.people.spend[of_fashion["person"]])
    told = np.array([spec.purchases[name][0] for name in CATEGORIES])
    assert (np.abs(pays - told * stays) < 4 * np.sqrt(told * (1 - told) * stays) + 1e-9).all()
    basket = np.log(np.concatenate(baskets) / 100.0 / spec.purchases["fashion"][1])
    assert basket.mean() == pytest.approx(0.0, abs=4 * 0.6 / np.sqrt(len(basket)))
    assert basket.std() == pytest.approx(spec.basket_sd, rel=0.1)


def test_visits_to_the_favourite_brand_match_loyalty(history: History) -> None:
    """Of single people with one wish each: loyalty, and what chance gives the favourite of the other wishes."""
    once = replace(history, visit_spec=VisitSpec(more_stores=0.0))
    people, stores = once.people, once.stores
    observed = expected = variance = 0.0
    for records in once.days(0, 10):
        visits, stays = records.mall_visits, records.store_visits
        alone = np.bincount(visits["group"])[visits["group"]] == 1
        stays = stays[alone[stays["visit"]]]
        person, store = stays["person"].astype(np.int64), stays["store"]
        favourite = people.favourite_brand(person, stores.category[store])
        here = stores.brand_share[favourite] > 0
        chance = people.loyalty[person] + (1.0 - people.loyalty[person]) * stores.brand_share[favourite]
        observed += (stores.brand[store] == favourite)[here].sum()
        expected += chance[here].sum()
        variance += (chance * (1.0 - chance))[here].sum()
        assert here.mean() > 0.9
    assert expected > 3_000
    assert abs(observed - expected) < 3.0 * np.sqrt(variance)


def test_the_chance_of_a_store_among_the_wishes_is_the_share_of_groups_that_wish_it(history: History) -> None:
    people, stores, spec, calendar = history.people, history.stores, history.visit_spec, history.calendar
    own = draw_own_visits(people, calendar, 13)
    n_stores = stores.n_stores
    observed, expected, variance = (np.zeros(n_stores) for _ in range(3))
    by_decile = np.zeros((2, 10))
    for day in range(12):
        groups = make_groups(people, stores, spec, gather(people, calendar, day, own.on(day)), calendar.is_day_off(day))
        wishes = draw_wishes(people, stores, spec, groups)
        every = np.arange(len(groups))
        for store in range(n_stores):
            chance = wishes.chance_of(every, store)
            wished = np.bincount(wishes.group[wishes.store == store], minlength=len(groups))
            assert wished.max(initial=0) <= 1
            observed[store] += wished.sum()
            expected[store] += chance.sum()
            variance[store] += (chance * (1.0 - chance)).sum()
            decile = np.minimum((chance * 20).astype(int), 9)
            by_decile += [np.bincount(decile, weights=x, minlength=10) for x in (wished, chance)]
    assert (expected > 100).all()
    z = (observed - expected) / np.sqrt(variance)
    assert np.abs(z).max() < 4.0  # of 62 stores
    assert 0.7 < z.std() < 1.3
    enough = by_decile[1] > 50  # and group by group: those likely to go do go
    assert enough.sum() >= 8
    assert (np.abs(by_decile[0] - by_decile[1]) < 4 * np.sqrt(by_decile[1]))[enough].all()


def same(a: DayRecords, b: DayRecords) -> bool:
    return a.day == b.day and all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in TABLES)


def test_days_are_the_same_bytes_alone_in_a_month_and_on_two_workers(small_world: World) -> None:
    history = small_world.history(
        visits_a_day=400.0, cards=(CARD, replace(CARD, number=2, store_index=3, first_day=20))
    )
    month = list(play_days(history, 0, 30))
    assert [records.day for records in month] == list(range(30))
    assert sum(len(records.exposures) for records in month) > 300
    for number in (0, 1, 9, 25, 27, 28, 29):
        assert same(history.day(number), month[number])
    spread = list(play_days(history, 0, 30, workers=2))
    assert len(spread) == 30
    assert all(same(a, b) for a, b in zip(month, spread, strict=True))


def test_a_year_can_be_had_before_the_first_day_and_not_more(small_world: World) -> None:
    history = small_world.history(visits_a_day=400.0)
    assert len(history.day(EARLIEST_DAY).mall_visits) > 100
    with pytest.raises(ValueError, match="from -364 on"):
        history.day(EARLIEST_DAY - 1)


def test_stores_hold_their_category_and_brand_in_shares(history: History, world: World) -> None:
    stores = history.stores
    u = (np.arange(4_000) + 0.5) / 4_000
    for category in np.unique(stores.category).tolist():
        drawn = stores.draw_of_category(np.full(4_000, category), u)
        share = np.bincount(drawn, minlength=stores.n_stores) / 4_000
        assert np.allclose(share, np.where(stores.category == category, stores.share, 0.0), atol=1e-3)
        assert share.sum() == pytest.approx(1.0)
    twice = int(np.argmax(np.bincount(stores.brand)))
    drawn = stores.draw_of_brand(np.full(4_000, twice), u)
    assert set(drawn.tolist()) == set(np.flatnonzero(stores.brand == twice).tolist())
    assert [CATEGORIES[i] for i in stores.category] == [store.category for store in world.mall.venue.stores]
