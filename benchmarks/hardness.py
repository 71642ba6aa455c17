"""Is the simulator hard enough to believe? Plain methods on the published table's malls, beside its figures.

Five levels of 120 x 72 m, about 200 stores, 400 access points; a survey of 20 to 60 scans a store by 3 phones; 8 scans
a store, at places drawn evenly, by 12 other phones at a later date, when radios have aged. Two plain methods, store
classes, every constant of the project's research page (section 2), none of it chosen here: weighted nearest neighbours
(Sørensen on powed RSSI, k = 11) and Gaussian naive Bayes. Outside the bands no figure from the simulator counts.

Run it with ``atrium bench hardness`` or ``python -m benchmarks.hardness``; about 4 minutes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.grid import CellGrid
from sim.listening import Crowd, Heard, PhoneRadio, draw_phones
from sim.mall import make_mall
from sim.presets import TABLE_MALL
from sim.radio import RadioField, aged, make_radio_field
from sim.radio_spec import Ageing, RadioSpec
from venues.model import Venue

SEEDS = (1, 2, 3, 4, 5)
BANDS_PERCENT = {"wknn": (82.0, 86.0), "naive_bayes": (79.0, 84.0)}
"""Where the mean over the seeds must lie: new phones, later date."""
TABLE_PERCENT = {
    "same phones, same date": {"wknn": 88.7, "naive_bayes": 87.8},
    "new phones, later date": {"wknn": 84.4, "naive_bayes": 81.9},
}
_SURVEY_SCANS = (20, 60)
_TEST_SCANS = 8
_K = 11
_MIN_DETECTIONS = 5


def run(seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """Figures by seed, their means, and whether the means lie within the bands."""
    rows = [measure(seed) for seed in seeds]
    means = {
        case: {name: float(np.mean([row[case][name] for row in rows])) for name in BANDS_PERCENT}
        for case in TABLE_PERCENT
    }
    later = means["new phones, later date"]
    return {
        "mean_top1_percent": means,
        "table_top1_percent": TABLE_PERCENT,
        "bands_percent": BANDS_PERCENT,
        "within_bands": {name: low <= later[name] <= high for name, (low, high) in BANDS_PERCENT.items()},
        "seeds": rows,
    }


def measure(seed: int) -> dict[str, Any]:
    """One mall, surveyed and asked twice: by its survey's phones at once, by others later."""
    spec = RadioSpec(stale_ratio=0.0)  # each scan is of a moment of its own, as in the table
    venue = make_mall(TABLE_MALL, np.random.default_rng([seed, 0])).venue
    field = make_radio_field(venue, spec, np.random.default_rng([seed, 1]))
    later = aged(field, venue, Ageing(), np.random.default_rng([seed, 6]))
    rng = np.random.default_rng([seed, 2])
    spots = _Spots.of(venue, field.grid)
    phones = draw_phones(3, spec, rng)
    survey = _scan(field, spots, rng.integers(_SURVEY_SCANS[0], _SURVEY_SCANS[1] + 1, spots.n_stores), phones, rng)
    same = _scan(field, spots, np.full(spots.n_stores, _TEST_SCANS), phones, rng)
    new = _scan(later, spots, np.full(spots.n_stores, _TEST_SCANS), draw_phones(12, spec, rng), rng)
    plain = _Plain.fit(survey, spots.n_stores)
    readings = np.diff(survey.heard.indptr)
    return {
        "seed": seed,
        "n_stores": spots.n_stores,
        "n_survey": len(survey.store),
        "n_test": len(new.store),
        "readings_a_scan_5_50_95": np.percentile(readings, (5, 50, 95)).tolist(),
        "same phones, same date": plain.score(same),
        "new phones, later date": plain.score(new),
    }


@dataclass(frozen=True)
class _Spots:
    """Where one can stand in each store: cells of its level."""

    grid: CellGrid
    level_index: NDArray[np.int64]
    cells: list[NDArray[np.int64]]

    @property
    def n_stores(self) -> int:
        return len(self.cells)

    @staticmethod
    def of(venue: Venue, grid: CellGrid) -> "_Spots":
        number = {level.id: i for i, level in enumerate(venue.levels)}
        level_index = np.array([number[store.level_id] for store in venue.stores], dtype=np.int64)
        flat = grid.store_of.reshape(grid.n_levels, -1)
        return _Spots(grid, level_index, [np.flatnonzero(flat[level] == i) for i, level in enumerate(level_index)])


@dataclass(frozen=True)
class _Scans:
    """Scans with the store each was taken in; transmitters by their ids, since numbers differ between dates."""

    store: NDArray[np.int64]
    heard: Heard
    ids: tuple[str, ...]


def _scan(
    field: RadioField,
    spots: _Spots,
    per_store: NDArray[np.int64],
    phones: Sequence[PhoneRadio],
    rng: np.random.Generator,
) -> _Scans:
    store = np.repeat(np.arange(spots.n_stores), per_store)
    cell = np.array([rng.choice(spots.cells[i]) for i in store])
    xy_m = spots.grid.centres_xy_m()[cell]
    who = rng.integers(0, len(phones), len(store))
    heard = field.hear(spots.level_index[store], xy_m, Crowd(phones), rng, who=who)
    return _Scans(store, heard, tuple(field.transmitters.ids))


@dataclass(frozen=True)
class _Plain:
    """A survey as both methods need it. Formulas: research page, section 2."""

    store: NDArray[np.int64]
    column: dict[str, int]
    powed: NDArray[np.float32]
    mean_dbm: NDArray[np.float64]
    sd_db: NDArray[np.float64]
    absent: NDArray[np.float64]
    heard_instead: NDArray[np.float64]

    @staticmethod
    def fit(survey: _Scans, n_stores: int) -> "_Plain":
        heard, scan = survey.heard, survey.heard.scan
        known = np.flatnonzero(np.bincount(heard.transmitter, minlength=len(survey.ids)) >= _MIN_DETECTIONS)
        place = np.full(len(survey.ids), -1)
        place[known] = np.arange(len(known))
        kept = place[heard.transmitter] >= 0
        item, rssi, row = place[heard.transmitter[kept]], heard.rssi_dbm[kept].astype(np.float64), scan[kept]
        powed = np.zeros((len(known), len(survey.store)), dtype=np.float32)
        powed[item, row] = _powed(rssi)
        cell = (survey.store[row], item)
        count, total, squares = (np.zeros((n_stores, len(known))) for _ in range(3))
        np.add.at(count, cell, 1.0)
        np.add.at(total, cell, rssi)
        np.add.at(squares, cell, rssi**2)
        some = np.maximum(count, 1.0)
        variance = np.where(count > 0, squares / some - (total / some) ** 2, 0.0)
        share = np.clip(np.bincount(item, minlength=len(known)) / len(survey.store), 0.001, 0.9)
        scans = np.bincount(survey.store, minlength=n_stores)[:, None]
        detected = np.clip((count + 0.5 * share + 0.02) / (scans + 0.6), 0.003, 0.97)
        return _Plain(
            survey.store,
            {survey.ids[known[i]]: i for i in range(len(known))},
            powed,
            (total - 86.0) / (count + 1.0),
            np.sqrt(np.maximum((variance * count + 6.0 * 6.0**2) / (count + 6.0), 3.5**2)),
            np.log1p(-detected).sum(axis=1),
            np.log(detected) - np.log1p(-detected),
        )

    def score(self, asked: _Scans) -> dict[str, float]:
        """Percent of scans whose store each method names."""
        column = np.array([self.column.get(name, -1) for name in asked.ids])
        sums = self.powed.sum(axis=0)
        right = {"wknn": 0, "naive_bayes": 0}
        for i, true in enumerate(asked.store.tolist()):
            at = slice(int(asked.heard.indptr[i]), int(asked.heard.indptr[i + 1]))
            item = column[asked.heard.transmitter[at]]
            rssi = asked.heard.rssi_dbm[at][item >= 0].astype(np.float64)
            item = item[item >= 0]
            right["wknn"] += self._neighbours(item, rssi, sums) == true
            right["naive_bayes"] += self._bayes(item, rssi) == true
        return {name: 100.0 * n / len(asked.store) for name, n in right.items()}

    def _neighbours(self, item: NDArray[np.int64], rssi: NDArray[np.float64], sums: NDArray[np.float32]) -> int:
        mine = _powed(rssi)
        distance = 1.0 - 2.0 * np.minimum(self.powed[item], mine[:, None]).sum(axis=0) / (sums + mine.sum())
        nearest = np.argpartition(distance, _K)[:_K]
        return int(np.bincount(self.store[nearest], weights=1.0 / (distance[nearest] ** 2 + 1e-4)).argmax())

    def _bayes(self, item: NDArray[np.int64], rssi: NDArray[np.float64]) -> int:
        sd_db = self.sd_db[:, item]
        signal = -0.5 * ((rssi - self.mean_dbm[:, item]) / sd_db) ** 2 - np.log(sd_db)
        return int((signal.sum(axis=1) + self.absent + self.heard_instead[:, item].sum(axis=1)).argmax())


def _powed(rssi_dbm: NDArray[np.float64]) -> NDArray[np.float32]:
    weight: NDArray[np.float32] = ((np.maximum(rssi_dbm + 100.0, 1.0) / 60.0) ** 1.6).astype(np.float32)
    return weight


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
