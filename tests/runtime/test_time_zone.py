"""A venue's time zone: given at import, kept, known after a restart before any visit is judged."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from flow.run_batch import Effects, PersonEvent
from kernel.ids import DeviceId, DeviceRef, LevelId, StoreId, VenueId
from members.device import AgeBand, Consent, Device, Purpose, device_ref, person_ref
from runtime.cli.app import app
from runtime.clocks import EventClock
from runtime.engine import ScanEngine
from runtime.home import Home, open_home
from runtime.locators import Locators
from runtime.presence import PresenceCounter
from runtime.records.devices import put_device
from runtime.records.effects import Answer, store_effects
from runtime.records.schema import answers, events, scenes, tracks, visits
from runtime.records.tenants import DEFAULT_TENANT
from runtime.records.tracks import store_tracks
from scenes.advance import Phones, advance
from scenes.fix import pack_fixes
from scenes.places import PlaceBook
from scenes.record import new_record, open_visits
from scenes.rules import SceneRules
from scenes.service_day import ServiceDays
from scenes.state import Fix
from tests.venues.tiny_mall import tiny_mall
from venues.imdf import write_archive

VENUE = VenueId("mall")
OTHER_NAME = VenueId("copy")
SHANGHAI = "Asia/Shanghai"
MORNING = datetime(2026, 11, 22, 3, tzinfo=UTC)
"""11:00 in Shanghai: an hour before 04:00 UTC, where a venue without a zone would begin another day."""


def atrium(home: Path, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*arguments, "--data-dir", str(home)])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


@pytest.fixture
def archive(tmp_path: Path) -> str:
    path = tmp_path / "mall.zip"
    path.write_bytes(write_archive(tiny_mall()))
    return str(path)


def listed(home: Path) -> dict[str, str | None]:
    return {row["id"]: row["time_zone"] for row in json.loads(atrium(home, "venue", "list", "--json"))}


def test_a_zone_given_at_import_outlives_another_import_and_an_export(archive: str, tmp_path: Path) -> None:
    home, again = tmp_path / "home", str(tmp_path / "again.zip")
    take = ("venue", "import", archive, "--format", "imdf", "--id", VENUE)
    assert "UTC is assumed" in atrium(home, *take)
    assert listed(home) == {VENUE: None}
    assert f"time zone: {SHANGHAI}" in atrium(home, *take, "--time-zone", SHANGHAI)
    assert f"time zone: {SHANGHAI}" in atrium(home, *take)
    atrium(home, "venue", "export", VENUE, again)
    atrium(home, "venue", "import", again, "--format", "imdf", "--id", OTHER_NAME)
    assert listed(home) == {VENUE: SHANGHAI, OTHER_NAME: SHANGHAI}
    assert SHANGHAI in atrium(home, "venue", "list")
    atrium(home, *take, "--time-zone", "Europe/Berlin")
    assert listed(home)[VENUE] == "Europe/Berlin"


@pytest.mark.parametrize("name", ["Asia/Hangzhou", "", "../etc/passwd", "asia/shanghai", "+08:00"])
def test_a_zone_that_there_is_not_is_refused_and_nothing_is_stored(name: str, archive: str, tmp_path: Path) -> None:
    said = atrium(
        tmp_path / "home", "venue", "import", archive, "--format", "imdf", "--id", VENUE, "--time-zone", name, code=1
    )
    assert "IANA time zone" in said
    assert listed(tmp_path / "home") == {}


def test_a_damaged_map_is_listed_and_can_be_replaced(archive: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    take = ("venue", "import", archive, "--format", "imdf", "--id", VENUE)
    atrium(home, *take, "--time-zone", SHANGHAI)
    open_home(home).venues.map_path(DEFAULT_TENANT, VENUE).write_bytes(b"PK")
    assert listed(home) == {VENUE: None}
    atrium(home, *take)


def test_phones_are_counted_by_the_day_of_the_venue() -> None:
    counter = PresenceCounter({})
    before_dawn = datetime(2026, 11, 22, 19, 59, tzinfo=UTC)  # 03:59 of the 23rd in Shanghai
    counter.saw(DEFAULT_TENANT, VENUE, DeviceId("d-1"), before_dawn, ZoneInfo(SHANGHAI))
    assert counter.take_changes() == {(DEFAULT_TENANT, VENUE, "2026-11-22"): 1}
    counter.saw(DEFAULT_TENANT, VENUE, DeviceId("d-1"), before_dawn + timedelta(minutes=1), ZoneInfo(SHANGHAI))
    assert counter.take_changes() == {(DEFAULT_TENANT, VENUE, "2026-11-23"): 1}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A mall in Shanghai."""
    opened = open_home(tmp_path / "home")
    with opened.database.write() as connection:
        opened.venues.save_map(connection, DEFAULT_TENANT, VENUE, tiny_mall(), "imdf", MORNING, SHANGHAI)
    return opened


def shopper(home: Home, *purposes: Purpose, age: AgeBand = AgeBand.ADULT) -> Device:
    name = DeviceId("d-1")
    consents = tuple(Consent(purpose, "1", MORNING) for purpose in purposes)
    ref = device_ref(DEFAULT_TENANT, name, home.keys.people)
    return Device(ref, person_ref(DEFAULT_TENANT, name, home.keys.people), age, consents)


def enter(home: Home, until: datetime) -> DeviceRef:
    """A phone that is in a store at this instant, as a server that was killed left it."""
    device = shopper(home, Purpose.VISITS)
    book = PlaceBook()
    n = int((until - MORNING) / timedelta(seconds=30)) + 1
    stands = ((StoreId("st_a"), 0.9),)
    fixes = [
        Fix(MORNING + i * timedelta(seconds=30), VENUE, LevelId("F1"), stands, walkway=0.05, front=None)
        for i in range(n)
    ]
    packed = pack_fixes(fixes, book, ServiceDays({VENUE: ZoneInfo(SHANGHAI)}))
    done = advance(
        Phones([device.ref], new_record()[None]), np.zeros(n, dtype=np.int64), packed, SceneRules().packed(), book
    )
    opened = tuple((device, visit) for visit in open_visits(done.records[0], device.ref, book).values())
    said = tuple(PersonEvent(device, told.event) for told in done.told)
    with home.database.write() as connection:
        put_device(connection, DEFAULT_TENANT, device, MORNING)
        effects = Effects(said, opened, (), {device.ref: done.records[0]})
        store_effects(connection, DEFAULT_TENANT, effects, [Answer(device.ref, "s-1", b"{}", until)], until, book)
        store_tracks(connection, DEFAULT_TENANT, {device.ref: b"where it is"}, ())
    return device.ref


def started_and_swept(home: Home, now: datetime) -> None:
    engine = ScanEngine(
        home.database, Locators(home.venues), home.keys, EventClock(now), SceneRules(), sweep_every_s=1e7
    )
    engine.start()
    engine.sweep()
    engine.stop()


def open_places(home: Home) -> set[str]:
    with home.database.read() as connection:
        return set(connection.execute(sa.select(visits.c.kind).where(visits.c.left_us.is_(None))).scalars())


def ends(home: Home) -> list[str]:
    with home.database.read() as connection:
        rows = connection.execute(sa.select(events).where(events.c.type == "visit.exited"))
        return [row.data["reason"] for row in rows]


def test_a_restart_past_04_utc_leaves_visits_of_another_zone_open(home: Home) -> None:
    now = MORNING + timedelta(minutes=62)
    enter(home, now)
    assert open_places(home) == {"store", "level", "venue"}
    started_and_swept(home, now + timedelta(seconds=5))
    assert open_places(home) == {"store", "level", "venue"}
    assert ends(home) == []


@pytest.mark.parametrize("age", [AgeBand.ADULT, AgeBand.CHILD])
def test_a_withdrawal_that_was_stored_takes_effect_at_the_next_start(home: Home, age: AgeBand) -> None:
    now = MORNING + timedelta(minutes=5)
    enter(home, now)
    held = shopper(home, age=age) if age is AgeBand.ADULT else shopper(home, Purpose.VISITS, age=age)
    with home.database.write() as connection:  # then killed
        put_device(connection, DEFAULT_TENANT, held, now)
    started_and_swept(home, now + timedelta(seconds=5))
    assert open_places(home) == set()
    assert set(ends(home)) == {"consent"}
    with home.database.read() as connection:
        assert [connection.execute(sa.select(table)).all() for table in (scenes, tracks, answers)] == [[], [], []]
    n_ends = len(ends(home))
    started_and_swept(home, now + timedelta(seconds=10))
    assert len(ends(home)) == n_ends


def test_answers_of_who_withdrew_go_even_where_no_scene_is(home: Home) -> None:
    ref = enter(home, MORNING + timedelta(minutes=5))
    with home.database.write() as connection:
        connection.execute(scenes.delete())
        put_device(connection, DEFAULT_TENANT, shopper(home), MORNING)
    started_and_swept(home, MORNING + timedelta(minutes=6))
    with home.database.read() as connection:
        assert connection.execute(sa.select(answers).where(answers.c.device_ref == ref)).all() == []
