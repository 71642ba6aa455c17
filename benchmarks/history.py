"""How long does a month of a mall's history take? Visits, stays, payments and cards of 30,000 visits a day, no scans.

The mall is that of ``presets.TABLE_MALL``, 200 stores on five levels; a card runs at each of ten stores for the whole
month. The population is as large as a mean day of the year needs. Times are of the days alone, with all their records
made; the mall, its ways and its people come before and are told apart.

Run it with ``atrium bench history`` or ``python -m benchmarks.history``; about a minute.
"""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sim.cards import CardPlan
from sim.history import History, play_days
from sim.layout import MallSpec
from sim.mall import make_mall
from sim.presets import TABLE_MALL
from sim.walking import make_walking_graph
from sim.world import make_history

TARGET_CPU_S = 60.0
"""For the month on one core."""
_FIRST_DAY = 0
_CARDS = 10


def run(
    *,
    visits_a_day: float = 30_000.0,
    n_days: int = 30,
    workers: Sequence[int] = (1, 2),
    mall_spec: MallSpec = TABLE_MALL,
    seed: int = 1,
) -> dict[str, Any]:
    """Play the month with each number of workers; seconds and what the month holds."""
    start_s = time.perf_counter()
    mall = make_mall(mall_spec, np.random.default_rng([seed, 0]))
    graph = make_walking_graph(mall.venue, mall.entrances_xy_m)
    mall_s = time.perf_counter() - start_s
    start_s = time.perf_counter()
    history = make_history(seed, mall, graph, visits_a_day)
    people_s = time.perf_counter() - start_s
    n_stores = len(mall.venue.stores)
    cards = tuple(CardPlan(i, i * n_stores // _CARDS, _FIRST_DAY, n_days) for i in range(_CARDS))
    rows = [measure(replace(history, cards=cards), n_days, n) for n in workers]
    return {
        "people": len(history.people),
        "households": history.people.n_households,
        "stores": n_stores,
        "mall_s": round(mall_s, 2),
        "people_s": round(people_s, 2),
        "target_cpu_s": TARGET_CPU_S,
        "runs": rows,
    }


def measure(history: History, n_days: int, workers: int) -> dict[str, Any]:
    """One run: wall and processor seconds (of all its processes), counts, visits a processor second."""
    wall_s, cpu_s = time.perf_counter(), _cpu_s()
    counts = {"visits": 0, "store_visits": 0, "payments": 0, "exposures": 0}
    for records in play_days(history, _FIRST_DAY, n_days, workers=workers):
        counts["visits"] += len(records.mall_visits)
        counts["store_visits"] += len(records.store_visits)
        counts["payments"] += len(records.payments)
        counts["exposures"] += len(records.exposures)
    wall_s, cpu_s = time.perf_counter() - wall_s, _cpu_s() - cpu_s
    return {
        "workers": workers,
        "days": n_days,
        "wall_s": round(wall_s, 2),
        "cpu_s": round(cpu_s, 2),
        "visits_a_cpu_s": round(counts["visits"] / cpu_s),
        **counts,
    }


def _cpu_s() -> float:
    """Of this process and of its children that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
