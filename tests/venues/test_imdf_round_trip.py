"""Written and read again, an archive is the same; equal archives are equal bytes."""

import pytest

from tests.venues.tiny_mall import tiny_mall, tiny_members, unzip, zip_of
from venues.archive import FEATURE_TYPES, ImdfArchive
from venues.imdf import read_archive, write_archive


def test_round_trip_keeps_the_manifest_and_every_feature_of_all_types() -> None:
    archive = tiny_mall()
    assert set(archive.features) == set(FEATURE_TYPES)
    result = read_archive(write_archive(archive))
    assert result.archive == archive
    assert result.faults == ()


def test_equal_archives_give_equal_bytes_whatever_the_order_of_keys() -> None:
    archive = tiny_mall()
    turned = ImdfArchive(
        dict(reversed(archive.manifest.items())),
        {
            kind: tuple(dict(reversed(item.items())) for item in items)
            for kind, items in reversed(archive.features.items())
        },
    )
    assert turned == archive
    assert (
        write_archive(turned) == write_archive(archive) == write_archive(read_archive(write_archive(archive)).archive)
    )


def test_unknown_properties_and_heights_are_kept() -> None:
    archive = tiny_mall()
    archive.of("unit")[0]["properties"]["osm:building"] = {"levels": [1, 2.5, None]}
    archive.of("anchor")[0]["geometry"]["coordinates"].append(12.5)
    assert read_archive(write_archive(archive)).archive == archive


@pytest.mark.parametrize("version", ["1.0.0", "1.0.0.beta.2", "1.0.0.1"])
def test_version_one_and_its_betas_are_read(version: str) -> None:
    archive = tiny_mall()
    archive.manifest["version"] = version
    assert read_archive(write_archive(archive)).archive == archive


def test_a_folder_around_the_files_and_what_macos_adds_are_passed_over() -> None:
    inside = {f"my mall/{name}": content for name, content in tiny_members().items()}
    litter = {
        "__MACOSX/my mall/._unit.geojson": b"\x00\x05",
        "my mall/.DS_Store": b"\x00",
        "my mall/._level.geojson": b"\x00",
        "my mall/LICENSE.txt": b"none",
    }
    assert read_archive(zip_of(inside | litter)).archive == tiny_mall()


def test_a_type_without_features_may_have_no_file_or_an_empty_one() -> None:
    archive = tiny_mall()
    bare = ImdfArchive(archive.manifest, {kind: archive.of(kind) for kind in ("address", "venue", "building", "level")})
    assert read_archive(write_archive(bare)).archive == bare
    empty = ImdfArchive(bare.manifest, bare.features | {"opening": ()})
    assert read_archive(write_archive(empty)).archive == empty
    assert "opening.geojson" in unzip(write_archive(empty))


def test_writing_an_unknown_type_or_no_number_is_a_mistake() -> None:
    archive = tiny_mall()
    with pytest.raises(ValueError, match="gadget"):
        write_archive(ImdfArchive(archive.manifest, {"gadget": ()}))
    archive.of("level")[0]["properties"]["ordinal"] = float("nan")
    with pytest.raises(ValueError, match=r"JSON"):
        write_archive(archive)
