"""What was acknowledged survives kill -9 at any moment, and nothing is stored by halves."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api.ports import Role
from benchmarks.kill import compare
from kernel.ids import TenantId
from runtime.clocks import SystemClock
from runtime.database import Database
from runtime.home import open_home
from runtime.records.schema import campaign_people, campaigns, coupons, deliveries, visits
from runtime.records.tenants import make_key
from sim.world import World
from tests.living_server import campaign, consents, copy_home, stay, wait_until

BUDGET = 12
PHONES = 20
SCANS = 8


@contextmanager
def server(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """``atrium serve`` as a process of its own, on a free port."""
    command = [
        sys.executable,
        "-c",
        "from runtime.cli import main; main()",
        "serve",
        "--port",
        "0",
        "--clock",
        "events",
    ]
    log = folder / "server.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*command, "--data-dir", str(folder)], stderr=said, env={**os.environ, "NO_COLOR": "1"}
        )
        address = re.compile(r"http://127\.0\.0\.1:(\d+)")
        try:
            wait_until(lambda: address.search(log.read_text()) or process.poll() is not None, 60)
            found = address.search(log.read_text())
            assert found, log.read_text()
            yield process, f"http://127.0.0.1:{found.group(1)}"
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(timeout=20)


@pytest.mark.parametrize("kill_after", [20, 90])
def test_acknowledged_coupons_and_visits_survive_kill_9(
    prepared_home: Path, small_world: World, tmp_path: Path, kill_after: int
) -> None:
    folder = copy_home(prepared_home, tmp_path / "home")
    home = open_home(folder)
    with home.database.write() as connection:
        key = make_key(connection, TenantId("default"), Role.ADMIN, "test", SystemClock().now()).text
    home.database.close()
    headers = {"Authorization": f"Bearer {key}"}
    store = small_world.mall.venue.stores[0].id
    acknowledged: list[dict[str, Any]] = []

    def play(url: str, n: int) -> None:
        with httpx.Client(base_url=url, headers=headers, timeout=30) as http:
            for scan in stay(small_world, store, f"d-{n}", n=SCANS):
                answer = http.post("/v1/scans", json=scan)
                if answer.status_code == 200:
                    acknowledged.append(answer.json() | {"device": n})

    with server(folder) as (process, url):
        with httpx.Client(base_url=url, headers=headers, timeout=30) as http:
            made = http.post("/v1/campaigns", json=campaign(store, budget=BUDGET)).json()
            http.post(f"/v1/campaigns/{made['id']}:publish").raise_for_status()
            for n in range(PHONES):
                http.put(f"/v1/devices/d-{n}", json=consents("visits", "marketing")).raise_for_status()

        def play_until_killed(n: int) -> None:
            with contextlib.suppress(httpx.TransportError):  # the server is gone: nothing was acknowledged
                play(url, n)

        threads = [threading.Thread(target=play_until_killed, args=(n,)) for n in range(PHONES)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(acknowledged) >= kill_after)
        process.send_signal(signal.SIGKILL)
        for thread in threads:
            thread.join()
    before = list(acknowledged)
    assert kill_after <= len(before) < PHONES * SCANS
    check_whole(folder)

    with server(folder) as (_, url):
        for n in range(PHONES):  # every phone repeats what it may have lost
            play(url, n)
    check_whole(folder)

    answers = {(a["device"], a["scan_id"]): a for a in acknowledged[len(before) :]}
    for answer in before:
        assert answers[answer["device"], answer["scan_id"]] == answer
    codes = {card["coupon"]["code"] for answer in acknowledged for card in answer["cards"]}
    database = Database(f"sqlite:///{folder / 'atrium.db'}")
    with database.read() as connection:
        stored = set(connection.execute(sa.select(coupons.c.code)).scalars())
        kept = set(connection.execute(sa.select(visits.c.id)).scalars())
    database.close()
    assert codes == stored
    assert len(stored) == BUDGET
    assert {a["scene"]["visit_id"] for a in acknowledged if a["scene"]["visit_id"]} <= kept


def check_whole(folder: Path) -> None:
    """Counter, coupons, deliveries and people agree, whatever moment the process died."""
    database = Database(f"sqlite:///{folder / 'atrium.db'}")
    with database.read() as connection:
        given = connection.execute(sa.select(campaigns.c.given)).scalar_one()
        n_coupons = connection.execute(sa.select(sa.func.count()).select_from(coupons)).scalar_one()
        reasons = Counter(connection.execute(sa.select(deliveries.c.reason)).scalars())
        people = connection.execute(sa.select(sa.func.sum(campaign_people.c.given))).scalar() or 0
    database.close()
    assert given == n_coupons == reasons["delivered"] == people
    assert given <= BUDGET


def test_the_visits_and_events_of_a_day_with_deaths_are_those_of_one_without(
    prepared_home: Path, small_world: World, tmp_path: Path
) -> None:
    """The short version of ``atrium bench kill``."""
    told = compare(prepared_home, small_world, tmp_path, n_kills=3, n_phones=3)
    assert (told["kills"], told["equal"]) == (3, True), told
    assert told["kills_before_the_answer"] >= 1
    assert min(told["visits"], told["cards"]) >= 3
    assert told["revised"] >= 1
