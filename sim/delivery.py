"""From scans to what reaches the server: clocks that are wrong, gaps, batches that come late, and come again.

A phone's SDK sends each scan when it is ready; in a gap the scans wait in the queue on disk (``atrium_client``'s
bounds) and go in one batch when the connection is back. A *hasty* SDK does not hold new scans behind those that wait,
as ``docs/sdk.md`` asks: it sends them at once and the queue later, so that the queue's scans come late. Pure, and by
counter: no phone hangs on another, nor on the order in which they are asked.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from atrium_client.queue import MAX_AGE_S, MAX_BYTES
from sim.chance import F64, I64, stream_key, uniform
from sim.links import AFTER_S, Gaps, draw_spans, join_gaps, key_of
from sim.sending import Calls, CallSpec, QueueBound, Waiting, send_in_turn

_SKEW, _WRONG, _WRONG_BY, _GAPS, _HASTY, _FLUSH, _CALLS = range(610, 617)
_MS = 1_000.0
SCAN_BYTES = MAX_BYTES // 4_000
"""A scan of 45 readings as JSON (``atrium_client.queue.MAX_BYTES``)."""


@dataclass(frozen=True, slots=True)
class ClockSpec:
    """How wrong phones' clocks are, each by the same all day. Ours.

    Attributes:
        sd_s: of the many, whose clocks the network sets; normal.
        wrong_ratio: share of phones set by hand, ahead or behind alike.
        wrong_s: by how much those are wrong, least and most; evenly in the logarithm.
    """

    sd_s: float = 2.0
    wrong_ratio: float = 0.02
    wrong_s: tuple[float, float] = (60.0, 3_600.0)


@dataclass(frozen=True, slots=True)
class DeliverySpec:
    """What comes between a phone and the server. Ours, but for the client's own bounds and waits.

    Attributes:
        online_s, offline_s: mean lengths of the time with a connection and without: lifts, basements, dead corners.
        hasty_ratio: share of phones whose SDK sends new scans before those that wait.
        flush_after_s: how long after a gap a hasty SDK sends its queue, least and most.
        max_bytes, max_age_s: what the queue keeps; the client's own.
    """

    clock: ClockSpec = field(default_factory=ClockSpec)
    calls: CallSpec = field(default_factory=CallSpec)
    online_s: float = 900.0
    offline_s: float = 90.0
    hasty_ratio: float = 0.1
    flush_after_s: tuple[float, float] = (30.0, 300.0)
    max_bytes: int = MAX_BYTES
    max_age_s: float = MAX_AGE_S

    def __post_init__(self) -> None:
        if not (self.online_s > 0.0 and self.offline_s >= 0.0):
            raise ValueError("expected delivery.online_s above 0 and delivery.offline_s from 0 on")


@dataclass(frozen=True, slots=True)
class ScanSends:
    """Scans as they reach the server, by instant; one scan has several rows where its batch was sent again.

    Rows of one ``batch`` and ``attempt`` are one call and stand together, in the phone's order. Seconds are since
    opening, in whole milliseconds.

    Attributes:
        scan: (n_sends,) index of the scan as it was given.
        sent_at_s: (n_sends,)
        at_said_s: (n_sends,) the scan's ``at`` by the phone's clock; may be before opening.
        batch: (n_sends,) the same number for each attempt at the same scans.
        attempt: (n_sends,) from 0.
        is_answer_lost: (n_sends,) the server answers, but the phone does not hear it.
        dropped: (n_dropped,) scans that the queue crowded out or found too old; rising.
    """

    scan: I64
    sent_at_s: F64
    at_said_s: F64
    batch: I64
    attempt: I64
    is_answer_lost: NDArray[np.bool_]
    dropped: I64

    def __len__(self) -> int:
        return len(self.scan)

    @property
    def call_starts(self) -> I64:
        """(n_calls + 1,) rows ``call_starts[i]`` to ``call_starts[i + 1]`` are one call."""
        if not len(self):
            return np.zeros(1, dtype=np.int64)
        is_new = (np.diff(self.batch) != 0) | (np.diff(self.attempt) != 0)
        return np.concatenate([[0], np.flatnonzero(is_new) + 1, [len(self)]])


def clock_skew_s(person: ArrayLike, spec: ClockSpec, seed: int) -> F64:
    """How far each person's phone is ahead of the true time; the same for ever."""
    chance = uniform(stream_key(seed, _SKEW), person)
    skew_s = spec.sd_s * ndtri(np.clip(chance, 2.0**-53, None))
    side = uniform(stream_key(seed, _WRONG), person)
    low_s, high_s = spec.wrong_s
    wrong_s = low_s * (high_s / low_s) ** uniform(stream_key(seed, _WRONG_BY), person)
    is_wrong = side < spec.wrong_ratio
    return np.where(is_wrong, np.where(side < spec.wrong_ratio / 2.0, wrong_s, -wrong_s), skew_s)


def is_hasty(person: ArrayLike, spec: DeliverySpec, seed: int) -> NDArray[np.bool_]:
    """Whose SDK sends new scans before those that wait; the same for ever."""
    found: NDArray[np.bool_] = uniform(stream_key(seed, _HASTY), person) < spec.hasty_ratio
    return found


def phone_gaps(
    person: ArrayLike, until_s: ArrayLike, seed: int, *, day: int = 0, spec: DeliverySpec | None = None
) -> Gaps:
    """When each phone has no connection: the gaps that begin by ``until_s``, (n_phones,) or one number."""
    rules, who = spec or DeliverySpec(), np.asarray(person, dtype=np.int64)
    return join_gaps(*draw_spans(stream_key(seed, _GAPS, day), who, rules.online_s, rules.offline_s, until_s))


def deliver(
    person: ArrayLike,
    phone: ArrayLike,
    at_s: ArrayLike,
    seed: int,
    *,
    day: int = 0,
    spec: DeliverySpec | None = None,
    n_bytes: ArrayLike = SCAN_BYTES,
) -> ScanSends:
    """What becomes of scans on their way.

    Args:
        person: (n_phones,) whose phone, each once: what its chance hangs on.
        phone: (n_scans,) place in ``person``.
        at_s: (n_scans,) when the scan was made, in true time, from 0 on; in any order.
        day: each day has gaps and losses of its own.
        n_bytes: (n_scans,) or one number: of a scan as JSON, for the queue's bound.
    """
    rules = spec or DeliverySpec()
    who, whose = np.asarray(person, dtype=np.int64), np.asarray(phone, dtype=np.int64)
    at_ms = np.rint(np.asarray(at_s, dtype=np.float64) * _MS).astype(np.int64)
    if whose.shape != at_ms.shape:
        raise ValueError(f"expected a phone for each scan, found {whose.shape} for {at_ms.shape}")
    if len(at_ms) and (at_ms.min() < 0 or whose.min() < 0 or whose.max() >= len(who)):
        raise ValueError("expected scans of these phones from 0 s on")
    size = np.broadcast_to(np.asarray(n_bytes, dtype=np.int64), at_ms.shape)
    until_s = np.zeros(len(who))
    np.maximum.at(until_s, whose, at_ms / _MS + AFTER_S)
    gaps = phone_gaps(who, until_s, seed, day=day, spec=rules)
    sender, ready_ms = _senders(who, whose, at_ms, gaps, rules, (seed, day))
    order = np.argsort(key_of(sender, at_ms), kind="stable")
    order = order[size[order] <= rules.max_bytes]
    waiting = Waiting(sender[order], ready_ms[order], at_ms[order], size[order])
    twice = Gaps(
        np.concatenate([gaps.sender, gaps.sender + len(who)]), np.tile(gaps.from_ms, 2), np.tile(gaps.until_ms, 2)
    )
    bound = QueueBound(rules.max_bytes, round(rules.max_age_s * _MS))
    calls = send_in_turn(waiting, np.tile(who, 2), twice, rules.calls, stream_key(seed, _CALLS, day), bound)
    said_s = (at_ms + np.rint(clock_skew_s(who, rules.clock, seed) * _MS).astype(np.int64)[whose]) / _MS
    return _rows(calls, order, said_s)


def _senders(
    person: I64, phone: I64, at_ms: I64, gaps: Gaps, spec: DeliverySpec, stream: tuple[int, int]
) -> tuple[I64, I64]:
    """Who sends each scan, and from when on. A hasty phone is two: its queue is sent beside its new scans.

    A queue keeps its order: after a gap that ends while an earlier one's scans still wait, its own go behind them.
    """
    seed, day = stream
    gap = gaps.gap_at(phone, at_ms)
    waits = (gap >= 0) & is_hasty(person, spec, seed)[phone]
    if not waits.any():
        return phone, at_ms
    low_s, high_s = spec.flush_after_s
    chance = uniform(stream_key(seed, _FLUSH, day), person[gaps.sender], gaps.from_ms)
    flushed_ms = gaps.until_ms + np.rint((low_s + (high_s - low_s) * chance) * _MS).astype(np.int64)
    return np.where(waits, phone + len(person), phone), np.where(waits, flushed_ms[gap], at_ms)


def _rows(calls: Calls, order: I64, said_s: F64) -> ScanSends:
    """Each call as its scans."""
    call, place = calls.things()
    scan = order[place]
    is_dropped = np.ones(len(said_s), dtype=np.bool_)
    is_dropped[scan] = False
    return ScanSends(
        scan,
        calls.at_ms[call] / _MS,
        said_s[scan],
        calls.first[call],
        calls.attempt[call],
        calls.is_answer_lost[call],
        np.flatnonzero(is_dropped),
    )
