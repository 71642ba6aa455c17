"""Who works at a mall is told by hours and days at one store; no shopper is."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from kernel.ids import PersonRef, StoreId, VenueId
from scenes.errors import RulesError
from scenes.service_day import ServiceDays
from scenes.staff import Staff, StaffRule, StoreStay, find_staff
from sim.layout import MallSpec
from sim.mall import make_mall
from sim.walking import make_walking_graph
from sim.world import make_history

VENUE, RULE = VenueId("v"), StaffRule()
OPENS_AT = datetime(2026, 4, 18, 5, tzinfo=UTC)
N_DAYS = 14
NOW = OPENS_AT + timedelta(days=N_DAYS)


def stay(day: int, hours: float, *, person: str = "p", store: str = "a", at_h: float = 0.0) -> StoreStay:
    at = OPENS_AT + timedelta(days=day, hours=at_h)
    return StoreStay(PersonRef(person), VENUE, StoreId(store), at, at + timedelta(hours=hours))


def found(stays: list[StoreStay], known: Staff | None = None, now: datetime = NOW) -> Staff:
    return find_staff(stays, known or {}, now, ServiceDays({}), RULE)


def test_three_long_days_at_one_store_are_staff_and_two_are_not() -> None:
    assert found([stay(1, 4), stay(8, 5)]) == {}
    (until,) = found([stay(1, 4), stay(8, 5), stay(12, 6)]).values()
    last_day_began = datetime(2026, 4, 30, 4, tzinfo=UTC)
    assert until == last_day_began + RULE.window


def test_the_stays_of_a_day_count_together_those_of_other_stores_do_not() -> None:
    shifts = [stay(day, 2, at_h=at_h) for day in range(3) for at_h in (0.0, 3.0)]
    assert len(found(shifts)) == 1
    assert found([stay(day, 2, at_h=at_h, store=f"{at_h}") for day in range(3) for at_h in (0.0, 3.0)]) == {}
    assert found([stay(day, 4, store=f"s{day}") for day in range(3)]) == {}


def test_days_before_the_window_do_not_count() -> None:
    assert found([stay(-1, 8), stay(3, 8), stay(4, 8)]) == {}


def test_who_is_known_stays_so_by_one_long_day_and_until_the_end_without_any() -> None:
    known = {(PersonRef("p"), VENUE): NOW + timedelta(days=2)}
    assert found([], known) == known
    assert found([], known, NOW + timedelta(days=2)) == {}
    (until,) = found([stay(13, 4)], known).values()
    assert until > NOW + timedelta(days=12)
    assert found([stay(13, 3.9)], known) == known


@pytest.mark.parametrize("wrong", [{"long_day": timedelta(0)}, {"days": 0}, {"days": 15}])
def test_rules_that_could_never_hold_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(RulesError):
        StaffRule(**wrong)  # type: ignore[arg-type]


def test_of_a_simulated_mall_staff_are_recognised_and_no_shopper_is() -> None:
    """Staff added by hand: full shifts with a break and a phone that is unheard for a tenth of the time; four days in
    seven. Fewer than three long days in the two weeks have a chance below 1e-6."""
    mall = make_mall(MallSpec(n_levels=2, width_m=78, depth_m=52), np.random.default_rng([1, 0]))
    history = make_history(1, mall, make_walking_graph(mall.venue, mall.entrances_xy_m), 300.0)
    stays: list[StoreStay] = []
    for number, day in enumerate(history.days(0, N_DAYS)):
        opens_at = OPENS_AT + timedelta(days=number)
        for row in day.store_visits:
            span = (opens_at + timedelta(seconds=float(row[name])) for name in ("enters_s", "leaves_s"))
            stays.append(StoreStay(PersonRef(f"shopper-{row['person']}"), VENUE, StoreId(f"{row['store']}"), *span))
    shoppers = {one.person for one in stays}
    rng = np.random.default_rng(5)
    n_staff, n_stores = 40, len(mall.venue.stores)
    for worker in range(n_staff):
        store = StoreId(f"{rng.integers(n_stores)}")
        for number in np.flatnonzero(np.arange(N_DAYS) % 7 < 4).tolist():
            at = OPENS_AT + timedelta(days=number, hours=float(rng.uniform(0.0, 4.0)))
            for _ in range(16):  # half hours
                if rng.random() < 0.9:
                    stays.append(StoreStay(PersonRef(f"staff-{worker}"), VENUE, store, at, at + timedelta(minutes=30)))
                at += timedelta(minutes=32)
    told = {person for person, _ in found(stays)}
    assert told == {f"staff-{worker}" for worker in range(n_staff)}
    assert len(shoppers) > 1_000
