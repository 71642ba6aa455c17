"""Nobody walks through walls, and everybody gets everywhere."""

import numpy as np
import pytest
import shapely

from sim.kernels import is_line_inside
from sim.walking import TrajectoryBuilder
from sim.walls import barriers, radio_walls
from sim.world import World


def test_every_store_and_entrance_is_reached_from_every_other(world: World) -> None:
    graph = world.graph
    assert np.isfinite(graph.way_m(graph.destinations)).all()


def test_a_way_is_no_shorter_than_the_straight_line_and_no_longer_than_the_walls_excuse(world: World) -> None:
    graph = world.graph
    level, xy_m = graph.place_of(graph.destinations)
    straight = np.linalg.norm(xy_m[:, None] - xy_m[None], axis=2)
    ways = graph.way_m(graph.destinations)
    same = level[:, None] == level[None]
    assert (ways[same] >= straight[same] - 1e-3).all()
    assert ways[same].max() < 260  # once around the ring of a mall of 90 x 54 m, with the cost of walls


def test_no_shopper_of_a_day_steps_through_a_wall_or_into_the_atrium(world: World) -> None:
    venue = world.mall.venue
    walls = [barriers(venue, level.id) for level in venue.levels]
    voids = [
        shapely.union_all([u.area for u in venue.units if u.level_id == level.id and u.category == "opentobelow"])
        for level in venue.levels
    ]
    for geometry in walls:
        shapely.prepare(geometry)
    n_steps = 0
    for shopper in world.shoppers(0, 60, 10.0):
        path = shopper.trajectory
        for i in range(len(venue.levels)):
            here = (path.level_index[:-1] == i) & (path.level_index[1:] == i)
            ends = np.stack([path.xy_m[:-1][here], path.xy_m[1:][here]], axis=1)
            ends = ends[(ends[:, 0] != ends[:, 1]).any(axis=1)]
            steps = shapely.linestrings(ends)
            assert not shapely.intersects(walls[i], steps).any()
            assert not shapely.intersects(voids[i], steps).any()
            n_steps += len(ends)
    assert n_steps > 5_000


def test_levels_change_only_in_stairs_lifts_and_escalators(world: World) -> None:
    venue = world.mall.venue
    vertical = {"stairs", "elevator", "escalator"}
    n_changes = 0
    for shopper in world.shoppers(0, 60, 10.0):
        path = shopper.trajectory
        for i in np.flatnonzero(np.diff(path.level_index)):
            level_id = venue.levels[path.level_index[i]].id
            point = shapely.Point(path.xy_m[i])
            (unit,) = [u for u in venue.units if u.level_id == level_id and u.area.contains(point)]
            assert unit.category in vertical
            assert path.t_s[i + 1] - path.t_s[i] > 15.0
            n_changes += 1
    assert n_changes > 20


def test_a_wanderer_stays_in_the_store_for_as_long_as_told(world: World) -> None:
    graph, store = world.graph, 11
    builder = TrajectoryBuilder(graph, int(graph.destinations[-1]), 0.0)
    builder.walk_to(store)
    arrives_s = builder.t_s
    builder.wander(600.0, np.random.default_rng(1))
    path = builder.build()
    level_index, xy_m = path.at(np.linspace(arrives_s, arrives_s + 600.0, 601))
    assert (graph.grid.store_at(level_index, xy_m) == store).all()
    assert path.t_s[-1] == pytest.approx(arrives_s + 600.0)
    assert len(np.unique(xy_m, axis=0)) > 10


def test_nobody_cuts_the_corner_of_a_store_that_is_not_convex() -> None:
    store_of = np.full((6, 6), -1, dtype=np.int32)
    store_of[:, :2] = store_of[:2, :] = 3  # an L: the left columns and the lower rows
    assert is_line_inside(store_of, 3, 5, 0, 0, 1)
    assert is_line_inside(store_of, 3, 0, 0, 1, 5)
    assert not is_line_inside(store_of, 3, 5, 1, 1, 5)
    assert not is_line_inside(store_of, 3, 0, 0, 3, 3)  # the goal itself lies outside
    assert is_line_inside(store_of, 3, 4, 1, 4, 1)


def test_radio_walls_are_the_rooms_outlines_once_less_the_doors(world: World) -> None:
    venue = world.mall.venue
    level = venue.levels[1]
    walls = radio_walls(venue, level.id)
    rooms = [
        u.area.boundary
        for u in venue.units
        if u.level_id == level.id and u.category not in ("walkway", "opentobelow", "escalator")
    ]
    outline = shapely.union_all(rooms)
    doors = sum(
        door.line.length
        for door in venue.openings
        if door.level_id == level.id and outline.buffer(1e-6).covers(door.line)
    )
    built = np.hypot(walls[:, 2] - walls[:, 0], walls[:, 3] - walls[:, 1]).sum()
    assert built == pytest.approx(outline.length - doors, abs=0.1)
