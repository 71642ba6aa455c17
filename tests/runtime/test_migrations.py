"""What a newer version makes of an older one's records."""

import json
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

import runtime
from kernel.ids import derive_id
from runtime.database import Database

ENTERED_US = 1_776_513_600_000_000
OPEN, LEFT, GONE = "vis_open", "vis_left", "vis_gone"


def older(url: str) -> None:
    """The first version's database: a visit that is open, one that was left, one that was deleted since."""
    config = Config()
    config.set_main_option("script_location", str(Path(runtime.__path__[0]) / "migrations"))
    engine = sa.create_engine(url)
    config.attributes["engine"] = engine
    command.upgrade(config, "0001")
    with engine.begin() as connection:
        for visit_id, left_us in ((OPEN, None), (LEFT, ENTERED_US + 9)):
            connection.execute(
                sa.text(
                    "INSERT INTO visits VALUES"
                    " (:id, 't', 'dev', 'per', 'ven', 'store', 'sto', :at, :inside, :left, 1, 3, 0.91239, 1)"
                ),
                {"id": visit_id, "at": ENTERED_US, "inside": ENTERED_US + 90_000_000, "left": left_us},
            )
        told: list[tuple[str, str, dict[str, object]]] = [
            (OPEN, "entered", {}),
            (LEFT, "entered", {}),
            (GONE, "entered", {}),
            (OPEN, "exited", {}),
        ]
        told += [(OPEN, "revised", {"void": False, "previous": {}}), (LEFT, "exited", {})]
        for number, (visit_id, kind, data) in enumerate(told):
            connection.execute(
                sa.text(
                    "INSERT INTO events (id, tenant_id, type, occurred_us, recorded_us, person, data)"
                    " VALUES (:id, 't', :type, 1, 1, 'per', :data)"
                ),
                {"id": f"evt_{number}", "type": f"visit.{kind}", "data": json.dumps({"visit_id": visit_id, **data})},
            )
    engine.dispose()


def test_an_end_that_no_event_told_is_told_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    older(url)
    database = Database(url)
    database.upgrade()
    database.upgrade()
    with database.read() as connection:
        found = connection.execute(
            sa.text("SELECT id, tenant_id, type, occurred_us, person, data FROM events WHERE sequence > 6")
        ).all()
    database.close()
    assert len(found) == 1
    *row, data = found[0]
    left_us = ENTERED_US + 90_000_000
    assert row == [derive_id("evt", OPEN, "visit.exited", "1", ""), "t", "visit.exited", left_us, "per"]
    assert json.loads(data) == {
        "place": {"id": "sto", "kind": "store"},
        "venue_id": "ven",
        "visit_id": OPEN,
        "revision": 1,
        "confidence": 0.9124,
        "fix_count": 3,
        "reason": "gap",
        "counted": True,
        "dwell_s": 90.0,
        "arrived_at": "2026-04-18T12:00:00.000Z",
        "left_at": "2026-04-18T12:01:30.000Z",
    }


def test_a_sequence_of_events_is_given_once_though_the_table_is_made_anew(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    config = Config()
    config.set_main_option("script_location", str(Path(runtime.__path__[0]) / "migrations"))
    engine = sa.create_engine(url)
    config.attributes["engine"] = engine
    command.upgrade(config, "0006")
    values = "('{}', 't', 'visit.entered', 1, 1, 'per', '{{}}')"
    insert = "INSERT INTO events (id, tenant_id, type, occurred_us, recorded_us, person, data) VALUES "
    with engine.begin() as connection:
        connection.execute(sa.text(insert + ", ".join(values.format(f"evt_{i}") for i in range(9))))
        connection.execute(sa.text("DELETE FROM events WHERE sequence > 4"))
    command.upgrade(config, "head")
    with engine.begin() as connection:
        connection.execute(sa.text(insert + values.format("evt_new").replace("'per'", "NULL")))
        found = connection.execute(sa.text("SELECT sequence, person FROM events ORDER BY sequence")).all()
    engine.dispose()
    assert [tuple(row) for row in found] == [(1, "per"), (2, "per"), (3, "per"), (4, "per"), (10, None)]
