"""Waiting by load: for a table while the tables are taken, and at a till while others pay.

The mean wait of a queue with several servers stands in for each one's wait: nobody is followed through a queue.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.brands import CATEGORIES
from sim.chance import F64, I64

_SLOT_S = 900.0
_FULLEST = 0.97
"""Load is cut here: beyond it the formula's wait has no end, and people would look elsewhere."""


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """Tables and tills; all ours.

    Args:
        seated: categories whose groups take a table for their whole stay.
        area_per_table_m2: with the share of kitchen and bar.
        area_per_till_m2: at least one till a store.
        till_s: mean time of one payment.
        longest_s: nobody waits longer.
    """

    seated: tuple[str, ...] = ("restaurant", "coffee")
    area_per_table_m2: float = 5.0
    area_per_till_m2: float = 100.0
    till_s: float = 60.0
    longest_s: float = 1_200.0


def mean_wait_s(load: F64, servers: F64, service_s: F64 | float) -> F64:
    """Mean wait before service at a load (busy share) under 1; exact for one server.

    Source: Sakasegawa, "An approximation formula Lq ~ a rho^b / (1 - rho)", 1977.
    """
    load = np.minimum(load, _FULLEST)
    wait: F64 = service_s * load ** (np.sqrt(2.0 * (servers + 1.0)) - 1.0) / (servers * (1.0 - load))
    return wait


def waits(
    spec: QueueSpec, category: I64, area_m2: F64, store: I64, arrives_s: F64, stay_s: F64, pays: NDArray[np.bool_]
) -> tuple[F64, F64]:
    """What each stay waits for a table, and at the till.

    Args:
        category, area_m2: (n_stores,).
        store, arrives_s, stay_s, pays: one a stay, as if nobody waited.
    """
    n_slots = int(np.ceil((arrives_s + stay_s).max(initial=0.0) / _SLOT_S)) + 1
    slot = (arrives_s / _SLOT_S).astype(np.int64)
    n = len(category) * n_slots
    tables = np.maximum(1.0, np.floor(area_m2 / spec.area_per_table_m2))
    seated = np.isin(category, [CATEGORIES.index(name) for name in spec.seated])[store]
    taken_s = np.bincount(store * n_slots + slot, weights=stay_s, minlength=n).reshape(-1, n_slots)
    served = np.bincount(store * n_slots + slot, minlength=n).reshape(-1, n_slots)
    mean_stay_s = taken_s.sum(axis=1) / np.maximum(served.sum(axis=1), 1)
    ends = np.minimum(((arrives_s + stay_s) / _SLOT_S).astype(np.int64) + 1, n_slots - 1)
    there = served - np.bincount(store * n_slots + ends, minlength=n).reshape(-1, n_slots)
    table_load = np.cumsum(there, axis=1) / tables[:, None]
    table_s = mean_wait_s(table_load, tables[:, None], mean_stay_s[:, None])
    tills = np.maximum(1.0, np.floor(area_m2 / spec.area_per_till_m2))
    leaves = ((arrives_s + stay_s) / _SLOT_S).astype(np.int64)
    paying = np.bincount(store * n_slots + leaves, weights=pays, minlength=n).reshape(-1, n_slots)
    till_s = mean_wait_s(paying * spec.till_s / (_SLOT_S * tills[:, None]), tills[:, None], spec.till_s)
    for_table = np.where(seated, np.minimum(table_s[store, slot], spec.longest_s), 0.0)
    at_till = np.where(pays & ~seated, np.minimum(till_s[store, leaves], spec.longest_s), 0.0)
    return for_table, at_till
