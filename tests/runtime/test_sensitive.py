"""A day in a sensitive store leaves nothing of it in any record of the server."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from api.ports import Role
from runtime.database import Database
from runtime.demo import VENUE_ID
from runtime.home import open_home
from runtime.records.schema import metadata, tracks, visits
from runtime.records.tenants import DEFAULT_TENANT
from sim.world import World
from tests.living_server import NOON, campaign, consents, copy_home, serve, stay, wait_until

_MAY_NAME = {"campaigns"}
"""The marketer's own words."""


def _day(world: World, store: str) -> list[dict[str, Any]]:
    """Hours inside, then a late scan, and somebody else after the day, which closes all."""
    scans = stay(world, store, "d", n=120, every_s=60)
    late = stay(world, store, "d", n=1, start=NOON + timedelta(seconds=119 * 60 - 30), prefix="late")
    end = stay(world, store, "e", n=1, start=NOON + timedelta(hours=6), prefix="end")
    return [*scans, *late, *end]


@pytest.mark.parametrize("is_listed", [True, False])
def test_nothing_of_a_sensitive_store_is_kept(
    prepared_home: Path, small_world: World, tmp_path: Path, is_listed: bool
) -> None:
    folder = copy_home(prepared_home, tmp_path / "home")
    store = small_world.mall.venue.stores[0].id
    if is_listed:
        path = open_home(folder).venues.sensitive_path(DEFAULT_TENANT, VENUE_ID)
        path.write_text(f"{store}\n")
    with serve(folder, small_world) as living, living.client(Role.ADMIN) as http:
        made = http.post("/v1/campaigns", json=campaign(store)).json()
        http.post(f"/v1/campaigns/{made['id']}:publish").raise_for_status()
        for name in ("d", "e"):
            http.put(f"/v1/devices/{name}", json=consents("visits", "marketing")).raise_for_status()
        told = [http.post("/v1/scans", json=one).json() for one in _day(small_world, store)]
        again = http.post("/v1/scans", json=_day(small_world, store)[7]).json()
        named, n_tracks = _rows_naming(living.home.database, store), _count(living.home.database, tracks)
    assert told[119]["position"]["store_id"] == told[-1]["position"]["store_id"] == store
    inside = sum(one["position"]["store_id"] == store for one in told)
    assert inside > 100, "the position stays"
    assert again == told[7]
    if is_listed:
        assert named.keys() <= {"answers"}
        assert named.get("answers", 0) <= len(told) - inside, "as a neighbour among the candidates alone"
        assert all(one["cards"] == [] for one in told)
        assert n_tracks == 0, "the last scans of both are inside"
    else:
        assert {"visits", "events", "fixes", "scenes", "answers"} <= named.keys()
        assert any(one["cards"] for one in told)
        assert n_tracks == 2


def test_what_was_kept_of_a_store_goes_once_it_is_marked(
    prepared_home: Path, small_world: World, tmp_path: Path
) -> None:
    folder = copy_home(prepared_home, tmp_path / "home")
    store = small_world.mall.venue.stores[0]
    with serve(folder, small_world) as living, living.client(Role.ADMIN) as http:
        for name in ("d", "e"):
            http.put(f"/v1/devices/{name}", json=consents("visits")).raise_for_status()
        http.post("/v1/scans", json={"scans": _day(small_world, store.id)}).raise_for_status()
        database = living.home.database
        wait_until(lambda: not _count(database, visits, visits.c.left_us.is_(None), visits.c.kind == "store"))
        before = _rows_naming(database, store.id)
        path = living.home.venues.sensitive_path(DEFAULT_TENANT, VENUE_ID)
    assert {"visits", "events", "fixes"} <= before.keys()
    path.write_text(f"# of this mall\n{store.category.upper()}\n")
    with serve(folder, small_world) as living:
        database = living.home.database
        wait_until(lambda: not {"visits", "events", "fixes"} & _rows_naming(database, store.id).keys())
        assert _count(database, visits) > 0, "of the level and the venue"


def _count(database: Database, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one())


def _rows_naming(database: Database, store: str) -> dict[str, int]:
    """How many rows of each table hold a store's id, in whatever column."""
    found: dict[str, int] = {}
    with database.read() as connection:
        for table in metadata.sorted_tables:
            if table.name not in _MAY_NAME:
                rows = [tuple(row) for row in connection.execute(sa.select(table))]
                found[table.name] = sum(store in repr(row) for row in rows)
    return {name: n for name, n in found.items() if n}
