"""A world on the public map of a real mall: no corridors' doors, no stairs, 229 stores on five levels."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from kernel.ids import VenueId
from sim.export import shopper_scans
from sim.imported_spec import ImportedSpec
from sim.layout import MallSpec
from sim.radio_spec import RadioSpec
from sim.world import World, make_world
from tests.imdf_rules import broken_rules
from tests.walking_law import count_steps_through_no_wall
from venues.build import build_venue
from venues.imdf import read_archive, write_archive
from venues.model import Venue
from venues.xyz10 import read_xyz10

pytestmark = pytest.mark.shared_data
FEW_RADIOS = RadioSpec(area_per_access_point_m2=1_500.0, area_per_beacon_m2=8_000.0, path_exponent=2.2, wall_db=3.0)
"""A tenth of a real mall's, that carry further: for what depends on the map and not on how many radios there are."""


@pytest.fixture(scope="module")
def xixi(xixi_dir: Path) -> Venue:
    files = {str(path.relative_to(xixi_dir)): path.read_bytes() for path in xixi_dir.rglob("*.json")}
    return build_venue(read_xyz10(files, "Xixi"), VenueId("xixi"))


@pytest.fixture(scope="module")
def xixi_world(xixi: Venue) -> World:
    return make_world(5, MallSpec(closes_hour=13), FEW_RADIOS, venue=xixi)


def test_every_store_of_a_real_map_gets_a_door_and_is_reached_from_everywhere(xixi: Venue, xixi_world: World) -> None:
    spec, graph = xixi_world.mall.spec, xixi_world.graph
    assert isinstance(spec, ImportedSpec)
    assert spec.shut == ()
    assert len(xixi_world.mall.venue.stores) == len(xixi.stores) == 229
    assert spec.doors >= 229
    assert spec.stairs >= 4
    assert np.isfinite(graph.way_m(graph.destinations)).all()


def test_nobody_walks_through_the_walls_of_a_real_map(xixi_world: World) -> None:
    shoppers = xixi_world.shoppers(0, 40, 10.0)
    assert count_steps_through_no_wall(xixi_world, shoppers) > 10_000
    levels = {int(i) for shopper in shoppers for i in shopper.trajectory.level_index}
    assert levels == set(range(5))


def test_who_comes_by_car_is_heard_first_in_the_car_park_and_in_no_store(xixi_world: World) -> None:
    walks: dict[str, list[tuple[str | None, str | None, int]]] = {}
    for scan in shopper_scans(xixi_world, n_shoppers=30, on=date(2026, 4, 18)):
        what = (scan.truth.level, scan.truth.store_id, len(scan.scan.readings))
        walks.setdefault(scan.walk or "", []).append(what)
    firsts = [walk[0] for walk in walks.values()]
    below = [first for first in firsts if first[0] == "B1"]
    assert 5 <= len(below) <= 25
    assert all(store is None for _, store, _ in below)
    assert np.mean([n > 0 for walk in walks.values() for _, _, n in walk]) > 0.95


def test_a_real_map_is_surveyed_store_by_store_and_on_every_level(xixi_world: World) -> None:
    survey = xixi_world.survey(phones=1, scans_per_store=2)
    counts: dict[str | None, int] = {}
    for scan in survey:
        counts[scan.truth.store_id] = counts.get(scan.truth.store_id, 0) + 1
    assert all(counts[store.id] == 2 for store in xixi_world.mall.venue.stores)
    assert {scan.truth.level for scan in survey if scan.truth.store_id is None} == {"B1", "F1", "F2", "F3", "F4"}


def test_a_real_map_is_exported_as_valid_imdf(xixi_world: World) -> None:
    archive = xixi_world.mall.archive
    assert broken_rules(archive, own_occupants=False) == []
    assert read_archive(write_archive(archive)).faults == ()
