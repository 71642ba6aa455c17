"""A real server posts to a real receiver: each event, in order, signed, whatever fails between."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

from api.ports import Role
from atrium_client import WebhookRefused, verify_webhook
from runtime.webhooks.rules import MOST_WEBHOOKS, RetryRules
from sim.world import World
from tests.event_rows import record
from tests.living_server import OTHER_TENANT, Living, copy_home, serve, wait_until
from tests.webhook_receiver import Receiver, receiving

RULES = RetryRules(first=timedelta(milliseconds=20), longest=timedelta(milliseconds=40))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as held:
        yield held


@pytest.fixture
def posting(prepared_home: Path, small_world: World, tmp_path: Path) -> Iterator[Living]:
    """A server that tries again soon."""
    with serve(copy_home(prepared_home, tmp_path / "home"), small_world, retry_rules=RULES) as running:
        yield running


def make(living: Living, url: str, key: str | None = None, **more: Any) -> dict[str, Any]:
    with living.client(key=key or living.keys[Role.ADMIN]) as http:
        answer = http.post("/v1/webhooks", json={"url": url, **more})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


def seen(living: Living, webhook_id: str) -> dict[str, Any]:
    with living.client(Role.AUDITOR) as http:
        held: dict[str, Any] = http.get(f"/v1/webhooks/{webhook_id}").json()
        return held


def test_a_receiver_that_fails_twice_gets_each_event_in_order_and_signed(posting: Living, receiver: Receiver) -> None:
    record(posting.home.database, 0, 3)  # before it was made: not its
    receiver.status_of = lambda n: 503 if n in {1, 2} else 200
    made = make(posting, f"{receiver.url}/hook?a=b")
    ids = record(posting.home.database, 3, 120)
    wait_until(lambda: len(receiver.accepted()) == 120)
    assert [event["id"] for event in receiver.accepted()] == ids
    assert len(receiver.requests) == 122
    checker = standardwebhooks.Webhook(made["secret"])
    for headers, body, _ in receiver.requests:
        event = checker.verify(body, headers)
        assert verify_webhook(made["secret"], headers, body) == event
        assert headers["webhook-id"] == event["id"]
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            checker.verify(body + b" ", headers)
        with pytest.raises(WebhookRefused):
            verify_webhook(made["secret"], headers, body + b" ")
    with posting.client(Role.ADMIN) as http:
        listed = {event["id"]: event for event in http.get("/v1/events?limit=1000").json()["data"]}
    sent = receiver.accepted()[0]
    assert {**sent, "person_ref": ""} == {**listed[sent["id"]], "person_ref": ""}
    assert sent["person_ref"] != listed[sent["id"]]["person_ref"]
    wait_until(lambda: seen(posting, made["id"])["status"] == "active")
    assert "secret" not in seen(posting, made["id"])
    assert made["secret"].encode() not in b"".join(path.read_bytes() for path in database_files(posting))


def database_files(living: Living) -> list[Path]:
    return list(living.home.settings.data_dir.glob("atrium.db*"))


def test_failures_can_be_seen_and_end_only_when_it_is_enabled(
    prepared_home: Path, small_world: World, tmp_path: Path, receiver: Receiver
) -> None:
    rules = RetryRules(first=timedelta(hours=1), longest=timedelta(hours=1))
    receiver.status_of = lambda n: (500, 410, 204)[min(n, 2)]
    folder = copy_home(prepared_home, tmp_path / "home")
    with serve(folder, small_world, retry_rules=rules) as living:
        made = make(living, receiver.url)
        ids = record(living.home.database, 0, 2)
        wait_until(lambda: seen(living, made["id"])["status"] == "failing")
        held = seen(living, made["id"])
        assert (held["failures"], held["last_error"]) == (1, "answered 500")
        assert held["next_attempt_at"] > held["failing_since"]
        with living.home.database.write() as connection:
            connection.exec_driver_sql("UPDATE webhooks SET next_attempt_us = 0")
    with serve(folder, small_world, retry_rules=rules) as living:  # goes on where the records say
        wait_until(lambda: seen(living, made["id"])["status"] == "disabled")
        assert seen(living, made["id"])["last_error"] == "answered 410"
        ids += record(living.home.database, 2, 1)
        with living.client(Role.ADMIN) as http:
            assert http.post(f"/v1/webhooks/{made['id']}:enable").json()["status"] == "active"
        wait_until(lambda: len(receiver.accepted()) == 3)
    assert [event["id"] for event in receiver.accepted()] == ids


def test_tenants_and_types_are_apart_and_a_deleted_one_gets_nothing(posting: Living, receiver: Receiver) -> None:
    ours = make(posting, f"{receiver.url}/ours", types=["visit.exited"])
    theirs = make(posting, f"{receiver.url}/theirs", key=posting.other_key)
    with posting.client(Role.ADMIN) as http, posting.client(key=posting.other_key) as other:
        assert [held["id"] for held in http.get("/v1/webhooks").json()["data"]] == [ours["id"]]
        for call in (("GET", ""), ("DELETE", ""), ("POST", ":test"), ("POST", ":enable")):
            assert other.request(call[0], f"/v1/webhooks/{ours['id']}{call[1]}").status_code == 404
        mine, foreign = record(posting.home.database, 0, 6), record(posting.home.database, 0, 2, OTHER_TENANT)
        wait_until(lambda: len(receiver.accepted()) == 5)
        sources = {event["id"]: event["source"] for event in receiver.accepted()}
        assert set(sources) == {*mine[1::2], *foreign}
        assert {sources[event_id] for event_id in foreign} == {f"/tenants/{OTHER_TENANT}"}
        assert http.delete(f"/v1/webhooks/{ours['id']}").status_code == 204
        assert http.delete(f"/v1/webhooks/{ours['id']}").status_code == 404
        record(posting.home.database, 6, 2)
        late = record(posting.home.database, 2, 1, OTHER_TENANT)
        wait_until(lambda: receiver.accepted()[-1]["id"] == late[0])
        assert len(receiver.accepted()) == 6
        assert theirs["secret"] != ours["secret"]


def test_a_test_is_posted_at_once_and_told_with_its_outcome(posting: Living, receiver: Receiver) -> None:
    made = make(posting, receiver.url)
    receiver.status_of = lambda n: (204, 302)[n]
    with posting.client(Role.ADMIN) as http:
        good, moved = (http.post(f"/v1/webhooks/{made['id']}:test").json() for _ in range(2))
    assert good == {"delivered": True, "status": 204, "error": None}
    assert (moved["delivered"], moved["status"]) == (False, 302)
    assert "redirects are not followed" in moved["error"]
    assert [event["type"] for event in receiver.accepted()] == ["webhook.test"]
    assert len(receiver.requests) == 2
    headers, body, _ = receiver.requests[0]
    assert standardwebhooks.Webhook(made["secret"]).verify(body, headers)["type"] == "webhook.test"


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "2130706433", "[::ffff:7f00:1]", "10.0.0.1", "169.254.169.254"]
)
def test_a_server_of_the_field_refuses_its_own_machine_and_its_neighbours(
    prepared_home: Path, small_world: World, tmp_path: Path, host: str
) -> None:
    with (
        serve(copy_home(prepared_home, tmp_path / "home"), small_world, local_webhooks=False) as living,
        living.client(Role.ADMIN) as http,
    ):
        for scheme in ("https", "http"):
            answer = http.post("/v1/webhooks", json={"url": f"{scheme}://{host}:9/hook"})
            assert (answer.status_code, answer.json()["code"]) == (422, "webhook_url_refused")


def test_a_url_that_carries_a_token_is_not_logged(
    posting: Living, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        made = make(posting, f"{receiver.url}/hook?token=t0ken")
        with posting.client(Role.ADMIN) as http:
            assert http.post(f"/v1/webhooks/{made['id']}:test").json()["delivered"]
    assert "t0ken" not in caplog.text


@pytest.mark.parametrize("url", ["https://xn--/", "https://xn--a.example.com/"])
def test_a_name_that_is_none_is_a_problem_of_the_caller(posting: Living, url: str) -> None:
    with posting.client(Role.ADMIN) as http:
        answer = http.post("/v1/webhooks", json={"url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, "webhook_url_refused")


def test_a_tenant_has_so_many_webhooks_and_no_more(posting: Living, receiver: Receiver) -> None:
    for _ in range(MOST_WEBHOOKS):
        make(posting, receiver.url)
    with posting.client(Role.ADMIN) as http:
        answer = http.post("/v1/webhooks", json={"url": receiver.url})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_webhooks")
