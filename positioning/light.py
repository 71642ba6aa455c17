"""The light locator: neighbours, geometry and calibration, no ranker; one venue or many resident."""

from collections.abc import Sequence

import numpy as np

from fingerprints.scan import Scan
from fingerprints.transmitters import is_beacon
from kernel.ids import StoreId, TransmitterId, VenueId
from positioning.locate import Answers, locate_arrays
from positioning.model import VenueModel
from positioning.position import Candidate, Located, LocatorName, NoPositionReason, Position
from positioning.radio_map import encode

_LEAST_PROBABILITY = 5e-4
"""Candidates under it are left out of an answer, the first always kept; the rest are scaled to sum to 1."""
_NO_READINGS = Located(None, NoPositionReason.NO_READINGS)
_UNKNOWN_RADIO = Located(None, NoPositionReason.UNKNOWN_RADIO)
_OUTSIDE = Located(None, NoPositionReason.OUTSIDE)


class LightLocator:
    """Implements ``ports.Locator``. Stateless: calls may come from several threads."""

    locator_name: LocatorName = "light"

    def __init__(self, models: Sequence[VenueModel]) -> None:
        self._models = tuple(models)
        self._at = {model.venue_id: i for i, model in enumerate(self._models)}
        if len(self._at) != len(self._models):
            raise ValueError("expected one model a venue, found two of one venue")
        self._hearing: dict[TransmitterId, tuple[int, ...]] = {}
        if len(self._models) > 1:
            for i, model in enumerate(self._models):
                for transmitter in model.radio_map.index:
                    self._hearing[transmitter] = (*self._hearing.get(transmitter, ()), i)

    @property
    def venue_ids(self) -> tuple[VenueId, ...]:
        """The venues it knows, in the order of the models."""
        return tuple(model.venue_id for model in self._models)

    def locate(self, scans: Sequence[Scan]) -> list[Located]:
        """Answer each scan, in order."""
        answers = [_UNKNOWN_RADIO] * len(scans)
        of_model: dict[tuple[int, bool], list[int]] = {}
        for at, scan in enumerate(scans):
            chosen = self._choose(scan)
            if chosen is not None:
                beacons = self._models[chosen].beacons
                is_beacons = beacons is not None and _hears_beacons_alone(scan, self._models[chosen])
                of_model.setdefault((chosen, is_beacons), []).append(at)
            elif not scan.readings:
                answers[at] = _NO_READINGS
        for (chosen, is_beacons), places in of_model.items():
            located = self._locate_in(chosen, is_beacons, [scans[at] for at in places])
            for at, answer in zip(places, located, strict=True):
                answers[at] = answer
        return answers

    def answer_arrays(self, number: int, scans: Sequence[Scan]) -> Answers:
        """The answers of one of the models, by its place among them."""
        model = self._models[number]
        return locate_arrays(model, encode(scans, model.radio_map.index))

    def _locate_in(self, number: int, is_beacons: bool, scans: Sequence[Scan]) -> list[Located]:
        """The answers of one of the models, or of its map of beacons alone."""
        model = self._models[number]
        if is_beacons and model.beacons is not None:
            model = model.beacons
            answers = locate_arrays(model, encode(scans, model.radio_map.index))
        else:
            answers = self.answer_arrays(number, scans)
        lon_lat_deg = model.radio_map.frame.to_lon_lat_deg(answers.settled.xy_m).tolist()
        unknown = (answers.settled.level < 0).tolist()
        outside = answers.is_outside.tolist()
        positions = _positions(model, answers, lon_lat_deg, unknown, self.locator_name)
        return [
            _NO_READINGS
            if not scan.readings
            else _UNKNOWN_RADIO
            if unknown[i]
            else _OUTSIDE
            if outside[i]
            else Located(positions[i])
            for i, scan in enumerate(scans)
        ]

    def _choose(self, scan: Scan) -> int | None:
        """The given venue, else the one whose vocabulary hears most of the scan (the first of equals)."""
        if scan.venue_id is not None:
            return self._at.get(scan.venue_id)
        if len(self._models) == 1:
            return 0
        counts = [0] * len(self._models)
        for reading in scan.readings:
            for i in self._hearing.get(reading.transmitter, ()):
                counts[i] += 1
        most = max(counts, default=0)
        return counts.index(most) if most else None


def _hears_beacons_alone(scan: Scan, model: VenueModel) -> bool:
    """Whether the venue knows none but beacons of what the scan tells; the first reading denies it mostly."""
    known = model.radio_map.index
    return not any(r.transmitter in known and not is_beacon(r.transmitter) for r in scan.readings)


def _positions(
    model: VenueModel, answers: Answers, lon_lat_deg: list[list[float]], skip: list[bool], locator: LocatorName
) -> list[Position | None]:
    """The answers as domain values; None where there is none to give."""
    levels = model.radio_map.levels
    level = answers.settled.level.tolist()
    accuracy_m = answers.accuracy_m.tolist()
    level_probability = answers.level_probability.tolist()
    has_map = model.fronts is not None
    tells_inside = has_map and model.calibration.tells_inside
    in_store = answers.in_store.tolist()
    candidates = _candidates(model, answers) if has_map else [((), ())] * len(level)
    threshold = model.calibration.inside_threshold
    out: list[Position | None] = []
    for i, (lon_deg, lat_deg) in enumerate(lon_lat_deg):
        if skip[i]:
            out.append(None)
            continue
        key = levels[level[i]]
        listed, store_set = candidates[i]
        inside = in_store[i] if tells_inside else None
        named = listed[0] if listed and (inside is None or inside >= threshold) else None
        if named is not None:
            confidence = named.probability * (1.0 if inside is None else inside)
        else:
            confidence = level_probability[i] if inside is None else 1.0 - inside
        out.append(
            Position(
                model.venue_id,
                key.short_name,
                key.level_id,
                lat_deg,
                lon_deg,
                accuracy_m[i],
                confidence,
                key.building,
                inside,
                None if named is None else named.store_id,
                None if named is None else named.store_name,
                listed,
                store_set,
                locator,
            )
        )
    return out


def _candidates(model: VenueModel, answers: Answers) -> list[tuple[tuple[Candidate, ...], tuple[StoreId, ...]]]:
    """Each scan's candidates and answer set."""
    assert model.fronts is not None
    ids, names = model.fronts.store_ids, model.fronts.store_names
    is_kept = answers.probability >= _LEAST_PROBABILITY
    n_kept = np.maximum(is_kept.sum(axis=1), answers.n_in_set).tolist()
    kept_sum = np.where(np.arange(answers.probability.shape[1]) < np.array(n_kept)[:, None], answers.probability, 0.0)
    scaled = (answers.probability / np.maximum(kept_sum.sum(axis=1, keepdims=True), 1e-300)).tolist()
    stores = answers.store.tolist()
    n_in_set = answers.n_in_set.tolist()
    out = []
    for i, n in enumerate(n_kept):
        row = stores[i]
        listed = tuple([Candidate(ids[s], names[s], p) for s, p in zip(row[:n], scaled[i][:n], strict=True)])
        out.append((listed, tuple([ids[s] for s in row[: n_in_set[i]]])))
    return out
