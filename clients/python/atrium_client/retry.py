"""When a call is tried again and how long to wait first: the one policy of both clients and of the queue."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

Outcome = httpx.Response | httpx.RequestError
"""What came of one attempt."""

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
_REFUSED_UNTOUCHED = frozenset({429, 503})
"""The server says that it did nothing."""
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_OUR_MISTAKE = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
"""Transport errors that the next attempt would meet again."""
_RETRY_AFTER_SPREAD = 1.25
"""Callers that were told the same second do not all come back in it."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try again, how long to wait before, and when to give up.

    The wait is drawn evenly from 0 to a limit that starts at ``first_s`` and doubles up to ``longest_s`` ("full
    jitter": many clients that lost one server come back spread out, not in waves). A ``Retry-After`` of the server
    is never undercut, and exceeded by a quarter at most.

    Args:
        retries: attempts after the first.
        first_s: limit of the first wait, in seconds.
        longest_s: limit of any wait.
        deadline_s: from the first attempt on, no later one begins after this; an attempt under way gets what is left
            of it as its time-out. A ``Retry-After`` beyond it ends the call at once.

    Source: M. Brooker, "Exponential Backoff And Jitter", 2015.
    """

    retries: int = 4
    first_s: float = 0.5
    longest_s: float = 16.0
    deadline_s: float = 60.0

    def delay_s(self, attempt: int, asked_s: float | None, draw: Callable[[float, float], float]) -> float:
        """Seconds to wait after attempt number ``attempt`` (from 0); ``asked_s`` is the server's ``Retry-After``."""
        if asked_s is not None:
            return asked_s * draw(1.0, _RETRY_AFTER_SPREAD)
        return draw(0.0, min(self.first_s * 2.0 ** min(attempt, 64), self.longest_s))


class Patience:
    """The attempts of one call: ``wait_s`` after each that did not succeed, ``begin_anew`` after one that did.

    Args:
        policy: the limits.
        now: a clock that only goes forward, in seconds.
        draw: an even draw between two bounds.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        now: Callable[[], float] = time.monotonic,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._policy, self._now, self._draw = policy, now, draw
        self.begin_anew()

    def begin_anew(self) -> None:
        """Count from here."""
        self._attempt = 0
        self._ends_s = self._now() + self._policy.deadline_s

    def time_out_s(self, usual_s: float) -> float:
        """The time-out of an attempt that begins now."""
        return max(0.001, min(usual_s, self._ends_s - self._now()))

    def wait_s(self, asked_s: float | None = None) -> float | None:
        """Seconds to wait before the next attempt; None where there is to be none."""
        if self._attempt >= self._policy.retries:
            return None
        wait_s = self._policy.delay_s(self._attempt, asked_s, self._draw)
        if self._now() + wait_s > self._ends_s:
            return None
        self._attempt += 1
        return wait_s


def is_worth_repeating(outcome: Outcome, *, is_idempotent: bool) -> bool:
    """Whether sending the same again may help and can do no harm.

    A call that may not be doubled is repeated only where the server surely did not act: it was never reached, or it
    refused the call (429, 503).
    """
    if isinstance(outcome, httpx.Response):
        return outcome.status_code in (RETRIED_STATUSES if is_idempotent else _REFUSED_UNTOUCHED)
    if not isinstance(outcome, httpx.TransportError) or isinstance(outcome, _OUR_MISTAKE):
        return False
    return is_idempotent or isinstance(outcome, _NEVER_SENT)


def retry_after_s(outcome: Outcome) -> float | None:
    """The wait that the server asks for: seconds, or a date; None where it asks for none."""
    text = outcome.headers.get("Retry-After") if isinstance(outcome, httpx.Response) else None
    if text is None:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:  # "-0000": UTC, of no zone in particular
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
