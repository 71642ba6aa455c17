"""The rules of the ledger, each on a book in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kernel.errors import AtriumError
from members.errors import (
    AlreadyReversedError,
    HoldEndedError,
    HoldResolvedError,
    InsufficientPointsError,
    NotAMemberError,
    PointsLimitError,
    PointsOverBillError,
    PointsRefusedError,
    TransferStateError,
    UnknownAccountError,
    UnknownTransferError,
    WrongCurrencyError,
)
from members.points.accounts import Account, AccountKey, AccountKind
from members.points.book import Book
from members.points.decide import available, decide
from members.points.rules import Money, PointRules
from members.points.transfers import (
    ISSUER,
    MAY_MOVE,
    Expire,
    Move,
    Order,
    Party,
    Phase,
    Resolve,
    Reverse,
    Transfer,
    TransferKind,
)

AT = datetime(2026, 4, 18, 12, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = PointRules(valid_days=10)
PEOPLE = ("per_a", "per_b", "per_c")


class Ledger:
    """A book with a counter for ids, for reading as a story."""

    def __init__(self, groups: Mapping[str, Sequence[str]] | None = None, rules: PointRules = RULES) -> None:
        self.rules, self.n = rules, 0
        self.book = Book(
            accounts={
                AccountKey(AccountKind.POOL, "family"): Account(),
                AccountKey(AccountKind.PARTNER, "bank"): Account(),
            },
            groups=groups or {name: (name,) for name in PEOPLE},
            members={"family": {"per_a", "per_b"}},
        )

    def do(self, order: Order, at: datetime = AT) -> Transfer:
        done = decide(order, self.book, self.rules, at)
        self.book.record(done)
        assert sum(account.balance for account in self.book.accounts.values()) == 0
        for key, account in self.book.accounts.items():
            if key.kind in {AccountKind.PERSON, AccountKind.POOL}:
                assert sum(account.lots.values()) == account.balance - account.held >= 0
        return done

    def earn(self, name: str, points: int, at: datetime = AT, **more: Any) -> Transfer:
        return self.do(self.move(TransferKind.EARN, ISSUER, person(name), points, **more), at)

    def redeem(self, name: str, points: int, at: datetime = AT, **more: Any) -> Transfer:
        return self.do(self.move(TransferKind.REDEEM, person(name), ISSUER, points, **more), at)

    def move(self, kind: TransferKind, debit: Party, credit: Party, points: int, **more: Any) -> Move:
        people = [party for party in (debit, credit) if party.kind is AccountKind.PERSON]
        more = {"actor": people[0].owners if people else (), **more}
        return Move(self.id(), kind, debit, credit, points, "because", **more)

    def id(self) -> str:
        self.n += 1
        return f"ptr_{self.n}"

    def has(self, name: str, at: datetime = AT) -> int:
        return available(self.book, [AccountKey(AccountKind.PERSON, name)], at)

    def balance(self, kind: AccountKind, owner: str = "") -> int:
        account = self.book.accounts.get(AccountKey(kind, owner))
        return 0 if account is None else account.balance


def person(*names: str) -> Party:
    return Party(AccountKind.PERSON, names)


FAMILY, BANK = Party(AccountKind.POOL, ("family",)), Party(AccountKind.PARTNER, ("bank",))


def test_what_is_earned_is_owed_by_the_issuer_and_redeeming_pays_it_back() -> None:
    ledger = Ledger()
    ledger.earn("per_a", 100)
    assert (ledger.has("per_a"), ledger.balance(AccountKind.ISSUER)) == (100, -100)
    ledger.redeem("per_a", 100)
    assert (ledger.has("per_a"), ledger.balance(AccountKind.ISSUER)) == (0, 0)


def test_nobody_spends_more_than_they_have_and_a_refusal_touches_nothing() -> None:
    ledger = Ledger()
    ledger.earn("per_a", 100)
    with pytest.raises(InsufficientPointsError) as refused:
        ledger.redeem("per_a", 101)
    assert (refused.value.asked, refused.value.available) == (101, 100)
    assert ledger.has("per_a") == 100


def test_what_came_first_goes_first() -> None:
    ledger = Ledger()
    ledger.earn("per_a", 30, AT)
    ledger.earn("per_a", 50, AT + DAY)
    spent = ledger.redeem("per_a", 40, AT + DAY)
    first, second = RULES.expires_at(AT), RULES.expires_at(AT + DAY)
    assert [(leg.points, leg.expires_at) for leg in spent.legs] == [(30, first), (10, second)]


def test_points_are_good_through_the_last_day_and_then_go_to_breakage() -> None:
    ledger = Ledger()
    ledger.earn("per_a", 30, AT)
    ledger.earn("per_a", 50, AT + DAY)
    last = datetime(2026, 4, 28, 23, 59, 59, tzinfo=UTC)
    assert ledger.has("per_a", last) == 80
    over = last + timedelta(seconds=1)
    assert ledger.has("per_a", over) == 50  # from that instant, whenever they are taken out
    with pytest.raises(InsufficientPointsError):
        ledger.redeem("per_a", 51, over)
    assert [leg.expires_at for leg in ledger.redeem("per_a", 10, over).legs] == [RULES.expires_at(AT + DAY)]
    whose = AccountKey(AccountKind.PERSON, "per_a")
    gone = ledger.do(Expire(ledger.id(), whose, "over"), over)
    assert gone.points == ledger.balance(AccountKind.BREAKAGE) == 30
    with pytest.raises(TransferStateError):
        ledger.do(Expire(ledger.id(), whose, "over"), over)


def test_a_gift_is_good_for_as_long_as_it_was() -> None:
    ledger = Ledger()
    ledger.earn("per_a", 30, AT)
    ledger.do(ledger.move(TransferKind.GIFT, person("per_a"), person("per_b"), 20), AT + 5 * DAY)
    assert (ledger.has("per_a"), ledger.has("per_b")) == (10, 20)
    assert ledger.has("per_b", RULES.expires_at(AT)) == 0


def test_a_pool_is_its_members_own() -> None:
    ledger = Ledger()
    for name in PEOPLE:
        ledger.earn(name, 100)
    ledger.do(ledger.move(TransferKind.POOL, person("per_a"), FAMILY, 60))
    ledger.do(ledger.move(TransferKind.POOL, FAMILY, person("per_b"), 10))
    ledger.do(ledger.move(TransferKind.REDEEM, FAMILY, ISSUER, 30, actor=("per_b",)))
    assert ledger.balance(AccountKind.POOL, "family") == 20
    for order in (
        ledger.move(TransferKind.POOL, person("per_c"), FAMILY, 1),
        ledger.move(TransferKind.POOL, FAMILY, person("per_c"), 1),
        ledger.move(TransferKind.REDEEM, FAMILY, ISSUER, 1, actor=("per_c",)),
        ledger.move(TransferKind.REDEEM, FAMILY, ISSUER, 1, actor=()),
    ):
        with pytest.raises(NotAMemberError):
            ledger.do(order)


def test_a_partner_gives_what_it_bought_and_no_more() -> None:
    ledger = Ledger()
    with pytest.raises(InsufficientPointsError):
        ledger.do(ledger.move(TransferKind.EARN, BANK, person("per_a"), 1))
    ledger.do(ledger.move(TransferKind.FUND, ISSUER, BANK, 50))
    ledger.do(ledger.move(TransferKind.EARN, BANK, person("per_a"), 20))
    ledger.do(ledger.move(TransferKind.REDEEM, person("per_a"), BANK, 5))
    ledger.do(ledger.move(TransferKind.SETTLE, BANK, ISSUER, 35))
    assert (ledger.balance(AccountKind.PARTNER, "bank"), ledger.balance(AccountKind.ISSUER)) == (0, -15)


def test_a_hold_sets_aside_and_is_posted_in_part() -> None:
    ledger = Ledger()
    ledger.earn("per_a", 100)
    hold = ledger.redeem("per_a", 80, hold_s=600)
    assert (hold.phase, ledger.has("per_a"), ledger.balance(AccountKind.PERSON, "per_a")) == (Phase.HOLD, 20, 100)
    with pytest.raises(InsufficientPointsError):
        ledger.redeem("per_a", 21)
    post = ledger.do(Resolve(ledger.id(), hold.id, Phase.POST, "paid", 50))
    assert (post.points, ledger.has("per_a"), ledger.balance(AccountKind.PERSON, "per_a")) == (50, 50, 50)


@pytest.mark.parametrize("first", [Phase.POST, Phase.VOID, Phase.TIMEOUT])
@pytest.mark.parametrize("second", [Phase.POST, Phase.VOID, Phase.TIMEOUT])
def test_a_hold_is_ended_once(first: Phase, second: Phase) -> None:
    ledger = Ledger()
    ledger.earn("per_a", 100)
    hold = ledger.redeem("per_a", 80, hold_s=600)
    late = {Phase.POST: AT, Phase.VOID: AT, Phase.TIMEOUT: AT + timedelta(seconds=600)}
    ledger.do(Resolve(ledger.id(), hold.id, first, "first"), late[first])  # type: ignore[arg-type]  # all three are
    with pytest.raises(HoldResolvedError) as refused:
        ledger.do(Resolve(ledger.id(), hold.id, second, "second"), late[second])  # type: ignore[arg-type]
    assert refused.value.phase == first.value
    assert ledger.has("per_a") == (20 if first is Phase.POST else 100)


def test_a_hold_whose_time_is_over_is_not_posted_and_none_times_out_before() -> None:
    ledger = Ledger()
    ledger.earn("per_a", 100)
    hold = ledger.redeem("per_a", 80, hold_s=600)
    with pytest.raises(TransferStateError):
        ledger.do(Resolve(ledger.id(), hold.id, Phase.TIMEOUT, "early"), AT + timedelta(seconds=599))
    with pytest.raises(HoldEndedError):
        ledger.do(Resolve(ledger.id(), hold.id, Phase.POST, "late"), AT + timedelta(seconds=600))
    ledger.do(Resolve(ledger.id(), hold.id, Phase.TIMEOUT, "over"), AT + timedelta(seconds=600))
    assert ledger.has("per_a") == 100


def test_what_is_held_does_not_run_out_until_it_is_given_back() -> None:
    ledger = Ledger()
    ledger.earn("per_a", 100)
    almost = RULES.expires_at(AT) - timedelta(seconds=60)
    hold = ledger.redeem("per_a", 80, almost, hold_s=600)
    over = almost + timedelta(seconds=120)
    whose = AccountKey(AccountKind.PERSON, "per_a")
    assert ledger.do(Expire(ledger.id(), whose, "over"), over).points == 20
    ledger.do(Resolve(ledger.id(), hold.id, Phase.VOID, "no sale"), over)
    assert ledger.has("per_a", over) == 0
    assert ledger.do(Expire(ledger.id(), whose, "over"), over).points == 80


def test_a_reversal_is_the_opposite_once_and_whole() -> None:
    ledger = Ledger()
    ledger.earn("per_a", 30, AT)
    ledger.earn("per_a", 50, AT + DAY)
    lots = dict(ledger.book.accounts[AccountKey(AccountKind.PERSON, "per_a")].lots)
    spent = ledger.redeem("per_a", 40, AT + DAY)
    back = ledger.do(Reverse(ledger.id(), spent.id, "returned"), AT + DAY)
    assert ledger.book.accounts[AccountKey(AccountKind.PERSON, "per_a")].lots == lots
    with pytest.raises(AlreadyReversedError):
        ledger.do(Reverse(ledger.id(), spent.id, "again"), AT + DAY)
    with pytest.raises(TransferStateError):
        ledger.do(Reverse(ledger.id(), back.id, "back and forth"), AT + DAY)


def test_an_earning_that_is_taken_back_takes_its_own_points_first_and_none_that_are_not_there() -> None:
    ledger = Ledger()
    ledger.earn("per_a", 30, AT)
    second = ledger.earn("per_a", 50, AT + DAY)
    ledger.do(Reverse(ledger.id(), second.id, "returned"), AT + DAY)
    assert list(ledger.book.accounts[AccountKey(AccountKind.PERSON, "per_a")].lots) == [RULES.expires_at(AT)]
    third = ledger.earn("per_a", 10, AT + DAY)
    ledger.redeem("per_a", 35, AT + DAY)
    with pytest.raises(InsufficientPointsError):
        ledger.do(Reverse(ledger.id(), third.id, "returned"), AT + DAY)


def test_a_hold_is_reversed_as_it_was_posted_and_not_before() -> None:
    ledger = Ledger()
    ledger.earn("per_a", 100)
    hold = ledger.redeem("per_a", 80, hold_s=600)
    with pytest.raises(TransferStateError):
        ledger.do(Reverse(ledger.id(), hold.id, "too early"))
    ledger.do(Resolve(ledger.id(), hold.id, Phase.POST, "paid", 50))
    assert ledger.do(Reverse(ledger.id(), hold.id, "returned")).points == 50
    assert ledger.has("per_a") == 100


def test_a_person_of_two_refs_spends_from_both_what_came_first_and_each_ref_keeps_its_own() -> None:
    together = {"per_a": ("per_a", "per_b"), "per_b": ("per_a", "per_b"), "per_c": ("per_c",)}
    ledger = Ledger(together)
    ledger.book.groups = {name: (name,) for name in PEOPLE}
    ledger.earn("per_b", 30, AT)
    ledger.earn("per_a", 50, AT + DAY)
    ledger.book.groups = together
    spent = ledger.redeem("per_a", 60, AT + DAY)
    assert [(leg.debit.owner, leg.points) for leg in spent.legs] == [("per_b", 30), ("per_a", 30)]
    ledger.do(Reverse(ledger.id(), spent.id, "returned"), AT + DAY)
    ledger.book.groups = {name: (name,) for name in PEOPLE}
    assert (ledger.has("per_a", AT + DAY), ledger.has("per_b", AT + DAY)) == (50, 30)
    ledger.book.groups = together
    with pytest.raises(PointsRefusedError):
        ledger.do(ledger.move(TransferKind.GIFT, person("per_a"), person("per_b"), 1))


def test_limits_hold_by_transfer_and_by_person_and_day() -> None:
    ledger = Ledger(rules=replace(RULES, most_a_transfer=100, most_earned_a_day=150, most_given_a_day=20))
    with pytest.raises(PointsLimitError):
        ledger.earn("per_a", 101)
    ledger.earn("per_a", 100)
    with pytest.raises(PointsLimitError) as refused:
        ledger.earn("per_a", 51)
    assert refused.value.left == 50
    ledger.earn("per_a", 50)
    ledger.earn("per_a", 100, AT + DAY)
    ledger.do(ledger.move(TransferKind.GIFT, person("per_a"), person("per_b"), 15))
    hold = ledger.do(ledger.move(TransferKind.POOL, person("per_a"), FAMILY, 5, hold_s=60))
    with pytest.raises(PointsLimitError):
        ledger.do(ledger.move(TransferKind.GIFT, person("per_a"), person("per_b"), 1))
    ledger.do(Resolve(ledger.id(), hold.id, Phase.VOID, "no"))
    ledger.do(ledger.move(TransferKind.GIFT, person("per_a"), person("per_b"), 5))


@pytest.mark.parametrize("points", [0, -1, -(10**12), 1.5, "10", True, None])
def test_points_are_whole_and_above_zero(points: Any) -> None:
    ledger = Ledger()
    with pytest.raises(PointsRefusedError) as refused:
        ledger.earn("per_a", points)
    assert refused.value.field == "points"
    assert not ledger.book.changed


def test_each_kind_moves_points_between_its_own_kinds_of_account() -> None:
    parties = {
        AccountKind.PERSON: person("per_a"),
        AccountKind.POOL: FAMILY,
        AccountKind.PARTNER: BANK,
        AccountKind.ISSUER: ISSUER,
        AccountKind.BREAKAGE: Party(AccountKind.BREAKAGE),
    }
    for kind in TransferKind:
        for debit in parties.values():
            for credit in parties.values():
                if (debit.kind, credit.kind) in MAY_MOVE[kind]:
                    continue
                ledger = Ledger()
                with pytest.raises(PointsRefusedError):
                    ledger.do(ledger.move(kind, debit, credit, 1))


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (Move("x", TransferKind.EARN, ISSUER, person("per_none"), 1, "r"), UnknownAccountError),
        (Move("x", TransferKind.GIFT, person("per_a"), person("per_none"), 1, "r"), UnknownAccountError),
        (
            Move("x", TransferKind.POOL, person("per_a"), Party(AccountKind.POOL, ("none",)), 1, "r"),
            UnknownAccountError,
        ),
        (
            Move("x", TransferKind.FUND, ISSUER, Party(AccountKind.PARTNER, ("none",)), 1, "r"),
            UnknownAccountError,
        ),
        (Move("x", TransferKind.GIFT, person("per_a"), person("per_a"), 1, "r"), PointsRefusedError),
        (Move("x", TransferKind.EARN, ISSUER, person("per_a"), 1, " "), PointsRefusedError),
        (Move("x", TransferKind.EARN, ISSUER, person("per_a"), 1, "r", hold_s=0), PointsRefusedError),
        (Resolve("x", "ptr_none", Phase.POST, "r"), UnknownTransferError),
        (Reverse("x", "ptr_none", "r"), UnknownTransferError),
        (Resolve("x", "ptr_1", Phase.POST, "r"), TransferStateError),
        (Resolve("x", "ptr_2", Phase.POST, "r", 6), PointsRefusedError),
        (Resolve("x", "ptr_2", Phase.POST, "r", -1), PointsRefusedError),
        (Resolve("x", "ptr_2", Phase.VOID, "r", 1), PointsRefusedError),
    ],
)
def test_what_makes_no_sense_or_is_not_there_is_refused_and_nothing_moves(
    order: Order, error: type[AtriumError]
) -> None:
    ledger = Ledger()
    ledger.earn("per_a", 10)
    ledger.redeem("per_a", 5, hold_s=60)
    before = repr(ledger.book)
    with pytest.raises(error):
        ledger.do(order)
    assert repr(ledger.book) == before


def test_money_is_counted_in_one_currency_and_points_pay_up_to_the_whole_bill() -> None:
    assert RULES.points_of(Money(19_999, "CNY")) == 199
    assert RULES.worth_of(250) == Money(250, "CNY")
    with pytest.raises(WrongCurrencyError):
        RULES.points_of(Money(100, "RUB"))
    RULES.check_bill(1_000, Money(1_000, "CNY"))
    with pytest.raises(PointsOverBillError) as refused:
        RULES.check_bill(1_001, Money(1_000, "CNY"))
    assert refused.value.most == 1_000
    with pytest.raises(PointsOverBillError):
        replace(RULES, bill_share_percent=50).check_bill(501, Money(1_000, "CNY"))
    with pytest.raises(WrongCurrencyError):
        RULES.check_bill(1, Money(1_000, "USD"))
    with pytest.raises(ValueError, match="bill_share_percent"):
        PointRules(bill_share_percent=101)
