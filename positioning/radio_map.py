"""The radio map: a venue's survey compiled into arrays, by scan and by transmitter.

Absence of a reading is absence of an entry; there is no dense matrix and no filler value. All arrays are read-only
by convention; readings are kept raw (dBm and age), so that a representation can be chosen, and the map extended,
without the survey.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingerprints.scan import LabelledScan, Scan
from kernel.ids import DeviceId, LevelId, TransmitterId
from positioning.epochs import Epochs
from positioning.errors import SurveyTooSmallError
from positioning.kernels.radios import merge_readings
from venues.frame import LocalFrame
from venues.model import Venue

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]
U64 = NDArray[np.uint64]

MIN_DETECTIONS = 5
"""Survey scans that must hear a transmitter before it counts: fewer are passing phones and hotspots (research:
positioning, section 2). A survey under 100 scans asks for one scan in 20 instead, at least 2."""
MIN_VISITS = 3
"""Visits to a spot from which one can be held out: two remain, and the spot is still on the map."""
MIN_VISIT_SCANS = 2
"""Mean scans of a visit from which the order of a survey's instants can be believed."""


@dataclass(frozen=True, slots=True)
class LevelKey:
    """A level as the survey names it; ``level_id`` is None when the venue's map has no such level."""

    building: str | None
    short_name: str | None
    level_id: LevelId | None


@dataclass(frozen=True, slots=True)
class ReadingBatch:
    """The known readings of n_scans scans, flattened; scan i owns entries ``indptr[i]`` to ``indptr[i + 1]``.

    ``age_ms`` is NaN where the phone does not tell. ``n_heard`` counts all readings, known or not.
    """

    indptr: I64
    transmitter: I32
    rssi_dbm: F32
    age_ms: F32
    n_heard: I32

    @property
    def n_scans(self) -> int:
        return len(self.indptr) - 1


@dataclass(frozen=True, slots=True)
class RadioMap:
    """Survey scans with their places: ``xy_m`` (n_map, 2) in the venue frame, ``level`` an index into ``levels``.

    ``walk`` numbers the survey walks; ``store`` is the index of the store the surveyor was inside, -1 for none.
    ``index`` gives the column of an address; several addresses of one radio may share it (``radios.py``). ``radio``
    (n_transmitters,) numbers the radios of a map by address, before they are merged; None where each has its own.
    ``epochs`` is None for a survey that was not healed.
    """

    frame: LocalFrame
    transmitters: tuple[TransmitterId, ...]
    index: Mapping[TransmitterId, int]
    levels: tuple[LevelKey, ...]
    readings: ReadingBatch
    xy_m: F64
    level: I32
    walk: I32
    store: I32
    epochs: Epochs | None = None
    radio: I32 | None = None

    @property
    def n_scans(self) -> int:
        return self.readings.n_scans

    @property
    def born(self) -> I32:
        """(n_transmitters,) the epoch since which scans speak of each transmitter."""
        return np.zeros(len(self.transmitters), dtype=np.int32) if self.epochs is None else self.epochs.born


def take_scans(batch: ReadingBatch, at: I64) -> ReadingBatch:
    """The scans at these places of a batch, in that order."""
    counts = np.diff(batch.indptr)[at]
    indptr = np.zeros(len(at) + 1, dtype=np.int64)
    np.cumsum(counts, out=indptr[1:])
    entries = np.repeat(batch.indptr[:-1][at] - indptr[:-1], counts) + np.arange(indptr[-1])
    return ReadingBatch(
        indptr, batch.transmitter[entries], batch.rssi_dbm[entries], batch.age_ms[entries], batch.n_heard[at]
    )


def encode(scans: Sequence[Scan], index: Mapping[TransmitterId, int]) -> ReadingBatch:
    """Look up the scans' transmitters; unknown ones are left out, never filled in, those of one radio are one."""
    get = index.get
    indptr = [0]
    transmitter: list[int] = []
    rssi_dbm: list[float] = []
    age_ms: list[float | None] = []  # an array of floats turns None into NaN
    for scan in scans:
        for reading in scan.readings:
            number = get(reading.transmitter)
            if number is not None:
                transmitter.append(number)
                rssi_dbm.append(reading.rssi_dbm)
                age_ms.append(reading.age_ms)
        indptr.append(len(transmitter))
    batch = ReadingBatch(
        np.array(indptr, dtype=np.int64),
        np.array(transmitter, dtype=np.int32),
        np.array(rssi_dbm, dtype=np.float32),
        np.array(age_ms, dtype=np.float32),
        np.array([len(scan.readings) for scan in scans], dtype=np.int32),
    )
    return _merge(batch, len(index))


def merge_same(batch: ReadingBatch, n_transmitters: int) -> ReadingBatch:
    """The batch with one reading a scan and transmitter (``kernels/radios.merge_readings``)."""
    return _merge(
        ReadingBatch(
            batch.indptr.copy(), batch.transmitter.copy(), batch.rssi_dbm.copy(), batch.age_ms.copy(), batch.n_heard
        ),
        n_transmitters,
    )


def _merge(batch: ReadingBatch, n_transmitters: int) -> ReadingBatch:
    """Likewise, in the batch's own arrays."""
    n = merge_readings(batch.indptr, batch.transmitter, batch.rssi_dbm, batch.age_ms, n_transmitters)
    if n == len(batch.transmitter):
        return batch
    return ReadingBatch(batch.indptr, batch.transmitter[:n], batch.rssi_dbm[:n], batch.age_ms[:n], batch.n_heard)


def encode_connected(scans: Sequence[Scan], index: Mapping[TransmitterId, int]) -> I32:
    """(n,) the known transmitter that each scan's phone is associated with, -1 for none."""
    out = np.full(len(scans), -1, dtype=np.int32)
    for i, scan in enumerate(scans):
        for reading in scan.readings:
            if reading.is_connected:
                out[i] = index.get(reading.transmitter, -1)
    return out


def choose_transmitters(scans: Sequence[Scan]) -> tuple[TransmitterId, ...]:
    """The transmitters heard in enough survey scans to mean a place, in the order of their ids."""
    detections: dict[TransmitterId, int] = {}
    for scan in scans:
        for reading in scan.readings:
            detections[reading.transmitter] = detections.get(reading.transmitter, 0) + 1
    needed = min(MIN_DETECTIONS, max(2, len(scans) // 20))
    return tuple(sorted(t for t, count in detections.items() if count >= needed))


def choose_scans(survey: Sequence[LabelledScan], index: Mapping[TransmitterId, int]) -> list[LabelledScan]:
    """The scans that hear a chosen transmitter: a radio map's, in its order."""
    return [labelled for labelled in survey if any(r.transmitter in index for r in labelled.scan.readings)]


def compile_radio_map(survey: Sequence[LabelledScan], venue: Venue | None) -> RadioMap:
    """Compile a survey; scans that hear no chosen transmitter are left out.

    Raises:
        SurveyTooSmallError: no scan or no transmitter remains.
    """
    heard = [labelled for labelled in survey if labelled.scan.readings]
    transmitters = choose_transmitters([labelled.scan for labelled in heard])
    index = {transmitter: i for i, transmitter in enumerate(transmitters)}
    kept = choose_scans(heard, index)
    if not kept or not transmitters:
        raise SurveyTooSmallError(len(kept), len(transmitters))
    lon_lat_deg = np.array([(item.truth.lon_deg, item.truth.lat_deg) for item in kept], dtype=np.float64)
    frame = survey_frame(lon_lat_deg) if venue is None else venue.frame
    levels = _levels(kept, venue)
    level_of = {(key.building, key.short_name): i for i, key in enumerate(levels)}
    store_of = {} if venue is None else {store.id: i for i, store in enumerate(venue.stores)}
    return RadioMap(
        frame=frame,
        transmitters=transmitters,
        index=index,
        levels=levels,
        readings=encode([item.scan for item in kept], index),
        xy_m=frame.to_xy_m(lon_lat_deg),
        level=np.array([level_of[item.truth.building, item.truth.level] for item in kept], dtype=np.int32),
        walk=number_walks(kept),
        store=np.array(
            [-1 if s is None else store_of.get(s, -1) for s in (item.truth.store_id for item in kept)], dtype=np.int32
        ),
    )


def survey_frame(lon_lat_deg: F64) -> LocalFrame:
    """A frame for a survey without a map: its middle, or 0, 0 where local metres were laid there."""
    lon_deg, lat_deg = (lon_lat_deg.min(axis=0) + lon_lat_deg.max(axis=0)) / 2
    near_zero_deg = 0.1  # 11 km: no mall floats in the Gulf of Guinea
    if abs(lat_deg) < near_zero_deg and abs(lon_deg) < near_zero_deg:
        return LocalFrame(0.0, 0.0)
    return LocalFrame(float(lat_deg), float(lon_deg))


def number_walks(survey: Sequence[LabelledScan]) -> I32:
    """Number what must be held out together: walks, or runs at one spot where walks are unnamed or fewer than 5."""
    named = {item.walk for item in survey if item.walk is not None}
    use_walks = len(named) >= 5
    numbers: dict[object, int] = {}
    out = np.empty(len(survey), dtype=np.int32)
    for i, item in enumerate(survey):
        key: object = item.walk if use_walks and item.walk is not None else _spot(item)
        out[i] = numbers.setdefault(key, len(numbers))
    return out


def number_visits(survey: Sequence[LabelledScan]) -> I32 | None:
    """Number the visits to the spots of a survey that names no walk and went round its spots several times.

    A visit is what one phone scans at a spot, in the order of time, until it is elsewhere. Answers without their
    own visit are what a phone gets at another time; answers without the whole spot are those of a phone at a hole in
    the survey, and much worse.

    Returns:
        None where a walk is named; where the median spot has fewer than ``MIN_VISITS``, since a visit held out would
        take the spot, or most of what is known of it, along; and where a visit has hardly more than one scan: then
        the order means nothing (shuffled rows, nameless phones side by side) and near copies would stay behind.
    """
    if any(item.walk is not None for item in survey):
        return None
    visits: dict[object, int] = {}
    here: dict[DeviceId | None, tuple[object, int]] = {}
    out = np.empty(len(survey), dtype=np.int32)
    n = 0
    for i in sorted(range(len(survey)), key=lambda at: survey[at].scan.at):
        phone, spot = survey[i].scan.device_id, _spot(survey[i])
        if phone not in here or here[phone][0] != spot:
            here[phone] = (spot, n)
            visits[spot] = visits.get(spot, 0) + 1
            n += 1
        out[i] = here[phone][1]
    is_in_rounds = n > 0 and float(np.median(list(visits.values()))) >= MIN_VISITS
    return out if is_in_rounds and len(survey) >= MIN_VISIT_SCANS * n else None


def _spot(item: LabelledScan) -> object:
    truth = item.truth
    return truth.building, truth.level, round(truth.lat_deg, 6), round(truth.lon_deg, 6)  # 0.1 m


def _levels(survey: Sequence[LabelledScan], venue: Venue | None) -> tuple[LevelKey, ...]:
    named = sorted({(item.truth.building, item.truth.level) for item in survey}, key=lambda n: (n[0] or "", n[1] or ""))
    return tuple(LevelKey(building, level, _level_id(building, level, venue)) for building, level in named)


def _level_id(building: str | None, short_name: str | None, venue: Venue | None) -> LevelId | None:
    if venue is None:
        return None
    matches = [level for level in venue.levels if level.short_name == short_name]
    if building is not None and any(level.building == building for level in matches):
        matches = [level for level in matches if level.building == building]
    return matches[0].id if matches else None
