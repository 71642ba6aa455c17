"""A model on disk is numbers and text: reading it can run nothing."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernel.ids import VenueId
from positioning.bundle import from_bytes, to_bytes
from positioning.errors import BundleError
from positioning.model import VenueModel
from sim.world import World
from venues.build import build_venue
from venues.model import Venue


@pytest.fixture(scope="module")
def bundle(prepared_home: Path) -> bytes:
    """The live model in the data folder."""
    (path,) = prepared_home.rglob("model.npz")
    return path.read_bytes()


@pytest.fixture(scope="module")
def venue(small_world: World) -> Venue:
    """Its venue, read from the map that was imported."""
    return build_venue(small_world.mall.archive, VenueId("demo"))


class Bomb:
    """Unpickled, it raises ``Exploded``."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return explode, ()


class Exploded(Exception):
    """A pickle was run."""


def explode() -> None:
    raise Exploded


def rewritten(bundle: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The bundle with its members changed, packed anew."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def npy(array: np.ndarray[Any, Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def test_a_bundle_on_disk_is_plain_arrays_to_the_last_byte(bundle: bytes) -> None:
    """Each member is an npy header and exactly its array's bytes, so that nothing can hide behind or among them."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert len(members) == 1 + 2 * 12, "a header, and twelve arrays each of the whole survey and of its beacons"
    for name, content in members.items():
        assert name.endswith(".npy")
        stream = io.BytesIO(content)
        array = np.load(stream, allow_pickle=False)
        assert stream.read() == b""
        assert not array.dtype.hasobject
        assert array.dtype.names is None
        assert len(content) - array.nbytes == int.from_bytes(content[8:10], "little") + 10
        with pytest.raises(pickle.UnpicklingError):
            pickle.loads(content)
    header = np.load(io.BytesIO(members["header.npy"]), allow_pickle=False)
    assert json.loads(header.tobytes()).keys() == {"content", "sha256"}


def test_a_bundle_packed_anew_is_the_same_bundle(bundle: bytes, venue: Venue) -> None:
    """So that the refusals below are for what was changed and not for the packing."""
    again = from_bytes(rewritten(bundle, lambda _members: None), venue)
    assert to_bytes(again) == to_bytes(from_bytes(bundle, venue))


@pytest.mark.parametrize("name", ["header", "rssi_dbm", "store"])
def test_a_pickled_array_is_refused_unread(bundle: bytes, venue: Venue, name: str) -> None:
    def change(members: dict[str, bytes]) -> None:
        members[f"{name}.npy"] = npy(np.array([Bomb()], dtype=object))

    with pytest.raises(Exploded):
        np.load(io.BytesIO(npy(np.array([Bomb()], dtype=object))), allow_pickle=True)
    with pytest.raises(BundleError, match=r"model bundle: not readable: Object arrays cannot be loaded"):
        from_bytes(rewritten(bundle, change), venue)


@pytest.mark.parametrize("member", ["notes.npy", "notes.pkl"])
def test_a_member_that_no_bundle_has_is_refused_unread(bundle: bytes, venue: Venue, member: str) -> None:
    def change(members: dict[str, bytes]) -> None:
        members[member] = npy(np.array([Bomb()], dtype=object))

    with pytest.raises(BundleError, match="unexpected notes"):
        from_bytes(rewritten(bundle, change), venue)


@pytest.mark.parametrize(
    "content", [pickle.dumps(Bomb()), npy(np.array([Bomb()], dtype=object)), npy(np.zeros(3)), b""]
)
def test_a_file_that_is_no_bundle_at_all_is_refused(venue: Venue, content: bytes) -> None:
    with pytest.raises(BundleError, match="not readable"):
        from_bytes(content, venue)


def test_an_array_whose_own_header_is_broken_is_told(bundle: bytes, venue: Venue) -> None:
    """numpy reads that header as Python: an open bracket is an error of the tokeniser's own kind."""

    def open_a_bracket(members: dict[str, bytes]) -> None:
        members["xy_m.npy"] = members["xy_m.npy"].replace(b"}", b"(", 1)

    with pytest.raises(BundleError, match="not readable"):
        from_bytes(rewritten(bundle, open_a_bracket), venue)


def changed(model: VenueModel, part: str, **values: object) -> VenueModel:
    """The model with other values in a part of it."""
    return replace(model, **{part: replace(getattr(model, part), **values)})


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("calibration", {"error": (1.0,)}),
        ("calibration", {"front": (0.0,) * 5_000}),
        ("calibration", {"inside": (0.0,) * 3}),
        ("calibration", {"set_threshold": float("inf")}),
        ("calibration", {"inside_threshold": "high"}),
        ("settings", {"k": 0}),
        ("settings", {"n_short": 0}),
        ("settings", {"n_short": 10**9}),
        ("settings", {"k": 1e30}),
    ],
)
def test_numbers_that_no_model_has_are_refused_though_the_hash_is_right(
    bundle: bytes, venue: Venue, part: str, values: dict[str, object]
) -> None:
    model = from_bytes(bundle, venue)
    with pytest.raises(BundleError, match="shape of format"):
        from_bytes(to_bytes(changed(model, part, **values)), venue)


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("xy_m", (0, 0), np.nan),
        ("level", 0, 7),
        ("level", 0, -1),
        ("store", 3, 10**8),
        ("rssi_dbm", 5, np.nan),
        ("transmitter", 5, 10**6),
        ("indptr", 2, 10**7),
        ("indptr", -1, 1),
    ],
)
def test_places_that_a_kernel_would_run_off_to_are_refused(
    bundle: bytes, venue: Venue, name: str, at: int | tuple[int, int], value: float
) -> None:
    model = from_bytes(bundle, venue)
    holder = model.radio_map if hasattr(model.radio_map, name) else model.radio_map.readings
    survey = model.survey if hasattr(model.survey, name) else model.survey.readings
    for held in {id(holder): holder, id(survey): survey}.values():
        array = getattr(held, name)
        array.flags.writeable = True
        array[at] = value
    with pytest.raises(BundleError, match="shape of format"):
        from_bytes(to_bytes(model), venue)
