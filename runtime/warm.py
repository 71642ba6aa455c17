"""Compiles the numeric kernels by using each once on a small simulated mall; later starts load them from disk."""

import time

from positioning.bundle import from_bytes, to_bytes
from positioning.full import FullLocator
from positioning.light import LightLocator
from positioning.track.tracker import Tracker
from positioning.train import train_venue
from runtime.rankers import load_ranker
from sim.layout import MallSpec
from sim.world import make_world


def warm_kernels() -> float:
    """Build, survey, train and locate in a mall of one level; how many seconds it took."""
    started = time.monotonic()
    world = make_world(0, MallSpec(n_levels=1))
    survey = world.survey(scans_per_store=6)
    ranker = load_ranker()
    trained = train_venue(survey, world.mall.venue, venue_id=world.mall.venue.id, ranker=ranker)
    model = from_bytes(to_bytes(trained.model), world.mall.venue)
    scans = [held.scan for held in survey[:50]]
    FullLocator((model,), ranker).locate(scans)
    Tracker((model,)).advance_many([None] * len(scans), LightLocator((model,)).locate(scans), scans)
    return time.monotonic() - started
