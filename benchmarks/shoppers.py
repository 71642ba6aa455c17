"""Shoppers followed through the hardness bench's malls, and through malls with the radio fitted to a real one.

Two kinds of mall, five seeds each that no ranker was trained on and no constant of tracking was chosen on. ``table``:
those of ``ranker.py`` with its survey; ``hard``: the standard mall with the radio fitted to Xixi Intime
(``sim.presets.XIXI``: few transmitters, bundled ages), walked over by the standard survey. In both, 40 shoppers of a
day weeks later, when radios have aged, with phones that no survey had, 10 s between scans, no steps.

Counted are the scans inside stores: is the store ranked first the one the shopper is in? Single scans of both
locators, the full locator's answers tracked (each seeing only earlier scans), and the plain reference (WKNN) on the
same scans; gains are paired by scan, with 95 % intervals by whole shoppers of all seeds together. Simulated figures
rank methods; they promise nothing for a mall.

Run it with ``atrium bench shoppers`` or ``python -m benchmarks.shoppers``; about 6 minutes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.ranker import make_aged_mall
from fingerprints.scan import LabelledScan
from kernel.ids import VenueId
from positioning.evaluate import DEFAULT_SEED, read_truth, resampled, score_located, score_plain
from positioning.full import FullLocator
from positioning.light import LightLocator
from positioning.radio_map import F64
from positioning.score import expected_calibration_error
from positioning.track.smooth import track_walk
from positioning.track.tracker import Tracker
from positioning.train import train_venue
from runtime.rankers import load_ranker, name_ranker
from sim.dates import FIRST_DAY
from sim.export import shopper_scans
from sim.layout import MallSpec
from sim.presets import TABLE_MALL, XIXI
from sim.radio_spec import RadioSpec
from sim.world import World, make_world

SEEDS = (1, 2, 3, 4, 5)
KINDS = ("table", "hard")
N_SHOPPERS = 40
_REFERENCE = "wknn"
_RESAMPLES = 1_000


@dataclass(frozen=True)
class _Judged:
    """Answers to scans inside stores: the true store's rank, what the first was said to be worth, whose scan it is."""

    rank: F64
    claimed: F64
    is_claim_right: F64


def run(seeds: Sequence[int] = SEEDS, kinds: Sequence[str] = KINDS) -> dict[str, Any]:
    """Figures of each kind of mall, over all seeds' scans together, and by seed; percent but for the ECE."""
    return {"ranker": name_ranker(load_ranker()), "n_shoppers": N_SHOPPERS} | {
        kind: measure(kind, seeds) for kind in kinds
    }


def measure(kind: str, seeds: Sequence[int]) -> dict[str, Any]:
    """One kind of mall."""
    of_seed = [_ask(kind, seed) for seed in seeds]
    group = np.concatenate([shopper + 1_000 * i for i, (_, shopper) in enumerate(of_seed)])
    _, who = np.unique(group, return_inverse=True)
    counts = np.random.default_rng(DEFAULT_SEED).multinomial(
        who.max() + 1, np.full(who.max() + 1, 1.0 / (who.max() + 1)), size=_RESAMPLES
    )
    methods = {name: [judged[name] for judged, _ in of_seed] for name in of_seed[0][0]}
    is_first = {name: np.concatenate([part.rank for part in parts]) == 0 for name, parts in methods.items()}
    out: dict[str, Any] = {"n": len(who), "n_shoppers": int(who.max()) + 1}
    for name, parts in methods.items():
        rank = np.concatenate([part.rank for part in parts])
        gain = is_first[name].astype(np.float64) - is_first[_REFERENCE]
        out[name] = {
            "top1": 100.0 * float((rank == 0).mean()),
            "top3": 100.0 * float(((rank >= 0) & (rank < 3)).mean()),
            "ece": expected_calibration_error(
                np.concatenate([part.claimed for part in parts]),
                np.concatenate([part.is_claim_right for part in parts]),
            ),
            "top1_by_seed": [100.0 * float((part.rank == 0).mean()) for part in parts],
            "top1_gain_over_wknn": 100.0 * float(gain.mean()),
            "top1_gain_interval": resampled(gain, who, counts.astype(np.float64), 100.0),
        }
    return out


def _ask(kind: str, seed: int) -> tuple[dict[str, _Judged], F64]:
    """Each method's answers in one mall, and which shopper each scan is of."""
    world, survey = _make(kind, seed)
    venue, ranker = world.mall.venue, load_ranker()
    model = train_venue(survey, venue, venue_id=VenueId(venue.id), ranker=ranker).model
    scans = list(shopper_scans(world, n_shoppers=N_SHOPPERS, on=FIRST_DAY))
    locators = {"light": LightLocator((model,)), "full": FullLocator((model,), ranker)}
    answers = {name: list(locator.locate([item.scan for item in scans])) for name, locator in locators.items()}
    tracker = Tracker((model,))
    of_walk: dict[str | None, list[int]] = {}
    for i, item in enumerate(scans):
        of_walk.setdefault(item.walk, []).append(i)
    tracked = answers["full"].copy()
    for at in of_walk.values():
        found = track_walk(tracker, [answers["full"][i] for i in at], [scans[i].scan for i in at])
        for i, answer in zip(at, found, strict=True):
            tracked[i] = answer
    answers["full, causal"] = tracked
    inside = [i for i, item in enumerate(scans) if item.truth.store_id is not None]
    asked = [scans[i] for i in inside]
    truth = read_truth(model, asked)
    scored = {name: score_located(model, truth, [found[i] for i in inside]) for name, found in answers.items()}
    scored[_REFERENCE] = score_plain(model, truth, asked)
    return {
        name: _Judged(found.front_rank.astype(np.float64), found.claimed, found.is_claim_right)
        for name, found in scored.items()
    }, truth.group.astype(np.float64)


def _make(kind: str, seed: int) -> tuple[World, list[LabelledScan]]:
    """The world of a seed, and its survey. A table mall's is the very one of ``make_aged_mall``: same streams."""
    if kind == "table":
        return make_world(seed, TABLE_MALL, RadioSpec(stale_ratio=0.0)), make_aged_mall(seed).survey
    world = make_world(seed, MallSpec(), XIXI)
    return world, world.survey()


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
