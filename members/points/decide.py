"""Makes of an order a transfer, or says why there is none; changes nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from members.errors import (
    AlreadyReversedError,
    HoldEndedError,
    HoldResolvedError,
    InsufficientPointsError,
    NotAMemberError,
    PartnerPointsError,
    PointsLimitError,
    PointsRefusedError,
    TransferStateError,
    UnknownAccountError,
    UnknownTransferError,
)
from members.points.accounts import ONE_A_TENANT, WITH_LOTS, WITHOUT_FLOOR, AccountKey, AccountKind
from members.points.book import COUNTED, Book
from members.points.rules import PointRules
from members.points.transfers import (
    MAY_MOVE,
    Expire,
    Leg,
    Move,
    Order,
    Party,
    Phase,
    Resolve,
    Reverse,
    Transfer,
    TransferKind,
)

_Drawn = tuple[AccountKey, int, datetime | None]
"""Points of one lot of one account."""


def decide(order: Order, book: Book, rules: PointRules, at: datetime) -> Transfer:
    """The transfer that an order makes at an instant, to be given to ``book.record``.

    Raises:
        PointsRefusedError: the order makes no sense.
        UnknownAccountError, UnknownTransferError: it names what is not there.
        InsufficientPointsError, PointsLimitError, NotAMemberError: who asks has not so much, or may not.
        HoldResolvedError, HoldEndedError, AlreadyReversedError, TransferStateError: it is too late, or never was time.
    """
    match order:
        case Move():
            return _move(order, book, rules, at)
        case Resolve():
            return _resolve(order, book, at)
        case Reverse():
            return _reverse(order, book, at)
        case Expire():
            return _expire(order, book, at)
    assert_never(order)


def available(book: Book, keys: Sequence[AccountKey], at: datetime) -> int:
    """What accounts of one kind can give at an instant, without what is set aside or no longer good."""
    total = 0
    for key in keys:
        account = book.accounts.get(key)
        if account is None:
            continue
        if key.kind in WITH_LOTS:
            total += sum(points for expires_at, points in account.lots.items() if expires_at > at)
        else:
            total += account.balance - account.held
    return total


def _move(order: Move, book: Book, rules: PointRules, at: datetime) -> Transfer:
    _check_move(order, rules)
    debit, credit = _accounts_of(order.debit, order.actor, book), _accounts_of(order.credit, order.actor, book)
    if not set(debit).isdisjoint(credit):
        raise PointsRefusedError("to", "points cannot go to whom they come from")
    _check_day(order, credit if order.kind is TransferKind.EARN else debit, book, rules, at)
    drawn = _draw(book, debit, order.points, at)
    into = credit[0]
    new_lot = rules.expires_at(at) if into.kind in WITH_LOTS else None
    return Transfer(
        id=order.id,
        kind=order.kind,
        phase=Phase.DONE if order.hold_s is None else Phase.HOLD,
        points=order.points,
        legs=tuple(Leg(key, into, points, expires_at or new_lot) for key, points, expires_at in drawn),
        reason=order.reason,
        at=at,
        reference=order.reference,
        until=None if order.hold_s is None else at + timedelta(seconds=order.hold_s),
    )


def _check_move(order: Move, rules: PointRules) -> None:
    if isinstance(order.points, bool) or not isinstance(order.points, int) or order.points < 1:
        raise PointsRefusedError("points", f"expected a whole number of points, 1 or more, found {order.points!r}")
    if not order.reason.strip():
        raise PointsRefusedError("reason", "each line of the ledger has one")
    if (order.debit.kind, order.credit.kind) not in MAY_MOVE[order.kind]:
        way = f"from {order.debit.kind.value} to {order.credit.kind.value}"
        raise PointsRefusedError("kind", f"{order.kind.value} does not move points {way}")
    if order.hold_s is not None and not 1 <= order.hold_s <= rules.longest_hold_s:
        raise PointsRefusedError("hold_s", f"expected 1 to {rules.longest_hold_s} s, found {order.hold_s}")
    if order.points > rules.most_a_transfer:
        raise PointsLimitError("points a transfer", order.points, rules.most_a_transfer)


def _accounts_of(party: Party, actor: Sequence[str], book: Book) -> tuple[AccountKey, ...]:
    """The accounts of a party: of a person all refs; pools and partners exist once they are opened."""
    if party.kind is AccountKind.PERSON:
        return tuple(AccountKey(party.kind, ref) for ref in book.group(party.owners))
    key = AccountKey(party.kind, party.owners[0])
    if party.kind in ONE_A_TENANT:
        return (key,)
    if key not in book.accounts:
        raise UnknownAccountError(party.kind.value, key.owner)
    if party.kind is AccountKind.POOL and set(book.group(actor)).isdisjoint(book.members.get(key.owner, ())):
        raise NotAMemberError(key.owner)
    return (key,)


def _check_day(order: Move, keys: Sequence[AccountKey], book: Book, rules: PointRules, at: datetime) -> None:
    """The limits a person and day, over all refs that the person consists of."""
    what = COUNTED.get(order.kind)
    if what is None or keys[0].kind is not AccountKind.PERSON:
        return
    limit = rules.most_a_day(what)
    day = at.date()
    used = sum(book.accounts[key].counted_on(what, day) for key in keys if key in book.accounts)
    if used + order.points > limit:
        raise PointsLimitError(f"points {what.value} a day", order.points, max(0, limit - used))


def _draw(
    book: Book, keys: Sequence[AccountKey], points: int, at: datetime, first: Sequence[datetime] = ()
) -> list[_Drawn]:
    """Points out of the lots of these accounts, what came first first; before these, lots of the ends in ``first``.

    All points of a day are good for as long, so that what came first ends first.
    """
    if keys[0].kind in WITHOUT_FLOOR:
        return [(keys[0], points, None)]
    free = available(book, keys, at)
    if free < points:
        raise InsufficientPointsError(points, free)
    if keys[0].kind not in WITH_LOTS:
        return [(keys[0], points, None)]
    lots = [
        (expires_at not in first, expires_at, number, key)
        for number, key in enumerate(keys)
        if key in book.accounts
        for expires_at in book.accounts[key].lots
        if expires_at > at
    ]
    drawn: list[_Drawn] = []
    for _, expires_at, _, key in sorted(lots, key=lambda lot: lot[:3]):
        taken = min(points, book.accounts[key].lots[expires_at])
        drawn.append((key, taken, expires_at))
        points -= taken
        if points == 0:
            break
    return drawn


def _resolve(order: Resolve, book: Book, at: datetime) -> Transfer:
    hold = _find(book, order.transfer_id)
    if hold.phase is not Phase.HOLD:
        raise TransferStateError(f"{hold.id} is no hold: there is nothing to post or void")
    _check_partner(hold, order.is_of_partners)
    end = book.ends.get(hold.id)
    if end is not None:
        raise HoldResolvedError(hold.id, end.phase.value)
    assert hold.until is not None
    is_over = at >= hold.until
    if order.phase is Phase.POST and is_over:
        raise HoldEndedError(hold.id, hold.until)
    if order.phase is Phase.TIMEOUT and not is_over:
        raise TransferStateError(f"{hold.id} is good until {hold.until.isoformat()}")
    points = hold.points if order.points is None else order.points
    if order.phase is not Phase.POST and points != hold.points:
        raise PointsRefusedError("points", "a hold is voided whole")
    if isinstance(points, bool) or not isinstance(points, int) or not 1 <= points <= hold.points:
        raise PointsRefusedError("points", f"the hold has {hold.points}: expected 1 to as many, found {points!r}")
    return Transfer(
        id=order.id,
        kind=hold.kind,
        phase=order.phase,
        points=points,
        legs=_first_of(hold.legs, points),
        reason=order.reason,
        at=at,
        reference=hold.reference,
        pending_id=hold.id,
    )


def _first_of(legs: Sequence[Leg], points: int) -> tuple[Leg, ...]:
    """As many points of legs as are asked for, in their order: what came first goes first."""
    kept: list[Leg] = []
    for leg in legs:
        if points == 0:
            break
        taken = min(points, leg.points)
        kept.append(Leg(leg.debit, leg.credit, taken, leg.expires_at))
        points -= taken
    return tuple(kept)


def _check_partner(transfer: Transfer, is_of_partners: bool) -> None:  # as the orders carry it
    if transfer.kind in {TransferKind.FUND, TransferKind.SETTLE} and not is_of_partners:
        raise PartnerPointsError("what was moved with a partner is ended and reversed by an admin")


def _reverse(order: Reverse, book: Book, at: datetime) -> Transfer:
    asked = _find(book, order.transfer_id)
    _check_partner(asked, order.is_of_partners)
    done = book.ends.get(asked.id, asked) if asked.phase is Phase.HOLD else asked
    if done.phase not in {Phase.DONE, Phase.POST} or done.kind in {TransferKind.EXPIRE, TransferKind.REVERSE}:
        what = f"{done.kind.value}, {done.phase.value}"
        raise TransferStateError(f"{asked.id} moved nothing that can be reversed: {what}")
    if done.id in book.reversed_ids:
        raise AlreadyReversedError(asked.id)
    debit = done.legs[0].credit  # the one account that all legs went to
    ends = [leg.expires_at for leg in done.legs if leg.expires_at is not None]
    refs = book.group((debit.owner,)) if debit.kind is AccountKind.PERSON else (debit.owner,)
    drawn = _draw(book, Party(debit.kind, refs).keys, done.points, at, first=ends)
    return Transfer(
        id=order.id,
        kind=TransferKind.REVERSE,
        phase=Phase.DONE,
        points=done.points,
        legs=tuple(_back(done.legs, drawn)),
        reason=order.reason,
        at=at,
        reference=done.reference,
        reverses_id=done.id,
    )


def _back(legs: Sequence[Leg], drawn: Sequence[_Drawn]) -> list[Leg]:
    """Drawn points back to where the legs took theirs, as good for as long as they were."""
    back: list[Leg] = []
    waiting = list(legs)
    room = waiting[0].points
    for key, points, expires_at in drawn:
        left = points
        while left:
            part = min(left, room)
            leg = waiting[0]
            back.append(Leg(key, leg.debit, part, leg.expires_at if expires_at is None else expires_at))
            left, room = left - part, room - part
            if room == 0 and len(waiting) > 1:
                waiting.pop(0)
                room = waiting[0].points
    return back


def _expire(order: Expire, book: Book, at: datetime) -> Transfer:
    account = book.accounts.get(order.account)
    over = [] if account is None else sorted(one for one in account.lots.items() if one[0] <= at)
    if not over:
        raise TransferStateError("nothing of this account has run out")
    into = Party(AccountKind.BREAKAGE).keys[0]
    return Transfer(
        id=order.id,
        kind=TransferKind.EXPIRE,
        phase=Phase.DONE,
        points=sum(points for _, points in over),
        legs=tuple(Leg(order.account, into, points, expires_at) for expires_at, points in over),
        reason=order.reason,
        at=at,
    )


def _find(book: Book, transfer_id: str) -> Transfer:
    found = book.transfers.get(transfer_id)
    if found is None:
        raise UnknownTransferError(transfer_id)
    return found
