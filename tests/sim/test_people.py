"""The people round a mall: the same from any seed, and children without consent."""

from dataclasses import fields

import numpy as np
import pytest

from sim.brands import BRANDS, CATEGORIES, EVERYDAY_CATEGORIES
from sim.people import (
    ADULT,
    AGE_BANDS,
    ANCHOR_SHARES,
    CATEGORY_SHARES,
    CHILD,
    CONSENT_CHOICES,
    MARKETING,
    TEEN,
    TIERS,
    UNKNOWN,
    PeopleSpec,
    Population,
    draw_people,
)  # fmt: skip

STREAM = 8


@pytest.fixture(scope="module")
def people() -> Population:
    return draw_people(9_000, PeopleSpec(), 5, STREAM)


@pytest.mark.parametrize("n_households", [1, 700, 2_048, 5_000])
def test_the_first_households_are_the_same_people_in_a_population_of_any_size(
    people: Population, n_households: int
) -> None:
    fewer = draw_people(n_households, PeopleSpec(), 5, STREAM)
    assert fewer.n_households == n_households
    for part in fields(Population):
        if part.name not in ("seed", "spec"):
            few, many = getattr(fewer, part.name), getattr(people, part.name)
            assert np.array_equal(few, many[: len(few)]), part.name


def test_another_seed_brings_other_people(people: Population) -> None:
    other = draw_people(9_000, PeopleSpec(), 6, STREAM)
    assert abs(np.corrcoef(people.rate[:5_000], other.rate[:5_000])[0, 1]) < 0.1


def test_households_hold_who_the_table_says(people: Population) -> None:
    size = np.diff(people.first_of)
    assert np.array_equal(people.household, np.repeat(np.arange(people.n_households), size))
    share = np.array([row[3] for row in people.spec.households])
    grown = np.array([row[0] + row[2] for row in people.spec.households])
    expected = share / share.sum() @ grown
    is_grown = people.age_y >= 18
    n_grown = np.bincount(people.household[is_grown], minlength=people.n_households)
    assert n_grown.min() == 1  # nobody under age lives alone
    assert n_grown.mean() == pytest.approx(expected, abs=4 * n_grown.std() / np.sqrt(len(n_grown)))


def test_children_allow_nothing_come_with_others_and_get_no_card(people: Population) -> None:
    child = people.age_y < 14
    assert child.sum() > 2_000
    assert np.array_equal(people.band == CHILD, child)
    assert (people.consent[child] == 0).all()
    assert CONSENT_CHOICES[0] == ()
    assert (people.rate[child] == 0).all()
    assert not people.takes_cards[child].any()
    assert (people.member[child] == -1).all()
    assert (people.device[people.age_y < 7] == -1).all()
    assert (people.device[child] >= 0).any()


def test_who_hides_their_age_or_has_no_phone_or_allows_no_marketing_gets_no_card(people: Population) -> None:
    hidden = people.band == UNKNOWN
    assert hidden.mean() == pytest.approx(0.1 * (people.band != CHILD).mean(), abs=0.01)
    assert (people.consent[hidden] == MARKETING).any()
    assert (people.consent[people.device < 0] == 0).all()
    known = (people.band == ADULT) | (people.band == TEEN)
    assert np.array_equal(people.takes_cards, known & (people.consent == MARKETING))
    assert 0.3 < people.takes_cards.mean() < 0.6
    assert [AGE_BANDS[i] for i in (ADULT, TEEN, CHILD, UNKNOWN)] == ["adult", "teen", "child", "unknown"]


@pytest.mark.parametrize("thing", ["device", "member"])
def test_what_is_shared_belongs_to_a_grown_member_of_the_household(people: Population, thing: str) -> None:
    owner = getattr(people, thing)
    users = np.flatnonzero(owner >= 0)
    assert np.array_equal(people.household[owner[users]], people.household[users])
    assert np.array_equal(owner[owner[users]], owner[users])  # the owner uses it too
    shared = users[owner[users] != users]
    assert len(shared) > 50
    assert (people.age_y[owner[shared]] >= 18).all()
    if thing == "device":
        assert np.array_equal(people.consent[shared], people.consent[owner[shared]])


def test_tastes_differ_and_their_mean_is_the_table(people: Population) -> None:
    grown = np.flatnonzero(people.age_y >= 14)
    share = people.category_share(grown)[:, : len(EVERYDAY_CATEGORIES)]
    assert np.allclose(share.sum(axis=1), 1.0)
    expected = np.array([CATEGORY_SHARES[name] for name in EVERYDAY_CATEGORIES])
    assert expected.sum() == pytest.approx(1.0)
    error = share.std(axis=0) / np.sqrt(len(grown))
    assert (np.abs(share.mean(axis=0) - expected) < 4 * error).all()
    assert np.median(share.max(axis=1)) > 1.7 * expected.max()  # most have a favourite


def test_tastes_for_anchors_come_on_top_and_their_mean_is_the_table(people: Population) -> None:
    for age, column in ((people.age_y >= 14, 0), (people.age_y < 14, 1)):
        share = people.category_share(np.flatnonzero(age))[:, len(EVERYDAY_CATEGORIES) :]
        expected = np.array([ANCHOR_SHARES[name][column] for name in CATEGORIES[len(EVERYDAY_CATEGORIES) :]])
        assert (np.abs(share.mean(axis=0) - expected) < 4 * expected / np.sqrt(len(share))).all()  # sd is the mean
        assert (share >= 0).all()


def test_each_has_a_favourite_brand_of_each_category(people: Population) -> None:
    everybody = np.arange(len(people))
    for category, name in enumerate(CATEGORIES):
        favourite = people.favourite_brand(everybody, np.full(len(people), category))
        brands = [i for i, brand in enumerate(BRANDS) if brand.category == name]
        n = np.bincount(favourite, minlength=len(BRANDS))[brands]
        assert n.sum() == len(people)
        assert (np.abs(n - len(people) / len(brands)) < 4 * np.sqrt(len(people) / len(brands)) + 1e-9).all()


def test_members_rise_with_what_they_are_expected_to_spend(people: Population) -> None:
    a_year = people.rate * people.spend
    for lower, upper in zip(range(1, 3), range(2, 4), strict=True):
        assert a_year[people.tier == lower].max() <= a_year[people.tier == upper].min()
    assert ((people.tier == 0) == (people.member < 0)).all()
    assert len(np.unique(people.tier)) == len(TIERS)
    share = np.bincount(people.tier) / len(people)
    assert share[1] > share[2] > share[3] > 0
