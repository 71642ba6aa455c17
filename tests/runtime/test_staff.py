"""Staff are left out of the visits at once, what told of them is deleted, and nothing more than an end is kept."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from api.ports import Role
from kernel.clock import to_epoch_us
from kernel.ids import PersonRef, StoreId, TenantId, VenueId
from runtime.database import Database
from runtime.records.events import events_after, list_events
from runtime.records.history import list_visits
from runtime.records.schema import events, staff, visits
from runtime.records.staff import event_of_staff, load_staff, replace_staff
from runtime.records.tenants import DEFAULT_TENANT
from runtime.staff import LeavingOut, Sensitive
from scenes.staff import StaffRule
from sim.world import World
from tests.living_server import NOON, all_rows, consents, copy_home, serve, stay, wait_until

RULE, HOUR_US = StaffRule(), 3_600_000_000


def put(database: Database, number: int, person: str, hours: float, *, is_open: bool = False, **also: Any) -> None:
    at_us = to_epoch_us(NOON - timedelta(days=number))
    end_us = at_us + int(hours * HOUR_US)
    row: dict[str, Any] = {"id": f"vis_{person}_{number}", "tenant_id": DEFAULT_TENANT}
    row |= {
        "device_ref": f"dev_{person}",
        "person": person,
        "venue_id": "v",
        "kind": "store",
        "place_id": "a",
        "arrived_us": at_us,
        "last_inside_us": end_us,
    }
    row |= {"left_us": None if is_open else end_us, "counted": True, "fix_count": 9, "confidence": 0.9, "revision": 0}
    row |= also
    event = {"id": f"evt_{row['id']}", "tenant_id": DEFAULT_TENANT, "type": "visit.exited", "occurred_us": end_us}
    event |= {"recorded_us": end_us, "person": person, "data": {"venue_id": row["venue_id"]}}
    with database.write() as connection:
        connection.execute(visits.insert(), [row])
        connection.execute(events.insert(), [event])


def run(leaving_out: LeavingOut, now: datetime, sensitive: Sensitive | None = None, at_once: int = 3) -> int:
    """An hour's chore to its end; how many visits of staff went."""
    leaving_out.look({}, sensitive or {}, now, RULE)
    n, is_over = 0, False
    while not is_over:
        gone, is_over = leaving_out.step(at_once)
        n += gone
    return n


def listed(database: Database) -> set[str]:
    with database.read() as connection:
        return {row.visit.visit_id for row in list_visits(connection, DEFAULT_TENANT, 100, None).data}


def test_staff_are_left_out_and_their_visits_go(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    database.upgrade()
    for number in (1, 3, 5):
        put(database, number, "clerk", 6)
        put(database, number, "shopper", 1)
    put(database, 2, "clerk", 1, id="vis_elsewhere", venue_id="w")
    put(database, 0, "clerk", 0.5, is_open=True)

    leaving_out = LeavingOut(database, DEFAULT_TENANT)

    def leave_out(days: int = 0) -> int:
        now = NOON + timedelta(days=days)
        return run(leaving_out, now)

    assert len(listed(database)) == 8
    assert leave_out() == 3
    shoppers = {f"vis_shopper_{number}" for number in (1, 3, 5)}
    assert listed(database) == shoppers | {"vis_elsewhere"}, "an open visit is left out, though it is still there"
    with database.read() as connection:
        left = {row.id for row in connection.execute(sa.select(events))}
        rows = [row._mapping.keys() for row in connection.execute(sa.select(staff))]
        kept = load_staff(connection, DEFAULT_TENANT)
    assert left == {f"evt_{visit}" for visit in shoppers | {"vis_elsewhere"}}
    assert [sorted(keys) for keys in rows] == [["person", "tenant_id", "until_us", "venue_id"]]
    assert list(kept) == [(PersonRef("clerk"), VenueId("v"))]
    assert leave_out() == 0
    with database.write() as connection:
        connection.execute(visits.update().where(visits.c.id == "vis_clerk_0").values(left_us=1))
    assert leave_out() == 1
    assert leave_out(days=14) == 0
    with database.read() as connection:
        assert load_staff(connection, DEFAULT_TENANT) == {}, "who has left is a shopper again"
    database.close()


def test_tags_and_rhythm_of_staff_are_not_told_and_go(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    database.upgrade()
    kinds = ("tag.added", "tag.removed", "rhythm.overdue", "phase.changed", "delivery.delivered")
    with database.write() as connection:
        for person in ("clerk", "shopper"):
            for kind in kinds:
                told: dict[str, Any] = {
                    "id": f"{person}-{kind}",
                    "tenant_id": DEFAULT_TENANT,
                    "type": kind,
                    "person": person,
                }
                told |= {"occurred_us": 1, "recorded_us": 1, "data": {"venue_id": "v"}}
                connection.execute(events.insert(), [told])
        replace_staff(connection, DEFAULT_TENANT, {(PersonRef("clerk"), VenueId("v")): NOON + timedelta(days=1)})
    expected = {f"shopper-{kind}" for kind in kinds} | {"clerk-delivery.delivered"}
    with database.read() as connection:
        assert {row.id for row in list_events(connection, DEFAULT_TENANT, 100, None).data} == expected
        assert {row.id for row in events_after(connection, DEFAULT_TENANT, 0, 100)} == expected
    run(LeavingOut(database, DEFAULT_TENANT), NOON)
    with database.read() as connection:
        assert {row.id for row in connection.execute(sa.select(events))} == expected
    database.close()


def test_what_was_looked_at_is_not_looked_at_again(tmp_path: Path) -> None:
    """An hour later only what came since, but all of it for somebody new or another list of stores."""
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    database.upgrade()
    for number in range(20):
        put(database, number, "shopper", 1)
    leaving_out, sensitive = LeavingOut(database, DEFAULT_TENANT), {VenueId("v"): frozenset({StoreId("x")})}
    steps = []
    for stores in (sensitive, sensitive, sensitive | {VenueId("w"): frozenset({StoreId("x")})}, {}):
        leaving_out.look({}, stores, NOON, RULE)
        steps.append(1)
        while not leaving_out.step(3)[1]:
            steps[-1] += 1
    assert steps == [7, 1, 7, 1]
    database.close()


def test_staff_are_found_by_an_index(tmp_path: Path) -> None:
    """By person first: by tenant alone, each event is held against all staff."""
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    database.upgrade()
    query = sa.select(events.c.id).where(events.c.tenant_id == DEFAULT_TENANT, event_of_staff())
    with database.read() as connection:
        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = [row[3] for row in connection.exec_driver_sql(f"explain query plan {text}")]
    assert any("ix_staff_tenant_id_person (tenant_id=? AND person=?)" in line for line in plan), plan
    database.close()


def test_a_store_is_sensitive_at_its_own_venue_alone(tmp_path: Path) -> None:
    """A map that was imported twice has the same ids in both."""
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    database.upgrade()
    for number, venue_id in ((1, "v"), (2, "w")):
        put(database, number, "shopper", 1, venue_id=venue_id)
        told: dict[str, Any] = {
            "id": f"passed-{venue_id}",
            "tenant_id": DEFAULT_TENANT,
            "type": "place.passed",
            "person": "shopper",
        }
        told |= {"occurred_us": 1, "recorded_us": 1}
        told |= {"data": {"venue_id": venue_id, "place": {"id": "a", "kind": "store"}}}
        with database.write() as connection:
            connection.execute(events.insert(), [told])
    run(LeavingOut(database, DEFAULT_TENANT), NOON, {VenueId("v"): frozenset({StoreId("a")})})
    assert listed(database) == {"vis_shopper_2"}
    with database.read() as connection:
        passed = sa.select(events.c.id).where(events.c.type == "place.passed")
        assert list(connection.execute(passed).scalars()) == ["passed-w"]
    database.close()


def test_each_tenants_staff_are_its_own(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    database.upgrade()
    put(database, 1, "clerk", 6, tenant_id="other")
    with database.write() as connection:
        replace_staff(connection, DEFAULT_TENANT, {(PersonRef("clerk"), VenueId("v")): NOON + timedelta(days=1)})
    assert run(LeavingOut(database, DEFAULT_TENANT), NOON) == 0
    with database.read() as connection:
        assert [row.visit.visit_id for row in list_visits(connection, TenantId("other"), 9, None).data] == [
            "vis_clerk_1"
        ]
    database.close()


def test_a_server_leaves_staff_out_of_what_it_tells_and_keeps(
    prepared_home: Path, small_world: World, tmp_path: Path
) -> None:
    """Three days of six hours each over HTTP, by the clock of events; the chore of the next start finds them."""
    folder = copy_home(prepared_home, tmp_path / "home")
    store = small_world.mall.venue.stores[0].id

    def send(http: httpx.Client, name: str, day: int, n: int) -> None:
        start = NOON + timedelta(days=day)
        scans = stay(small_world, store, name, n=n, every_s=200, start=start, prefix=f"{name}-{day}")
        http.post("/v1/scans", json={"scans": scans}).raise_for_status()

    with serve(folder, small_world) as living, living.client(Role.ADMIN) as http:
        for name in ("clerk", "shopper"):
            http.put(f"/v1/devices/{name}", json=consents("visits", "marketing")).raise_for_status()
        for day in range(3):
            send(http, "clerk", day, n=108)
            send(http, "shopper", day, n=5)
        send(http, "shopper", 3, n=1)
        database = living.home.database
        wait_until(lambda: not _longest(database, is_open=True))
        clerk, shopper = _longest(database)[0][0], _longest(database)[-1][0]
        assert clerk != shopper
        told = len(all_rows(http, "/v1/visits"))
        assert told == len(_longest(database))
    with serve(folder, small_world) as living, living.client(Role.ADMIN) as http:
        database = living.home.database
        wait_until(lambda: {person for person, _ in _longest(database)} == {shopper})
        kept = all_rows(http, "/v1/visits")
        assert 0 < len(kept) == len(_longest(database)) < told
        assert _people(database, events) == {shopper}
        n_events = len(all_rows(http, "/v1/events"))
        send(http, "clerk", 3, n=4)
        assert _people(database, visits) == _people(database, events) == {shopper, clerk}, "until the next hour"
        assert all_rows(http, "/v1/visits") == kept
        assert len(all_rows(http, "/v1/events")) == n_events


def _longest(database: Database, *, is_open: bool | None = None) -> list[tuple[str, int]]:
    """Who made each visit, and how long it was; the longest first."""
    stayed = visits.c.last_inside_us - visits.c.arrived_us
    query = sa.select(visits.c.person, stayed).order_by(stayed.desc())
    if is_open:
        query = query.where(visits.c.left_us.is_(None), visits.c.kind == "store", stayed > HOUR_US)
    with database.read() as connection:
        return [(person, length) for person, length in connection.execute(query)]


def _people(database: Database, table: sa.Table) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(sa.select(table.c.person)).scalars())
