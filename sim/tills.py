"""Tills: payments and redemptions as they reach the server, one at a time a store, in order, also after an outage.

What happens while a till is offline waits in it, and goes afterwards in order. Each act has an idempotency key from
the moment it happens, so a till that hears no answer asks again with the same key, and nothing happens twice.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.chance import F64, I64, stream_key
from sim.links import AFTER_S, Gaps, draw_spans, join_gaps
from sim.sending import CallSpec, Waiting, send_in_turn

_OUTAGES, _CALLS = range(620, 622)
_MS = 1_000.0

REDEMPTION, PAYMENT = range(2)
"""Kinds of acts; of the same instant, the coupon is redeemed before it is paid."""
TILL_ACT = np.dtype([("kind", "i1"), ("row", "i4"), ("store", "i4"), ("at_s", "f8"), ("number", "i4")])
"""One act at a till; ``row`` is its place among the day's payments or redemptions, ``number`` its place in the till."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A planned time without a connection; ``stores`` by index, None for all."""

    from_s: float
    until_s: float
    stores: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.from_s <= self.until_s:
            raise ValueError(f"expected an outage from 0 s on that ends after it begins, found {self}")


@dataclass(frozen=True, slots=True)
class TillSpec:
    """What comes between tills and the server. Ours.

    Attributes:
        online_s, offline_s: mean lengths of a store's time with a connection and without: about one outage in five
            days of twelve hours, a quarter of an hour long.
        outages: planned ones beside them.
        calls: a till sends one act a call.
    """

    online_s: float = 60.0 * 3_600.0
    offline_s: float = 900.0
    outages: tuple[Outage, ...] = ()
    calls: CallSpec = field(default_factory=lambda: CallSpec(1, answer_lost_ratio=0.002, lost_shows_s=(1.0, 10.0)))

    def __post_init__(self) -> None:
        if self.calls.most_per_call != 1:
            raise ValueError(f"expected one act a call, found {self.calls.most_per_call}")


@dataclass(frozen=True, slots=True)
class TillSends:
    """Acts as they reach the server, by instant; an act has several rows where its answer was lost.

    Attributes:
        act: (n_sends,) index of the act as it was given.
        sent_at_s: (n_sends,) since opening, in whole milliseconds.
        attempt: (n_sends,) from 0.
        is_answer_lost: (n_sends,) the server answers, but the till does not hear it.
    """

    act: I64
    sent_at_s: F64
    attempt: I64
    is_answer_lost: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.act)


def till_acts(payments: NDArray[np.void], redemptions: NDArray[np.void]) -> NDArray[np.void]:
    """Payments and redemptions as one list: by store, by instant, numbered within each store.

    Args:
        payments, redemptions: records with ``store`` and ``at_s``, and whatever else.
    """
    acts = np.zeros(len(payments) + len(redemptions), dtype=TILL_ACT)
    for kind, table, rows in (
        (REDEMPTION, redemptions, slice(0, len(redemptions))),
        (PAYMENT, payments, slice(len(redemptions), None)),
    ):
        acts["kind"][rows], acts["row"][rows] = kind, np.arange(len(table))
        acts["store"][rows], acts["at_s"][rows] = table["store"], table["at_s"]
    acts = acts[np.lexsort((acts["row"], acts["kind"], acts["at_s"], acts["store"]))]
    first_of_store = np.searchsorted(acts["store"], acts["store"])
    acts["number"] = np.arange(len(acts)) - first_of_store
    return acts


def idempotency_key(run: str, day: int, store: int, number: int) -> str:
    """The key of an act: the same for each attempt, another for each act of a run.

    >>> idempotency_key("mall-7", 3, 12, 0)
    'till-mall-7-3-12-0'
    """
    return f"till-{run}-{day}-{store}-{number}"


def outages(n_stores: int, until_s: ArrayLike, seed: int, *, day: int = 0, spec: TillSpec | None = None) -> Gaps:
    """When each store's till is offline: the planned times, and those that come by chance and begin by ``until_s``."""
    rules = spec or TillSpec()
    spans = [draw_spans(stream_key(seed, _OUTAGES, day), np.arange(n_stores), rules.online_s, rules.offline_s, until_s)]
    for outage in rules.outages:
        stores = np.arange(n_stores) if outage.stores is None else np.array(outage.stores, dtype=np.int64)
        spans.append((stores, np.full(len(stores), outage.from_s), np.full(len(stores), outage.until_s)))
    return join_gaps(*(np.concatenate(column) for column in zip(*spans, strict=True)))


def till_sends(
    store: ArrayLike, at_s: ArrayLike, seed: int, *, n_stores: int, day: int = 0, spec: TillSpec | None = None
) -> TillSends:
    """What becomes of the acts at tills on their way; no store hangs on another.

    Args:
        store: (n_acts,) index of the store.
        at_s: (n_acts,) when it happened, from 0 on; acts of one instant go in the order given.
        n_stores: of the mall.
        day: each day has outages and losses of its own.
    """
    rules = spec or TillSpec()
    who = np.asarray(store, dtype=np.int64)
    at_ms = np.rint(np.asarray(at_s, dtype=np.float64) * _MS).astype(np.int64)
    if who.shape != at_ms.shape:
        raise ValueError(f"expected a store for each act, found {who.shape} for {at_ms.shape}")
    if len(who) and (at_ms.min() < 0 or who.min() < 0 or who.max() >= n_stores):
        raise ValueError(f"expected acts in {n_stores} stores from 0 s on")
    until_s = np.zeros(n_stores)
    np.maximum.at(until_s, who, at_ms / _MS + AFTER_S)
    gaps = outages(n_stores, until_s, seed, day=day, spec=rules)
    order = np.lexsort((at_ms, who))
    waiting = Waiting(who[order], at_ms[order], at_ms[order], np.zeros(len(who), dtype=np.int64))
    calls = send_in_turn(waiting, np.arange(n_stores), gaps, rules.calls, stream_key(seed, _CALLS, day))
    return TillSends(order[calls.first], calls.at_ms / _MS, calls.attempt, calls.is_answer_lost)
