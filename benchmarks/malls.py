"""The malls that benchmarks run on: a survey, its map, and test scans that no survey walk shares."""

import os
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.positioning.splits import is_test_walk
from fingerprints.scan import LabelledScan
from kernel.ids import VenueId
from runtime.survey_files import SurveyFormat, read_survey
from runtime.venue_files import VenueFormat, read_map
from sim.layout import MallSpec
from sim.radio_spec import RadioSpec
from sim.survey import walk_survey
from sim.world import make_world
from venues.build import build_venue
from venues.model import Venue

SEED = 7
_TEST_SEED = 1_007


@dataclass(frozen=True, slots=True)
class BenchMall:
    """One mall with survey and test scans; ``what`` says how it was made."""

    what: str
    venue: Venue
    survey: Sequence[LabelledScan]
    test: Sequence[LabelledScan]


def simulated_mall() -> BenchMall:
    """About 8,000 survey scans by 1,500 transmitters; the test is heard weeks later by 12 other phones."""
    spec = MallSpec(n_levels=5, width_m=130, depth_m=72)
    world = make_world(SEED, spec, RadioSpec(area_per_access_point_m2=90.0), venue_id="bench")
    test = walk_survey(
        world.mall,
        world.radio,
        np.random.default_rng(_TEST_SEED),
        phones=12,
        scans_per_store=24,
        corridor_scans_per_level=200,
        graph=world.graph,
    )
    return BenchMall(f"simulated, seed {SEED}", world.mall.venue, world.survey(), test)


def shared_root() -> Path:
    """Where the public data sets are: ``$ATRIUM_SHARED``, else ``../shared``."""
    return Path(os.environ.get("ATRIUM_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def xixi_mall() -> BenchMall | None:
    """The Xixi Intime mall, whole walks held out; None where the public data sets are not on this machine."""
    packed = shared_root() / "data" / "xixi-intime" / "xixi-intime.tar.xz"
    if not packed.is_file():
        return None
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
        path = Path(folder) / "xixi-intime"
        venue = build_venue(read_map(path, VenueFormat.XYZ10, lenient=False).archive, VenueId("xixi"))
        scans = read_survey(path, SurveyFormat.XYZ10).scans
    return BenchMall(
        "Xixi Intime, walks with sha1 % 100 < 20 held out",
        venue,
        [scan for scan in scans if not is_test_walk(scan.walk or "")],
        [scan for scan in scans if is_test_walk(scan.walk or "")],
    )
