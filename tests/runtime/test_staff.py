"""Staff are left out of the visits at once, what told of them is deleted, and nothing more than an end is kept."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kernel.clock import to_epoch_us
from kernel.ids import PersonRef, VenueId
from runtime.database import Database
from runtime.home import open_home
from runtime.records.history import list_visits
from runtime.records.schema import events, staff, visits
from runtime.records.staff import load_staff, replace_staff
from runtime.records.tenants import DEFAULT_TENANT
from runtime.staff import leave_out_staff
from scenes.staff import StaffRule
from sim.world import World
from tests.living_server import NOON, copy_home, serve, wait_until

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
        return leave_out_staff(database, DEFAULT_TENANT, dict, now, RULE)

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
    assert leave_out_staff(database, DEFAULT_TENANT, dict, NOON, RULE) == 0
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(visits)).scalar_one() == 1
    database.close()


def test_a_server_leaves_staff_out_by_itself(prepared_home: Path, small_world: World, tmp_path: Path) -> None:
    folder = copy_home(prepared_home, tmp_path / "home")
    home = open_home(folder)
    for number in (1, 3, 5):
        put(home.database, number, "clerk", 6)
        put(home.database, number, "shopper", 1)
    home.database.close()
    with serve(folder, small_world) as living:
        database = living.home.database
        wait_until(lambda: _count(database) == 3)
        assert listed(database) == {f"vis_shopper_{number}" for number in (1, 3, 5)}


def _count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(visits)).scalar_one())
