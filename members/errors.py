"""Errors of members.

InputRefusedError
├── DeviceRefusedError            a device record or consent that cannot be stored as given; carries the field
├── IdentityRefusedError          an id that is none of its kind; carries the kind, never the text
├── EvidenceRefusedError          ids said to have come together ahead of the clock, or too long ago
├── PaymentRefusedError           a payment, refund or complaint that makes no sense; carries the field
│   ├── InvalidAmountError            not above zero, or more than is believed
│   ├── MixedCurrenciesError          a line or refund in another currency than its payment
│   ├── FuturePaymentError            dated ahead of the clock; carries how far
│   ├── UnknownIdentityKindError      an identity of a kind that there is not
│   └── UnknownStoreError             no venue of the tenant has the store
├── PointsRefusedError            an order that makes no sense; carries the field
├── PointsOverBillError           more points than the bill takes; carries both
└── WrongCurrencyError            money in another currency than the tenant's points; carries both
AtriumError
├── PartnerPointsError            a till would end or reverse what was moved with a partner
├── BiometricRefusedError         a biometric id where the venue or the person has not switched it on
└── PurposeRefusedError           personal data asked for what its person has not allowed
NotFoundError
├── UnknownPaymentError           a refund or complaint of a payment that there is not
├── UnknownAccountError           points of nobody, or of a pool or partner that was never opened
└── UnknownTransferError          no such transfer
ConflictError
├── RefundTooLargeError           more than is left of the payment; carries paid, refunded and asked
├── PaymentMismatchError          the same source and receipt were told before, with something else
├── InsufficientPointsError       an account has less than is asked for; carries both
├── PointsLimitError              more than is allowed in one transfer, or a person and day; carries what is left
├── NotAMemberError               the pool is not this person's
├── HoldResolvedError             the hold was ended before; carries how
├── HoldEndedError                the hold ran out; carries when
├── AlreadyReversedError          the transfer was reversed before
└── TransferStateError            the transfer is none that this can be done with
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from kernel.errors import AtriumError, ConflictError, InputRefusedError, NotFoundError


class DeviceRefusedError(InputRefusedError):
    """A device record that makes no sense; ``field`` says where."""

    code = "invalid_device"

    def __init__(self, field: str, detail: str) -> None:
        self.field = field
        super().__init__(detail)


class IdentityRefusedError(InputRefusedError):
    """An id that is none of its kind; ``field`` is the kind. What was sent is not repeated: it may be somebody's."""

    code = "invalid_identity"

    def __init__(self, field: str, detail: str) -> None:
        self.field = field
        super().__init__(detail)


class EvidenceRefusedError(InputRefusedError):
    """Ids are said to have come together at an instant that would outweigh, or come before, all that is known."""

    code = "invalid_evidence"
    field = "at"

    def __init__(self, at: datetime, now: datetime) -> None:
        self.at, self.now = at, now
        super().__init__(f"expected an instant of the last 400 days before {now.isoformat()}, found {at.isoformat()}")


class PartnerPointsError(AtriumError):
    """What was moved from or to a partner is ended and reversed by an admin alone."""

    code = "not_allowed"


class BiometricRefusedError(AtriumError):
    """A biometric id came where the venue, or the person, has not switched it on."""

    code = "biometric_off"


class PurposeRefusedError(AtriumError):
    """Personal data was asked for a purpose that its person has not allowed, or is a child's."""

    code = "purpose_not_allowed"


class PaymentRefusedError(InputRefusedError):
    """A payment, refund or complaint that makes no sense; ``field`` says where."""

    code = "invalid_payment"

    def __init__(self, field: str, detail: str) -> None:
        self.field = field
        super().__init__(detail)


class InvalidAmountError(PaymentRefusedError):
    """An amount that nobody pays."""

    code = "invalid_amount"

    def __init__(self, field: str, amount: int, least: int, most: int) -> None:
        self.amount = amount
        super().__init__(field, f"expected {least} to {most} minor units, found {amount}")


class MixedCurrenciesError(PaymentRefusedError):
    """Two currencies in what is one payment."""

    code = "mixed_currencies"

    def __init__(self, field: str, currency: str, of_payment: str) -> None:
        self.currency, self.of_payment = currency, of_payment
        super().__init__(field, f"the payment is in {of_payment}, found {currency}")


class FuturePaymentError(PaymentRefusedError):
    """Dated further ahead than a till's clock may be."""

    code = "payment_from_the_future"

    def __init__(self, ahead: timedelta, most: timedelta) -> None:
        self.ahead = ahead
        told, allowed = int(ahead.total_seconds()), int(most.total_seconds())
        super().__init__("at", f"the payment is dated {told} s ahead, at most {allowed} s are taken")


class UnknownIdentityKindError(PaymentRefusedError):
    """An identity of a kind that there is not."""

    code = "unknown_identity_kind"

    def __init__(self, field: str, found: str, known: Iterable[str]) -> None:
        super().__init__(field, f"expected one of {', '.join(known)}, found {found[:40]!r}")


class UnknownStoreError(PaymentRefusedError):
    """No venue of the tenant has the store on its map."""

    code = "unknown_store"

    def __init__(self, store_id: str) -> None:
        self.store_id = store_id
        super().__init__("store_id", f"no venue has a store {store_id[:80]!r}")


class UnknownPaymentError(NotFoundError):
    """Nothing was paid that could be refunded or complained of."""

    code = "unknown_payment"
    field = "payment_id"

    def __init__(self, payment_id: str) -> None:
        self.payment_id = payment_id
        super().__init__(f"no payment {payment_id[:80]!r}")


class RefundTooLargeError(ConflictError):
    """More than is left of the payment."""

    code = "refund_too_large"
    field = "amount"

    def __init__(self, asked: int, paid: int, refunded: int) -> None:
        self.asked, self.paid, self.refunded = asked, paid, refunded
        super().__init__(f"{paid} was paid and {refunded} given back, so {asked} cannot be")


class PaymentMismatchError(ConflictError):
    """The same source and receipt were told before, with something else."""

    code = "payment_mismatch"
    field = "receipt_id"

    def __init__(self) -> None:
        super().__init__("this source told something else under this receipt_id; what it told first stands")


class PointsRefusedError(InputRefusedError):
    """An order for points that makes no sense; ``field`` says where."""

    code = "invalid_transfer"

    def __init__(self, field: str, detail: str) -> None:
        self.field = field
        super().__init__(f"{field}: {detail}")


class PointsOverBillError(InputRefusedError):
    """Points that are worth more than may be paid of the bill with them."""

    code = "over_bill"
    field = "points"

    def __init__(self, points: int, most: int) -> None:
        self.points, self.most = points, most
        super().__init__(f"the bill takes at most {most} points, found {points}")


class WrongCurrencyError(InputRefusedError):
    """Money in another currency than the points of this tenant are counted in."""

    code = "wrong_currency"
    field = "currency"

    def __init__(self, found: str, expected: str) -> None:
        self.found, self.expected = found, expected
        super().__init__(f"points are counted in {expected}, found {found}")


class UnknownAccountError(NotFoundError):
    """Points of somebody who is not known, or of a pool or partner that was never opened."""

    code = "unknown_account"

    def __init__(self, kind: str, owner: str) -> None:
        self.kind, self.owner = kind, owner
        super().__init__(f"no {kind} of this id has points here")


class UnknownTransferError(NotFoundError):
    """No transfer of this tenant has the id."""

    code = "unknown_transfer"

    def __init__(self, transfer_id: str) -> None:
        self.transfer_id = transfer_id
        super().__init__(f"no transfer {transfer_id[:80]!r}")


class InsufficientPointsError(ConflictError):
    """An account has less than is asked for, not counting what is set aside or no longer good."""

    code = "insufficient_points"

    def __init__(self, asked: int, available: int) -> None:
        self.asked, self.available = asked, available
        super().__init__(f"{asked} points asked for, {available} available")


class PointsLimitError(ConflictError):
    """More than is allowed; ``left`` is what would be taken now."""

    code = "points_limit"

    def __init__(self, limit: str, asked: int, left: int) -> None:
        self.limit, self.asked, self.left = limit, asked, left
        super().__init__(f"{limit}: {asked} points asked for, {left} allowed")


class NotAMemberError(ConflictError):
    """A pool gives and takes only by its members."""

    code = "not_a_member"

    def __init__(self, pool: str) -> None:
        self.pool = pool
        super().__init__(f"the person is no member of the pool {pool[:80]!r}")


class HoldResolvedError(ConflictError):
    """A hold is ended once: it was posted, voided or timed out before."""

    code = "already_resolved"

    def __init__(self, transfer_id: str, phase: str) -> None:
        self.transfer_id, self.phase = transfer_id, phase
        super().__init__(f"{transfer_id} was ended before, by a {phase}")


class HoldEndedError(ConflictError):
    """The hold ran out at ``until``; its points go back."""

    code = "hold_ended"

    def __init__(self, transfer_id: str, until: datetime) -> None:
        self.transfer_id, self.until = transfer_id, until
        super().__init__(f"{transfer_id} was good until {until.isoformat()}")


class AlreadyReversedError(ConflictError):
    """A transfer is reversed once."""

    code = "already_reversed"

    def __init__(self, transfer_id: str) -> None:
        self.transfer_id = transfer_id
        super().__init__(f"{transfer_id} was reversed before")


class TransferStateError(ConflictError):
    """The transfer is none that this can be done with."""

    code = "transfer_state"
