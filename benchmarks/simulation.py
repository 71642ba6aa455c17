"""How fast the simulator is: scans heard a core-second, and a day of phones through the whole flow against life.

CPU time of this process. Hearing: 2,048 phones of the default mall, 20 scans each ten seconds apart, as arrays of
transmitter numbers, power and age (``RadioField.hear``; cell means computed before). The day: the shipped ordinary day
with its mix of phones, from opening until the last scan is answered; building, survey and training are told apart.

Run it with ``atrium bench simulation`` or ``python -m benchmarks.simulation [PHONES]``.
"""

import json
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np

from sim.listening import Crowd, draw_phones
from sim.run import play_mall
from sim.scenario import parse_scenario, shipped_scenarios
from sim.world import World, make_world

_PHONES, _SCANS, _PERIOD_MS = 2_048, 20, 10_000
_ROUNDS = 3


def run(phones: int = 300) -> dict[str, Any]:
    """Both figures."""
    return {"hearing": hearing(make_world(7)), "day": day(phones)}


def hearing(world: World) -> dict[str, float]:
    """Scans heard a core-second: the median of a few rounds of other phones."""
    rng = np.random.default_rng(1)
    levels = world.mall.venue.levels
    level = np.repeat(rng.integers(0, len(levels), _PHONES), _SCANS)
    x0, y0, x1, y1 = levels[0].area.bounds
    home = rng.uniform((x0 + 5, y0 + 5), (x1 - 5, y1 - 5), (_PHONES, 2))
    xy_m = np.repeat(home, _SCANS, axis=0) + rng.normal(0, 1, (_PHONES * _SCANS, 2))
    who = np.repeat(np.arange(_PHONES), _SCANS)
    at_ms = np.tile(np.arange(_SCANS) * _PERIOD_MS, _PHONES)
    rates, readings = [], 0.0
    for number in range(_ROUNDS + 1):
        crowd = Crowd(draw_phones(_PHONES, world.radio.spec, rng), number)
        began = time.process_time()
        heard = world.radio.hear(level, xy_m, crowd, rng, who=who, at_ms=at_ms)
        rates.append(len(who) / (time.process_time() - began))
        readings = float(heard.indptr[-1]) / len(who)
    return {"scans_a_core_second": float(np.median(rates[1:])), "readings_a_scan": readings}


def day(phones: int) -> dict[str, float]:
    """A day through radio, flow, cards and tills."""
    scenario = parse_scenario(shipped_scenarios()["ordinary-day"])
    scenario = replace(scenario, crowd=replace(scenario.crowd, phones_per_day=phones))
    marks: list[tuple[float, str]] = []
    (played,) = play_mall(scenario, 0, None, lambda tick: marks.append((time.process_time(), tick.said))).days
    ended = time.process_time()
    began = next(at for at, said in marks if said.endswith("day 1"))
    spec = scenario.mall
    lasts_s = (spec.closes_hour - spec.opens_hour) * 3_600.0
    return {
        "phones": phones,
        "scans": len(played.scans),
        "cpu_s": ended - began,
        "cpu_us_a_scan": 1e6 * (ended - began) / len(played.scans),
        "times_life": lasts_s / (ended - began),
        "build_survey_train_cpu_s": began - marks[0][0],
    }


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else 300), indent=2))
