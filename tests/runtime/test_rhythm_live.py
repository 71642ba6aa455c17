"""Rhythm by what the engine records: fitted at night, told once a cycle, taken back with its visits."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from members.device import Device
from runtime.demo import VENUE_ID
from runtime.home import open_home
from runtime.records.rhythm import read_model, rhythms_of_person
from runtime.records.schema import rhythm_states
from runtime.records.tenants import DEFAULT_TENANT
from scenes.rhythm.bands import Band
from scenes.rhythm.bgnbd import BgNbd
from scenes.rhythm.nightly import RhythmKey
from scenes.rules import PlaceKind
from sim.world import World
from tests.living_server import copy_home
from tests.told_visits import MONDAY, Mall, visit_at

DAY = timedelta(days=1)
N_PEOPLE = 300
SPAN_DAYS = 56
END = MONDAY + timedelta(days=SPAN_DAYS)
STAY = timedelta(hours=1)


@pytest.fixture
def mall(prepared_home: Path, small_world: World, tmp_path: Path) -> Iterator[Mall]:
    home = open_home(copy_home(prepared_home, tmp_path / "home"))
    yield Mall(home, small_world.mall.venue)
    home.database.close()


def crowd(*, is_regular: bool) -> dict[str, list[datetime]]:
    """People who come every so many days, by gaps of gamma shape 4 or by chance alone; a third of them soon stop."""
    rng = np.random.default_rng(5)
    came: dict[str, list[datetime]] = {}
    for n in range(N_PEOPLE):
        mean = float(np.clip(8 * rng.lognormal(0, 0.5), 4, 30))
        day, days = int(rng.integers(0, 14)), []
        while day < SPAN_DAYS:
            days.append(MONDAY + timedelta(days=day))
            if rng.random() < (0.25 if n % 3 == 0 else 0.02):
                break
            day += max(1, round(rng.gamma(4, mean / 4))) if is_regular else int(rng.geometric(1 / mean))
        came[f"d-{n}"] = days
    return came


def play(mall: Mall, came: dict[str, list[datetime]]) -> dict[str, Device]:
    """Record it all behind the night of its last day, as history that is read in; the next night judges it."""
    mall.come(mall.register("first"), MONDAY, [])
    mall.worker(END).run_to_end()
    devices = {name: mall.register(name) for name in came}
    visits = [
        (devices[name], visit_at(devices[name], PlaceKind.VENUE, VENUE_ID, at, at + STAY))
        for name, days in came.items()
        for at in days
    ]
    mall.record(sorted(visits, key=lambda one: one[1].arrived_at))
    mall.worker(END).run_to_end()
    return devices


def band_of(mall: Mall, device: Device) -> str | None:
    with mall.home.database.read() as connection:
        found = rhythms_of_person(connection, DEFAULT_TENANT, device.person)
    return found[0].band if found else None


def test_who_is_late_by_a_rhythm_is_told_of_once_a_cycle(mall: Mall) -> None:
    came = crowd(is_regular=True)
    last = END - 7 * DAY
    came["late"] = [last - timedelta(days=7 * week) for week in reversed(range(7))]
    late = play(mall, came)["late"]
    mall.worker(last + 8 * DAY).run_to_end()
    assert band_of(mall, late) == Band.DUE

    def told_of_late() -> list[str]:
        with mall.home.database.read() as connection:
            return [kind for kind in mall.kinds_of(connection, late) if kind == "rhythm.overdue"]

    assert told_of_late() == []
    mall.worker(last + 11 * DAY).run_to_end()
    assert band_of(mall, late) == Band.OVERDUE
    assert told_of_late() == ["rhythm.overdue"]
    assert len({event_id for event_id, _, _ in mall.told("rhythm.")}) == len(mall.told("rhythm.")) > 1
    data = next(data for _, _, data in mall.told("rhythm."))
    assert data["ratio"] > 1.0
    assert data["p_active"] > 0.5
    assert data["place"] == {"id": VENUE_ID, "kind": "venue"}
    assert data["category"] is None
    assert data["expected_at"] < (last + 11 * DAY).isoformat()
    mall.worker(last + 12 * DAY).run_to_end()
    assert told_of_late() == ["rhythm.overdue"]
    mall.come(late, last + 13 * DAY, [])
    mall.worker(last + 15 * DAY).run_to_end()
    assert band_of(mall, late) == Band.EARLY
    mall.worker(last + 23 * DAY).run_to_end()
    assert told_of_late() == ["rhythm.overdue"] * 2


def test_where_visits_keep_no_time_there_is_a_model_and_no_rhythm(mall: Mall) -> None:
    devices = play(mall, crowd(is_regular=False))
    mall.worker(END + 3 * DAY).run_to_end()
    with mall.home.database.read() as connection:
        models = read_model(connection, DEFAULT_TENANT, RhythmKey(VENUE_ID, ""))
    assert models is not None
    (model,) = models.models.values()
    assert isinstance(model.activity, BgNbd)
    assert not model.has_rhythm
    assert {band_of(mall, device) for device in devices.values()} == {None}
    assert mall.told("rhythm.") == []


def test_a_day_that_was_none_is_no_day_of_a_rhythm(mall: Mall) -> None:
    """It counted for one night; the next begins from what was settled."""
    device, other = mall.register("d"), mall.register("other")
    kept = mall.come(device, MONDAY, ["coffee"])
    voided = mall.come(device, MONDAY + DAY, ["fashion"])
    mall.worker(MONDAY + 2 * DAY).run_to_end()
    assert counts(mall, device) == {"": 2, "coffee": 1, "fashion": 1}
    for visit in voided:
        mall.revise(device, visit, is_void=True)
    mall.come(other, MONDAY + 2 * DAY, [])
    mall.worker(MONDAY + 3 * DAY).run_to_end()
    assert counts(mall, device) == {"": 1, "coffee": 1}
    assert kept


def counts(mall: Mall, device: Device) -> dict[str, int]:
    """Days come by category, as of last night."""
    with mall.home.database.read() as connection:
        query = sa.select(rhythm_states).where(rhythm_states.c.person == device.person)
        return {row.category: int.from_bytes(row.state[:4], "little") for row in connection.execute(query)}
