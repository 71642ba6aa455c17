"""Kill -9 of the server loses no event for a stream that comes back, nor for a webhook, and repeats none to a stream."""

import asyncio
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.ports import Role
from atrium_client import AsyncClient, Client
from atrium_client.retry import RetryPolicy
from runtime.clocks import SystemClock
from runtime.home import open_home
from runtime.records.tenants import DEFAULT_TENANT, make_key
from runtime.server import bind
from tests.event_rows import record
from tests.living_server import wait_until

N_FIRST, N_THEN = 150, 200
PATIENT = RetryPolicy(retries=10_000, first_s=0.2, longest_s=0.2, deadline_s=120.0)


@contextmanager
def server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """``atrium serve`` as a process of its own, on a port of which its caller knows that it is free."""
    command = [sys.executable, "-c", "from runtime.cli import main; main()", "serve", "--port", str(port)]
    log = folder / "server.log"
    with log.open("wb") as said:
        process = subprocess.Popen([*command, "--data-dir", str(folder)], stderr=said)
        try:
            wait_until(lambda: re.search(r"http://127", log.read_text()) or process.poll() is not None, 60)
            assert process.poll() is None, log.read_text()
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_stream_outlives_kill_9_and_loses_and_repeats_nothing(tmp_path: Path, kind: type) -> None:
    home = open_home(tmp_path)
    with home.database.write() as connection:
        key = make_key(connection, DEFAULT_TENANT, Role.VIEWER, "test", SystemClock().now()).text
    with bind("127.0.0.1", 0) as free:
        port = int(free.getsockname()[1])
    url, got = f"http://127.0.0.1:{port}", list[str]()
    ids = record(home.database, 0, N_FIRST)

    def watch() -> None:
        with Client(url, key, policy=PATIENT) as client:
            for held in client.stream_events(begin="start"):
                got.append(held.event["id"])
                if len(got) == N_FIRST + N_THEN:
                    return

    async def watch_async() -> None:
        async with AsyncClient(url, key, policy=PATIENT) as client:
            async for held in client.stream_events(begin="start"):
                got.append(held.event["id"])
                if len(got) == N_FIRST + N_THEN:
                    return

    watcher = threading.Thread(target=watch if kind is Client else lambda: asyncio.run(watch_async()), daemon=True)
    watcher.start()  # before there is a server: it waits
    with server(tmp_path, port) as process:
        wait_until(lambda: len(got) >= N_FIRST // 2, 60)
        process.send_signal(signal.SIGKILL)
        process.wait()
    ids += record(home.database, N_FIRST, N_THEN // 2)  # while nobody listens
    with server(tmp_path, port):
        wait_until(lambda: len(got) >= N_FIRST + N_THEN // 2, 60)
        ids += record(home.database, N_FIRST + N_THEN // 2, N_THEN // 2)
        watcher.join(60)
    home.database.close()
    assert got == ids
