"""``/v1/tags`` and a phone's own tags, by a real server whose worker learns behind it."""

from typing import Any

import pytest

from api.ports import Role
from atrium_client import Client
from members.device import AgeBand, Purpose
from runtime.demo import VENUE_ID
from tests.living_server import NOON, Living, all_rows, wait_until
from tests.told_visits import BOTH, Mall


@pytest.fixture
def mall(living: Living) -> Mall:
    return Mall(living.home, living.venue)


def counts_of(living: Living) -> list[dict[str, Any]]:
    with living.client(Role.VIEWER) as http:
        return list(all_rows(http, "/v1/tags"))


def test_counts_are_of_last_night_rounded_and_never_of_few(living: Living, mall: Mall) -> None:
    few = [mall.register(f"few-{n}", BOTH) for n in range(9)]
    for device in [*few, *(mall.register(f"d-{n}", BOTH) for n in range(13))]:
        mall.come(device, NOON, ["coffee"])
    with living.client(Role.DEVICE) as http:
        wait_until(lambda: http.get("/v1/devices/d-12/tags").json()["data"])
        for day in (19, 20):
            for device in few:
                mall.come(device, NOON.replace(day=day), ["coffee"])
        wait_until(lambda: {row["counted_on"] for row in counts_of(living)} == {"2026-04-20"})
        assert http.get("/v1/tags").status_code == 403
    rows = counts_of(living)
    assert {(row["tag"], row["people"]) for row in rows} == {("new", 15), ("recent", 20)}  # 13 and 22; 9 are returning
    assert {row["venue_id"] for row in rows} == {VENUE_ID}
    with living.client(Role.VIEWER) as http:
        assert [row["tag"] for row in http.get("/v1/tags", params={"tag": "new"}).json()["data"]] == ["new"]
        assert http.get("/v1/tags", params={"tag": "rich"}).status_code == 422
    with living.client(key=living.other_key) as http:
        assert http.get("/v1/tags").json()["data"] == []


def test_a_phone_shows_its_owner_what_is_held_and_nobody_else(living: Living, mall: Mall) -> None:
    mall.come(mall.register("d", BOTH), NOON, ["coffee"])
    mall.come(mall.register("child", BOTH, AgeBand.CHILD), NOON, ["coffee"])
    mall.come(mall.register("silent", [Purpose.VISITS]), NOON, ["coffee"])
    with Client(living.url, living.keys[Role.DEVICE]) as client:
        wait_until(lambda: client.device_tags("d")["data"])
        held = client.device_tags("d")
        assert {(tag["tag"], tag["evidence_n"]) for tag in held["data"]} == {("new", 1), ("recent", 1)}
        assert all(tag["expires_at"] > "2026-04-18" for tag in held["data"])
        assert held["rhythms"] == []
        for name in ("child", "silent", "nobody"):
            assert client.device_tags(name)["data"] == []
    for key in (living.other_key, living.keys[Role.ADMIN], living.keys[Role.VIEWER]):
        with living.client(key=key) as http:
            assert http.get("/v1/devices/d/tags").status_code == 403


def test_a_withdrawal_takes_all_of_it(living: Living, mall: Mall) -> None:
    mall.come(mall.register("d", BOTH), NOON, ["coffee"])
    with living.client(Role.DEVICE) as http:
        wait_until(lambda: http.get("/v1/devices/d/tags").json()["data"])
        assert http.put("/v1/devices/d", json={"age_band": "adult", "consents": []}).status_code == 200
        assert http.get("/v1/devices/d/tags").json() == {"device_id": "d", "data": [], "rhythms": []}
