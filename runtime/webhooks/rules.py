"""When a webhook is tried again, and when no more: pure, so that the law can be read and tested."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from api.ports import Attempt, Webhook

MOST_WEBHOOKS: Final = 20
"""A tenant's; each is a task and a connection."""
_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class RetryRules:
    """How attempts are spaced.

    Args:
        first: about the wait after a first failure; it doubles with each further one.
        longest: about the longest wait.
        disabled_after: of failures alone, after which nothing is tried any more: a receiver that broke on a Friday
            evening is still found on Monday.
    """

    first: timedelta = timedelta(seconds=2)
    longest: timedelta = timedelta(hours=1)
    disabled_after: timedelta = timedelta(hours=72)

    def wait(self, failures: int, asked_s: float | None, draw: Callable[[float, float], float]) -> timedelta:
        """The wait after so many failures in a row; half of it is drawn, so that many webhooks do not come in waves.

        A ``Retry-After`` is not undercut, but for one beyond ``longest``.
        """
        longest_s = self.longest.total_seconds()
        limit_s = min(self.first.total_seconds() * 2.0 ** min(failures - 1, 40), longest_s)
        return timedelta(seconds=max(draw(limit_s / 2, limit_s), min(asked_s or 0.0, longest_s)))


def after_failure(
    webhook: Webhook, attempt: Attempt, at: datetime, rules: RetryRules, draw: Callable[[float, float], float]
) -> Webhook:
    """A webhook after one more failure: to be tried again, or disabled."""
    since = webhook.failing_since or at
    failed = replace(webhook, failing_since=since, failures=webhook.failures + 1, last_error=attempt.error)
    if attempt.status == _GONE or at - since >= rules.disabled_after:
        return replace(failed, disabled_at=at, next_attempt_at=None)
    return replace(failed, next_attempt_at=at + rules.wait(failed.failures, attempt.retry_after_s, draw))


def after_success(webhook: Webhook, at: datetime) -> Webhook:
    """A webhook after a delivery: what failed before is over."""
    return replace(webhook, delivered_at=at, failing_since=None, failures=0, last_error=None, next_attempt_at=None)


def enabled(webhook: Webhook) -> Webhook:
    """A webhook that is tried anew."""
    return replace(webhook, failing_since=None, failures=0, next_attempt_at=None, disabled_at=None)
