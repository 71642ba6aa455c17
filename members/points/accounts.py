"""Accounts: whose points they are, until when, and how many are set aside."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple


class AccountKind(StrEnum):
    """Whose account it is."""

    PERSON = "person"
    POOL = "pool"
    PARTNER = "partner"
    ISSUER = "issuer"
    """What the mall owes to all others together: below zero by as much as is outstanding."""
    BREAKAGE = "breakage"
    """Points that ran out unused."""


WITH_LOTS: Final = frozenset({AccountKind.PERSON, AccountKind.POOL})
"""Whose points run out, and are therefore kept by the end of their validity."""
WITHOUT_FLOOR: Final = frozenset({AccountKind.ISSUER})
"""Who may go below zero; all others never do."""
ONE_A_TENANT: Final = frozenset({AccountKind.ISSUER, AccountKind.BREAKAGE})
"""Kinds of which there is one account, whose owner is the empty name."""


class AccountKey(NamedTuple):
    """Names an account within a tenant; a tuple, since a transfer looks accounts up twenty times."""

    kind: AccountKind
    owner: str = ""


class Counted(StrEnum):
    """What is counted by person and day, for the limits."""

    EARNED = "earned"
    REDEEMED = "redeemed"
    GIVEN = "given"


@dataclass(slots=True)
class Account:
    """What one account holds. ``Book.record`` alone changes it.

    Args:
        balance: all points of the account, those set aside too.
        held: set aside for transfers that are pending.
        lots: free points by the instant from which they are no longer good; of accounts ``WITH_LOTS`` their sum is
            ``balance - held``.
        day: the day (UTC) that ``counted`` is of.
    """

    balance: int = 0
    held: int = 0
    lots: dict[datetime, int] = field(default_factory=dict)
    day: date | None = None
    counted: dict[Counted, int] = field(default_factory=dict)

    def put_in(self, points: int, expires_at: datetime | None) -> None:
        """Add free points to the lot of that end."""
        if expires_at is not None:
            self.lots[expires_at] = self.lots.get(expires_at, 0) + points

    def take_out(self, points: int, expires_at: datetime | None) -> None:
        """Take free points out of the lot of that end."""
        if expires_at is None:
            return
        left = self.lots[expires_at] - points
        if left < 0:
            raise ValueError(f"a lot of {left + points} points cannot give {points}")
        if left:
            self.lots[expires_at] = left
        else:
            del self.lots[expires_at]

    def count(self, what: Counted, points: int, on: date) -> None:
        """Count towards a day's limit; what was counted on an earlier day is over."""
        if self.day != on:
            if points < 0:
                return  # given back on a later day than it was counted
            self.day, self.counted = on, {}
        self.counted[what] = max(0, self.counted.get(what, 0) + points)

    def counted_on(self, what: Counted, on: date) -> int:
        """What was counted on a day."""
        return self.counted.get(what, 0) if self.day == on else 0
