"""What tracking costs a fix, and what it gains in simulated malls over the single scan's answers.

Speed: CPU time of one thread for ``Tracker.advance_many`` alone (the scans are located before), 960 phones a call,
records carried from call to call, the median of the calls; and for one phone a call. Gain: five malls that no constant
was chosen on (those were 101 and 102), 60 shoppers of a day each, scans 10 s apart and without steps, phones that no
survey had; paired by scan, interval by whole shoppers.

Run it with ``atrium bench track`` or ``python -m benchmarks.track``.
"""

import json
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from fingerprints.scan import LabelledScan, Scan
from kernel.ids import VenueId
from positioning.evaluate import DEFAULT_SEED, evaluate
from positioning.evaluate_track import evaluate_track
from positioning.light import LightLocator
from positioning.model import VenueModel
from positioning.position import Located
from positioning.track.tracker import Tracker
from positioning.train import train_venue
from sim.dates import FIRST_DAY
from sim.export import shopper_scans
from sim.layout import MallSpec
from sim.radio_spec import RadioSpec
from sim.world import make_world

SEEDS = (103, 104, 105, 106, 107)
N_SHOPPERS = 60
TARGET_US = 50.0
_PHONES = 960
_CALLS = 12


def run(seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """Build the malls one by one, measure the gain in each, and the speed in the first."""
    malls, speed = [], dict[str, Any]()
    for seed in seeds:
        world = make_world(seed, MallSpec(), RadioSpec())
        venue = world.mall.venue
        model = train_venue(world.survey(), venue, venue_id=VenueId(venue.id)).model
        scans = list(shopper_scans(world, n_shoppers=N_SHOPPERS, on=FIRST_DAY))
        malls.append({"seed": seed, **measure_gain(model, scans)})
        if not speed:
            speed = measure_speed(model, scans)
    return {"target_us": TARGET_US, "interval_seed": DEFAULT_SEED, **speed, "malls": malls}


def measure_gain(model: VenueModel, scans: Sequence[LabelledScan]) -> dict[str, Any]:
    """Single and causal figures side by side; ``inside`` counts the store named as ``store_id``."""
    locator = LightLocator((model,))
    single = evaluate(locator, model, scans).figures
    tracked = evaluate_track(locator, Tracker((model,)), model, scans)
    return {
        "n": single.n,
        **{
            name: {
                "front": figures.front and [round(figures.front.top1, 2), round(figures.front.top3, 2)],
                "inside_top1": figures.inside and round(figures.inside.top1, 2),
                "error_m_mean": figures.error_m and round(figures.error_m.mean, 3),
                "ece": figures.ece and round(figures.ece, 4),
                "set_coverage": figures.set_coverage and round(figures.set_coverage, 2),
                "accuracy_coverage": figures.accuracy_coverage and round(figures.accuracy_coverage, 2),
            }
            for name, figures in (("single", single), ("causal", tracked.figures))
        },
        "gain_front_top1": [tracked.gain.front_top1, tracked.gain.front_top1_interval],
    }


def measure_speed(model: VenueModel, scans: Sequence[LabelledScan]) -> dict[str, Any]:
    """Microseconds of CPU a fix, in batches of phones and one phone at a time."""
    walks: dict[str | None, list[Scan]] = {}
    for item in scans:
        walks.setdefault(item.walk, []).append(item.scan)
    locator = LightLocator((model,))
    phones = _as_phones([walk for walk in walks.values() if len(walk) >= _CALLS])
    asked = [[phone[call] for phone in phones] for call in range(_CALLS)]
    located = [locator.locate(of_call) for of_call in asked]
    tracker = Tracker((model,))
    tracker.advance_many([None] * len(phones), located[0], asked[0])  # compiles
    records: list[bytes | None] = [None] * len(phones)
    batch_us, one_us = [], []
    for of_call, answers in zip(asked, located, strict=True):
        before_s = time.process_time()
        advanced = tracker.advance_many(records, answers, of_call)
        batch_us.append((time.process_time() - before_s) * 1e6 / len(phones))
        before_s = time.process_time()
        for record, answer, scan in _few(records, answers, of_call):
            tracker.advance(record, answer, scan)
        one_us.append((time.process_time() - before_s) * 1e6 / _FEW)
        records = [record for record, _ in advanced]
    return {"phones": len(phones), "cpu_us_per_fix": {"batch": median(batch_us), "one_phone_a_call": median(one_us)}}


_FEW = 100


def _few(
    records: Sequence[bytes | None], answers: Sequence[Located], scans: Sequence[Scan]
) -> list[tuple[bytes | None, Located, Scan]]:
    return list(zip(records[:_FEW], answers[:_FEW], scans[:_FEW], strict=True))


def _as_phones(walks: Sequence[Sequence[Scan]]) -> list[Sequence[Scan]]:
    """Stretches of walks, each taken for a phone of its own; no scan is in two of them."""
    stretches = [walk[at : at + _CALLS] for walk in walks for at in range(0, len(walk) - _CALLS + 1, _CALLS)]
    if len(stretches) < _PHONES:
        raise ValueError(f"expected {_PHONES} stretches of {_CALLS} scans, found {len(stretches)}")
    return stretches[:_PHONES]


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
