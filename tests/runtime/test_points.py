"""The ledger of points as it is stored: random orders, repeats, expiry, refusals of the tables, and the proof."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.errors import IdempotencyMismatchError
from api.ports import Once, Rendered
from benchmarks.points import fuzz
from benchmarks.points_play import RULES, TILL, People, earning, new_id, redemption, told
from kernel.errors import PartFailedError
from kernel.ids import TenantId
from members.points.accounts import AccountKey, AccountKind
from members.points.transfers import Move, Order, Party, Phase, Resolve, TransferKind
from runtime.clocks import PlayedClock
from runtime.database import Database
from runtime.errors import BusyError, StorageError
from runtime.points import PointsWriter
from runtime.points_batch import Job, settle
from runtime.points_expiry import Expired, expire_all
from runtime.records.ledger import open_account
from runtime.records.ledger_proof import prove_ledger
from runtime.records.schema import events, idempotency, point_accounts, point_legs, point_transfers
from runtime.records.statements import balance_of, list_statement
from runtime.records.tenants import DEFAULT_TENANT

AT = datetime(2026, 4, 18, 12, tzinfo=UTC)
OTHER = TenantId("other")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'a.db'}")
    opened.upgrade()
    yield opened
    opened.close()


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def clock() -> PlayedClock:
    return PlayedClock(AT)


@pytest.fixture
def writer(database: Database, clock: PlayedClock, people: People) -> Iterator[PointsWriter]:
    started = PointsWriter(database, clock, RULES, owners_of=people.owners_of, expire_every_s=3_600)
    started.start()
    yield started
    started.stop()


def job(order: Order, key: str | None = None, asked: str = "asked", tenant: TenantId = DEFAULT_TENANT) -> Job:
    return Job(tenant, order, told, TILL, None if key is None else Once("points", key, asked))


def do(writer: PointsWriter, one: Job) -> Rendered:
    writer.submit(one)
    assert isinstance(one.done, Future)
    return one.done.result(timeout=60)


def points_of(database: Database, *owners: str, at: datetime = AT) -> int:
    with database.read() as connection:
        return balance_of(connection, DEFAULT_TENANT, owners, at).points


def check_proof(database: Database) -> None:
    with database.read() as connection:
        assert prove_ledger(connection).differences == ()


def test_random_orders_leave_a_ledger_that_holds(tmp_path: Path) -> None:
    """The short version of ``atrium bench points``; sums and floors are looked at on the way."""
    figures = fuzz(tmp_path / "fuzz.db", 3_000, seed=3)
    assert (figures["operations"], figures["differences"]) == (3_000, 0)
    outcomes = figures["outcomes"]
    expected = {"done", "pending", "post", "void", "timeout", "already_resolved", "already_reversed", "hold_ended"}
    expected |= {"insufficient_points", "invalid_transfer", "unknown_account", "unknown_transfer", "not_a_member"}
    assert expected <= set(outcomes)
    assert "part_failed" not in outcomes
    assert "storage_failed" not in outcomes


def test_a_repeat_under_one_key_gets_the_first_answer_and_moves_nothing(
    database: Database, writer: PointsWriter
) -> None:
    first = do(writer, job(earning("per_1", 100), "k"))
    again = do(writer, job(earning("per_1", 100), "k"))
    assert (again.body, again.is_replay) == (first.body, True)
    refused = do(writer, job(redemption("per_1", 500), "r"))
    do(writer, job(earning("per_1", 900)))
    assert do(writer, job(redemption("per_1", 500), "r")).body == refused.body  # the refusal is the answer
    with pytest.raises(IdempotencyMismatchError):
        do(writer, job(earning("per_1", 7), "k", "something else"))
    assert points_of(database, "per_1") == 1_000
    check_proof(database)


def test_repeats_in_one_batch_are_one(database: Database, people: People) -> None:
    jobs = [job(earning("per_1", 100), "k") for _ in range(3)] + [job(earning("per_1", 100), "k", "another body")]
    with database.write() as connection:
        *same, other = settle(connection, DEFAULT_TENANT, jobs, RULES, people.owners_of, AT, AT)
    assert [answer.is_replay for answer in same if isinstance(answer, Rendered)] == [False, True, True]
    assert isinstance(other, IdempotencyMismatchError)
    assert points_of(database, "per_1") == 100


def test_a_refusal_among_others_of_a_batch_touches_nothing(database: Database, people: People) -> None:
    jobs = [job(earning("per_1", 100)), job(redemption("per_1", 500)), job(earning("per_2", -5)), job(earning("x", 1))]
    jobs += [job(redemption("per_1", 60)), job(redemption("per_1", 60))]
    with database.write() as connection:
        answers = settle(connection, DEFAULT_TENANT, jobs, RULES, people.owners_of, AT, AT)
    codes = [answer.body.get("code") for answer in answers if isinstance(answer, Rendered)]
    assert codes == [
        None,
        "insufficient_points",
        "invalid_transfer",
        "unknown_account",
        None,
        "insufficient_points",
    ]
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(point_transfers)).scalar() == 2
    assert points_of(database, "per_1") == 40
    check_proof(database)


def test_a_batch_that_the_tables_refuse_leaves_nothing_and_spoils_nobody_elses(
    database: Database, writer: PointsWriter
) -> None:
    """Somebody has changed a balance by hand: the row's own check refuses what the lots would allow."""
    do(writer, job(earning("per_1", 100)))
    with database.write() as connection:
        connection.execute(point_accounts.update().where(point_accounts.c.owner == "per_1").values(balance=10))
    jobs = [job(redemption("per_1", 50)), job(earning("per_2", 5))]
    for one in jobs:
        writer.submit(one)
    bad, good = (one.done for one in jobs)
    assert isinstance(bad, Future)
    assert isinstance(good, Future)
    with pytest.raises(StorageError):
        bad.result(timeout=60)
    assert good.result(timeout=60).status == 201
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(point_transfers)).scalar() == 2
        assert connection.execute(sa.select(sa.func.count()).select_from(point_legs)).scalar() == 2
        assert {one.what for one in prove_ledger(connection).differences} >= {"sum_of_balances", "balance"}


def test_points_and_holds_run_out_once(database: Database, writer: PointsWriter) -> None:
    do(writer, job(earning("per_1", 100)))
    do(writer, job(redemption("per_1", 30, hold_s=60)))
    later = AT + timedelta(seconds=60)
    assert points_of(database, "per_1", at=later) == 70
    assert expire_all(database, later, later, RULES) == Expired(0, 0, 1)
    assert points_of(database, "per_1", at=later) == 100
    over = RULES.expires_at(AT)
    assert points_of(database, "per_1", at=over) == 0
    assert expire_all(database, over, over, RULES) == Expired(100, 1, 0)
    assert expire_all(database, over, over, RULES) == Expired()
    check_proof(database)


def test_the_writer_lets_points_run_out_by_itself(database: Database, clock: PlayedClock, people: People) -> None:
    writer = PointsWriter(database, clock, RULES, owners_of=people.owners_of, expire_every_s=0.01)
    writer.start()
    do(writer, job(earning("per_1", 100)))
    clock.set(RULES.expires_at(AT))
    for _ in range(2_000):
        if do(writer, job(redemption("per_1", 1))).body["code"] != "insufficient_points":
            raise AssertionError("points that have run out were spent")
        with database.read() as connection:
            query = sa.select(point_accounts.c.balance).where(point_accounts.c.kind == "breakage")
            if connection.execute(query).scalar() == 100:
                break
    writer.stop()
    check_proof(database)


def test_each_line_of_a_statement_has_its_reason_and_those_that_moved_sum_to_the_balance(
    database: Database, writer: PointsWriter, people: People
) -> None:
    do(writer, job(earning("per_1", 100)))
    do(writer, job(earning("per_2", 40)))
    held = do(writer, job(redemption("per_1", 60, hold_s=60))).body["id"]
    do(writer, job(Resolve(new_id(), held, Phase.POST, "paid at the till", 50)))
    people.groups["per_1"] = people.groups["per_2"] = ("per_1", "per_2")
    do(writer, job(redemption("per_2", 80)))
    with database.read() as connection:
        page = list_statement(connection, DEFAULT_TENANT, ("per_1", "per_2"), 3, None)
        rest = list_statement(connection, DEFAULT_TENANT, ("per_1", "per_2"), 3, page.next_cursor)
        alone = list_statement(connection, DEFAULT_TENANT, ("per_1",), 10, None)
    lines = [*page.data, *rest.data]
    told_of = [(line.phase.value, line.points, line.has_moved) for line in lines]
    assert told_of == [
        ("done", 100, True),
        ("done", 40, True),
        ("pending", -60, False),
        ("post", -50, True),
        ("done", -80, True),
    ]
    assert all(line.reason for line in lines)
    assert sum(line.points for line in lines if line.has_moved) == points_of(database, "per_1", "per_2") == 10
    assert sum(line.points for line in alone.data if line.has_moved) == points_of(database, "per_1")
    check_proof(database)


def test_tenants_know_nothing_of_each_other(database: Database, writer: PointsWriter) -> None:
    held = do(writer, job(earning("per_1", 100))).body["id"]
    assert do(writer, job(redemption("per_1", 1), tenant=OTHER)).body["code"] == "insufficient_points"
    assert do(writer, job(Resolve(new_id(), held, Phase.VOID, "r"), tenant=OTHER)).body["code"] == "unknown_transfer"
    do(writer, job(earning("per_1", 7), tenant=OTHER))
    assert points_of(database, "per_1") == 100
    check_proof(database)


def test_an_event_tells_each_persons_change_and_nothing_that_a_till_wrote(
    database: Database, writer: PointsWriter
) -> None:
    do(writer, job(earning("per_1", 100)))
    one, other = (Party(AccountKind.PERSON, (name,)) for name in ("per_1", "per_2"))
    gift = Move(new_id(), TransferKind.GIFT, one, other, 30, "for Ann's birthday", "Ann", ("per_1",))
    do(writer, job(gift))
    do(writer, job(redemption("per_1", 10, hold_s=60)))
    with database.read() as connection:
        rows = connection.execute(sa.select(events).order_by(events.c.sequence)).all()
    assert [(row.type, row.person, row.data["kind"], row.data["points"]) for row in rows] == [
        ("points.moved", "per_1", "earn", 100),
        ("points.moved", "per_1", "gift", -30),
        ("points.moved", "per_2", "gift", 30),
    ]
    assert set(rows[0].data) == {"transfer_id", "kind", "points"}


def test_a_line_of_the_ledger_is_never_changed(database: Database, writer: PointsWriter) -> None:
    do(writer, job(earning("per_1", 100)))
    for table in (point_transfers, point_legs):
        with pytest.raises(StorageError, match="never changed"), database.write() as connection:
            connection.execute(table.update().values(points=1))


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE point_accounts SET balance = balance + 1 WHERE owner = 'per_1'", "balance"),
        ("UPDATE point_accounts SET held = 0 WHERE owner = 'per_1'", "held"),
        ("UPDATE point_lots SET points = points + 1", "lot"),
        ("DELETE FROM point_lots", "lot"),
        ("DELETE FROM point_holds", "hold"),
        ("DELETE FROM point_legs", "transfer"),
        ("DELETE FROM point_accounts WHERE owner = 'per_2'", "account"),
        ("DELETE FROM point_transfers WHERE phase = 'done'", "balance"),
    ],
)  # fmt: skip
def test_the_proof_finds_what_somebody_changed(
    database: Database, writer: PointsWriter, statement: str, what: str
) -> None:
    do(writer, job(earning("per_1", 100)))
    do(writer, job(earning("per_2", 100)))
    do(writer, job(redemption("per_1", 30, hold_s=60)))
    check_proof(database)
    with database.write() as connection:
        connection.execute(sa.text(statement))
    with database.read() as connection:
        assert what in {one.what for one in prove_ledger(connection).differences}


def test_a_coroutine_waits_as_a_thread_does(writer: PointsWriter) -> None:
    async def move(name: str) -> Rendered:
        done: asyncio.Future[Rendered] = asyncio.get_running_loop().create_future()
        writer.submit(Job(DEFAULT_TENANT, earning(name, 1), told, done=done))
        return await done

    async def move_all() -> list[Rendered]:
        hung_up = asyncio.create_task(move("per_0"))
        await asyncio.sleep(0)
        hung_up.cancel()
        return await asyncio.gather(*(move(f"per_{n}") for n in range(50)))

    assert [answer.status for answer in asyncio.run(move_all())] == [201] * 50


def test_what_waits_is_settled_before_the_end_and_nothing_is_taken_behind_it(
    database: Database, writer: PointsWriter
) -> None:
    jobs = [job(earning("per_1", 1)) for _ in range(500)]
    for one in jobs:
        writer.submit(one)
    writer.stop()
    assert all(isinstance(one.done, Future) and one.done.result(timeout=0).status == 201 for one in jobs)
    assert points_of(database, "per_1") == 500
    with pytest.raises(PartFailedError):
        writer.submit(job(earning("per_1", 1)))


def test_a_caller_is_told_to_come_back_where_too_much_waits(
    database: Database, clock: PlayedClock, people: People
) -> None:
    writer = PointsWriter(database, clock, RULES, owners_of=people.owners_of, max_waiting=5)
    writer.start()
    with database.write(), pytest.raises(BusyError):  # nothing can be committed meanwhile
        for _ in range(300):
            writer.submit(job(earning("per_1", 1)))
    writer.stop()
    check_proof(database)


def test_a_pool_is_opened_once_and_its_members_can_change(database: Database, writer: PointsWriter) -> None:
    pool = AccountKey(AccountKind.POOL, "family")
    with database.write() as connection:
        assert open_account(connection, DEFAULT_TENANT, pool, ["per_1"])
    do(writer, job(earning("per_1", 100)))
    one = Party(AccountKind.PERSON, ("per_1",))
    into = Move(new_id(), TransferKind.POOL, one, Party(AccountKind.POOL, ("family",)), 60, "r", None, ("per_1",))
    assert do(writer, job(into)).status == 201
    with database.write() as connection:
        assert not open_account(connection, DEFAULT_TENANT, pool, ["per_2", "per_2"])
        assert balance_of(connection, DEFAULT_TENANT, ["family"], AT, AccountKind.POOL).points == 60
    again = Move(new_id(), TransferKind.POOL, one, Party(AccountKind.POOL, ("family",)), 1, "r", None, ("per_1",))
    assert do(writer, job(again)).body["code"] == "not_a_member"


def test_a_kept_answer_that_is_over_is_replaced(database: Database, people: People) -> None:
    key = "k"
    for at in (AT, AT + timedelta(hours=25)):
        with database.write() as connection:
            (answer,) = settle(
                connection, DEFAULT_TENANT, [job(earning("per_1", 5), key)], RULES, people.owners_of, at, at
            )
        assert isinstance(answer, Rendered)
        assert not answer.is_replay
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(idempotency)).scalar() == 1
