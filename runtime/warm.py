"""Compiles the numeric kernels by using each once on a small simulated mall; later starts load them from disk."""

import time
from datetime import timedelta

import numpy as np

from kernel.ids import DeviceRef
from positioning.bundle import from_bytes, to_bytes
from positioning.full import FullLocator
from positioning.light import LightLocator
from positioning.track.tracker import Tracker
from positioning.train import train_venue
from runtime.rankers import load_ranker
from scenes.advance import Phones, advance, close_all, sweep
from scenes.fix import fix_of, pack_fixes
from scenes.kernels.record import N_RECORD
from scenes.places import PlaceBook
from scenes.rules import SceneRules
from scenes.service_day import ServiceDays
from scenes.state import Fix
from scenes.table import SceneTable
from scenes.tags.learn import empty_rows, learn, unlearn
from scenes.tags.places import plain_places
from scenes.tags.record import admit, make_states
from scenes.tags.rules import TagRules
from scenes.tags.shares import shares_of
from scenes.tags.stage import StageModel, stages_of
from scenes.tags.tags import TagContext, settle, tags_of
from sim.layout import MallSpec
from sim.world import make_world


def warm_kernels() -> float:
    """Build, survey, train, locate and visit in a mall of one level; how many seconds it took."""
    started = time.monotonic()
    world = make_world(0, MallSpec(n_levels=1))
    survey = world.survey(scans_per_store=6)
    ranker = load_ranker()
    trained = train_venue(survey, world.mall.venue, venue_id=world.mall.venue.id, ranker=ranker)
    model = from_bytes(to_bytes(trained.model), world.mall.venue)
    scans = [held.scan for held in survey[:50]]
    FullLocator((model,), ranker).locate(scans)
    located = LightLocator((model,)).locate(scans)
    Tracker((model,)).advance_many([None] * len(scans), located, scans)
    _warm_scenes([fix_of(answer, scan.at) for answer, scan in zip(located, scans, strict=True)])
    _warm_tags()
    return time.monotonic() - started


def _warm_scenes(fixes: list[Fix]) -> None:
    """One phone after another that were heard once."""
    places, days, rules = PlaceBook(), ServiceDays({}), SceneRules().packed()
    rows = pack_fixes(fixes, places, days)
    phones = Phones([DeviceRef(str(i)) for i in range(len(fixes))], np.zeros((len(fixes), N_RECORD), dtype=np.int32))
    done = advance(phones, np.arange(len(fixes)), rows, rules, places)
    now = fixes[-1].at + timedelta(days=1)
    sweep(Phones(phones.refs, done.records), now, days.base_of_each(places, now), rules, places)
    close_all(done.records[0], phones.refs[0], now, "consent", places)
    table = SceneTable()
    table.put(dict(zip(phones.refs, done.records, strict=True)))
    table.put(dict.fromkeys(phones.refs))


def _warm_tags() -> None:
    """One person who comes to one store and is asked for tags."""
    places = plain_places(1, np.full(1, 600.0), np.zeros(1, dtype=np.int64), 1)
    states, rules, one, day = make_states(1), TagRules(), np.zeros(1, dtype=np.int64), 20_000
    admit(states, one)
    row = empty_rows(1)
    row["day"], row["category"], row["brand"], row["left_s"] = day, 0, 0, 600
    learn(states, row, places, rules)
    unlearn(states, row, places, rules)
    context = TagContext(places, shares_of(states, places), rules, StageModel().tables())
    settle(states, one, float(day), context)
    tags_of(states, one, float(day), context)
    stages_of(states, one, one, day, context.stages)
