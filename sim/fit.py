"""Fit the radio model to a real survey: what a scan holds, how strong, how old, and how alike two scans are.

The simulated phone walks where the surveyor walked, at the same moments. Parameters are chosen so that both hear
alike by figures that know nothing of any locator: quantiles of the number of readings and of their power, and the
mean Sørensen distance of pairs of scans by how far apart they were taken, within one walk and between two.
How well a locator then does is for ``benchmarks/fidelity.py`` to say, and is no part of the fit.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import minimize

from fingerprints.scan import LabelledScan
from fingerprints.transmitters import is_beacon
from kernel.ids import TransmitterId
from sim.grid import CELL_M, make_grid
from sim.radio import Crowd, Heard, HearingTables, PhoneRadio, hear_at, mean_at
from sim.radio_spec import RadioSpec
from sim.shadowing import shadowing_fields
from sim.transmitters import Transmitters, make_transmitters
from venues.model import Venue

FRESH_MS = 5_000.0
_WEIGHT_FLOOR_DBM = -105.0
_N_PAIRS = 3_000
_MIN_DETECTIONS = 5
_MANAGED_IDS = 8
_STRIPE = 64
_LOWEST_DBM = -125.0
BETWEEN_M = ((0.0, 2.0), (2.0, 5.0), (5.0, 10.0), (10.0, 20.0), (20.0, 40.0))
"""Distances by which pairs of scans of different walks are put together."""
WITHIN_SCANS = (1, 2, 5, 10)
"""Lags by which pairs of scans of one walk are."""
FITTED: tuple[tuple[str, float, float], ...] = (
    ("power_db", -15.0, 15.0),
    ("path_exponent", 1.6, 4.5),
    ("wall_db", 0.0, 9.0),
    ("floor_db", 4.0, 30.0),
    ("shadowing_sd_db", 1.0, 10.0),
    ("fading_sd_db", 1.0, 9.0),
    ("slow_sd_db", 0.0, 9.0),
    ("slow_s", 3.0, 120.0),
    ("walk_miss_ratio", 0.0, 0.5),
    ("radio_miss_ratio", 0.0, 0.5),
    ("miss_ratio", 0.0, 0.5),
    ("stale_ratio", 0.0, 1.0),
)
"""What is fitted, and within which bounds; ``power_db`` is added to the power of all radios at 1 m."""


@dataclass(frozen=True)
class Protocol:
    """Where and when a survey scanned.

    Attributes:
        level_index, xy_m: (n,), (n, 2) in the venue's frame.
        at_ms: (n,) since the walk's first scan.
        walk: (n,) number of the walk; a walk's scans stand together, in the order of time.
        facing_rad: (n,) where the surveyor went; NaN for a walk of one scan.
    """

    level_index: NDArray[np.int64]
    xy_m: NDArray[np.float64]
    at_ms: NDArray[np.int64]
    walk: NDArray[np.int64]
    facing_rad: NDArray[np.float64]


@dataclass(frozen=True)
class HeardScans:
    """Readings of many scans, real or simulated, as CSR by scan and then by id."""

    indptr: NDArray[np.int64]
    transmitter: NDArray[np.int64]
    rssi_dbm: NDArray[np.float64]
    age_ms: NDArray[np.float64]


@dataclass(frozen=True)
class Likeness:
    """What two sets of scans are compared by.

    ``fresh``, ``listed``: quantiles 5, 25, 50, 75, 95 % of the readings a scan up to 5 s old, and of all.
    ``rssi_dbm``: the same quantiles of fresh readings' power, and 99 %.
    ``between``, ``within``: mean Sørensen distance of pairs by ``BETWEEN_M`` and ``WITHIN_SCANS``.
    """

    fresh: NDArray[np.float64]
    listed: NDArray[np.float64]
    rssi_dbm: NDArray[np.float64]
    between: NDArray[np.float64]
    within: NDArray[np.float64]

    def gap(self, other: "Likeness") -> float:
        """How unlike they are: mean squares of relative counts, of dB over 5, of distances over 0.03."""
        parts = (
            np.log((self.fresh + 1) / (other.fresh + 1)) / 0.15,
            np.log((self.listed + 1) / (other.listed + 1)) / 0.15,
            (self.rssi_dbm - other.rssi_dbm) / 3.0,
            (self.between - other.between) / 0.02,
            (self.within - other.within) / 0.02,
        )
        return float(np.mean([np.mean(part**2) for part in parts]))


@dataclass(frozen=True)
class Fit:
    """The parameters found, how they compare, and after how many trials."""

    spec: RadioSpec
    power_db: float
    real: Likeness
    simulated: Likeness
    gap: float
    n_trials: int

    def parameters(self) -> dict[str, float]:
        """All parameters of the radio model by name, ``power_db`` among them."""
        return {
            "power_db": self.power_db,
            **{name: value for name, value in asdict(self.spec).items() if name != "sensitivity_dbm"},
        }

    def likeness_rows(self) -> list[tuple[str, str, str]]:
        """What was compared, a figure a row: its name, the survey's, the simulation's."""
        names = {
            "fresh": "readings up to 5 s old, 5/25/50/75/95 %",
            "listed": "readings listed, 5/25/50/75/95 %",
            "rssi_dbm": "dBm of fresh readings, 5/25/50/75/95/99 %",
            "between": "distance to other walks' scans, within 2, 2-5, 5-10, 10-20, 20-40 m",
            "within": "distance to the walk's 1st, 2nd, 5th, 10th next scan",
        }
        return [
            (text, _listed(getattr(self.real, name)), _listed(getattr(self.simulated, name)))
            for name, text in names.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """For files: parameters, both sides' figures, the gap and the number of trials."""
        return {
            "parameters": self.parameters(),
            "survey": {name: value.tolist() for name, value in asdict(self.real).items()},
            "simulated": {name: value.tolist() for name, value in asdict(self.simulated).items()},
            "gap": self.gap,
            "n_trials": self.n_trials,
        }


def spec_for(venue: Venue, survey: Sequence[LabelledScan]) -> RadioSpec:
    """Where a fit begins: as many access points, ids and beacons as the survey heard, all else a guess.

    An access point of the mall's own sends many networks, whose addresses agree in their last three octets but for the
    last digit; eight or more make one. Of what is left every two addresses are one of a tenant's.
    """
    counts: dict[TransmitterId, int] = {}
    for item in survey:
        for reading in item.scan.readings:
            counts[reading.transmitter] = counts.get(reading.transmitter, 0) + 1
    heard = [name for name, n in counts.items() if n >= _MIN_DETECTIONS]
    addresses = [name for name in heard if not is_beacon(name) and not name.startswith("x-")]
    groups: dict[str, int] = {}
    for name in addresses:
        groups[name[9:16]] = groups.get(name[9:16], 0) + 1
    managed = [n for n in groups.values() if n >= _MANAGED_IDS]
    tenants = max(1, (len(addresses) - sum(managed)) // 2)
    area_m2 = sum(level.area.area for level in venue.levels)
    n_beacons = len(heard) - len(addresses)
    return RadioSpec(
        area_per_access_point_m2=area_m2 / tenants,
        max_ids_per_access_point=3,
        area_per_managed_m2=area_m2 / len(managed) if managed else float("inf"),
        managed_ids=int(np.median(managed)) if managed else 12,
        area_per_beacon_m2=area_m2 / n_beacons if n_beacons else float("inf"),
        wifi_2_power_1m_dbm=-27.0,
        wifi_5_power_1m_dbm=-33.0,
        path_exponent=2.7,
        fading_sd_db=3.0,
        slow_sd_db=3.0,
        slow_s=30.0,
        walk_miss_ratio=0.05,
        radio_miss_ratio=0.1,
        miss_ratio=0.1,
        stale_ratio=0.95,
        mean_age_ms=800.0,
        hotspots_per_scan=0.0,
    )


def protocol_of(survey: Sequence[LabelledScan], venue: Venue) -> tuple[Protocol, HeardScans]:
    """A survey's places and moments, and what it heard there; scans on levels that the map lacks are left out."""
    level_index = {level.short_name: i for i, level in enumerate(venue.levels)}
    kept = sort_by_walk(survey, venue)
    names = {name: i for i, name in enumerate(dict.fromkeys(item.walk for item in kept))}
    walk = np.array([names[item.walk] for item in kept], dtype=np.int64)
    xy_m = np.asarray(venue.frame.to_xy_m([(item.truth.lon_deg, item.truth.lat_deg) for item in kept]))
    at_s = np.array([item.scan.at.timestamp() for item in kept])
    starts = np.flatnonzero(np.r_[True, np.diff(walk) != 0])
    first_s = np.repeat(at_s[starts], np.diff(np.r_[starts, len(walk)]))
    known: dict[str, int] = {}
    rows = [
        (known.setdefault(reading.transmitter, len(known)), reading.rssi_dbm, reading.age_ms or 0.0)
        for item in kept
        for reading in item.scan.readings
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    indptr = np.concatenate([[0], np.cumsum([len(item.scan.readings) for item in kept])]).astype(np.int64)
    return (
        Protocol(
            np.array([level_index[item.truth.level or ""] for item in kept], dtype=np.int64),
            xy_m,
            np.rint((at_s - first_s) * 1000.0).astype(np.int64),
            walk,
            _facing(xy_m, walk),
        ),
        _by_id(HeardScans(indptr, table[:, 0].astype(np.int64), table[:, 1], table[:, 2])),
    )


def sort_by_walk(survey: Sequence[LabelledScan], venue: Venue) -> list[LabelledScan]:
    """The scans on the map's levels, walk by walk in the order of time: as ``protocol_of`` has them."""
    levels = {level.short_name for level in venue.levels}
    kept = [item for item in survey if item.truth.level in levels]
    return sorted(kept, key=lambda item: (item.walk or "", item.scan.at))


def compare(protocol: Protocol, heard: HeardScans) -> Likeness:
    """The figures of one set of scans."""
    counts, fresh = _counts(heard, np.inf), _counts(heard, FRESH_MS)
    quantiles = (5, 25, 50, 75, 95)
    weight = np.where(
        heard.age_ms <= FRESH_MS, (np.maximum(heard.rssi_dbm - _WEIGHT_FLOOR_DBM, 1.0) / 60.0) ** np.e, 0.0
    )
    rng = np.random.default_rng(0)
    between = [_mean_distance(heard, weight, pairs) for pairs in _pairs_between(protocol, rng)]
    within = [_mean_distance(heard, weight, _pairs_within(protocol, lag, rng)) for lag in WITHIN_SCANS]
    return Likeness(
        np.percentile(fresh, quantiles),
        np.percentile(counts, quantiles),
        np.percentile(heard.rssi_dbm[heard.age_ms <= FRESH_MS], (*quantiles, 99)),
        np.array(between),
        np.array(within),
    )


class Stage:
    """A venue's radios heard along a protocol, with any parameters: the geometry is computed once."""

    def __init__(self, venue: Venue, protocol: Protocol, spec: RadioSpec, seed: int) -> None:
        rng = np.random.default_rng([seed, 0])
        self.protocol, self.spec, self.seed = protocol, spec, seed
        grid = make_grid(venue)
        self.transmitters: Transmitters = make_transmitters(venue, spec, rng)
        masts, first = np.unique(self.transmitters.radio_mast, return_index=True)
        xyz_m, none = self.transmitters.radio_xyz_m[first], np.zeros(len(masts))
        free = replace(spec, path_exponent=0.0, wall_db=0.0, floor_db=0.0, atrium_db=0.0)

        def count(one: RadioSpec) -> NDArray[np.float32]:
            return -mean_at(venue, grid, one, xyz_m, none, protocol.level_index, protocol.xy_m, -np.inf)

        self._walls = count(replace(free, wall_db=1.0))
        self._slabs = count(replace(free, floor_db=1.0, atrium_db=spec.atrium_db / spec.floor_db))
        self._bels = count(replace(free, path_exponent=0.1))
        self._shadow = np.empty_like(self._walls)
        cell = grid.cell_of(protocol.xy_m)
        for level in range(grid.n_levels):
            here = np.flatnonzero(protocol.level_index == level)
            for low in range(0, len(masts) if len(here) else 0, _STRIPE):
                stripe = slice(low, min(low + _STRIPE, len(masts)))
                n = stripe.stop - stripe.start
                fields = shadowing_fields(n, grid.nx, grid.ny, CELL_M, 1.0, spec.shadowing_length_m, rng)
                self._shadow[here, stripe] = fields.reshape(n, -1)[:, cell[here]].T

    def hear(self, spec: RadioSpec, power_db: float, phone: PhoneRadio) -> Heard:
        """What the surveyor's phone hears at each place of the protocol."""
        of_mast = (
            spec.shadowing_sd_db * self._shadow
            - 10.0 * spec.path_exponent * self._bels
            - spec.wall_db * self._walls
            - spec.floor_db * self._slabs
        )
        _, mast = np.unique(self.transmitters.radio_mast, return_inverse=True)
        mean = of_mast[:, mast] + (self.transmitters.power_1m_dbm + power_db).astype(np.float32)
        mean[mean < _LOWEST_DBM] = np.nan
        protocol, n_walks = self.protocol, int(self.protocol.walk.max()) + 1
        tables = HearingTables.of(mean, protocol.xy_m, self.transmitters)
        return hear_at(
            tables,
            spec,
            np.arange(len(mean), dtype=np.int64),
            Crowd([phone] * n_walks, self.seed),
            np.random.default_rng([self.seed, 1]),
            who=protocol.walk,
            at_ms=protocol.at_ms,
            facing_rad=protocol.facing_rad,
        )


def fit_radio(
    venue: Venue,
    survey: Sequence[LabelledScan],
    start: RadioSpec,
    *,
    seed: int = 1,
    trials: int = 150,
    progress: Callable[[int, float], None] | None = None,
) -> Fit:
    """Choose the parameters of ``FITTED`` so that simulated scans are like the survey's (Nelder and Mead, 1965).

    The survey's phone is taken as it is: its offset is part of the power, its sensitivity the weakest power in it.

    Args:
        start: densities, ids and all that is not fitted; the first trial.
        progress: told the number of trials done and the least gap so far.
    """
    protocol, heard = protocol_of(survey, venue)
    real = compare(protocol, heard)
    phone = PhoneRadio(0.0, 1.0, float(np.percentile(heard.rssi_dbm, 0.5)))
    stage = Stage(venue, protocol, start, seed)
    low, high = (np.array([bound[i] for bound in FITTED], dtype=np.float64) for i in (1, 2))
    best: tuple[float, NDArray[np.float64], Likeness] | None = None
    n = 0

    def gap(x: NDArray[np.float64]) -> float:
        nonlocal best, n
        found = compare(protocol, as_scans(stage.hear(*_with(start, _inside(x, low, high)), phone)))
        value = real.gap(found)
        n += 1
        if best is None or value < best[0]:
            best = (value, _inside(x, low, high), found)
        if progress is not None:
            progress(n, best[0])
        return value

    first = np.array([0.0 if name == "power_db" else getattr(start, name) for name, _, _ in FITTED])
    x = (np.clip(first, low, high) - low) / (high - low)
    simplex = np.vstack(
        [x, *(np.where(np.arange(len(x)) == i, np.where(x > 0.6, x - 0.2, x + 0.2), x) for i in range(len(x)))]
    )
    minimize(gap, x, method="Nelder-Mead", options={"maxfev": trials, "initial_simplex": simplex, "adaptive": True})
    assert best is not None
    spec, power_db = _with(start, best[1])
    return Fit(spec, power_db, real, best[2], best[0], n)


def as_scans(heard: Heard) -> HeardScans:
    """Simulated readings as they are compared."""
    return HeardScans(
        heard.indptr.astype(np.int64),
        heard.transmitter.astype(np.int64),
        heard.rssi_dbm.astype(np.float64),
        heard.age_ms.astype(np.float64),
    )


def _inside(x: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """From the unit cube to the bounds; what lies beyond is folded back, so that the search may step over."""
    folded = np.abs((x + 1.0) % 2.0 - 1.0)
    return low + folded * (high - low)


def _with(start: RadioSpec, x: NDArray[np.float64]) -> tuple[RadioSpec, float]:
    values = {name: float(value) for (name, _, _), value in zip(FITTED, x, strict=True)}
    power_db = values.pop("power_db")
    return replace(start, **values), power_db  # type: ignore[arg-type]


def _facing(xy_m: NDArray[np.float64], walk: NDArray[np.int64]) -> NDArray[np.float64]:
    """The way to the walk's next scan, or from the one before for its last; NaN where nobody went anywhere."""
    step = np.diff(xy_m, axis=0, append=xy_m[-1:])
    is_last = np.r_[np.diff(walk) != 0, True]
    step[is_last] = np.nan
    step[np.linalg.norm(step, axis=1) < 0.05] = np.nan
    facing = np.arctan2(step[:, 1], step[:, 0])
    before = np.r_[np.nan, facing[:-1]]
    before[np.r_[True, np.diff(walk) != 0]] = np.nan
    return np.where(np.isnan(facing), before, facing)


def _by_id(heard: HeardScans) -> HeardScans:
    scan = np.repeat(np.arange(len(heard.indptr) - 1), np.diff(heard.indptr))
    order = np.lexsort((heard.transmitter, scan))
    return HeardScans(heard.indptr, heard.transmitter[order], heard.rssi_dbm[order], heard.age_ms[order])


def _counts(heard: HeardScans, oldest_ms: float) -> NDArray[np.float64]:
    kept = np.concatenate([[0], np.cumsum(heard.age_ms <= oldest_ms)])
    counts: NDArray[np.float64] = np.diff(kept[heard.indptr]).astype(np.float64)
    return counts


def _listed(values: NDArray[np.float64]) -> str:
    return "  ".join(f"{value:.2f}" if abs(value) < 2 else f"{value:.0f}" for value in values.tolist())


def _pairs_within(protocol: Protocol, lag: int, rng: np.random.Generator) -> NDArray[np.int64]:
    first = np.flatnonzero(protocol.walk[:-lag] == protocol.walk[lag:])
    chosen = rng.permutation(first)[:_N_PAIRS]
    return np.column_stack([chosen, chosen + lag])


def _pairs_between(protocol: Protocol, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Pairs of different walks on one level for each of ``BETWEEN_M``."""
    n = len(protocol.walk)
    out: list[NDArray[np.int64]] = []
    order = rng.permutation(n)[: min(n, 3_000)]
    a, b = (part.ravel() for part in np.meshgrid(order, order))
    keep = (a < b) & (protocol.level_index[a] == protocol.level_index[b]) & (protocol.walk[a] != protocol.walk[b])
    a, b = a[keep], b[keep]
    apart_m = np.linalg.norm(protocol.xy_m[a] - protocol.xy_m[b], axis=1)
    for low, high in BETWEEN_M:
        here = np.flatnonzero((apart_m >= low) & (apart_m < high))
        chosen = rng.permutation(here)[:_N_PAIRS]
        out.append(np.column_stack([a[chosen], b[chosen]]))
    return out


def _mean_distance(heard: HeardScans, weight: NDArray[np.float64], pairs: NDArray[np.int64]) -> float:
    if len(pairs) == 0:
        return float("nan")
    return float(np.nanmean(_sorensen(heard.indptr, heard.transmitter, weight, pairs)))


@njit(cache=True)
def _sorensen(
    indptr: NDArray[np.int64], transmitter: NDArray[np.int64], weight: NDArray[np.float64], pairs: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sørensen distance of each pair; readings of a scan come by id. NaN where neither scan weighs anything."""
    out = np.empty(len(pairs))
    for p in range(len(pairs)):
        i, end_i = indptr[pairs[p, 0]], indptr[pairs[p, 0] + 1]
        j, end_j = indptr[pairs[p, 1]], indptr[pairs[p, 1] + 1]
        total = weight[i:end_i].sum() + weight[j:end_j].sum()
        shared = 0.0
        while i < end_i and j < end_j:
            if transmitter[i] == transmitter[j]:
                shared += min(weight[i], weight[j])
                i += 1
                j += 1
            elif transmitter[i] < transmitter[j]:
                i += 1
            else:
                j += 1
        out[p] = 1.0 - 2.0 * shared / total if total > 0.0 else np.nan
    return out
