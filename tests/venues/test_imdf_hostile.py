"""Archives that refuse: each structural fault, by its code, and never anything but a refusal."""

import io
import json
import struct
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.errors import InputRefusedError
from tests.venues.tiny_mall import find, tiny_mall, tiny_members, uid, with_features, zip_of
from venues.archive import ImdfArchive
from venues.errors import ImdfRefusedError
from venues.faults import Fault, FaultCode
from venues.imdf import read_archive, write_archive


def refused(data: bytes, *, lenient: bool = False) -> tuple[Fault, ...]:
    with pytest.raises(ImdfRefusedError) as caught:
        read_archive(data, lenient=lenient)
    assert isinstance(caught.value, InputRefusedError)
    assert caught.value.faults
    return caught.value.faults


def codes(faults: tuple[Fault, ...]) -> set[FaultCode]:
    return {fault.code for fault in faults}


Members = dict[str, bytes]

STRUCTURAL: dict[str, tuple[Callable[[Members], Members], FaultCode]] = {
    "parent path": (lambda m: {**m, "../unit.geojson": b"{}"}, FaultCode.UNSAFE_PATH),
    "parent path inside": (lambda m: {**m, "a/../../unit.geojson": b"{}"}, FaultCode.UNSAFE_PATH),
    "parent path, backslashes": (lambda m: {**m, "..\\unit.geojson": b"{}"}, FaultCode.UNSAFE_PATH),
    "absolute path": (lambda m: {**m, "/etc/unit.geojson": b"{}"}, FaultCode.UNSAFE_PATH),
    "drive path": (lambda m: {**m, "C:\\unit.geojson": b"{}"}, FaultCode.UNSAFE_PATH),
    "no manifest": (lambda m: without(m, "manifest.json"), FaultCode.NO_MANIFEST),
    "manifest is a list": (lambda m: {**m, "manifest.json": b"[]"}, FaultCode.NO_MANIFEST),
    "no venue file": (lambda m: without(m, "venue.geojson"), FaultCode.NO_VENUE),
    "no level file": (lambda m: without(m, "level.geojson"), FaultCode.NO_LEVEL),
    "no venue in the file": (lambda m: with_features(m, "venue.geojson", []), FaultCode.NO_VENUE),
    "no level in the file": (lambda m: with_features(m, "level.geojson", []), FaultCode.NO_LEVEL),
    "two files of one type": (lambda m: {**m, "unit.json": m["unit.geojson"]}, FaultCode.DUPLICATE_FILE),
    "not JSON": (lambda m: {**m, "unit.geojson": b'{"type": '}, FaultCode.NOT_JSON),
    "not UTF-8": (lambda m: {**m, "unit.geojson": b'{"type": "\xff"}'}, FaultCode.NOT_UTF8),
    "UTF-16": (lambda m: {**m, "unit.geojson": m["unit.geojson"].decode().encode("utf-16")}, FaultCode.NOT_UTF8),
    "a list": (lambda m: {**m, "unit.geojson": b"[]"}, FaultCode.NOT_A_FEATURE_COLLECTION),
    "one feature": (lambda m: {**m, "unit.geojson": b'{"type": "Feature"}'}, FaultCode.NOT_A_FEATURE_COLLECTION),
    "features no list": (
        lambda m: {**m, "unit.geojson": b'{"type": "FeatureCollection", "features": {}}'},
        FaultCode.NOT_A_FEATURE_COLLECTION,
    ),
    "deep nesting": (lambda m: {**m, "unit.geojson": b"[" * 200_000}, FaultCode.NOT_JSON),
    "deep but closed": (lambda m: {**m, "unit.geojson": b"[" * 500 + b"]" * 500}, FaultCode.NOT_JSON),
    "NaN": (lambda m: replaced(m, b"30.0", b"NaN"), FaultCode.NOT_JSON),
    "infinity": (lambda m: replaced(m, b"30.0", b"-Infinity"), FaultCode.NOT_JSON),
    "overflow": (lambda m: replaced(m, b"30.0", b"1e999"), FaultCode.NOT_JSON),
    "huge whole number": (lambda m: replaced(m, b"30.0", b"9" * 5000), FaultCode.NOT_JSON),
    "lone surrogate": (lambda m: replaced(m, b"walkway", b"\\ud800"), FaultCode.NOT_JSON),
}


def without(members: Members, name: str) -> Members:
    return {key: value for key, value in members.items() if key != name}


def replaced(members: Members, old: bytes, new: bytes) -> Members:
    assert old in members["unit.geojson"]
    return {**members, "unit.geojson": members["unit.geojson"].replace(old, new, 1)}


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("case", STRUCTURAL)
def test_a_structural_fault_refuses_the_archive_also_leniently(case: str, lenient: bool) -> None:
    change, code = STRUCTURAL[case]
    assert code in codes(refused(zip_of(change(tiny_members())), lenient=lenient))


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip", b"PK\x05\x06" + b"\xff" * 18, b"\x00" * 1000])
def test_what_is_no_zip_is_refused(data: bytes) -> None:
    assert codes(refused(data)) == {FaultCode.NOT_A_ZIP}


def test_an_empty_zip_is_refused() -> None:
    assert codes(refused(zip_of({}))) == {FaultCode.NO_MANIFEST}


def test_a_bomb_is_refused_by_its_ratio_before_it_goes_off() -> None:
    bomb = zip_of({**tiny_members(), "unit.geojson": b" " * (16 * 2**20)})
    faults = refused(bomb, lenient=True)
    assert [(fault.code, fault.file) for fault in faults] == [(FaultCode.ZIP_BOMB, "unit.geojson")]


def test_a_bomb_is_refused_by_the_sum_of_its_members() -> None:
    # three members of 60 MiB each, none too large and none deflated, as the directory has it
    data = bytearray(zip_of({f"{number}.txt": b"x" for number in range(3)}, zipfile.ZIP_STORED))
    entry = -1
    for _ in range(3):
        entry = data.index(b"PK\x01\x02", entry + 1)
        struct.pack_into("<II", data, entry + 20, 60 * 2**20, 60 * 2**20)
    assert [(fault.code, fault.file) for fault in refused(bytes(data))] == [(FaultCode.ZIP_BOMB, None)]


def test_a_bomb_is_refused_by_the_size_its_directory_claims() -> None:
    data = bytearray(zip_of({"manifest.json": b"{}"}, zipfile.ZIP_STORED))
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 0x7FFF_FFFF)
    assert codes(refused(bytes(data))) == {FaultCode.ZIP_BOMB}


def test_a_member_larger_than_its_directory_entry_says_is_refused() -> None:
    data = bytearray(zip_of({**tiny_members(), "unit.geojson": b" " * 5_000_000 + b"{}"}))
    entry = data.rindex(b"unit.geojson") - 46
    struct.pack_into("<I", data, entry + 24, 100)
    faults = refused(bytes(data))
    assert (FaultCode.UNREADABLE_MEMBER, "unit.geojson") in {(fault.code, fault.file) for fault in faults}


def test_too_many_members_are_refused() -> None:
    assert codes(refused(zip_of({f"{number}.txt": b"" for number in range(1_001)}))) == {FaultCode.ZIP_BOMB}


def test_a_damaged_member_is_refused_and_named() -> None:
    data = bytearray(zip_of(tiny_members(), zipfile.ZIP_STORED))
    at = data.index(b"walkway")
    data[at : at + 7] = b"walkwax"
    faults = refused(bytes(data))
    assert (FaultCode.UNREADABLE_MEMBER, "unit.geojson") in {(fault.code, fault.file) for fault in faults}


def test_an_encrypted_member_is_refused() -> None:
    data = bytearray(zip_of(tiny_members()))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature)
        data[at + offset] |= 1
    faults = refused(bytes(data))
    assert (FaultCode.UNREADABLE_MEMBER, "encrypted") in {(fault.code, fault.message) for fault in faults}


def test_one_file_twice_is_refused() -> None:
    out = io.BytesIO(zip_of(tiny_members()))
    with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("unit.geojson", b"{}")
    assert FaultCode.DUPLICATE_FILE in codes(refused(out.getvalue()))


@pytest.mark.parametrize(("one", "other"), [("room-a", "room-b"), ("room-a", "store-a"), ("F1", "F2")])
def test_a_duplicate_id_refuses_within_a_file_and_across_files(one: str, other: str) -> None:
    archive = tiny_mall()
    find(archive, other)["id"] = uid(one)
    faults = refused(write_archive(archive), lenient=True)
    assert (FaultCode.DUPLICATE_ID, uid(one)) in {(fault.code, fault.feature_id) for fault in faults}


def test_two_occupants_may_not_name_one_store() -> None:
    archive = tiny_mall()
    for name in ("store-a", "store-b"):
        find(archive, name)["properties"]["atrium_source_id"] = "12"
    assert FaultCode.DUPLICATE_ID in codes(refused(write_archive(archive), lenient=True))


def test_two_venues_are_refused() -> None:
    archive = tiny_mall()
    second = {**archive.of("venue")[0], "id": uid("another")}
    double = ImdfArchive(archive.manifest, archive.features | {"venue": (*archive.of("venue"), second)})
    assert FaultCode.SEVERAL_VENUES in codes(refused(write_archive(double), lenient=True))


@pytest.mark.parametrize(
    ("name", "geometry"),
    [
        ("room-a", {"type": "Point", "coordinates": [120.0, 30.0]}),
        ("room-a", None),
        ("room-a", {"type": "Blob", "coordinates": []}),
        ("room-a", "POLYGON EMPTY"),
        ("F1", {"type": "LineString", "coordinates": [[120.0, 30.0], [120.1, 30.0]]}),
        ("store-a", {"type": "Point", "coordinates": [120.0, 30.0]}),
        ("building", {"type": "Point", "coordinates": [120.0, 30.0]}),
        ("anchor-a", {"type": "MultiPoint", "coordinates": [[120.0, 30.0]]}),
        ("door-b", {"type": "Point", "coordinates": [120.0, 30.0]}),
        ("venue", {"type": "GeometryCollection", "geometries": []}),
    ],
)
def test_a_wrong_geometry_type_refuses(name: str, geometry: object) -> None:
    archive = tiny_mall()
    find(archive, name)["geometry"] = geometry
    faults = refused(write_archive(archive), lenient=True)
    assert (FaultCode.WRONG_GEOMETRY_TYPE, uid(name)) in {(fault.code, fault.feature_id) for fault in faults}


def test_all_faults_come_in_one_run() -> None:
    archive = tiny_mall()
    archive.manifest["version"] = "2.0.0"
    find(archive, "store-a")["properties"]["anchor_id"] = uid("nowhere")
    (
        find(archive, "room-c")["geometry"]["coordinates"][0][1],
        find(archive, "room-c")["geometry"]["coordinates"][0][2],
    ) = (
        find(archive, "room-c")["geometry"]["coordinates"][0][2],
        find(archive, "room-c")["geometry"]["coordinates"][0][1],
    )
    find(archive, "F2")["id"] = uid("F1")
    members = dict(zip_members(archive))
    members["kiosk.json"] = members.pop("kiosk.geojson")
    members["detail.geojson"] = b"{"
    assert codes(refused(zip_of(members))) >= {
        FaultCode.UNSUPPORTED_VERSION,
        FaultCode.DANGLING_REFERENCE,
        FaultCode.INVALID_GEOMETRY,
        FaultCode.DUPLICATE_ID,
        FaultCode.FILE_NAME,
        FaultCode.NOT_JSON,
    }


def zip_members(archive: ImdfArchive) -> Members:
    with zipfile.ZipFile(io.BytesIO(write_archive(archive))) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def read_or_refuse(data: bytes, *, lenient: bool) -> None:
    try:
        result = read_archive(data, lenient=lenient)
    except ImdfRefusedError as error:
        assert error.faults  # either outcome is lawful, any other exception is not
    else:
        assert lenient or not result.faults


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_read_or_refused(data: bytes, lenient: bool) -> None:
    read_or_refuse(data, lenient=lenient)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.booleans())
def test_flipped_bytes_are_read_or_refused(data: st.DataObject, lenient: bool) -> None:
    sound = bytearray(zip_of(tiny_members()))
    for _ in range(data.draw(st.integers(1, 8))):
        sound[data.draw(st.integers(0, len(sound) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(sound[: data.draw(st.integers(len(sound) // 2, len(sound)))]), lenient=lenient)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["Polygon", "Feature", "unit", "venue", uid("F1"), uid("walk-F1")]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "coordinates", "id", "en", "feature_type"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.booleans())
def test_any_json_value_anywhere_is_read_or_refused(data: st.DataObject, lenient: bool) -> None:
    archive = tiny_mall()
    for _ in range(data.draw(st.integers(1, 3))):
        kind = data.draw(st.sampled_from(sorted(archive.features)))
        items = archive.of(kind)
        holder: object = items[data.draw(st.integers(0, len(items) - 1))]
        while True:
            assert isinstance(holder, dict | list)
            keys = sorted(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            child = holder[key]
            if not isinstance(child, dict | list) or not child or data.draw(st.booleans()):
                holder[key] = data.draw(JSON_VALUES)
                break
            holder = child
    members = {
        f"{kind}.geojson": json.dumps({"type": "FeatureCollection", "features": list(items)}).encode()
        for kind, items in archive.features.items()
    }
    read_or_refuse(zip_of({"manifest.json": json.dumps(archive.manifest).encode()} | members), lenient=lenient)
