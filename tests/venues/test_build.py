"""From archive to venue: the join, the names, the frame."""

import copy
from datetime import date

import numpy as np
import pytest

from kernel.ids import LevelId, StoreId, UnitId, VenueId
from tests.venues.tiny_mall import at, box, feature, find, tiny_mall, uid
from venues.archive import ImdfArchive
from venues.build import build_venue, pick_label
from venues.imdf import read_archive, write_archive
from venues.model import Venue


def build(archive: ImdfArchive) -> Venue:
    return build_venue(read_archive(write_archive(archive)).archive, VenueId("tiny"))


def test_an_occupant_stands_through_its_anchor_in_its_unit_on_its_level() -> None:
    venue = build(tiny_mall())
    assert len(venue.stores) == 5
    store = venue.store(StoreId(f"st_{uid('store-b')}"))
    assert store.unit_id == UnitId(uid("room-b"))
    assert store.level_id == LevelId(uid("F1"))
    assert venue.level(store.level_id).short_name == "F1"
    np.testing.assert_allclose(store.area.bounds, (10, 12, 20, 20), atol=1e-6)
    np.testing.assert_allclose(store.display_point.coords[0], (15, 16), atol=1e-6)
    assert venue.store(StoreId(f"st_{uid('store-e')}")).level_id == LevelId(uid("F2"))


def test_validity_brand_and_hours_come_with_the_store() -> None:
    venue = build(tiny_mall())
    store = venue.store(StoreId(f"st_{uid('store-b')}"))
    assert (store.valid_from, store.valid_until) == (date(2026, 1, 1), date(2026, 6, 30))
    assert store.stands_on(date(2026, 6, 30))
    assert not store.stands_on(date(2026, 7, 1))
    brand = venue.store(StoreId(f"st_{uid('store-c')}"))
    assert (brand.correlation_id, brand.hours) == ("brand-c", "Mo-Su 10:00-22:00")


def test_stores_stand_in_the_order_of_level_and_id() -> None:
    venue = build(tiny_mall())
    ground, upper = venue.levels
    assert (ground.ordinal, upper.ordinal) == (0, 1)
    keys = [(store.level_id != ground.id, store.id) for store in venue.stores]
    assert keys == sorted(keys)


def test_names_are_english_first_and_all_are_kept() -> None:
    store = build(tiny_mall()).store(StoreId(f"st_{uid('store-a')}"))
    assert store.name == "Store a"
    assert store.names == {"en": "Store a", "zh": "店a"}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"zh": "店", "en": "Shop"}, "Shop"),
        ({"zh": "店", "en-GB": "Shop"}, "Shop"),
        ({"fr": "Boutique", "zh": "店"}, "店"),
        ({"fr": "Boutique", "zh-Hant": "店"}, "店"),
        ({"fr": "Boutique", "de": "Laden"}, "Laden"),
        ({"en": "  ", "fr": "Boutique"}, "Boutique"),
        ({}, None),
        (None, None),
    ],
)
def test_the_label_is_english_then_the_archives_language_then_any(
    labels: dict[str, str] | None, expected: str | None
) -> None:
    assert pick_label(labels, "zh") == expected


def test_a_sources_own_id_names_the_store() -> None:
    archive = tiny_mall()
    find(archive, "store-a")["properties"]["atrium_source_id"] = "5dd3"
    assert build(archive).store(StoreId("st_5dd3")).unit_id == UnitId(uid("room-a"))


def test_the_frame_starts_at_the_display_point_else_at_the_centroid() -> None:
    archive = tiny_mall()
    venue = build(archive)
    assert [venue.frame.lon_deg, venue.frame.lat_deg] == at(0, 0)
    find(archive, "venue")["properties"]["display_point"] = None
    centred = build_venue(archive, VenueId("tiny"))
    np.testing.assert_allclose([centred.frame.lon_deg, centred.frame.lat_deg], at(15, 10), rtol=0, atol=1e-9)


def test_one_building_is_not_named_and_two_are() -> None:
    archive = tiny_mall()
    assert {level.building for level in build(archive).levels} == {None}
    west = copy.deepcopy(find(archive, "building"))
    west["id"] = uid("west")
    west["properties"]["name"] = {"en": "West"}
    footprint = feature("footprint", "west-ground", box(0, 0, 30, 20), category="ground", building_ids=[uid("west")])
    find(archive, "F2")["properties"]["building_ids"] = None  # only its footprint tells
    find(archive, "ground")["geometry"] = box(0, 0, 5, 5)
    two = ImdfArchive(
        archive.manifest,
        archive.features
        | {"building": (*archive.of("building"), west), "footprint": (*archive.of("footprint"), footprint)},
    )
    assert {level.short_name: level.building for level in build(two).levels} == {"F1": "East", "F2": "West"}


def test_openings_lie_in_the_frame() -> None:
    (opening,) = build(tiny_mall()).openings
    np.testing.assert_allclose(np.array(opening.line.coords), [[14, 12], [16, 12]], atol=1e-6)
