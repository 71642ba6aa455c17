"""``atrium payments import``: tables of tills without a network, each row stored once or told with its line."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from runtime.home import open_home
from runtime.records.schema import events, payments
from sim.world import World
from tests.living_server import copy_home
from tests.runtime.test_cli import atrium

HEAD = "source,receipt_id,kind,store_id,at,amount,currency,of_receipt_id,identity_phone,lines"


@pytest.fixture
def home(prepared_home: Path, tmp_path: Path) -> Path:
    return copy_home(prepared_home, tmp_path / "home")


def rows_of(store: str) -> list[str]:
    """Two payments, a refund of the first and a complaint about the second."""
    return [
        f"till-1,r-1,,{store},2026-04-18T10:00:00Z,12900,CNY,,+86 138 0013 8000,",
        f'till-1,r-2,payment,{store},2026-04-18T10:05:00+08:00,500,CNY,,,"[{{""sku"": ""A"", ""amount"": 500}}]"',
        "till-1,b-1,refund,,2026-04-18T11:00:00Z,900,CNY,r-1,,",
        "till-1,c-1,complaint,,2026-04-18T11:00:00Z,,,r-2,,",
    ]


def write(path: Path, rows: list[str], head: str = HEAD) -> str:
    path.write_text("\n".join([head, *rows]) + "\n")
    return str(path)


def held(folder: Path) -> list[Any]:
    opened = open_home(folder)
    with opened.database.read() as connection:
        rows = connection.execute(sa.select(payments).order_by(payments.c.receipt_id)).all()
        n_events = connection.execute(
            sa.select(sa.func.count()).select_from(events).where(events.c.type.like("payment.%"))
        ).scalar()
    opened.database.close()
    assert n_events == len(rows)
    return list(rows)


def told(*words: str, home: Path, code: int = 0) -> dict[str, Any]:
    done: dict[str, Any] = json.loads(atrium("payments", "import", *words, "--json", home=home, code=code).stdout)
    return done


def test_a_table_is_stored_once_however_often_it_comes(home: Path, small_world: World, tmp_path: Path) -> None:
    file = write(tmp_path / "day.csv", rows_of(small_world.mall.venue.stores[0].id))
    dry = told(file, "--dry-run", home=home)
    assert (dry["stored"], dry["refused"], dry["kept"]) == (4, 0, False)
    assert held(home) == []
    first, again = told(file, home=home), told(file, home=home)
    assert (first["stored"], first["repeated"], first["kept"]) == (4, 0, True)
    assert (again["stored"], again["repeated"]) == (0, 4)
    back, complaint, one, two = held(home)
    assert (one.amount, one.refunded, back.amount, complaint.reason) == (12_900, 900, 900, "other")
    assert two.lines == [{"amount": 500, "quantity": 1.0, "sku": "A", "category": None}]
    assert (one.person is None, back.person) == (False, one.person)


def test_semicolons_a_byte_order_mark_and_windows_lines_are_read(
    home: Path, small_world: World, tmp_path: Path
) -> None:
    store = small_world.mall.venue.stores[0].id
    file = tmp_path / "day.csv"
    text = f"receipt_id;store_id;at;amount;currency\r\nr-1;{store};2026-04-18T10:00:00Z;5;CNY\r\n\r\n;;;;\r\n"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert told(str(file), "--source", "kiosk", home=home)["stored"] == 1
    (row,) = held(home)
    assert (row.source, row.receipt_id) == ("kiosk", "r-1")


def test_bad_rows_are_told_with_their_lines_and_the_good_ones_stored(
    home: Path, small_world: World, tmp_path: Path
) -> None:
    store = small_world.mall.venue.stores[0].id
    good = rows_of(store)
    bad = [
        f"till-1,x-1,,{store},2026-04-18T10:00:00Z,129.00,CNY,,,",
        f"till-1,x-2,,{store},2126-04-18T10:00:00Z,5,CNY,,,",
        "till-1,x-3,,st_nowhere,2026-04-18T10:00:00Z,5,CNY,,,",
        f'till-1,x-4,,{store},2026-04-18T10:00:00Z,-5,CNY,,,"\n"',
        f"till-1,x-5,,{store},2026-04-18T10:00:00Z,5,CNY,,,{{",
        "till-1,x-6",
        "till-1,x-7,refund,,2026-04-18T10:00:00Z,12001,CNY,r-1,,",
        f"till-1,r-2,,{store},2026-04-18T10:00:00Z,501,CNY,,,",
    ]
    file = write(tmp_path / "day.csv", [*good, *bad])
    whole = told(file, "--all-or-nothing", home=home, code=1)
    assert (whole["stored"], whole["refused"], whole["kept"]) == (0, 8, False)
    assert held(home) == []
    some = told(file, home=home, code=1)
    assert (some["rows"], some["stored"], some["refused"], some["kept"]) == (12, 4, 8, True)
    assert [(one["line"], one["receipt_id"], one["code"], one["field"]) for one in some["errors"]] == [
        (6, "x-1", "invalid_payment", "amount"),
        (7, "x-2", "payment_from_the_future", "at"),
        (8, "x-3", "unknown_store", "store_id"),
        (9, "x-4", "invalid_amount", "amount"),
        (11, "x-5", "invalid_payment", "lines"),
        (12, "x-6", "invalid_payment", "row"),
        (13, "x-7", "refund_too_large", "amount"),
        (14, "r-2", "payment_mismatch", "receipt_id"),
    ]
    assert len(held(home)) == 4
    shown = atrium("payments", "import", file, home=home, code=1).stderr.decode()
    assert "line 9 amount" in shown
    assert "[invalid_amount]" in shown
    assert "stored 0, told before 4, refused 8" in shown


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        (b"receipt_id,at,amont\n", ("--source", "x"), "no column 'amont'"),
        (b"receipt_id,at,at\n", ("--source", "x"), "twice"),
        (b"receipt_id,at\n", (), "no column 'source'"),
        (b"", ("--source", "x"), "no column 'receipt_id'"),
        ("receipt_id,at\nчек,\n".encode("cp1251"), ("--source", "x"), "not UTF-8"),
        (b"receipt_id,at\n" + b"x" * 200_000, ("--source", "x"), "line 2"),
        (None, (), "cannot read"),
        (b"receipt_id,at\n", ("--source", "x", "--tenant", "nobody"), "no tenant"),
    ],
)
def test_a_file_that_is_no_table_of_payments_is_refused_whole(
    home: Path, tmp_path: Path, content: bytes | None, words: tuple[str, ...], said: str
) -> None:
    file = tmp_path / "day.csv"
    if content is not None:
        file.write_bytes(content)
    assert said in atrium("payments", "import", str(file), *words, home=home, code=1).stderr.decode()


def test_help_names_the_columns(tmp_path: Path) -> None:
    shown = atrium("payments", "import", "--help", home=tmp_path).stdout.decode()
    assert "identity_KIND" in shown
    assert "--all-or-nothing" in shown
