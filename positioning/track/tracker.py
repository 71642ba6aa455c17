"""The causal filter: a phone's record and a scan's own answer in, the next record and a better answer out.

Order: which phones go on and which begin anew (``_Begun``), the place (a Kalman filter), the stores, the answer.
A scan of another level is answered alone and leaves the filter; a second one moves the filter there.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fingerprints.scan import Scan
from kernel.clock import to_epoch_us
from kernel.ids import VenueId
from positioning.fronts import N_CANDIDATES
from positioning.kernels.track import advance_places, join_stores
from positioning.model import VenueModel
from positioning.position import Candidate, Located, Position
from positioning.radio_map import F64, I32
from positioning.track.record import Records, empty_records, pack, unpack
from positioning.track.settings import (
    FRONT_WITH_STEPS,
    FRONT_WITHOUT_STEPS,
    GAP_S,
    RADIUS_RATIO,
    WITH_STEPS,
    WITHOUT_STEPS,
)
from positioning.track.venue import TrackedVenue

_SHOWN_PROBABILITY: Final = 5e-4
"""Candidates under it are left out, as in the single scan's answer."""
_LEAST_RADIUS_M: Final = 0.5


class Tracker:
    """Implements ``ports.Tracker`` over the venues of these models. Stateless: calls may come from several threads.

    Call order: a phone's scans in the order of their instants. A scan that is not newer than the record keeps the
    single scan's answer and changes nothing, so a repeat is harmless. A record holds all there is of a phone: stored and
    read back, the filter goes on as if nothing had happened.
    """

    def __init__(self, models: Sequence[VenueModel]) -> None:
        self._venues = {model.venue_id: TrackedVenue.of(model) for model in models}

    def advance(self, record: bytes | None, located: Located, scan: Scan) -> tuple[bytes | None, Located]:
        """One phone, one scan."""
        ((record, located),) = self.advance_many((record,), (located,), (scan,))
        return record, located

    def advance_many(
        self, records: Sequence[bytes | None], located: Sequence[Located], scans: Sequence[Scan]
    ) -> list[tuple[bytes | None, Located]]:
        """Many phones, one scan each; each phone's result depends on its own record, answer and scan alone.

        A phone without a record whose scan has no position gets no record yet.

        Raises:
            TrackRecordError: a record that cannot be read.
        """
        return self._answer(records, located, scans, None)

    def answer_at(
        self,
        records: Sequence[bytes | None],
        located: Sequence[Located],
        scans: Sequence[Scan],
        places: Sequence[tuple[float, float, float] | None],
    ) -> list[Located]:
        """What the scans are answered where their places are known better than from the records before them.

        Args:
            places: east and north in the venue frame and the radius that holds 68 %, in metres; None to leave it to
                the filter. Stores and inside are filtered as on the live path, but ranked round these places.
        """
        return [answer for _, answer in self._answer(records, located, scans, places)]

    def venue_of(self, record: bytes | None, answer: Located) -> TrackedVenue | None:
        """The venue that an answer is of; for a scan without a place, that of the record."""
        venue_id = self._venue_of(None if record is None else unpack(record), answer)
        return None if venue_id is None else self._venues[venue_id]

    def _answer(
        self,
        records: Sequence[bytes | None],
        located: Sequence[Located],
        scans: Sequence[Scan],
        places: Sequence[tuple[float, float, float] | None] | None,
    ) -> list[tuple[bytes | None, Located]]:
        out: list[tuple[bytes | None, Located]] = list(zip(records, located, strict=True))
        before = [None if record is None else unpack(record) for record in records]
        of_venue: dict[VenueId, list[int]] = {}
        for i, (record, answer, scan) in enumerate(zip(before, located, scans, strict=True)):
            venue_id = self._venue_of(record, answer)
            if venue_id is not None and (record is None or int(record["at_us"][0]) < to_epoch_us(scan.at)):
                of_venue.setdefault(venue_id, []).append(i)
        for venue_id, at in of_venue.items():
            batch = _Batch.of(
                self._venues[venue_id], [before[i] for i in at], [located[i] for i in at], [scans[i] for i in at]
            )
            for i, result in zip(at, batch.run(None if places is None else [places[i] for i in at]), strict=True):
                out[i] = result
        return out

    def _venue_of(self, record: Records | None, answer: Located) -> VenueId | None:
        """The answer's venue; for a scan without a place, the record's."""
        if answer.position is not None:
            return answer.position.venue_id if answer.position.venue_id in self._venues else None
        if record is None:
            return None
        stamp = int(record["stamp"][0])
        return next((venue_id for venue_id, venue in self._venues.items() if venue.stamp == stamp), None)


@dataclass(frozen=True, slots=True)
class _Batch:
    """One venue's phones of a call. ``records`` belong to the batch and are changed."""

    venue: TrackedVenue
    records: Records
    located: Sequence[Located]
    scans: Sequence[Scan]
    is_new: NDArray[np.bool_]
    wait_s: F64
    level: I32

    @staticmethod
    def of(
        venue: TrackedVenue, before: Sequence[Records | None], located: Sequence[Located], scans: Sequence[Scan]
    ) -> "_Batch":
        records = empty_records(len(scans))
        for i, record in enumerate(before):
            if record is not None:
                records[i] = record[0]
        at_us = np.array([to_epoch_us(scan.at) for scan in scans], dtype=np.int64)
        is_known = np.array([record is not None for record in before])
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
        return _Batch(venue, records, located, scans, is_new | is_confirmed, wait_s, level)

    def run(self, places: Sequence[tuple[float, float, float] | None] | None) -> list[tuple[bytes | None, Located]]:
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
        lon_lat_deg = self.venue.model.radio_map.frame.to_lon_lat_deg(xy_m).tolist()
        out: list[tuple[bytes | None, Located]] = []
        for i, answer in enumerate(self.located):
            position = answer.position
            if position is not None and is_placed[i]:
                answer = Located(
                    self._dress(
                        position, lon_lat_deg[i], radius_m[i], store[i], probability[i], float(records["inside"][i])
                    )
                )
            has_place = records["level"][i] >= 0
            out.append((pack(records[i]) if has_place else None, answer))
        return out

    def _advance_places(self, is_placed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        n = len(self.scans)
        records, frame = self.records, self.venue.model.radio_map.frame
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
        has_steps = had_steps | np.array([bool(scan.steps) for scan in self.scans])
        keeps_gait = (records["level"] >= 0) & (records["stamp"] == self.venue.stamp)
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
        n, model, records = len(self.scans), self.venue.model, self.records
        store = np.full((n, N_CANDIDATES), -1, dtype=np.int32)
        probability = np.zeros((n, N_CANDIDATES))
        if model.fronts is None or len(at) == 0:
            return store, probability
        told_store, told, in_store = self._told(at)
        front, distance_m = model.fronts.measure(xy_m[at], model.front_level[self.level[at]])
        part = records[at]
        found = np.empty((len(at), N_CANDIDATES), dtype=np.int32)
        found_probability = np.empty((len(at), N_CANDIDATES))
        rest, inside = np.ascontiguousarray(part["rest"]), np.ascontiguousarray(part["inside"])
        join_stores(
            self.is_new[at],
            self.wait_s[at],
            self.venue.near,
            self.venue.near_share,
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
        self,
        single: Position,
        lon_lat_deg: list[float],
        radius_m: float,
        store: I32,
        probability: F64,
        inside: float,
    ) -> Position:
        """The single scan's answer with the filter's place and stores."""
        lon_deg, lat_deg = lon_lat_deg
        placed = replace(single, lat_deg=lat_deg, lon_deg=lon_deg, accuracy_m=float(radius_m))
        model = self.venue.model
        if model.fronts is None or store[0] < 0:
            return placed
        in_store = None if single.in_store is None else inside
        in_set = max(int((probability >= model.calibration.set_threshold).sum()), 1)
        n_shown = max(int((probability >= _SHOWN_PROBABILITY).sum()), in_set)
        ids, names = model.fronts.store_ids, model.fronts.store_names
        shares = (probability[:n_shown] / probability[:n_shown].sum()).tolist()
        listed = tuple(
            Candidate(ids[s], names[s], p) for s, p in zip(store[:n_shown].tolist(), shares, strict=True) if s >= 0
        )
        named = listed[0] if in_store is None or in_store >= model.calibration.inside_threshold else None
        if named is not None:
            confidence = named.probability * (1.0 if in_store is None else in_store)
        else:
            confidence = 1.0 - inside
        return replace(
            placed,
            confidence=confidence,
            in_store=in_store,
            store_id=None if named is None else named.store_id,
            store_name=None if named is None else named.store_name,
            candidates=listed,
            store_set=tuple(candidate.store_id for candidate in listed[:in_set]),
        )


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
