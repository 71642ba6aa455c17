"""What a map is healed with: confirmed scans, and scans that the present model is sure of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingerprints.scan import Scan
from positioning.confirmed import ConfirmedScan
from positioning.model import VenueModel
from positioning.position import Located, Position
from positioning.radio_map import F64, I32

SURE = 0.7
"""Confidence over which an answer counts as a label. Of 0.5, 0.7 and 0.9 on simulated malls 61-63, asked weeks later:
0.9 leaves the stores without confirmed scans too little beside the others, 0.5 gains little more and errs more."""
MOST_OF_A_STORE = 60
"""Sure answers of a store that are taken, evenly in time: about a thorough survey's."""
_NEAR_M = 3.0
"""An answered place this far from the label's store is believed; else the middle of the store's scans stands for it."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One scan's label; ``position`` is the present model's answer."""

    scan: Scan
    store: int
    is_inside: bool
    position: Position | None
    group: str
    is_confirmed: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """n scans with their places.

    Args:
        store: (n,) index into the venue's stores, in or before which it was, -1 for a walkway.
        is_inside: (n,) it was in the store.
        xy_m, level: the place, in the venue frame and the radio map's levels.
        group: what errs together, such as one phone's scans of one day.
        is_confirmed: (n,) somebody vouches for the store; else the present model was sure.
    """

    scans: tuple[Scan, ...]
    store: I32
    is_inside: NDArray[np.bool_]
    xy_m: F64
    level: I32
    group: tuple[str, ...]
    is_confirmed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.scans)


def learn(
    model: VenueModel,
    confirmed: Sequence[ConfirmedScan],
    answered: Sequence[Located],
    unlabelled: Sequence[Scan],
    located: Sequence[Located],
) -> Learned:
    """Put both kinds together.

    Args:
        answered: the present model's answers to the confirmed scans, for their places; ``located`` to the unlabelled.
    """
    assert model.fronts is not None
    number = {store_id: i for i, store_id in enumerate(model.fronts.store_ids)}
    middle = _Middles.of(model)
    rows: list[_Row] = []
    for item, answer in zip(confirmed, answered, strict=True):
        if item.store_id in number:
            rows.append(_Row(item.scan, number[item.store_id], True, answer.position, item.group, True))
    sure: dict[int, list[_Row]] = {}
    for i, (scan, answer) in enumerate(zip(unlabelled, located, strict=True)):
        position = answer.position
        if position is not None and position.confidence > SURE and (position.in_store is not None or position.store_id):
            store = -1 if position.store_id is None else number[position.store_id]
            group = f"{scan.device_id or scan.scan_id or i} {scan.at.date()}"
            sure.setdefault(store, []).append(_Row(scan, store, position.in_store is not None, position, group, False))
    for store, found in sorted(sure.items()):
        found.sort(key=lambda row: row.scan.at)
        most = MOST_OF_A_STORE * (1 if store >= 0 else len(number))
        rows += [found[i] for i in np.unique(np.linspace(0, len(found) - 1, most).astype(np.int64))]
    return middle.place(model, rows)


@dataclass(frozen=True, slots=True)
class _Middles:
    """The middle of each store's survey scans, of its outline where it has none, and its level on the radio map."""

    xy_m: F64
    level: I32

    @staticmethod
    def of(model: VenueModel) -> "_Middles":
        fronts, radio_map = model.fronts, model.radio_map
        assert fronts is not None
        edge_of = np.repeat(np.arange(len(fronts.store_ids)), np.diff(fronts.edge_indptr))
        xy_m = np.stack([_means(fronts.edges[:, axis], edge_of, len(fronts.store_ids)) for axis in (0, 1)], axis=-1)
        at = model.m_inside >= 0
        of_scans = [_means(radio_map.xy_m[at, axis], model.m_inside[at], len(xy_m)) for axis in (0, 1)]
        scanned = np.stack(of_scans, axis=-1)
        level_of = {int(front): level for level, front in enumerate(model.front_level.tolist()) if front >= 0}
        level = np.array([level_of.get(front, -1) for front in fronts.store_level.tolist()], dtype=np.int32)
        return _Middles(np.where(np.isfinite(scanned), scanned, xy_m), level)

    def place(self, model: VenueModel, rows: Sequence[_Row]) -> Learned:
        """Where each row was; rows of stores on levels without a survey are left out, as are walkways within stores."""
        assert model.fronts is not None
        levels = {(key.building, key.short_name): i for i, key in enumerate(model.radio_map.levels)}
        n = len(rows)
        xy_m = np.full((n, 2), np.nan)
        level = np.full(n, -1, dtype=np.int32)
        store = np.array([row.store for row in rows], dtype=np.int32).reshape(n)
        said = [(i, row.position) for i, row in enumerate(rows) if row.position is not None]
        if said:
            at = np.array([i for i, _ in said])
            xy_m[at] = model.radio_map.frame.to_xy_m([(p.lon_deg, p.lat_deg) for _, p in said])
            level[at] = [levels.get((p.building, p.level), -1) for _, p in said]
        on_level = np.where(level >= 0, model.front_level[level], -1).astype(np.int32)
        found, distance_m = model.fronts.measure(np.nan_to_num(xy_m), on_level)
        of_label = np.where(found == store[:, None], distance_m, np.inf).min(axis=1, initial=np.inf)
        is_moved = (store >= 0) & ~(of_label <= _NEAR_M)
        xy_m[is_moved], level[is_moved] = self.xy_m[store[is_moved]], self.level[store[is_moved]]
        _, around = model.fronts.nearest(np.nan_to_num(xy_m), on_level)
        kept = np.flatnonzero((level >= 0) & np.isfinite(xy_m).all(axis=1) & ((store >= 0) | (around < 0))).tolist()
        return Learned(
            scans=tuple(rows[i].scan for i in kept),
            store=store[kept],
            is_inside=np.array([rows[i].is_inside for i in kept], dtype=np.bool_).reshape(len(kept)),
            xy_m=xy_m[kept],
            level=level[kept],
            group=tuple(rows[i].group for i in kept),
            is_confirmed=np.array([rows[i].is_confirmed for i in kept], dtype=np.bool_).reshape(len(kept)),
        )


def _means(values: F64, group: NDArray[np.integer], n: int) -> F64:
    counts = np.bincount(group, minlength=n)
    sums = np.bincount(group, weights=values, minlength=n)
    means: F64 = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means
