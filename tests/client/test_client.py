"""The client against a real server: what it sends, what it repeats, what it raises."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from atrium_client import (
    AsyncClient,
    AtriumError,
    AuthError,
    Client,
    Conflict,
    InvalidInput,
    NotFound,
    Payment,
    RateLimited,
    Scan,
    ServerError,
    Unreachable,
)
from atrium_client.calls import MAX_PAYMENT_BYTES
from atrium_client.retry import RetryPolicy
from atrium_client.wire import PaymentLine

AT_ONCE = RetryPolicy(retries=3, first_s=0.0)


class HeldWait(RetryPolicy):
    """Draws the top of each range, so that a wait is known."""

    def delay_s(self, attempt: int, asked_s: float | None, draw: Callable[[float, float], float]) -> float:
        return RetryPolicy.delay_s(self, attempt, asked_s, lambda _low, high: high)


NAMED: Scan = {"scan_id": "s-1", "device_id": "d-1", "at": 1_700_000_000_000, "wifi": []}
UNNAMED: Scan = {"device_id": "d-1", "at": 1_700_000_000_000, "wifi": []}


def client_of(server: Any, **options: Any) -> Client:
    return Client(server.url, "k-1", policy=options.pop("policy", AT_ONCE), **options)


def test_the_key_and_the_scan_reach_the_server_as_they_are(server: Any, reply: Any) -> None:
    server.replies(reply(json={"scan_id": "s-1", "position": None, "reason": "no_readings"}))
    with client_of(server) as client:
        answer = client.locate(NAMED)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/scans")
    assert request.headers["Authorization"] == "Bearer k-1"
    assert request.json == NAMED
    assert answer["reason"] == "no_readings"


def test_many_scans_go_in_requests_of_a_thousand_and_come_back_in_order(server: Any, reply: Any) -> None:
    server.script = lambda request: reply(json={"results": [{"scan_id": s["scan_id"]} for s in request.json["scans"]]})
    scans: list[Scan] = [{"scan_id": f"s-{i}", "at": i} for i in range(2_001)]
    with client_of(server) as client:
        answers = client.locate_many(scans)
    assert [len(request.json["scans"]) for request in server.requests] == [1_000, 1_000, 1]
    assert [answer["scan_id"] for answer in answers] == [scan["scan_id"] for scan in scans]


def test_no_scans_make_no_request(server: Any) -> None:
    with client_of(server) as client:
        assert client.locate_many([]) == []
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidInput),
        (401, AuthError),
        (403, AuthError),
        (404, NotFound),
        (409, Conflict),
        (410, NotFound),
        (413, InvalidInput),
        (422, InvalidInput),
        (429, RateLimited),
        (500, ServerError),
        (503, ServerError),
    ],
)
def test_each_status_raises_its_kind_with_the_problem(server: Any, reply: Any, status: int, kind: type) -> None:
    problem = {"code": "some_code", "detail": "what is wrong", "field": "wifi[0].bssid"}
    server.replies(reply(status, problem))
    with client_of(server, policy=RetryPolicy(retries=0)) as client, pytest.raises(kind) as caught:
        client.locate(NAMED)
    error: Any = caught.value
    assert (error.status, error.code, error.detail, error.field) == (
        status,
        "some_code",
        "what is wrong",
        "wifi[0].bssid",
    )
    assert error.body == problem


def test_an_error_page_that_is_no_problem_keeps_its_text(server: Any, reply: Any) -> None:
    server.replies(reply(502, text="<html>bad gateway</html>"))
    with client_of(server, policy=RetryPolicy(retries=0)) as client, pytest.raises(ServerError) as caught:
        client.health()
    assert caught.value.code == "unknown"
    assert "bad gateway" in caught.value.detail


def test_an_answer_in_another_language_is_an_error_not_a_crash(server: Any, reply: Any) -> None:
    server.replies(reply(200, text="<html>a captive portal</html>"))
    with client_of(server) as client, pytest.raises(ServerError) as caught:
        client.locate_many([NAMED])
    assert caught.value.code == "unreadable_answer"


def test_a_named_scan_is_sent_again_when_the_connection_breaks(server: Any, reply: Any) -> None:
    server.replies(reply(0), reply(0), reply(json={"scan_id": "s-1"}))
    with client_of(server) as client:
        assert client.locate(NAMED) == {"scan_id": "s-1"}
    assert len(server.requests) == 3


def test_an_unnamed_scan_of_a_phone_is_never_sent_twice(server: Any, reply: Any) -> None:
    server.replies(reply(0), reply(json={}))
    with client_of(server) as client, pytest.raises(Unreachable):
        client.locate_many([NAMED, UNNAMED])
    assert len(server.requests) == 1


def test_even_an_unnamed_scan_is_sent_again_when_the_server_refused_it(server: Any, reply: Any) -> None:
    server.replies(reply(503), reply(429), reply(json={"scan_id": None}))
    with client_of(server) as client:
        client.locate(UNNAMED)
    assert len(server.requests) == 3


def test_a_refused_input_is_not_tried_again(server: Any, reply: Any) -> None:
    server.replies(reply(422, {"code": "invalid_scan"}))
    with client_of(server) as client, pytest.raises(InvalidInput):
        client.locate(NAMED)
    assert len(server.requests) == 1


def test_retries_end(server: Any, reply: Any) -> None:
    server.replies(reply(503, {"code": "busy"}))
    with client_of(server) as client, pytest.raises(ServerError):
        client.health()
    assert len(server.requests) == 1 + AT_ONCE.retries


def test_retry_after_rules_over_the_back_off(server: Any, reply: Any) -> None:
    slow = HeldWait(retries=1, first_s=3.0, longest_s=3.0)
    started_s = time.monotonic()
    server.replies(reply(429, {"code": "busy"}, headers={"Retry-After": "0"}), reply(json={"status": "ok"}))
    with client_of(server, policy=slow) as client:
        assert client.health() == {"status": "ok"}
    assert time.monotonic() - started_s < 1.0  # the policy's own wait is held at 3 s


def test_no_server_at_all_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with Client(url, "k-1", policy=RetryPolicy(retries=1, first_s=0.0)) as client, pytest.raises(Unreachable):
            client.health()


def test_all_tries_of_one_redemption_carry_one_idempotency_key(server: Any, reply: Any) -> None:
    server.replies(reply(0), reply(503), reply(201, {"id": "r-1"}))
    with client_of(server) as client:
        client.redeem("CODE", "st_1")
        client.redeem("CODE", "st_1")
        client.redeem("CODE", "st_1", idempotency_key="till-7")
    keys = [request.headers["Idempotency-Key"] for request in server.requests]
    assert keys[0] == keys[1] == keys[2]
    assert keys[3] != keys[0]
    assert keys[4] == "till-7"
    assert server.requests[0].json == {"code": "CODE", "store_id": "st_1"}


def test_lists_are_read_page_by_page_to_the_end(server: Any, reply: Any) -> None:
    pages = {"/v1/visits?limit=2": ([1, 2], "c1"), "/v1/visits?limit=2&cursor=c1": ([3], None)}

    def script(request: Any) -> Any:
        items, cursor = pages[request.path]
        return reply(json={"data": [{"n": n} for n in items], "next_cursor": cursor})

    server.script = script
    with client_of(server) as client:
        visits = client.visits(limit=2, venue_id=None)
        assert server.requests == []
        assert [visit["n"] for visit in visits] == [1, 2, 3]


def test_ids_cannot_leave_their_place_in_the_path(server: Any, reply: Any) -> None:
    server.replies(reply(json={}))
    with client_of(server) as client:
        client.put_device("a/../b?c", {"age_band": "adult", "consents": []})
        client.put_device("..", {"age_band": "adult", "consents": []})
        client.publish_campaign("cmp_1")
        client.pause_campaign("cmp_1")
    assert [request.path for request in server.requests] == [
        "/v1/devices/a%2F..%2Fb%3Fc",
        "/v1/devices/%2E%2E",
        "/v1/campaigns/cmp_1:publish",
        "/v1/campaigns/cmp_1:pause",
    ]


def test_both_clients_offer_the_same_calls() -> None:
    def calls(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert calls(Client) == calls(AsyncClient)


def test_the_awaited_client_retries_splits_and_pages_like_the_other(server: Any, reply: Any) -> None:
    lost = [True]

    def script(request: Any) -> Any:
        if lost.pop() if lost else False:
            return reply(0)
        if request.path == "/v1/scans":
            return reply(json={"results": [{"scan_id": s["scan_id"]} for s in request.json["scans"]]})
        cursor = None if "cursor" in request.path else "c1"
        return reply(json={"data": [{"path": request.path}], "next_cursor": cursor})

    server.script = script

    async def run() -> tuple[list[Any], list[Any]]:
        async with AsyncClient(server.url, "k-1", policy=AT_ONCE) as client:
            scans: list[Scan] = [{"scan_id": f"s-{i}", "at": i} for i in range(1_001)]
            answers = await client.locate_many(scans)
            events = [event async for event in client.events()]
            return list(answers), events

    answers, events = asyncio.run(run())
    assert [answer["scan_id"] for answer in answers] == [f"s-{i}" for i in range(1_001)]
    assert [event["path"] for event in events] == ["/v1/events", "/v1/events?cursor=c1"]
    assert [len(r.json["scans"]) for r in server.requests if r.json] == [1_000, 1_000, 1]


@pytest.mark.parametrize("status", [502, 503, 504, 429])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_an_overloaded_or_absent_server_is_tried_again_under_the_same_name(
    server: Any, reply: Any, kind: type, status: int
) -> None:
    server.replies(reply(status, headers={"Retry-After": "0"}), reply(0), reply(json={"scan_id": "s-1"}))
    assert located(kind, server.url, NAMED) == {"scan_id": "s-1"}
    assert [request.json for request in server.requests] == [NAMED] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 415, 422, 500])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_refusal_is_never_tried_again(server: Any, reply: Any, kind: type, status: int) -> None:
    server.replies(reply(status, {"code": "no"}, headers={"Retry-After": "0"}))
    with pytest.raises(AtriumError):
        located(kind, server.url, NAMED)
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_wait_past_the_deadline_is_not_begun(server: Any, reply: Any, kind: type) -> None:
    server.replies(reply(429, {"code": "busy"}, headers={"Retry-After": "3600"}))
    started_s = time.monotonic()
    with pytest.raises(RateLimited) as caught:
        located(kind, server.url, NAMED)
    assert caught.value.retry_after_s == 3600.0
    assert len(server.requests) == 1
    assert time.monotonic() - started_s < 5.0


def test_a_campaign_that_may_have_been_taken_is_not_sent_again(server: Any, reply: Any) -> None:
    server.replies(reply(503), reply(0), reply(201, {"id": "cmp_1"}))
    draft: Any = {"name": "n"}
    with client_of(server) as client, pytest.raises(Unreachable):
        client.create_campaign(draft)
    assert len(server.requests) == 2  # 503 says that nothing was done; a broken connection says nothing


def test_many_scans_are_split_by_bytes_too(server: Any, reply: Any) -> None:
    server.script = lambda request: reply(json={"results": [{"scan_id": s["scan_id"]} for s in request.json["scans"]]})
    long = "x" * (6 * 1024 * 1024)
    scans: list[Scan] = [{"scan_id": f"s-{i}", "at": i, "venue_id": long} for i in range(3)]
    with client_of(server) as client:
        answers = client.locate_many(scans)
    assert [len(request.json["scans"]) for request in server.requests] == [2, 1]
    assert [answer["scan_id"] for answer in answers] == ["s-0", "s-1", "s-2"]


@pytest.mark.parametrize("body", [{"results": []}, {"results": [1]}, {"results": {}}, [], {"ok": True}])
def test_an_answer_of_another_length_or_form_is_an_error(server: Any, reply: Any, body: Any) -> None:
    server.replies(reply(json=body))
    with client_of(server) as client, pytest.raises(ServerError) as caught:
        client.locate_many([NAMED])
    assert caught.value.code == "unreadable_answer"


def test_a_captive_portal_that_moves_us_is_an_error(server: Any, reply: Any) -> None:
    server.replies(reply(302, {}, headers={"Location": "http://portal.invalid/"}))
    with client_of(server) as client, pytest.raises(ServerError):
        client.locate(NAMED)


def located(kind: type, url: str, scan: Scan) -> Any:
    """One scan through either client, with waits of nothing."""
    if kind is Client:
        with Client(url, "k-1", policy=AT_ONCE) as client:
            return client.locate(scan)

    async def run() -> Any:
        async with AsyncClient(url, "k-1", policy=AT_ONCE) as client:
            return await client.locate(scan)

    return asyncio.run(run())


def test_payments_go_in_requests_of_a_thousand_and_are_sent_again_when_the_connection_breaks(
    server: Any, reply: Any
) -> None:
    broken = [True]

    def answer(request: Any) -> Any:
        if broken and broken.pop():
            return reply(0)
        return reply(json={"results": [{"receipt_id": one["receipt_id"]} for one in request.json["payments"]]})

    server.script = answer
    told: list[Payment] = [{"source": "t", "receipt_id": f"r-{i}", "at": "2026-04-18T04:00:00Z"} for i in range(2_001)]
    with client_of(server) as client:
        answers = client.record_payments(told)
        assert client.record_payments([]) == []
    assert {request.path for request in server.requests} == {"/v1/payments"}
    assert [len(request.json["payments"]) for request in server.requests] == [1_000, 1_000, 1_000, 1]
    assert [one["receipt_id"] for one in answers] == [one["receipt_id"] for one in told]


def test_payments_of_many_bytes_go_in_more_requests_than_the_server_would_refuse(server: Any, reply: Any) -> None:
    server.script = lambda request: reply(json={"results": [{}] * len(request.json["payments"])})
    lines = [PaymentLine(amount=1, sku="x" * 200)] * 450
    told: list[Payment] = [
        {"source": "t", "receipt_id": f"r-{i}", "at": "2026-04-18T04:00:00Z", "lines": lines} for i in range(50)
    ]
    with client_of(server) as client:
        assert len(client.record_payments(told)) == 50
    sizes = [int(request.headers["Content-Length"]) for request in server.requests]
    assert len(sizes) == 2
    assert max(sizes) <= MAX_PAYMENT_BYTES
