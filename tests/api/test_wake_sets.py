"""Wake sets over the real API: what is in them, how they are kept, and who gets none."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from api.ports import Role
from atrium_client import AsyncClient, Client, NotFound
from kernel.ids import TransmitterId, VenueId
from runtime.models import load_model
from runtime.records.tenants import DEFAULT_TENANT
from tests.living_server import Living

PATH = "/v1/wake-sets"


@pytest.fixture(scope="module")
def phone(living_module: Living) -> Iterator[httpx.Client]:
    with living_module.client(Role.DEVICE) as http:
        yield http


def name_of(item: dict[str, object]) -> str:
    return f"ib:{item['uuid']}:{item['major']}:{item['minor']}" if item["uuid"] else str(item["bssid"])


def test_a_set_names_transmitters_of_the_radio_map_and_places_of_the_map(
    living_module: Living, phone: httpx.Client
) -> None:
    model = load_model(living_module.home, living_module.venue.id)
    openings = {opening.id for opening in living_module.venue.openings}
    stores = {store.id for store in living_module.venue.stores}
    for kind, known in (("entrance", openings), ("store", stores)):
        body = phone.get(PATH, params={"venue_id": "demo", "kind": kind, "limit": 16}).json()
        assert 1 <= len(body["transmitters"]) <= 16
        assert len({name_of(item) for item in body["transmitters"]}) == len(body["transmitters"])
        for item in body["transmitters"]:
            assert TransmitterId(name_of(item)) in model.radio_map.index
            assert -100 <= item["threshold_dbm"] <= -30
        assert body["covered"]
        assert {place["id"] for place in body["covered"]} <= known
        assert 0.3 < body["recall"] <= 1.0
        assert 0.0 <= body["false_share"] < 1.0
        assert 0.0 < body["awake_share"] <= 1.0


def test_a_limit_is_kept_and_more_transmitters_lose_no_recall(phone: httpx.Client) -> None:
    few, many = (phone.get(PATH, params={"venue_id": "demo", "kind": "store", "limit": n}).json() for n in (2, 20))
    assert len(few["transmitters"]) == 2
    assert many["transmitters"][:2] != []
    assert [name_of(item) for item in many["transmitters"][:2]] == [name_of(item) for item in few["transmitters"]]
    assert many["recall"] > few["recall"]


def test_beacons_alone_are_given_to_who_can_watch_nothing_else(phone: httpx.Client) -> None:
    beacons = phone.get(PATH, params={"venue_id": "demo", "kind": "store", "radio": "beacon"}).json()["transmitters"]
    wifi = phone.get(PATH, params={"venue_id": "demo", "kind": "store", "radio": "wifi"}).json()["transmitters"]
    assert beacons
    assert all(item["uuid"] and item["major"] is not None and item["bssid"] is None for item in beacons)
    assert all(item["bssid"] and item["uuid"] is None for item in wifi)


def test_a_set_that_is_as_it_was_is_not_sent_again(phone: httpx.Client) -> None:
    first = phone.get(PATH, params={"venue_id": "demo"})
    assert "max-age=" in first.headers["cache-control"]
    assert "private" in first.headers["cache-control"]
    assert first.headers["vary"] == "Authorization", "one client may hold keys of two tenants"
    tag = first.headers["etag"]
    for header in (tag, f'"other", W/{tag}', "*"):
        again = phone.get(PATH, params={"venue_id": "demo"}, headers={"If-None-Match": header})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert phone.get(PATH, params={"venue_id": "demo"}, headers={"If-None-Match": '"other"'}).status_code == 200
    other = phone.get(PATH, params={"venue_id": "demo", "limit": 3}, headers={"If-None-Match": tag})
    assert other.status_code == 200
    assert other.headers["etag"] != tag


def test_a_new_model_changes_the_tag_and_none_is_a_conflict(living: Living) -> None:
    path = living.home.venues.model_path(DEFAULT_TENANT, VenueId("demo"))
    with living.client(Role.DEVICE) as http:
        tag = http.get(PATH, params={"venue_id": "demo"}).headers["etag"]
        living.home.venues.save_model(DEFAULT_TENANT, VenueId("demo"), path.read_bytes())
        assert http.get(PATH, params={"venue_id": "demo"}, headers={"If-None-Match": tag}).status_code == 304
        path.write_bytes(path.read_bytes())  # another model, whatever it says
        assert http.get(PATH, params={"venue_id": "demo"}, headers={"If-None-Match": tag}).headers["etag"] != tag
        path.unlink()
        refused = http.get(PATH, params={"venue_id": "demo"})
    assert (refused.status_code, refused.json()["code"]) == (409, "untrained_venue")


def test_what_cannot_be_answered_is_refused(living_module: Living, phone: httpx.Client) -> None:
    unknown = phone.get(PATH, params={"venue_id": "nosuch"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    with living_module.client(key=living_module.other_key) as other:
        assert other.get(PATH, params={"venue_id": "demo"}).status_code == 404
    odd: list[tuple[str, dict[str, str | int]]] = [
        ("limit", {"venue_id": "demo", "limit": 0}),
        ("limit", {"venue_id": "demo", "limit": 101}),
        ("kind", {"venue_id": "demo", "kind": "toilet"}),
        ("venue_id", {"kind": "store"}),
    ]
    for field, params in odd:
        refused = phone.get(PATH, params=params)
        assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (422, "invalid_field", field)


def test_both_clients_get_the_same_set(living_module: Living) -> None:
    key = living_module.keys[Role.DEVICE]
    with Client(living_module.url, key) as client:
        told = client.wake_sets("demo", kind="store", radio="beacon", limit=5)
        with pytest.raises(NotFound):
            client.wake_sets("nosuch")

    async def ask() -> object:
        async with AsyncClient(living_module.url, key) as client:
            return await client.wake_sets("demo", kind="store", radio="beacon", limit=5)

    assert len(told["transmitters"]) == 5
    assert asyncio.run(ask()) == told
