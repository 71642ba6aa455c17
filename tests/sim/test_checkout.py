"""Tills in a run: whoever pays and redeems does both at once, where they truly are; each act is told once, in order."""

from dataclasses import replace

import numpy as np
import pytest

from sim.checkout import Checkout, open_checkout
from sim.history import History
from sim.records import DayRecords
from sim.sending import CallSpec
from sim.shoppers import Shopper, plan_day
from sim.tills import Outage, TillSpec
from sim.world import World

DAY, N_PHONES, SEED = 3, 40, 7
QUIET = TillSpec(online_s=1e9, calls=CallSpec(1, answer_lost_ratio=0.0))


@pytest.fixture(scope="module")
def people(small_world: World) -> History:
    return small_world.history(visits_a_day=200.0)


@pytest.fixture(scope="module")
def records(people: History) -> DayRecords:
    return people.day(DAY)


@pytest.fixture(scope="module")
def shoppers(small_world: World, people: History, records: DayRecords) -> list[Shopper]:
    return plan_day(people.people, records, small_world.graph, N_PHONES, spec=small_world.radio.spec)


@pytest.fixture
def opened(small_world: World, people: History, records: DayRecords, shoppers: list[Shopper]) -> Checkout:
    return make(small_world, people, records, shoppers, QUIET)


def make(world: World, people: History, records: DayRecords, shoppers: list[Shopper], spec: TillSpec) -> Checkout:
    n_stores = len(world.mall.venue.stores)
    return open_checkout(people, records, shoppers, spec, seed=SEED, n_stores=n_stores, run="test")


def group_of(shoppers: list[Shopper], one: Shopper) -> list[Shopper]:
    return [other for other in shoppers if other.household == one.household]


def first_to_pay(opened: Checkout, shoppers: list[Shopper]) -> tuple[int, Shopper]:
    """The row of a followed group's payment that is some way into its visit, and the group's first."""
    for row in np.argsort(opened.purchases["at_s"]).tolist():
        household, at_s = int(opened.purchases["household"][row]), float(opened.purchases["at_s"][row])
        mine = [one for one in shoppers if one.household == household]
        if mine and at_s > 60.0 + min(one.arrives_s for one in mine):
            return row, min(mine, key=lambda one: one.lag_s)
    raise AssertionError("nobody followed pays")


def empty_store(opened: Checkout, front: Shopper) -> int:
    """A store that a group does not mean to go to."""
    return next(i for i in range(opened.n_stores) if all(stop.store_index != i for stop in front.stops))


def test_payments_are_the_records_to_the_millisecond(opened: Checkout, records: DayRecords) -> None:
    assert len(opened.purchases) == len(records.payments) > 50
    assert np.allclose(opened.purchases["at_s"], records.payments["at_s"], atol=5.1e-4, rtol=0.0)
    assert opened.purchases["amount_minor"].tolist() == records.payments["amount_minor"].tolist()
    assert opened.purchases["is_planned"].all()


def test_a_coupon_is_given_in_with_the_payment_that_its_group_had_in_mind(
    opened: Checkout, shoppers: list[Shopper]
) -> None:
    row, front = first_to_pay(opened, shoppers)
    at_s, store, n = float(opened.purchases["at_s"][row]), int(opened.purchases["store"][row]), len(opened.purchases)
    opened.hold(front.index, group_of(shoppers, front), "code", store, at_s - 30.0, 10.0)
    assert len(opened.purchases) == n
    assert opened.purchases["coupons"][row] == 1
    (act,) = opened.due(np.inf)
    assert (act.at_s, act.sent_s) == (at_s, at_s)
    sent_s, attempts = opened.payments_sent()
    assert attempts[row] == 1
    assert 0.0 < sent_s[row] - at_s < 1.0  # right behind the coupon, whose answer the till waits for


def test_who_comes_for_a_coupon_alone_buys_and_pays_in_the_store(
    small_world: World, opened: Checkout, shoppers: list[Shopper]
) -> None:
    _, front = first_to_pay(opened, shoppers)
    store, now_s = empty_store(opened, front), front.arrives_s + 30.0
    turned = front.with_detour(small_world.graph, store, now_s, np.random.default_rng(1))
    group = [one.following(turned) for one in group_of(shoppers, front)]
    opened.turned(group, now_s)
    opened.hold(front.index, group, "code", store, now_s, 60.0)
    (act,) = opened.due(np.inf)
    new = opened.purchases[-1]
    stop = next(stop for stop in turned.stops if stop.store_index == store)
    assert not new["is_planned"]
    assert new["amount_minor"] > 0
    assert act.at_s == new["at_s"] == pytest.approx(stop.arrives_s + 60.0, abs=1e-3)
    assert turned.place_at(act.at_s, small_world.graph).store_index == store  # type: ignore[union-attr]  # there


def test_a_group_that_turns_off_pays_the_rest_when_it_is_there_and_nothing_again(
    small_world: World, opened: Checkout, shoppers: list[Shopper]
) -> None:
    row, front = first_to_pay(opened, shoppers)
    before = opened.purchases["at_s"].copy()
    now_s = float(before[row]) - 20.0
    turned = front.with_detour(small_world.graph, empty_store(opened, front), now_s, np.random.default_rng(1))
    opened.turned([one.following(turned) for one in group_of(shoppers, front)], now_s)
    moved = opened.purchases["at_s"] != before
    assert set(opened.purchases["household"][moved].tolist()) == {front.household}
    assert (opened.purchases["at_s"][moved] >= now_s).all()
    for purchase in opened.purchases[opened.purchases["household"] == front.household]:
        place = turned.place_at(float(purchase["at_s"]) - 1e-3, small_world.graph)
        assert place is not None
        assert place.store_index == purchase["store"]
    after = opened.purchases["at_s"].copy()
    opened.turned(group_of(shoppers, front), float(after.max()) + 1.0)
    assert opened.purchases["at_s"].tolist() == after.tolist()


@pytest.mark.parametrize("step_s", [10.0, 30.0, 600.0])
def test_tills_asked_tick_by_tick_send_what_they_send_when_asked_at_once(
    small_world: World, people: History, records: DayRecords, shoppers: list[Shopper], step_s: float
) -> None:
    spec = TillSpec(1_200.0, 300.0, (Outage(900.0, 1_500.0),), CallSpec(1, answer_lost_ratio=0.4))
    whole, stepped = (make(small_world, people, records, shoppers, spec) for _ in range(2))
    for one in (whole, stepped):
        rows = [i for i in range(len(one.purchases)) if int(one.purchases["household"][i]) in one._rows]
        for row in rows:
            group = [s for s in shoppers if s.household == one.purchases["household"][row]]
            store, at_s = int(one.purchases["store"][row]), float(one.purchases["at_s"][row])
            one.hold(group[0].index, group, f"code-{row}", store, at_s, 10.0)
    asked = [act for tick in range(int(6_000 / step_s)) for act in stepped.due((tick + 1) * step_s)]
    asked += stepped.due(np.inf)
    assert asked == whole.due(np.inf)
    assert len({act.act for act in asked}) == len(stepped.coupons) > 20
    assert len(asked) > 1.2 * len(stepped.coupons)
    assert len({act.key for act in asked}) == len(stepped.coupons)
    assert not stepped.due(np.inf)


def test_a_coupon_for_a_store_that_its_group_will_not_see_is_not_used(
    opened: Checkout, shoppers: list[Shopper]
) -> None:
    front = shoppers[0]
    opened.hold(0, group_of(shoppers, front), "code", empty_store(opened, front), front.arrives_s, 60.0)
    assert opened.due(np.inf) == []
    assert len(opened.coupons) == 0


def test_payments_wait_for_the_end_of_an_outage(
    small_world: World, people: History, records: DayRecords, shoppers: list[Shopper]
) -> None:
    spec = replace(QUIET, outages=(Outage(600.0, 1_800.0),))
    opened = make(small_world, people, records, shoppers, spec)
    at_s, (sent_s, attempts) = opened.purchases["at_s"], opened.payments_sent()
    during = (at_s >= 600.0) & (at_s < 1_800.0)
    assert during.sum() > 5
    assert (sent_s[during] >= 1_800.0).all()
    assert (sent_s >= at_s).all()
    assert (attempts == 1).all()
