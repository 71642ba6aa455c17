"""A model on disk: one ``.npz`` without pickle, whose header says its format and the hash of its content.

The map's polygons are not in it: they come from the venue, so a corrected map needs no new survey. A model whose
levels are gone from the map, or whose bytes are damaged, is refused.
"""

import hashlib
import io
import json
import tokenize
import zipfile
import zlib
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernel.ids import LevelId, TransmitterId, VenueId
from positioning.bundle_check import check_part
from positioning.epochs import Epochs, one_epoch
from positioning.errors import BundleError
from positioning.fronts import FrontTable, build_front_table
from positioning.model import Calibration, Settings, VenueModel, assemble_model
from positioning.radio_map import LevelKey, RadioMap, ReadingBatch
from positioning.representation import Representation, Weighing
from venues.frame import LocalFrame
from venues.model import Venue

FORMAT = 9
_ARRAYS = {
    "indptr": np.int64,
    "transmitter": np.int32,
    "rssi_dbm": np.float32,
    "age_ms": np.float32,
    "n_heard": np.int32,
    "xy_m": np.float64,
    "level": np.int32,
    "walk": np.int32,
    "store": np.int32,
    "epoch_first": np.int64,
    "born": np.int32,
    "radio": np.int32,
}
_HEADER = "header"


_BEACONS = "beacons_"
"""Before the names of the arrays of a model's ``beacons``."""


def to_bytes(model: VenueModel) -> bytes:
    """The model as bytes; the same model gives the same bytes."""
    content, arrays = _part(model)
    content |= {"format": FORMAT, "venue_id": model.venue_id, "beacons": None}
    content["stores"] = [] if model.fronts is None else list(model.fronts.store_ids)
    if model.beacons is not None:
        content["beacons"], of_beacons = _part(model.beacons)
        arrays |= {f"{_BEACONS}{name}": array for name, array in of_beacons.items()}
    header = {"content": content, "sha256": _hash(content, arrays)}
    out = io.BytesIO()
    encoded = np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8)
    np.savez_compressed(out, allow_pickle=False, **{_HEADER: encoded}, **arrays)
    return out.getvalue()


def _part(model: VenueModel) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    radio_map = model.survey
    readings = radio_map.readings
    own = np.arange(len(radio_map.transmitters), dtype=np.int32)
    epochs = radio_map.epochs or one_epoch(radio_map.n_scans, len(radio_map.transmitters))
    arrays: dict[str, NDArray[Any]] = {
        "indptr": readings.indptr,
        "transmitter": readings.transmitter,
        "rssi_dbm": readings.rssi_dbm,
        "age_ms": readings.age_ms,
        "n_heard": readings.n_heard,
        "xy_m": radio_map.xy_m,
        "level": radio_map.level,
        "walk": radio_map.walk,
        "store": radio_map.store,
        "epoch_first": epochs.first,
        "born": epochs.born,
        "radio": own if radio_map.radio is None else radio_map.radio,
    }
    content = {
        "frame": [radio_map.frame.lat_deg, radio_map.frame.lon_deg],
        "transmitters": list(radio_map.transmitters),
        "levels": [[level.building, level.short_name, level.level_id] for level in radio_map.levels],
        "settings": asdict(model.settings),
        "calibration": asdict(model.calibration),
        "learned_until_us": list(epochs.until_us),
    }
    return content, arrays


def from_bytes(data: bytes, venue: Venue | None) -> VenueModel:
    """Read a model back for its venue.

    Raises:
        BundleError: damaged, of another format, or made for another venue or map.
    """
    content, arrays = _read(data)
    try:
        return _assemble(content, arrays, venue)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise BundleError(f"its content does not have the shape of format {FORMAT}: {error}") from error


def _read(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            header = json.loads(archive[_HEADER].tobytes())
            content, expected = header["content"], header["sha256"]
            if content["format"] != FORMAT:
                raise BundleError(f"expected format {FORMAT}, found {content['format']!r}")
            names = list(_ARRAYS)
            if content["beacons"] is not None:
                names += [f"{_BEACONS}{name}" for name in _ARRAYS]
            unexpected = sorted(set(archive.files) - {_HEADER, *names})
            if unexpected:
                raise BundleError(f"expected the arrays of format {FORMAT} alone, found unexpected {unexpected[0]}")
            arrays = {name: archive[name] for name in names}
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise BundleError(f"not readable: {error}") from error
    except tokenize.TokenError as error:  # numpy reads an array's header as Python's literals
        raise BundleError(f"not readable: {error}") from error
    except NotImplementedError as error:  # a zip method that no bundle uses
        raise BundleError(f"not readable: {error}") from error
    found = _hash(content, arrays)
    if found != expected:
        raise BundleError(f"expected content with sha256 {expected}, found {found}")
    return content, arrays


def _assemble(content: dict[str, Any], arrays: dict[str, NDArray[Any]], venue: Venue | None) -> VenueModel:
    venue_id = VenueId(content["venue_id"])
    if venue is not None and venue.id != venue_id:
        raise BundleError(f"expected a model of venue {venue.id}, found one of {venue_id}")
    fronts = None if venue is None else build_front_table(venue)
    stores = [] if fronts is None else list(fronts.store_ids)
    if stores != content["stores"]:
        raise BundleError("the venue's stores have changed since it was trained; train it again")
    n_stores = 0 if venue is None else len(venue.stores)
    check_part(content, arrays, n_stores)
    model = _assemble_part(venue_id, content, arrays, fronts)
    if content["beacons"] is None:
        return model
    of_beacons = {name: arrays[f"{_BEACONS}{name}"] for name in _ARRAYS}
    check_part(content["beacons"], of_beacons, n_stores)
    return replace(model, beacons=_assemble_part(venue_id, content["beacons"], of_beacons, fronts))


def _assemble_part(
    venue_id: VenueId, content: dict[str, Any], arrays: dict[str, NDArray[Any]], fronts: FrontTable | None
) -> VenueModel:
    transmitters = tuple(TransmitterId(item) for item in content["transmitters"])
    settings = dict(content["settings"])
    weighing = settings.pop("weighing")
    calibration: dict[str, Any] = {
        name: tuple(v) if isinstance(v, list) else v for name, v in content["calibration"].items()
    }
    confirmed_us, sure_us = content["learned_until_us"]
    epochs = Epochs(arrays["epoch_first"], arrays["born"], (int(confirmed_us), int(sure_us)))
    if epochs.first[-1] != len(arrays["xy_m"]) or len(epochs.born) != len(transmitters):
        raise ValueError(f"epochs of {epochs.first[-1]} scans and {len(epochs.born)} transmitters")
    radio = arrays["radio"]
    if len(radio) != len(transmitters) or not np.array_equal(np.unique(radio), np.arange(len(np.unique(radio)))):
        raise ValueError(f"radios of {len(radio)} transmitters, of {len(transmitters)}")
    radio_map = RadioMap(
        frame=LocalFrame(*content["frame"]),
        transmitters=transmitters,
        index={transmitter: i for i, transmitter in enumerate(transmitters)},
        levels=tuple(
            LevelKey(building, short_name, None if level_id is None else LevelId(level_id))
            for building, short_name, level_id in content["levels"]
        ),
        readings=ReadingBatch(*(arrays[name] for name in ("indptr", "transmitter", "rssi_dbm", "age_ms", "n_heard"))),
        xy_m=arrays["xy_m"],
        level=arrays["level"],
        walk=arrays["walk"],
        store=arrays["store"],
        epochs=epochs if epochs.n_epochs > 1 else None,
        radio=radio if len(np.unique(radio)) < len(radio) else None,
    )
    return assemble_model(
        venue_id,
        radio_map,
        Settings(
            weighing=Weighing(
                tuple(Representation(**item) for item in weighing["representations"]),
                weighing["floor_dbm"],
                weighing["tau_ms"],
                weighing["max_kept"],
            ),
            **settings,
        ),
        Calibration(**calibration),
        fronts,
    )


def _hash(content: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(arrays):
        array, dtype = arrays[name], _ARRAYS[name.removeprefix(_BEACONS)]
        if array.dtype != dtype:
            raise BundleError(f"expected {name} of type {np.dtype(dtype)}, found {array.dtype}")
        digest.update(f"{name}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
