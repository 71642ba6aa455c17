"""Senders that make one call at a time over a bad connection: the phone's SDK, and the till.

Each sender takes what is ready in its order, at most so much a call; while it has no connection all waits; a call
whose answer is lost is made again, the same, until its answer comes.
"""

from dataclasses import dataclass, field

import numba
import numpy as np
from numpy.typing import NDArray

from atrium_client import RetryPolicy
from atrium_client.calls import MAX_SCANS_PER_REQUEST
from sim.chance import F64, I64, uniform
from sim.links import Gaps

_MS = 1_000.0
_ANSWER, _SHOWS, _WAIT = range(3)
_UNBOUNDED = 2**62


@dataclass(frozen=True, slots=True)
class CallSpec:
    """How a call goes. All ours but ``retry`` and ``most_per_call``, which are the client's.

    Attributes:
        most_per_call: things in one call.
        answer_s: from a call to its answer, least and most.
        answer_lost_ratio: of calls that the server has taken, whose answer never comes.
        lost_shows_s: from a call to knowing that its answer is lost: a broken connection shows soon, a silent one at
            the client's time-out.
        retry: the limits of the waits; the number of retries and the deadline are not kept, since whoever gives up
            begins anew with the same things.
    """

    most_per_call: int = MAX_SCANS_PER_REQUEST
    answer_s: tuple[float, float] = (0.05, 0.6)
    answer_lost_ratio: float = 0.01
    lost_shows_s: tuple[float, float] = (0.5, 30.0)
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        if self.most_per_call < 1 or not 0.0 <= self.answer_lost_ratio < 1.0:
            raise ValueError(f"expected calls of 1 or more that may be answered, found {self}")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is to be sent, by sender, then in the sender's order.

    Attributes:
        sender: (n,) rising.
        ready_ms: (n,) from when on it may go; none overtakes the one before it.
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

    max_bytes: int = _UNBOUNDED
    max_age_ms: int = _UNBOUNDED


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls as they reach the server, by instant.

    Attributes:
        first, behind: (n_calls,) the call holds the waiting things from ``first`` to before ``behind``; the same for
            each attempt.
        at_ms: (n_calls,)
        attempt: (n_calls,) from 0.
        is_answer_lost: (n_calls,) the server answers, but nobody hears it.
    """

    first: I64
    behind: I64
    at_ms: I64
    attempt: I64
    is_answer_lost: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.first)

    def things(self) -> tuple[I64, I64]:
        """Each call's things, call by call: (n_sends,) call, (n_sends,) thing."""
        n = self.behind - self.first
        call = np.repeat(np.arange(len(self)), n)
        return call, np.arange(len(call)) - np.repeat(np.cumsum(n) - n, n) + self.first[call]


def send_in_turn(
    waiting: Waiting, person: I64, gaps: Gaps, spec: CallSpec, key: int, bound: QueueBound | None = None
) -> Calls:
    """Send all that the bound leaves.

    Args:
        person: (n_senders,) what each sender's chance hangs on.
        gaps: by sender.
        key: the stream; a call's luck is drawn by person, and by instant of its first thing.
        bound: as of the client's queue (``atrium_client.ScanQueue``); what is in a call that is being repeated no
            longer counts.
    """
    senders = np.arange(len(person) + 1)
    kept = bound or QueueBound()
    n_lost, answer_ms, silence_of, silence_ms = _luck(waiting, person, spec, key)
    calls = np.empty((5, len(waiting) + len(silence_ms)), dtype=np.int64)
    n_calls = _send(
        np.searchsorted(waiting.sender, senders),
        waiting.ready_ms,
        waiting.at_ms,
        waiting.n_bytes,
        np.searchsorted(gaps.sender, senders),
        gaps.from_ms,
        gaps.until_ms,
        n_lost,
        answer_ms,
        silence_of,
        silence_ms,
        spec.most_per_call,
        kept.max_bytes,
        kept.max_age_ms,
        calls,
    )
    first, behind, at_ms, attempt, is_lost = calls[:, :n_calls]
    order = np.argsort(at_ms, kind="stable")  # of one instant, by sender
    return Calls(first[order], behind[order], at_ms[order], attempt[order], is_lost[order] == 1)


def _luck(waiting: Waiting, person: I64, spec: CallSpec, key: int) -> tuple[I64, I64, I64, I64]:
    """What would befall a call that began with each thing.

    Returns:
        (n,) how many answers are lost, (n,) how long the answer takes that comes; (n + 1,) where each thing's silences
        begin, and the silences: from a call whose answer is lost to the next, the client's full jitter included.
    """
    who, share = person[waiting.sender], spec.answer_lost_ratio
    chance = uniform(key, who, waiting.at_ms, _ANSWER)
    n_lost = np.zeros(len(waiting), dtype=np.int64)
    unlucky = np.flatnonzero(chance < share)
    if unlucky.size:  # geometric, by inversion; what is left of the number is even again
        n_lost[unlucky] = np.log(np.maximum(chance[unlucky], 2.0**-53)) / np.log(share)
    answer_s = _between((chance / share**n_lost - share) / (1.0 - share), spec.answer_s)
    silence_of = np.concatenate([[0], np.cumsum(n_lost)])
    thing = np.repeat(np.arange(len(waiting)), n_lost)
    attempt = np.arange(len(thing)) - silence_of[thing]
    limit_s = np.minimum(spec.retry.first_s * 2.0 ** np.minimum(attempt, 64), spec.retry.longest_s)
    wait_s = limit_s * uniform(key, who[thing], waiting.at_ms[thing], _WAIT, attempt)
    shows_s = _between(uniform(key, who[thing], waiting.at_ms[thing], _SHOWS, attempt), spec.lost_shows_s)
    return n_lost, _in_ms(answer_s), silence_of, _in_ms(shows_s + wait_s)


def _between(share: F64, bounds_s: tuple[float, float]) -> F64:
    low_s, high_s = bounds_s
    return low_s + (high_s - low_s) * share


def _in_ms(seconds: F64) -> I64:
    return np.rint(seconds * _MS).astype(np.int64)


@numba.njit(cache=True, nogil=True)
def _send(
    first_of: I64,
    ready_ms: I64,
    at_ms: I64,
    n_bytes: I64,
    gap_of: I64,
    gap_from_ms: I64,
    gap_until_ms: I64,
    n_lost: I64,
    answer_ms: I64,
    silence_of: I64,
    silence_ms: I64,
    most: int,
    max_bytes: int,
    max_age_ms: int,
    calls: I64,
) -> int:
    """Play each sender; ``calls`` gets first, behind, instant, attempt and whether the answer is lost."""
    n_calls = 0
    for sender in range(len(first_of) - 1):
        first, end = first_of[sender], first_of[sender + 1]
        gap, last_gap = gap_of[sender], gap_of[sender + 1]
        now_ms = 0
        while first < end:
            now_ms = max(now_ms, ready_ms[first])
            while gap < last_gap and gap_from_ms[gap] <= now_ms:
                now_ms = max(now_ms, gap_until_ms[gap])
                gap += 1
            behind, held = first, 0
            while behind < end and ready_ms[behind] <= now_ms:
                held += n_bytes[behind]
                behind += 1
            while first < behind and (held > max_bytes or at_ms[first] < now_ms - max_age_ms):
                held -= n_bytes[first]
                first += 1
            if first == behind:
                continue
            behind = min(behind, first + most)
            for attempt in range(n_lost[first] + 1):
                is_lost = attempt < n_lost[first]
                calls[0, n_calls], calls[1, n_calls], calls[2, n_calls] = first, behind, now_ms
                calls[3, n_calls], calls[4, n_calls] = attempt, is_lost
                n_calls += 1
                if is_lost:
                    now_ms += silence_ms[silence_of[first] + attempt]
                    while gap < last_gap and gap_from_ms[gap] <= now_ms:
                        now_ms = max(now_ms, gap_until_ms[gap])
                        gap += 1
            now_ms += answer_ms[first]
            first = behind
    return n_calls
