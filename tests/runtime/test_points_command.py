"""``atrium points`` as its users meet it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from api.ports import Rendered
from benchmarks.points_play import RULES, People, earning, redemption, told
from members.points.transfers import Order
from runtime.cli.app import app
from runtime.home import Home, open_home
from runtime.points_batch import Job, settle
from runtime.records.tenants import DEFAULT_TENANT


def points(*words: str, home: Path, code: int = 0) -> Result:
    done = CliRunner().invoke(app, ["points", *words, "--data-dir", str(home)])
    assert done.exit_code == code, (done.output, done.exception)
    return done


def move(home: Home, order: Order, at: datetime) -> Rendered:
    with home.database.write() as connection:
        job = Job(DEFAULT_TENANT, order, told)
        (answer,) = settle(connection, DEFAULT_TENANT, [job], RULES, People().owners_of, at, at)
    assert isinstance(answer, Rendered)
    return answer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home in which points of two months ago have run out, beside newer ones, some of which were set aside."""
    home, now = open_home(tmp_path), datetime.now(UTC)
    move(home, earning("per_1", 100), now - timedelta(days=60))
    move(home, earning("per_1", 50), now - timedelta(days=2))
    move(home, redemption("per_1", 20, hold_s=60), now - timedelta(days=1))
    home.database.close()
    return tmp_path


def test_what_has_run_out_is_taken_out_once(folder: Path) -> None:
    assert json.loads(points("expire", "--json", home=folder).stdout) == {"points": 100, "accounts": 1, "holds": 1}
    assert "0 points of 0 accounts" in points("expire", home=folder).stderr
    told = json.loads(points("verify", "--json", home=folder).stdout)
    assert (told["holds"], told["differences"], told["outstanding"]) == (True, [], {"default": 150})


def test_a_ledger_that_holds_is_said_to_and_one_that_does_not_ends_with_3(folder: Path) -> None:
    assert "nothing differs" in points("verify", home=folder).stdout
    home = open_home(folder)
    with home.database.write() as connection:
        connection.execute(sa.text("UPDATE point_accounts SET balance = balance + 1 WHERE kind = 'person'"))
    home.database.close()
    said = points("verify", home=folder, code=3).stdout
    assert "sum_of_balances" in said
    told = json.loads(points("verify", "--json", home=folder, code=3).stdout)
    assert not told["holds"]
    assert {one["what"] for one in told["differences"]} == {"sum_of_balances", "balance"}


def test_each_command_has_help() -> None:
    for words in (["points"], ["points", "expire"], ["points", "verify"]):
        done = CliRunner().invoke(app, [*words, "--help"])
        assert done.exit_code == 0
        assert "points" in done.stdout.lower()
