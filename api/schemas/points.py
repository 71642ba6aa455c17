"""What a till sends and sees of points."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from flow.answers import rfc3339
from members.errors import PointsRefusedError
from members.points.accounts import AccountKind
from members.points.rules import Money, PointRules
from members.points.statement import Balance, StatementLine
from members.points.transfers import ISSUER, Move, Party, Phase, Transfer, TransferKind

MAX_POINTS = 10**9
PERSON = r"^per_[A-Za-z0-9_]{1,120}$"
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"

PersonId = Annotated[str, Field(pattern=PERSON)]
Name = Annotated[str, Field(pattern=NAME)]
Points = Annotated[StrictInt, Field(ge=1, le=MAX_POINTS)]
Note = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$")
]

_TAKES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "earn": (frozenset({"person"}), frozenset({"partner", "points", "paid"})),
    "redeem": (frozenset({"person", "points"}), frozenset({"partner", "pool", "bill"})),
    "gift": (frozenset({"person", "to", "points"}), frozenset()),
    "pool": (frozenset({"person", "pool", "points"}), frozenset({"direction"})),
    "fund": (frozenset({"partner", "points"}), frozenset()),
    "settle": (frozenset({"partner", "points"}), frozenset()),
}
"""What each kind needs, and what it may have besides; anything else given would silently do nothing."""
_ANY = frozenset({"kind", "pending", "hold_s", "reason", "reference"})
_REASONS = {
    "earn": "points earned",
    "redeem": "paid with points",
    "gift": "a gift of points",
    "pool": "points pooled",
    "fund": "points bought by a partner",
    "settle": "points settled with a partner",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class MoneyIn(_Strict):
    amount: Annotated[StrictInt, Field(ge=0, le=10**12, description="Minor units")]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

    def to_money(self) -> Money:
        """The domain's money."""
        return Money(self.amount, self.currency)


class TransferIn(_Strict):
    """Points to be moved.

    ``earn``: to the person, ``points`` or those of what was ``paid``. ``redeem``: from the person or a pool of theirs,
    at most what ``bill`` takes. ``gift``: ``to`` another person. ``pool``: into a pool, or ``out`` of it. ``fund``,
    ``settle``: a partner buys points or gives them back (admin). ``pending``: set aside for ``hold_s``, ten minutes if
    nothing is said, to be posted or voided.
    """

    kind: Literal["earn", "redeem", "gift", "pool", "fund", "settle"]
    person: PersonId | None = None
    to: PersonId | None = None
    pool: Name | None = None
    direction: Literal["in", "out"] = "in"
    partner: Name | None = None
    points: Points | None = None
    paid: MoneyIn | None = None
    bill: MoneyIn | None = None
    pending: StrictBool = False
    hold_s: Annotated[StrictInt, Field(ge=1, le=366 * 86_400)] | None = None
    reason: Note | None = None
    reference: Note | None = None

    def to_order(self, transfer_id: str, rules: PointRules) -> Move:
        """The domain's order.

        Raises:
            PointsRefusedError: fields that do not go together.
            WrongCurrencyError, PointsOverBillError: money that points are not counted in; more than the bill takes.
        """
        self._check()
        debit, credit = self._parties()
        return Move(
            id=transfer_id,
            kind=TransferKind(self.kind),
            debit=debit,
            credit=credit,
            points=self._points(rules),
            reason=self.reason or _REASONS[self.kind],
            reference=self.reference,
            actor=() if self.person is None else (self.person,),
            hold_s=(self.hold_s or rules.hold_s) if self.pending else None,
        )

    def _check(self) -> None:
        needs, may_have = _TAKES[self.kind]
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        for name in sorted(needs - given):
            raise PointsRefusedError(name, f"{self.kind} needs it")
        for name in sorted(given - needs - may_have - _ANY):
            raise PointsRefusedError(name, f"{self.kind} does not take it")
        if self.kind == "earn" and (self.points is None) == (self.paid is None):
            raise PointsRefusedError("points", "either points or what was paid, one of the two")
        if self.pool is not None and self.partner is not None:
            raise PointsRefusedError("partner", "a pool pays the mall, not a partner")
        if self.hold_s is not None and not self.pending:
            raise PointsRefusedError("hold_s", "only a pending transfer has an end")

    def _points(self, rules: PointRules) -> int:
        if self.paid is not None:
            points = rules.points_of(self.paid.to_money())
            if points == 0:
                raise PointsRefusedError("paid.amount", f"a point is earned by {rules.minor_per_point_earned}")
            return points
        assert self.points is not None
        if self.bill is not None:
            rules.check_bill(self.points, self.bill.to_money())
        return self.points

    def _parties(self) -> tuple[Party, Party]:
        person = Party(AccountKind.PERSON, (self.person or "",))
        pool = Party(AccountKind.POOL, (self.pool or "",))
        house = ISSUER if self.partner is None else Party(AccountKind.PARTNER, (self.partner,))
        match self.kind:
            case "earn":
                return house, person
            case "redeem":
                return (person if self.pool is None else pool), house
            case "gift":
                return person, Party(AccountKind.PERSON, (self.to or "",))
            case "pool":
                return (person, pool) if self.direction == "in" else (pool, person)
            case "fund":
                return ISSUER, house
            case "settle":
                return house, ISSUER


class PostIn(_Strict):
    """How many of the points that were set aside; all, if nothing is said. The others go back."""

    points: Points | None = None
    reason: Note | None = None


class ReasonIn(_Strict):
    reason: Note | None = None


class PoolIn(_Strict):
    """Who belongs to the pool from now on."""

    members: Annotated[list[PersonId], Field(min_length=1, max_length=50)]


class TransferOut(BaseModel):
    """A line of the ledger. What is ``pending``, until ``until``, is ended by a ``post``, ``void`` or ``timeout`` that
    names it as ``pending_id``; ``done`` and ``post`` moved points."""

    id: str
    kind: TransferKind
    phase: Phase
    points: int
    reason: str
    reference: str | None
    at: str
    until: str | None
    pending_id: str | None
    reverses_id: str | None


def transfer_out(one: Transfer) -> dict[str, Any]:
    """A transfer as a ``TransferOut`` has it; plain, since the one thread that moves points makes it."""
    return {
        "id": one.id,
        "kind": one.kind.value,
        "phase": one.phase.value,
        "points": one.points,
        "reason": one.reason,
        "reference": one.reference,
        "at": rfc3339(one.at),
        "until": None if one.until is None else rfc3339(one.until),
        "pending_id": one.pending_id,
        "reverses_id": one.reverses_id,
    }


class MoneyOut(BaseModel):
    amount: int
    currency: str


class BalanceOut(BaseModel):
    """``points`` can be spent, and are worth ``worth``; ``held`` are set aside. ``next_points`` of the former run out
    first, at ``next_expires_at``."""

    points: int
    held: int
    worth: MoneyOut
    next_points: int | None
    next_expires_at: str | None

    @classmethod
    def of(cls, balance: Balance, rules: PointRules) -> "BalanceOut":
        """The answer for a balance."""
        worth = rules.worth_of(balance.points)
        return cls(
            points=balance.points,
            held=balance.held,
            worth=MoneyOut(amount=worth.amount, currency=worth.currency),
            next_points=balance.next_points,
            next_expires_at=None if balance.next_expires_at is None else rfc3339(balance.next_expires_at),
        )


class StatementLineOut(BaseModel):
    """One transfer as it concerns this account: ``points`` below zero go out. Lines with ``moved`` sum to the balance,
    what is held included; the others set aside, or no longer do."""

    transfer_id: str
    kind: TransferKind
    phase: Phase
    points: int
    moved: bool
    reason: str
    reference: str | None
    at: str
    until: str | None
    pending_id: str | None
    reverses_id: str | None

    @classmethod
    def of(cls, line: StatementLine) -> "StatementLineOut":
        """The answer for a line."""
        return cls(
            transfer_id=line.transfer_id,
            kind=line.kind,
            phase=line.phase,
            points=line.points,
            moved=line.has_moved,
            reason=line.reason,
            reference=line.reference,
            at=rfc3339(line.at),
            until=None if line.until is None else rfc3339(line.until),
            pending_id=line.pending_id,
            reverses_id=line.reverses_id,
        )


class OpenedOut(BaseModel):
    """A pool or partner that is open; ``opened`` where it was not before."""

    kind: AccountKind
    id: str
    opened: bool
    members: list[str] | None
