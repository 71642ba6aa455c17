"""When a sender has no connection: gaps, drawn or planned. Instants are whole milliseconds since opening."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sim.chance import F64, I64, uniform

_BITS = 40
"""Of a key that stand for the milliseconds: 34 years, and 8 million senders above them."""
_MS = 1_000.0
AFTER_S = 3_600.0
"""So long after its last thing a sender may still be at it: gaps are drawn up to there."""


def key_of(sender: I64, at_ms: I64) -> I64:
    """Sender and instant as one number, in the order of senders, then of time."""
    found: I64 = (sender << _BITS) + at_ms
    return found


@dataclass(frozen=True, slots=True)
class Gaps:
    """Times without a connection, by sender, then by time; those of one sender neither overlap nor touch.

    Attributes:
        sender: (n_gaps,)
        from_ms: (n_gaps,) the first instant without.
        until_ms: (n_gaps,) the first instant with again.
    """

    sender: I64
    from_ms: I64
    until_ms: I64

    def __len__(self) -> int:
        return len(self.sender)

    def gap_at(self, sender: I64, at_ms: I64) -> I64:
        """Which gap each instant lies in; -1 for none."""
        if not len(self):
            return np.full(len(sender), -1, dtype=np.int64)
        gap = np.searchsorted(key_of(self.sender, self.from_ms), key_of(sender, at_ms), side="right") - 1
        is_down = (gap >= 0) & (self.sender[gap] == sender) & (at_ms < self.until_ms[gap])
        return np.where(is_down, gap, -1)


def join_gaps(sender: ArrayLike, from_s: ArrayLike, until_s: ArrayLike) -> Gaps:
    """Gaps from any list of spans, which may overlap; empty ones are no gaps.

    Raises:
        ValueError: a span begins before 0.
    """
    who = np.asarray(sender, dtype=np.int64)
    since, until = (np.rint(np.asarray(s, dtype=np.float64) * _MS).astype(np.int64) for s in (from_s, until_s))
    if np.any(since < 0):
        raise ValueError(f"expected gaps from 0 s on, found one at {since.min() / _MS} s")
    some = until > since
    who, since, until = who[some], since[some], until[some]
    order = np.lexsort((since, who))
    who, since, until = who[order], since[order], until[order]
    reached = np.maximum.accumulate(key_of(who, until))
    is_first = np.ones(len(who), dtype=np.bool_)
    is_first[1:] = key_of(who, since)[1:] > reached[:-1]
    first = np.flatnonzero(is_first)
    last = np.append(first[1:], len(who)) - 1
    return Gaps(who[first], since[first], (reached[last] - (who[first] << _BITS)) if len(first) else until[first])


def draw_spans(key: int, person: I64, up_s: float, down_s: float, until_s: ArrayLike) -> tuple[I64, F64, F64]:
    """Spans without a connection that come and go by chance: sender, from, until.

    Both lengths are exponential, so that at any instant the share ``down_s / (up_s + down_s)`` is without.

    Args:
        key: the stream.
        person: (n_senders,) what each sender's chance hangs on.
        up_s: mean time with a connection; infinite for no gaps.
        down_s: mean time without; 0 for no gaps.
        until_s: (n_senders,) or one number; gaps that begin later are left out.
    """
    none = np.empty(0, dtype=np.int64), np.empty(0), np.empty(0)
    if not down_s > 0.0 or np.isinf(up_s):
        return none
    until = np.broadcast_to(np.asarray(until_s, dtype=np.float64), len(person))
    is_down = uniform(key, person, 0, 0) < down_s / (up_s + down_s)
    now_s = np.where(is_down, 0.0, _length(key, person, up_s, 0, 1))
    who = np.arange(len(person))
    spans = [none]
    number = 0
    while who.size:
        is_before = now_s <= until[who]
        who, now_s = who[is_before], now_s[is_before]
        number += 1
        end_s = now_s + _length(key, person[who], down_s, number, 0)
        spans.append((who, now_s, end_s))
        now_s = end_s + _length(key, person[who], up_s, number, 1)
    sender, since, until = (np.concatenate(column) for column in zip(*spans, strict=True))
    return sender, since, until


def _length(key: int, person: I64, mean_s: float, number: int, part: int) -> F64:
    found: F64 = -mean_s * np.log1p(-uniform(key, person, number, 1 + part))
    return found
