"""A seed's whole world: the mall, its radio, the ways through it; and its survey, its days."""

from dataclasses import dataclass

import numpy as np

from fingerprints.scan import LabelledScan
from sim.layout import MallSpec
from sim.mall import SimulatedMall, make_mall
from sim.radio import RadioField, aged, make_radio_field
from sim.radio_spec import Ageing, RadioSpec
from sim.shoppers import Shopper, plan_day
from sim.survey import walk_survey
from sim.walking import WalkingGraph, make_walking_graph

_MALL, _RADIO, _SURVEY, _DAY, _TICK, _PERSON, _AGEING, _CROWD = range(8)
"""Each part draws from its own stream of the seed, so that a change in one leaves the others as they were."""


@dataclass(frozen=True)
class World:
    """What a seed makes. Two worlds of the same arguments are the same, in any process.

    The survey hears ``survey_radio``; shoppers come some weeks later and hear ``radio``.
    """

    seed: int
    mall: SimulatedMall
    survey_radio: RadioField
    radio: RadioField
    graph: WalkingGraph

    def survey(self, *, phones: int = 3, scans_per_store: int = 45) -> list[LabelledScan]:
        """The survey of this world; always the same one."""
        return walk_survey(
            self.mall,
            self.survey_radio,
            np.random.default_rng([self.seed, _SURVEY]),
            phones=phones,
            scans_per_store=scans_per_store,
            graph=self.graph,
        )

    def shoppers(self, day: int, n_shoppers: int, scan_period_s: float) -> list[Shopper]:
        """The shoppers of a day, counted from 0."""
        rng = np.random.default_rng([self.seed, _DAY, day])
        name = f"{self.seed}-{day}"
        return plan_day(
            self.mall, self.graph, rng, n_shoppers, spec=self.radio.spec, day=name, scan_period_s=scan_period_s
        )

    def tick_rng(self, day: int, tick: int) -> np.random.Generator:
        """The radio's chance in one tick: what is heard does not hang on what happened before."""
        return np.random.default_rng([self.seed, _TICK, day, tick])

    def crowd_seed(self, day: int) -> int:
        """Of what the phones of a day have each of their own (``radio.Crowd``)."""
        return int(np.random.default_rng([self.seed, _CROWD, day]).integers(2**63))

    def person_rng(self, day: int, index: int) -> np.random.Generator:
        """One shopper's own choices of a day."""
        return np.random.default_rng([self.seed, _PERSON, day, index])


def make_world(
    seed: int,
    spec: MallSpec | None = None,
    radio_spec: RadioSpec | None = None,
    *,
    ageing: Ageing | None = None,
    venue_id: str | None = None,
) -> World:
    """Build the world of a seed; a few seconds of one core for the default mall."""
    mall = make_mall(spec or MallSpec(), np.random.default_rng([seed, _MALL]), venue_id=venue_id)
    radio = make_radio_field(mall.venue, radio_spec or RadioSpec(), np.random.default_rng([seed, _RADIO]))
    later = aged(radio, mall.venue, ageing or Ageing(), np.random.default_rng([seed, _AGEING]))
    return World(seed, mall, radio, later, make_walking_graph(mall.venue, mall.entrances_xy_m))
