"""Transfers: what moved points, never changed afterwards; and orders, which ask for them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from kernel.clock import to_epoch_us
from members.points.accounts import AccountKey, AccountKind


def transfer_id(at: datetime, chance: str) -> str:
    """An id for a transfer that is ordered at an instant; ``chance`` keeps those of one instant apart.

    Ids that rise with time are written side by side: a commit of 64 transfers writes 248 pages of SQLite, 410 with
    ids by chance alone.
    """
    return f"ptr_{to_epoch_us(at):014x}{chance}"


class TransferKind(StrEnum):
    """What a transfer is for."""

    EARN = "earn"
    REDEEM = "redeem"
    GIFT = "gift"
    POOL = "pool"
    """Into a pool, or out of it to one of its members."""
    FUND = "fund"
    """A partner buys points, to give them away."""
    SETTLE = "settle"
    """The mall takes points back from a partner."""
    EXPIRE = "expire"
    REVERSE = "reverse"
    """The opposite of an earlier transfer; the way in which anything is corrected."""


class Phase(StrEnum):
    """Where a transfer stands. A hold is ended by exactly one post, void or timeout, a transfer of its own."""

    DONE = "done"
    HOLD = "pending"
    POST = "post"
    VOID = "void"
    TIMEOUT = "timeout"


MOVING: Final = frozenset({Phase.DONE, Phase.POST})
"""Phases that change balances; a hold sets aside, and the others give back what it set aside."""

_PERSON, _POOL, _PARTNER = AccountKind.PERSON, AccountKind.POOL, AccountKind.PARTNER
_ISSUER, _BREAKAGE = AccountKind.ISSUER, AccountKind.BREAKAGE

MAY_MOVE: Final[dict[TransferKind, frozenset[tuple[AccountKind, AccountKind]]]] = {
    TransferKind.EARN: frozenset({(_ISSUER, _PERSON), (_PARTNER, _PERSON)}),
    TransferKind.REDEEM: frozenset({(a, b) for a in (_PERSON, _POOL) for b in (_ISSUER, _PARTNER)}),
    TransferKind.GIFT: frozenset({(_PERSON, _PERSON)}),
    TransferKind.POOL: frozenset({(_PERSON, _POOL), (_POOL, _PERSON)}),
    TransferKind.FUND: frozenset({(_ISSUER, _PARTNER)}),
    TransferKind.SETTLE: frozenset({(_PARTNER, _ISSUER)}),
    TransferKind.EXPIRE: frozenset({(_PERSON, _BREAKAGE), (_POOL, _BREAKAGE)}),
    TransferKind.REVERSE: frozenset(),
}
"""Debit and credit that each kind may have; a reversal has those of what it reverses, the other way round."""


@dataclass(frozen=True, slots=True)
class Leg:
    """Points of one lot that go from one account to another.

    Args:
        expires_at: from when they are no longer good; None where neither account keeps lots.
    """

    debit: AccountKey
    credit: AccountKey
    points: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """One line of the ledger; ``points`` is the sum of its legs.

    Args:
        legs: of a void or a timeout what the hold had set aside.
        until: when a hold ends by itself.
        pending_id: the hold that this transfer ends.
        reverses_id: the transfer that this one is the opposite of.
    """

    id: str
    kind: TransferKind
    phase: Phase
    points: int
    legs: tuple[Leg, ...]
    reason: str
    at: datetime
    reference: str | None = None
    until: datetime | None = None
    pending_id: str | None = None
    reverses_id: str | None = None


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a move. A person may consist of several refs: points are drawn from all, and put into the first."""

    kind: AccountKind
    owners: tuple[str, ...] = ("",)

    @property
    def keys(self) -> tuple[AccountKey, ...]:
        """The accounts of the party, that which is paid into first."""
        return tuple(AccountKey(self.kind, owner) for owner in self.owners)


ISSUER: Final = Party(AccountKind.ISSUER)


@dataclass(frozen=True, slots=True)
class Move:
    """Move points from one party to another.

    Args:
        id: of the transfer to be.
        actor: who acts, the refs of one person; a pool gives and takes only by its members.
        hold_s: set the points aside for so long, to be posted or voided; None: move them at once.
    """

    id: str
    kind: TransferKind
    debit: Party
    credit: Party
    points: int
    reason: str
    reference: str | None = None
    actor: tuple[str, ...] = ()
    hold_s: int | None = None


@dataclass(frozen=True, slots=True)
class Resolve:
    """End a hold: post it, in part if ``points`` says so, or give back what it set aside."""

    id: str
    transfer_id: str
    phase: Literal[Phase.POST, Phase.VOID, Phase.TIMEOUT]
    reason: str
    points: int | None = None
    is_of_partners: bool = True
    """Whether whoever orders it may move what is a partner's."""


@dataclass(frozen=True, slots=True)
class Reverse:
    """Do the opposite of a transfer, once and whole. A hold that was posted is reversed as it was posted."""

    id: str
    transfer_id: str
    reason: str
    is_of_partners: bool = True


@dataclass(frozen=True, slots=True)
class Expire:
    """Take out of an account what is no longer good."""

    id: str
    account: AccountKey
    reason: str


Order: TypeAlias = Move | Resolve | Reverse | Expire
