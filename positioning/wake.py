"""Wake sets: the few transmitters worth waking a phone for, because it hears them strongly where something happens.

A phone cannot scan all day; its system can watch for a handful of transmitters at little cost (iOS 20 regions, Android
about as many filters). Here is which, and from what power on: greedy maximum coverage over the radio map's scans,
each transmitter at one threshold. Greedy is within 1 - 1/e of the best set (Nemhauser, Wolsey, Fisher, "An analysis of
approximations for maximizing submodular set functions", Mathematical Programming 14, 1978).

What a set is worth is counted on walks that did not choose it: chosen on every second walk, counted on the others, and
the other way round.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString

from fingerprints.transmitters import is_beacon
from kernel.ids import LevelId, TransmitterId
from positioning.model import VenueModel
from positioning.radio_map import F64, I32, RadioMap
from venues.model import Venue

PlaceKind = Literal["entrance", "store"]
RadioKind = Literal["any", "wifi", "beacon"]

NEAR_ENTRANCE_M = 15.0
NEAR_STORE_M = 3.0
"""A phone is at a store inside it, or this near its front."""
_THRESHOLDS_DBM = np.arange(-88.0, -39.0, 4.0)
_FALSE_COST = 1.0
"""A false wake weighs as much as a missed scan at a place; both are shares of the scans at places and elsewhere."""
_COVERED_RECALL = 0.5
_LEAST_PLACES = 0.1
"""What a transmitter must add, in places' worth of scans, false wakes taken off; less is chance."""
_ON_OUTLINE_M = 1.0
"""A door to the outside lies on the level's outline, within drawing precision and a wall."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where waking is worth it: an entrance (the opening's id) or a store."""

    kind: PlaceKind
    id: str
    name: str
    level: str
    level_id: LevelId


@dataclass(frozen=True, slots=True)
class WakeTransmitter:
    """Wake at ``threshold_dbm`` or more. ``places`` are those where it alone wakes half of the scans or more.

    ``recall`` is the share of the scans at its places at which it wakes, ``false_share`` the share of its wakings that
    were at no place of the kind. It was chosen on all walks; which places are its is told by
    one half of them and counted on the other. None where those do not tell.
    """

    transmitter: TransmitterId
    threshold_dbm: float
    places: tuple[Place, ...]
    recall: float | None
    false_share: float | None


@dataclass(frozen=True, slots=True)
class WakeSet:
    """The set, the most useful first; ``recall`` and ``false_share`` are of the whole set, on walks not seen.

    ``covered`` are the places where it wakes at half of the scans or more, of ``places`` in all; ``awake_share`` is the
    share of all survey scans at which it wakes.
    """

    kind: PlaceKind
    near_m: float
    transmitters: tuple[WakeTransmitter, ...]
    places: tuple[Place, ...]
    covered: tuple[Place, ...]
    recall: float | None
    false_share: float | None
    awake_share: float | None


@dataclass(frozen=True, slots=True)
class _Hearing:
    """Powers (n_scans, n_transmitters) in dBm, -inf where not heard; ``at`` (n_scans, n_places) who is where."""

    power_dbm: NDArray[np.float32]
    at: NDArray[np.bool_]
    walk: I32

    def rows(self, which: NDArray[np.bool_]) -> "_Hearing":
        return _Hearing(self.power_dbm[which], self.at[which], self.walk[which])


def choose_wake_set(
    model: VenueModel, venue: Venue, *, kind: PlaceKind, limit: int, radio: RadioKind = "any"
) -> WakeSet:
    """Choose at most ``limit`` transmitters for the venue's entrances or stores; empty where the map has none.

    Args:
        radio: ``beacon`` for iOS, which watches no Wi-Fi.

    Cost: survey scans x transmitters once, then the readings that reach a threshold x ``limit``, thrice.
    """
    near_m = NEAR_ENTRANCE_M if kind == "entrance" else NEAR_STORE_M
    places, shapes = _entrances(venue) if kind == "entrance" else _stores(venue)
    names = [
        i for i, t in enumerate(model.survey.transmitters) if radio == "any" or is_beacon(t) == (radio == "beacon")
    ]
    hearing = _hear(model.survey, names, _who_is_where(model.survey, places, shapes, near_m))
    chosen = _choose(hearing, limit)
    folds = [_fold(hearing, limit, side) for side in (0, 1)]
    usable = [fold for fold in folds if fold is not None]
    recall, false_share, awake = tuple(np.mean(usable, axis=0).tolist()) if usable else (None, None, None)
    wakes = _wakes(hearing, chosen)
    per_place = _place_recall(hearing, wakes)
    return WakeSet(
        kind=kind,
        near_m=near_m,
        transmitters=tuple(_tell(model, hearing, names, places, pair) for pair in chosen),
        places=tuple(places),
        covered=tuple(
            place for place, share in zip(places, per_place.tolist(), strict=True) if share >= _COVERED_RECALL
        ),
        recall=recall,
        false_share=false_share,
        awake_share=awake,
    )


def _entrances(venue: Venue) -> tuple[list[Place], list[shapely.Geometry]]:
    """Openings on the outline of their level: doors to the outside, those of terraces too."""
    places, shapes = list[Place](), list[shapely.Geometry]()
    for opening in venue.openings:
        level = venue.level(opening.level_id)
        if level.area.is_empty or not _is_on(opening.line, level.area.boundary):
            continue
        places.append(Place("entrance", opening.id, f"entrance {len(places) + 1}", level.short_name, level.id))
        shapes.append(opening.line)
    return places, shapes


def _is_on(line: LineString, outline: shapely.Geometry) -> bool:
    return bool(shapely.distance(line.centroid, outline) <= _ON_OUTLINE_M)


def _stores(venue: Venue) -> tuple[list[Place], list[shapely.Geometry]]:
    names = {level.id: level.short_name for level in venue.levels}
    places = [Place("store", s.id, s.name, names[s.level_id], s.level_id) for s in venue.stores]
    return places, [store.area for store in venue.stores]


def _who_is_where(
    radio_map: RadioMap, places: Sequence[Place], shapes: Sequence[shapely.Geometry], near_m: float
) -> NDArray[np.bool_]:
    """(n_scans, n_places): whether each survey scan is within ``near_m`` of each place, on its level."""
    at = np.zeros((radio_map.n_scans, len(places)), dtype=np.bool_)
    points = np.asarray(shapely.points(radio_map.xy_m))
    level_at = {key.level_id: i for i, key in enumerate(radio_map.levels) if key.level_id is not None}
    for column, (place, shape) in enumerate(zip(places, shapes, strict=True)):
        here = np.flatnonzero(radio_map.level == level_at.get(place.level_id, -1))
        if len(here):
            at[here, column] = shapely.dwithin(shape, points[here], near_m)
    return at


def _hear(radio_map: RadioMap, names: Sequence[int], at: NDArray[np.bool_]) -> _Hearing:
    column = np.full(len(radio_map.transmitters), -1, dtype=np.int64)
    column[list(names)] = np.arange(len(names))
    readings = radio_map.readings
    scan = np.repeat(np.arange(radio_map.n_scans), np.diff(readings.indptr))
    kept = column[readings.transmitter] >= 0
    power_dbm = np.full((radio_map.n_scans, len(names)), -np.inf, dtype=np.float32)
    power_dbm[scan[kept], column[readings.transmitter[kept]]] = readings.rssi_dbm[kept]
    return _Hearing(power_dbm, at, radio_map.walk)


def _choose(hearing: _Hearing, limit: int) -> list[tuple[int, float]]:
    """Greedy: (column, threshold) pairs, each the one that adds most of recall less false wakes.

    Recall is the mean over places, so that a large store counts as a small one.
    """
    n_at = hearing.at.sum(axis=0)
    seen = n_at > 0
    if not seen.any() or not hearing.power_dbm.shape[1]:
        return []
    weight = (hearing.at[:, seen] / n_at[seen]).sum(axis=1) / seen.sum()
    is_away = ~hearing.at.any(axis=1)
    value = weight - _FALSE_COST * is_away / max(int(is_away.sum()), 1)
    n_columns = hearing.power_dbm.shape[1]
    rising_dbm = np.sort(np.asarray(_THRESHOLDS_DBM, dtype=np.float64))
    scan, column_of = np.nonzero(hearing.power_dbm >= rising_dbm[0])  # what no threshold reaches counts nowhere
    reached = np.searchsorted(rising_dbm, hearing.power_dbm[scan, column_of], side="right") - 1
    cell = reached * n_columns + column_of
    asleep = np.ones(len(value), dtype=np.bool_)
    chosen: list[tuple[int, float]] = []
    while len(chosen) < limit:
        rest = np.where(asleep, value, 0.0)
        by_step = np.bincount(cell, weights=rest[scan], minlength=len(_THRESHOLDS_DBM) * n_columns)
        gains = np.cumsum(by_step.reshape(len(_THRESHOLDS_DBM), n_columns)[::-1], axis=0)[::-1].copy()
        if chosen:
            gains[:, [column for column, _ in chosen]] = -1.0
        step, column = divmod(int(np.argmax(gains)), gains.shape[1])
        if gains[step, column] * seen.sum() < _LEAST_PLACES:
            break
        chosen.append((column, float(rising_dbm[step])))
        asleep &= hearing.power_dbm[:, column] < rising_dbm[step]
    return chosen


def _wakes(hearing: _Hearing, chosen: Sequence[tuple[int, float]]) -> NDArray[np.bool_]:
    out = np.zeros(len(hearing.power_dbm), dtype=np.bool_)
    for column, threshold_dbm in chosen:
        out |= hearing.power_dbm[:, column] >= threshold_dbm
    return out


def _fold(hearing: _Hearing, limit: int, side: int) -> tuple[float, float, float] | None:
    """Choose on one half of the walks, count on the other: recall, false share of the wakings, share awake."""
    is_other = hearing.walk % 2 == side
    if is_other.all() or not is_other.any():
        return None
    chosen = _choose(hearing.rows(~is_other), limit)
    other = hearing.rows(is_other)
    wakes, recalls = _wakes(other, chosen), _place_recall(other, _wakes(other, chosen))
    known = recalls[np.isfinite(recalls)]
    if not len(known):
        return None
    false = float((wakes & ~other.at.any(axis=1)).sum() / max(int(wakes.sum()), 1))
    return float(known.mean()), false, float(wakes.mean())


def _place_recall(hearing: _Hearing, wakes: NDArray[np.bool_]) -> F64:
    """(n_places,) share of each place's scans that wake; NaN where no scan is."""
    n = hearing.at.sum(axis=0).astype(np.float64)
    shares: F64 = np.divide((hearing.at & wakes[:, None]).sum(axis=0), n, out=np.full(len(n), np.nan), where=n > 0)
    return shares


def _tell(
    model: VenueModel, hearing: _Hearing, names: Sequence[int], places: Sequence[Place], pair: tuple[int, float]
) -> WakeTransmitter:
    """What one transmitter of the set does: its places by half of the walks, counted on the other half, both ways."""
    column, threshold_dbm = pair
    recalls, falses = [], []
    for side in (0, 1):
        chosen, other = hearing.rows(hearing.walk % 2 != side), hearing.rows(hearing.walk % 2 == side)
        mine = _place_recall(chosen, _wakes(chosen, [pair])) >= _COVERED_RECALL
        wakes = _wakes(other, [pair])
        is_mine = other.at[:, mine].any(axis=1)
        if is_mine.any():
            recalls.append(float(wakes[is_mine].mean()))
        if wakes.any():
            falses.append(float((wakes & ~other.at.any(axis=1)).sum() / wakes.sum()))
    covered = _place_recall(hearing, _wakes(hearing, [pair])) >= _COVERED_RECALL
    return WakeTransmitter(
        model.survey.transmitters[names[column]],
        threshold_dbm,
        tuple(place for place, is_covered in zip(places, covered.tolist(), strict=True) if is_covered),
        float(np.mean(recalls)) if recalls else None,
        float(np.mean(falses)) if falses else None,
    )
