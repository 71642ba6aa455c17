"""Staff are left out of the visits at once, what told of them is deleted, and nothing more than an end is kept."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from api.ports import Role
from kernel.clock import to_epoch_us
from kernel.ids import PersonRef, TenantId, VenueId
from runtime.database import Database
from runtime.records.history import list_visits
from runtime.records.schema import events, staff, visits
from runtime.records.staff import load_staff, replace_staff
from runtime.records.tenants import DEFAULT_TENANT
from runtime.staff import leave_out_staff
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

    def leave_out(days: int = 0) -> int:
        now = NOON + timedelta(days=days)
        return leave_out_staff(database, DEFAULT_TENANT, {}, now, RULE)

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


def test_each_tenants_staff_are_its_own(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    database.upgrade()
    put(database, 1, "clerk", 6, tenant_id="other")
    with database.write() as connection:
        replace_staff(connection, DEFAULT_TENANT, {(PersonRef("clerk"), VenueId("v")): NOON + timedelta(days=1)})
    assert leave_out_staff(database, DEFAULT_TENANT, {}, NOON, RULE) == 0
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
