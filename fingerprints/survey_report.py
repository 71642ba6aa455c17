"""What a survey covers: scans by store and level, walks, phones, transmitters, and the stores nobody went to."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fingerprints.scan import LabelledScan
from kernel.ids import LevelId, StoreId
from venues.index import VenueIndex
from venues.model import Venue


@dataclass(frozen=True, slots=True)
class StoreCoverage:
    """Survey scans in or before one store front; ``n_inside`` of them inside its polygon (or so labelled)."""

    store_id: StoreId
    store_name: str
    level: str
    n_scans: int
    n_inside: int


@dataclass(frozen=True, slots=True)
class LevelCoverage:
    """Survey scans on one level, as the survey names it; ``is_on_map`` whether the venue has such a level."""

    building: str | None
    level: str | None
    n_scans: int
    is_on_map: bool


@dataclass(frozen=True, slots=True)
class SurveyReport:
    """The survey in plain numbers. ``stores`` holds surveyed and unsurveyed ones; the latter also stand apart."""

    n_scans: int
    n_without_readings: int
    n_walks: int
    n_phones: int
    n_transmitters: int
    n_transmitters_heard_once: int
    readings_per_scan: float
    levels: tuple[LevelCoverage, ...]
    stores: tuple[StoreCoverage, ...]
    never_surveyed: tuple[StoreCoverage, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def survey_report(
    scans: Sequence[LabelledScan], venue: Venue | None = None, index: VenueIndex | None = None
) -> SurveyReport:
    """Count a survey. Stores are counted where the venue has any; its ``index`` is made where not given.

    A scan belongs to the store its label names, else to the front nearest to its place on its level.
    """
    heard = Counter(reading.transmitter for item in scans for reading in item.scan.readings)
    by_level = Counter((item.truth.building, item.truth.level) for item in scans)
    on_map = set() if venue is None else {level.short_name for level in venue.levels}
    stores = () if venue is None or not venue.stores else _stores(scans, venue, index or VenueIndex(venue))
    return SurveyReport(
        n_scans=len(scans),
        n_without_readings=sum(not item.scan.readings for item in scans),
        n_walks=len({item.walk for item in scans if item.walk is not None}),
        n_phones=len({item.scan.device_id for item in scans if item.scan.device_id is not None}),
        n_transmitters=len(heard),
        n_transmitters_heard_once=sum(count == 1 for count in heard.values()),
        readings_per_scan=sum(heard.values()) / len(scans) if scans else 0.0,
        levels=tuple(
            LevelCoverage(building, level, count, level in on_map)
            for (building, level), count in sorted(by_level.items(), key=lambda kv: (kv[0][0] or "", kv[0][1] or ""))
        ),
        stores=stores,
        never_surveyed=tuple(store for store in stores if store.n_scans == 0),
    )


def _stores(scans: Sequence[LabelledScan], venue: Venue, index: VenueIndex) -> tuple[StoreCoverage, ...]:
    level_ids: dict[str, LevelId] = {level.short_name: level.id for level in venue.levels}
    names = {level.id: level.short_name for level in venue.levels}
    at = {store.id: i for i, store in enumerate(venue.stores)}
    before = np.zeros(len(venue.stores), dtype=np.int64)
    inside = np.zeros(len(venue.stores), dtype=np.int64)
    unlabelled: dict[LevelId, list[tuple[float, float]]] = {}
    for item in scans:
        truth = item.truth
        if truth.store_id is not None and truth.store_id in at:
            before[at[truth.store_id]] += 1
            inside[at[truth.store_id]] += 1
        elif truth.level in level_ids:
            unlabelled.setdefault(level_ids[truth.level], []).append((truth.lon_deg, truth.lat_deg))
    for level_id, lon_lat_deg in unlabelled.items():
        if not any(store.level_id == level_id for store in venue.stores):
            continue
        xy_m = venue.frame.to_xy_m(lon_lat_deg)
        around = index.store_at(level_id, xy_m)
        nearest = index.nearest_fronts(level_id, xy_m, 1)[0][:, 0]
        front = np.where(around >= 0, around, nearest)
        np.add.at(before, front[front >= 0], 1)
        np.add.at(inside, around[around >= 0], 1)
    return tuple(
        StoreCoverage(store.id, store.name, names[store.level_id], int(before[i]), int(inside[i]))
        for i, store in enumerate(venue.stores)
    )
