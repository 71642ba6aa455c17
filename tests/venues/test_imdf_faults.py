"""Faulty features: each is listed with its file, id and code, refuses the archive, and goes when read leniently."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kernel.ids import VenueId
from tests.venues.tiny_mall import at, find, tiny_mall, tiny_members, uid, with_features, zip_of
from venues.archive import ImdfArchive
from venues.build import build_venue
from venues.errors import ImdfRefusedError
from venues.faults import STRUCTURAL_CODES, Fault, FaultCode
from venues.imdf import ReadResult, read_archive, write_archive


def prop(name: str, key: str, value: Any) -> Callable[[ImdfArchive], None]:
    def change(archive: ImdfArchive) -> None:
        find(archive, name)["properties"][key] = value

    return change


def without_prop(name: str, key: str) -> Callable[[ImdfArchive], None]:
    def change(archive: ImdfArchive) -> None:
        del find(archive, name)["properties"][key]

    return change


def member(name: str, key: str, value: Any) -> Callable[[ImdfArchive], None]:
    def change(archive: ImdfArchive) -> None:
        find(archive, name)[key] = value

    return change


def ring(name: str, *corners: tuple[float, float]) -> Callable[[ImdfArchive], None]:
    return member(name, "geometry", {"type": "Polygon", "coordinates": [[at(x, y) for x, y in corners]]})


def swapped(name: str) -> Callable[[ImdfArchive], None]:
    def change(archive: ImdfArchive) -> None:
        geometry = find(archive, name)["geometry"]
        geometry["coordinates"] = [[position[::-1] for position in part] for part in geometry["coordinates"]]

    return change


NOWHERE = uid("nowhere")
BOW_TIE = ((0, 12), (10, 20), (10, 12), (0, 20), (0, 12))

# case -> (change, feature at fault, code, everything else that a lenient reading leaves out with it)
CASES: dict[str, tuple[Callable[[ImdfArchive], None], str, FaultCode, set[str]]] = {
    "dangling anchor_id": (prop("store-a", "anchor_id", NOWHERE), "store-a", FaultCode.DANGLING_REFERENCE, set()),
    "anchor_id of another type": (
        prop("store-a", "anchor_id", uid("room-a")),
        "store-a",
        FaultCode.DANGLING_REFERENCE,
        set(),
    ),
    "dangling unit_id": (prop("anchor-a", "unit_id", NOWHERE), "anchor-a", FaultCode.DANGLING_REFERENCE, {"store-a"}),
    "dangling level_id": (
        prop("room-a", "level_id", NOWHERE),
        "room-a",
        FaultCode.DANGLING_REFERENCE,
        {"anchor-a", "store-a"},
    ),
    "dangling unit_ids": (prop("atm", "unit_ids", [NOWHERE]), "atm", FaultCode.DANGLING_REFERENCE, set()),
    "one of unit_ids dangling": (
        prop("atm", "unit_ids", [uid("walk-F1"), NOWHERE]),
        "atm",
        FaultCode.DANGLING_REFERENCE,
        set(),
    ),
    "dangling footprint building_ids": (
        prop("ground", "building_ids", [NOWHERE]),
        "ground",
        FaultCode.DANGLING_REFERENCE,
        set(),
    ),
    "dangling level building_ids": (
        prop("F2", "building_ids", [NOWHERE]),
        "F2",
        FaultCode.DANGLING_REFERENCE,
        {"room-e", "walk-F2", "anchor-e", "store-e", "lift"},
    ),
    "dangling level_ids": (
        prop("fence", "level_ids", [uid("F1"), NOWHERE]),
        "fence",
        FaultCode.DANGLING_REFERENCE,
        set(),
    ),
    "dangling anchor address_id": (
        prop("anchor-a", "address_id", NOWHERE),
        "anchor-a",
        FaultCode.DANGLING_REFERENCE,
        {"store-a"},
    ),
    "dangling fixture anchor_id": (
        prop("fixture", "anchor_id", NOWHERE),
        "fixture",
        FaultCode.DANGLING_REFERENCE,
        set(),
    ),
    "dangling geofence parent": (prop("fence", "parents", [NOWHERE]), "fence", FaultCode.DANGLING_REFERENCE, set()),
    "dangling relationship end": (
        prop("lift", "destination", {"id": NOWHERE, "feature_type": "unit"}),
        "lift",
        FaultCode.DANGLING_REFERENCE,
        set(),
    ),
    "opening without its level": (prop("door-b", "level_id", NOWHERE), "door-b", FaultCode.DANGLING_REFERENCE, set()),
    "self-crossing unit": (
        ring("room-a", *BOW_TIE),
        "room-a",
        FaultCode.INVALID_GEOMETRY,
        {"anchor-a", "store-a"},
    ),
    "unclosed ring": (ring("kiosk", (1, 9), (2, 9), (2, 10), (1, 10)), "kiosk", FaultCode.INVALID_GEOMETRY, set()),
    "ring of two points": (ring("kiosk", (1, 9), (2, 9), (1, 9)), "kiosk", FaultCode.INVALID_GEOMETRY, set()),
    "no ring": (ring("kiosk"), "kiosk", FaultCode.INVALID_GEOMETRY, set()),
    "texts for numbers": (
        member("anchor-a", "geometry", {"type": "Point", "coordinates": ["120", "30"]}),
        "anchor-a",
        FaultCode.INVALID_GEOMETRY,
        {"store-a"},
    ),
    "opening without length": (
        member("door-b", "geometry", {"type": "LineString", "coordinates": [at(1, 1), at(1, 1)]}),
        "door-b",
        FaultCode.INVALID_GEOMETRY,
        set(),
    ),
    "swapped, out of range": (swapped("room-a"), "room-a", FaultCode.OUT_OF_RANGE, {"anchor-a", "store-a"}),
    "far away though in range": (
        member("anchor-a", "geometry", {"type": "Point", "coordinates": [30.0, 60.0]}),
        "anchor-a",
        FaultCode.OUT_OF_RANGE,
        {"store-a"},
    ),
    "display point out of range": (
        prop("room-a", "display_point", {"type": "Point", "coordinates": [200, 0]}),
        "room-a",
        FaultCode.INVALID_PROPERTY,
        {"anchor-a", "store-a"},
    ),
    "unknown feature type": (member("kiosk", "feature_type", "gadget"), "kiosk", FaultCode.UNKNOWN_FEATURE_TYPE, set()),
    "feature in another type's file": (
        member("section", "feature_type", "kiosk"),
        "section",
        FaultCode.MISPLACED_FEATURE,
        set(),
    ),
    "missing unit category": (
        without_prop("room-a", "category"),
        "room-a",
        FaultCode.MISSING_PROPERTY,
        {"anchor-a", "store-a"},
    ),
    "missing occupant name": (prop("store-a", "name", None), "store-a", FaultCode.MISSING_PROPERTY, set()),
    "missing ordinal": (
        without_prop("F2", "ordinal"),
        "F2",
        FaultCode.MISSING_PROPERTY,
        {"room-e", "walk-F2", "anchor-e", "store-e", "lift"},
    ),
    "half an ordinal": (
        prop("F2", "ordinal", 0.5),
        "F2",
        FaultCode.INVALID_PROPERTY,
        {"room-e", "walk-F2", "anchor-e", "store-e", "lift"},
    ),
    "name no label map": (prop("store-a", "name", "Store"), "store-a", FaultCode.INVALID_PROPERTY, set()),
    "validity no date": (
        prop("store-a", "validity", {"start": "next week"}),
        "store-a",
        FaultCode.INVALID_PROPERTY,
        set(),
    ),
    "source id with a slash": (
        prop("store-a", "atrium_source_id", "a/b"),
        "store-a",
        FaultCode.INVALID_PROPERTY,
        set(),
    ),
    "properties no object": (member("store-a", "properties", []), "store-a", FaultCode.INVALID_FEATURE, set()),
    "no GeoJSON feature": (member("store-a", "type", "Thing"), "store-a", FaultCode.INVALID_FEATURE, set()),
}


def ids(archive: ImdfArchive) -> set[str]:
    return {item["id"] for items in archive.features.values() for item in items}


@pytest.mark.parametrize("case", CASES)
def test_a_faulty_feature_refuses_and_is_named(case: str) -> None:
    change, name, code, _ = CASES[case]
    archive = tiny_mall()
    change(archive)
    with pytest.raises(ImdfRefusedError) as caught:
        read_archive(write_archive(archive))
    kind = next(kind for kind, items in archive.features.items() if any(item["id"] == uid(name) for item in items))
    found = {(fault.file, fault.feature_id, fault.code) for fault in caught.value.faults}
    assert found == {(f"{kind}.geojson", uid(name), code)}
    assert uid(name) in str(caught.value)


@pytest.mark.parametrize("case", CASES)
def test_lenient_leaves_out_the_faulty_and_what_hangs_on_it_and_nothing_else(case: str) -> None:
    change, name, _, hanging = CASES[case]
    archive = tiny_mall()
    whole = ids(archive)
    change(archive)
    result = read_archive(write_archive(archive), lenient=True)
    assert [fault.feature_id for fault in result.faults] == [uid(name)]
    assert whole - ids(result.archive) == {uid(lost) for lost in {name} | hanging}
    again = read_archive(write_archive(result.archive))
    assert again.archive == result.archive  # what a lenient reading keeps is sound
    build_venue(result.archive, VenueId("v"))


def lenient(change: Callable[[ImdfArchive], None]) -> ReadResult:
    archive = tiny_mall()
    change(archive)
    with pytest.raises(ImdfRefusedError):
        read_archive(write_archive(archive))
    return read_archive(write_archive(archive), lenient=True)


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("address_id", NOWHERE, FaultCode.DANGLING_REFERENCE),
        ("address_id", None, FaultCode.MISSING_PROPERTY),
        ("display_point", None, FaultCode.MISSING_PROPERTY),
        ("display_point", "here", FaultCode.INVALID_PROPERTY),
        ("name", "Mall", FaultCode.INVALID_PROPERTY),
    ],
)
def test_lenient_keeps_the_venue_and_clears_the_property_at_fault(key: str, value: Any, code: FaultCode) -> None:
    result = lenient(prop("venue", key, value))
    assert [(fault.feature_id, fault.code) for fault in result.faults] == [(uid("venue"), code)]
    assert ids(result.archive) == ids(tiny_mall())
    assert result.archive.of("venue")[0]["properties"][key] is None
    assert len(build_venue(result.archive, VenueId("v")).stores) == 5


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (ring("venue", (0, 0), (30, 20), (30, 0), (0, 20), (0, 0)), FaultCode.NO_VENUE),
        (lambda archive: [prop(name, "outdoor", None)(archive) for name in ("F1", "F2")], FaultCode.NO_LEVEL),
    ],
)
def test_lenient_refuses_when_no_venue_or_no_level_is_left(
    change: Callable[[ImdfArchive], None], code: FaultCode
) -> None:
    archive = tiny_mall()
    change(archive)
    with pytest.raises(ImdfRefusedError) as caught:
        read_archive(write_archive(archive), lenient=True)
    assert caught.value.faults[-1].code is code


def test_lenient_clears_references_that_do_not_carry() -> None:
    archive = tiny_mall()
    find(archive, "F1")["properties"]["address_id"] = uid("address")
    find(archive, "atm")["properties"]["unit_ids"] = [uid("walk-F1"), uid("room-a")]
    find(archive, "address")["properties"]["country"] = None
    find(archive, "room-a")["properties"]["category"] = None
    result = read_archive(write_archive(archive), lenient=True)
    assert find(result.archive, "F1")["properties"]["address_id"] is None
    assert find(result.archive, "venue")["properties"]["address_id"] is None
    assert find(result.archive, "atm")["properties"]["unit_ids"] == [uid("walk-F1")]


def test_lenient_follows_what_hangs_over_every_link() -> None:
    result = lenient(without_prop("F1", "name"))
    left = ids(tiny_mall()) - ids(result.archive)
    assert left >= {uid(name) for name in ("room-a", "anchor-a", "store-a", "door-b", "atm", "kiosk", "lift")}
    assert ids(result.archive) == {
        uid(name)
        for name in (
            "address",
            "building",
            "ground",
            "venue",
            "F2",
            "room-e",
            "walk-F2",
            "anchor-e",
            "store-e",
            "fence",
        )
    }


def test_a_json_name_refuses_and_lenient_reads_the_file() -> None:
    members = tiny_members()
    members["unit.json"] = members.pop("unit.geojson")
    with pytest.raises(ImdfRefusedError) as caught:
        read_archive(zip_of(members))
    assert [(fault.file, fault.code) for fault in caught.value.faults] == [("unit.json", FaultCode.FILE_NAME)]
    assert read_archive(zip_of(members), lenient=True).archive == tiny_mall()


def test_an_empty_file_is_a_fault_and_lenient_reads_it_as_no_features() -> None:
    archive = tiny_mall()
    del find(archive, "section")["properties"]["level_id"]  # one more fault, to see both
    members = tiny_members() | {"kiosk.geojson": b"\n"}
    with pytest.raises(ImdfRefusedError) as caught:
        read_archive(zip_of(members))
    assert [(fault.file, fault.code) for fault in caught.value.faults] == [("kiosk.geojson", FaultCode.EMPTY_FILE)]
    assert read_archive(zip_of(members), lenient=True).archive.of("kiosk") == ()


@pytest.mark.parametrize("content", [b"", b"{}", b"{", b'{"type": "FeatureCollection", "features": []}'])
def test_an_unknown_file_is_a_fault_and_lenient_passes_over_it(content: bytes) -> None:
    data = zip_of(tiny_members() | {"gadget.geojson": content})
    with pytest.raises(ImdfRefusedError) as caught:
        read_archive(data)
    (fault,) = caught.value.faults
    assert fault.file == "gadget.geojson"
    assert not fault.is_structural
    assert read_archive(data, lenient=True).archive == tiny_mall()


def test_features_of_an_unknown_file_are_listed_one_by_one() -> None:
    gadget = {**copy.deepcopy(tiny_mall().of("kiosk")[0]), "id": uid("gadget"), "feature_type": "gadget"}
    data = zip_of(with_features(tiny_members(), "gadget.geojson", [gadget]))
    result = read_archive(data, lenient=True)
    assert [(fault.file, fault.feature_id, fault.code) for fault in result.faults] == [
        ("gadget.geojson", uid("gadget"), FaultCode.UNKNOWN_FEATURE_TYPE)
    ]


@pytest.mark.parametrize("version", ["1.1.0", "1.0", "1.0.01", None, 1.0])
def test_another_version_is_a_fault_that_lenient_passes_over(version: object) -> None:
    archive = tiny_mall()
    archive.manifest["version"] = version
    with pytest.raises(ImdfRefusedError) as caught:
        read_archive(write_archive(archive))
    assert [fault.code for fault in caught.value.faults] == [FaultCode.UNSUPPORTED_VERSION]
    assert read_archive(write_archive(archive), lenient=True).archive == archive


def test_a_feature_without_id_is_named_by_its_place() -> None:
    archive = tiny_mall()
    find(archive, "toilets")["id"] = {"a": 1}
    result = read_archive(write_archive(archive), lenient=True)
    assert [(fault.feature_id, fault.code) for fault in result.faults] == [("#2", FaultCode.INVALID_ID)]


def test_archives_without_openings_anchors_or_occupants_are_sound() -> None:
    archive = tiny_mall()
    bare = ImdfArchive(
        archive.manifest,
        {kind: items for kind, items in archive.features.items() if kind not in ("opening", "anchor", "occupant")},
    )
    assert build_venue(read_archive(write_archive(bare)).archive, VenueId("v")).stores == ()


def test_many_features_hanging_in_a_chain_are_followed_in_one_pass() -> None:
    # each link hangs on the next: followed pass by pass this would take the square of 4,000 steps
    archive = tiny_mall()
    first = find(archive, "lift")
    chain = []
    for number in range(4_000):
        link = copy.deepcopy(first)
        link["id"] = uid(f"link-{number}")
        link["properties"]["origin"] = {"id": uid(f"link-{number + 1}"), "feature_type": "relationship"}
        chain.append(link)
    long = ImdfArchive(archive.manifest, archive.features | {"relationship": tuple(chain)})
    result = read_archive(write_archive(long), lenient=True)
    assert result.archive.of("relationship") == ()
    assert len(result.faults) == 1


def test_each_code_is_written_as_docs_name_it() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "venues.md").read_text(encoding="utf-8")
    assert [code.value for code in FaultCode if f"`{code.value}`" not in page] == []
    assert all(code.value == code.name.lower() for code in FaultCode)
    assert set(FaultCode) > STRUCTURAL_CODES
    fault = Fault("unit.geojson", "u-1", FaultCode.INVALID_GEOMETRY, "crosses itself")
    assert str(fault) == "unit.geojson u-1: invalid_geometry: crosses itself"
