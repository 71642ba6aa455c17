"""The full locator on the hardness bench's malls: other phones, a later date, five seeds that no ranker was trained on.

The malls, surveys and scans are made as in ``hardness.py``: 20 to 60 scans a store by 3 phones, then 8 a store by 12
others when radios have aged. Beside it the light locator and the plain reference, from the same run; then every phone
10 dB louder or quieter, and 40 % of the radios silent; and the survey's own phones at its date, with all radios and
with 40 % of them silent. Simulated figures rank methods; they promise nothing for a mall.

Run it with ``atrium bench ranker`` or ``python -m benchmarks.ranker``; about 5 minutes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fingerprints.scan import LabelledScan, Scan
from kernel.ids import VenueId
from positioning.evaluate import evaluate
from positioning.full import FullLocator
from positioning.light import LightLocator
from positioning.ports import Locator
from positioning.train import train_venue
from runtime.rankers import load_ranker, name_ranker
from sim.listening import Crowd, PhoneRadio, draw_phones
from sim.mall import make_mall
from sim.phones import label
from sim.presets import TABLE_MALL
from sim.radio import RadioField, aged, make_radio_field
from sim.radio_spec import Ageing, RadioSpec
from sim.survey import SURVEY_AT
from venues.model import Venue

SEEDS = (1, 2, 3, 4, 5)
_SURVEY_SCANS = (20, 60)
_TEST_SCANS = 8
_OFFSETS_DB = (-10.0, -5.0, 5.0, 10.0)
_SILENT_SHARE = 0.4


def run(seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """Figures by seed and their means, percent but for the ECE."""
    return over_seeds([measure(seed) for seed in seeds])


def over_seeds(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Each case's figures by seed, and their means."""
    cases = {name: value for name, value in rows[0].items() if isinstance(value, dict)}
    means = {
        case: {key: float(np.mean([row[case][key] for row in rows])) for key in figures}
        for case, figures in cases.items()
    }
    return {"ranker": name_ranker(load_ranker()), "mean": means, "seeds": rows}


def measure(seed: int) -> dict[str, Any]:
    """One mall."""
    mall = make_aged_mall(seed)
    venue, survey, test = mall.venue, mall.survey, mall.test
    ranker = load_ranker()
    model = train_venue(survey, venue, venue_id=VenueId(venue.id), ranker=ranker).model
    full, light = FullLocator((model,), ranker), LightLocator((model,))

    def figures(locator: Locator, scans: Sequence[LabelledScan]) -> dict[str, float]:
        found = evaluate(locator, model, scans)
        mine, plain = found.figures, found.baseline
        assert mine.front is not None and plain.front is not None and mine.recall20 is not None
        assert mine.ece is not None and mine.set_coverage is not None and mine.set_size is not None
        return {
            "top1": mine.front.top1,
            "top3": mine.front.top3,
            "recall20": mine.recall20,
            "ece": mine.ece,
            "set_coverage": mine.set_coverage,
            "set_size": mine.set_size,
            "wknn_top1": plain.front.top1,
            "wknn_top3": plain.front.top3,
        }

    out: dict[str, Any] = {"seed": seed, "full": figures(full, test), "light": figures(light, test)}
    for offset_db in _OFFSETS_DB:
        out[f"full, {offset_db:+g} dB"] = figures(full, [_louder(item, offset_db) for item in test])
    out["full, 40 % silent"] = figures(full, _silenced(test, np.random.default_rng([seed, 8])))
    out["full, as surveyed"] = figures(full, mall.as_surveyed)
    out["full, as surveyed, 40 % silent"] = figures(full, _silenced(mall.as_surveyed, np.random.default_rng([seed, 8])))
    return out


@dataclass(frozen=True)
class AgedMall:
    """A mall, its survey, and the scans asked when its radios had aged (``later``); ``as_surveyed`` are others of the
    survey's phones at its date."""

    venue: Venue
    survey: list[LabelledScan]
    test: list[LabelledScan]
    as_surveyed: list[LabelledScan]
    later: RadioField
    cells: "Cells"
    spec: RadioSpec


def make_scans(
    seed: int, asking: Sequence[PhoneRadio] | None = None
) -> tuple[Venue, list[LabelledScan], list[LabelledScan]]:
    """A mall, its survey and the scans asked, as of ``make_aged_mall``."""
    mall = make_aged_mall(seed, asking)
    return mall.venue, mall.survey, mall.test


def make_aged_mall(seed: int, asking: Sequence[PhoneRadio] | None = None) -> AgedMall:
    """The mall of a seed.

    Args:
        asking: the phones that are asked about; by default twelve are drawn from the seed.
    """
    spec = RadioSpec(stale_ratio=0.0)
    venue = make_mall(TABLE_MALL, np.random.default_rng([seed, 0])).venue
    field = make_radio_field(venue, spec, np.random.default_rng([seed, 1]))
    later = aged(field, venue, Ageing(), np.random.default_rng([seed, 6]))
    rng = np.random.default_rng([seed, 2])
    cells = Cells.of(venue, field)
    n_stores = len(cells.of_store)
    per_store = rng.integers(*_SURVEY_SCANS, n_stores, endpoint=True)
    phones = draw_phones(3, spec, rng)
    survey = scan_stores(venue, field, cells, per_store, phones, rng, "s")
    asked = np.full(n_stores, _TEST_SCANS)
    others = draw_phones(12, spec, rng) if asking is None else asking
    test = scan_stores(venue, later, cells, asked, others, rng, "t")
    as_surveyed = scan_stores(venue, field, cells, asked, phones, np.random.default_rng([seed, 9]), "a")
    return AgedMall(venue, survey, test, as_surveyed, later, cells, spec)


@dataclass(frozen=True)
class Cells:
    """Where one can stand in each store."""

    level_index: NDArray[np.int64]
    of_store: list[NDArray[np.int64]]

    @staticmethod
    def of(venue: Venue, field: RadioField) -> "Cells":
        number = {level.id: i for i, level in enumerate(venue.levels)}
        level_index = np.array([number[store.level_id] for store in venue.stores], dtype=np.int64)
        flat = field.grid.store_of.reshape(field.grid.n_levels, -1)
        return Cells(level_index, [np.flatnonzero(flat[level] == i) for i, level in enumerate(level_index)])


def scan_stores(
    venue: Venue,
    field: RadioField,
    cells: Cells,
    per_store: NDArray[np.int64],
    phones: Sequence[PhoneRadio],
    rng: np.random.Generator,
    prefix: str,
    at: datetime = SURVEY_AT,
) -> list[LabelledScan]:
    """Scans at places drawn evenly, from ``at`` on; a walk is one phone in one store."""
    store = np.repeat(np.arange(len(cells.of_store)), per_store)
    cell = np.array([rng.choice(cells.of_store[i]) for i in store])
    xy_m = field.grid.centres_xy_m()[cell]
    who = rng.integers(0, len(phones), len(store))
    level = cells.level_index[store]
    readings = field.readings(field.hear(level, xy_m, Crowd(phones), rng, who=who), rng)
    places = zip(level.tolist(), xy_m.tolist(), store.tolist(), who.tolist(), strict=True)
    return [
        label(
            venue,
            f"{prefix}-{phone}",
            i,
            at + timedelta(seconds=i),
            (floor, (x, y), inside),
            readings[i],
            f"{prefix}-{phone}-{inside}",
        )
        for i, (floor, (x, y), inside, phone) in enumerate(places)
    ]


def _louder(item: LabelledScan, offset_db: float) -> LabelledScan:
    readings = tuple(replace(r, rssi_dbm=r.rssi_dbm + offset_db) for r in item.scan.readings)
    return replace(item, scan=replace(item.scan, readings=readings))


def _silenced(scans: Sequence[LabelledScan], rng: np.random.Generator) -> list[LabelledScan]:
    """The same radios silent in all scans."""
    heard = sorted({reading.transmitter for item in scans for reading in item.scan.readings})
    silent = {name for name, share in zip(heard, rng.random(len(heard)), strict=True) if share < _SILENT_SHARE}

    def without(scan: Scan) -> Scan:
        return replace(scan, readings=tuple(r for r in scan.readings if r.transmitter not in silent))

    return [replace(item, scan=without(item.scan)) for item in scans]


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
