"""People in the records: the same whatever came first, restored where evidence is taken back, and nothing by halves."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from kernel.errors import NotFoundError
from kernel.ids import PersonRef, TenantId
from members.identity import Identity, IdentityKind
from members.join import CROWD, Strength
from runtime.database import Database
from runtime.records.people import Seen, kin_of, links_of, settle_rest, take_seen, undo_link
from runtime.records.schema import identities, identity_links, person_changes

TENANT = TenantId("mall")
START = datetime(2026, 1, 1, tzinfo=UTC)


def one(name: str) -> Identity:
    bare, _, issuer = name.partition("@")
    return Identity(PersonRef(name), IdentityKind(bare.rstrip("0123456789")), issuer)


def seen(names: str, day: float, strength: Strength = Strength.VERIFIED) -> Seen:
    return Seen(tuple(map(one, names.split())), strength, START + timedelta(days=day), "test")


@contextmanager
def records() -> Iterator[Database]:
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'atrium.db'}")
        database.upgrade()
        yield database
        database.close()


def people(connection: Connection) -> dict[str, str]:
    return dict(connection.execute(sa.select(identities.c.ref, identities.c.person)).all())


def take(connection: Connection, events: Sequence[Seen]) -> list[PersonRef]:
    return take_seen(connection, TENANT, events, START)[0]


def test_a_person_is_named_by_the_id_seen_first_also_when_that_one_is_told_of_last() -> None:
    with records() as database, database.write() as connection:
        assert take(connection, [seen("app1@mall maker2", 5)]) == ["app1@mall"]
        assert take(connection, [seen("app1@mall maker1", 1)]) == ["app1@mall"]
        assert take(connection, [seen("maker1", 0)]) == ["maker1"]
        assert set(people(connection).values()) == {"maker1"}
        assert kin_of(connection, TENANT, [PersonRef("maker2"), PersonRef("maker9")]) == {
            "maker2": ("maker1", "app1@mall", "maker2"),
            "maker9": ("maker9",),
        }


def test_whose_an_event_is_follows_the_id_that_its_owner_proved() -> None:
    with records() as database, database.write() as connection:
        take(connection, [seen("app1@mall maker1", 0), seen("app2@mall maker2", 1), seen("app1@mall payment1", 2)])
        till = seen("payment1 maker2", 3, Strength.OBSERVED)
        assert take(connection, [till, till]) == ["maker2", "maker2"]  # of the person whom app2@mall names


def test_evidence_taken_back_restores_both_and_stays_taken_back() -> None:
    with records() as database, database.write() as connection:
        take(connection, [seen("maker1 app1@mall", 0), seen("maker2 loyalty1@mall", 1)])
        before = people(connection)
        take(connection, [seen("maker2 phone1", 2), seen("app1@mall phone1", 3)])
        assert len(set(people(connection).values())) == 1
        (joining,) = [
            link
            for link in links_of(connection, TENANT, PersonRef("app1@mall"))
            if {link.a, link.b} == {IdentityKind.APP, IdentityKind.PHONE}
        ]
        undo_link(connection, TENANT, joining.id, START, "desk")
        assert {ref: person for ref, person in people(connection).items() if ref != "phone1"} == before
        take(connection, [seen("app1@mall phone1", 4)])
        assert {ref: person for ref, person in people(connection).items() if ref != "phone1"} == before
        assert undo_link(connection, TENANT, joining.id, START, "desk") == []
        with pytest.raises(NotFoundError):
            undo_link(connection, TenantId("other"), joining.id, START, "desk")


def test_who_became_whom_is_written_down() -> None:
    with records() as database, database.write() as connection:
        take(connection, [seen("maker1 app1@mall", 0), seen("maker2", 1)])
        take(connection, [seen("maker2 app1@mall", 2)])
        log = connection.execute(
            sa.select(person_changes.c.person_before, person_changes.c.person_after).where(
                person_changes.c.identity == "maker2"
            )
        ).all()
        assert [tuple(row) for row in log] == [(None, "maker2"), ("maker2", "app1@mall")]


def test_an_id_that_becomes_a_crowds_lets_go_of_all_it_had_joined() -> None:
    with records() as database, database.write() as connection:
        for n in range(CROWD + 5):
            take(connection, [seen(f"payment0 partner{n}@s{n}", n)])
            of = people(connection)
            held = sum(person == of["partner0@s0"] for person in of.values())
            assert held == (n + 2 if n < CROWD else 1)


def test_more_of_the_same_waits_to_be_settled_and_then_counts() -> None:
    with records() as database, database.write() as connection:
        take(connection, [seen("maker1 app1@mall", 0), seen("maker1 payment1", 1, Strength.OBSERVED)])
        take(connection, [seen("maker1 payment1", 3, Strength.OBSERVED)])
        assert people(connection)["payment1"] == "payment1"
        assert settle_rest(connection, TENANT, 100, START)[0] == 2
        assert people(connection)["payment1"] == "app1@mall"
        assert settle_rest(connection, TENANT, 100, START) == (0, [])


@pytest.mark.parametrize("met_at_once", [1, 3, 7])
def test_a_crowd_that_comes_in_one_event_lets_go_as_one_that_comes_singly(met_at_once: int) -> None:
    with records() as database, database.write() as connection:
        take(connection, [seen("payment0 maker1", 0), seen("payment0 partner0@s0", 0)])
        others = [f"partner{n}@s{n}" for n in range(1, 29)]
        for start in range(0, len(others), met_at_once):
            take(connection, [seen(f"payment0 {other}", 1) for other in others[start : start + met_at_once]])
        assert set(people(connection).items()) >= {("maker1", "maker1"), ("partner0@s0", "partner0@s0")}


kinds = st.sampled_from(["maker", "app", "phone", "payment", "loyalty", "plate"])
ids = st.builds(lambda kind, n: f"{kind}{n}" + ("@x" if kind in {"app", "loyalty"} else ""), kinds, st.integers(1, 3))
events = st.lists(
    st.tuples(st.lists(ids, min_size=1, max_size=3, unique=True), st.integers(0, 9), st.sampled_from(list(Strength))),
    min_size=1,
    max_size=14,
).map(lambda rows: [seen(" ".join(names), day, strength) for names, day, strength in rows])


@given(events, st.randoms(use_true_random=False), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_any_order_in_any_batches_gives_the_same_people(world: list[Seen], random: Random, size: int) -> None:
    found = []
    for order in (world, random.sample(world, len(world))):
        with records() as database, database.write() as connection:
            for start in range(0, len(order), size):
                take(connection, order[start : start + size])
            settle_rest(connection, TENANT, 1_000, START)
            found.append(people(connection))
    assert found[0] == found[1]


@given(events, events)
@settings(max_examples=40, deadline=None)
def test_all_evidence_of_a_merge_taken_back_leaves_who_was_there_before(world: list[Seen], more: list[Seen]) -> None:
    with records() as database, database.write() as connection:
        take(connection, world)
        settle_rest(connection, TENANT, 1_000, START)
        before, links = people(connection), set(connection.execute(sa.select(identity_links.c.id)).scalars())
        first = dict(connection.execute(sa.select(identities.c.ref, identities.c.first_us)).all())
        later = [Seen(e.together, e.strength, e.at + timedelta(days=20), e.source) for e in more]
        take(connection, later)
        for link_id in connection.execute(sa.select(identity_links.c.id)).scalars().all():
            if link_id not in links:
                undo_link(connection, TENANT, link_id, START, "desk")
        settle_rest(connection, TENANT, 1_000, START)
        seen_again = {ref for event in later for ref in (one.ref for one in event.together)}
        after = people(connection)
        assert first.keys() <= after.keys()
        if not any(e.strength is Strength.OBSERVED for e in later):  # seen a second day, an old pair may join by it
            assert {ref: after[ref] for ref in before} == before
        assert all(after[ref] == ref for ref in seen_again - before.keys())
