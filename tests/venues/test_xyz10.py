"""The XYZ10 layout, from a hand-made floor: what becomes a store, what a facility, what is refused."""

import json
from typing import Any

import pytest

from kernel.ids import StoreId, VenueId
from venues.build import build_venue
from venues.errors import Xyz10RefusedError
from venues.faults import FaultCode
from venues.frame import LocalFrame
from venues.imdf import read_archive, write_archive
from venues.model import Venue
from venues.xyz10 import level_frames, read_xyz10

FRAME = LocalFrame(lat_deg=30.0, lon_deg=120.0)


def polygon(source_id: str, name: str | None, *edges: float) -> dict[str, Any]:
    west, south, east, north = edges
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return {
        "type": "Feature",
        "id": source_id,
        "properties": {"id": source_id, "name": name, "category": ["5d35733bdb07255e495599ac", "x"]},
        "geometry": {"type": "Polygon", "coordinates": [[FRAME.to_lon_lat_deg(corner).tolist() for corner in corners]]},
    }


def floor(*polygons: dict[str, Any], number: int | None = 1, outline_id: str = "outline") -> dict[str, Any]:
    outline = polygon(outline_id, "F1", 0, 0, 200, 100)
    outline["properties"] |= {"type": "floor"} | ({} if number is None else {"floor_num": number})
    return {"type": "FeatureCollection", "features": [outline, *polygons]}


def folder(name: str, document: Any, width: Any = 200.0, height: Any = 100.0) -> dict[str, bytes]:
    return {
        f"{name}/geojson_map.json": json.dumps(document).encode(),
        f"{name}/floor_info.json": json.dumps({"map_info": {"width": width, "height": height}}).encode(),
        f"{name}/floor_image.png": b"\x89PNG",
    }


def venue_of(*polygons: dict[str, Any]) -> Venue:
    archive = read_archive(write_archive(read_xyz10(folder("F1", floor(*polygons))))).archive
    return build_venue(archive, VenueId("v"))


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("fuzhumian", "nonpublic"),
        ("zhongkong", "opentobelow"),
        ("kongpu", "unspecified"),
        ("xishoujianfuzhumian", "restroom"),
        ("dianti", "elevator"),
        ("louti", "stairs"),
        ("zidongfuti", "escalator"),
        ("churukou", "lobby"),
        ("B277", "parking"),
        (None, "unspecified"),
    ],
)
def test_a_facility_is_a_unit_and_no_store(name: str | None, category: str) -> None:
    venue = venue_of(polygon("p", name, 10, 10, 20, 20))
    assert venue.stores == ()
    assert [unit.category for unit in venue.units] == [category, "walkway"]


def test_a_tenants_size_tells_store_from_kiosk_and_from_room() -> None:
    venue = venue_of(
        polygon("small", "machine", 1, 1, 3, 3.9),
        polygon("least", "stand", 5, 1, 8, 3.1),
        polygon("large", "market", 20, 10, 120, 71),
    )
    assert [(store.id, store.name, store.category) for store in venue.stores] == [("st_least", "stand", "restaurant")]
    assert {unit.name for unit in venue.units} == {"stand", "market", None}


def test_near_polygons_of_one_name_are_one_store_and_far_ones_two() -> None:
    venue = venue_of(
        polygon("a1", "a", 10, 10, 20, 20),
        polygon("a2", "a", 25, 10, 45, 20),
        polygon("a3", "a", 46, 10, 50, 20),
        polygon("a4", "a", 80, 10, 90, 20),
    )
    assert {store.id: round(store.area.area) for store in venue.stores} == {"st_a2": 340, "st_a4": 100}


def test_the_walkway_is_what_the_polygons_leave() -> None:
    venue = venue_of(polygon("a", "a", 10, 10, 20, 20), polygon("v", "zhongkong", 50, 50, 70, 70))
    (walkway,) = [unit for unit in venue.units if unit.category == "walkway"]
    assert walkway.area.area == pytest.approx(200 * 100 - 100 - 400, rel=1e-4)


def test_names_are_told_from_markup_and_blanks() -> None:
    store = venue_of(polygon("a", " CHOW&amp;RAY\t ", 10, 10, 20, 20)).store(StoreId("st_a"))
    assert store.name == "CHOW&RAY"


def test_ordinals_come_from_the_floors_number_else_from_the_folders_name() -> None:
    files = (
        folder("B2", floor(number=None, outline_id="b2"))
        | folder("F1", floor(outline_id="f1"))
        | folder("X", floor(number=4, outline_id="x"))
    )
    venue = build_venue(read_xyz10(files), VenueId("v"))
    assert [(level.short_name, level.ordinal) for level in venue.levels] == [("B2", -2), ("F1", 0), ("X", 3)]
    assert set(level_frames(files)) == {"B2", "F1", "X"}


GOOD = folder("F1", floor())
BOW_TIE = polygon("bow", "bow", 0, 0, 10, 10)
BOW_TIE["geometry"]["coordinates"][0][1:3] = BOW_TIE["geometry"]["coordinates"][0][2:0:-1]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, FaultCode.NO_LEVEL),
        ({"geojson_map.json": b"{}"}, FaultCode.NO_LEVEL),
        ({"F1/geojson_map.json": GOOD["F1/geojson_map.json"]}, FaultCode.MISSING_PROPERTY),
        (GOOD | {"F1/geojson_map.json": b"\xff"}, FaultCode.NOT_UTF8),
        (GOOD | {"F1/geojson_map.json": b"["}, FaultCode.NOT_JSON),
        (GOOD | {"F1/geojson_map.json": b"[" * 100_000}, FaultCode.NOT_JSON),
        (GOOD | {"F1/geojson_map.json": b"[]"}, FaultCode.NOT_A_FEATURE_COLLECTION),
        (GOOD | {"F1/floor_info.json": b"{}"}, FaultCode.INVALID_PROPERTY),
        (folder("F1", floor(), width=0), FaultCode.INVALID_PROPERTY),
        (folder("F1", floor(), height="100"), FaultCode.INVALID_PROPERTY),
        (folder("F1", floor({"type": "Feature"})), FaultCode.INVALID_FEATURE),
        (folder("F1", floor(polygon("a/b", "a", 0, 0, 1, 1))), FaultCode.INVALID_ID),
        (folder("F1", floor(BOW_TIE)), FaultCode.INVALID_GEOMETRY),
        (folder("F1", floor(polygon("p", "p", 0, 0, 1, 1) | {"geometry": None})), FaultCode.INVALID_GEOMETRY),
        (folder("Ground", floor(number=None)), FaultCode.MISSING_PROPERTY),
        (GOOD | folder("F2", floor()), FaultCode.DUPLICATE_ID),
        (GOOD | folder("x/F1", floor(outline_id="o2")), FaultCode.DUPLICATE_FILE),
    ],
)
def test_a_bad_folder_is_refused(files: dict[str, bytes], code: FaultCode) -> None:
    with pytest.raises(Xyz10RefusedError) as caught:
        read_xyz10(files)
    assert code in {fault.code for fault in caught.value.faults}
    with pytest.raises(Xyz10RefusedError):
        level_frames(files)


def test_all_floors_are_judged_in_one_run() -> None:
    files = folder("F1", floor(BOW_TIE)) | folder("F2", []) | folder("F3", floor(outline_id="o3"), width=-1)
    with pytest.raises(Xyz10RefusedError) as caught:
        read_xyz10(files)
    assert [(fault.file, fault.code) for fault in caught.value.faults] == [
        ("F1/geojson_map.json", FaultCode.INVALID_GEOMETRY),
        ("F2/geojson_map.json", FaultCode.NOT_A_FEATURE_COLLECTION),
        ("F3/floor_info.json", FaultCode.INVALID_PROPERTY),
    ]
