"""One venue's phones of a call, advanced together: who goes on and who begins anew, places, stores, answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fingerprints.scan import Scan
from kernel.clock import to_epoch_us
from kernel.ids import StoreId
from positioning.fronts import FrontTable
from positioning.kernels.fronts import N_CANDIDATES
from positioning.kernels.track_places import advance_places
from positioning.kernels.track_stores import join_stores
from positioning.position import Candidate, Located, Position
from positioning.radio_map import F64, I32
from positioning.track.record import Records, pack
from positioning.track.settings import (
    FRONT_WITH_STEPS,
    FRONT_WITHOUT_STEPS,
    GAP_S,
    RADIUS_RATIO,
    WITH_STEPS,
    WITHOUT_STEPS,
)
from positioning.track.venue import TrackedVenue

Place = tuple[float, float, float]
"""East and north in the venue frame and the radius that holds 68 %, in metres."""
_SHOWN_PROBABILITY: Final = 5e-4
"""Candidates under it are left out, as in the single scan's answer."""
_LEAST_RADIUS_M: Final = 0.5


@dataclass(frozen=True, slots=True)
class Batch:
    """One venue's phones of a call. ``records`` belong to the batch and are changed."""

    venue: TrackedVenue
    records: Records
    located: Sequence[Located]
    scans: Sequence[Scan]
    is_new: NDArray[np.bool_]
    wait_s: F64
    level: I32

    @staticmethod
    def of(venue: TrackedVenue, records: Records, located: Sequence[Located], scans: Sequence[Scan]) -> "Batch":
        """Args: records: before the scans (``record.unpack``); they are the batch's to change."""
        at_us = np.array([to_epoch_us(scan.at) for scan in scans], dtype=np.int64)
        is_known = records["level"] >= 0
        wait_s = np.where(is_known, (at_us - records["at_us"]) / 1e6, 0.0)
        level = np.array(
            [-1 if p is None else venue.level_at[p.building, p.level] for p in (a.position for a in located)],
            dtype=np.int32,
        )
        is_new = ~is_known | (records["stamp"] != venue.stamp) | (wait_s > GAP_S)
        is_elsewhere = (level >= 0) & (records["level"] >= 0) & (level != records["level"]) & ~is_new
        is_confirmed = is_elsewhere & (records["other_level"] == level)
        records["other_level"] = np.where(is_elsewhere & ~is_confirmed, level, -1)
        level[is_elsewhere & ~is_confirmed] = -1  # answered alone
        records["at_us"] = at_us
        records["stamp"] = venue.stamp
        records["n_taken"] = np.where(is_new | is_confirmed, 1, records["n_taken"] + 1)
        return Batch(venue, records, located, scans, is_new | is_confirmed, wait_s, level)

    def run(self, places: Sequence[Place | None] | None) -> list[tuple[bytes | None, Located]]:
        """Advance and answer; with ``places`` the answers are of those, not of the filter's."""
        records = self.records
        is_placed = self.level >= 0
        has_steps = self._advance_places(is_placed)
        xy_m, radius_m = records["mean"][:, :2].copy(), self._radius_m()
        for i, place in enumerate(places or ()):
            if place is not None:
                xy_m[i], radius_m[i] = place[:2], place[2]
        records["level"] = np.where(is_placed, self.level, np.where(self.is_new, -1, records["level"]))
        store, probability = self._advance_stores(np.flatnonzero(is_placed), has_steps, xy_m, radius_m)
        answers = self._dress(is_placed, xy_m, radius_m, store, probability)
        return list(zip(pack(records), answers, strict=True))

    def _advance_places(self, is_placed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        n = len(self.scans)
        records, frame = self.records, self.venue.frame
        walked, n_steps = np.zeros((n, 2)), np.zeros(n)
        told = np.full((n, 3), math.nan)
        for i, scan in enumerate(self.scans):
            if scan.steps and not self.is_new[i]:
                after_us = int(records["at_us"][i]) - round(self.wait_s[i] * 1e6)
                walked[i, 0], walked[i, 1], n_steps[i] = sum_steps(scan, after_us)
            position = self.located[i].position
            if position is not None and is_placed[i]:
                told[i] = position.lon_deg, position.lat_deg, position.accuracy_m
        had_steps = records["has_steps"].astype(np.bool_)
        has_steps: NDArray[np.bool_] = had_steps | np.array([bool(scan.steps) for scan in self.scans])
        keeps_gait = records["level"] >= 0  # a phone met before, wherever
        advance_places(
            WITH_STEPS,
            WITHOUT_STEPS,
            self.is_new,
            keeps_gait & has_steps,
            had_steps,
            has_steps,
            self.wait_s,
            walked,
            n_steps,
            np.ascontiguousarray(frame.to_xy_m(told[:, :2])),
            np.ascontiguousarray(told[:, 2]),
            records["mean"],
            records["covariance"],
        )
        records["has_steps"] = has_steps
        return has_steps

    def _advance_stores(
        self, at: NDArray[np.intp], has_steps: NDArray[np.bool_], xy_m: F64, radius_m: F64
    ) -> tuple[I32, F64]:
        """Candidates and their probabilities (n, 20); -1 and 0 where there is none."""
        n, venue, records = len(self.scans), self.venue, self.records
        store = np.full((n, N_CANDIDATES), -1, dtype=np.int32)
        probability = np.zeros((n, N_CANDIDATES))
        if venue.fronts is None or len(at) == 0:
            return store, probability
        told_store, told, in_store = self._told(at)
        front, distance_m = venue.fronts.measure(xy_m[at], venue.front_level[self.level[at]])
        part = records[at]
        found = np.empty((len(at), N_CANDIDATES), dtype=np.int32)
        found_probability = np.empty((len(at), N_CANDIDATES))
        rest, inside = np.ascontiguousarray(part["rest"]), np.ascontiguousarray(part["inside"])
        join_stores(
            self.is_new[at],
            self.wait_s[at],
            venue.near,
            venue.near_share,
            told_store,
            told,
            in_store,
            front,
            distance_m,
            radius_m[at],
            np.array([FRONT_WITH_STEPS if steps else FRONT_WITHOUT_STEPS for steps in has_steps[at]]),
            part["store"],
            part["probability"],
            rest,
            inside,
            found,
            found_probability,
        )
        part["rest"], part["inside"] = rest, inside
        records[at] = part
        store[at], probability[at] = found, found_probability
        return store, probability

    def _told(self, at: NDArray[np.intp]) -> tuple[I32, F64, F64]:
        """What the scans alone say: candidates (n, 20), their probabilities, and inside, NaN where unknown."""
        store = np.full((len(at), N_CANDIDATES), -1, dtype=np.int32)
        told = np.zeros((len(at), N_CANDIDATES))
        in_store = np.full(len(at), math.nan)
        for row, i in enumerate(at):
            position = self.located[i].position
            assert position is not None
            for c, candidate in enumerate(position.candidates[:N_CANDIDATES]):
                store[row, c] = self.venue.store_at[candidate.store_id]
                told[row, c] = candidate.probability
            if position.in_store is not None:
                in_store[row] = position.in_store
        return store, told, in_store

    def _radius_m(self) -> F64:
        """Where 68 % of true places lie, from the filter's own variance."""
        covariance = self.records["covariance"]
        variance_m2 = (covariance[:, 0, 0] + covariance[:, 1, 1]) / 2.0
        radius_m: F64 = np.maximum(RADIUS_RATIO * np.sqrt(variance_m2), _LEAST_RADIUS_M)
        return radius_m

    def _dress(
        self, is_placed: NDArray[np.bool_], xy_m: F64, radius_m: F64, store: I32, probability: F64
    ) -> list[Located]:
        """The single scans' answers with the filter's places and stores; those it does not place stay as they are."""
        venue = self.venue
        lon_lat_deg = venue.frame.to_lon_lat_deg(xy_m).tolist()
        inside_of, radius_of = self.records["inside"].tolist(), radius_m.tolist()
        candidates = (
            None if venue.fronts is None else _list_candidates(venue.fronts, venue.set_threshold, store, probability)
        )
        answers = list(self.located)
        for i, is_ours in enumerate(is_placed.tolist()):
            single = answers[i].position
            if single is None or not is_ours:
                continue
            confidence, inside, named = single.confidence, single.in_store, None
            listed, store_set = ((), ()) if candidates is None else candidates[i]
            if listed:
                inside = None if inside is None else inside_of[i]
                named = listed[0] if inside is None or inside >= venue.inside_threshold else None
                certainty = 1.0 if inside is None else inside
                confidence = 1.0 - certainty if named is None else named.probability * certainty
            lon_deg, lat_deg = lon_lat_deg[i]
            answers[i] = Located(
                Position(
                    single.venue_id,
                    single.level,
                    single.level_id,
                    lat_deg,
                    lon_deg,
                    radius_of[i],
                    confidence,
                    single.building,
                    inside,
                    None if named is None else named.store_id,
                    None if named is None else named.store_name,
                    listed,
                    store_set,
                    single.locator,
                )
            )
        return answers


def _list_candidates(
    fronts: FrontTable, set_threshold: float, store: I32, probability: F64
) -> list[tuple[tuple[Candidate, ...], tuple[StoreId, ...]]]:
    """Each answer's candidates and answer set, shares of those shown made to sum to 1."""
    ids, names = fronts.store_ids, fronts.store_names
    has_any = store[:, 0] >= 0
    n_in_set = np.maximum(((probability >= set_threshold) & (store >= 0)).sum(axis=1), 1) * has_any
    n_shown = np.maximum((probability >= _SHOWN_PROBABILITY).sum(axis=1), n_in_set)
    most = max(int(n_shown.max(initial=0)), 1)
    shown = np.where(np.arange(most) < n_shown[:, None], probability[:, :most], 0.0)
    total = np.cumsum(shown, axis=1)[:, -1:]  # in order: a sum may round otherwise for another number of columns
    shares = (shown / np.maximum(total, 1e-300)).tolist()
    out = []
    for of_scan, share, n, n_set in zip(
        store[:, :most].tolist(), shares, n_shown.tolist(), n_in_set.tolist(), strict=True
    ):
        listed = tuple([Candidate(ids[s], names[s], p) for s, p in zip(of_scan[:n], share[:n], strict=True)])
        out.append((listed, tuple([ids[s] for s in of_scan[:n_set]])))
    return out


def sum_steps(scan: Scan, after_us: int) -> tuple[float, float, int]:
    """East and north sums of the unit vectors of the steps since the last scan, and their number."""
    east = north = 0.0
    n = 0
    until_us = to_epoch_us(scan.at)
    for step in scan.steps:
        if after_us < to_epoch_us(step.at) <= until_us:
            east += math.sin(step.heading_rad)
            north += math.cos(step.heading_rad)
            n += 1
    return east, north, n
