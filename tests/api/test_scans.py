"""``POST /v1/scans`` on a real server: forms, order, faults in place, repeats, consents."""

import gzip
import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from api.ports import Role
from atrium_client import Client
from tests.living_server import NOON, Living, all_rows, consents, stay


def first_store(living: Living) -> str:
    return living.venue.stores[0].id


def test_json_ndjson_and_msgpack_give_the_same_answers_in_order(living_module: Living) -> None:
    scans = stay(living_module.world, first_store(living_module), None, n=3)  # type: ignore[arg-type]
    with living_module.client(Role.DEVICE) as http:
        batch = http.post("/v1/scans", json={"scans": scans}).json()["results"]
        alone = [http.post("/v1/scans", json=scan).json() for scan in scans]
        lines = http.post(
            "/v1/scans",
            content="\n".join(json.dumps(scan) for scan in scans),
            headers={"Content-Type": "application/x-ndjson"},
        )
        packed = http.post(
            "/v1/scans",
            content=msgspec.msgpack.encode({"scans": scans}),
            headers={"Content-Type": "application/msgpack"},
        )
        zipped = http.post(
            "/v1/scans", content=gzip.compress(json.dumps(scans[0]).encode()), headers={"Content-Encoding": "gzip"}
        )
    assert [answer["scan_id"] for answer in batch] == ["s-0", "s-1", "s-2"]
    assert batch == alone == [json.loads(line) for line in lines.text.splitlines()]
    assert msgspec.msgpack.decode(packed.content)["results"] == batch
    assert zipped.json() == batch[0]
    assert batch[0]["position"]["venue_id"] == "demo"
    assert batch[0]["scene"] is None
    assert batch[0]["cards"] == []


def test_a_bad_scan_is_answered_in_its_place_and_alone_it_is_422(living_module: Living) -> None:
    good = stay(living_module.world, first_store(living_module), None, n=1)[0]  # type: ignore[arg-type]
    bad: dict[str, Any] = {"scan_id": "bad", "at": "2026-04-18T04:00:00Z", "wifi": [{"bssid": 7, "rssi_dbm": -40}]}
    with living_module.client(Role.DEVICE) as http:
        batch = http.post("/v1/scans", json={"scans": [good, bad, good | {"at": "2026-04-18T04:00:00"}]})
        alone = http.post("/v1/scans", json=bad)
    assert batch.status_code == 200
    one, two, three = batch.json()["results"]
    assert one["position"] is not None
    assert two == {"scan_id": "bad", "error": two["error"]}
    assert (two["error"]["status"], two["error"]["field"]) == (422, "wifi[0].bssid")
    assert (three["error"]["code"], three["error"]["field"]) == ("invalid_time", "at")
    assert alone.status_code == 422
    assert alone.headers["content-type"] == "application/problem+json"
    assert alone.json()["field"] == "wifi[0].bssid"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_body"),
        (b"{", 400, "malformed_body"),
        (b"\xff\xfe", 400, "malformed_body"),
        (b'{"at": NaN}', 400, "malformed_body"),
        (b"[" * 100_000, 400, "malformed_body"),
        (b'{"scans": ' + b"[" * 50_000, 400, "malformed_body"),
        (b"[]", 400, "malformed_body"),
        (b'{"scans": 3}', 400, "malformed_body"),
        (b'{"scans": [' + b"{}," * 1000 + b"{}]}", 413, "too_large"),
        (b'{"wifi": []}', 422, "invalid_scan"),
        (b'{"at": 1e300}', 422, "invalid_time"),
        (b'{"at": "2026-04-18T04:00:00"}', 422, "invalid_time"),
        (b'{"at": 1, "scan_id": ""}', 422, "invalid_scan"),
        (b'{"at": 1, "truth": {"lat": 91, "lng": 0}}', 422, "invalid_scan"),
        (b" " * (16 * 1024 * 1024 + 1), 413, "too_large"),
    ],
)
def test_bad_bodies_get_a_clear_problem(living_module: Living, body: bytes, status: int, code: str) -> None:
    with living_module.client(Role.DEVICE) as http:
        answer = http.post("/v1/scans", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text[:300]
    assert "Traceback" not in answer.text


def test_odd_encodings_are_refused(living_module: Living) -> None:
    with living_module.client(Role.DEVICE) as http:
        assert http.post("/v1/scans", content=b"x", headers={"Content-Type": "text/csv"}).status_code == 415
        assert http.post("/v1/scans", content=b"x", headers={"Content-Encoding": "br"}).status_code == 415
        cut = gzip.compress(b'{"at": 1}')[:-4]
        assert http.post("/v1/scans", content=cut, headers={"Content-Encoding": "gzip"}).status_code == 400
        bomb = gzip.compress(b" " * (17 * 1024 * 1024))
        assert http.post("/v1/scans", content=bomb, headers={"Content-Encoding": "gzip"}).status_code == 413


def test_no_answer_is_told_from_failure(living_module: Living) -> None:
    with living_module.client(Role.DEVICE) as http:
        empty = http.post("/v1/scans", json={"at": 1_776_484_800_000}).json()
        strange = http.post(
            "/v1/scans",
            json={
                "at": 1_776_484_800_000,
                "wifi": [{"bssid": f"02:00:00:00:00:0{i}", "rssi_dbm": -50} for i in range(9)],
            },
        ).json()
    assert (empty["position"], empty["reason"]) == (None, "no_readings")
    assert (strange["position"], strange["reason"]) == (None, "unknown_radio")


def test_a_visit_a_card_and_a_coupon_come_to_who_allowed_them(living: Living) -> None:
    store = first_store(living)
    with living.client(Role.DEVICE) as phone, living.client(Role.ADMIN) as admin:
        made = admin.post("/v1/campaigns", json=campaign_on(store)).json()
        admin.post(f"/v1/campaigns/{made['id']}:publish").raise_for_status()
        people = {
            "all": consents("visits", "marketing"),
            "visits": consents("visits"),
            "child": consents("visits", "marketing") | {"age_band": "child"},
        }
        for name, body in people.items():
            phone.put(f"/v1/devices/{name}", json=body).raise_for_status()
        told: dict[str, list[dict[str, Any]]] = {}
        for name in (*people, "nobody"):
            scans = stay(living.world, store, name, n=10)
            told[name] = phone.post("/v1/scans", json={"scans": scans}).json()["results"]
        rows = all_rows(admin, "/v1/visits")
        coupons = all_rows(admin, "/v1/coupons")
    assert told["all"][-1]["scene"]["phase"] == "in_store"
    assert told["all"][-1]["scene"]["dwell_s"] >= 60
    cards = [card for answer in told["all"] for card in answer["cards"]]
    assert len(cards) == 1
    assert cards[0]["coupon"]["code"]
    assert "entered" in cards[0]["reason"]
    assert told["visits"][-1]["scene"]["phase"] == "in_store"
    assert not any(answer["cards"] for answer in told["visits"])
    for name in ("child", "nobody"):
        assert all(answer["scene"] is None and answer["cards"] == [] for answer in told[name])
        assert all(answer["position"] for answer in told[name])
    assert len({row["person_ref"] for row in rows}) == 2
    assert len(coupons) == 1
    assert "code" not in coupons[0]


def campaign_on(store: str) -> dict[str, Any]:
    from tests.living_server import campaign

    return campaign(store)


def test_a_repeated_scan_gets_the_same_answer_and_no_new_effect(living: Living) -> None:
    store = first_store(living)
    scans = stay(living.world, store, "d-1", n=8)
    with living.client(Role.DEVICE) as phone, living.client(Role.ADMIN) as admin:
        made = admin.post("/v1/campaigns", json=campaign_on(store)).json()
        admin.post(f"/v1/campaigns/{made['id']}:publish").raise_for_status()
        phone.put("/v1/devices/d-1", json=consents("visits", "marketing"))
        first = phone.post("/v1/scans", json={"scans": scans}).json()
        again = phone.post("/v1/scans", json={"scans": scans + scans}).json()
        rows, coupons = all_rows(admin, "/v1/visits"), all_rows(admin, "/v1/coupons")
    assert again["results"] == first["results"] * 2
    assert len(coupons) == 1
    assert sum(row["place"]["kind"] == "store" for row in rows) == 1


def test_withdrawn_consent_ends_visits_with_the_next_scan(living: Living) -> None:
    store = first_store(living)
    scans = stay(living.world, store, "d-1", n=9)
    with living.client(Role.DEVICE) as phone, living.client(Role.ADMIN) as admin:
        phone.put("/v1/devices/d-1", json=consents("visits"))
        phone.post("/v1/scans", json={"scans": scans[:8]})
        phone.put("/v1/devices/d-1", json=consents())
        after = phone.post("/v1/scans", json=scans[8]).json()
        events = all_rows(admin, "/v1/events")
    assert after["scene"] is None
    exits = [event["data"]["reason"] for event in events if event["type"] == "visit.exited"]
    assert exits
    assert set(exits) == {"consent"}


def test_a_late_scan_changes_nothing_and_an_old_one_gets_a_position_only(living: Living) -> None:
    store = first_store(living)
    scans = stay(living.world, store, "d-1", n=6, start=NOON + timedelta(hours=30))
    late = stay(living.world, store, "d-1", n=1, start=NOON + timedelta(hours=29), prefix="late")[0]
    old = stay(living.world, store, "d-1", n=1, start=NOON, prefix="old")[0]
    with living.client(Role.DEVICE) as phone:
        phone.put("/v1/devices/d-1", json=consents("visits"))
        now = phone.post("/v1/scans", json={"scans": scans}).json()["results"][-1]
        answers = phone.post("/v1/scans", json={"scans": [late, old]}).json()["results"]
    assert answers[0]["scene"] == now["scene"]
    assert answers[1]["scene"] is None
    assert answers[1]["position"] is not None


UNKNOWN_FIELD_NOT_UTF8 = b'{"at": 1776484800000, "scan_id": "x", "note": "\xff"}'


def test_text_that_is_not_utf8_is_refused_even_where_it_is_not_read(living_module: Living) -> None:
    good = b'{"at": 1776484800000, "scan_id": "g", "note": "\xe5\xba\x97"}'
    with living_module.client(Role.DEVICE) as http:
        alone = http.post("/v1/scans", content=UNKNOWN_FIELD_NOT_UTF8)
        batch = http.post("/v1/scans", content=b'{"scans": [' + UNKNOWN_FIELD_NOT_UTF8 + b"," + good + b"]}")
        beside = http.post("/v1/scans", content=b'{"note": "\xff", "scans": [' + good + b"]}")
        lines = http.post(
            "/v1/scans",
            content=UNKNOWN_FIELD_NOT_UTF8 + b"\n" + good,
            headers={"Content-Type": "application/x-ndjson"},
        )
    assert (alone.status_code, alone.json()["code"]) == (400, "malformed_body")
    assert (beside.status_code, beside.json()["code"]) == (400, "malformed_body")
    for bad, well in (batch.json()["results"], [json.loads(line) for line in lines.text.splitlines()]):
        assert (bad["error"]["status"], bad["error"]["code"]) == (400, "malformed_body")
        assert (well["scan_id"], well["reason"]) == ("g", "no_readings")


@pytest.mark.parametrize("line", [b"{", b"not a scan", b'{"at": NaN}', b'"\xff"', b"[" * 5_000])
def test_an_unreadable_line_has_one_code_and_status_alone_and_among_others(living_module: Living, line: bytes) -> None:
    with living_module.client(Role.DEVICE) as http:
        alone = http.post("/v1/scans", content=line)
        lines = http.post(
            "/v1/scans", content=line + b"\n" + line, headers={"Content-Type": "application/x-ndjson"}
        ).text.splitlines()
        single = http.post("/v1/scans", content=line, headers={"Content-Type": "application/x-ndjson"})
    expected = (400, "malformed_body")
    assert (alone.status_code, alone.json()["code"]) == expected
    for told in (*lines, single.text):
        error = json.loads(told)["error"]
        assert (error["status"], error["code"]) == expected


ODD_IDS = ["a/b", "/a", "a/", "a//b", "Zm9v/YmFy+A==", "../x", "a%2Fb", "a b", "店/1", "a?b#c", "a:publish"]


@pytest.mark.parametrize("device_id", ODD_IDS)
def test_any_printable_device_id_can_be_registered_and_scans(living_module: Living, device_id: str) -> None:
    store = first_store(living_module)
    with living_module.client(Role.DEVICE) as http, Client(living_module.url, living_module.keys[Role.DEVICE]) as sdk:
        put = http.put(f"/v1/devices/{quote(device_id, safe='')}", json=consents("visits"))
        told = sdk.put_device(device_id, {"age_band": "adult", "consents": consents("visits")["consents"]})
        answers = http.post("/v1/scans", json={"scans": stay(living_module.world, store, device_id)}).json()["results"]
    assert (put.status_code, put.json()["device_id"]) == (200, device_id), put.text
    assert told["device_id"] == device_id
    assert answers[-1]["scene"]["phase"] == "in_store"


@pytest.mark.parametrize("device_id", ["a\nb", "a\n", "\x00", "a/\r", "\x7f", "", "x" * 129])
def test_a_device_id_that_cannot_be_registered_cannot_scan_either(living_module: Living, device_id: str) -> None:
    with living_module.client(Role.DEVICE) as http:
        put = http.put(f"/v1/devices/{quote(device_id, safe='')}", json=consents("visits"))
        scan = http.post("/v1/scans", json={"at": "2026-04-18T04:00:00Z", "device_id": device_id})
    assert (put.status_code, put.json().get("field")) == (422, "device_id"), put.text
    assert (scan.status_code, scan.json()["field"]) == (422, "device_id"), scan.text
