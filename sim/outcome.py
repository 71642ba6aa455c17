"""What a run leaves behind: what was true, what the system said, side by side; and the figures of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.chance import F64, I64

SCAN = np.dtype(
    [
        ("mall", "i2"), ("day", "i2"), ("phone", "i4"), ("kind", "i1"), ("number", "i4"), ("at_s", "f8"),
        ("sent_s", "f8"), ("said_s", "f8"), ("level", "i2"), ("x_m", "f4"), ("y_m", "f4"), ("store", "i4"),
        ("reason", "i1"), ("said_level", "i2"), ("said_x_m", "f4"), ("said_y_m", "f4"), ("front", "i4"),
        ("said_store", "i4"), ("confidence", "f4"), ("accuracy_m", "f4"), ("set_holds", "?"), ("readings", "i2"),
        ("is_late", "?"),
    ]
)  # fmt: skip
"""One scan that reached the system: the truth, then the answer. Seconds are since opening; ``kind`` is the place of
the schedule in ``schedules.SCHEDULES``, or ``ROGUE``; stores and levels are indices into the venue's, -1 for none;
``reason`` is the place in ``REASONS``; a rogue's truth is outside (level -1)."""
REASONS = ("position", "no_readings", "unknown_radio", "outside", "refused")
ROGUE = 4
VISIT = np.dtype(
    [("mall", "i2"), ("day", "i2"), ("phone", "i4"), ("kind", "i1"), ("store", "i4"), ("from_s", "f8"),
     ("until_s", "f8"), ("is_counted", "?")]
)  # fmt: skip
"""A stay in a store: true, or as the system has it."""
CARD = np.dtype(
    [("mall", "i2"), ("day", "i2"), ("phone", "i4"), ("kind", "i1"), ("campaign", "i2"), ("at_s", "f8"),
     ("target", "i4"), ("true_store", "i4"), ("is_right", "?"), ("goes", "?")]
)  # fmt: skip
"""A card that was shown; ``target`` is the store aimed at, -1 for the whole venue; ``goes``: its person goes there."""
REDEMPTION = np.dtype(
    [("mall", "i2"), ("day", "i2"), ("phone", "i4"), ("store", "i4"), ("at_s", "f8"), ("sent_s", "f8"),
     ("result", "i1"), ("attempts", "i2")]
)  # fmt: skip
"""A coupon at a till; ``result`` is the place in ``RESULTS``."""
PAYMENT = np.dtype(
    [("mall", "i2"), ("day", "i2"), ("phone", "i4"), ("store", "i4"), ("at_s", "f8"), ("amount_minor", "i8"),
     ("is_planned", "?"), ("coupons", "i2"), ("sent_s", "f8"), ("attempts", "i2")]
)  # fmt: skip
"""A payment of a group: ``phone`` is the first of the group's that is followed, -1 for none; ``is_planned`` is false
where only a coupon led there; ``coupons`` were given in with it; ``sent_s`` is when its till's call first reaches the
server. They are not told to a server yet (docs/simulation.md), so none has an answer."""
EVENTS = ("visit.entered", "visit.dwelled", "visit.exited", "visit.revised", "phase.changed", "place.passed")
PLACES = ("none", "store", "level", "venue")
EVENT = np.dtype(
    [("mall", "i2"), ("day", "i2"), ("phone", "i4"), ("kind", "i1"), ("type", "i1"), ("said_s", "f8"), ("place", "i1"),
     ("store", "i4")]
)  # fmt: skip
"""What the system told of a phone's scene; ``said_s`` is its own instant, ``type`` and ``place`` are places in
``EVENTS`` and ``PLACES``."""
RESULTS = ("redeemed", "already_redeemed", "expired", "wrong_store", "unknown_code", "other")


@dataclass(frozen=True)
class DayOutcome:
    """One mall's day.

    Attributes:
        keeps_visits: (n_phones,) whose visits may be kept.
        n_visits: persons who came, with and without phones; the phones above are some of them.
        payments: theirs.
        n_sends: scans that reached the server, with those that came again.
        n_repeats: of these, came again; n_changed: of those, were not answered as before.
        n_dropped: lost in a phone's queue.
        given: cards of each campaign given up to the day's end.
        withheld: cards withheld on the day, by reason.
    """

    mall: int
    day: int
    scans: NDArray[np.void]
    true_visits: NDArray[np.void]
    said_visits: NDArray[np.void]
    events: NDArray[np.void]
    cards: NDArray[np.void]
    redemptions: NDArray[np.void]
    payments: NDArray[np.void]
    keeps_visits: NDArray[np.bool_]
    n_visits: int
    n_sends: int
    n_repeats: int
    n_changed: int
    n_dropped: int
    given: tuple[int, ...]
    withheld: dict[str, int]

    @property
    def n_people(self) -> int:
        """Phones of the day, rogues left out."""
        return len(self.keeps_visits)


def join(days: Sequence[DayOutcome], name: str) -> NDArray[np.void]:
    """A table of all malls and days."""
    found: NDArray[np.void] = np.concatenate([getattr(day, name) for day in days])
    return found


def stays_in_stores(store: I64, at_s: F64, *, min_dwell_s: float, merge_gap_s: float) -> list[tuple[int, float, float]]:
    """Runs of a phone in one store, by the definition of a visit: (store, from, until), in order.

    A run that comes back to the store of the one before within ``merge_gap_s``, with no counted stay elsewhere
    between, continues it; what then lasts less than ``min_dwell_s`` is no visit.

    Args:
        store: (n,) store at each instant, -1 for none.
        at_s: (n,) rising instants.

    >>> stays_in_stores(np.array([1, 1, -1, 1, 2]), np.array([0.0, 50, 60, 70, 80]), min_dwell_s=60, merge_gap_s=30)
    [(1, 0.0, 70.0)]
    """
    if len(store) == 0:
        return []
    starts = np.flatnonzero(np.diff(store, prepend=-2) != 0)
    ends = np.append(starts[1:], len(store)) - 1
    runs = [(int(store[a]), float(at_s[a]), float(at_s[b])) for a, b in zip(starts, ends, strict=True) if store[a] >= 0]
    long = [run for run in runs if run[2] - run[1] >= min_dwell_s]
    joined: list[tuple[int, float, float]] = []
    last: dict[int, int] = {}
    for run in runs:
        same = last.get(run[0])
        if same is not None and run[1] - joined[same][2] <= merge_gap_s:
            left_s = joined[same][2]
            if not any(other[0] != run[0] and left_s <= other[1] < run[1] for other in long):
                joined[same] = (run[0], joined[same][1], run[2])
                continue
        last[run[0]] = len(joined)
        joined.append(run)
    return sorted((run for run in joined if run[2] - run[1] >= min_dwell_s), key=lambda run: run[1])


@dataclass(frozen=True, slots=True)
class Matched:
    """True and counted visits, paired.

    Attributes:
        found: (n_true,) the system has it.
        right: (n_said,) it is a true visit, and the first that is counted for it.
        again: (n_said,) it lies in a true visit that is counted already: one stay taken for two.
    """

    found: NDArray[np.bool_]
    right: NDArray[np.bool_]
    again: NDArray[np.bool_]


def match_visits(true: NDArray[np.void], said: NDArray[np.void]) -> Matched:
    """Pair visits of the same phone at the same store that overlap in time; each once, in the order of time."""
    found, right, again = (np.zeros(n, dtype=np.bool_) for n in (len(true), len(said), len(said)))
    of: dict[tuple[int, ...], list[int]] = {}
    for i in np.argsort(true["from_s"], kind="stable").tolist():
        of.setdefault(_key(true[i]), []).append(i)
    for j in np.argsort(said["from_s"], kind="stable").tolist():
        overlap = [
            i
            for i in of.get(_key(said[j]), ())
            if true["from_s"][i] <= said["until_s"][j] and said["from_s"][j] <= true["until_s"][i]
        ]
        first = next((i for i in overlap if not found[i]), None)
        if first is not None:
            found[first] = right[j] = True
        again[j] = first is None and bool(overlap)
    return Matched(found, right, again)


def _key(visit: Any) -> tuple[int, ...]:
    return int(visit["mall"]), int(visit["day"]), int(visit["phone"]), int(visit["store"])
