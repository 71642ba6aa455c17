"""Wherever learning is cut off, the tags and what was told of them are those of a stream that was not."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from runtime.database import Database
from runtime.home import open_home
from runtime.records.schema import (
    cursors,
    person_tags,
    rhythm_models,
    rhythm_states,
    tag_counts,
    tag_learnt,
    tag_nights,
    tag_records,
)
from sim.world import World
from tests.living_server import copy_home
from tests.told_visits import MONDAY, Mall

TABLES = (
    person_tags, tag_learnt, tag_records, tag_nights, tag_counts, rhythm_states, rhythm_models, cursors
)  # fmt: skip


N_PEOPLE = 12
"""Enough for a count to be told of what holds of all."""


class Killed(Exception):
    """Stands for the end of the process."""


def play(mall: Mall, day: int) -> None:
    """What is recorded on a day: people with tastes, one visit of the day before taken back."""
    at = MONDAY + timedelta(days=day)
    for n in range(N_PEOPLE):
        device = mall.register(f"d-{n}")
        visits = mall.come(device, at + timedelta(minutes=n), ["coffee", "fashion"] if n < 2 else ["fashion", "shoes"])
        mall.pass_by(device, "jewelry", at)
        if day % 2 and n % 2:
            mall.revise(device, visits[1], is_void=True)


def contents(mall: Mall) -> dict[str, list[Any]]:
    with mall.home.database.read() as connection:
        found = {table.name: sorted(map(repr, connection.execute(sa.select(table)))) for table in TABLES}
    return found | {"events": mall.told()}


@pytest.fixture(scope="module")
def uninterrupted(prepared_home: Path, small_world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("whole") / "home"
    mall = Mall(open_home(copy_home(prepared_home, folder)), small_world.mall.venue)
    for day in range(6):
        play(mall, day)
        mall.worker(MONDAY).run_to_end()
    return contents(mall)


@pytest.mark.parametrize("events_at_once", [1, 3, 7, 1_000])
def test_however_the_stream_is_cut_the_tags_are_the_same(
    prepared_home: Path, small_world: World, tmp_path: Path, uninterrupted: dict[str, Any], events_at_once: int
) -> None:
    mall = Mall(open_home(copy_home(prepared_home, tmp_path / "home")), small_world.mall.venue)
    for day in range(6):
        play(mall, day)  # all is committed, and nobody has learnt of it: the worker was away
    mall.worker(MONDAY, events_at_once=events_at_once).run_to_end()
    n_rows = {name: len(rows) for name, rows in uninterrupted.items()}
    assert n_rows["person_tags"] > 10
    assert min(n_rows[name] for name in ("tag_counts", "rhythm_states", "rhythm_models")) > 0
    assert comparable(contents(mall)) == comparable(uninterrupted)


class DyingDatabase(Database):
    """Dies before the commit of every other transaction, with all of its work done."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.n_begun = 0

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self.n_begun += 1
        with super().write() as connection:
            yield connection
            if self.n_begun % 2 == 1:
                raise Killed


def test_killed_before_a_commit_it_goes_on_as_if_it_had_not_been(
    prepared_home: Path, small_world: World, tmp_path: Path, uninterrupted: dict[str, Any]
) -> None:
    mall = Mall(open_home(copy_home(prepared_home, tmp_path / "home")), small_world.mall.venue)
    dying = DyingDatabase(mall.home.database.url)
    n_killed = 0
    for day in range(6):
        play(mall, day)
        is_over = False
        while not is_over:
            try:
                mall.worker(MONDAY, dying, events_at_once=5).run_to_end()
                is_over = True
            except Killed:
                n_killed += 1
    assert n_killed > 20
    assert comparable(contents(mall)) == comparable(uninterrupted)


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    """Without what numbers the events among others: the sequence that is reached."""
    return {name: rows for name, rows in found.items() if name != "cursors"}
