"""Nothing that waits for the database, and no large body, holds up another caller."""

import asyncio
import gzip
import json
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar, cast

import httpx
import msgspec
import pytest

from api.app import create_app
from api.ports import Caller, Keys, Role, Scans, Services
from fingerprints.scan import LabelledScan, Scan
from kernel.errors import AtriumError
from kernel.ids import TenantId
from runtime.clocks import SystemClock

T = TypeVar("T")
CALLER = Caller("key_1", TenantId("default"), Role.ADMIN)
ANSWER: dict[str, Any] = {"scan_id": "s", "reason": "no_readings", "position": None, "scene": None, "cards": []}
WAIT_S = 5.0
"""Until a reader of keys that is never let go gives up; a test that reaches it has failed."""


class SlowKeys:
    """Keys in a database that takes its time: each look-up waits to be let go."""

    def __init__(self) -> None:
        self.asked, self.may_go = threading.Event(), threading.Event()

    def recall_caller(self, key: str) -> Caller | None:
        return None

    def find_caller(self, key: str) -> Caller | None:
        self.asked.set()
        return CALLER if self.may_go.wait(WAIT_S) else None


class KnownKeys:
    """Keys in memory."""

    def recall_caller(self, key: str) -> Caller | None:
        return CALLER

    def find_caller(self, key: str) -> Caller | None:
        return CALLER


class PlainScans:
    """Answers at once, and tells how often the event loop came round before it was asked."""

    is_running = True

    def __init__(self) -> None:
        self.rounds = 0
        self.rounds_when_asked = -1

    async def answer(self, tenant: TenantId, scans: Sequence[Scan | LabelledScan]) -> list[bytes | AtriumError]:
        self.rounds_when_asked = self.rounds
        return [msgspec.json.encode(ANSWER) for _ in scans]

    async def count_rounds(self) -> None:
        while True:
            self.rounds += 1
            await asyncio.sleep(0)


def app_of(keys: Keys, scans: Scans) -> httpx.ASGITransport:
    rest = cast("Any", None)
    others = [rest] * 12
    services: Services = cast("Any", Services)(keys, scans, *others, SystemClock(), b"k" * 32, "0")
    return httpx.ASGITransport(create_app(services))


def run(play: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(play, 30))


@pytest.mark.parametrize("path", ["/v1/scans", "/v1/geolocate?key=k"])
def test_a_slow_read_of_the_database_holds_up_no_other_call(path: str) -> None:
    keys = SlowKeys()

    async def play() -> None:
        async with httpx.AsyncClient(
            transport=app_of(keys, PlainScans()), base_url="http://atrium", headers={"Authorization": "Bearer k"}
        ) as http:
            slow = asyncio.create_task(http.post(path, json={"at": 1_776_484_800_000}))
            while not keys.asked.is_set():
                await asyncio.sleep(0.001)
            health = await http.get("/v1/health")
            assert health.status_code == 200
            assert (await http.get("/v2/nowhere")).status_code == 404
            assert not slow.done()
            keys.may_go.set()
            assert (await slow).status_code in {200, 404}

    run(play())


SCAN = {
    "at": 1_776_484_800_000,
    "wifi": [{"bssid": f"02:00:00:00:00:{i:02x}", "rssi_dbm": -50, "frequency_mhz": 5805} for i in range(60)],
}


@pytest.mark.parametrize("form", ["json", "gzip", "ndjson", "msgpack"])
def test_the_event_loop_goes_round_while_a_large_body_is_decoded(form: str) -> None:
    scans, body = PlainScans(), {"scans": [SCAN] * 500}
    as_json = json.dumps(body).encode()
    content, headers = {
        "json": (as_json, {}),
        "gzip": (gzip.compress(as_json), {"Content-Encoding": "gzip"}),
        "ndjson": (b"\n".join([json.dumps(SCAN).encode()] * 500), {"Content-Type": "application/x-ndjson"}),
        "msgpack": (msgspec.msgpack.encode(body), {"Content-Type": "application/msgpack"}),
    }[form]

    async def play() -> None:
        async with httpx.AsyncClient(
            transport=app_of(KnownKeys(), scans), base_url="http://atrium", headers={"Authorization": "Bearer k"}
        ) as http:
            counting = asyncio.create_task(scans.count_rounds())
            answer = await http.post("/v1/scans", content=content, headers=headers)
            counting.cancel()
            assert answer.status_code == 200

    run(play())
    assert scans.rounds_when_asked > 5  # decoded on the loop, it would not come round once


def test_a_small_scan_with_a_known_key_takes_no_thread() -> None:
    scans = PlainScans()
    before = threading.active_count()

    async def play() -> int:
        async with httpx.AsyncClient(
            transport=app_of(KnownKeys(), scans), base_url="http://atrium", headers={"Authorization": "Bearer k"}
        ) as http:
            assert (await http.post("/v1/scans", json=SCAN)).status_code == 200
            return threading.active_count()

    assert run(play()) == before
