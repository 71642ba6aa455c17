"""Ctrl-C ends a server soon: pages that watch it are let go, phones in flight are answered, nothing is cut."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx

from api.ports import Role
from runtime.clocks import SystemClock
from runtime.home import open_home
from runtime.records.tenants import DEFAULT_TENANT, make_key
from sim.world import World
from tests.living_server import copy_home, stay, wait_until

_COMMAND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in a shell's background has it ignored
from runtime.cli import main
main()
"""
PATIENCE_S = 30
"""How long the test waits; a watched demo takes about 2 s, which no test asserts, since tests share their cores."""


def test_ctrl_c_ends_a_watched_demo_soon_and_whole(prepared_home: Path, small_world: World, tmp_path: Path) -> None:
    folder = copy_home(prepared_home, tmp_path / "demo-3")  # where the demo of seed 3 looks for its mall
    home = open_home(folder)
    with home.database.write() as connection:
        key = make_key(connection, DEFAULT_TENANT, Role.ADMIN, "test", SystemClock().now()).text
    home.database.close()
    command = [sys.executable, "-c", _COMMAND, "demo", "--port", "0", "--seed", "3"]
    log = tmp_path / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*command, "--data-dir", str(tmp_path)], stdout=said, stderr=said, env={**os.environ, "NO_COLOR": "1"}
        )
    try:
        address = re.compile(r"http://127\.0\.0\.1:\d+")
        wait_until(lambda: address.search(log.read_text()) or process.poll() is not None, 60)
        found = address.search(log.read_text())
        assert found, log.read_text()
        url = found.group(0)
        ended_whole, scan = threading.Event(), stay(small_world, small_world.mall.venue.stores[0].id, "d", n=1)[0]
        opened = threading.Event()

        def watch() -> None:
            with httpx.stream("GET", f"{url}/v1/demo/stream", timeout=60) as stream:
                for _ in stream.iter_bytes():  # raises where the stream is cut off
                    opened.set()
            ended_whole.set()

        watcher = threading.Thread(target=watch)
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as idle:
            wait_until(lambda: _is_up(idle), 60)
            idle.post("/v1/scans", json=scan).raise_for_status()  # its connection stays open
            watcher.start()
            wait_until(lambda: opened.is_set() and idle.get("/v1/demo").json()["scans"] > 0, 60)
            process.send_signal(signal.SIGINT)
            process.wait(timeout=PATIENCE_S)
        watcher.join(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert ended_whole.is_set()
    assert "Traceback" not in log.read_text()


def _is_up(http: httpx.Client) -> bool:
    try:
        return http.get("/v1/health").status_code == 200
    except httpx.TransportError:
        return False
