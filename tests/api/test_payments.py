"""Payments in: told once or a thousand times, alone or together, and nothing by halves."""

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api.ports import Role
from runtime.records.schema import events, metadata, payments
from runtime.records.tenants import DEFAULT_TENANT
from tests.living_server import NOON, Living, all_rows, consents, wait_until
from tests.webhook_receiver import receiving

EVENT, EVENTS = "application/cloudevents+json", "application/cloudevents-batch+json"


def paid(living: Living, receipt_id: str = "r-1", **changes: Any) -> dict[str, Any]:
    """A payment as a till tells it."""
    return {
        "source": "till-7",
        "receipt_id": receipt_id,
        "store_id": living.venue.stores[0].id,
        "at": NOON.isoformat(),
        "amount": 12_900,
        "currency": "CNY",
        "lines": [{"sku": "A1", "category": "shoes", "quantity": 2, "amount": 12_900}],
        "identities": [{"kind": "phone", "value": "+86 138 0013 8000"}],
    } | changes


def refunded(receipt_id: str, amount: int, of: str = "r-1", **changes: Any) -> dict[str, Any]:
    at = NOON.isoformat()
    told = {"source": "till-7", "receipt_id": receipt_id, "kind": "refund", "of_receipt_id": of, "at": at}
    return told | {"amount": amount, "currency": "CNY"} | changes


def cloud(told: dict[str, Any], kind: str = "payment.recorded") -> dict[str, Any]:
    """The same in a CloudEvents envelope, its time outside."""
    inner = {key: value for key, value in told.items() if key not in {"source", "receipt_id", "at", "kind"}}
    outer = {"specversion": "1.0", "id": told["receipt_id"], "source": told["source"], "time": told["at"]}
    return outer | {"type": kind, "datacontenttype": "application/json", "data": inner}


def send(http: httpx.Client, told: Any, media: str) -> httpx.Response:
    return http.post("/v1/payments", content=json.dumps(told), headers={"Content-Type": media})


def held(living: Living) -> list[dict[str, Any]]:
    with living.home.database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(sa.select(payments).order_by(payments.c.receipt_id))]


def told_events(living: Living) -> list[Any]:
    with living.home.database.read() as connection:
        return list(connection.execute(sa.select(events).where(events.c.type.like("payment.%"))).all())


def test_a_payment_is_stored_told_and_listed_without_its_identities(living: Living) -> None:
    with living.client(Role.CASHIER) as till:
        answer = till.post("/v1/payments", json=paid(living))
    assert answer.status_code == 201
    stored = answer.json()
    assert stored["id"].startswith("pay_")
    assert {key: stored[key] for key in ("kind", "source", "receipt_id", "venue_id", "amount", "currency")} == {
        "kind": "payment",
        "source": "till-7",
        "receipt_id": "r-1",
        "venue_id": "demo",
        "amount": 12_900,
        "currency": "CNY",
    }
    assert stored["lines"] == [{"amount": 12_900, "quantity": 2.0, "sku": "A1", "category": "shoes"}]
    refs = []
    for role in (Role.VIEWER, Role.ADMIN):
        with living.client(role) as reader:
            (row,) = all_rows(reader, "/v1/payments")
            (event,) = all_rows(reader, "/v1/events", type="payment.recorded")
        assert row["id"] == stored["id"]
        assert row["refunded"] == 0
        assert "receipt_id" not in row
        assert "identities" not in row
        assert event["person_ref"] == row["person_ref"]
        assert event["time"] == stored["at"]
        assert event["data"] == {
            "payment_id": stored["id"],
            "place": {"id": living.venue.stores[0].id, "kind": "store"},
            "venue_id": "demo",
            "amount": 12_900,
            "currency": "CNY",
        }
        refs.append(row["person_ref"])
    assert refs[0] != refs[1]


def test_the_same_again_gets_the_same_answer_and_no_new_effect(living: Living) -> None:
    with living.client(Role.STORE) as till:
        first = till.post("/v1/payments", json=paid(living))
        till.post(f"/v1/payments/{first.json()['id']}:refund", json=_refund_body(5)).raise_for_status()
        again = till.post("/v1/payments", json=paid(living))
        as_event = send(till, cloud(paid(living)), EVENT)
        other = till.post("/v1/payments", json=paid(living, amount=1))
    assert again.json() == first.json() == as_event.json()
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    assert (other.status_code, other.json()["code"], other.json()["field"]) == (409, "payment_mismatch", "receipt_id")
    assert len(held(living)) == len(told_events(living)) == 2


def _refund_body(amount: int, **changes: Any) -> dict[str, Any]:
    told = {"source": "till-7", "receipt_id": "back-1", "at": NOON.isoformat(), "amount": amount, "currency": "CNY"}
    return told | changes


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"at": (NOON + timedelta(minutes=6)).isoformat()}, "payment_from_the_future", "at"),
        ({"at": "2150-01-01T00:00:00Z"}, "payment_from_the_future", "at"),
        ({"amount": -5}, "invalid_amount", "amount"),
        ({"amount": 0}, "invalid_amount", "amount"),
        ({"amount": 10**30}, "invalid_amount", "amount"),
        ({"lines": [{"amount": -1}]}, "invalid_amount", "lines[0].amount"),
        ({"lines": [{"amount": 1}, {"amount": 1, "currency": "RUB"}]}, "mixed_currencies", "lines[1].currency"),
        ({"identities": [{"kind": "passport", "value": "1"}]}, "unknown_identity_kind", "identities[0].kind"),
        ({"identities": [{"kind": "phone", "value": "  "}]}, "invalid_payment", "identities[0].value"),
        ({"store_id": "st_nowhere"}, "unknown_store", "store_id"),
        ({"amount": 12.5}, "invalid_payment", "amount"),
        ({"amount": "129"}, "invalid_payment", "amount"),
        ({"currency": "cny"}, "invalid_payment", "currency"),
        ({"at": "2026-04-18T12:00:00"}, "invalid_payment", "at"),
        ({"at": None}, "invalid_payment", "at"),
        ({"source": ""}, "invalid_payment", "source"),
        ({"source": "till-7\x1fbad"}, "invalid_payment", "source"),
        ({"kind": "gift"}, "invalid_payment", "kind"),
        ({"tip": 1}, "invalid_payment", "tip"),
    ],
)
def test_a_bad_payment_is_refused_alone_and_in_its_place_among_good_ones(
    living_module: Living, changes: dict[str, Any], code: str, field: str
) -> None:
    bad = paid(living_module, "bad", **changes)
    good = [paid(living_module, f"good-{i}-{changes}"[:200]) for i in range(2)]
    before = len(held(living_module))
    with living_module.client(Role.CASHIER) as till:
        alone = till.post("/v1/payments", json=bad)
        together = till.post("/v1/payments", json={"payments": [good[0], bad, good[1]]})
    assert (alone.status_code, alone.json()["code"], alone.json()["field"]) == (422, code, field), alone.text
    assert together.status_code == 200
    first, refusal, last = together.json()["results"]
    assert refusal["error"]["code"] == code
    assert "138" not in alone.text + json.dumps(refusal)
    assert (first["receipt_id"], last["receipt_id"]) == (good[0]["receipt_id"], good[1]["receipt_id"])
    rows = held(living_module)
    assert len(rows) == before + 2
    assert all(row["source"] == "till-7" and row["receipt_id"] != "bad" for row in rows)


def test_a_clock_that_is_a_little_ahead_is_taken(living: Living) -> None:
    with living.client(Role.CASHIER) as till:
        at = (NOON + timedelta(minutes=5)).isoformat()
        assert till.post("/v1/payments", json=paid(living, at=at)).status_code == 201


def test_cloud_events_come_alone_and_in_batches(living: Living) -> None:
    with living.client(Role.CASHIER) as till:
        alone = send(till, cloud(paid(living)), EVENT)
        batch = [
            cloud(paid(living, "r-2")),
            cloud(paid(living)),
            cloud(refunded("b-1", 900), "payment.refunded"),
            cloud(paid(living, "r-3", amount=-1)),
            cloud(paid(living, "r-4"), "com.example.sale"),
            "no event",
            cloud(_complaint_body("c-1", of_source="till-7", of_receipt_id="r-1"), "payment.complained"),
        ]
        together = send(till, batch, EVENTS)
    assert (alone.status_code, alone.json()["source"], alone.json()["receipt_id"]) == (201, "till-7", "r-1")
    results = together.json()["results"]
    assert results[1] == alone.json()
    assert [result.get("kind") for result in results] == [
        "payment",
        "payment",
        "refund",
        None,
        None,
        None,
        "complaint",
    ]
    faults = [(r["receipt_id"], r["error"]["code"], r["error"]["field"]) for r in results if "error" in r]
    assert faults == [
        ("r-3", "invalid_amount", "amount"),
        ("r-4", "invalid_payment", "type"),
        (None, "invalid_payment", "body"),
    ]
    assert results[6]["reason"] == "service"
    assert {row.type for row in told_events(living)} == {"payment.recorded", "payment.refunded", "payment.complained"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ""}, "id"),
        ({"source": 5}, "source"),
        ({"time": "noon"}, "time"),
        ({"data": "x"}, "data"),
        ({"data": {"source": "y"}}, "data.source"),
        ({"data": {"kind": "refund"}}, "data.kind"),
        ({"data": {"store_id": "st"}}, "data.amount"),
    ],
)
def test_a_bad_envelope_says_where(living_module: Living, changes: dict[str, Any], field: str) -> None:
    with living_module.client(Role.CASHIER) as till:
        answer = send(till, cloud(paid(living_module)) | changes, EVENT)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "invalid_payment", field)


@pytest.mark.parametrize(
    ("body", "media", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_body"),
        (b"\xff", "application/json", 400, "malformed_body"),
        (b"[" * 10_000, "application/json", 400, "malformed_body"),
        (b"[]", "application/json", 422, "invalid_payment"),
        (b"{}", EVENTS, 400, "malformed_body"),
        (b'{"payments": 5}', "application/json", 400, "malformed_body"),
        (b'{"payments": [], "source": "x"}', "application/json", 400, "malformed_body"),
        (json.dumps({"payments": [{}] * 1_001}).encode(), "application/json", 413, "too_large"),
        (b"x" * (4 * 1024 * 1024 + 1), "application/json", 413, "too_large"),
        (b"a;b", "text/csv", 415, "unsupported_media_type"),
    ],
)
def test_a_body_that_is_none_is_refused_whole(
    living_module: Living, body: bytes, media: str, status: int, code: str
) -> None:
    with living_module.client(Role.CASHIER) as till:
        answer = till.post("/v1/payments", content=body, headers={"Content-Type": media})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_thousand_come_at_once_in_order_and_none_twice(living: Living) -> None:
    told = [paid(living, f"r-{i % 900}") for i in range(1_000)]
    with living.client(Role.CASHIER) as till:
        results = till.post("/v1/payments", json={"payments": told}).json()["results"]
        assert till.post("/v1/payments", json={"payments": []}).json() == {"results": []}
    assert [result["receipt_id"] for result in results] == [one["receipt_id"] for one in told]
    assert results[:100] == results[900:]
    assert len(held(living)) == len(told_events(living)) == 900
    with living.client(Role.VIEWER) as reader:
        assert len({row["id"] for row in all_rows(reader, "/v1/payments")}) == 900


def test_no_more_is_given_back_than_was_paid_however_many_tills_try(living: Living) -> None:
    with living.client(Role.CASHIER) as till:
        payment = till.post("/v1/payments", json=paid(living, amount=1_000)).json()
    together = threading.Barrier(16)

    def give_back(number: int) -> int:
        with living.client(Role.CASHIER) as http:
            together.wait()
            body = _refund_body(300, receipt_id=f"b-{number}")
            return http.post(f"/v1/payments/{payment['id']}:refund", json=body).status_code

    with ThreadPoolExecutor(16) as tills:
        statuses = sorted(tills.map(give_back, range(16)))
    assert statuses == [201] * 3 + [409] * 13
    kept = [row for row in held(living) if row["kind"] == "refund"]
    assert sum(row["amount"] for row in kept) == 900
    with living.client(Role.CASHIER) as till:
        over = till.post(f"/v1/payments/{payment['id']}:refund", json=_refund_body(101))
        rest = till.post(f"/v1/payments/{payment['id']}:refund", json=_refund_body(100))
    assert (over.json()["code"], over.json()["field"]) == ("refund_too_large", "amount")
    assert (rest.status_code, rest.json()["kind"], rest.json()["payment_id"]) == (201, "refund", payment["id"])
    with living.client(Role.VIEWER) as reader:
        rows = {row["id"]: row for row in all_rows(reader, "/v1/payments")}
        told = all_rows(reader, "/v1/events", type="payment.refunded")
    assert rows[payment["id"]]["refunded"] == 1_000
    assert rows[rest.json()["id"]]["person_ref"] == rows[payment["id"]]["person_ref"]
    assert len(told) == 4
    assert {event["data"]["payment_id"] for event in told} == {payment["id"]}


def test_refunds_and_complaints_are_of_a_payment_that_there_is(living: Living) -> None:
    with living.client(Role.CASHIER) as till:
        payment = till.post("/v1/payments", json=paid(living)).json()
        refund = till.post(f"/v1/payments/{payment['id']}:refund", json=_refund_body(5)).json()
        for wrong in ("pay_nowhere", refund["id"]):
            for verb, body in (("refund", _refund_body(5, receipt_id="x")), ("complain", _complaint_body("x"))):
                answer = till.post(f"/v1/payments/{wrong}:{verb}", json=body)
                assert (answer.status_code, answer.json()["code"]) == (404, "unknown_payment")
        mixed = till.post(f"/v1/payments/{payment['id']}:refund", json=_refund_body(5, receipt_id="m", currency="RUB"))
        assert mixed.json()["code"] == "mixed_currencies"
        complaint = till.post(f"/v1/payments/{payment['id']}:complain", json=_complaint_body("c-1"))
        again = till.post(f"/v1/payments/{payment['id']}:complain", json=_complaint_body("c-1"))
        wordy = till.post(f"/v1/payments/{payment['id']}:complain", json=_complaint_body("c-2", text="Mr Wu was rude"))
        neither = till.post("/v1/payments", json=refunded("n", 1) | {"payment_id": payment["id"]})
    assert (complaint.status_code, complaint.json()["reason"]) == (201, "service")
    assert again.json() == complaint.json()
    assert wordy.status_code == 422
    assert (neither.status_code, neither.json()["field"]) == (422, "payment_id")
    with living.client(key=living.other_key) as other:
        answer = other.post(f"/v1/payments/{payment['id']}:refund", json=_refund_body(5))
        assert answer.status_code == 404
        assert other.post("/v1/payments", json=paid(living)).json()["code"] == "unknown_store"
        assert other.get("/v1/payments").json()["data"] == []
    with living.client(Role.VIEWER) as reader:
        (event,) = all_rows(reader, "/v1/events", type="payment.complained")
        rows = all_rows(reader, "/v1/payments")
    assert event["data"]["complaint_id"] == complaint.json()["id"]
    assert event["data"]["reason"] == "service"
    assert len({row["person_ref"] for row in rows}) == 1
    assert len(rows) == 3


def _complaint_body(receipt_id: str, **changes: Any) -> dict[str, Any]:
    return {"source": "desk", "receipt_id": receipt_id, "at": NOON.isoformat(), "reason": "service"} | changes


def test_a_refund_and_its_payment_may_come_in_one_batch_in_order(living: Living) -> None:
    batch = [refunded("b-0", 5), paid(living), refunded("b-1", 12_900), refunded("b-2", 1)]
    with living.client(Role.CASHIER) as till:
        results = till.post("/v1/payments", json={"payments": batch}).json()["results"]
    codes = [result.get("error", {}).get("code") for result in results]
    assert codes == ["unknown_payment", None, None, "refund_too_large"]
    assert len(held(living)) == len(told_events(living)) == 2


def test_a_phone_that_allowed_visits_is_one_person_and_one_that_did_not_is_nobody(living: Living) -> None:
    with living.client(Role.ADMIN) as http:
        http.put("/v1/devices/d-1", json=consents("visits"))
        http.put("/v1/devices/d-2", json=consents("marketing"))
        for name in ("d-1", "d-2", "d-3"):
            by = [{"kind": "maker", "value": name}]
            http.post("/v1/payments", json=paid(living, name, identities=by)).raise_for_status()
        http.post("/v1/payments", json=paid(living, "cash", identities=[])).raise_for_status()
    with living.client(Role.VIEWER) as reader:
        refs = [row["person_ref"] for row in all_rows(reader, "/v1/payments")]
        told = [event["person_ref"] for event in all_rows(reader, "/v1/events", type="payment.recorded")]
    assert sorted(map(str, refs)) == sorted(map(str, told))
    assert refs.count(None) == 3
    with living.home.database.read() as connection:
        (person,) = connection.execute(sa.text("SELECT person FROM devices WHERE model = 'Test' LIMIT 1")).one()
    assert {row["receipt_id"]: row["person"] for row in held(living)}["d-1"] == person


def test_who_paid_in_a_sensitive_store_is_in_no_record(living: Living) -> None:
    store = living.venue.stores[0].id
    living.home.venues.sensitive_path(DEFAULT_TENANT, living.venue.id).write_text(f"{store}\n")
    with living.client(Role.CASHIER) as till:
        till.post("/v1/payments", json=paid(living)).raise_for_status()
    (row,) = held(living)
    assert row["person"] is None
    (event,) = told_events(living)
    assert event.person is None


def test_no_identity_is_stored_logged_or_told(living: Living, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = {"phone": "+86 139 9999 1234", "loyalty": "card-of-wu", "maker": "phone-of-wu", "biometric": "face-of-wu"}
    by = [{"kind": kind, "value": value} for kind, value in secret.items()]
    with living.client(Role.ADMIN) as http:
        answers = [
            http.post("/v1/payments", json=paid(living, identities=by)),
            http.post("/v1/payments", json=paid(living, amount=1, identities=by)),
            http.post("/v1/payments", json=paid(living, "r-2", store_id="st_none", identities=by)),
            http.post(
                "/v1/payments", json=paid(living, "r-3", identities=[*by, {"kind": "phone", "value": ["of-wu"]}])
            ),
            http.get("/v1/payments"),
            http.get("/v1/events"),
        ]
    with living.home.database.read() as connection:
        cells = "\n".join(
            repr(row) for table in metadata.sorted_tables for row in connection.execute(sa.select(table)).all()
        )
    files = b"".join(p.read_bytes() for p in living.home.settings.data_dir.glob("atrium.db*")).decode("latin-1")
    logs = "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore")))
    for text in (cells, files, logs, *(answer.text for answer in answers)):
        assert not any(part in text for part in ("9999 1234", "99991234", "of-wu"))


def test_a_stop_within_a_payment_leaves_nothing_of_it(living: Living) -> None:
    """The event is the last of its transaction: where it cannot be written, there is no payment either."""
    with living.home.database.write() as connection:
        connection.execute(
            sa.text("CREATE TRIGGER no_events BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'full'); END")
        )
    with living.client(Role.CASHIER) as till:
        answer = till.post("/v1/payments", json=paid(living))
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_failed")
        assert held(living) == []
        with living.home.database.write() as connection:
            connection.execute(sa.text("DROP TRIGGER no_events"))
        assert till.post("/v1/payments", json=paid(living)).status_code == 201
    assert len(held(living)) == len(told_events(living)) == 1


def test_streams_and_webhooks_tell_of_payments(living: Living) -> None:
    with receiving() as receiver, living.client(Role.ADMIN) as http:
        made = http.post("/v1/webhooks", json={"url": receiver.url, "types": ["payment.recorded"]})
        assert made.status_code == 201, made.text
        with living.client(Role.CASHIER) as till:
            payment = till.post("/v1/payments", json=paid(living, identities=[])).json()
            till.post(f"/v1/payments/{payment['id']}:refund", json=_refund_body(5)).raise_for_status()
        path = "/v1/events?from=start&type=payment.refunded"
        with http.stream("GET", path, headers={"Accept": "text/event-stream"}) as stream:
            data = next(line for line in stream.iter_lines() if line.startswith("data: "))
        wait_until(lambda: len(receiver.accepted()) == 1)
    streamed, (posted,) = json.loads(data.removeprefix("data: ")), receiver.accepted()
    assert streamed["data"]["payment_id"] == posted["data"]["payment_id"] == payment["id"]
    assert streamed["person_ref"] is posted["person_ref"] is None
