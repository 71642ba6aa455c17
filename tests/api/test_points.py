"""Points over HTTP: earned, redeemed, given, pooled, reversed; refusals that touch nothing; repeats once."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from api.ports import Role
from kernel.ids import DeviceId
from members.device import person_ref
from runtime.records.tenants import DEFAULT_TENANT
from tests.living_server import Living, all_rows, consents

_numbers = itertools.count()


def person_of(living: Living) -> str:
    """The ref of somebody new, whose phone is registered."""
    name = f"points-{next(_numbers)}"
    with living.client(Role.DEVICE) as phone:
        phone.put(f"/v1/devices/{name}", json=consents()).raise_for_status()
    return person_ref(DEFAULT_TENANT, DeviceId(name), living.home.keys.people)


def send(http: httpx.Client, kind: str, key: str | None = None, **body: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return http.post("/v1/points/transfers", json={"kind": kind, **body}, headers=headers)


def balance(http: httpx.Client, **whose: str) -> dict[str, Any]:
    found: dict[str, Any] = http.get("/v1/points/balance", params=whose).raise_for_status().json()
    return found


def test_from_a_purchase_to_a_bill_and_back(living_module: Living) -> None:
    person = person_of(living_module)
    with living_module.client(Role.CASHIER) as till:
        earned = send(till, "earn", person=person, paid={"amount": 25_050, "currency": "CNY"}, reference="receipt 7")
        assert (earned.status_code, earned.json()["points"], earned.json()["phase"]) == (201, 250, "done")
        has = balance(till, person=person)
        assert (has["points"], has["held"], has["worth"]) == (250, 0, {"amount": 250, "currency": "CNY"})
        assert has["next_points"] == 250
        bill = {"amount": 200, "currency": "CNY"}
        over = send(till, "redeem", person=person, points=201, bill=bill)
        assert (over.status_code, over.json()["code"], over.json()["field"]) == (422, "over_bill", "points")
        hold = send(till, "redeem", person=person, points=200, bill=bill, pending=True, hold_s=60)
        assert hold.json()["phase"] == "pending"
        assert hold.json()["until"]
        assert (balance(till, person=person)["points"], balance(till, person=person)["held"]) == (50, 200)
        path = f"/v1/points/transfers/{hold.json()['id']}"
        posted = till.post(f"{path}:post", json={"points": 150, "reason": "paid"})
        assert (posted.status_code, posted.json()["pending_id"]) == (201, hold.json()["id"])
        again = till.post(f"{path}:void")
        assert (again.status_code, again.json()["code"]) == (409, "already_resolved")
        back = till.post(f"{path}:reverse", json={"reason": "goods returned"})
        assert (back.status_code, back.json()["reverses_id"]) == (201, posted.json()["id"])
        assert till.post(f"{path}:reverse").json()["code"] == "already_reversed"
        assert balance(till, person=person)["points"] == 250
        lines = till.get("/v1/points/statement", params={"person": person, "limit": 2}).json()
        rest = till.get(
            "/v1/points/statement", params={"person": person, "limit": 50, "cursor": lines["next_cursor"]}
        ).json()
    told = [(line["kind"], line["phase"], line["points"], line["moved"]) for line in [*lines["data"], *rest["data"]]]
    assert told == [
        ("earn", "done", 250, True),
        ("redeem", "pending", -200, False),
        ("redeem", "post", -150, True),
        ("reverse", "done", 150, True),
    ]
    assert [line["reason"] for line in rest["data"]] == ["paid", "goods returned"]
    assert all(line["reason"] for line in lines["data"])
    assert rest["next_cursor"] is None


def test_a_gift_a_pool_and_a_partner(living_module: Living) -> None:
    one, other = person_of(living_module), person_of(living_module)
    with living_module.client(Role.ADMIN) as admin, living_module.client(Role.CASHIER) as till:
        assert admin.put("/v1/points/pools/family", json={"members": [one, other]}).json()["opened"]
        assert not admin.put("/v1/points/pools/family", json={"members": [one, other]}).json()["opened"]
        assert admin.put("/v1/points/partners/bank").json()["opened"]
        assert send(till, "earn", person=one, points=10, partner="bank").json()["code"] == "insufficient_points"
        funded = send(admin, "fund", partner="bank", points=300)
        assert funded.status_code == 201
        undone = till.post(f"/v1/points/transfers/{funded.json()['id']}:reverse")
        assert (undone.status_code, undone.json()["code"]) == (403, "not_allowed")
        assert send(till, "earn", person=one, points=300, partner="bank").status_code == 201
        assert send(till, "gift", person=one, to=other, points=50).status_code == 201
        assert send(till, "pool", person=one, pool="family", points=100).status_code == 201
        assert send(till, "pool", person=other, pool="family", points=20, direction="out").status_code == 201
        assert send(till, "redeem", person=other, pool="family", points=30).status_code == 201
        left = [balance(till, person=one), balance(till, person=other), balance(till, pool="family")]
        assert [has["points"] for has in left] == [150, 70, 50]
        assert balance(till, partner="bank")["points"] == 0
        pooled = all_rows(till, "/v1/points/statement", pool="family")
        assert [line["points"] for line in pooled] == [100, -20, -30]


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"kind": "earn", "points": -1}, 422, "invalid_field", "points"),
        ({"kind": "earn", "points": 0}, 422, "invalid_field", "points"),
        ({"kind": "earn", "points": 1.5}, 422, "invalid_field", "points"),
        ({"kind": "earn", "points": "10"}, 422, "invalid_field", "points"),
        ({"kind": "earn", "points": 10**12}, 422, "invalid_field", "points"),
        ({"kind": "earn", "points": 10**9}, 409, "points_limit", None),
        ({"kind": "earn"}, 422, "invalid_transfer", "points"),
        ({"kind": "earn", "points": 1, "paid": {"amount": 5, "currency": "CNY"}}, 422, "invalid_transfer", "points"),
        ({"kind": "earn", "paid": {"amount": 500, "currency": "RUB"}}, 422, "wrong_currency", "currency"),
        ({"kind": "earn", "paid": {"amount": -500, "currency": "CNY"}}, 422, "invalid_field", "paid.amount"),
        ({"kind": "earn", "paid": {"amount": 99, "currency": "CNY"}}, 422, "invalid_transfer", "paid.amount"),
        ({"kind": "earn", "points": 1, "person": "per_nobody"}, 404, "unknown_account", None),
        ({"kind": "earn", "points": 1, "person": "Ann"}, 422, "invalid_field", "person"),
        ({"kind": "earn", "points": 1, "partner": "nobody"}, 404, "unknown_account", None),
        ({"kind": "earn", "points": 1, "to": "per_x"}, 422, "invalid_transfer", "to"),
        ({"kind": "redeem", "points": 1}, 409, "insufficient_points", None),
        ({"kind": "redeem", "points": 1, "bill": {"amount": 5, "currency": "USD"}}, 422, "wrong_currency", "currency"),
        ({"kind": "gift", "points": 1}, 422, "invalid_transfer", "to"),
        ({"kind": "pool", "points": 1, "pool": "nowhere"}, 404, "unknown_account", None),
        ({"kind": "expire", "points": 1}, 422, "invalid_field", "kind"),
        ({"kind": "earn", "points": 1, "hold_s": 5}, 422, "invalid_transfer", "hold_s"),
        ({"kind": "earn", "points": 1, "pending": True, "hold_s": 10**7}, 422, "invalid_transfer", "hold_s"),
        ({"kind": "earn", "points": 1, "reason": " "}, 422, "invalid_field", "reason"),
        ({"kind": "earn", "points": 1, "pionts": 2}, 422, "invalid_field", "pionts"),
        ({"kind": "fund", "points": 1, "partner": "bank", "person": None}, 403, "not_allowed", None),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_moves(
    living_module: Living, body: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    person = person_of(living_module)
    with living_module.client(Role.CASHIER) as till:
        answer = till.post("/v1/points/transfers", json={"person": person, **body})
        assert (answer.status_code, answer.json()["code"], answer.json().get("field")) == (status, code, field)
        assert balance(till, person=person)["points"] == 0
        assert all_rows(till, "/v1/points/statement", person=person) == []


def test_a_repeat_gets_the_first_answer_however_many_come_at_once(living_module: Living) -> None:
    person = person_of(living_module)

    def earn(_: int) -> httpx.Response:
        with living_module.client(Role.CASHIER) as till:
            return send(till, "earn", key=f"k-{person}", person=person, points=10)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(earn, range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 7
    with living_module.client(Role.CASHIER) as till:
        assert balance(till, person=person)["points"] == 10
        other = send(till, "earn", key=f"k-{person}", person=person, points=11)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


def test_points_are_spent_once_however_many_tills_try(living_module: Living) -> None:
    person = person_of(living_module)
    with living_module.client(Role.CASHIER) as till:
        send(till, "earn", person=person, points=100)

    def redeem(_: int) -> int:
        with living_module.client(Role.CASHIER) as till:
            return send(till, "redeem", person=person, points=30).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(redeem, range(8)))
    assert sorted(statuses) == [201] * 3 + [409] * 5


def test_only_cashiers_and_admins_move_points_or_see_them(living_module: Living) -> None:
    person = person_of(living_module)
    for role in Role:
        with living_module.client(role) as http:
            may = role in {Role.CASHIER, Role.ADMIN}
            assert send(http, "earn", person=person, points=1).status_code == (201 if may else 403), role
            for path in ("balance", "statement"):
                seen = http.get(f"/v1/points/{path}", params={"person": person})
                assert seen.status_code == (200 if may else 403), role
            opened = http.put("/v1/points/partners/shop")
            assert opened.status_code == (200 if role is Role.ADMIN else 403), role
    with living_module.client() as nobody:
        assert send(nobody, "earn", person=person, points=1).status_code == 401
    with living_module.client(key=living_module.other_key) as other:
        assert send(other, "earn", person=person, points=1).json()["code"] == "unknown_account"
        assert other.get("/v1/points/balance", params={"person": person}).status_code == 404


def test_one_account_is_asked_for_at_a_time(living_module: Living) -> None:
    with living_module.client(Role.CASHIER) as till:
        for asked in ({}, {"person": "per_a", "pool": "b"}):
            assert till.get("/v1/points/balance", params=asked).json()["field"] == "person"
        assert till.get("/v1/points/statement", params={"pool": "nowhere"}).json()["code"] == "unknown_account"


def test_what_moved_is_told_as_an_event_under_a_pseudonym(living_module: Living) -> None:
    person = person_of(living_module)
    with living_module.client(Role.CASHIER) as till:
        done = send(till, "earn", person=person, points=12, reason="for Ann", reference="Ann").json()
    with living_module.client(Role.MARKETER) as http:
        rows = all_rows(http, "/v1/events", type="points.moved")
    (event,) = (row for row in rows if row["data"]["transfer_id"] == done["id"])
    assert event["data"] == {"transfer_id": done["id"], "kind": "earn", "points": 12}
    assert event["person_ref"] != person
    assert "Ann" not in str(rows)
