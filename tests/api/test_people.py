"""Ids that come together, over HTTP: one person with two phones, what staff see of them, and their own look at it."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api.ports import Role
from runtime.records.schema import events, identities, identity_links, payments
from runtime.records.tenants import DEFAULT_TENANT, change_tenant
from tests.living_server import NOON, Living, campaign, consents, stay

PHONE = "+7 916 123-45-67"


def together(*ids: tuple[str, str], strength: str = "verified", minutes: float = 0) -> dict[str, Any]:
    return {
        "identities": [{"kind": kind, "value": value} for kind, value in ids],
        "strength": strength,
        "source": "app-login",
        "at": (NOON + timedelta(minutes=minutes)).isoformat(),
    }


def tell(http: httpx.Client, *ids: tuple[str, str], minutes: float = 0) -> dict[str, Any]:
    answer = http.post("/v1/identities", json=together(*ids, minutes=minutes))
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def test_somebody_with_two_phones_is_one_person_and_gets_a_card_once(living: Living) -> None:
    store = living.venue.stores[0].id
    with living.client(Role.ADMIN) as http:
        made = http.post("/v1/campaigns", json=campaign(store) | {"per_person": 1}).json()["id"]
        http.post(f"/v1/campaigns/{made}:publish")
        for phone in ("d-1", "d-2", "d-3"):
            http.put(f"/v1/devices/{phone}", json=consents("visits", "marketing"))
        one = tell(http, ("maker", "d-1"), ("app", "mall:me"))
        two = tell(http, ("maker", "d-2"), ("app", "mall:me"), minutes=1)
        assert one["person_ref"] == two["person_ref"]
        cards = [
            [
                card
                for answer in http.post("/v1/scans", json={"scans": stay(living.world, store, phone)}).json()["results"]
                for card in answer["cards"]
            ]
            for phone in ("d-1", "d-2", "d-3")
        ]
        assert [len(given) for given in cards] == [1, 0, 1]
        refused = [row for row in http.get("/v1/deliveries").json()["data"] if row["reason"] == "per_person_cap"]
        assert len(refused) == 1


def test_two_phones_of_one_person_in_one_batch_get_one_card(living: Living) -> None:
    store = living.venue.stores[0].id
    with living.client(Role.ADMIN) as http:
        made = http.post("/v1/campaigns", json=campaign(store) | {"per_person": 1}).json()["id"]
        http.post(f"/v1/campaigns/{made}:publish")
        for phone in ("d-1", "d-2"):
            http.put(f"/v1/devices/{phone}", json=consents("visits", "marketing"))
            tell(http, ("maker", phone), ("app", "mall:me"))
        scans = [scan for phone in ("d-1", "d-2") for scan in stay(living.world, store, phone, prefix=phone)]
        answers = http.post("/v1/scans", json={"scans": scans}).json()["results"]
    assert sum(len(answer["cards"]) for answer in answers) == 1


def test_taking_a_link_back_parts_them_again(living: Living) -> None:
    store = living.venue.stores[0].id
    with living.client(Role.ADMIN) as http:
        made = http.post("/v1/campaigns", json=campaign(store) | {"per_person": 1}).json()["id"]
        http.post(f"/v1/campaigns/{made}:publish")
        for phone in ("d-1", "d-2"):
            http.put(f"/v1/devices/{phone}", json=consents("visits", "marketing"))
            tell(http, ("maker", phone), ("app", "mall:me"))
        http.post("/v1/scans", json={"scans": stay(living.world, store, "d-1")})
        seen = find(http, "maker", "d-2").json()
        (link,) = [link for link in seen["links"] if sorted(link["kinds"]) == ["app", "maker"]][:1]
        undone = http.post(f"/v1/identity-links/{link['id']}:undo", json={"reason": "a lent phone"})
        assert undone.status_code == 200
        assert undone.json()["ids_moved"] >= 1
        answers = http.post("/v1/scans", json={"scans": stay(living.world, store, "d-2")}).json()["results"]
        assert sum(len(answer["cards"]) for answer in answers) == 1
        assert http.post("/v1/identity-links/lnk_none:undo", json={"reason": "a lent phone"}).status_code == 404


def find(http: httpx.Client, kind: str, value: str, purpose: str = "visits") -> httpx.Response:
    return http.post("/v1/people:find", json={"kind": kind, "value": value, "purpose": purpose})


def test_staff_see_ids_for_a_purpose_that_was_allowed_and_the_person_sees_who_looked(living: Living) -> None:
    with living.client(Role.ADMIN) as http:
        http.put("/v1/devices/d-1", json=consents("visits"))
        tell(http, ("maker", "d-1"), ("phone", PHONE), ("loyalty", "mall:42"))
        seen = find(http, "phone", "+79161234567")
        assert seen.status_code == 200
        view = seen.json()
        assert view["tier"] == "member"
        assert {one["kind"] for one in view["identities"]} == {"maker", "phone", "loyalty"}
        assert "9161234567" not in seen.text.replace(" ", "")
        refused = find(http, "phone", PHONE, "marketing")
        assert (refused.status_code, refused.json()["code"]) == (403, "purpose_not_allowed")
        assert find(http, "loyalty", "mall:43").status_code == 404
        body = {"kind": "phone", "value": PHONE}
        assert http.post("/v1/people:find", json=body).status_code == 422  # no purpose
    with living.client(Role.DEVICE) as me:
        looked = me.get("/v1/me/accesses", params={"device_id": "d-1"}).json()["data"]
    assert [(row["role"], row["purpose"], row["what"]) for row in looked] == [("admin", "visits", "identities")]


def test_nobody_sees_a_childs_ids(living: Living) -> None:
    with living.client(Role.ADMIN) as http:
        for age in ("child", "unknown"):
            http.put(f"/v1/devices/d-{age}", json=consents("visits", "marketing") | {"age_band": age})
            tell(http, ("maker", f"d-{age}"), ("app", f"mall:{age}"))
            refused = find(http, "app", f"mall:{age}")
            assert (refused.status_code, refused.json()["code"]) == (403, "purpose_not_allowed")


@pytest.mark.parametrize(
    ("ids", "field"),
    [
        ([("phone", "12")], "phone"),
        ([("phone", "8 916 123-45-67")], "phone"),  # the tenant has no region
        ([("payment", "4111 1111 1111 1111")], "payment"),
        ([("maker", "d-1"), ("loyalty", "mall:")], "loyalty"),
    ],
)
def test_what_is_no_id_is_refused_whole_and_not_repeated(
    living_module: Living, ids: list[tuple[str, str]], field: str
) -> None:
    with living_module.client(Role.ADMIN) as http:
        answer = http.post("/v1/identities", json=together(*ids))
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "invalid_identity", field)
    assert not any(value in answer.text for _, value in ids if len(value) > 2)
    with living_module.home.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(identities)).scalar() == 0


@pytest.mark.parametrize(
    "body",
    [
        together(),
        together(("shoe", "42")),
        together(("app", "")),
        together(*[("app", f"a:{n}") for n in range(9)]),
        together(("app", "mall:1")) | {"strength": "sure"},
        together(("app", "mall:1")) | {"at": "yesterday"},
        together(("app", "mall:1")) | {"extra": 1},
    ],
)
def test_bodies_that_make_no_sense_are_refused(living_module: Living, body: dict[str, Any]) -> None:
    with living_module.client(Role.ADMIN) as http:
        assert http.post("/v1/identities", json=body).status_code == 422


def test_a_phone_number_without_its_country_is_of_the_tenants(living: Living) -> None:
    with living.home.database.write() as connection:
        change_tenant(connection, DEFAULT_TENANT, "RU", None)
    with living.client(Role.ADMIN) as http:
        assert tell(http, ("phone", "8 (916) 123-45-67")) == tell(http, ("phone", PHONE))


def test_biometric_ids_are_refused_unless_tenant_and_person_switched_them_on(living: Living) -> None:
    with living.client(Role.ADMIN) as http:
        http.put("/v1/devices/d-1", json=consents("visits", "biometric"))
        http.put("/v1/devices/d-2", json=consents("visits"))
        for phone in ("d-1", "d-2"):
            refused = http.post("/v1/identities", json=together(("biometric", "b-1"), ("maker", phone)))
            assert (refused.status_code, refused.json()["code"]) == (403, "biometric_off")
        with living.home.database.write() as connection:
            change_tenant(connection, DEFAULT_TENANT, None, True)
        assert http.post("/v1/identities", json=together(("biometric", "b-1"), ("maker", "d-2"))).status_code == 403
        assert http.post("/v1/identities", json=together(("biometric", "b-1"))).status_code == 403
        assert http.post("/v1/identities", json=together(("biometric", "b-1"), ("maker", "d-1"))).status_code == 200


def test_of_a_phone_that_allowed_nothing_no_id_is_kept(living: Living) -> None:
    with living.client(Role.ADMIN) as http:
        http.put("/v1/devices/d-2", json=consents("marketing"))
        http.put("/v1/devices/d-3", json=consents("visits") | {"age_band": "child"})
        for phone in ("d-1", "d-2", "d-3"):
            refused = http.post("/v1/identities", json=together(("maker", phone)))
            assert (refused.status_code, refused.json()["code"]) == (403, "purpose_not_allowed")
            tell(http, ("maker", phone), ("app", f"mall:{phone}"))
    with living.home.database.read() as connection:
        assert set(connection.execute(sa.select(identities.c.kind)).scalars()) == {"app"}


def test_what_becomes_of_people_is_told_in_events_without_names(living: Living) -> None:
    with living.client(Role.ADMIN) as http:
        http.put("/v1/devices/d-1", json=consents("visits"))
        tell(http, ("loyalty", "mall:42"))
        tell(http, ("maker", "d-1"), ("phone", PHONE), minutes=1)
        tell(http, ("maker", "d-1"), ("loyalty", "mall:42"), minutes=2)
        told = http.get("/v1/events").json()["data"]
    assert [row["type"] for row in told] == [
        "person.created",
        "person.upgraded",
        "person.created",
        "person.upgraded",
        "person.merged",
        "person.upgraded",  # the card's owner was a fan
    ]
    assert told[-1]["data"]["kinds"] == ["loyalty", "maker", "phone"]
    with living.home.database.read() as connection:
        rows = connection.execute(sa.select(events.c.data)).scalars().all()
    assert "916" not in str(rows)
    assert "per_" not in str(rows)


def test_a_till_tells_what_it_observed_and_no_more(living: Living) -> None:
    for role in (Role.CASHIER, Role.STORE):
        with living.client(role) as http:
            refused = http.post("/v1/identities", json=together(("app", "mall:till")))
            assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
            seen = together(("loyalty", "t-1"), ("payment", "tok-1"), strength="observed")
            assert http.post("/v1/identities", json=seen).status_code == 200


@pytest.mark.parametrize(
    "at", ["1970-01-01T00:00:00Z", "2199-01-01T00:00:00Z", (NOON + timedelta(minutes=6)).isoformat()]
)
def test_evidence_of_no_time_that_could_be_is_refused(living_module: Living, at: str) -> None:
    with living_module.client(Role.ADMIN) as http:
        refused = http.post("/v1/identities", json=together(("app", "mall:time")) | {"at": at})
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (422, "invalid_evidence", "at")


def payment(living: Living, loyalty: str) -> dict[str, Any]:
    return {
        "source": "till-1",
        "receipt_id": "1",
        "store_id": living.venue.stores[0].id,
        "at": NOON.isoformat(),
        "amount": 900,
        "currency": "CNY",
        "identities": [{"kind": "loyalty", "value": loyalty}],
    }


def test_nothing_more_is_kept_of_a_child_by_whatever_id_it_comes(living: Living) -> None:
    with living.client(Role.ADMIN) as http:
        http.put("/v1/devices/d-1", json=consents("visits"))
        tell(http, ("maker", "d-1"), ("loyalty", "42"))
        http.put("/v1/devices/d-1", json=consents("visits") | {"age_band": "child"})
        for more in (("phone", PHONE), ("payment", "tok-1")):
            refused = http.post("/v1/identities", json=together(("loyalty", "42"), more))
            assert (refused.status_code, refused.json()["code"]) == (403, "purpose_not_allowed")
        assert http.post("/v1/payments", json=payment(living, "42")).status_code == 201
    with living.home.database.read() as connection:
        assert connection.execute(sa.select(payments.c.person)).scalars().all() == [None]
        assert sorted(connection.execute(sa.select(identities.c.kind)).scalars()) == ["loyalty", "maker"]


def test_who_withdraws_visits_is_no_longer_known_by_that_phone(living: Living) -> None:
    with living.client(Role.ADMIN) as http:
        http.put("/v1/devices/d-1", json=consents("visits"))
        tell(http, ("maker", "d-1"), ("app", "mall:me"))
        http.put("/v1/devices/d-1", json=consents("marketing"))
    with living.home.database.read() as connection:
        assert connection.execute(sa.select(identities.c.kind)).scalars().all() == ["app"]
        assert connection.execute(sa.select(sa.func.count()).select_from(identity_links)).scalar() == 0


def test_a_payment_stays_with_the_id_that_made_it_when_people_are_parted(living: Living) -> None:
    with living.client(Role.ADMIN) as http:
        http.put("/v1/devices/him", json=consents("visits"))
        tell(http, ("maker", "him"), ("app", "mall:him"))
        tell(http, ("app", "mall:him"), ("loyalty", "hers"), minutes=1)  # a mistake
        http.post("/v1/payments", json=payment(living, "hers")).raise_for_status()
        links = find(http, "app", "mall:him").json()["links"]
        (wrong,) = [link["id"] for link in links if "loyalty" in link["kinds"]]
        http.post(f"/v1/identity-links/{wrong}:undo", json={"reason": "not his card"}).raise_for_status()
    with living.client(Role.DEVICE) as him:
        assert him.get("/v1/me/export", params={"device_id": "him"}).json()["data"]["payments"] == []
