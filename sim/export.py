"""What a simulated world looks like as files: survey and shopper scans as labelled NDJSON lines."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np

from fingerprints.scan import LabelledScan
from fingerprints.wire import scan_to_json
from sim.dates import FIRST_DAY
from sim.phones import SCAN_PERIOD_S, label
from sim.radio import Crowd
from sim.world import World


def ndjson_lines(scans: Iterable[LabelledScan]) -> Iterator[bytes]:
    """One labelled scan a line, as ``survey import --format ndjson`` and ``evaluate`` read them."""
    for item in scans:
        yield msgspec.json.encode(scan_to_json(item.scan, item.truth, item.walk)) + b"\n"


def survey_lines(world: World, *, phones: int = 3, scans_per_store: int = 45) -> Iterator[bytes]:
    """The world's survey, for ``sim export-survey``."""
    return ndjson_lines(world.survey(phones=phones, scans_per_store=scans_per_store))


def shopper_scans(world: World, *, n_shoppers: int = 100, on: date) -> Iterator[LabelledScan]:
    """All scans of a day's shoppers who follow their plans, shopper by shopper; a walk is a shopper's day."""
    day = (on - FIRST_DAY).days
    spec = world.mall.spec
    opens_at = datetime.combine(on, datetime.min.time(), UTC) + timedelta(hours=spec.opens_hour - spec.utc_offset_h)
    for shopper in world.shoppers(day, n_shoppers, SCAN_PERIOD_S):
        first = int(np.ceil((shopper.arrives_s - shopper.scan_phase_s) / SCAN_PERIOD_S))
        last = int(np.floor((shopper.leaves_s - shopper.scan_phase_s) / SCAN_PERIOD_S))
        times = np.arange(first, last + 1, dtype=np.float64) * SCAN_PERIOD_S + shopper.scan_phase_s
        rng = world.person_rng(day, shopper.index)
        level_index, xy_m = shopper.trajectory.at(times)
        store_index = world.graph.grid.store_at(level_index, xy_m)
        at_ms = np.rint(times * 1000.0).astype(np.int64)
        heard = world.radio.hear(
            level_index,
            xy_m,
            Crowd([shopper.radio], int(rng.integers(2**63))),
            rng,
            who=np.zeros(len(times)),
            at_ms=at_ms,
        )
        for number, (ms, readings) in enumerate(zip(at_ms.tolist(), world.radio.readings(heard, rng), strict=True)):
            at = opens_at + timedelta(milliseconds=ms)
            place = (int(level_index[number]), tuple(xy_m[number].tolist()), int(store_index[number]))
            yield label(world.mall.venue, shopper.device_id, number, at, place, readings, walk=shopper.walk_on(on))


def scan_lines(world: World, *, n_shoppers: int = 100, on: date) -> Iterator[bytes]:
    """A day's scans, for ``sim export-scans``."""
    return ndjson_lines(shopper_scans(world, n_shoppers=n_shoppers, on=on))
