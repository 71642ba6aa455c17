"""After a busy hour: no device id, no address of a radio, nothing of who allowed nothing, but a number."""

import logging
from datetime import timedelta

import pytest
import sqlalchemy as sa

from api.ports import Role
from runtime.records.schema import metadata, presence
from tests.living_server import NOON, Living, consents, stay, wait_until

CLIENTS = ("httpx", "httpcore")
"""The test's own calls are logged by these, in the same process."""


def test_no_trace_of_phones_that_allowed_nothing_but_their_number(
    living: Living, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = living.venue.stores[0].id
    silent = [f"silent-phone-{i}" for i in range(5)]
    with living.client(Role.DEVICE) as phone:
        phone.put("/v1/devices/willing-phone", json=consents("visits", "marketing"))
        phone.put("/v1/devices/silent-phone-0", json=consents())
        for name in (*silent, "willing-phone"):
            for start in (NOON, NOON + timedelta(minutes=10)):
                scans = stay(living.world, store, name, n=6, start=start, prefix=f"{name}-{start:%H%M}")
                phone.post("/v1/scans", json={"scans": scans}).raise_for_status()

    def counted() -> dict[str, int]:
        with living.home.database.read() as connection:
            return {row.venue_id: row.phones for row in connection.execute(sa.select(presence))}

    wait_until(lambda: counted() == {"demo": 5})
    with living.home.database.read() as connection:
        cells = "\n".join(
            repr(row) for table in metadata.sorted_tables for row in connection.execute(sa.select(table)).all()
        )
    files = b"".join(p.read_bytes() for p in living.home.settings.data_dir.glob("atrium.db*"))
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith(CLIENTS))
    for held in (cells, files.decode("latin-1"), ours):
        assert "silent-phone" not in held
        assert "bssid" not in held.lower()
        assert "rssi" not in held.lower()
    radios = {reading["bssid"] for reading in stay(living.world, store, "x", n=1)[0]["wifi"]}
    assert not any(radio in cells for radio in radios)


def test_a_sweep_closes_visits_that_ran_out(living: Living) -> None:
    store = living.venue.stores[0].id
    with living.client(Role.ADMIN) as http:
        http.put("/v1/devices/d-1", json=consents("visits"))
        http.post("/v1/scans", json={"scans": stay(living.world, store, "d-1", n=8)})
        assert {row["left_at"] for row in http.get("/v1/visits").json()["data"]} == {None}
        http.put("/v1/devices/d-2", json=consents("visits"))  # time passes for another phone
        http.post("/v1/scans", json={"at": (NOON + timedelta(hours=1)).isoformat(), "device_id": "d-2"})
        wait_until(lambda: None not in {row["left_at"] for row in http.get("/v1/visits").json()["data"]})
        rows = http.get("/v1/visits").json()["data"]
    assert {row["dwell_s"] for row in rows} == {70.0}
