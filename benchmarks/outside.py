"""How many scans are refused as of another place: inside, in a mall that ages, and behind walls.

Simulated malls, shoppers with other phones than the survey's. "behind" are the same scans with so many dB less, nothing
under -93 dBm heard; those that hear nothing then are left out. Run it with ``python -m benchmarks.outside``; about two
minutes.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from fingerprints.scan import Scan
from positioning.light import LightLocator
from positioning.train import train_venue
from sim.export import shopper_scans
from sim.layout import MallSpec
from sim.radio import aged
from sim.radio_spec import Ageing
from sim.world import World, make_world

OTHERS = (111, 112, 113, 114)
"""Not the malls on which the rule's constants were chosen (101-104)."""
_ON = date(2026, 4, 18)
_SCANS_PER_STORE = 40
_SHOPPERS = 14
_LOSSES_DB = (20.0, 25.0, 30.0)
_LEAST_DBM = -93.0
_N_AGEINGS = 3


def run(seeds: Sequence[int] = OTHERS) -> dict[str, Any]:
    """Shares refused, in percent, by mall."""
    return {"rows": [measure(seed) for seed in seeds]}


def measure(seed: int) -> dict[str, Any]:
    """One mall: default size, but every third of one level."""
    world = make_world(seed, MallSpec(n_levels=1) if seed % 10 == 3 else MallSpec())
    venue = world.mall.venue
    survey = world.survey(scans_per_store=_SCANS_PER_STORE)
    locator = LightLocator((train_venue(survey, venue, venue_id=venue.id).model,))
    scans = _scans(world)
    row: dict[str, Any] = {"mall": seed, "scans": len(scans), "inside": _refused_percent(locator, scans)}
    for loss_db in _LOSSES_DB:
        behind = [scan for scan in (_behind(scan, loss_db) for scan in scans) if scan.readings]
        row[f"behind {loss_db:.0f} dB"] = _refused_percent(locator, behind)
    for n in range(_N_AGEINGS):
        radio = aged(world.radio, venue, Ageing(), np.random.default_rng([seed, 7, n]))
        world = replace(world, radio=radio)
    row["inside, aged three times"] = _refused_percent(locator, _scans(world))
    return row


def _scans(world: World) -> list[Scan]:
    return [item.scan for item in shopper_scans(world, n_shoppers=_SHOPPERS, on=_ON)][::3]


def _behind(scan: Scan, loss_db: float) -> Scan:
    weaker = (replace(r, rssi_dbm=r.rssi_dbm - loss_db) for r in scan.readings)
    return replace(scan, readings=tuple(r for r in weaker if r.rssi_dbm >= _LEAST_DBM))


def _refused_percent(locator: LightLocator, scans: Sequence[Scan]) -> float:
    refused = [answer.position is None for answer in locator.locate(scans)]
    return round(100.0 * float(np.mean(refused)), 1)


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
