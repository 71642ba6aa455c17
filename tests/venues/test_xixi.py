"""The Xixi mall as read from its folder."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kernel.ids import VenueId
from venues.archive import ImdfArchive
from venues.build import build_venue
from venues.imdf import read_archive, write_archive
from venues.index import VenueIndex
from venues.model import Venue
from venues.xyz10 import level_frames, read_xyz10

pytestmark = pytest.mark.shared_data


@pytest.fixture(scope="module")
def files(xixi_dir: Path) -> dict[str, bytes]:
    return {path.relative_to(xixi_dir).as_posix(): path.read_bytes() for path in xixi_dir.rglob("*.json")}


@pytest.fixture(scope="module")
def archive(files: dict[str, bytes]) -> ImdfArchive:
    return read_xyz10(files, name="Xixi Intime")


@pytest.fixture(scope="module")
def venue(archive: ImdfArchive) -> Venue:
    return build_venue(archive, VenueId("xixi"))


def test_stores_levels_and_facilities_are_counted(venue: Venue) -> None:
    assert [(level.short_name, level.ordinal) for level in venue.levels] == [
        ("B1", -1),
        ("F1", 0),
        ("F2", 1),
        ("F3", 2),
        ("F4", 3),
    ]
    per_level = Counter(venue.level(store.level_id).short_name for store in venue.stores)
    assert per_level == {"B1": 68, "F1": 47, "F2": 43, "F3": 44, "F4": 27}
    units = Counter(unit.category for unit in venue.units)
    assert units["parking"] == 495
    assert units["restroom"] == 34
    assert units["opentobelow"] == 32
    assert not {"fuzhumian", "feikaifangquyu", "kongpu", "xiuxiqu", "B277"} & {store.name for store in venue.stores}


def test_the_archive_is_sound_imdf_and_its_venue_survives_export(archive: ImdfArchive, venue: Venue) -> None:
    result = read_archive(write_archive(archive))
    assert result.archive == archive
    assert build_venue(result.archive, VenueId("xixi")) == venue


def test_the_same_folder_gives_the_same_archive(archive: ImdfArchive, files: dict[str, bytes]) -> None:
    turned = {f"somewhere/{path}": files[path] for path in reversed(list(files))}
    assert write_archive(read_xyz10(turned, name="Xixi Intime")) == write_archive(archive)


def test_a_store_keeps_the_source_id_and_its_name(venue: Venue) -> None:
    starbucks = venue.store("st_5dd3d7732a57a34356595946")  # type: ignore[arg-type]  # a literal id
    assert starbucks.name == "STARBUCKS COFFEE"
    assert venue.level(starbucks.level_id).short_name == "F1"
    assert "CHOW&RAY" in {store.name for store in venue.stores}  # the source writes &amp;


def test_surveyors_walked_on_walkable_ground_outside_the_stores(
    venue: Venue, files: dict[str, bytes], xixi_dir: Path
) -> None:
    # the data set's own figure: 0-2 % of way-points lie in a store polygon; a wrong frame would put a third there
    index = VenueIndex(venue)
    frames = level_frames(files)
    for level in venue.levels:
        waypoints = [
            [float(part) for part in line.split("\t")[2:4]]
            for path in sorted((xixi_dir / level.short_name / "path_data_files").glob("*.txt"))
            for line in path.read_text(encoding="utf-8").splitlines()
            if "\tTYPE_WAYPOINT\t" in line
        ]
        xy_m = venue.frame.to_xy_m(frames[level.short_name].to_lon_lat_deg(np.array(waypoints)))
        assert len(xy_m) > 200
        assert np.mean(index.store_at(level.id, xy_m) >= 0) <= 0.02
        moved_m = np.linalg.norm(index.snap_to_walkable(level.id, xy_m) - xy_m, axis=1)
        assert np.quantile(moved_m, 0.95) < 3.0
