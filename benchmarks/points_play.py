"""Random orders for the ledger of points, good and bad, as tills, phones and clocks might send them."""

import random
import secrets
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.ports import Caller, Once, Rendered, Role
from kernel.errors import AtriumError
from kernel.ids import TenantId
from members.points.accounts import AccountKey, AccountKind
from members.points.rules import PointRules
from members.points.transfers import (
    ISSUER,
    Move,
    Order,
    Party,
    Phase,
    Resolve,
    Reverse,
    Transfer,
    TransferKind,
    transfer_id,
)
from runtime.clocks import PlayedClock
from runtime.database import Database
from runtime.points import PointsWriter
from runtime.points_batch import Job
from runtime.points_expiry import expire_all
from runtime.records.ledger import open_account
from runtime.records.schema import point_accounts, point_transfers
from runtime.records.tenants import DEFAULT_TENANT

TILL = Caller("key_till", DEFAULT_TENANT, Role.CASHIER)
N_PEOPLE, N_POOLS, N_PARTNERS = 200, 5, 3
RULES = PointRules(valid_days=30, most_given_a_day=2_000)
"""Points that run out within the days that are played, and a limit that is met now and then."""
_LOOK_EVERY = 2_000


def told(result: Transfer | AtriumError) -> Rendered:
    """An outcome, as plain as can be."""
    if isinstance(result, AtriumError):
        return Rendered(409, {"code": result.code})
    return Rendered(201, {"id": result.id, "phase": result.phase.value, "pending_id": result.pending_id})


def new_id() -> str:
    """An id for a transfer."""
    return transfer_id(datetime.now(UTC), secrets.token_hex(6))


def earning(person: str, points: int) -> Move:
    """Points for a person."""
    whose = Party(AccountKind.PERSON, (person,))
    return Move(new_id(), TransferKind.EARN, ISSUER, whose, points, "points earned", "receipt 1", (person,))


def redemption(person: str, points: int, hold_s: int | None = None) -> Move:
    """A person's points against a bill."""
    whose = Party(AccountKind.PERSON, (person,))
    return Move(
        new_id(), TransferKind.REDEEM, whose, ISSUER, points, "paid with points", "receipt 1", (person,), hold_s
    )


@dataclass(slots=True)
class People:
    """Who is known, and which refs are one person: joined and parted as the play goes on."""

    groups: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {f"per_{n}": (f"per_{n}",) for n in range(N_PEOPLE)}
    )

    def owners_of(self, _: Connection, __: TenantId, refs: Collection[str]) -> Mapping[str, Sequence[str]]:
        """What the ledger asks."""
        return {ref: self.groups[ref] for ref in refs if ref in self.groups}

    def join_or_part(self, rng: random.Random) -> None:
        """Two people become one, or one becomes the two that it was."""
        one, other = (f"per_{rng.randrange(N_PEOPLE)}" for _ in range(2))
        if len(self.groups[one]) > 1:
            for ref in self.groups[one]:
                self.groups[ref] = (ref,)
        elif one != other and len(self.groups[other]) == 1:
            self.groups[one] = self.groups[other] = (one, other)


@dataclass(slots=True)
class Play:
    """Draws orders, and remembers holds and transfers to come back to, also those that are over."""

    rng: random.Random
    holds: deque[str] = field(default_factory=lambda: deque(maxlen=400))
    done: deque[str] = field(default_factory=lambda: deque(maxlen=400))
    members: Sequence[str] = ()

    def draw(self) -> Order:
        """The next order; one in eight makes no sense."""
        rng = self.rng
        kind = rng.choices(
            ("earn", "redeem", "gift", "pool", "partner", "end", "reverse", "bad"), (24, 16, 10, 10, 8, 14, 6, 12)
        )[0]
        points = rng.choice((1, 7, 40, 100, 333, 1_000))
        hold_s = rng.choice((None, None, 60, 3_600, 86_400))
        one, other = (Party(AccountKind.PERSON, (self._person(),)) for _ in range(2))
        pool = Party(AccountKind.POOL, (f"pool-{rng.randrange(N_POOLS)}",))
        if kind == "pool" and rng.random() < 0.8:
            one = Party(AccountKind.PERSON, (rng.choice(self.members),))
        partner = Party(AccountKind.PARTNER, (f"partner-{rng.randrange(N_PARTNERS)}",))
        match kind:
            case "earn":
                return self._move(TransferKind.EARN, rng.choice((ISSUER, ISSUER, partner)), one, points, one, hold_s)
            case "redeem":
                debit = rng.choice((one, one, pool))
                return self._move(TransferKind.REDEEM, debit, rng.choice((ISSUER, partner)), points, one, hold_s)
            case "gift":
                return self._move(TransferKind.GIFT, one, other, points, one, hold_s)
            case "pool":
                debit, credit = rng.choice(((one, pool), (pool, one)))
                return self._move(TransferKind.POOL, debit, credit, points, one, hold_s)
            case "partner":
                if rng.random() < 0.7:
                    return self._move(TransferKind.FUND, ISSUER, partner, points * 5, one, None)
                return self._move(TransferKind.SETTLE, partner, ISSUER, points, one, hold_s)
            case "end":
                phase = rng.choice((Phase.POST, Phase.POST, Phase.VOID, Phase.TIMEOUT))
                part = rng.choice((None, None, 1, points)) if phase is Phase.POST else None
                return Resolve(new_id(), self._one_of(self.holds), phase, "ended", part)  # type: ignore[arg-type]
            case "reverse":
                return Reverse(new_id(), self._one_of(self.done), "returned")
            case _:
                return self._senseless(one, other, pool)

    def _senseless(self, one: Party, other: Party, pool: Party) -> Order:
        nobody = Party(AccountKind.PERSON, ("per_nobody",))
        nowhere = Party(AccountKind.POOL, ("nowhere",))
        bad: Any = self.rng.choice((0, -1, -100, 10**12, 1.5, "7", None))
        return self.rng.choice(
            (
                self._move(TransferKind.EARN, ISSUER, one, bad, one, None),
                self._move(TransferKind.GIFT, one, other, bad, one, None),
                self._move(TransferKind.EARN, ISSUER, nobody, 10, nobody, None),
                self._move(TransferKind.GIFT, one, one, 1, one, None),
                self._move(TransferKind.POOL, one, nowhere, 1, one, None),
                self._move(TransferKind.EARN, pool, one, 1, one, None),
                self._move(TransferKind.EXPIRE, one, Party(AccountKind.BREAKAGE), 1, one, None),
                self._move(TransferKind.REDEEM, one, ISSUER, 1, one, -5),
                Resolve(new_id(), "ptr_none", Phase.POST, "ended"),
                Reverse(new_id(), "ptr_none", "returned"),
            )
        )

    def _move(
        self, kind: TransferKind, debit: Party, credit: Party, points: int, actor: Party, hold_s: int | None
    ) -> Move:
        return Move(new_id(), kind, debit, credit, points, "a reason", None, actor.owners, hold_s)

    def _person(self) -> str:
        return f"per_{int(N_PEOPLE * self.rng.random() ** 2)}"  # some are met often

    def _one_of(self, ids: deque[str]) -> str:
        """Of the last ten mostly, for what is older is over."""
        if not ids:
            return "ptr_none"
        return ids[-self.rng.randint(1, min(10, len(ids)))] if self.rng.random() < 0.8 else self.rng.choice(ids)


def play(database: Database, n_operations: int, seed: int) -> dict[str, Any]:
    """Send so many random orders, up to 64 at a time, days apart now and then; what came of them.

    Raises:
        RuntimeError: on the way a sum was not zero, a floor was broken or a hold was ended twice.
    """
    rng = random.Random(seed)
    people, draws, clock = People(), Play(rng), PlayedClock(datetime.fromisoformat("2026-01-01T08:00:00+00:00"))
    draws.members = _open_accounts(database, rng)
    writer = PointsWriter(database, clock, RULES, owners_of=people.owners_of, expire_every_s=0.5)
    outcomes: Counter[str] = Counter()
    n_sent, look_at = 0, _LOOK_EVERY
    writer.start()
    try:
        while n_sent < n_operations:
            jobs = [_job(draws.draw(), rng) for _ in range(min(rng.randint(1, 64), n_operations - n_sent))]
            jobs += rng.sample(jobs, min(len(jobs), rng.choice((0, 0, 1, 3))))[: n_operations - n_sent - len(jobs)]
            sent = [_send(writer, job) for job in jobs]
            outcomes.update(_outcome(one, draws) for one in sent)
            n_sent += len(sent)
            if rng.random() < 0.3:
                people.join_or_part(rng)
            clock.set(clock.now() + timedelta(seconds=rng.choice((1, 1, 5, 5, 30, 30, 120, 7_200))))
            if n_sent >= look_at:
                check_sums(database)
                look_at += _LOOK_EVERY
    finally:
        writer.stop()
    expire_all(database, clock.now(), clock.now(), RULES)
    check_sums(database)
    return {"operations": n_sent, "outcomes": dict(sorted(outcomes.items()))}


def _job(order: Order, rng: random.Random) -> Job:
    once = Once("points", secrets.token_hex(8), "asked") if rng.random() < 0.3 else None
    return Job(DEFAULT_TENANT, order, told, TILL, once)


def _send(writer: PointsWriter, job: Job) -> "Future[Rendered]":
    """Send a job as one of its own; where it has no key, under the id of a new transfer."""
    order: Any = job.order
    again = Job(job.tenant, order, job.render, job.caller, job.once)
    if job.once is None:
        again.order = type(order)(new_id(), *(getattr(order, name) for name in list(order.__slots__)[1:]))
    writer.submit(again)
    assert isinstance(again.done, Future)
    return again.done


def _outcome(sent: "Future[Rendered]", draws: Play) -> str:
    body = sent.result(timeout=120).body
    if "code" in body:
        return str(body["code"])
    if body["phase"] == Phase.HOLD.value:
        draws.holds.append(body["id"])
    draws.done.append(body["id"])
    return str(body["phase"])


def _open_accounts(database: Database, rng: random.Random) -> list[str]:
    """Pools with the same members, and partners."""
    members = [f"per_{rng.randrange(N_PEOPLE)}" for _ in range(20)]
    with database.write() as connection:
        for n in range(N_POOLS):
            open_account(connection, DEFAULT_TENANT, AccountKey(AccountKind.POOL, f"pool-{n}"), members)
        for n in range(N_PARTNERS):
            open_account(connection, DEFAULT_TENANT, AccountKey(AccountKind.PARTNER, f"partner-{n}"))
    return members


def check_sums(database: Database) -> None:
    """Raise where a sum is not zero, a floor is broken, or a hold was ended twice; plain SQL, apart from the proof."""
    free = point_accounts.c.balance - point_accounts.c.held
    with database.read() as connection:
        total = connection.execute(sa.select(sa.func.sum(point_accounts.c.balance))).scalar() or 0
        lowest = connection.execute(sa.select(sa.func.min(free)).where(point_accounts.c.kind != "issuer")).scalar() or 0
        ended = sa.select(point_transfers.c.pending_id).where(point_transfers.c.pending_id.is_not(None))
        ids = connection.execute(ended).scalars().all()
    if total != 0 or lowest < 0 or len(ids) != len(set(ids)):
        raise RuntimeError(f"sum {total}, lowest {lowest}, holds ended twice {len(ids) - len(set(ids))}")
