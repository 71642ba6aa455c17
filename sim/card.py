"""The data card of an exported set: what it holds, how it was made, what it is good for, as plain JSON values.

The questions are those of *Datasheets for Datasets* (Gebru and others, CACM 64 (12), 2021); ``card_text.py`` writes
them as Markdown with the front matter of a Hugging Face dataset card.
"""

import hashlib
import math
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from fingerprints.scan import LabelledScan
from sim.card_words import FIELDS, LICENCE, LIMITS, NOT_SIMULATED, SIMULATED, USES
from sim.dates import AGEING_PERIOD_DAYS, FIRST_DAY, SURVEY_DAY, ageing_days
from sim.export import Export
from sim.layout import MallSpec
from sim.phones import SCAN_PERIOD_S
from sim.world import World

_QUANTILES = {"min": 0.0, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}
_FRESH_MS = 5_000.0
_MOST_PHONES = 100
"""More are summed up only."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an export was asked for, in the words of the command line; ``version`` is that of the program."""

    command: str
    version: str
    mall: str
    radio: str


@dataclass
class Tally:
    """Counts the scans of a set as they go by: call ``add`` with each scan and its line, in the order of the file."""

    n_bytes: int = 0
    in_store: Counter[str] = field(default_factory=Counter)
    in_corridor: Counter[str] = field(default_factory=Counter)
    by_store: Counter[str] = field(default_factory=Counter)
    walks: set[str] = field(default_factory=set)
    transmitters: set[str] = field(default_factory=set)
    readings: list[int] = field(default_factory=list)
    fresh: list[int] = field(default_factory=list)
    rssi_dbm: Counter[int] = field(default_factory=Counter)
    first_at: datetime | None = None
    last_at: datetime | None = None

    def __post_init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, item: LabelledScan, line: bytes) -> None:
        self._hash.update(line)
        self.n_bytes += len(line)
        level, at = item.truth.level or "", item.scan.at
        if item.truth.store_id is None:
            self.in_corridor[level] += 1
        else:
            self.in_store[level] += 1
            self.by_store[item.truth.store_id] += 1
        self.walks.add(item.walk or "")
        self.transmitters.update(reading.transmitter for reading in item.scan.readings)
        self.readings.append(len(item.scan.readings))
        self.fresh.append(sum((reading.age_ms or 0.0) <= _FRESH_MS for reading in item.scan.readings))
        self.rssi_dbm.update(round(reading.rssi_dbm) for reading in item.scan.readings)
        self.first_at = at if self.first_at is None else min(self.first_at, at)
        self.last_at = at if self.last_at is None else max(self.last_at, at)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def make_card(world: World, export: Export, tally: Tally, recipe: Recipe, file_name: str) -> dict[str, Any]:
    """The card of a set whose scans have all gone through the tally; nothing in it hangs on when it is made."""
    return {
        "card_version": 1,
        "title": _title(world, export),
        "kind": export.kind,
        "is_simulated": True,
        "file": {
            "name": file_name,
            "format": "NDJSON, UTF-8, one labelled scan a line",
            "sha256": tally.sha256,
            "bytes": tally.n_bytes,
            "lines": len(tally.readings),
        },
        "made_by": {
            "program": "atrium",
            "version": recipe.version,
            "numpy": np.__version__,
            "command": recipe.command,
            "seed": world.seed,
        },
        "licence": LICENCE,
        "dates": _dates(world, export),
        "counts": _counts(world, export, tally),
        "phones": _phones(world, export),
        "mall": {"preset": recipe.mall, **_venue(world), "constants": asdict(world.mall.spec)},
        "radio": {"preset": recipe.radio, "constants": _finite(asdict(world.radio.spec))},
        "fields": [{"field": name, "unit": unit, "meaning": meaning} for name, unit, meaning in FIELDS],
        "simulated": list(SIMULATED),
        "not_simulated": list(NOT_SIMULATED),
        "uses": list(USES),
        "limits": list(LIMITS),
    }


def _title(world: World, export: Export) -> str:
    what = "Survey" if export.kind == "survey" else "Shoppers' scans"
    return f"{what} of a simulated mall, seed {world.seed}, {export.on}"


def _dates(world: World, export: Export) -> dict[str, Any]:
    hung, there = set(world.survey_radio.transmitters.ids), set(export.radio.transmitters.ids)
    days = ageing_days(export.on)
    return {
        "first_survey": SURVEY_DAY.isoformat(),
        "this_file": export.on.isoformat(),
        "radios_aged_times": len(days),
        "radios_aged_on": [day.isoformat() for day in days],
        "rule": f"once on {FIRST_DAY}, then each {AGEING_PERIOD_DAYS} days",
        "one_ageing": asdict(world.ageing),
        "transmitter_ids": {
            "on_first_survey": len(hung),
            "on_this_date": len(there),
            "kept": len(hung & there),
            "gone": len(hung - there),
            "new": len(there - hung),
        },
    }


def _counts(world: World, export: Export, tally: Tally) -> dict[str, Any]:
    levels = [level.short_name for level in world.mall.venue.levels]
    known = set(export.radio.transmitters.ids)
    per_store = [tally.by_store[store.id] for store in world.mall.venue.stores]
    return {
        "scans": len(tally.readings),
        "scans_in_stores": tally.in_store.total(),
        "scans_in_corridors": tally.in_corridor.total(),
        "by_level": {
            level: {"in_stores": tally.in_store[level], "in_corridors": tally.in_corridor[level]} for level in levels
        },
        "walks": len(tally.walks),
        "phones": len(export.phones),
        "stores": len(per_store),
        "stores_with_scans": sum(n > 0 for n in per_store),
        "scans_a_store": _quantiles(per_store),
        "readings": sum(tally.readings),
        "readings_a_scan": _quantiles(tally.readings),
        "readings_a_scan_at_most_5_s_old": _quantiles(tally.fresh),
        "rssi_dbm": _counted_quantiles(tally.rssi_dbm),
        "transmitters_heard": len(tally.transmitters & known),
        "hotspots_heard": len(tally.transmitters - known),
        "first_at": None if tally.first_at is None else _instant(tally.first_at),
        "last_at": None if tally.last_at is None else _instant(tally.last_at),
        "s_between_scans": None if export.kind == "survey" else SCAN_PERIOD_S,
    }


def _phones(world: World, export: Export) -> dict[str, Any]:
    spec = world.radio.spec
    phones = export.phones
    out: dict[str, Any] = {
        "drawn_from": {
            "offset_db": f"normal, mean 0, sd {spec.device_offset_sd_db:g}",
            "gain": f"normal, mean 1, sd {spec.device_gain_sd:g}",
            "sensitivity_dbm": f"uniform, {spec.sensitivity_dbm[0]:g} to {spec.sensitivity_dbm[1]:g}",
        },
        "read_as": "-65 + gain (power + 65) + offset, whole dBm, nothing under the sensitivity",
        "offset_db": _quantiles([phone.offset_db for phone in phones.values()], 2),
        "gain": _quantiles([phone.gain for phone in phones.values()], 3),
        "sensitivity_dbm": _quantiles([phone.sensitivity_dbm for phone in phones.values()], 1),
        "beside_other_sets": (
            "the survey's phones survey on each date; no shopper has one of them"
            if export.kind == "survey"
            else "none of these phones surveyed; people who come on several dates bring the same phone"
        ),
    }
    if len(phones) <= _MOST_PHONES:
        out["each"] = {
            name: {
                "offset_db": round(phone.offset_db, 3),
                "gain": round(phone.gain, 4),
                "sensitivity_dbm": round(phone.sensitivity_dbm, 2),
            }
            for name, phone in phones.items()
        }
    return out


def _venue(world: World) -> dict[str, Any]:
    venue = world.mall.venue
    return {
        "venue_id": venue.id,
        "name": venue.name,
        "levels": [level.short_name for level in venue.levels],
        "stores": len(venue.stores),
        "store_area_m2": _quantiles([store.area.area for store in venue.stores], 1),
        "frame": {
            "truth": "WGS 84 degrees, 8 decimals (about 1 mm)",
            "origin_lat": venue.frame.lat_deg,
            "origin_lng": venue.frame.lon_deg,
            "origin_is": f"{_origin(world)}; x east, y north in the map's local frame",
        },
        "time_zone": venue.time_zone,
    }


def _origin(world: World) -> str:
    return "south-west corner of the mall" if isinstance(world.mall.spec, MallSpec) else "the imported map's own origin"


def _finite(constants: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: None stands for a density of none."""
    return {
        name: None if isinstance(value, float) and math.isinf(value) else value for name, value in constants.items()
    }


def _quantiles(values: list[int] | list[float], digits: int = 0) -> dict[str, float] | None:
    if not len(values):
        return None
    found = np.quantile(np.asarray(values, dtype=np.float64), list(_QUANTILES.values()), method="inverted_cdf")
    return {
        name: round(value, digits) if digits else round(value)
        for name, value in zip(_QUANTILES, found.tolist(), strict=True)
    }


def _counted_quantiles(counts: Counter[int]) -> dict[str, float] | None:
    """As ``_quantiles`` of values that were counted, however many there are."""
    if not counts:
        return None
    values = np.array(sorted(counts))
    upto = np.cumsum([counts[int(value)] for value in values])
    at = np.searchsorted(upto, np.maximum(np.array(list(_QUANTILES.values())) * upto[-1], 1.0))
    return dict(zip(_QUANTILES, values[at].tolist(), strict=True))


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
