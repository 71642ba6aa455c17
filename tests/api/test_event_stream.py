"""Open visits, and the stream of events: nothing lost, nothing twice, nobody else's; no reader holds up the server."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.ports import Role, StreamLimits
from runtime.records.schema import api_keys
from runtime.records.tenants import DEFAULT_TENANT
from sim.world import World
from tests.event_rows import record
from tests.living_server import NOON, OTHER_TENANT, Living, all_rows, consents, copy_home, serve, stay, wait_until

STREAM = {"Accept": "text/event-stream"}
Message = tuple[str, str, Any]


@contextmanager
def following(living: Living, key: str | None = None, **headers: str) -> Iterator[Iterator[Message]]:
    """A stream of ``/v1/events`` from the first on, as (id, event, data) messages."""
    with (
        living.client(key=key or living.keys[Role.VIEWER]) as http,
        http.stream("GET", "/v1/events?from=start", headers=STREAM | headers) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        yield messages(answer.iter_lines())


def messages(lines: Iterator[str]) -> Iterator[Message]:
    """The messages of a stream that carry data."""
    held: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            held[name] = value
            continue
        if "data" in held:
            yield held["id"], held["event"], json.loads(held["data"])
        held = {}


def take(stream: Iterator[Message], n: int) -> list[Message]:
    return [next(stream) for _ in range(n)]


def test_open_visits_can_be_asked_for_apart(living: Living) -> None:
    store, other = (held.id for held in living.venue.stores[:2])
    with living.client(Role.ADMIN) as http:
        http.put("/v1/devices/d-1", json=consents("visits"))
        http.post("/v1/scans", json={"scans": stay(living.world, store, "d-1")}).raise_for_status()
        http.post(
            "/v1/scans", json={"scans": stay(living.world, other, "d-1", start=NOON.replace(minute=20), prefix="t")}
        ).raise_for_status()
        living.running.engine.sweep()
        opened, closed = (
            list(all_rows(http, "/v1/visits", open="true")),
            list(all_rows(http, "/v1/visits", open="false")),
        )
        every = all_rows(http, "/v1/visits")
        odd = http.get("/v1/visits?open=perhaps")
    assert {row["place"]["id"] for row in opened if row["place"]["kind"] == "store"} == {other}
    assert {row["place"]["id"] for row in closed if row["place"]["kind"] == "store"} == {store}
    assert all(row["left_at"] is None for row in opened)
    assert all(row["left_at"] is not None for row in closed)
    assert sorted(row["id"] for row in every) == sorted(row["id"] for row in opened + closed)
    by_id = {row["id"]: row["person_ref"] for row in every}
    assert all(by_id[row["id"]] == row["person_ref"] for row in opened)
    with living.client(Role.VIEWER) as http:
        assert http.get("/v1/visits?open=true").json()["data"][0]["person_ref"] not in by_id.values()
    assert odd.status_code == 422
    with living.client(key=living.other_key) as http:
        assert http.get("/v1/visits?open=true").json()["data"] == []


def test_a_stream_tells_what_pages_tell_and_goes_on(living: Living) -> None:
    ids = record(living.home.database, 0, 5)
    with following(living) as stream:
        told = take(stream, 5)
        ids += record(living.home.database, 5, 3)
        told += take(stream, 3)
    with living.client(Role.VIEWER) as http:
        page = http.get("/v1/events", params={"limit": 4}).json()
        assert page["next_cursor"] == told[3][0]
        assert [event for _, _, event in told] == all_rows(http, "/v1/events")
    assert [event["id"] for _, _, event in told] == ids
    assert [kind for _, kind, _ in told] == [event["type"] for _, _, event in told]


def test_a_stream_taken_up_anywhere_loses_and_repeats_nothing(living: Living) -> None:
    ids = record(living.home.database, 0, 250)  # more than one part, and written before the tail looks
    got: list[str] = []
    cursor = ""
    for n in (1, 99, 100, 49, 1):
        with following(living, **{"Last-Event-ID": cursor}) as stream:
            told = take(stream, n)
        got += [event["id"] for _, _, event in told]
        cursor = told[-1][0]
    assert got == ids


def test_readers_of_one_tail_further_behind_than_memory_get_all(living: Living, monkeypatch: Any) -> None:
    monkeypatch.setattr("runtime.event_tail.RECENT_EVENTS", 10)  # a limit, not our code: events outrun memory
    first = record(living.home.database, 0, 1)
    with following(living) as one, following(living) as two:
        assert [take(one, 1)[0][2]["id"], take(two, 1)[0][2]["id"]] == first * 2
        ids = record(living.home.database, 1, 400)
        assert [event["id"] for _, _, event in take(one, 400)] == ids
        assert [event["id"] for _, _, event in take(two, 400)] == ids


def test_tenants_and_types_are_apart(living: Living) -> None:
    theirs: list[str] = []
    with (
        following(living) as ours,
        following(living, key=living.other_key) as others,
        living.client(Role.VIEWER) as http,
        http.stream("GET", "/v1/events?from=start&type=visit.exited", headers=STREAM) as filtered,
    ):
        mine = record(living.home.database, 0, 4)
        theirs = record(living.home.database, 0, 4, OTHER_TENANT)
        mine += record(living.home.database, 4, 2)
        assert [event["id"] for _, _, event in take(ours, 6)] == mine
        assert [event["id"] for _, _, event in take(others, 4)] == theirs
        assert [event["data"]["n"] for _, _, event in take(messages(filtered.iter_lines()), 3)] == [1, 3, 5]
        page = http.get("/v1/events", params={"type": ["visit.exited"]}).json()["data"]
        assert [event["data"]["n"] for event in page] == [1, 3, 5]


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ("?type=visit.enterd", {}, 422, "invalid_field"),
        ("", {"Last-Event-ID": "nonsense"}, 422, "invalid_cursor"),
        ("?cursor=dmlzaXRzHzE", {}, 422, "invalid_cursor"),
        ("", {"Authorization": "Bearer nobody"}, 401, "key_invalid"),
    ],
)
def test_a_stream_that_cannot_be_is_a_problem(
    living_module: Living, query: str, headers: dict[str, str], status: int, code: str
) -> None:
    with living_module.client(Role.VIEWER) as http:
        answer = http.get(f"/v1/events{query}", headers=STREAM | headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    with living_module.client(Role.DEVICE) as phone:
        assert phone.get("/v1/events", headers=STREAM).status_code == 403


@pytest.fixture
def strict(prepared_home: Path, small_world: World, tmp_path: Path) -> Iterator[Living]:
    """A server that gives a tenant two streams, and a reader little time."""
    limits = StreamLimits(per_tenant=2, heartbeat_s=0.2, take_within_s=0.5)
    with serve(copy_home(prepared_home, tmp_path / "home"), small_world, stream_limits=limits) as running:
        yield running


def test_a_tenant_holds_so_many_streams_and_no_more(strict: Living) -> None:
    record(strict.home.database, 0, 1)
    with following(strict) as one, following(strict) as two:
        take(one, 1), take(two, 1)
        with strict.client(Role.VIEWER) as http:
            third = http.get("/v1/events", headers=STREAM)
        assert (third.status_code, third.json()["code"]) == (429, "too_many_streams")
        with following(strict, key=strict.other_key):
            pass
    wait_until(lambda: opens(strict))


def opens(living: Living) -> bool:
    """Whether there is room for a stream again."""
    try:
        with following(living):
            return True
    except AssertionError:
        return False


def test_a_silent_stream_has_a_heartbeat_that_moves_its_cursor(strict: Living) -> None:
    with (
        strict.client(Role.VIEWER) as http,
        http.stream("GET", "/v1/events?type=coupon.issued", headers=STREAM) as answer,
    ):
        lines = answer.iter_lines()
        before = [next(lines) for _ in range(3)]
        record(strict.home.database, 0, 3)
        while (line := next(lines)) in {"", ": heartbeat", before[1]}:
            pass
    assert before[0].startswith("retry: ")
    assert line.startswith("id: ")
    with following(strict, **{"Last-Event-ID": line[4:]}) as stream:
        (new,) = record(strict.home.database, 3, 1)
        assert take(stream, 1)[0][2]["id"] == new


def test_a_revoked_key_ends_its_stream(strict: Living) -> None:
    with following(strict) as stream:
        with strict.home.database.write() as connection:
            connection.execute(api_keys.update().where(api_keys.c.role == "viewer").values(revoked_us=1))
        assert list(stream) == []


def test_a_reader_who_takes_nothing_is_cut_off_and_can_go_on(strict: Living) -> None:
    ids = record(strict.home.database, 0, 3_000, padding=8_000)  # more than all buffers of two sockets
    host, port = strict.url.removeprefix("http://").split(":")
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.connect((host, int(port)))
        slow.settimeout(60)
        asked = ["GET /v1/events?from=start HTTP/1.1", "Host: x", "Accept: text/event-stream"]
        asked += [f"Authorization: Bearer {strict.keys[Role.VIEWER]}", "", ""]
        slow.sendall("\r\n".join(asked).encode())
        with following(strict, key=strict.keys[Role.ADMIN]) as quick:  # is not held up meanwhile
            assert [event["id"] for _, _, event in take(quick, 3_000)] == ids
        wait_until(lambda: strict.running.tail.n_followers(DEFAULT_TENANT) == 0)
        received = b"".join(iter(lambda: slow.recv(1 << 20), b""))
    lines = [line.partition("\r\n")[0] for line in received.decode(errors="replace").split("id: ")[1:]]
    cursors = [line.splitlines()[0] for line in lines if "\nevent: " in line and "\n\n" in line]
    assert 0 < len(cursors) < len(ids)
    with following(strict, **{"Last-Event-ID": cursors[-1]}) as stream:
        assert [event["id"] for _, _, event in take(stream, len(ids) - len(cursors))] == ids[len(cursors) :]


def test_a_server_that_stops_ends_its_streams_whole(prepared_home: Path, small_world: World, tmp_path: Path) -> None:
    ended = threading.Event()
    with serve(copy_home(prepared_home, tmp_path / "home"), small_world) as living:
        ids = record(living.home.database, 0, 1)
        opened = threading.Event()

        def watch() -> None:
            with following(living) as stream:
                assert take(stream, 1)[0][2]["id"] == ids[0]
                opened.set()
                assert list(stream) == []  # raises where the stream is cut off
            ended.set()

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert opened.wait(30)
    watcher.join(30)
    assert ended.is_set()
