"""What wake sets are worth in simulated malls: ``python -m benchmarks.wake_sets [--seeds 303 304 305]``.

Shoppers' phones hear what is there each 10 s; their own scans are spent in three ways, the same entries counted for
each: every 10 s; each 10 s while a transmitter of the set is heard at its threshold (Android's filters); and for 30 s
after one of them came into hearing (iOS's regions: not at its threshold in the 30 s before). An entry is a phone's
first instant in a store, or within 15 m of an entrance, after another place; it is caught when a scan falls within
30 s of it.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from fingerprints.scan import LabelledScan
from kernel.ids import VenueId
from positioning.model import VenueModel
from positioning.train import train_venue
from positioning.wake import PlaceKind, RadioKind, WakeSet, choose_wake_set
from sim.dates import SURVEY_DAY
from sim.export import shopper_scans
from sim.world import make_world
from venues.model import Venue

_WITHIN_S = 30.0


def wake_shares(venue: Venue, chosen: WakeSet, walks: Sequence[Sequence[LabelledScan]]) -> dict[str, float]:
    """Shares of entries caught and of scans spent, by both ways of waking."""
    totals = dict.fromkeys(("entries", "scans", "while_caught", "while_scans", "entering_caught", "entering_scans"), 0)
    threshold = {item.transmitter: item.threshold_dbm for item in chosen.transmitters}
    column = {transmitter: i for i, transmitter in enumerate(threshold)}
    for walk in walks:
        at_s = np.array([item.scan.at.timestamp() for item in walk])
        heard = np.zeros((len(walk), max(len(column), 1)), dtype=np.bool_)
        for i, item in enumerate(walk):
            for reading in item.scan.readings:
                if reading.rssi_dbm >= threshold.get(reading.transmitter, np.inf):
                    heard[i, column[reading.transmitter]] = True
        gap_s = at_s[:, None] - at_s[None, :]
        was_heard = ((gap_s > 0) & (gap_s <= _WITHIN_S)).astype(np.int64) @ heard > 0
        enters = (heard & ~was_heard).any(axis=1)
        spent = {
            "while": heard.any(axis=1),
            "entering": ((gap_s >= 0) & (gap_s <= _WITHIN_S) & enters[None, :]).any(axis=1),
        }
        entries = _entries(venue, chosen, walk)
        totals["entries"] += len(entries)
        totals["scans"] += len(walk)
        for name, scans in spent.items():
            totals[f"{name}_scans"] += int(scans.sum())
            totals[f"{name}_caught"] += sum(
                bool(scans[(at_s >= at_s[i]) & (at_s <= at_s[i] + _WITHIN_S)].any()) for i in entries
            )
    return {
        "entries": totals["entries"],
        **{
            f"{name}_{what}": totals[f"{name}_{what}"] / max(totals[of], 1)
            for name in ("while", "entering")
            for what, of in (("caught", "entries"), ("scans", "scans"))
        },
    }


def _entries(venue: Venue, chosen: WakeSet, walk: Sequence[LabelledScan]) -> list[int]:
    if chosen.kind == "store":
        where: list[object] = [item.truth.store_id for item in walk]
        return [i for i, store in enumerate(where) if store is not None and (i == 0 or where[i - 1] != store)]
    xy_m = venue.frame.to_xy_m([(item.truth.lon_deg, item.truth.lat_deg) for item in walk])
    is_near: NDArray[np.bool_] = np.zeros(len(walk), dtype=np.bool_)
    lines = {opening.id: opening.line for opening in venue.openings}
    for place in chosen.places:
        is_there = np.array([item.truth.level == place.level for item in walk])
        is_near |= is_there & np.asarray(shapely.dwithin(lines[place.id], shapely.points(xy_m), chosen.near_m))
    return [i for i in range(len(walk)) if is_near[i] and (i == 0 or not is_near[i - 1])]


def measure(seed: int, n_shoppers: int) -> list[tuple[str, WakeSet, dict[str, float]]]:
    """All kinds of sets in one mall; its shoppers' phones are other phones than the survey's."""
    world = make_world(seed)
    venue = world.mall.venue
    model: VenueModel = train_venue(world.survey(), venue, venue_id=VenueId("v")).model
    walks: dict[str | None, list[LabelledScan]] = {}
    for item in shopper_scans(world, n_shoppers=n_shoppers, on=SURVEY_DAY):
        walks.setdefault(item.walk, []).append(item)
    held = [sorted(walk, key=lambda item: item.scan.at) for walk in walks.values()]
    kinds: tuple[PlaceKind, ...] = ("entrance", "store")
    radios: tuple[RadioKind, ...] = ("any", "beacon")
    out = []
    for kind in kinds:
        for radio in radios:
            chosen = choose_wake_set(model, venue, kind=kind, limit=20, radio=radio)
            out.append((f"{kind}, {radio}", chosen, wake_shares(venue, chosen, held)))
    return out


def main() -> None:
    """Print a table, a row a mall and set."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[303, 304, 305])
    arguments.add_argument("--shoppers", type=int, default=40)
    asked = arguments.parse_args()
    print("each way: entries caught, scans spent")
    print("seed  set               n  covered  recall  false  entries |   while heard |      entering")
    for seed in asked.seeds:
        for name, chosen, found in measure(seed, asked.shoppers):
            print(
                f"{seed}  {name:16s} {len(chosen.transmitters):2d}  {len(chosen.covered):3d}/{len(chosen.places):2d}"
                f"  {chosen.recall or np.nan:6.2f} {chosen.false_share or np.nan:6.2f}  {found['entries']:7.0f} |"
                f" {found['while_caught']:6.2f} {found['while_scans']:6.2f} |"
                f" {found['entering_caught']:6.2f} {found['entering_scans']:6.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
