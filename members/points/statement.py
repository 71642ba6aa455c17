"""What a person is told of their points."""

from dataclasses import dataclass
from datetime import datetime

from members.points.transfers import MOVING, Phase, TransferKind


@dataclass(frozen=True, slots=True)
class Balance:
    """What somebody has at an instant.

    Args:
        points: free to be spent.
        held: set aside for transfers that are pending.
        next_points, next_expires_at: the first of the free points that run out, and when; None where there are none.
    """

    points: int
    held: int
    next_points: int | None
    next_expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One transfer as one person sees it.

    Args:
        points: above zero what comes in, below what goes out. Of a hold what is set aside, of a void or timeout what is
            set aside no longer; neither has moved anything. Zero where only another of the person's refs is concerned.
    """

    transfer_id: str
    kind: TransferKind
    phase: Phase
    points: int
    reason: str
    reference: str | None
    at: datetime
    until: datetime | None
    pending_id: str | None
    reverses_id: str | None

    @property
    def has_moved(self) -> bool:
        """Whether the line counts towards the balance: these lines sum to it."""
        return self.phase in MOVING
