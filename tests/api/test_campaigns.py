"""Campaigns, zones and coupons over HTTP: refusals with their field, budgets exact, redemption once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api.ports import Role
from tests.living_server import Living, all_rows, campaign, consents, stay


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"budget": 0}, "budget"),
        ({"budget": "ten"}, "budget"),
        ({"budget": None}, "budget"),
        ({"per_person": 0}, "per_person"),
        ({"starts_at": "yesterday"}, "starts_at"),
        ({"starts_at": "2026-01-01T00:00:00"}, "starts_at"),
        ({"ends_at": "2025-01-01T00:00:00Z"}, "ends_at"),
        ({"target": {"kind": "store", "id": "st_nowhere"}}, "target.id"),
        ({"target": {"kind": "shelf", "id": "x"}}, "target.kind"),
        ({"target": {"kind": "zone", "id": "zon_none"}}, "target.id"),
        ({"venue_id": "nowhere"}, "venue_id"),
        ({"trigger": {"on": "dwell"}}, "trigger.dwell_s"),
        ({"trigger": {"on": "enter", "dwell_s": 10}}, "trigger.dwell_s"),
        ({"trigger": {"on": "enter", "min_confidence": 1.1}}, "trigger.min_confidence"),
        ({"offer": {"kind": "percentage", "value": 101, "valid_s": 60}}, "offer.value"),
        ({"offer": {"kind": "amount", "value": 500, "valid_s": 60}}, "offer.currency"),
        ({"offer": {"kind": "percentage", "value": 10.5, "valid_s": 60}}, "offer.value"),
        ({"card": {"title": "x", "action_url": "javascript:alert(1)"}}, "card.action_url"),
        ({"card": {"title": "x", "action_url": "https://a.example/\nSet-Cookie: a=b"}}, "card.action_url"),
        ({"card": {"title": "x", "action_url": "https://a.example/x\n"}}, "card.action_url"),
        ({"card": {"title": "x", "action_url": "https://a.example/a b"}}, "card.action_url"),
        ({"bugdet": 5}, "bugdet"),
    ],
)
def test_a_senseless_campaign_is_refused_with_its_field(
    living_module: Living, change: dict[str, Any], field: str
) -> None:
    body = campaign(living_module.venue.stores[0].id) | change
    with living_module.client(Role.MARKETER) as http:
        answer = http.post("/v1/campaigns", json=body)
        listed = http.get("/v1/campaigns").json()["data"]
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field
    assert listed == []


def test_a_campaign_lives_from_draft_to_paused(living: Living) -> None:
    with living.client(Role.MARKETER) as http:
        made = http.post("/v1/campaigns", json=campaign(living.venue.stores[0].id))
        assert (made.status_code, made.json()["status"]) == (201, "draft")
        path = f"/v1/campaigns/{made.json()['id']}"
        early = http.post(f"{path}:pause")
        assert (early.status_code, early.json()["code"]) == (409, "campaign_state")
        assert http.post(f"{path}:publish").json()["status"] == "live"
        assert http.post(f"{path}:publish").json()["status"] == "live"
        assert http.post(f"{path}:pause").json()["status"] == "paused"
        held = http.get(path).json()
        assert (held["given"], held["budget"], held["status"]) == (0, 100, "paused")
        assert http.get("/v1/campaigns/cmp_none").status_code == 404


def arrive(living: Living, store: str, names: list[str]) -> list[dict[str, Any]]:
    """Let phones with consent stay in a store; the cards they get."""
    cards = []
    with living.client(Role.DEVICE) as phone:
        for name in names:
            phone.put(f"/v1/devices/{name}", json=consents("visits", "marketing")).raise_for_status()
        for name in names:
            answers = phone.post("/v1/scans", json={"scans": stay(living.world, store, name)}).json()["results"]
            cards += [card for answer in answers for card in answer["cards"]]
    return cards


def publish(living: Living, body: dict[str, Any]) -> str:
    with living.client(Role.MARKETER) as http:
        campaign_id: str = http.post("/v1/campaigns", json=body).raise_for_status().json()["id"]
        http.post(f"/v1/campaigns/{campaign_id}:publish").raise_for_status()
    return campaign_id


def test_a_budget_is_given_exactly_and_each_refusal_has_its_reason(living: Living) -> None:
    store = living.venue.stores[0].id
    campaign_id = publish(living, campaign(store, budget=3))
    names = [f"d-{i}" for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        cards = [card for got in pool.map(lambda name: arrive(living, store, [name]), names) for card in got]
    with living.client(Role.MARKETER) as http:
        deliveries = all_rows(http, "/v1/deliveries")
        coupons = all_rows(http, "/v1/coupons")
        given = http.get(f"/v1/campaigns/{campaign_id}").json()["given"]
        types = [event["type"] for event in all_rows(http, "/v1/events")]
    assert len(cards) == len(coupons) == given == 3
    assert sorted(coupon["sequence"] for coupon in coupons) == [1, 2, 3]
    assert types.count("coupon.issued") == 3
    reasons = [row["reason"] for row in deliveries]
    assert reasons.count("delivered") == 3
    assert reasons.count("budget_spent") == types.count("delivery.suppressed") == 5
    assert all(row["explanation"] for row in deliveries)


def test_a_paused_campaign_is_silent_at_once_and_its_coupons_stay_good(living: Living) -> None:
    store = living.venue.stores[0].id
    campaign_id = publish(living, campaign(store))
    (card,) = arrive(living, store, ["d-1"])
    with living.client(Role.MARKETER) as http:
        http.post(f"/v1/campaigns/{campaign_id}:pause")
    assert arrive(living, store, ["d-2"]) == []
    with living.client(Role.CASHIER) as till:
        done = till.post("/v1/redemptions", json={"code": card["coupon"]["code"], "store_id": store})
    assert done.status_code == 201


def test_a_zone_of_stores_can_be_aimed_at(living: Living) -> None:
    first, second, third = (store.id for store in living.venue.stores[:3])
    with living.client(Role.MARKETER) as http:
        bad = http.post("/v1/zones", json={"name": "x", "venue_id": "demo", "store_ids": ["st_no"]})
        assert (bad.status_code, bad.json()["field"]) == (422, "store_ids[0]")
        zone = http.post("/v1/zones", json={"name": "Shoes", "venue_id": "demo", "store_ids": [first, second]})
        assert zone.status_code == 201
        assert http.get("/v1/zones").json()["data"] == [zone.json()]
    publish(living, campaign(first, target={"kind": "zone", "id": zone.json()["id"]}))
    (card,) = arrive(living, first, ["d-1"])
    assert arrive(living, third, ["d-2"]) == []
    with living.client(Role.CASHIER) as till:
        for store, status in ((third, 409), ("no_such_store", 409), (second, 201)):
            answer = till.post("/v1/redemptions", json={"code": card["coupon"]["code"], "store_id": store})
            assert answer.status_code == status


def test_a_coupon_is_redeemed_once_however_many_tills_try(living: Living) -> None:
    store, other = living.venue.stores[0].id, living.venue.stores[1].id
    publish(living, campaign(store))
    (card,) = arrive(living, store, ["d-1"])
    code = card["coupon"]["code"]
    with living.client(Role.CASHIER) as till:
        wrong = till.post("/v1/redemptions", json={"code": code, "store_id": other})
        unknown = till.post("/v1/redemptions", json={"code": "0000-0000-0000", "store_id": store})
        with ThreadPoolExecutor(8) as pool:
            tries = list(
                pool.map(lambda _: till.post("/v1/redemptions", json={"code": code, "store_id": store}), range(16))
            )
    assert (wrong.status_code, wrong.json()["code"]) == (409, "wrong_store")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_code")
    assert sorted(answer.status_code for answer in tries) == [201] + [409] * 15
    assert {answer.json().get("code") for answer in tries} == {None, "already_redeemed"}
    with living.client(Role.MARKETER) as http:
        assert [row["status"] for row in all_rows(http, "/v1/coupons")] == ["redeemed"]


def test_a_repeated_redemption_with_its_key_gets_the_first_answer(living: Living) -> None:
    store = living.venue.stores[0].id
    publish(living, campaign(store))
    (card,) = arrive(living, store, ["d-1"])
    body, key = {"code": card["coupon"]["code"], "store_id": store}, {"Idempotency-Key": "till-7"}
    with living.client(Role.CASHIER) as till:
        first = till.post("/v1/redemptions", json=body, headers=key)
        again = till.post("/v1/redemptions", json=body, headers=key)
        mixed = till.post("/v1/redemptions", json=body | {"store_id": "st_x"}, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert (mixed.status_code, mixed.json()["code"]) == (422, "idempotency_mismatch")


def test_an_expired_coupon_is_gone(living: Living) -> None:
    store = living.venue.stores[0].id
    publish(living, campaign(store, offer={"kind": "gift", "valid_s": 60}))
    (card,) = arrive(living, store, ["d-1"])
    with living.client(Role.DEVICE) as phone:  # the clock of events moves with the scans
        phone.post("/v1/scans", json={"at": "2026-04-18T06:00:00Z", "device_id": "d-1"})
    with living.client(Role.CASHIER) as till:
        answer = till.post("/v1/redemptions", json={"code": card["coupon"]["code"], "store_id": store})
    assert (answer.status_code, answer.json()["code"]) == (410, "expired")
