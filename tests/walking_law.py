"""Nobody walks through walls, held against the polygons themselves, for any simulated world."""

from collections.abc import Iterable

import numpy as np
import shapely

from sim.shoppers import Shopper
from sim.walls import barriers
from sim.world import World


def count_steps_through_no_wall(world: World, shoppers: Iterable[Shopper]) -> int:
    """Assert that no step of any shopper touches a wall, a void or what is not public; gives how many were held."""
    venue = world.mall.venue
    walls = [barriers(venue, level.id) for level in venue.levels]
    kinds = {"opentobelow", "nonpublic"}
    shut = [
        shapely.union_all([u.area for u in venue.units if u.level_id == level.id and u.category in kinds]).buffer(-1e-3)
        for level in venue.levels
    ]
    for geometry in (*walls, *shut):
        shapely.prepare(geometry)
    n_steps = 0
    for shopper in shoppers:
        path = shopper.trajectory
        for i in range(len(venue.levels)):
            here = (path.level_index[:-1] == i) & (path.level_index[1:] == i)
            ends = np.stack([path.xy_m[:-1][here], path.xy_m[1:][here]], axis=1)
            ends = ends[(ends[:, 0] != ends[:, 1]).any(axis=1)]
            steps = shapely.linestrings(ends)
            assert not shapely.intersects(walls[i], steps).any(), venue.levels[i].short_name
            assert not shapely.intersects(shut[i], steps).any(), venue.levels[i].short_name
            n_steps += len(ends)
    return n_steps
