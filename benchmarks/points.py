"""The ledger of points: does it hold under random orders and deaths, and how fast is it?

*Fuzz*: 100,000 random orders, one in eight senseless, up to 64 at once, with days that pass, points and holds that run
out, people who are joined and parted, repeats under one key. Every 2,000 orders sums and floors are looked at in plain
SQL; at the end everything stored is recomputed from the transfers (``atrium points verify``).

*Kill*: a process that moves points for 32 callers and says each transfer that was acknowledged is killed (SIGKILL) at
drawn moments; afterwards the ledger must hold, and whatever was said must be there whole.

*Speed*: transfers a second, each durable when it is answered (SQLite, WAL, ``synchronous=FULL``), of 1 and of 64
callers, each of which sends its next when the last was answered; 60 % earn, 40 % redeem, each with an Idempotency-Key,
its legs, lots, balances, answer and event stored with it. Beside it the plain reference: the same, a commit a transfer.

Run it with ``atrium bench points`` or ``python -m benchmarks.points``; about 3 minutes.
"""

import asyncio
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from api.ports import Once, Rendered
from benchmarks.points_play import TILL, earning, play, redemption, told
from members.points.rules import PointRules
from runtime.clocks import SystemClock
from runtime.database import Database
from runtime.points import AT_ONCE, PointsWriter
from runtime.points_batch import Job
from runtime.records.ledger_proof import prove_ledger
from runtime.records.schema import events, point_legs, point_transfers
from runtime.records.tenants import DEFAULT_TENANT

N_OPERATIONS, SEED = 100_000, 7
N_KILLS, N_CALLERS_KILLED = 20, 32
CALLERS = (1, 64)
SPEED_S = 8.0
N_SHOPPERS = 20_000
_RULES = PointRules(most_earned_a_day=10**9, most_redeemed_a_day=10**9)


def run() -> dict[str, Any]:
    """All three, in a folder of their own."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            "fuzz": fuzz(Path(folder) / "fuzz.db", N_OPERATIONS, SEED),
            "kill": kill(Path(folder) / "kill.db", N_KILLS, SEED),
            "speed": speed(Path(folder)),
        }


def open_database(path: Path) -> Database:
    """A database with this version's tables."""
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    return database


def fuzz(path: Path, n_operations: int, seed: int) -> dict[str, Any]:
    """Random orders, and what is left of them."""
    began = time.monotonic()
    database = open_database(path)
    try:
        figures = play(database, n_operations, seed)
        with database.read() as connection:
            proof = prove_ledger(connection)
    finally:
        database.close()
    return figures | {
        "seconds": round(time.monotonic() - began, 1),
        "accounts": proof.accounts,
        "transfers": proof.transfers,
        "differences": len(proof.differences),
    }


def kill(path: Path, n_kills: int, seed: int, longest_s: float = 1.5) -> dict[str, Any]:
    """Kill a process that moves points again and again; how much was acknowledged, lost, half done."""
    rng = random.Random(seed)
    database = open_database(path)
    said: list[str] = []
    n_halves = n_differences = 0
    for _ in range(n_kills):
        command = [sys.executable, "-m", "benchmarks.points", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it has begun
            threading.Event().wait(rng.uniform(0.05, longest_s))
            process.kill()
            said += process.stdout.read().split("\n")[:-1]  # a line that was cut off is none
        with database.read() as connection:
            n_differences += len(prove_ledger(connection).differences)
    with database.read() as connection:
        stored = set(connection.execute(sa.select(point_transfers.c.id)).scalars())
        with_legs = set(connection.execute(sa.select(point_legs.c.transfer_id)).scalars())
        with_events = {data["transfer_id"] for data in connection.execute(sa.select(events.c.data)).scalars()}
    n_halves = len(stored ^ with_legs) + len(stored ^ with_events)
    database.close()
    return {
        "kills": n_kills,
        "acknowledged": len(said),
        "stored": len(stored),
        "lost": len(set(said) - stored),
        "halves": n_halves,
        "differences": n_differences,
    }


def speed(folder: Path, seconds: float = SPEED_S) -> dict[str, Any]:
    """Transfers a second, ours beside a commit a transfer."""
    rates = {
        f"{name}_{callers}_callers_per_s": asyncio.run(
            _rate(folder / f"{name}-{callers}.db", callers, at_once, seconds)
        )
        for callers in CALLERS
        for name, at_once in (("ledger", AT_ONCE), ("plain", 1))
    }
    return {"fsync_ms": _fsync_ms(folder / "fsync"), **rates}


async def _rate(path: Path, n_callers: int, at_once: int, seconds: float) -> float:
    database = open_database(path)
    writer = PointsWriter(
        database, SystemClock(), _RULES, owners_of=lambda _, __, refs: {ref: (ref,) for ref in refs}, at_once=at_once
    )
    writer.start()
    n_moved = 0
    began = time.monotonic()

    async def call(number: int) -> None:
        nonlocal n_moved
        rng = random.Random(number)
        while time.monotonic() < began + seconds:
            answer = await _move(writer, rng)
            n_moved += answer.status == 201

    await asyncio.gather(*(call(number) for number in range(n_callers)))
    rate = n_moved / (time.monotonic() - began)
    writer.stop()
    with database.read() as connection:
        proof = prove_ledger(connection)
    database.close()
    if proof.differences or proof.transfers != n_moved:
        raise RuntimeError(f"{n_moved} were acknowledged, {proof}")
    return round(rate)


async def _move(writer: PointsWriter, rng: random.Random) -> Rendered:
    person = f"per_{rng.randrange(N_SHOPPERS)}"
    order = earning(person, 100) if rng.random() < 0.6 else redemption(person, 30)
    done: asyncio.Future[Rendered] = asyncio.get_running_loop().create_future()
    writer.submit(Job(DEFAULT_TENANT, order, told, TILL, Once("points", secrets.token_hex(8), "asked"), done))
    return await done


def _fsync_ms(path: Path) -> float:
    """The median time of a small write that is made durable: what a commit costs at least."""
    times: list[float] = []
    with path.open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(b"x" * 4_096)
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return round(sorted(times)[50] * 1e3, 2)


async def _move_until_killed(path: Path) -> None:
    """The child: say each transfer when it is acknowledged, and never end."""
    database = Database(f"sqlite:///{path}")
    writer = PointsWriter(database, SystemClock(), _RULES, owners_of=lambda _, __, refs: {ref: (ref,) for ref in refs})
    writer.start()
    os.write(1, b"\n")

    async def call(number: int) -> None:
        rng = random.Random(datetime.now(UTC).timestamp() + number)
        while True:
            answer = await _move(writer, rng)
            if answer.status == 201:
                os.write(1, f"{answer.body['id']}\n".encode())

    await asyncio.gather(*(call(number) for number in range(N_CALLERS_KILLED)))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(_move_until_killed(Path(sys.argv[1])))
    else:
        print(json.dumps(run(), indent=2))
