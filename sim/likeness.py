"""What two sets of scans are compared by, where a simulated phone walks where a surveyor walked.

All figures know nothing of any locator. They are of the readings a phone lists, of their power and of pairs of scans:
how alike the two are, how far all common transmitters are louder in one than in the other, how far each on its own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fingerprints.scan import LabelledScan
from sim.listening import Heard
from sim.transmitters import Transmitters
from venues.model import Venue

FRESH_MS = 5_000.0
BETWEEN_M = ((0.0, 2.0), (2.0, 5.0), (5.0, 10.0), (10.0, 20.0), (20.0, 40.0))
"""Distances by which pairs of scans of different walks are put together."""
WITHIN_SCANS = (1, 2, 5, 10)
"""Lags by which pairs of scans of one walk are."""
AGAIN_DBM = (-95.0, -85.0, -75.0, -65.0, -55.0, -20.0)
"""Edges of the powers by which readings are asked whether the next scan hears them again."""
_WEIGHT_FLOOR_DBM = -105.0
_N_PAIRS = 3_000
_LEAST_COMMON = 10
_FIRST_SCAN_MS = 2_500.0


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
    is_above_3_ghz: NDArray[np.bool_]


@dataclass(frozen=True)
class Likeness:
    """What two sets of scans are compared by.

    Figures of pairs come for each of ``BETWEEN_M``, then for each of ``WITHIN_SCANS``; but for ``distance``, of new
    readings: those that the scan before did not list.

    Attributes:
        fresh, listed: quantiles 5, 25, 50, 75, 95 % of the readings a scan up to 5 s old, and of all.
        rssi_dbm: the same quantiles of fresh readings' power, and 99 %.
        distance: mean Sørensen distance of powed RSSI, of readings up to 5 s old.
        common: readings that both have, of the mean number of the two.
        shared_db: standard deviation of the median difference of common transmitters.
        own_db: median over pairs of the standard deviation about that median.
        count: standard deviation of the logarithm of the ratio of the numbers of readings.
        again: share of new readings that are new in the walk's next scan too: for each of ``AGAIN_DBM`` at 2.4 GHz,
            then above.
    """

    fresh: NDArray[np.float64]
    listed: NDArray[np.float64]
    rssi_dbm: NDArray[np.float64]
    distance: NDArray[np.float64]
    common: NDArray[np.float64]
    shared_db: NDArray[np.float64]
    own_db: NDArray[np.float64]
    count: NDArray[np.float64]
    again: NDArray[np.float64]

    def gap(self, other: "Likeness") -> float:
        """How unlike they are: the mean over all kinds of the mean square of their figures' differences, in units."""
        return float((self.differences(other) ** 2).sum())

    def differences(self, other: "Likeness") -> NDArray[np.float64]:
        """(n_figures,) of which the sum of squares is the gap; 0 for what either has no pair for.

        Units: 15 % of counts, 3 dB of quantiles of power, 0.02 of ``distance`` and ``common``, 0.5 dB of deviations,
        0.05 of ``count``, 0.04 of ``again``. Each kind of figure weighs the same, however many it has.
        """
        parts = (
            np.log((self.fresh + 1) / (other.fresh + 1)) / 0.15,
            np.log((self.listed + 1) / (other.listed + 1)) / 0.15,
            (self.rssi_dbm - other.rssi_dbm) / 3.0,
            (self.distance - other.distance) / 0.02,
            (self.common - other.common) / 0.02,
            (self.shared_db - other.shared_db) / 0.5,
            (self.own_db - other.own_db) / 0.5,
            (self.count - other.count) / 0.05,
            (self.again - other.again) / 0.04,
        )
        weighed = [part / np.sqrt(max(1, np.isfinite(part).sum()) * len(parts)) for part in parts]
        out: NDArray[np.float64] = np.nan_to_num(np.concatenate(weighed))
        return out


LIKENESS_NAMES: dict[str, str] = {
    "fresh": "readings up to 5 s old, 5/25/50/75/95 %",
    "listed": "readings listed, 5/25/50/75/95 %",
    "rssi_dbm": "dBm of fresh readings, 5/25/50/75/95/99 %",
    "distance": "Sørensen distance of pairs",
    "common": "new readings that pairs have in common",
    "shared_db": "sd of what all common transmitters differ by, dB",
    "own_db": "sd of what each differs by beyond that, dB",
    "count": "sd of the log ratio of readings",
    "again": "new readings that are new again in the next scan",
}
"""Each figure as tables call it. Pairs: of two walks within 2, 5, 10, 20, 40 m; a walk's 1st, 2nd, 5th, 10th next."""


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
        (
            known.setdefault(reading.transmitter, len(known)),
            reading.rssi_dbm,
            reading.age_ms or 0.0,
            (reading.frequency_mhz or 0) > 3_000,
        )
        for item in kept
        for reading in item.scan.readings
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    indptr = np.concatenate([[0], np.cumsum([len(item.scan.readings) for item in kept])]).astype(np.int64)
    return (
        Protocol(
            np.array([level_index[item.truth.level or ""] for item in kept], dtype=np.int64),
            xy_m,
            np.rint((at_s - first_s) * 1000.0).astype(np.int64),
            walk,
            _facing(xy_m, walk),
        ),
        _by_id(HeardScans(indptr, table[:, 0].astype(np.int64), table[:, 1], table[:, 2], table[:, 3] > 0.0)),
    )


def sort_by_walk(survey: Sequence[LabelledScan], venue: Venue) -> list[LabelledScan]:
    """The scans on the map's levels, walk by walk in the order of time: as ``protocol_of`` has them."""
    levels = {level.short_name for level in venue.levels}
    kept = [item for item in survey if item.truth.level in levels]
    return sorted(kept, key=lambda item: (item.walk or "", item.scan.at))


def places_before(protocol: Protocol, ms: float) -> NDArray[np.float64]:
    """Where each scan's phone was so many milliseconds earlier; a walk's first scans: where it began."""
    out = protocol.xy_m.copy()
    starts = np.flatnonzero(np.diff(protocol.walk, prepend=-1) != 0)
    for start, end in zip(starts, [*starts[1:], len(out)], strict=True):
        at = protocol.at_ms[start:end]
        for axis in (0, 1):
            out[start:end, axis] = np.interp(at - ms, at, protocol.xy_m[start:end, axis])
    return out


def placing_errors(protocol: Protocol, sd_m: float, kept_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """How far from the noted place each scan was taken: normal, and kept along a walk with correlation e^(-t / kept).

    Surveyors mark a few points of their way on a plan by hand, and what is between is reckoned.
    """
    out: NDArray[np.float64] = rng.standard_normal(protocol.xy_m.shape)
    for i in range(1, len(out)):
        if protocol.walk[i] == protocol.walk[i - 1]:
            kept = math.exp(-float(protocol.at_ms[i] - protocol.at_ms[i - 1]) / (1_000.0 * kept_s))
            out[i] = kept * out[i - 1] + math.sqrt(1.0 - kept * kept) * out[i]
    return sd_m * out


def compare(protocol: Protocol, heard: HeardScans) -> Likeness:
    """The figures of one set of scans; the same pairs for the same protocol."""
    counts, fresh = _counts(heard, np.inf), _counts(heard, FRESH_MS)
    quantiles = (5, 25, 50, 75, 95)
    is_fresh, is_new = heard.age_ms <= FRESH_MS, new_readings(protocol, heard)
    near = np.where(is_fresh, (np.maximum(heard.rssi_dbm - _WEIGHT_FLOOR_DBM, 1.0) / 60.0) ** np.e, 0.0)
    rng = np.random.default_rng(0)
    pairs = [*_pairs_between(protocol, rng), *(_pairs_within(protocol, lag, rng) for lag in WITHIN_SCANS)]
    of_pairs = np.array([_of_pairs(heard, near, is_new.astype(np.float64), some) for some in pairs])
    distance, common, shared_db, own_db, count = of_pairs.T
    return Likeness(
        np.percentile(fresh, quantiles),
        np.percentile(counts, quantiles),
        np.percentile(heard.rssi_dbm[is_fresh], (*quantiles, 99)),
        distance,
        common,
        shared_db,
        own_db,
        count,
        _again(protocol, heard, is_new),
    )


def new_readings(protocol: Protocol, heard: HeardScans) -> NDArray[np.bool_]:
    """(n_readings,) which were heard since the walk's scan before; in its first scan: in the last 2.5 s."""
    since_ms = np.diff(protocol.at_ms, prepend=0).astype(np.float64)
    since_ms[np.diff(protocol.walk, prepend=-1) != 0] = _FIRST_SCAN_MS
    is_new: NDArray[np.bool_] = heard.age_ms < np.repeat(since_ms, np.diff(heard.indptr))
    return is_new


def _of_pairs(
    heard: HeardScans, near: NDArray[np.float64], new: NDArray[np.float64], pairs: NDArray[np.int64]
) -> tuple[float, float, float, float, float]:
    """Distance, common, shared and own deviation, count; NaN where there is no pair."""
    if len(pairs) == 0:
        return (np.nan,) * 5
    distance, _, _, _ = _compare_pairs(heard.indptr, heard.transmitter, heard.rssi_dbm, near, pairs)
    _, common, shift_db, about_db = _compare_pairs(heard.indptr, heard.transmitter, heard.rssi_dbm, new, pairs)
    is_compared = np.isfinite(shift_db)
    n_new = np.diff(np.concatenate([[0.0], np.cumsum(new)])[heard.indptr])
    ratio = np.log((n_new[pairs[:, 0]] + 1) / (n_new[pairs[:, 1]] + 1))
    return (
        float(np.nanmean(distance)),
        float(np.nanmean(common)),
        float(np.std(shift_db[is_compared])) if is_compared.any() else np.nan,
        float(np.median(about_db[is_compared])) if is_compared.any() else np.nan,
        float(np.std(ratio)),
    )


def _again(protocol: Protocol, heard: HeardScans, is_new: NDArray[np.bool_]) -> NDArray[np.float64]:
    """``Likeness.again``; NaN where no reading has such a power."""
    scan = np.repeat(np.arange(len(protocol.walk)), np.diff(heard.indptr))
    n_ids = int(heard.transmitter.max()) + 1
    key = scan * n_ids + heard.transmitter  # ascending: readings come by scan, then by id
    has_next = np.append(protocol.walk[1:] == protocol.walk[:-1], False)[scan]
    asked = np.flatnonzero(is_new & has_next)
    at = np.minimum(np.searchsorted(key, key[asked] + n_ids), len(key) - 1)
    heard_again = (key[at] == key[asked] + n_ids) & is_new[at]
    by_power = np.digitize(heard.rssi_dbm[asked], AGAIN_DBM) - 1
    n = len(AGAIN_DBM) - 1
    inside = (by_power >= 0) & (by_power < n)
    group = by_power + n * heard.is_above_3_ghz[asked]
    counted = np.bincount(group[inside], minlength=2 * n)
    with np.errstate(invalid="ignore"):
        shares: NDArray[np.float64] = np.bincount(group[inside], heard_again[inside], minlength=2 * n) / counted
    return shares


def as_scans(heard: Heard, transmitters: Transmitters) -> HeardScans:
    """Simulated readings as they are compared."""
    return _by_id(
        HeardScans(
            heard.indptr.astype(np.int64),
            heard.transmitter.astype(np.int64),
            heard.rssi_dbm.astype(np.float64),
            heard.age_ms.astype(np.float64),
            transmitters.frequency_mhz[heard.transmitter] > 3_000,
        )
    )


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
    return HeardScans(
        heard.indptr,
        heard.transmitter[order],
        heard.rssi_dbm[order],
        heard.age_ms[order],
        heard.is_above_3_ghz[order],
    )


def _counts(heard: HeardScans, oldest_ms: float) -> NDArray[np.float64]:
    kept = np.concatenate([[0], np.cumsum(heard.age_ms <= oldest_ms)])
    counts: NDArray[np.float64] = np.diff(kept[heard.indptr]).astype(np.float64)
    return counts


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


@njit(cache=True)
def _compare_pairs(
    indptr: NDArray[np.int64],
    transmitter: NDArray[np.int64],
    rssi_dbm: NDArray[np.float64],
    weight: NDArray[np.float64],
    pairs: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Of each pair: Sørensen distance, share of readings both have, median difference of these, deviation about it.

    Readings of a scan come by id; one of no weight is left out. NaN where neither scan weighs anything, or where fewer
    than ten are common.
    """
    n = len(pairs)
    distance, common, shift_db, about_db = np.empty(n), np.empty(n), np.full(n, np.nan), np.full(n, np.nan)
    difference = np.empty(4_096)
    for p in range(n):
        i, end_i = indptr[pairs[p, 0]], indptr[pairs[p, 0] + 1]
        j, end_j = indptr[pairs[p, 1]], indptr[pairs[p, 1] + 1]
        total = weight[i:end_i].sum() + weight[j:end_j].sum()
        n_readings = (weight[i:end_i] > 0.0).sum() + (weight[j:end_j] > 0.0).sum()
        shared, m = 0.0, 0
        while i < end_i and j < end_j:
            if transmitter[i] == transmitter[j]:
                if weight[i] > 0.0 and weight[j] > 0.0 and m < len(difference):
                    shared += min(weight[i], weight[j])
                    difference[m] = rssi_dbm[i] - rssi_dbm[j]
                    m += 1
                i += 1
                j += 1
            elif transmitter[i] < transmitter[j]:
                i += 1
            else:
                j += 1
        distance[p] = 1.0 - 2.0 * shared / total if total > 0.0 else np.nan
        common[p] = 2.0 * m / n_readings if n_readings > 0 else np.nan
        if m >= _LEAST_COMMON:
            shift_db[p] = np.median(difference[:m])
            about_db[p] = np.sqrt(np.mean((difference[:m] - shift_db[p]) ** 2))
    return distance, common, shift_db, about_db
