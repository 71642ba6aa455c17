"""The shopping day against a real HTTP server that speaks the API's wire format."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pytest

from atrium_client import AuthError, Client
from atrium_client.retry import RetryPolicy
from sim.dates import FIRST_DAY
from sim.demo_day import DemoRun
from sim.http_server import HttpServer
from sim.pace import Pacer, Stopped
from sim.world import World


@dataclass
class FakeTime:
    """A wall clock that only sleeping moves."""

    now_s: float = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, wait_s: float) -> None:
        self.now_s += wait_s


@dataclass
class Mall:
    """A server that gives each consenting phone one coupon for a store, and checks what the till sends."""

    url: str
    target: str
    failures: dict[int, int] = field(default_factory=dict)
    """Request number -> status with which it fails (0: the connection breaks)."""
    n_requests: int = 0
    devices: dict[str, Any] = field(default_factory=dict)
    scans: list[dict[str, Any]] = field(default_factory=list)
    last_truth: dict[str, Any] = field(default_factory=dict)
    coupons: dict[str, str] = field(default_factory=dict)
    redeemed_at: dict[str, str | None] = field(default_factory=dict)
    scans_inside: Counter[str] = field(default_factory=Counter)
    scans_before_redemption: list[int] = field(default_factory=list)
    keys: Counter[str] = field(default_factory=Counter)

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        self.keys[f"{method} {path.split('/')[2]} {headers['Authorization']}"] += 1
        if path.startswith("/v1/devices/"):
            self.devices[path.removeprefix("/v1/devices/")] = body
            return 200, {}
        if path == "/v1/scans":
            return 200, {"results": [self._locate(scan) for scan in body["scans"]]}
        assert headers["Idempotency-Key"]
        device = self.coupons[body["code"]]
        assert body["code"] not in self.redeemed_at
        self.redeemed_at[body["code"]] = self.last_truth[device]["store_id"]
        self.scans_before_redemption.append(self.scans_inside[device])
        return 201, {"id": "red_1"}

    def _locate(self, scan: dict[str, Any]) -> dict[str, Any]:
        device = scan["device_id"]
        assert device in self.devices
        self.scans.append(scan)
        self.last_truth[device] = scan["truth"]
        self.scans_inside[device] = self.scans_inside[device] + 1 if scan["truth"]["store_id"] == self.target else 0
        cards: list[Any] = []
        allowed = {consent["purpose"] for consent in self.devices[device]["consents"]}
        code = f"code-{device}"
        if "marketing" in allowed and code not in self.coupons:
            self.coupons[code] = device
            coupon = {"code": code, "expires_at": None}
            url = f"atrium:store/{self.target}"
            cards.append({"card_id": "crd_1", "campaign_id": "cmp_1", "action_url": url, "coupon": coupon})
        return {"scan_id": scan["scan_id"], "position": {"store_id": None}, "cards": cards}


@pytest.fixture
def mall(small_world: World) -> Iterator[Mall]:
    state = Mall("", small_world.mall.venue.stores[-1].id)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer: two would wait 40 ms for each other
        wbufsize = -1  # head and body in one packet: apart, each answer waits 40 ms for the client's delayed ACK
        disable_nagle_algorithm = True

        def _handle(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.n_requests += 1
            status = state.failures.get(state.n_requests)
            if status == 0:
                self.close_connection = True
                return
            answer: Any = {"code": "failed"}
            if status is None:
                status, answer = state.answer(self.command, self.path, self.headers, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

        do_POST = do_PUT = _handle

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the base class
            """Keep the test's output clean."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    state.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


def play(
    world: World,
    mall: Mall,
    *,
    n_shoppers: int = 6,
    stop_after: int | None = None,
    time: FakeTime | None = None,
    on: date = FIRST_DAY,
) -> DemoRun:
    clock = time or FakeTime()
    pacer = Pacer(60.0, lambda: stop_after is not None and mall.n_requests >= stop_after, clock.monotonic, clock.sleep)
    never = RetryPolicy(retries=0)
    with Client(mall.url, "device", policy=never) as phones, Client(mall.url, "cashier", policy=never) as till:
        server = HttpServer(phones, till, pause=pacer.pause, wants_truth=True)
        run = DemoRun(world, server, pacer, n_shoppers=n_shoppers, first_day=on)
        run.play_day(0)
    return run


def test_every_phone_scans_every_ten_seconds_from_arriving_to_leaving(small_world: World, mall: Mall) -> None:
    run = play(small_world, mall, n_shoppers=4)
    assert run.progress.scans == len(mall.scans)
    by_phone: dict[str, list[datetime]] = {}
    for scan in mall.scans:
        by_phone.setdefault(scan["device_id"], []).append(datetime.fromisoformat(scan["at"]))
    assert set(by_phone) == {shopper.device_id for shopper in small_world.shoppers(0, 4, 10.0)} == set(mall.devices)
    for times in by_phone.values():
        gaps = [(b - a).total_seconds() for a, b in pairwise(times)]
        assert all(gap == pytest.approx(10.0, abs=0.002) for gap in gaps)
    assert mall.scans[0]["at"].startswith("2026-04-18T0")  # opening at 10:00 in the mall is 02:00 UTC
    assert len({scan["scan_id"] for scan in mall.scans}) == len(mall.scans)


def test_time_never_goes_back_from_scan_to_scan(small_world: World, mall: Mall) -> None:
    play(small_world, mall)
    times = [scan["at"] for scan in mall.scans]
    assert times == sorted(times)


def test_coupons_are_redeemed_once_each_by_people_inside_their_store(small_world: World, mall: Mall) -> None:
    run = play(small_world, mall, n_shoppers=10)
    assert run.progress.cards == len(mall.coupons) > 0
    assert run.progress.redemptions == len(mall.redeemed_at) > 0
    assert set(mall.redeemed_at.values()) == {mall.target}
    assert min(mall.scans_before_redemption) >= 5  # nobody pays before 40 s in the store
    assert len(mall.redeemed_at) < len(mall.coupons)  # not everybody follows a card
    assert {key.split()[1] + " " + key.split()[3] for key in mall.keys} == {
        "devices device", "scans device", "redemptions cashier",
    }  # fmt: skip


def test_a_group_stays_together_whoever_follows_a_card(small_world: World, mall: Mall) -> None:
    """Scans of two members are at most half a period and their lag apart in time, so nearly as near in space."""
    n = 40
    play(small_world, mall, n_shoppers=n)
    households: dict[int, list[str]] = {}
    for shopper in small_world.shoppers(0, n, 10.0):
        households.setdefault(shopper.household, []).append(shopper.device_id)
    scans: dict[str, dict[int, dict[str, Any]]] = {}
    for scan in mall.scans:
        tick = int(datetime.fromisoformat(scan["at"]).timestamp() // 10)
        scans.setdefault(scan["device_id"], {})[tick] = scan["truth"]
    pairs = [(a, b) for members in households.values() for a, b in pairwise(members)]
    assert any(f"code-{a}" in mall.redeemed_at or f"code-{b}" in mall.redeemed_at for a, b in pairs)
    apart_m: list[float] = []
    for a, b in pairs:
        for tick in scans[a].keys() & scans[b].keys():
            here, there = scans[a][tick], scans[b][tick]
            if here["level"] == there["level"]:
                lat_m, lng_m = (here["lat"] - there["lat"]) * 111_000, (here["lng"] - there["lng"]) * 96_000
                apart_m.append((lat_m**2 + lng_m**2) ** 0.5)
    assert len(apart_m) > 1_000
    assert max(apart_m) < 1.1 * (10.0 + 1.5 * 4) + 1.0


def test_a_server_that_goes_away_loses_nothing_and_doubles_nothing(small_world: World, mall: Mall) -> None:
    play(small_world, mall)
    undisturbed = [scan["scan_id"] for scan in mall.scans]
    redeemed = dict(mall.redeemed_at)
    again = Mall(mall.url, mall.target)
    mall.__dict__.update(again.__dict__)
    mall.failures = {3: 503, 4: 503, 10: 0, 40: 500, 90: 0, 91: 0, 92: 0}
    play(small_world, mall)
    assert [scan["scan_id"] for scan in mall.scans] == undisturbed
    assert mall.redeemed_at == redeemed


def test_the_same_seed_plays_the_same_scans(small_world: World, mall: Mall) -> None:
    play(small_world, mall, n_shoppers=3)
    first = json.dumps(mall.scans)
    mall.__dict__.update(Mall(mall.url, mall.target).__dict__)
    play(small_world, mall, n_shoppers=3)
    assert json.dumps(mall.scans) == first


def test_a_run_on_the_next_date_brings_no_scan_twice(small_world: World, mall: Mall) -> None:
    play(small_world, mall, n_shoppers=3)
    scans = {scan["scan_id"] for scan in mall.scans}
    mall.__dict__.update(Mall(mall.url, mall.target).__dict__)
    play(small_world, mall, n_shoppers=3, on=FIRST_DAY + timedelta(days=1))
    assert mall.scans[0]["at"].startswith("2026-04-19T")
    assert not scans & {scan["scan_id"] for scan in mall.scans}


def test_it_is_never_faster_than_told(small_world: World, mall: Mall) -> None:
    clock = FakeTime()
    play(small_world, mall, n_shoppers=3, time=clock)
    first, last = (datetime.fromisoformat(mall.scans[i]["at"]) for i in (0, -1))
    assert clock.now_s * 60.0 >= (last - first).total_seconds() - 10.0


def test_it_ends_in_the_middle_when_told(small_world: World, mall: Mall) -> None:
    with pytest.raises(Stopped):
        play(small_world, mall, stop_after=20)
    assert 20 <= mall.n_requests <= 22


def test_a_refused_key_ends_the_run_with_its_error(small_world: World, mall: Mall) -> None:
    mall.failures = {2: 401}
    with pytest.raises(AuthError):
        play(small_world, mall)


def test_a_slow_server_makes_the_run_late_and_the_lost_time_is_not_caught_up() -> None:
    clock = FakeTime()
    pacer = Pacer(10.0, lambda: False, clock.monotonic, clock.sleep)
    pacer.wait_until(0.0)
    clock.now_s += 7.0  # the first 10 simulated seconds were due after 1 s
    pacer.wait_until(10.0)
    assert clock.now_s == 7.0
    assert pacer.slipped_s == pytest.approx(6.0)
    pacer.wait_until(20.0)
    assert clock.now_s == pytest.approx(8.0)
