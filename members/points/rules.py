"""A tenant's settings for points: the same for everybody, for a price never depends on who asks."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from members.errors import PointsOverBillError, WrongCurrencyError
from members.points.accounts import Counted


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units."""

    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class PointRules:
    """Settings; the defaults are ours, round numbers to begin with.

    Args:
        currency: what points are counted from and against; no other is taken.
        minor_per_point_earned: money, in minor units, that earns a point.
        minor_per_point_redeemed: what a point pays, in minor units.
        bill_share_percent: how much of a bill points may pay.
        valid_days: whole days that a point is good for, after the day (UTC) on which it was earned.
        most_a_transfer: points.
        most_earned_a_day, most_redeemed_a_day, most_given_a_day: points a person and day (UTC); given is what goes to
            other people and into pools.
        hold_s: how long points are set aside where the caller does not say: a transaction at a till.
        longest_hold_s: the longest that a caller may say.
    """

    currency: str = "CNY"
    minor_per_point_earned: int = 100
    minor_per_point_redeemed: int = 1
    bill_share_percent: int = 100
    valid_days: int = 730
    most_a_transfer: int = 1_000_000
    most_earned_a_day: int = 2_000_000
    most_redeemed_a_day: int = 2_000_000
    most_given_a_day: int = 100_000
    hold_s: int = 600
    longest_hold_s: int = 30 * 86_400

    def __post_init__(self) -> None:
        if not 0 <= self.bill_share_percent <= 100:
            raise ValueError(f"bill_share_percent: expected 0 to 100, found {self.bill_share_percent}")
        for name in ("minor_per_point_earned", "minor_per_point_redeemed", "valid_days", "hold_s"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, found {getattr(self, name)}")

    def expires_at(self, earned_at: datetime) -> datetime:
        """From when points earned at an instant are no longer good: a midnight, so that a day's points are one lot."""
        last = earned_at.astimezone(UTC).date() + timedelta(days=self.valid_days)
        return datetime.combine(last + timedelta(days=1), time(), UTC)

    def most_a_day(self, what: Counted) -> int:
        """The limit a person and day."""
        return {
            Counted.EARNED: self.most_earned_a_day,
            Counted.REDEEMED: self.most_redeemed_a_day,
            Counted.GIVEN: self.most_given_a_day,
        }[what]

    def points_of(self, paid: Money) -> int:
        """The points that a payment earns, rounded down.

        Raises:
            WrongCurrencyError: it is in another currency.
        """
        self._check(paid)
        return paid.amount // self.minor_per_point_earned

    def worth_of(self, points: int) -> Money:
        """What points pay."""
        return Money(points * self.minor_per_point_redeemed, self.currency)

    def check_bill(self, points: int, bill: Money) -> None:
        """Whether points may pay so much of a bill.

        Raises:
            WrongCurrencyError: it is in another currency.
            PointsOverBillError: they are worth more than may be paid with them.
        """
        self._check(bill)
        most = bill.amount * self.bill_share_percent // 100 // self.minor_per_point_redeemed
        if points > most:
            raise PointsOverBillError(points, most)

    def _check(self, money: Money) -> None:
        if money.currency != self.currency:
            raise WrongCurrencyError(money.currency, self.currency)
