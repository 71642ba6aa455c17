"""Choose how a venue's scans are matched: cross-validation over whole survey walks, from a small fixed set.

Every survey scan is asked against the map without its own walk, so one pass answers all of them. Nothing of a test
set is ever seen here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from positioning.buildings import BuildingTable, build_building_table, hear_buildings_held_out
from positioning.locate import Settled, settle
from positioning.match import match
from positioning.model import Settings
from positioning.radio_map import F32, I32, I64, RadioMap, ReadingBatch
from positioning.representation import Representation, Weighing, build_index, survey_floor_dbm

WRONG_LEVEL_M = 15.0
"""What a wrong level costs beside the horizontal error (the rule of the Indoor Location Competition 2.0)."""
_MAX_ASKED = 3_000
"""Survey scans asked while choosing: the standard error of the mean error is then about 0.1 m."""
_REPRESENTATIONS = (
    Representation("powed", float(np.e)),
    Representation("powed", 1.6),
    Representation("rank", 1.0),
    Representation("relative", 1.5),
)
_SETS = ((0,), (1,), (0, 1), (0, 1, 3), (0, 2, 3))
"""Which of them vote together: the two plain ones, both, and each joined by the ones blind to a phone's offset."""
_AGES_MS = (4_000.0, 8_000.0, 16_000.0, np.inf)
_MAX_KEPT = (48, 96)
_NEIGHBOURS = (3, 5, 8, 12, 20)
_THOROUGH = (96, 1.0)
"""The search that settings are chosen with: shortlist, and share of a scan's weight that chooses it."""
_SEARCHES = ((24, 0.5), (24, 0.7), (48, 0.5), (24, 0.9), (48, 0.7), (48, 0.9), (96, 0.7), (96, 0.9))
"""Faster searches, from little work to much."""
_SMALL_MAP = 2_000
"""Survey scans up to which the thorough search is fast enough, so that nothing need be given up."""
_TOLERANCE_RATIO = 0.02
"""Costs this close are equal: about one standard error. Of equals the smoothest is taken (more neighbours, slower
fading), as in the one-standard-error rule of Breiman et al., "Classification and Regression Trees", 1984."""
_SEARCH_TOLERANCE_RATIO = 0.01
"""What a faster search may cost beside the thorough one. The same scans are asked, so less than the above is told."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings and what they cost on held-out scans: metres, with ``WRONG_LEVEL_M`` for a wrong level."""

    settings: Settings
    cost_m: float


def choose_settings(radio_map: RadioMap) -> Choice:
    """Try the fixed set: the cheapest representations win, then the most neighbours that cost hardly more, then the
    least search."""
    held_out = HeldOutScans.of(radio_map, np.unique(np.linspace(0, radio_map.n_scans - 1, _MAX_ASKED).astype(np.int64)))
    weighing = replace(_choose_weighing(held_out), representations=_REPRESENTATIONS)
    index, distance = held_out.match(Settings(weighing, 1, 1.0, False, *_THOROUGH))
    tried: list[Choice] = []
    for columns in _SETS:
        of_set = np.ascontiguousarray(distance[:, :, columns])
        for settings in _votes(replace(weighing, representations=tuple(_REPRESENTATIONS[c] for c in columns))):
            tried.append(Choice(settings, held_out.cost_m(held_out.settle(settings, index, of_set))))
    cheapest = min(tried, key=lambda choice: choice.cost_m)
    best = min(
        (
            choice
            for choice in tried
            if choice.settings.weighing == cheapest.settings.weighing
            and choice.cost_m <= cheapest.cost_m * (1.0 + _TOLERANCE_RATIO)
        ),
        key=lambda choice: (-choice.settings.k, choice.cost_m),
    )
    return _choose_search(held_out, best)


@dataclass(frozen=True, slots=True)
class HeldOutScans:
    """Survey scans asked against the map, each without its own walk."""

    radio_map: RadioMap
    asked: I64
    batch: ReadingBatch
    walk: I32
    buildings: BuildingTable
    evidence: F32

    @staticmethod
    def of(radio_map: RadioMap, asked: I64) -> "HeldOutScans":
        """The survey scans at these places of the map; walk -1 is held out from nothing."""
        batch, walk = take_scans(radio_map.readings, asked), radio_map.walk[asked]
        buildings = build_building_table(radio_map)
        evidence = hear_buildings_held_out(radio_map, buildings, batch, walk)
        return HeldOutScans(radio_map, asked, batch, walk, buildings, evidence)

    def answer(self, settings: Settings) -> Settled:
        """What the model with these settings says."""
        return self.settle(settings, *self.match(settings))

    def match(self, settings: Settings) -> tuple[I32, F32]:
        """Their nearest survey scans of other walks (``match.match``)."""
        return match(
            self.radio_map,
            build_index(self.radio_map, settings.weighing),
            self.batch,
            n_short=settings.n_short,
            cover=settings.cover,
            walk=self.walk,
        )

    def settle(self, settings: Settings, index: I32, distance: F32) -> Settled:
        """Their levels and places (``locate.settle``)."""
        return settle(
            self.radio_map,
            settings,
            self.batch,
            index,
            distance,
            building=self.buildings.of_level,
            evidence=self.evidence,
        )

    def cost_m(self, settled: Settled) -> float:
        """Mean metres off, ``WRONG_LEVEL_M`` more where the level is wrong; unanswered scans are left out."""
        answered = settled.level >= 0
        error_m = np.linalg.norm(settled.xy_m - self.radio_map.xy_m[self.asked], axis=1)[answered]
        is_wrong = settled.level[answered] != self.radio_map.level[self.asked][answered]
        return float(np.mean(error_m + WRONG_LEVEL_M * is_wrong)) if answered.any() else float("inf")


def take_scans(batch: ReadingBatch, at: I64) -> ReadingBatch:
    """The scans at these places of a batch, in that order."""
    counts = np.diff(batch.indptr)[at]
    indptr = np.zeros(len(at) + 1, dtype=np.int64)
    np.cumsum(counts, out=indptr[1:])
    entries = np.repeat(batch.indptr[:-1][at] - indptr[:-1], counts) + np.arange(indptr[-1])
    return ReadingBatch(
        indptr, batch.transmitter[entries], batch.rssi_dbm[entries], batch.age_ms[entries], batch.n_heard[at]
    )


def _choose_weighing(held_out: HeldOutScans) -> Weighing:
    """How fast a reading's weight fades and how many are kept, by the plainest settings.

    Of what costs hardly more than the cheapest, the slowest fading, then the fewest readings.
    """
    readings = held_out.radio_map.readings
    floor_dbm = survey_floor_dbm(held_out.radio_map)
    has_ages = bool(np.any(readings.age_ms > 0))

    def cost_m(weighing: Weighing) -> float:
        return held_out.cost_m(held_out.answer(Settings(weighing, 5, 2.0, False, 24, 1.0)))

    fading = [Weighing(_REPRESENTATIONS[:1], floor_dbm, tau_ms, _MAX_KEPT[-1]) for tau_ms in _AGES_MS]
    faded = _cheap_enough(fading, cost_m)[-1] if has_ages else fading[-1]
    longest = int(np.diff(readings.indptr).max())
    kept = [replace(faded, max_kept=n) for n in _MAX_KEPT[:-1] if n < longest] + [faded]
    return _cheap_enough(kept, cost_m)[0]


def _cheap_enough(tried: list[Weighing], cost_m: Callable[[Weighing], float]) -> list[Weighing]:
    """Those that cost hardly more than the cheapest, in the order given."""
    costs_m = [cost_m(weighing) for weighing in tried] if len(tried) > 1 else [0.0]
    limit_m = min(costs_m) * (1.0 + _TOLERANCE_RATIO)
    return [weighing for weighing, cost in zip(tried, costs_m, strict=True) if cost <= limit_m]


def _votes(weighing: Weighing) -> Iterator[Settings]:
    for k, weight_power, use_median in product(_NEIGHBOURS, (1.0, 2.0), (False, True)):
        yield Settings(weighing, k, weight_power, use_median, *_THOROUGH)


def _choose_search(held_out: HeldOutScans, best: Choice) -> Choice:
    """The least work whose answers cost hardly more than those of the thorough search."""
    if held_out.radio_map.n_scans <= _SMALL_MAP:
        return best
    for n_short, cover in _SEARCHES:
        settings = replace(best.settings, n_short=n_short, cover=cover)
        cost_m = held_out.cost_m(held_out.answer(settings))
        if cost_m <= best.cost_m * (1.0 + _SEARCH_TOLERANCE_RATIO):
            return Choice(settings, cost_m)
    return best
