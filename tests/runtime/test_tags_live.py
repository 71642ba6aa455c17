"""Tags by what the engine records: learnt once, taken back, ended by time and by consent."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from kernel.ids import VenueId
from members.device import AgeBand, Device, Purpose
from runtime.demo import VENUE_ID
from runtime.home import open_home
from runtime.records.schema import (
    events,
    person_tags,
    rhythm_models,
    rhythm_states,
    tag_counts,
    tag_learnt,
    tag_names,
    tag_records,
)
from runtime.records.staff import replace_staff
from runtime.records.tenants import DEFAULT_TENANT
from scenes.tags.kernels.layout import BRANDS, MOST_BRANDS, N_BRAND, N_WORDS
from scenes.tags.record import CLOSED
from sim.world import World
from tests.living_server import copy_home
from tests.told_visits import BOTH, MONDAY, Mall

DAY = timedelta(days=1)


@pytest.fixture
def mall(prepared_home: Path, small_world: World, tmp_path: Path) -> Iterator[Mall]:
    home = open_home(copy_home(prepared_home, tmp_path / "home"))
    yield Mall(home, small_world.mall.venue)
    home.database.close()


def n_rows(mall: Mall, table: sa.Table) -> int:
    with mall.home.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_a_first_day_makes_somebody_new_and_is_told_once(mall: Mall) -> None:
    device = mall.register("d")
    mall.come(device, MONDAY, ["coffee"])
    worker = mall.worker()
    assert worker.run_to_end() > 0
    assert mall.tags(device.person) == {("new", None), ("recent", None)}
    told = mall.told()
    assert sorted((kind, data["tag"]) for _, kind, data in told) == [("tag.added", "new"), ("tag.added", "recent")]
    assert {data["place"]["kind"] for _, _, data in told} == {"venue"}
    assert all(data["expires_at"] > "2026-04" and data["evidence_n"] == 1 for _, _, data in told)
    assert not worker.step()
    assert mall.worker().run_to_end() == 0
    assert mall.told() == told


def test_a_taste_shows_against_the_mall(mall: Mall) -> None:
    """One comes for coffee, five for fashion; the mall's shares are taken when the next day begins."""
    one = mall.register("coffee")
    others = [mall.register(f"fashion-{n}") for n in range(5)]
    for day in range(4):
        mall.come(one, MONDAY + day * DAY, ["coffee"])
        for other in others:
            mall.come(other, MONDAY + day * DAY, ["fashion"])
    mall.worker().run_to_end()
    assert ("category_preference", "coffee") in mall.tags(one.person)
    assert ("frequency_weekly", None) in mall.tags(one.person)
    assert all(("category_preference", "coffee") not in mall.tags(other.person) for other in others)


@pytest.mark.parametrize(
    ("purposes", "age"),
    [
        ((Purpose.VISITS,), AgeBand.ADULT),
        ((Purpose.VISITS, Purpose.MARKETING), AgeBand.ADULT),
        ((Purpose.ANALYTICS,), AgeBand.ADULT),
        (BOTH, AgeBand.CHILD),
        (BOTH, AgeBand.UNKNOWN),
    ],
)
def test_nothing_is_learnt_of_who_did_not_allow_it(mall: Mall, purposes: tuple[Purpose, ...], age: AgeBand) -> None:
    device = mall.register("d", purposes, age)
    mall.come(device, MONDAY, ["coffee"])
    mall.worker().run_to_end()
    assert [n_rows(mall, table) for table in (tag_records, tag_learnt, person_tags)] == [0, 0, 0]
    assert mall.told() == []


def test_a_teen_who_consents_has_tags(mall: Mall) -> None:
    device = mall.register("d", BOTH, AgeBand.TEEN)
    mall.come(device, MONDAY, ["coffee"])
    mall.worker().run_to_end()
    assert ("new", None) in mall.tags(device.person)


def test_a_consent_withdrawn_forgets_at_once_and_what_came_before_a_new_one_is_not_learnt(mall: Mall) -> None:
    device = mall.register("d")
    mall.come(device, MONDAY, ["coffee"])
    mall.worker().run_to_end()
    assert n_rows(mall, tag_learnt) == 2
    mall.worker(MONDAY + 2 * DAY).run_to_end()
    assert n_rows(mall, rhythm_states) == 2
    mall.register("d", [Purpose.VISITS])
    assert [n_rows(mall, table) for table in (tag_records, tag_learnt, person_tags, rhythm_states)] == [0, 0, 0, 0]
    mall.come(device, MONDAY + 3 * DAY, ["coffee"])
    mall.register("d", BOTH, consented=MONDAY + 3.5 * DAY)
    mall.worker().run_to_end()
    assert mall.tags(device.person) == set()
    mall.come(device, MONDAY + 4 * DAY, ["coffee"])
    mall.worker().run_to_end()
    assert mall.tags(device.person) == {("new", None), ("recent", None)}


@pytest.mark.parametrize("is_void", [True, False])
def test_a_visit_that_was_none_is_taken_back(mall: Mall, is_void: bool) -> None:
    """Void, or no longer counted: as if it had never been."""
    device = mall.register("d")
    first = mall.come(device, MONDAY, [])
    mall.worker().run_to_end()
    assert ("new", None) in mall.tags(device.person)
    mall.revise(device, first[0], is_void=is_void)
    mall.worker().run_to_end()
    assert mall.tags(device.person) == set()
    assert n_rows(mall, tag_learnt) == 0
    assert sorted(kind for _, kind, _ in mall.told()) == ["tag.added"] * 2 + ["tag.removed"] * 2


def test_a_visit_that_is_longer_than_it_was_told_is_learnt_as_it_is(mall: Mall) -> None:
    device, twin = mall.register("d"), mall.register("twin")
    visits = mall.come(device, MONDAY, ["coffee"], stay_s=120)
    mall.worker().run_to_end()
    longer = mall.come(twin, MONDAY, ["coffee"], stay_s=1_200)[1]
    changed = replace(longer, visit_id=visits[1].visit_id)
    mall.revise(device, changed, is_counted=True)
    mall.worker().run_to_end()
    with mall.home.database.read() as connection:
        rows = connection.execute(sa.select(tag_learnt.c.row, tag_learnt.c.visit_id))
        learnt = {row.visit_id: row.row for row in rows}
    assert learnt[changed.visit_id] == learnt[longer.visit_id]


def test_what_ends_by_time_ends_when_a_day_begins_by_the_server_clock(mall: Mall) -> None:
    device = mall.register("d")
    mall.come(device, MONDAY, ["coffee"])
    mall.worker().run_to_end()
    mall.worker(MONDAY + 20 * DAY).run_to_end()
    assert mall.tags(device.person) == {("new", None)}
    removed = [data["tag"] for _, kind, data in mall.told() if kind == "tag.removed"]
    assert removed == ["recent"]
    assert mall.worker(MONDAY + 20 * DAY).run_to_end() == 0


def test_of_a_sensitive_place_not_even_its_name_is_kept(mall: Mall) -> None:
    clinics = [replace(one, category="medicalclinic") if one.category == "coffee" else one for one in mall.venue.stores]
    mall.venue = replace(mall.venue, stores=tuple(clinics))
    device = mall.register("d")
    mall.come(device, MONDAY, ["medicalclinic", "fashion"])
    mall.pass_by(device, "medicalclinic", MONDAY)
    mall.worker().run_to_end()
    with mall.home.database.read() as connection:
        names = set(connection.execute(sa.select(tag_names.c.name)).scalars())
    assert "fashion" in names
    assert "medicalclinic" not in names
    assert n_rows(mall, tag_learnt) == 2


def list_as_sensitive(mall: Mall, *lines: str) -> None:
    mall.home.venues.sensitive_path(DEFAULT_TENANT, VENUE_ID).write_text("\n".join(lines))


def come_for_coffee(mall: Mall, name: str = "coffee") -> Device:
    """Four days for coffee, while five others come for fashion: a taste."""
    one = mall.register(name)
    others = [mall.register(f"{name}-{n}") for n in range(5)]
    for day in range(4):
        mall.come(one, MONDAY + day * DAY, ["coffee"])
        for other in others:
            mall.come(other, MONDAY + day * DAY, ["fashion"])
    return one


def everything_naming(mall: Mall, word: str) -> set[str]:
    """The tables of people and groups that hold a word in whatever column."""
    with mall.home.database.read() as connection:
        tables = (events, person_tags, rhythm_states, rhythm_models, tag_counts)
        found = {table.name: [tuple(row) for row in connection.execute(sa.select(table))] for table in tables}
    return {name for name, rows in found.items() if any(word in repr(row) for row in rows)}


@pytest.mark.parametrize("is_category", [True, False])
def test_what_was_learnt_of_a_place_goes_once_it_is_listed(mall: Mall, is_category: bool) -> None:
    """Its category with it, where it is listed or has no other store; and it does not come back."""
    one, worker = come_for_coffee(mall), mall.worker(MONDAY + 5 * DAY)
    worker.run_to_end()
    assert ("category_preference", "coffee") in mall.tags(one.person)
    assert {"events", "person_tags", "rhythm_states", "rhythm_models"} <= everything_naming(mall, "coffee")
    ids = [store.id for store in mall.venue.stores if store.category == "coffee"]
    list_as_sensitive(mall, *(["Coffee"] if is_category else ids))
    assert worker.run_to_end() > 0
    assert everything_naming(mall, "coffee") == set()
    assert n_rows(mall, tag_learnt) > 0, "of the venue, and of fashion"
    mall.come(one, MONDAY + 6 * DAY, ["coffee"])
    mall.worker(MONDAY + 12 * DAY).run_to_end()
    assert ("frequency_weekly", None) in mall.tags(one.person)
    assert everything_naming(mall, "coffee") == set()
    assert worker.run_to_end() == 0


def test_of_one_listed_store_the_brand_goes_and_its_category_stays(mall: Mall) -> None:
    stores = [store for store in mall.venue.stores if store.category == "fashion"]
    assert len(stores) > 1
    twins = [replace(one, category="coffee") if one.id == stores[1].id else one for one in mall.venue.stores]
    mall.venue = replace(mall.venue, stores=tuple(twins))
    one, worker = come_for_coffee(mall), mall.worker(MONDAY + 5 * DAY)
    worker.run_to_end()
    listed = mall.store("coffee")
    with mall.home.database.write() as connection:
        tag = {"id": "t", "tenant_id": DEFAULT_TENANT, "person": one.person, "venue_id": VENUE_ID, "score": 1.0}
        tag |= {"tag": "brand_preference", "subject": listed.name, "evidence_n": 4, "added_us": 1}
        connection.execute(person_tags.insert(), [tag])
        told = {"id": "e", "tenant_id": DEFAULT_TENANT, "person": one.person, "type": "tag.added", "occurred_us": 1}
        told |= {"recorded_us": 1, "data": {"tag": "brand_preference", "subject": listed.name}}
        connection.execute(events.insert(), [told])
    list_as_sensitive(mall, listed.id)
    worker.run_to_end()
    assert ("category_preference", "coffee") in mall.tags(one.person)
    assert everything_naming(mall, listed.name) == set()
    with mall.home.database.read() as connection:
        names = sa.select(tag_names.c.number).where(tag_names.c.kind == "brand", tag_names.c.name == listed.name)
        number = connection.execute(names).scalar_one()
        rows = connection.execute(sa.select(tag_learnt.c.row)).scalars()
        assert all(np.frombuffer(row, dtype=CLOSED)["brand"][0] != number for row in rows)
        records = connection.execute(sa.select(tag_records.c.record)).scalars()
        words = np.stack([np.frombuffer(record[-4 * N_WORDS :], dtype="<i4") for record in records])
    slots = words[:, BRANDS : BRANDS + MOST_BRANDS * N_BRAND : N_BRAND] & 0xFFFF
    assert slots.any()
    assert not (slots == number + 1).any()


def test_nothing_is_learnt_while_a_list_cannot_be_read(mall: Mall) -> None:
    device = mall.register("d")
    mall.come(device, MONDAY, ["coffee"])
    path = mall.home.venues.sensitive_path(DEFAULT_TENANT, VENUE_ID)
    path.write_bytes(b"caf\xe9")
    worker = mall.worker()
    assert not worker.step()
    assert n_rows(mall, tag_records) == 0
    path.write_text("")
    assert worker.run_to_end() > 0
    assert n_rows(mall, tag_records) == 1


def test_who_is_staff_of_another_venue_is_forgotten_too(mall: Mall) -> None:
    """One record is of all venues; the one learnt from last is not the one somebody works at."""
    cashier = mall.register("cashier")
    mall.come(cashier, MONDAY, ["coffee"])
    mall.worker().run_to_end()
    with mall.home.database.write() as connection:
        replace_staff(connection, DEFAULT_TENANT, {(cashier.person, VenueId("elsewhere")): MONDAY + 9 * DAY})
    mall.worker(MONDAY + 2 * DAY).run_to_end()
    assert [n_rows(mall, table) for table in (tag_records, person_tags, rhythm_states)] == [0, 0, 0]


def test_passes_and_long_visits_of_what_is_considered_make_a_stage(mall: Mall) -> None:
    device = mall.register("d")
    for day in range(6):
        for hour in range(3):
            mall.pass_by(device, "jewelry", MONDAY + day * DAY + timedelta(hours=hour))
        mall.come(device, MONDAY + day * DAY, ["jewelry"], stay_s=2_400)
    mall.worker().run_to_end()
    assert any(tag == "stage" and (subject or "").startswith("jewelry:") for tag, subject in mall.tags(device.person))


def test_of_staff_nothing_is_learnt_and_what_was_is_forgotten_in_the_night(mall: Mall) -> None:
    cashier, shopper = mall.register("cashier"), mall.register("shopper")
    for device in (cashier, shopper):
        mall.come(device, MONDAY, ["coffee"])
    mall.worker().run_to_end()
    staff = {cashier.person}
    for device in (cashier, shopper):
        mall.come(device, MONDAY + DAY, ["coffee"])
    mall.worker(staff=lambda _connection, _tenant: staff).run_to_end()
    assert mall.tags(cashier.person) == set()
    assert ("returning", None) in mall.tags(shopper.person)
    assert [n_rows(mall, table) for table in (tag_records, rhythm_states)] == [1, 2]
