"""Simulated worlds that all tests here share: building one takes seconds."""

import pytest

from sim.history import History
from sim.layout import MallSpec
from sim.world import World, make_world

SMALL_MALL = MallSpec(n_levels=2, width_m=78, depth_m=52, closes_hour=11)
"""Two short levels, open for an hour: for what depends on neither size nor length."""


@pytest.fixture(scope="session")
def world() -> World:
    return make_world(7)


@pytest.fixture(scope="session")
def small_world() -> World:
    return make_world(7, SMALL_MALL)


@pytest.fixture(scope="session")
def history(world: World) -> History:
    """The usual people of the usual mall: 3,000 visits on a mean day, no cards."""
    return world.history()
