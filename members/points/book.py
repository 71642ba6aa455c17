"""The accounts and transfers at hand: what a batch of orders is decided on, and what its transfers change."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from members.errors import UnknownAccountError
from members.points.accounts import WITH_LOTS, Account, AccountKey, AccountKind, Counted
from members.points.transfers import MOVING, Leg, Phase, Transfer, TransferKind

COUNTED = {
    TransferKind.EARN: Counted.EARNED,
    TransferKind.REDEEM: Counted.REDEEMED,
    TransferKind.GIFT: Counted.GIVEN,
    TransferKind.POOL: Counted.GIVEN,
}
"""The limit a day that a transfer counts towards: of who is credited where it is earned, else of who is debited."""


@dataclass(slots=True)
class Book:
    """Loaded with what a batch of orders names; ``decide`` reads it, ``record`` changes it.

    Call order: ``record`` takes the transfers that ``decide`` made of this book, in the order of their making.
    Recording one twice would move twice. The sum of all balances never changes.

    Args:
        accounts: those that exist among the accounts that the orders name.
        transfers: those that the orders name.
        ends: the transfer that ended a hold, by the hold's id.
        reversed_ids: transfers that were reversed.
        groups: all refs of the person that a ref belongs to, by each ref of a known person that the orders name.
        members: who belongs to each pool that the orders name.
        changed: the accounts that ``record`` has changed.
    """

    accounts: dict[AccountKey, Account] = field(default_factory=dict)
    transfers: dict[str, Transfer] = field(default_factory=dict)
    ends: dict[str, Transfer] = field(default_factory=dict)
    reversed_ids: set[str] = field(default_factory=set)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    members: Mapping[str, Collection[str]] = field(default_factory=dict)
    changed: set[AccountKey] = field(default_factory=set)

    def group(self, refs: Iterable[str]) -> tuple[str, ...]:
        """All refs of the people whom these refs belong to, each once, in their order.

        Raises:
            UnknownAccountError: a ref belongs to nobody who is known.
        """
        found: dict[str, None] = {}
        for ref in refs:
            if ref not in self.groups:
                raise UnknownAccountError("person", ref)
            found |= dict.fromkeys((ref, *self.groups[ref]))
        return tuple(found)

    def record(self, transfer: Transfer) -> None:
        """Take a decided transfer into the accounts."""
        if transfer.pending_id is not None:
            self._give_back(self.transfers[transfer.pending_id], is_void=transfer.phase not in MOVING)
            self.ends[transfer.pending_id] = transfer
        if transfer.reverses_id is not None:
            self.reversed_ids.add(transfer.reverses_id)
        if transfer.phase in MOVING:
            self._move(transfer.legs)
        elif transfer.phase is Phase.HOLD:
            self._set_aside(transfer.legs)
        if transfer.phase in {Phase.DONE, Phase.HOLD}:  # a post was counted with its hold
            self._count(transfer, sign=1)
        self.transfers[transfer.id] = transfer

    def _move(self, legs: Iterable[Leg]) -> None:
        for leg in legs:
            debit, credit = self._touch(leg.debit), self._touch(leg.credit)
            debit.balance -= leg.points
            credit.balance += leg.points
            _take_out(leg, debit)
            if leg.credit.kind in WITH_LOTS:
                credit.put_in(leg.points, leg.expires_at)

    def _set_aside(self, legs: Iterable[Leg]) -> None:
        for leg in legs:
            debit = self._touch(leg.debit)
            debit.held += leg.points
            _take_out(leg, debit)

    def _give_back(self, hold: Transfer, *, is_void: bool) -> None:
        for leg in hold.legs:
            debit = self._touch(leg.debit)
            debit.held -= leg.points
            if leg.debit.kind in WITH_LOTS:
                debit.put_in(leg.points, leg.expires_at)
        if is_void:
            self._count(hold, sign=-1)

    def _count(self, transfer: Transfer, sign: int) -> None:
        what = COUNTED.get(transfer.kind)
        if what is None:
            return
        for leg in transfer.legs:
            key = leg.credit if what is Counted.EARNED else leg.debit
            if key.kind is AccountKind.PERSON:
                self._touch(key).count(what, sign * leg.points, transfer.at.date())

    def _touch(self, key: AccountKey) -> Account:
        account = self.accounts.get(key)
        if account is None:
            account = self.accounts[key] = Account()
        self.changed.add(key)
        return account


def _take_out(leg: Leg, debit: Account) -> None:
    if leg.debit.kind in WITH_LOTS:
        debit.take_out(leg.points, leg.expires_at)
