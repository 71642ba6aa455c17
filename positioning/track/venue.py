"""What the filter needs of a venue: its stores' neighbours, its numbers, and a stamp of the map they belong to."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kernel.ids import VenueId
from positioning.fronts import FrontTable
from positioning.model import VenueModel
from positioning.radio_map import F64, I32
from positioning.track.settings import MOVE_M
from venues.frame import LocalFrame

_N_NEAR = 24
"""Neighbours that a move may lead to: beyond the 24th, exp(-distance / 20 m) leaves under 1 % in a usual mall."""


@dataclass(frozen=True, slots=True)
class TrackedVenue:
    """What tracking takes of a model and derives from it. ``near`` and ``near_share`` (n_stores, n_near): neighbours on
    the same level, -1 for none, and the share of moves that goes there; ``stamp`` names levels and stores as numbered;
    thresholds as of ``model.Calibration``."""

    venue_id: VenueId
    frame: LocalFrame
    fronts: FrontTable | None
    front_level: I32
    inside_threshold: float
    set_threshold: float
    stamp: int
    level_at: Mapping[tuple[str | None, str | None], int]
    store_at: Mapping[str, int]
    near: I32
    near_share: F64

    @staticmethod
    def of(model: VenueModel) -> "TrackedVenue":
        """Derive it; takes the square of the stores of a level."""
        levels = {(key.building, key.short_name): i for i, key in enumerate(model.radio_map.levels)}
        stores: tuple[str, ...] = () if model.fronts is None else model.fronts.store_ids
        text = repr((model.venue_id, list(levels), stores, model.radio_map.frame)).encode()
        near, near_share = (
            (np.full((0, 1), -1, dtype=np.int32), np.zeros((0, 1)))
            if model.fronts is None
            else _neighbours(model.fronts)
        )
        return TrackedVenue(
            venue_id=model.venue_id,
            frame=model.radio_map.frame,
            fronts=model.fronts,
            front_level=model.front_level,
            inside_threshold=model.calibration.inside_threshold,
            set_threshold=model.calibration.set_threshold,
            stamp=int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little"),
            level_at=levels,
            store_at={store_id: i for i, store_id in enumerate(stores)},
            near=near,
            near_share=near_share,
        )


def _neighbours(fronts: FrontTable) -> tuple[I32, F64]:
    """Each store's nearest stores of its level, between the stores' middles, and exp(-distance / 20 m) made to sum
    to 1."""
    starts = fronts.edge_indptr
    n_stores = len(fronts.store_ids)
    middles = np.array([fronts.edges[starts[s] : starts[s + 1], :2].mean(axis=0) for s in range(n_stores)])
    distance_m = np.linalg.norm(middles[:, None] - middles[None, :], axis=2)
    distance_m[fronts.store_level[:, None] != fronts.store_level[None, :]] = np.inf
    np.fill_diagonal(distance_m, np.inf)
    order = np.argsort(distance_m, axis=1, kind="stable")[:, :_N_NEAR]
    nearest_m = np.take_along_axis(distance_m, order, axis=1)
    is_near = np.isfinite(nearest_m)
    away_m = np.where(is_near, nearest_m, 0.0)
    share = np.where(is_near, np.exp(-(away_m - away_m[:, :1]) / MOVE_M), 0.0)
    total = share.sum(axis=1, keepdims=True)
    return (
        np.where(is_near, order, -1).astype(np.int32),
        np.divide(share, total, out=np.zeros_like(share), where=total > 0),
    )
