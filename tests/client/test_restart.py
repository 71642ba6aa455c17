"""The server dies by SIGKILL in mid-batch and comes back: no scan lost, none counted twice, by either client."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api.ports import Role
from atrium_client import Answer, AsyncClient, Client, RetryPolicy, Scan, ScanQueue
from benchmarks.server_process import ServerProcess
from kernel.ids import TenantId
from runtime.clocks import SystemClock
from runtime.database import Database
from runtime.home import open_home
from runtime.records.schema import answers, campaign_people, campaigns, coupons, deliveries, events, visits
from runtime.records.tenants import make_key
from runtime.secrets import load_server_keys
from sim.world import World
from tests.living_server import campaign, consents, copy_home, stay

PHONES, SCANS, BATCH = 6, 10, 12
PATIENT = RetryPolicy(retries=200, first_s=0.2, longest_s=0.5, deadline_s=120.0)
"""A restart takes seconds."""


@dataclass
class Road:
    """Stands between client and server, and lets the server die at chosen batches.

    At ``answer_lost`` the server has stored the batch and answered, but the answer does not arrive. At
    ``at_work`` it dies some milliseconds after it got the batch, stored or not.
    """

    mall: ServerProcess
    answer_lost: int
    at_work: int
    n_batches: int = 0
    deaths: list[str] = field(default_factory=list)
    restarts: list[threading.Thread] = field(default_factory=list)

    def carry(self, body: bytes, headers: dict[str, str]) -> httpx.Response | None:
        self.n_batches += 1
        if self.n_batches == self.at_work:
            killer = threading.Timer(0.01, self.mall.kill)
            killer.start()
            with contextlib.suppress(httpx.TransportError):
                httpx.post(f"{self.mall.url}/v1/scans", content=body, headers=headers, timeout=30)
            killer.join()
            self._dead("at work")
            return None
        try:
            answer = httpx.post(f"{self.mall.url}/v1/scans", content=body, headers=headers, timeout=30)
        except httpx.TransportError:
            self.n_batches -= 1  # the server is not back yet
            return None
        if self.n_batches == self.answer_lost:
            assert answer.status_code == 200
            self.mall.kill()
            self._dead("answer lost")
            return None
        return answer

    def _dead(self, how: str) -> None:
        self.deaths.append(how)
        self.restarts.append(threading.Thread(target=self.mall.start))
        self.restarts[-1].start()


@contextmanager
def road_to(mall: ServerProcess, answer_lost: int, at_work: int) -> Iterator[tuple[Road, str]]:
    road = Road(mall, answer_lost, at_work)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept = {name: self.headers[name] for name in ("Authorization", "Content-Type")}
            answer = road.carry(body, kept)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the base class
            """Keep the test's output clean."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield road, f"http://127.0.0.1:{http.server_address[1]}"
    finally:
        for restart in road.restarts:
            restart.join()
        http.shutdown()
        http.server_close()
        thread.join()


Send = Callable[[str, str, list[Scan], Path], list[Answer]]


def locate_blocking(url: str, key: str, scans: list[Scan], folder: Path) -> list[Answer]:
    with Client(url, key, policy=PATIENT) as client:
        return client.locate_many(scans, batch=BATCH)


def locate_awaited(url: str, key: str, scans: list[Scan], folder: Path) -> list[Answer]:
    async def run() -> list[Answer]:
        async with AsyncClient(url, key, policy=PATIENT) as client:
            return await client.locate_many(scans, batch=BATCH)

    return asyncio.run(run())


def queue_with(scans: list[Scan], folder: Path) -> ScanQueue:
    queue = ScanQueue(folder)
    for n in range(PHONES):
        queue.allow(f"d-{n}")
    assert queue.put_many(scans) == len(scans)
    return queue


def flush_blocking(url: str, key: str, scans: list[Scan], folder: Path) -> list[Answer]:
    told: list[Answer] = []
    with queue_with(scans, folder) as queue, Client(url, key, policy=PATIENT, queue=queue) as client:
        done = client.flush(told.append, batch=BATCH)
    assert (done.sent, done.refused, done.left, done.error) == (len(scans), (), 0, None)
    return told


def flush_awaited(url: str, key: str, scans: list[Scan], folder: Path) -> list[Answer]:
    told: list[Answer] = []

    async def run() -> None:
        with queue_with(scans, folder) as queue:
            async with AsyncClient(url, key, policy=PATIENT, queue=queue) as client:
                done = await client.flush(told.append, batch=BATCH)
        assert (done.sent, done.refused, done.left, done.error) == (len(scans), (), 0, None)

    asyncio.run(run())
    return told


@dataclass
class Outcome:
    """What a run left: the answers, and what the records say."""

    answers: list[Answer]
    stored: dict[str, list[Any]]


def run(prepared: Path, world: World, folder: Path, send: Send, answer_lost: int, at_work: int) -> Outcome:
    """A shop full of phones, sent in batches over a road on which the server dies."""
    mall = ServerProcess(copy_home(prepared, folder / "home"))
    home = open_home(mall.folder)
    with home.database.write() as connection:
        key = make_key(connection, TenantId("default"), Role.ADMIN, "test", SystemClock().now()).text
    home.database.close()
    store = world.mall.venue.stores[0].id
    scans: list[Any] = [scan for n in range(PHONES) for scan in stay(world, store, f"d-{n}", n=SCANS)]
    scans.sort(key=lambda scan: scan["at"])
    mall.start()
    try:
        with httpx.Client(base_url=mall.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as http:
            made = http.post("/v1/campaigns", json=campaign(store, budget=PHONES - 2)).json()
            http.post(f"/v1/campaigns/{made['id']}:publish").raise_for_status()
            for n in range(PHONES):
                http.put(f"/v1/devices/d-{n}", json=consents("visits", "marketing")).raise_for_status()
        with road_to(mall, answer_lost, at_work) as (road, url):
            told = send(url, key, scans, folder / "queue")
        assert road.deaths == [how for how, at in (("answer lost", answer_lost), ("at work", at_work)) if at]
    finally:
        mall.stop()
    assert [answer["scan_id"] for answer in told] == [scan["scan_id"] for scan in scans]
    return Outcome(told, stored_in(mall.folder))


def stored_in(folder: Path) -> dict[str, list[Any]]:
    """What counts, row by row, without the ids that hang on the campaign's random one."""
    columns = {
        "answers": [answers.c.device_ref, answers.c.scan_id],
        "visits": list(visits.c),
        "events": [events.c.person, events.c.type, events.c.occurred_us],
        "coupons": [coupons.c.sequence, coupons.c.person, coupons.c.visit_id, coupons.c.issued_us],
        "deliveries": [deliveries.c.person, deliveries.c.visit_id, deliveries.c.at_us, deliveries.c.reason],
        "people": [campaign_people.c.person, campaign_people.c.given],
        "given": [campaigns.c.given],
    }
    database = Database(f"sqlite:///{folder / 'atrium.db'}")
    with database.read() as connection:
        out = {name: [tuple(row) for row in connection.execute(sa.select(*chosen))] for name, chosen in columns.items()}
    database.close()
    return {name: sorted(rows, key=repr) for name, rows in out.items()}


def plain(told: list[Answer]) -> list[Any]:
    """Answers without what hangs on the campaign's random id."""
    return [
        {**answer, "cards": [(card["title"], card["coupon"] is not None, card["reason"]) for card in answer["cards"]]}
        for answer in told
    ]


@pytest.fixture(scope="module")
def mall_home(prepared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder with its secret made, so that all runs give a phone one pseudonym."""
    folder = copy_home(prepared_home, tmp_path_factory.mktemp("with_secret") / "home")
    load_server_keys(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(mall_home: Path, small_world: World, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The same day without a death."""
    return run(mall_home, small_world, tmp_path_factory.mktemp("undisturbed"), locate_blocking, 0, 0)


@pytest.mark.parametrize("send", [locate_blocking, locate_awaited, flush_blocking, flush_awaited])
def test_two_deaths_in_mid_batch_change_nothing(
    mall_home: Path, small_world: World, tmp_path: Path, undisturbed: Outcome, send: Send
) -> None:
    assert undisturbed.stored["given"] == [(PHONES - 2,)]
    assert len(undisturbed.stored["answers"]) == PHONES * SCANS
    assert sum("store" in row for row in undisturbed.stored["visits"]) >= PHONES
    disturbed = run(mall_home, small_world, tmp_path, send, 2, 4)
    assert plain(disturbed.answers) == plain(undisturbed.answers)
    assert disturbed.stored == undisturbed.stored
