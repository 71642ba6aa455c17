"""Who gets in: no key, a wrong role, another tenant; pseudonyms that cannot be joined."""

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from api.access import MAY
from api.ports import Role
from runtime.records.schema import api_keys
from tests.living_server import Living, all_rows, campaign, consents, stay, wait_until

CALLS: list[tuple[str, str, str]] = [
    ("POST", "/v1/scans", "locate"),
    ("PUT", "/v1/devices/d-1", "register"),
    ("GET", "/v1/venues/demo/stores", "see_stores"),
    ("GET", "/v1/wake-sets", "locate"),
    ("GET", "/v1/devices/d-1/tags", "see_own"),
    ("GET", "/v1/visits", "read"),
    ("GET", "/v1/tags", "read"),
    ("GET", "/v1/events", "read"),
    ("GET", "/v1/deliveries", "read"),
    ("GET", "/v1/coupons", "read"),
    ("GET", "/v1/campaigns", "read"),
    ("GET", "/v1/zones", "read"),
    ("POST", "/v1/campaigns", "write_campaigns"),
    ("POST", "/v1/zones", "write_campaigns"),
    ("POST", "/v1/campaigns/cmp_x:publish", "publish"),
    ("POST", "/v1/campaigns/cmp_x:pause", "publish"),
    ("POST", "/v1/redemptions", "redeem"),
    ("POST", "/v1/identities", "identify"),
    ("POST", "/v1/people:find", "see_people"),
    ("POST", "/v1/identity-links/lnk_x:undo", "see_people"),
    ("GET", "/v1/me/accesses", "see_own"),
    ("GET", "/v1/me/export", "see_own"),
    ("DELETE", "/v1/me", "see_own"),
    ("GET", "/v1/payments", "read"),
    ("POST", "/v1/payments", "write_payments"),
    ("POST", "/v1/payments/pay_x:refund", "write_payments"),
    ("POST", "/v1/payments/pay_x:complain", "write_payments"),
    ("POST", "/v1/points/transfers", "move_points"),
    ("POST", "/v1/points/transfers/ptr_x:post", "move_points"),
    ("POST", "/v1/points/transfers/ptr_x:void", "move_points"),
    ("POST", "/v1/points/transfers/ptr_x:reverse", "move_points"),
    ("GET", "/v1/points/balance", "move_points"),
    ("GET", "/v1/points/statement", "move_points"),
    ("PUT", "/v1/points/pools/pool_x", "open_points"),
    ("PUT", "/v1/points/partners/partner_x", "open_points"),
    ("GET", "/v1/webhooks", "see_webhooks"),
    ("POST", "/v1/webhooks", "write_webhooks"),
    ("GET", "/v1/webhooks/whk_x", "see_webhooks"),
    ("DELETE", "/v1/webhooks/whk_x", "write_webhooks"),
    ("POST", "/v1/webhooks/whk_x:enable", "write_webhooks"),
    ("POST", "/v1/webhooks/whk_x:test", "write_webhooks"),
]

NAMES = (
    ("d-1", "{device_id}"),
    ("/demo/", "/{venue_id}/"),
    ("cmp_x", "{campaign_id}"),
    ("whk_x", "{webhook_id}"),
    ("lnk_x", "{link_id}"),
    ("pay_x", "{payment_id}"),
    ("ptr_x", "{transfer_id}"),
    ("pool_x", "{pool}"),
    ("partner_x", "{partner}"),
)

EVENTS_OUT = {"open", "type", "from", "last-event-id"}
"""What visits and events are asked by."""
WAKE_SET = {"kind", "radio", "if-none-match"}
"""What a wake set is asked by, beside its venue: radios, no person."""
TAGS = {"tag"}
"""What tags are asked by, beside their venue: what is said, never of whom."""
POINTS = {"person", "pool", "partner", "transfer_id"}
"""What points are asked by. They alone are asked for by person: what they tell holds no place."""


@pytest.mark.parametrize(("method", "path", "deed"), CALLS)
def test_each_call_is_open_to_its_roles_alone(living_module: Living, method: str, path: str, deed: str) -> None:
    with living_module.client() as nobody:
        refused = nobody.request(method, path, json={})
        assert (refused.status_code, refused.json()["code"]) == (401, "key_invalid")
        assert "bearer" in refused.headers["www-authenticate"].lower()
        wrong = nobody.request(method, path, json={}, headers={"Authorization": "Bearer atrium_admin_guess"})
        assert wrong.status_code == 401
    for role in Role:
        with living_module.client(role) as http:
            status = http.request(method, path, json={}).status_code
        assert (status == 403) is (role not in MAY[deed]), (role, status)
        assert status != 401


def test_all_calls_are_in_the_list_above(living_module: Living) -> None:
    with living_module.client() as http:
        paths = http.get("/openapi.json").json()["paths"]
    open_to_all = {("GET", "/v1/health"), ("POST", "/v1/geolocate"), ("POST", "/geolocation/v1/geolocate")}
    described = {(method.upper(), path) for path, calls in paths.items() for method in calls} - open_to_all
    listed = {
        (method, functools.reduce(lambda text, name: text.replace(*name), NAMES, path)) for method, path, _ in CALLS
    }
    assert described == listed | {("GET", "/v1/campaigns/{campaign_id}")}


def test_another_tenant_sees_and_changes_nothing(living: Living) -> None:
    store = living.venue.stores[0].id
    with living.client(Role.ADMIN) as http:
        campaign_id = http.post("/v1/campaigns", json=campaign(store)).json()["id"]
        http.post(f"/v1/campaigns/{campaign_id}:publish")
        http.put("/v1/devices/d-1", json=consents("visits", "marketing"))
        answers = http.post("/v1/scans", json={"scans": stay(living.world, store, "d-1")}).json()["results"]
    code = next(card["coupon"]["code"] for answer in answers for card in answer["cards"])
    with living.client(key=living.other_key) as other:
        for path in (
            "/v1/visits",
            "/v1/events",
            "/v1/tags",
            "/v1/deliveries",
            "/v1/coupons",
            "/v1/campaigns",
            "/v1/zones",
        ):
            assert other.get(path).json()["data"] == []
        assert other.get(f"/v1/campaigns/{campaign_id}").status_code == 404
        assert other.post(f"/v1/campaigns/{campaign_id}:pause").status_code == 404
        assert other.get("/v1/venues/demo/stores").status_code == 404
        assert other.post("/v1/campaigns", json=campaign(store)).status_code == 422
        assert other.post("/v1/redemptions", json={"code": code, "store_id": store}).status_code == 404
        scan = stay(living.world, store, "d-1", n=1)[0]
        assert other.post("/v1/scans", json=scan).json()["reason"] == "unknown_radio"
    with living.client(Role.ADMIN) as http:
        assert http.get(f"/v1/campaigns/{campaign_id}").json()["status"] == "live"


def test_each_reader_sees_a_person_under_another_name(living: Living) -> None:
    store = living.venue.stores[0].id
    with living.client(Role.ADMIN) as http:
        http.put("/v1/devices/d-1", json=consents("visits"))
        http.post("/v1/scans", json={"scans": stay(living.world, store, "d-1")})
    seen = []
    for role in (Role.VIEWER, Role.MARKETER):
        with living.client(role) as http:
            names = {row["person_ref"] for row in all_rows(http, "/v1/visits")}
            assert len(names) == 1
            assert names == {row["person_ref"] for row in all_rows(http, "/v1/events")}
            seen.append(names.pop())
    assert seen[0] != seen[1]


def test_no_list_of_places_can_be_filtered_by_person(living_module: Living) -> None:
    with living_module.client() as http:
        paths = http.get("/openapi.json").json()["paths"]
    of_points = {path: calls for path, calls in paths.items() if path.startswith("/v1/points/")}
    of_others = {path: calls for path, calls in paths.items() if path not in of_points}
    ids = {"device_id", "campaign_id", "venue_id", "webhook_id", "link_id", "payment_id"}
    assert _parameters(of_others) == ids | {"limit", "cursor", "idempotency-key"} | EVENTS_OUT | WAKE_SET | TAGS
    assert _parameters(of_points) == POINTS | {"limit", "cursor", "idempotency-key"}


def _parameters(paths: dict[str, Any]) -> set[str]:
    names: Iterator[str] = itertools.chain.from_iterable(
        (parameter["name"] for parameter in call.get("parameters", []))
        for calls in paths.values()
        for call in calls.values()
    )
    return set(names)


@pytest.mark.parametrize("cursor", ["x", "AAAA", "%00", "MTIz", "9" * 600])
def test_a_cursor_that_is_not_ours_is_refused(living_module: Living, cursor: str) -> None:
    with living_module.client(Role.VIEWER) as http:
        for path in ("/v1/visits", "/v1/tags", "/v1/deliveries", "/v1/coupons", "/v1/payments", "/v1/campaigns"):
            answer = http.get(path, params={"cursor": cursor})
            assert (answer.status_code, answer.json().get("field")) == (422, "cursor"), answer.text


def test_a_cursor_of_one_list_is_refused_by_every_other(living: Living) -> None:
    store = living.venue.stores[0].id
    with living.client(Role.ADMIN) as http:
        for _ in range(2):
            made = http.post("/v1/campaigns", json=campaign(store)).json()
            http.post(f"/v1/campaigns/{made['id']}:publish")
        http.put("/v1/devices/d-1", json=consents("visits", "marketing"))
        http.post("/v1/scans", json={"scans": stay(living.world, store, "d-1")}).raise_for_status()
        paths = ("/v1/visits", "/v1/events", "/v1/deliveries", "/v1/coupons", "/v1/campaigns")
        cursors = {path: http.get(path, params={"limit": 1}).json()["next_cursor"] for path in paths}
        assert None not in cursors.values()
        statuses = {
            (path, of): http.get(path, params={"cursor": cursor}).status_code
            for path in paths
            for of, cursor in cursors.items()
        }
    assert statuses == {(path, of): 200 if path == of else 422 for path in paths for of in paths}


def test_a_revoked_key_is_soon_refused(living: Living) -> None:
    with living.client(Role.VIEWER) as http:
        assert http.get("/v1/visits").status_code == 200
        with living.home.database.write() as connection:
            connection.execute(api_keys.update().where(api_keys.c.role == "viewer").values(revoked_us=1))
        wait_until(lambda: http.get("/v1/visits").status_code == 401, 5)
