"""Errors of campaigns.

InputRefusedError
└── CampaignRefusedError     a draft that makes no sense; carries the field
NotFoundError
└── UnknownCodeError         no coupon has this code
ConflictError
├── AlreadyRedeemedError     the coupon was used before; carries when
├── CouponExpiredError       its validity is over; carries when
├── WrongStoreError          this store does not take it
└── CampaignStateError       the campaign's state does not allow the call
PartFailedError
└── BudgetGuardError         the records refused an issue that the ledger allowed
"""

from datetime import datetime

from kernel.errors import ConflictError, InputRefusedError, NotFoundError, PartFailedError


class CampaignRefusedError(InputRefusedError):
    """A campaign that cannot be stored as it is; ``field`` says where."""

    code = "invalid_campaign"

    def __init__(self, field: str, detail: str) -> None:
        self.field, self.detail = field, detail
        super().__init__(f"{field}: {detail}")


class UnknownCodeError(NotFoundError):
    """No coupon of this tenant has the code."""

    code = "unknown_code"


class AlreadyRedeemedError(ConflictError):
    """The coupon was redeemed before, at ``redeemed_at``."""

    code = "already_redeemed"

    def __init__(self, redeemed_at: datetime) -> None:
        self.redeemed_at = redeemed_at
        super().__init__(f"redeemed at {redeemed_at.isoformat()}")


class CouponExpiredError(ConflictError):
    """The coupon's validity ended at ``expires_at``."""

    code = "expired"

    def __init__(self, expires_at: datetime) -> None:
        self.expires_at = expires_at
        super().__init__(f"expired at {expires_at.isoformat()}")


class WrongStoreError(ConflictError):
    """The coupon is not taken at this store."""

    code = "wrong_store"


class CampaignStateError(ConflictError):
    """The campaign's state does not allow the call."""

    code = "campaign_state"


class BudgetGuardError(PartFailedError):
    """The records' own guard refused: another writer was first. Nothing was stored; try again."""

    code = "budget_guard"
