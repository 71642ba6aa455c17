"""Who is one person: by the evidence and not by its order, and never against a rule."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.ids import PersonRef
from members.identity import Identity, IdentityKind
from members.join import CROWD, MOST_LINKED, MOST_OF_KIND, Evidence, Joined, Strength, join_people

K = IdentityKind
START = datetime(2026, 1, 1, tzinfo=UTC)
VERIFIED, OBSERVED = Strength.VERIFIED, Strength.OBSERVED


def one(name: str) -> Identity:
    """``phone1``, ``loyalty2@brand``: a kind, a number, an issuer."""
    bare, _, issuer = name.partition("@")
    return Identity(PersonRef(name), K(bare.rstrip("0123456789")), issuer)


def link(a: str, b: str, day: float, strength: Strength = VERIFIED, days: float = 0, occasions: int = 2) -> Evidence:
    low, high = sorted((a, b))
    first = START + timedelta(days=day)
    return Evidence(one(low), one(high), strength, first, first + timedelta(days=days), occasions)


def joined(evidence: Iterable[Evidence]) -> Joined:
    held = list(evidence)
    return join_people({side for each in held for side in (each.a, each.b)}, held)


def groups(evidence: Iterable[Evidence]) -> set[str]:
    return {" ".join(sorted(person)) for person in joined(evidence).people}


def test_somebody_with_a_new_phone_and_a_new_number_stays_one() -> None:
    assert groups(
        [
            link("app1@mall", "maker1", 0),
            link("app1@mall", "phone1", 0),
            link("app1@mall", "loyalty1@mall", 1),
            link("app1@mall", "maker2", 200),
            link("app1@mall", "phone2", 300),
        ]
    ) == {"app1@mall loyalty1@mall maker1 maker2 phone1 phone2"}


def test_two_accounts_on_one_phone_stay_two_people() -> None:
    told = joined([link("app1@mall", "maker1", 0), link("app2@mall", "maker1", 5), link("app2@mall", "phone2", 6)])
    assert {" ".join(sorted(person)) for person in told.people} == {"app1@mall maker1", "app2@mall phone2"}
    assert [why for _, why in told.refused] == ["a person has at most 1 app ids of mall"]


def test_a_family_card_belongs_to_who_registered_it_and_joins_nobody_else() -> None:
    evidence = [
        link("app1@mall", "loyalty1@mall", 0),
        link("app2@mall", "maker2", 0),
        link("loyalty1@mall", "maker2", 1, OBSERVED, days=90),
        link("app2@mall", "payment2", 2),
        link("loyalty1@mall", "payment2", 2, OBSERVED, days=90),
    ]
    assert groups(evidence) == {"app1@mall loyalty1@mall", "app2@mall maker2 payment2"}


def test_a_card_seen_with_one_person_is_that_persons_and_one_seen_with_two_is_nobodys() -> None:
    base = [link("app1@mall", "maker1", 0), link("app2@mall", "maker2", 0)]
    assert groups([*base, link("maker1", "payment1", 3, OBSERVED, days=10)]) == {
        "app1@mall maker1 payment1",
        "app2@mall maker2",
    }
    assert groups(
        [*base, link("maker1", "payment1", 3, OBSERVED, days=10), link("maker2", "payment1", 4, OBSERVED, days=10)]
    ) == {"app1@mall maker1", "app2@mall maker2", "payment1"}


def test_a_card_of_ones_own_stays_where_a_family_card_ties_it_to_others() -> None:
    assert groups(
        [
            link("app1@mall", "maker1", 0),
            link("app2@mall", "maker2", 0),
            link("maker1", "payment1", 3, OBSERVED, days=10),
            link("maker2", "payment2", 3, OBSERVED, days=10),
            link("loyalty9@mall", "payment1", 3, OBSERVED, days=10),
            link("loyalty9@mall", "payment2", 3, OBSERVED, days=10),
        ]
    ) == {"app1@mall maker1 payment1", "app2@mall maker2 payment2", "loyalty9@mall"}


def test_cards_without_anybody_are_a_person_by_themselves_after_two_days() -> None:
    assert groups([link("loyalty1@mall", "payment1", 0, OBSERVED, days=0.2)]) == {"loyalty1@mall", "payment1"}
    assert groups([link("loyalty1@mall", "payment1", 0, OBSERVED, days=1)]) == {"loyalty1@mall payment1"}


def test_the_cashiers_own_card_joins_nobody() -> None:
    crowd = [link("loyalty1@mall", f"app{i}@mall", i) for i in range(CROWD + 1)]
    assert len(joined(crowd).people) == CROWD + 2


kinds = st.sampled_from(list(K))
ids = st.builds(lambda kind, n, issuer: f"{kind.value}{n}@{issuer}", kinds, st.integers(1, 4), st.sampled_from("xy"))
worlds = st.lists(
    st.tuples(ids, ids, st.integers(0, 40), st.sampled_from(list(Strength)), st.sampled_from([0, 0, 5])), max_size=40
).map(
    lambda rows: [
        link(a, b, day, strength, days)
        for (a, b, strength), (day, days) in {
            (min(a, b), max(a, b), strength): (day, days) for a, b, day, strength, days in rows if a != b
        }.items()
    ]
)


@given(worlds, st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_the_order_of_the_evidence_changes_nobody(world: list[Evidence], random: Random) -> None:
    shuffled = list(world)
    random.shuffle(shuffled)
    assert joined(shuffled) == joined(world)


@given(worlds)
@settings(max_examples=300, deadline=None)
def test_no_rule_is_ever_broken(world: list[Evidence]) -> None:
    told = joined(world)
    assert sorted(ref for person in told.people for ref in person) == sorted(
        {side.ref for each in world for side in (each.a, each.b)}
    )
    for person in told.people:
        for (kind, _), n in Counter((one(ref).kind, one(ref).issuer) for ref in person).items():
            assert n <= MOST_OF_KIND[kind]


@pytest.mark.parametrize(("pair", "most"), MOST_LINKED.items())
def test_each_pair_of_kinds_has_its_limit(pair: tuple[IdentityKind, IdentityKind], most: int) -> None:
    kind, other = pair
    mine = f"{kind.value}1@x"
    told = joined([link(mine, f"{other.value}{n}@x", n) for n in range(most + 2)])
    (person,) = [person for person in told.people if mine in person]
    assert sum(one(ref).kind is other for ref in person) == most
    assert len(told.refused) == 2
