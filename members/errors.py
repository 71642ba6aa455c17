"""Errors of members.

InputRefusedError
├── DeviceRefusedError       a device record or consent that cannot be stored as given; carries the field
├── PointsRefusedError       an order that makes no sense; carries the field
├── PointsOverBillError      more points than the bill takes; carries both
└── WrongCurrencyError       money in another currency than the tenant's points; carries both
NotFoundError
├── UnknownAccountError      points of nobody, or of a pool or partner that was never opened
└── UnknownTransferError     no such transfer
ConflictError
├── InsufficientPointsError  an account has less than is asked for; carries both
├── PointsLimitError         more than is allowed in one transfer, or a person and day; carries what is left
├── NotAMemberError          the pool is not this person's
├── HoldResolvedError        the hold was ended before; carries how
├── HoldEndedError           the hold ran out; carries when
├── AlreadyReversedError     the transfer was reversed before
└── TransferStateError       the transfer is none that this can be done with
"""

from datetime import datetime

from kernel.errors import ConflictError, InputRefusedError, NotFoundError


class DeviceRefusedError(InputRefusedError):
    """A device record that makes no sense; ``field`` says where."""

    code = "invalid_device"

    def __init__(self, field: str, detail: str) -> None:
        self.field = field
        super().__init__(detail)


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
        super().__init__(f"no {kind} {owner[:80]!r} has points here")


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
