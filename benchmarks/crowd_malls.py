"""Simulated malls asked weeks after their survey by phones that no survey had; the same phones in each mall."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.ranker import make_scans
from fingerprints.scan import LabelledScan
from sim.layout import MallSpec
from sim.listening import PhoneRadio, draw_phones
from sim.radio_spec import RadioSpec
from sim.survey import walk_survey
from sim.world import make_world
from venues.model import Venue

MallKind = Literal["table", "corridors"]
N_PHONES = 12
_SCANS_PER_STORE = 24
_CORRIDOR_SCANS_PER_LEVEL = 300
_LARGE = MallSpec(n_levels=4, width_m=110, depth_m=64)


@dataclass(frozen=True, slots=True)
class CrowdMall:
    """One mall, its survey and the scans asked.

    ``phone`` (n_scans,) numbers the phone of each scan asked; phone k of two malls is the same model.
    """

    what: str
    venue: Venue
    survey: Sequence[LabelledScan]
    asked: Sequence[LabelledScan]
    phone: NDArray[np.int64]


def draw_models(seed: int, n: int = N_PHONES) -> list[PhoneRadio]:
    """Phone models that are asked about in several malls."""
    return draw_phones(n, RadioSpec(), np.random.default_rng([seed, 12]))


def make_crowd_mall(kind: MallKind, seed: int, phones: Sequence[PhoneRadio]) -> CrowdMall:
    """A mall of the hardness bench, whose survey and scans are all in stores; or one whose corridors are walked too.

    The corridors' malls have three levels of 90 x 54 m, every other one four of 110 x 64 m; in each store each phone
    scans twice.
    """
    if kind == "table":
        venue, survey, asked = make_scans(seed, phones)
    else:
        world = make_world(seed, _LARGE if seed % 2 else MallSpec())
        venue, survey = world.mall.venue, world.survey()
        asked = walk_survey(
            world.mall,
            world.radio,
            np.random.default_rng([seed, 13]),
            phones=len(phones),
            scans_per_store=_SCANS_PER_STORE,
            corridor_scans_per_level=_CORRIDOR_SCANS_PER_LEVEL,
            graph=world.graph,
            listeners=phones,
            prefix="asked-",
        )
    return CrowdMall(f"{kind} {seed}", venue, survey, asked, np.array([_phone_of(item) for item in asked]))


def _phone_of(item: LabelledScan) -> int:
    """The phone's number in the walk's name: t-PHONE-store, asked-store-STORE-PHONE, asked-corridor-LEVEL-PHONE-leg."""
    words = (item.walk or "").split("-")
    return int(words[1] if words[0] == "t" else words[3])
