"""The light locator: neighbours, geometry and calibration, no ranker; one venue or many resident."""

from collections.abc import Sequence

from fingerprints.scan import Scan
from fingerprints.transmitters import is_beacon
from kernel.ids import TransmitterId, VenueId
from positioning.compiled import AnsweringVenue, LightVenue, VenueNames, compile_light
from positioning.kernels.answer import AnswerArrays
from positioning.model import VenueModel
from positioning.position import Candidate, Located, LocatorName, NoPositionReason, Position

_NO_READINGS = Located(None, NoPositionReason.NO_READINGS)
_UNKNOWN_RADIO = Located(None, NoPositionReason.UNKNOWN_RADIO)
_OUTSIDE = Located(None, NoPositionReason.OUTSIDE)


class LightLocator:
    """Implements ``ports.Locator``. Stateless: calls may come from several threads."""

    locator_name: LocatorName = "light"

    def __init__(self, models: Sequence[VenueModel]) -> None:
        self._hold(
            [self._compile(model) for model in models],
            [None if model.beacons is None else compile_light(model.beacons) for model in models],
        )

    @classmethod
    def join(cls, locators: Sequence["LightLocator"]) -> "LightLocator":
        """One over the venues of them all, which are not compiled again; all of one kind."""
        joined = cls.__new__(cls)
        for locator in locators[:1]:
            joined.locator_name = locator.locator_name
        joined._hold(
            [venue for locator in locators for venue in locator._venues],
            [venue for locator in locators for venue in locator._beacons],
        )
        return joined

    def _hold(self, venues: Sequence[AnsweringVenue], beacons: Sequence[LightVenue | None]) -> None:
        if len({venue.names.venue_id for venue in venues}) != len(venues):
            raise ValueError("expected one model a venue, found two of one venue")
        self._venues, self._beacons = tuple(venues), tuple(beacons)
        self._at = {venue.names.venue_id: i for i, venue in enumerate(self._venues)}
        self._hearing: dict[TransmitterId, tuple[int, ...]] = {}
        if len(self._venues) > 1:
            for i, venue in enumerate(self._venues):
                for transmitter in venue.names.index:
                    self._hearing[transmitter] = (*self._hearing.get(transmitter, ()), i)

    def _compile(self, model: VenueModel) -> AnsweringVenue:
        return compile_light(model)

    @property
    def venue_ids(self) -> tuple[VenueId, ...]:
        """The venues it knows, in the order of the models."""
        return tuple(self._at)

    def locate(self, scans: Sequence[Scan]) -> list[Located]:
        """Answer each scan, in order."""
        answers = [_UNKNOWN_RADIO] * len(scans)
        of_model: dict[tuple[int, bool], list[int]] = {}
        for at, scan in enumerate(scans):
            chosen = self._choose(scan)
            if chosen is not None:
                is_beacons = self._beacons[chosen] is not None and _hears_beacons_alone(
                    scan, self._venues[chosen].names
                )
                of_model.setdefault((chosen, is_beacons), []).append(at)
            elif not scan.readings:
                answers[at] = _NO_READINGS
        for (chosen, is_beacons), places in of_model.items():
            located = self._locate_in(chosen, is_beacons, [scans[at] for at in places])
            for at, answer in zip(places, located, strict=True):
                answers[at] = answer
        return answers

    def _locate_in(self, number: int, is_beacons: bool, scans: Sequence[Scan]) -> list[Located]:
        """The answers of one of the venues, or of its map of beacons alone."""
        venue = (self._beacons[number] if is_beacons else None) or self._venues[number]
        return _dress(venue.names, scans, venue.answer(scans), self.locator_name)

    def _choose(self, scan: Scan) -> int | None:
        """The given venue, else the one whose vocabulary hears most of the scan (the first of equals)."""
        if scan.venue_id is not None:
            return self._at.get(scan.venue_id)
        if len(self._venues) == 1:
            return 0
        counts = [0] * len(self._venues)
        for reading in scan.readings:
            for i in self._hearing.get(reading.transmitter, ()):
                counts[i] += 1
        most = max(counts, default=0)
        return counts.index(most) if most else None


def _hears_beacons_alone(scan: Scan, names: VenueNames) -> bool:
    """Whether the venue knows none but beacons of what the scan tells; the first reading denies it mostly."""
    known = names.index
    return not any(r.transmitter in known and not is_beacon(r.transmitter) for r in scan.readings)


def _dress(names: VenueNames, scans: Sequence[Scan], answers: AnswerArrays, locator: LocatorName) -> list[Located]:
    """The answers as domain values."""
    levels, ids, store_names = names.levels, names.store_ids, names.store_names
    has_map = len(ids) > 0
    threshold = names.inside_threshold
    to_lon_lat_deg = names.frame.to_lon_lat_deg_of_one
    level = answers.level.tolist()
    is_outside = answers.is_outside.tolist()
    xy_m = answers.xy_m.tolist()
    accuracy_m = answers.accuracy_m.tolist()
    level_probability = answers.level_probability.tolist()
    in_store = answers.in_store.tolist()
    store, probability = answers.store.tolist(), answers.probability.tolist()
    n_listed, n_in_set = answers.n_listed.tolist(), answers.n_in_set.tolist()
    out = []
    for i, scan in enumerate(scans):
        if level[i] < 0:
            out.append(_UNKNOWN_RADIO if scan.readings else _NO_READINGS)
            continue
        if is_outside[i]:
            out.append(_OUTSIDE)
            continue
        key = levels[level[i]]
        stores = store[i][: n_listed[i]]
        listed = tuple([Candidate(ids[s], store_names[s], p) for s, p in zip(stores, probability[i], strict=False)])
        inside = in_store[i] if names.tells_inside else None
        named = listed[0] if listed and (inside is None or inside >= threshold) else None
        if named is not None:
            confidence = named.probability * (1.0 if inside is None else inside)
        else:
            confidence = level_probability[i] if inside is None else 1.0 - inside
        lon_deg, lat_deg = to_lon_lat_deg(xy_m[i][0], xy_m[i][1])
        out.append(
            Located(
                Position(
                    names.venue_id,
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
                    tuple([ids[s] for s in stores[: n_in_set[i]]]) if has_map else (),
                    locator,
                )
            )
        )
    return out
