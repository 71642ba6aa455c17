"""What a phone gets that tells of beacons alone: answers from the beacons' own map, beside the plain method.

Simulated malls; shoppers with other phones than the survey's, weeks later. ``python -m benchmarks.beacons``;
about a minute.
"""

import json
from dataclasses import replace
from datetime import date
from typing import Any

from positioning.evaluate import evaluate
from positioning.light import LightLocator
from positioning.train import hear_beacons_alone, train_venue
from sim.export import shopper_scans
from sim.layout import MallSpec
from sim.world import make_world

_MALLS = ((3, MallSpec(n_levels=1)), (5, MallSpec()))
_SCANS_PER_STORE = 40
_SHOPPERS = 25
_ON = date(2026, 4, 18)


def run() -> dict[str, Any]:
    """Figures by mall: with the beacons' map, without it, and the plain method's."""
    rows = []
    for seed, spec in _MALLS:
        world = make_world(seed, spec)
        venue = world.mall.venue
        model = train_venue(world.survey(scans_per_store=_SCANS_PER_STORE), venue, venue_id=venue.id).model
        scans = hear_beacons_alone(list(shopper_scans(world, n_shoppers=_SHOPPERS, on=_ON))) or []
        found = evaluate(LightLocator((model,)), model, scans).to_json()
        blind = evaluate(LightLocator((replace(model, beacons=None),)), model, scans).to_json()
        plain = found["baseline"]
        rows.append(
            {
                "mall": seed,
                "stores": len(venue.stores),
                "beacons": 0 if model.beacons is None else len(model.beacons.radio_map.transmitters),
                "scans": len(scans),
                "answered_without_it": blind["answered"],
                **{name: found[name] for name in ("answered", "floor_percent", "error_m", "front", "set_coverage")},
                "plain": {name: plain[name] for name in ("answered", "error_m", "front")},
            }
        )
    return {"rows": rows}


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
