"""Kill -9 of the server: streams that come back lose and repeat nothing, webhooks lose nothing."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.ports import Role
from atrium_client import AsyncClient, Client
from atrium_client.retry import RetryPolicy
from runtime.clocks import SystemClock
from runtime.home import open_home
from runtime.records.tenants import DEFAULT_TENANT, make_key
from runtime.server import bind
from tests.event_rows import record
from tests.living_server import wait_until
from tests.webhook_receiver import receiving

LOCAL = {**os.environ, "ATRIUM_LOCAL_WEBHOOKS": "1"}
N_FIRST, N_THEN = 150, 200
PATIENT = RetryPolicy(retries=10_000, first_s=0.2, longest_s=0.2, deadline_s=120.0)


@contextmanager
def server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """``atrium serve`` as a process of its own, on a port of which its caller knows that it is free."""
    command = [sys.executable, "-c", "from runtime.cli import main; main()", "serve", "--port", str(port)]
    log = folder / "server.log"
    with log.open("wb") as said:
        process = subprocess.Popen([*command, "--data-dir", str(folder)], stderr=said, env=LOCAL)
        try:
            wait_until(lambda: re.search(r"http://127", log.read_text()) or process.poll() is not None, 60)
            assert process.poll() is None, log.read_text()
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def test_streams_and_webhooks_outlive_kill_9_and_lose_nothing(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    with home.database.write() as connection:
        key = make_key(connection, DEFAULT_TENANT, Role.ADMIN, "test", SystemClock().now()).text
    with bind("127.0.0.1", 0) as free:
        port = int(free.getsockname()[1])
    url, streamed, awaited = f"http://127.0.0.1:{port}", list[str](), list[str]()
    n_all = N_FIRST + N_THEN

    def watch() -> None:
        with Client(url, key, policy=PATIENT) as client:
            for held in client.stream_events(begin="start"):
                streamed.append(held.event["id"])
                if len(streamed) == n_all:
                    return

    async def watch_async() -> None:
        async with AsyncClient(url, key, policy=PATIENT) as client:
            async for held in client.stream_events(begin="start"):
                awaited.append(held.event["id"])
                if len(awaited) == n_all:
                    return

    watchers = [
        threading.Thread(target=watch, daemon=True),
        threading.Thread(target=lambda: asyncio.run(watch_async()), daemon=True),
    ]
    for watcher in watchers:
        watcher.start()  # before there is a server: they wait
    with receiving() as receiver:
        with server(tmp_path, port) as process:
            with Client(url, key) as client:
                client.create_webhook(receiver.url)
            ids = record(home.database, 0, N_FIRST)
            wait_until(lambda: min(len(streamed), len(awaited), len(receiver.requests)) >= N_FIRST // 2, 60)
            process.send_signal(signal.SIGKILL)
            process.wait()
        ids += record(home.database, N_FIRST, N_THEN // 2)  # while nobody listens
        with server(tmp_path, port):
            wait_until(lambda: min(len(streamed), len(awaited)) >= N_FIRST + N_THEN // 2, 60)
            ids += record(home.database, N_FIRST + N_THEN // 2, N_THEN // 2)
            for watcher in watchers:
                watcher.join(60)
            wait_until(lambda: receiver.requests and receiver.accepted()[-1]["id"] == ids[-1], 60)
    home.database.close()
    assert streamed == awaited == ids
    assert list(dict.fromkeys(event["id"] for event in receiver.accepted())) == ids
