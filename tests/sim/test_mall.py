"""The simulated mall as a map: valid IMDF, the same bytes for the same seed, no gaps and no overlaps."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from kernel.ids import VenueId
from sim.layout import MallSpec
from sim.mall import make_mall
from sim.world import World
from venues.build import build_venue
from venues.imdf import read_archive, write_archive


def test_the_archive_is_read_strictly_without_a_fault(world: World) -> None:
    result = read_archive(write_archive(world.mall.archive))
    assert result.faults == ()


def test_what_is_built_from_the_archive_is_the_mall_itself(world: World) -> None:
    read = read_archive(write_archive(world.mall.archive)).archive
    built = build_venue(read, VenueId("v"))
    own = world.mall.venue
    assert [level.short_name for level in built.levels] == [level.short_name for level in own.levels]
    stores = {store.id: store for store in built.stores}
    assert len(stores) == len(own.stores)
    shift_m = built.frame.to_xy_m([own.frame.lon_deg, own.frame.lat_deg])
    for store in own.stores:
        other = stores[store.id]
        assert (other.name, other.category, other.hours) == (store.name, store.category, store.hours)
        assert built.level(other.level_id).ordinal == own.level(store.level_id).ordinal
        moved = shapely.transform(store.area, lambda xy_m: xy_m + shift_m)
        assert other.area.symmetric_difference(moved).area < 0.05  # centimetres along the edges
    assert len(built.openings) == len(own.openings)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    def archive(seed: int) -> bytes:
        return write_archive(make_mall(MallSpec(), np.random.default_rng(seed)).archive)

    assert archive(3) == archive(3)
    assert archive(3) != archive(4)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "spec", [MallSpec(), MallSpec(n_levels=5, width_m=120, depth_m=72), MallSpec(n_levels=1, width_m=84, depth_m=52)]
)
def test_units_cover_each_level_without_overlap_and_stores_have_fair_sizes(spec: MallSpec, seed: int) -> None:
    venue = make_mall(spec, np.random.default_rng(seed)).venue
    for level in venue.levels:
        areas = [unit.area for unit in venue.units if unit.level_id == level.id]
        assert sum(area.area for area in areas) == pytest.approx(spec.width_m * spec.depth_m)
        assert shapely.union_all(areas).area == pytest.approx(spec.width_m * spec.depth_m)
    sizes_m2 = [store.area.area for store in venue.stores]
    assert min(sizes_m2) >= 60
    assert max(sizes_m2) <= 340  # a wide mall has deep side stores


def test_every_door_lies_on_the_outline_of_two_units_or_of_one_and_the_street(world: World) -> None:
    venue = world.mall.venue
    for door in venue.openings:
        units = [unit for unit in venue.units if unit.level_id == door.level_id]
        beside = [unit for unit in units if unit.area.boundary.buffer(1e-6).covers(door.line)]
        assert len(beside) == (1 if door.category == "pedestrian.principal" else 2), door


def test_names_are_in_two_languages_and_none_stands_twice_before_all_stand_once(world: World) -> None:
    stores = world.mall.venue.stores
    assert all(set(store.names) == {"en", "zh-Hans"} for store in stores)
    assert len({store.name for store in stores}) == min(len(stores), 62)
    assert len({store.category for store in stores}) >= 12


def test_a_mall_too_small_for_its_parts_is_refused_with_the_numbers() -> None:
    with pytest.raises(ValueError, match="60 x 54 m"):
        replace(MallSpec(), width_m=60)
