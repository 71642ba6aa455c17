"""Senders that make one call at a time over a bad connection: the phone's SDK, and the till.

Each sender takes what is ready in its order, at most so much a call; while it has no connection all waits; a call
whose answer is lost is made again, the same, until its answer comes. All senders make their next call together, then
the one after, so that the loop is as long as the busiest sender's list of calls.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrium_client import RetryPolicy
from sim.chance import F64, I64, uniform
from sim.links import Gaps, key_of

_MS = 1_000.0
_LOST, _ANSWER, _SHOWS, _WAIT = range(4)
_RETRY: Final = RetryPolicy()


@dataclass(frozen=True, slots=True)
class CallSpec:
    """How a call goes. All ours but ``retry``, which is the client's own.

    Attributes:
        most_per_call: things in one call.
        answer_s: from a call to its answer, least and most.
        answer_lost_ratio: of calls that the server has taken, whose answer never comes.
        lost_shows_s: from a call to knowing that its answer is lost: a broken connection shows soon, a silent one at
            the client's time-out.
        retry: the limits of the waits; the number of retries and the deadline are not kept, since whoever gives up
            begins anew with the same things.
    """

    most_per_call: int
    answer_s: tuple[float, float] = (0.05, 0.6)
    answer_lost_ratio: float = 0.01
    lost_shows_s: tuple[float, float] = (0.5, 30.0)
    retry: RetryPolicy = _RETRY

    def __post_init__(self) -> None:
        if self.most_per_call < 1 or not 0.0 <= self.answer_lost_ratio < 1.0:
            raise ValueError(f"expected calls of 1 or more that may be answered, found {self}")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is to be sent, by sender, then in the sender's order.

    Attributes:
        sender: (n,) rising.
        ready_ms: (n,) from when on it may go; rising within a sender.
        at_ms: (n,) when it came about, what its age counts from; rising within a sender.
        n_bytes: (n,)
    """

    sender: I64
    ready_ms: I64
    at_ms: I64
    n_bytes: I64

    def __len__(self) -> int:
        return len(self.sender)


@dataclass(frozen=True, slots=True)
class QueueBound:
    """What a sender keeps: past ``max_bytes`` the oldest go, and what is older than ``max_age_ms`` goes."""

    max_bytes: int
    max_age_ms: int


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls as they reach the server, by instant.

    Attributes:
        first, behind: (n_calls,) the call holds the waiting things from ``first`` to before ``behind``.
        at_ms: (n_calls,)
        batch: (n_calls,) the same number for each attempt at the same things.
        attempt: (n_calls,) from 0.
        is_answer_lost: (n_calls,) the server answers, but nobody hears it.
    """

    first: I64
    behind: I64
    at_ms: I64
    batch: I64
    attempt: I64
    is_answer_lost: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.first)


def send_in_turn(
    waiting: Waiting, person: I64, gaps: Gaps, spec: CallSpec, key: int, bound: QueueBound | None = None
) -> Calls:
    """Send all that the bound leaves.

    Args:
        person: (n_senders,) what each sender's chance hangs on; two senders of one number share their luck.
        gaps: by sender.
        key: the stream; a call draws by person, instant of its first thing, and attempt.
        bound: as of the client's queue (``atrium_client.ScanQueue``); what is in a call that is being repeated counts
            no more.
    """
    n = np.bincount(waiting.sender, minlength=len(person))
    behind_all = np.cumsum(n)
    next_up = behind_all - n
    ready = key_of(waiting.sender, waiting.ready_ms)
    kept_from = _Bound(waiting, bound)
    free_ms = np.zeros(len(person), dtype=np.int64)
    first, behind, attempt = next_up.copy(), next_up.copy(), np.zeros(len(person), dtype=np.int64)
    made: list[tuple[I64, ...]] = []
    who = np.flatnonzero(n)
    while who.size:
        fresh = who[attempt[who] == 0]
        free_ms[fresh] = np.maximum(free_ms[fresh], waiting.ready_ms[next_up[fresh]])
        free_ms[who] = gaps.up_again_ms(who, free_ms[who])
        waits_until = np.searchsorted(ready, key_of(fresh, free_ms[fresh]), side="right")
        first[fresh] = kept_from(next_up[fresh], waits_until, free_ms[fresh])
        behind[fresh] = np.minimum(waits_until, first[fresh] + spec.most_per_call)
        next_up[fresh] = first[fresh]
        who = who[first[who] < behind[who]]  # else all that waited was crowded out: look again at what comes later
        chance = (key, person[who], waiting.at_ms[first[who]], attempt[who])
        lost = _draw(chance, _LOST) < spec.answer_lost_ratio
        made.append((first[who], behind[who], free_ms[who], attempt[who], lost.astype(np.int64)))
        free_ms[who] += np.where(lost, _silence_ms(chance, spec), _between_ms(chance, _ANSWER, *spec.answer_s))
        attempt[who] = np.where(lost, attempt[who] + 1, 0)
        next_up[who] = np.where(lost, next_up[who], behind[who])
        who = np.flatnonzero(next_up < behind_all)
    return _by_instant(made)


class _Bound:
    """What a bound leaves of the things that wait."""

    def __init__(self, waiting: Waiting, bound: QueueBound | None) -> None:
        self._bound, self._sender = bound, waiting.sender
        self._bytes_before = np.append(0, np.cumsum(waiting.n_bytes))
        self._age = key_of(waiting.sender, waiting.at_ms)

    def __call__(self, first: I64, behind: I64, now_ms: I64) -> I64:
        """The first thing that is left of each queue ``first`` to before ``behind``; ``behind`` where nothing is.

        To let the oldest go at each thing that comes leaves the longest end of the queue that fits.
        """
        if self._bound is None:
            return first
        by_bytes = np.searchsorted(self._bytes_before, self._bytes_before[behind] - self._bound.max_bytes)
        by_age = np.searchsorted(self._age, key_of(self._sender[first], now_ms - self._bound.max_age_ms), side="left")
        return np.minimum(behind, np.maximum.reduce([first, by_bytes, by_age])).astype(np.int64)


_Chance = tuple[int, I64, I64, I64]


def _draw(chance: _Chance, part: int) -> F64:
    key, *counters = chance
    return uniform(key, *counters, part)


def _between_ms(chance: _Chance, part: int, low_s: float, high_s: float) -> I64:
    return np.rint((low_s + (high_s - low_s) * _draw(chance, part)) * _MS).astype(np.int64)


def _silence_ms(chance: _Chance, spec: CallSpec) -> I64:
    """From a call whose answer is lost to the next attempt: the client's full jitter after it knows."""
    limit_s = np.minimum(spec.retry.first_s * 2.0 ** np.minimum(chance[3], 64), spec.retry.longest_s)
    wait_ms = np.rint(limit_s * _draw(chance, _WAIT) * _MS).astype(np.int64)
    return _between_ms(chance, _SHOWS, *spec.lost_shows_s) + wait_ms


def _by_instant(made: list[tuple[I64, ...]]) -> Calls:
    if not made:
        none = np.empty(0, dtype=np.int64)
        return Calls(none, none, none, none, none, none.astype(np.bool_))
    first, behind, at_ms, attempt, lost = (np.concatenate(column) for column in zip(*made, strict=True))
    _, batch = np.unique(first, return_inverse=True)
    order = np.lexsort((first, at_ms))
    return Calls(first[order], behind[order], at_ms[order], batch[order], attempt[order], lost[order].astype(np.bool_))
