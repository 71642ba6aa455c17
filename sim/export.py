"""What a simulated world looks like as files: survey and shopper scans as labelled NDJSON lines."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from fingerprints.scan import LabelledScan
from fingerprints.wire import scan_to_json
from sim.dates import SURVEY_DAY, number_day
from sim.listening import Crowd, PhoneRadio
from sim.phones import SCAN_PERIOD_S, label
from sim.radio import RadioField
from sim.world import World

Kind: TypeAlias = Literal["survey", "shoppers"]


@dataclass(frozen=True)
class Export:
    """A set of labelled scans to be written, and what made it.

    Attributes:
        radio: the radios of the date.
        phones: each phone of the set by its device id. Survey phones and shoppers' phones are drawn from streams of
            their own: no shopper has a phone of the survey's. Both are the same on each date they come.
        scans: can be read once.
    """

    kind: Kind
    on: date
    radio: RadioField
    phones: Mapping[str, PhoneRadio]
    scans: Iterator[LabelledScan]


def ndjson_line(item: LabelledScan) -> bytes:
    """One labelled scan as ``survey import --format ndjson`` and ``evaluate`` read it."""
    return msgspec.json.encode(scan_to_json(item.scan, item.truth, item.walk)) + b"\n"


def ndjson_lines(scans: Iterable[LabelledScan]) -> Iterator[bytes]:
    """One labelled scan a line."""
    return map(ndjson_line, scans)


def export_survey(world: World, *, phones: int = 3, scans_per_store: int = 45, on: date = SURVEY_DAY) -> Export:
    """The world's survey of a date, for ``sim export-survey``."""
    radio = world.radio_on(on)
    scans = world.survey(phones=phones, scans_per_store=scans_per_store, on=on, radio=radio)
    listeners = {f"survey-{i}": phone for i, phone in enumerate(world.survey_phones(phones))}
    return Export("survey", on, radio, listeners, iter(scans))


def export_shoppers(world: World, *, n_shoppers: int = 100, on: date) -> Export:
    """All scans of a date's shoppers who follow their plans, shopper by shopper, for ``sim export-scans``.

    A walk is a shopper's day. The scans are made as they are read.
    """
    radio = world.radio_on(on)
    day = number_day(on)
    shoppers = world.shoppers(day, n_shoppers, SCAN_PERIOD_S)
    spec = world.mall.spec
    opens_at = datetime.combine(on, datetime.min.time(), UTC) + timedelta(hours=spec.opens_hour - spec.utc_offset_h)

    def hear() -> Iterator[LabelledScan]:
        for shopper in shoppers:
            first = int(np.ceil((shopper.arrives_s - shopper.scan_phase_s) / SCAN_PERIOD_S))
            last = int(np.floor((shopper.leaves_s - shopper.scan_phase_s) / SCAN_PERIOD_S))
            times = np.arange(first, last + 1, dtype=np.float64) * SCAN_PERIOD_S + shopper.scan_phase_s
            rng = world.person_rng(day, shopper.index)
            level_index, xy_m = shopper.trajectory.at(times)
            store_index = world.graph.grid.store_at(level_index, xy_m)
            at_ms = np.rint(times * 1000.0).astype(np.int64)
            crowd = Crowd([shopper.radio], int(rng.integers(2**63)))
            heard = radio.hear(level_index, xy_m, crowd, rng, who=np.zeros(len(times)), at_ms=at_ms)
            for number, (ms, readings) in enumerate(zip(at_ms.tolist(), radio.readings(heard, rng), strict=True)):
                at = opens_at + timedelta(milliseconds=ms)
                place = (int(level_index[number]), tuple(xy_m[number].tolist()), int(store_index[number]))
                yield label(world.mall.venue, shopper.device_id, number, at, place, readings, walk=shopper.walk_on(on))

    return Export("shoppers", on, radio, {shopper.device_id: shopper.radio for shopper in shoppers}, hear())


def survey_lines(world: World, *, phones: int = 3, scans_per_store: int = 45, on: date = SURVEY_DAY) -> Iterator[bytes]:
    """The lines of ``export_survey``."""
    return ndjson_lines(export_survey(world, phones=phones, scans_per_store=scans_per_store, on=on).scans)


def shopper_scans(world: World, *, n_shoppers: int = 100, on: date) -> Iterator[LabelledScan]:
    """The scans of ``export_shoppers``."""
    return export_shoppers(world, n_shoppers=n_shoppers, on=on).scans


def scan_lines(world: World, *, n_shoppers: int = 100, on: date) -> Iterator[bytes]:
    """The lines of ``export_shoppers``."""
    return ndjson_lines(shopper_scans(world, n_shoppers=n_shoppers, on=on))
