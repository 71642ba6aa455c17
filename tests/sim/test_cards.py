"""What a card does is what is written with the person: no more, no less, and only to those who may see one."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.cards import LONGEST_LAG_DAYS, CardPlan, together
from sim.chance import F64, I64
from sim.history import History
from sim.people import MARKETING
from sim.records import EXPOSURE
from sim.rhythm import BROUGHT_BACK

CARDS = tuple(CardPlan(number=i, store_index=7 * i + 3, first_day=0, n_days=21) for i in range(5))


@pytest.fixture(scope="module")
def shown(history: History) -> History:
    return replace(history, cards=CARDS)


@pytest.fixture(scope="module")
def exposures(shown: History) -> NDArray[np.void]:
    return np.concatenate([records.exposures for records in shown.days(0, 21)])


def mean_and_error(values: F64, household: I64) -> tuple[float, float]:
    """A mean and its standard error where members of a household go together and come again."""
    _, which = np.unique(household, return_inverse=True)
    off = np.bincount(which, weights=values - values.mean())
    return float(values.mean()), float(np.sqrt((off**2).sum()) / len(values))


def test_the_measured_difference_between_shown_and_held_out_is_the_true_effect(
    history: History, exposures: NDArray[np.void]
) -> None:
    household = history.people.household[exposures["person"]]
    is_shown, goes = exposures["is_shown"], exposures["goes"].astype(np.float64)
    true_effect = float((exposures["chance_with"] - exposures["chance_without"]).mean())
    with_card, error_with = mean_and_error(goes[is_shown], household[is_shown])
    without, error_without = mean_and_error(goes[~is_shown], household[~is_shown])
    error = float(np.hypot(error_with, error_without))
    assert 0.4 < true_effect < 0.7
    assert error < 0.01
    assert abs(with_card - without - true_effect) < 3.0 * error


def test_each_arm_goes_as_often_as_its_true_chance(history: History, exposures: NDArray[np.void]) -> None:
    household = history.people.household[exposures["person"]]
    for arm, chance in ((exposures["is_shown"], "chance_with"), (~exposures["is_shown"], "chance_without")):
        off, error = mean_and_error((exposures["goes"] - exposures[chance])[arm], household[arm])
        assert abs(off) < 3.0 * error
    off, error = mean_and_error(exposures["would_go"] - exposures["chance_without"], household)
    assert abs(off) < 3.0 * error  # what people had in mind does not depend on the card


def test_a_card_sends_nobody_away_and_moves_nobody_who_is_held_out(exposures: NDArray[np.void]) -> None:
    assert exposures["goes"][exposures["would_go"]].all()
    held = exposures[~exposures["is_shown"]]
    assert np.array_equal(held["goes"], held["would_go"])
    assert not np.array_equal(exposures["goes"], exposures["would_go"])


def test_households_are_held_out_as_a_whole_and_as_many_as_told(history: History, exposures: NDArray[np.void]) -> None:
    for card in CARDS:
        own = exposures[exposures["card"] == card.number]
        household = history.people.household[own["person"]]
        held = np.unique(household[~own["is_shown"]])
        assert not np.isin(household[own["is_shown"]], held).any()
        n = len(np.unique(household))
        assert len(held) == pytest.approx(card.held_out * n, abs=4 * np.sqrt(n) / 2)


def test_only_who_takes_cards_sees_one_as_often_as_told(shown: History) -> None:
    people = shown.people
    could = saw = 0
    for records in shown.days(0, 4):
        seen, visits = records.exposures, records.mall_visits
        assert seen.dtype == EXPOSURE
        assert people.takes_cards[seen["person"]].all()
        assert (people.age_y[seen["person"]] >= 14).all()
        assert (people.consent[seen["person"]] == MARKETING).all()
        assert np.array_equal(seen["person"], visits["person"][seen["visit"]])
        assert np.array_equal(seen["at_s"], visits["arrives_s"][seen["visit"]])
        could += int(people.takes_cards[visits["person"]].sum()) * len(CARDS)
        saw += len(seen)
    assert saw == pytest.approx(0.5 * could, abs=4 * np.sqrt(could) / 2)


def test_with_everybody_held_out_the_days_are_those_without_cards(history: History) -> None:
    held = replace(history, cards=tuple(replace(card, held_out=1.0) for card in CARDS))
    for a, b in zip(history.days(0, 10), held.days(0, 10), strict=True):
        for name in ("mall_visits", "store_visits", "payments"):
            assert getattr(a, name).tobytes() == getattr(b, name).tobytes()
        assert len(b.exposures) > 500
        assert not b.exposures["goes"][~b.exposures["would_go"]].any()


def test_a_shown_card_brings_visits_within_two_weeks_as_often_as_the_person_answers(history: History) -> None:
    """One card on one day: each of who saw it comes back with their own chance, unless they come that day anyway."""
    card = CardPlan(number=9, store_index=5, first_day=0, n_days=1, shown=1.0, held_out=0.0)
    days = list(replace(history, cards=(card,)).days(0, LONGEST_LAG_DAYS + 3))
    saw = days[0].exposures["person"]
    back = [records.mall_visits["person"][records.mall_visits["why"] == BROUGHT_BACK] for records in days]
    assert len(back[0]) == len(back[LONGEST_LAG_DAYS + 1]) == len(back[LONGEST_LAG_DAYS + 2]) == 0
    came = np.concatenate(back)
    assert np.isin(came, saw).all()
    assert len(np.unique(came)) == len(came)
    expected = history.people.returns_for_cards[saw].sum()
    error = np.sqrt(expected)
    assert expected > 40
    assert 0.75 * expected - 3 * error < len(came) < expected + 3 * error
    without = list(history.days(1, LONGEST_LAG_DAYS))
    for records, plain in zip(days[1:], without, strict=False):
        missing = np.setdiff1d(plain.mall_visits["person"], records.mall_visits["person"])
        assert len(missing) == 0  # a card keeps nobody away


def test_the_chance_of_a_group_is_that_at_least_one_comes_true() -> None:
    chance = np.array([0.5, 0.5, 0.2, 0.0, 1.0])
    found = together(chance, np.array([0, 0, 1, 3, 4]), 5)
    assert np.allclose(found, [0.75, 0.2, 0.0, 0.0, 1.0])
