"""What is kept for a day goes after it, a bounded step at a time; what counts days cannot be filled with false ones."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from api.ports import Role
from kernel.clock import to_epoch_us
from runtime.database import Database
from runtime.home import open_home
from runtime.records.history import drop_old_answers
from runtime.records.idempotency import KEPT, drop_old_idempotency
from runtime.records.schema import answers, idempotency, presence
from sim.world import World
from tests.living_server import NOON, Living, campaign, consents, copy_home, serve, stay, wait_until


def count(database: Database, table: sa.Table) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def idempotency_row(number: int, at: datetime) -> dict[str, Any]:
    return {
        "tenant_id": "default",
        "key_id": "key_1",
        "route": "redemptions",
        "idempotency_key": f"till-{number}",
        "request_hash": "0" * 64,
        "status": 201,
        "body": {},
        "at_us": to_epoch_us(at),
    }


def answer_row(number: int, at: datetime) -> dict[str, Any]:
    row = {"tenant_id": "default", "device_ref": "dev_1", "scan_id": f"s-{number}", "body": b"{}"}
    return row | {"at_us": to_epoch_us(at)}


def test_what_is_over_goes_in_bounded_steps_and_nothing_else(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    database.upgrade()
    old, fresh = NOON - KEPT - timedelta(seconds=1), NOON - KEPT + timedelta(seconds=1)
    with database.write() as connection:
        for table, row in ((idempotency, idempotency_row), (answers, answer_row)):
            connection.execute(table.insert(), [row(n, old) for n in range(25)])
            connection.execute(table.insert(), [row(n, fresh) for n in range(100, 103)])
    for drop, table in ((drop_old_idempotency, idempotency), (drop_old_answers, answers)):
        dropped = []
        for _ in range(4):
            with database.write() as connection:
                dropped.append(drop(connection, NOON - KEPT, at_most=10))
        assert dropped == [10, 10, 5, 0]
        assert count(database, table) == 3
    database.close()


def test_a_server_drops_what_is_over_by_itself(prepared_home: Path, small_world: World, tmp_path: Path) -> None:
    folder = copy_home(prepared_home, tmp_path / "home")
    home = open_home(folder)
    now = datetime.now(UTC)
    with home.database.write() as connection:
        connection.execute(idempotency.insert(), [idempotency_row(n, now - 2 * KEPT) for n in range(5_000)])
        connection.execute(idempotency.insert(), [idempotency_row(-1, now)])
        connection.execute(answers.insert(), [answer_row(n, NOON - timedelta(hours=25)) for n in range(5_000)])
        connection.execute(answers.insert(), [answer_row(-1, NOON)])
    home.database.close()
    with serve(folder, small_world) as living:
        wait_until(lambda: count(living.home.database, idempotency) == count(living.home.database, answers) == 1)


def test_an_idempotency_key_is_as_good_as_new_after_a_day(living: Living) -> None:
    store = living.venue.stores[0].id
    with living.client(Role.ADMIN) as http:
        made = http.post("/v1/campaigns", json=campaign(store)).json()
        http.post(f"/v1/campaigns/{made['id']}:publish")
        http.put("/v1/devices/d-1", json=consents("visits", "marketing"))
        told = http.post("/v1/scans", json={"scans": stay(living.world, store, "d-1")}).json()["results"]
        (code,) = (card["coupon"]["code"] for answer in told for card in answer["cards"])
        body, key = {"code": code, "store_id": store}, {"Idempotency-Key": "till-1"}
        first = http.post("/v1/redemptions", json=body, headers=key)
        again = http.post("/v1/redemptions", json=body, headers=key)
        day_us = round(KEPT.total_seconds()) * 1_000_000
        with living.home.database.write() as connection:
            connection.execute(idempotency.update().values(at_us=idempotency.c.at_us - day_us))
        later = http.post("/v1/redemptions", json=body, headers=key)
        repeat = http.post("/v1/redemptions", json=body, headers=key)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert (later.status_code, later.json()["code"]) == (409, "already_redeemed")
    assert "idempotent-replayed" not in later.headers
    assert repeat.headers["idempotent-replayed"] == "true"
    assert repeat.json() == later.json()


def test_scans_of_other_times_count_no_days(living: Living) -> None:
    store = living.venue.stores[0].id
    with living.client(Role.DEVICE) as phone:
        phone.put("/v1/devices/d-1", json=consents("visits"))
        phone.post("/v1/scans", json={"scans": stay(living.world, store, "d-1", n=2)}).raise_for_status()
        for n, days in enumerate((400, 30, 2, -2, -30, -400)):
            odd = stay(living.world, store, f"odd-{n}", n=1, start=NOON + timedelta(days=days))[0]
            assert phone.post("/v1/scans", json=odd).json()["position"] is not None
        phone.post("/v1/scans", json=stay(living.world, store, "today", n=1)[0]).raise_for_status()

    def counted() -> list[tuple[str, int]]:
        with living.home.database.read() as connection:
            return [(row.day, row.phones) for row in connection.execute(sa.select(presence))]

    wait_until(lambda: counted() != [])
    assert counted() == [(NOON.date().isoformat(), 1)]
