"""How fast is whose an id is, among 12 million people with 36 million ids?

A database of that size is made by the real schema, each person with three ids. Then batches of a thousand events of two
ids each, none twice, are resolved: by ``runtime.records.people.people_of``, a batch at once, and beside it by a plain
SQL look-up for each id, as a programme without batches does it. CPU time of this process, the best of six rounds taken
in turns; the first round of each is told apart.

``atrium bench identities`` (ten minutes and 7 GB of disk), or ``python -m benchmarks.identities 120000`` for fewer.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.ids import PersonRef, TenantId
from members.identity import IdentityKind
from runtime.database import Database
from runtime.records.people import people_of
from runtime.records.schema import identities

N_PEOPLE = 12_000_000
IDS_EACH = 3
N_EVENTS, IDS_AN_EVENT, ROUNDS = 1_000, 2, 5
TENANT = TenantId("default")
_LETTERS = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_LENGTH = 24
_ROWS_AT_ONCE = 200_000
_KINDS = (IdentityKind.MAKER.value, IdentityKind.PHONE.value, IdentityKind.PAYMENT.value)


def run(n_people: int = N_PEOPLE) -> dict[str, Any]:
    """Make the database and time both ways."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'atrium.db'}")
        database.upgrade()
        refs = _fill(database, n_people)
        told = {
            "people": n_people,
            "ids": len(refs),
            "gigabytes": round(sum(path.stat().st_size for path in Path(folder).glob("atrium.db*")) / 1e9, 2),
        } | _time(database, refs)
        database.close()
    return told


def _fill(database: Database, n_people: int) -> np.ndarray:
    """Insert all ids in the order of their refs; (n_ids,) of fixed-length bytes."""
    rng = np.random.default_rng(1)
    n_ids = IDS_EACH * n_people
    refs = np.unique(_LETTERS[rng.integers(0, 32, (n_ids, _LENGTH), dtype=np.uint8)].view(f"S{_LENGTH}").ravel())
    owners = rng.permutation(len(refs)) % n_people  # the first id of a person, in no order, names it
    names = refs[np.unique(owners, return_index=True)[1]]
    for start in range(0, len(refs), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        rows = [
            (f"per_{ref.decode()}", TENANT, _KINDS[n % 3], "", f"per_{names[owner].decode()}", n)
            for n, (ref, owner) in enumerate(zip(refs[part].tolist(), owners[part].tolist(), strict=True))
        ]
        with database.write() as connection:
            connection.exec_driver_sql(
                "INSERT INTO identities (ref, tenant_id, kind, issuer, person, first_us) VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
    return refs


def _time(database: Database, refs: np.ndarray) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    ways: dict[str, Callable[[Connection, list[PersonRef]], int]] = {"batch": _by_batch, "one_by_one": _one_by_one}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    n = N_EVENTS * IDS_AN_EVENT
    drawn = rng.choice(len(refs), (ROUNDS + 1) * len(ways) * n, replace=False).reshape(-1, n)
    with database.read() as connection:
        for number, places in enumerate(drawn):
            name = list(ways)[number % len(ways)]
            asked = [PersonRef(f"per_{ref.decode()}") for ref in refs[places].tolist()]
            began = time.process_time()
            found = ways[name](connection, asked)
            spent[name].append(1e6 * (time.process_time() - began) / N_EVENTS)
            if found != n:
                raise RuntimeError(f"{found} of {n} ids were found")
    told: dict[str, Any] = {f"{name}_us_an_event": round(min(times), 2) for name, times in spent.items()}
    told |= {f"{name}_first_us_an_event": round(times[0], 2) for name, times in spent.items()}
    return told | {"ratio": round(min(spent["one_by_one"]) / min(spent["batch"]), 1)}


def _by_batch(connection: Connection, asked: list[PersonRef]) -> int:
    return len(people_of(connection, TENANT, asked))


def _one_by_one(connection: Connection, asked: list[PersonRef]) -> int:
    query = sa.select(identities.c.person).where(identities.c.ref == sa.bindparam("ref"))
    return sum(connection.execute(query, {"ref": ref}).scalar() is not None for ref in asked)


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:])), indent=1))
