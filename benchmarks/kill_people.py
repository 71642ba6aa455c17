"""Does SIGKILL leave people half joined? A process that takes evidence, killed again and again in mid-stream.

A child process takes the events of a simulated year (``benchmarks/people.py``) into a database, some to a transaction,
and says how many it has committed. It is killed at a moment drawn at random, and the next child goes on behind what was
said. After each death: what was said to be committed is there; who is who is what the stored evidence makes by
``join_people`` alone; and each identity's last change in the log is the person that it has.

``python -m benchmarks.kill_people``, two minutes; a short version is ``tests/recovery/test_kill_people.py``.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.people import Year
from kernel.clock import from_epoch_us
from kernel.ids import PersonRef, TenantId
from members.identity import Identity, IdentityKind
from members.join import Evidence, Strength, join_people
from runtime.database import Database
from runtime.records.people import Seen, settle_rest, take_seen
from runtime.records.schema import identities, identity_links, person_changes, unsettled_identities

N_KILLS = 50
TENANT = TenantId("default")
_HOUSEHOLDS, _AT_ONCE = 120, 7
_START = datetime(2026, 1, 1, tzinfo=UTC)


def events_of(seed: int, households: int) -> list[Seen]:
    """A year's evidence as events, in an order that is not that of time."""
    events = [
        Seen((one.a, one.b), one.strength, at, "year")
        for one in Year(seed, households).evidence
        for at in (one.first_at, one.last_at)[: 1 + (one.first_at != one.last_at)]
    ]
    random.Random(seed).shuffle(events)
    return events


def take(url: str, seed: int, households: int, done: int) -> None:
    """The child: take all events behind the first ``done``, and say how far it is after each commit."""
    database, events = Database(url), events_of(seed, households)
    for start in range(done, len(events), _AT_ONCE):
        with database.write() as connection:
            take_seen(connection, TENANT, events[start : start + _AT_ONCE], _START)
            settle_rest(connection, TENANT, 20, _START)
        print(min(start + _AT_ONCE, len(events)), flush=True)


def run(n_kills: int = N_KILLS, seed: int = 7, households: int = _HOUSEHOLDS) -> dict[str, Any]:
    """Kill so many children, and let the last one finish."""
    rng, events, done, n_dead = random.Random(seed), events_of(seed, households), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'atrium.db'}"
        Database(url).upgrade()
        per_life = max(1, len(events) // (n_kills + 2))
        while done < len(events):
            lives_on = n_dead == n_kills
            done, was_killed = _live(
                url, (seed, households), done, None if lives_on else rng.randrange(per_life), rng.random() * 0.02
            )
            n_dead += was_killed
            _check(url, events[:done])
    return {"kills": n_dead, "events": len(events), "ids": len({one.ref for event in events for one in event.together})}


def _live(url: str, year: tuple[int, int], done: int, dies_after: int | None, then_s: float) -> tuple[int, bool]:
    """A child's life; how far it said to have come, and whether it was killed."""
    command = [sys.executable, "-m", "benchmarks.kill_people", url, *map(str, (*year, done))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent) as child:
        assert child.stdout is not None
        first, is_killed = done, False
        for line in child.stdout:
            done = int(line)
            if dies_after is not None and done - first >= dies_after and not is_killed:
                time.sleep(then_s)
                child.kill()
                is_killed = True  # what it had said before it died is read to the end
        if child.wait() != 0 and not is_killed:
            raise RuntimeError("a child failed by itself")
    return done, is_killed


def _check(url: str, said: list[Seen]) -> None:
    database = Database(url)
    with database.write() as connection:
        stored = {row.ref: row for row in connection.execute(sa.select(identities))}
        links = connection.execute(sa.select(identity_links)).all()
        n_waiting = connection.execute(sa.select(sa.func.count()).select_from(unsettled_identities)).scalar() or 0
        settle_rest(connection, TENANT, n_waiting + 1, _START)
        people = dict(connection.execute(sa.select(identities.c.ref, identities.c.person)).all())
        log = {row.identity: row.person_after for row in connection.execute(sa.select(person_changes))}
    database.close()
    pairs = {(row.a, row.b, row.strength) for row in links}
    for event in said:
        low, high = sorted(one.ref for one in event.together)
        if (low, high, event.strength.value) not in pairs:
            raise RuntimeError("what was said to be committed is not there")
    known = {ref: Identity(PersonRef(ref), IdentityKind(row.kind), row.issuer) for ref, row in stored.items()}
    evidence = [
        Evidence(
            known[row.a],
            known[row.b],
            Strength(row.strength),
            from_epoch_us(row.first_us),
            from_epoch_us(row.last_us),
            row.occasions,
        )
        for row in links
    ]
    for group in join_people(list(known.values()), evidence).people:
        first = min(group, key=lambda ref: (stored[ref].first_us, ref))
        if {people[ref] for ref in group} != {first}:
            raise RuntimeError("who is who is not what the evidence makes")
    if log != people:
        raise RuntimeError("the log of changes is not that of who is who")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        take(sys.argv[1], *map(int, sys.argv[2:]))
    else:
        print(json.dumps(run(), indent=1))
