"""Sending the queue, blocking and awaited alike: what leaves it, what stays, what is told."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atrium_client import (
    Answer,
    AsyncClient,
    AuthError,
    Client,
    Flushed,
    QueueBusy,
    QueueError,
    RetryPolicy,
    Scan,
    ScanQueue,
)
from atrium_client.errors import InvalidInput, RateLimited, ServerError, Unreachable

AT_ONCE = RetryPolicy(retries=3, first_s=0.0)
ALLOWS: Any = {"age_band": "adult", "consents": [{"purpose": "visits", "version": "1", "at": "2026-01-01T00:00:00Z"}]}

Flush = Callable[..., Flushed]


def flush_blocking(url: str, queue: ScanQueue, on_answer: Any = None, batch: int = 1_000) -> Flushed:
    with Client(url, "k-1", policy=AT_ONCE, queue=queue) as client:
        return client.flush(on_answer, batch=batch)


def flush_awaited(url: str, queue: ScanQueue, on_answer: Any = None, batch: int = 1_000) -> Flushed:
    async def run() -> Flushed:
        async with AsyncClient(url, "k-1", policy=AT_ONCE, queue=queue) as client:
            return await client.flush(on_answer, batch=batch)

    return asyncio.run(run())


@pytest.fixture(params=[flush_blocking, flush_awaited], ids=["blocking", "awaited"])
def flush(request: pytest.FixtureRequest) -> Flush:
    chosen: Flush = request.param
    return chosen


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[ScanQueue]:
    with ScanQueue(tmp_path / "queue", is_durable=False) as made:
        made.allow("d-1")
        yield made


def fill(queue: ScanQueue, n: int) -> None:
    scans: list[Scan] = [{"scan_id": f"s-{i}", "device_id": "d-1", "at": i} for i in range(n)]
    assert queue.put_many(scans) == n


def answers_to(request: Any, **odd: Any) -> dict[str, Any]:
    """An answer a scan; ``odd`` gives those of some ids, with ``_`` for ``-``."""
    plain: dict[str, Any] = {"reason": "no_readings", "position": None, "scene": None, "cards": []}
    return {
        "results": [
            {"scan_id": scan["scan_id"], **odd.get(scan["scan_id"].replace("-", "_"), plain)}
            for scan in request.json["scans"]
        ]
    }


def problem(status: int, code: str) -> dict[str, Any]:
    return {"error": {"status": status, "code": code, "detail": "no"}}


def sent(server: Any) -> list[list[str]]:
    return [[scan["scan_id"] for scan in request.json["scans"]] for request in server.requests]


def test_all_goes_in_order_in_batches_and_each_answer_is_told(
    server: Any, reply: Any, queue: ScanQueue, flush: Flush
) -> None:
    fill(queue, 5)
    server.script = lambda request: reply(json=answers_to(request))
    told: list[Answer] = []
    assert flush(server.url, queue, told.append, batch=2) == Flushed(5, (), 0, None)
    assert sent(server) == [["s-0", "s-1"], ["s-2", "s-3"], ["s-4"]]
    assert [answer["scan_id"] for answer in told] == [f"s-{i}" for i in range(5)]
    assert flush(server.url, queue) == Flushed(0, (), 0, None)
    assert len(server.requests) == 3


def test_a_batch_that_fails_stays_and_is_sent_again_as_it_was(
    server: Any, reply: Any, queue: ScanQueue, flush: Flush
) -> None:
    fill(queue, 4)
    failures = [reply(0), reply(503), reply(429, headers={"Retry-After": "0"})]

    def script(request: Any) -> Any:
        if len(server.requests) > 1 and failures:
            return failures.pop()
        return reply(json=answers_to(request))

    server.script = script
    assert flush(server.url, queue, batch=2) == Flushed(4, (), 0, None)
    assert sent(server) == [["s-0", "s-1"], *[["s-2", "s-3"]] * 4]


def test_retries_are_counted_from_the_last_batch_that_moved(
    server: Any, reply: Any, queue: ScanQueue, flush: Flush
) -> None:
    fill(queue, 4)
    server.script = lambda request: reply(503) if len(server.requests) % 3 else reply(json=answers_to(request))
    assert flush(server.url, queue, batch=1) == Flushed(4, (), 0, None)  # eight failures, three retries a batch
    assert len(server.requests) == 12


@pytest.mark.parametrize(
    ("status", "kind", "n_requests"),
    [(0, Unreachable, 4), (503, ServerError, 4), (429, RateLimited, 4), (500, ServerError, 1), (401, AuthError, 1)],
)
def test_what_was_not_acknowledged_stays_with_the_reason(
    server: Any, reply: Any, queue: ScanQueue, flush: Flush, status: int, kind: type, n_requests: int
) -> None:
    fill(queue, 3)
    server.replies(reply(json={"results": [{"scan_id": "s-0"}]}), reply(status, {"code": "x"}))
    done = flush(server.url, queue, batch=1)
    assert (done.sent, done.refused, done.left) == (1, (), 2)
    assert isinstance(done.error, kind)
    assert len(server.requests) == 1 + n_requests
    assert [held.scan_id for held in queue.peek(9, 1 << 20)] == ["s-1", "s-2"]


def test_a_scan_refused_in_place_goes_with_its_reason_and_a_failed_one_stays(
    server: Any, reply: Any, queue: ScanQueue, flush: Flush
) -> None:
    fill(queue, 4)
    bad, failed = problem(422, "clock_ahead"), problem(503, "part_failed")
    server.script = lambda request: reply(json=answers_to(request, s_1=bad, s_2=failed))
    told: list[Answer] = []
    done = flush(server.url, queue, told.append)
    assert (done.sent, done.left) == (2, 1)
    assert [(refused.scan_id, refused.error.code) for refused in done.refused] == [("s-1", "clock_ahead")]
    assert done.error is not None
    assert done.error.code == "part_failed"
    assert [answer["scan_id"] for answer in told] == ["s-0", "s-3"]
    assert sent(server) == [["s-0", "s-1", "s-2", "s-3"], *[["s-2"]] * 3]  # three retries after it moved
    server.script = lambda request: reply(json=answers_to(request))
    assert flush(server.url, queue) == Flushed(1, (), 0, None)


def test_a_scan_refused_without_its_name_goes_too(server: Any, reply: Any, queue: ScanQueue, flush: Flush) -> None:
    fill(queue, 2)
    refused = {"scan_id": None, **problem(422, "invalid_scan")}
    server.script = lambda request: reply(json=answers_to(request, s_0=refused))
    done = flush(server.url, queue)
    assert (done.sent, done.left, [one.scan_id for one in done.refused]) == (1, 0, ["s-0"])


def test_the_scan_that_spoils_a_whole_batch_is_found_and_dropped(
    server: Any, reply: Any, queue: ScanQueue, flush: Flush
) -> None:
    fill(queue, 16)

    def script(request: Any) -> Any:
        if any(scan["scan_id"] == "s-5" for scan in request.json["scans"]):
            return reply(400, {"status": 400, "code": "malformed_body", "detail": "no"})
        return reply(json=answers_to(request))

    server.script = script
    done = flush(server.url, queue)
    assert (done.sent, done.left, done.error) == (15, 0, None)
    assert [refused.scan_id for refused in done.refused] == ["s-5"]


def test_a_smaller_limit_on_the_way_makes_smaller_batches(
    server: Any, reply: Any, queue: ScanQueue, flush: Flush
) -> None:
    fill(queue, 10)

    def script(request: Any) -> Any:
        if len(request.json["scans"]) > 3:
            return reply(413, text="<html>nginx</html>")
        return reply(json=answers_to(request))

    server.script = script
    assert flush(server.url, queue) == Flushed(10, (), 0, None)


@pytest.mark.parametrize("status", [400, 422])
def test_a_proxy_that_refuses_everything_empties_nothing(
    server: Any, reply: Any, queue: ScanQueue, flush: Flush, status: int
) -> None:
    fill(queue, 4)
    server.replies(reply(status, text="<html>The plain HTTP request was sent to HTTPS port</html>"))
    done = flush(server.url, queue)
    assert (done.sent, done.refused, done.left) == (0, (), 4)
    assert isinstance(done.error, InvalidInput)


@pytest.mark.parametrize(
    "body",
    [
        {"welcome": "to the mall's network"},
        {"results": [{"scan_id": "s-0"}]},
        {"results": [{"scan_id": "s-1"}, {"scan_id": "s-0"}]},
        {"results": [{"scan_id": "s-0"}, {}]},
    ],
)
def test_a_page_that_only_looks_like_an_answer_acknowledges_nothing(
    server: Any, reply: Any, queue: ScanQueue, flush: Flush, body: Any
) -> None:
    fill(queue, 2)
    server.replies(reply(json=body))
    done = flush(server.url, queue)
    assert (done.sent, done.left) == (0, 2)
    assert done.error is not None
    assert done.error.code == "unreadable_answer"


def test_an_answer_that_could_not_be_used_comes_again(server: Any, reply: Any, queue: ScanQueue, flush: Flush) -> None:
    fill(queue, 2)
    server.script = lambda request: reply(json=answers_to(request))

    def fails(answer: Answer) -> None:
        raise LookupError(answer["scan_id"])

    with pytest.raises(LookupError, match="s-0"):
        flush(server.url, queue, fails)
    told: list[Answer] = []
    assert flush(server.url, queue, told.append).sent == 2
    assert [answer["scan_id"] for answer in told] == ["s-0", "s-1"]


def test_what_is_wiped_during_the_retries_is_not_sent_again(
    server: Any, reply: Any, queue: ScanQueue, flush: Flush
) -> None:
    fill(queue, 2)

    def script(request: Any) -> Any:
        queue.wipe("d-1")
        return reply(503)

    server.script = script
    assert flush(server.url, queue) == Flushed(0, (), 0, None)
    assert len(server.requests) == 1


def test_nothing_of_what_was_sent_stays_on_disk(server: Any, reply: Any, queue: ScanQueue, tmp_path: Path) -> None:
    queue.put_many({"device_id": "d-1", "at": i, "venue_id": "the-secret-place"} for i in range(50))
    server.script = lambda request: reply(json=answers_to(request))
    assert flush_blocking(server.url, queue, batch=7).sent == 50
    held = b"".join(path.read_bytes() for path in (tmp_path / "queue").iterdir())
    assert b"the-secret-place" not in held


def test_two_do_not_send_at_once(server: Any, reply: Any, queue: ScanQueue, flush: Flush) -> None:
    fill(queue, 1)
    entered, leave = threading.Event(), threading.Event()

    def script(request: Any) -> Any:
        entered.set()
        leave.wait(20)
        return reply(json=answers_to(request))

    server.script = script
    first = threading.Thread(target=flush, args=(server.url, queue))
    first.start()
    assert entered.wait(20)
    with pytest.raises(QueueBusy):
        flush(server.url, queue)
    leave.set()
    first.join()
    assert flush(server.url, queue) == Flushed(0, (), 0, None)


def test_a_cancelled_flush_keeps_what_was_not_answered_and_lets_go(server: Any, reply: Any, queue: ScanQueue) -> None:
    fill(queue, 3)
    entered = threading.Event()

    def script(request: Any) -> Any:
        if len(server.requests) == 2:
            entered.set()
            return reply(503, headers={"Retry-After": "30"})
        return reply(json=answers_to(request))

    server.script = script

    async def run() -> None:
        async with AsyncClient(server.url, "k-1", queue=queue) as client:
            task = asyncio.create_task(client.flush(batch=1))
            await asyncio.to_thread(entered.wait, 20)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    server.script = lambda request: reply(json=answers_to(request))
    assert flush_awaited(server.url, queue) == Flushed(2, (), 0, None)


def put_device(kind: type, url: str, queue: ScanQueue, device: Any) -> None:
    if kind is Client:
        with Client(url, "k-1", policy=AT_ONCE, queue=queue) as client:
            client.put_device("d-2", device)
        return

    async def run() -> None:
        async with AsyncClient(url, "k-1", policy=AT_ONCE, queue=queue) as client:
            await client.put_device("d-2", device)

    asyncio.run(run())


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(
    "withdrawn", [ALLOWS | {"consents": []}, ALLOWS | {"age_band": "child"}, {"consents": ALLOWS["consents"]}, {}]
)
def test_the_queue_obeys_consent(server: Any, reply: Any, queue: ScanQueue, kind: type, withdrawn: Any) -> None:
    scan: Scan = {"scan_id": "s-9", "device_id": "d-2", "at": 9}
    fill(queue, 1)
    server.replies(reply(503, {"code": "part_failed"}))
    with pytest.raises(ServerError):
        put_device(kind, server.url, queue, ALLOWS)
    assert not queue.put(scan)  # the server does not know of the consent yet
    server.replies(reply(json={}))
    put_device(kind, server.url, queue, ALLOWS)
    assert queue.put(scan)
    server.replies(reply(503, {"code": "part_failed"}))
    with pytest.raises(ServerError):
        put_device(kind, server.url, queue, withdrawn)
    assert [held.scan_id for held in queue.peek(9, 1 << 20)] == ["s-0"]  # gone, though nobody could be told
    assert not queue.put(scan)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_withdrawal_reaches_the_server_though_the_queue_fails(
    server: Any, reply: Any, tmp_path: Path, kind: type
) -> None:
    server.replies(reply(json={}))
    closed = ScanQueue(tmp_path)
    closed.close()
    with pytest.raises(QueueError):
        put_device(kind, server.url, closed, ALLOWS | {"consents": []})
    assert [request.json["consents"] for request in server.requests] == [[]]


def test_a_client_without_a_queue_says_so() -> None:
    with Client("http://127.0.0.1:1", "k-1") as client, pytest.raises(ValueError, match="without a queue"):
        client.flush()
