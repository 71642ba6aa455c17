"""Choose how a venue's scans are matched: cross-validation over whole survey walks, from a small fixed set.

Every survey scan is asked against the map without its own walk, so one pass answers all of them. Nothing of a test
set is ever seen here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from positioning.buildings import BuildingTable, build_building_table, hear_buildings_held_out
from positioning.locate import Settled, settle
from positioning.match import match
from positioning.model import Settings
from positioning.radio_map import F32, F64, I32, I64, RadioMap, ReadingBatch, take_scans
from positioning.radios import SPREADS_DB, find_radios, merge_radios
from positioning.representation import REPRESENTATIONS, Weighing, build_index, survey_floor_dbm

WRONG_LEVEL_M = 15.0
"""What a wrong level costs beside the horizontal error (the rule of the Indoor Location Competition 2.0)."""
_MAX_ASKED = 3_000
"""Survey scans asked while choosing: the standard error of the mean error is then about 0.1 m."""
_SETS = ((0,), (1,), (0, 1), (0, 1, 3), (0, 2, 3), (0, 1, 2, 3))
"""Which of ``REPRESENTATIONS`` vote together: the two plain ones, both, each joined by the ones blind to a phone's
offset, and all."""
_AGES_MS = (4_000.0, 8_000.0, 16_000.0, np.inf)
_MAX_KEPT = (48, 96)
_NEIGHBOURS = (3, 5, 8, 12, 20)
_POWERS = (1.0, 2.0, 8.0)
"""Of the distance in votes. On Xixi's survey 4 and 16 with up to 20 neighbours cost 0.03 and 0.02 m more than 8."""
_THOROUGH = (96, 1.0)
"""The search that settings are chosen with: shortlist, and share of a scan's weight that chooses it."""
_SEARCHES = ((24, 0.5), (24, 0.7), (48, 0.5), (24, 0.9), (48, 0.7), (48, 0.9), (96, 0.7), (96, 0.9))
"""Faster searches, from little work to much."""
_SMALL_MAP = 2_000
"""Survey scans up to which the thorough search is fast enough, so that nothing need be given up."""
_SEARCH_TOLERANCE_RATIO = 0.005
"""What a faster search may cost beside the thorough one."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings and what they cost on held-out scans: metres, with ``WRONG_LEVEL_M`` for a wrong level."""

    settings: Settings
    cost_m: float


def choose_settings(radio_map: RadioMap) -> Choice:
    """Try the fixed set: the cheapest representations win, then the votes spread over the most neighbours that cost no
    more to tell, then the least search.

    Settings cost no more than others where the mean difference on the same scans is within its own standard error,
    taken over whole walks: the one-standard-error rule of Breiman et al., "Classification and Regression Trees", 1984,
    paired. Of equals the smoothest is taken (more neighbours, slower fading).
    """
    held_out = HeldOutScans.of(radio_map, _asked(radio_map))
    weighing = replace(_choose_weighing(held_out), representations=REPRESENTATIONS)
    index, distance = held_out.match(Settings(weighing, 1, 1.0, False, *_THOROUGH))
    tried: list[tuple[Settings, F64, float]] = []
    for columns in _SETS:
        of_set = np.ascontiguousarray(distance[:, :, columns])
        for settings in _votes(replace(weighing, representations=tuple(REPRESENTATIONS[c] for c in columns))):
            settled = held_out.settle(settings, index, of_set)
            tried.append((settings, held_out.costs_m(settled), spread_of_votes(settled.weight)))
    cheapest, cheapest_m, _ = min(tried, key=lambda one: _mean(one[1]))
    equals = [
        one
        for one in tried
        if one[0].weighing == cheapest.weighing and _costs_no_more(one[1], cheapest_m, held_out.walk)
    ]
    best, costs_m, _ = max(equals, key=lambda one: one[2])
    return _choose_search(held_out, Choice(best, _mean(costs_m)))


def spread_of_votes(weight: F32) -> float:
    """Over how many neighbours the votes (n, n_short) of a scan are spread: the mean of (sum w)^2 / sum w^2.

    Source: Kish, "Survey Sampling", 1965: the effective number of observations of unequal weights.
    """
    total, squares = weight.sum(axis=1), (weight**2).sum(axis=1)
    answered = squares > 0
    return float((total[answered] ** 2 / squares[answered]).mean()) if answered.any() else 0.0


def choose_radios(radio_map: RadioMap) -> RadioMap:
    """The map with the radios of its addresses (``radios.py``), as alike as cross-validation asks.

    Of what costs no more than the cheapest, the least is merged. All representations vote with few and near neighbours,
    which showed what merging is worth more clearly than the plainest settings.
    """
    asked = _asked(radio_map)
    tau_ms = _AGES_MS[1] if np.any(radio_map.readings.age_ms > 0) else np.inf
    tried: list[tuple[RadioMap, F64]] = []
    for spread_db in SPREADS_DB:
        numbered = replace(radio_map, radio=find_radios(radio_map, spread_db) if spread_db > 0 else None)
        if spread_db > 0 and numbered.radio is None:
            continue
        held_out = HeldOutScans.of(merge_radios(numbered), asked)
        weighing = Weighing(REPRESENTATIONS, survey_floor_dbm(radio_map), tau_ms, _MAX_KEPT[-1])
        settings = Settings(weighing, 8, 8.0, False, *_THOROUGH)
        tried.append((numbered, held_out.costs_m(held_out.answer(settings))))
    _, cheapest_m = min(tried, key=lambda one: _mean(one[1]))
    walk = radio_map.walk[asked]
    return next(numbered for numbered, costs_m in tried if _costs_no_more(costs_m, cheapest_m, walk))


def _asked(radio_map: RadioMap) -> I64:
    """The survey scans that are asked: evenly through the survey."""
    return np.unique(np.linspace(0, radio_map.n_scans - 1, _MAX_ASKED).astype(np.int64))


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

    def as_heard(self, batch: ReadingBatch) -> "HeldOutScans":
        """The same scans as another batch of their readings tells them (``damage.py``)."""
        evidence = hear_buildings_held_out(self.radio_map, self.buildings, batch, self.walk)
        return replace(self, batch=batch, evidence=evidence)

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

    def costs_m(self, settled: Settled) -> F64:
        """(n,) metres off, ``WRONG_LEVEL_M`` more where the level is wrong; NaN where there is no answer."""
        error_m = np.linalg.norm(settled.xy_m - self.radio_map.xy_m[self.asked], axis=1)
        is_wrong = settled.level != self.radio_map.level[self.asked]
        costs_m: F64 = np.where(settled.level >= 0, error_m + WRONG_LEVEL_M * is_wrong, np.nan)
        return costs_m

    def cost_m(self, settled: Settled) -> float:
        """Their mean; unanswered scans are left out."""
        return _mean(self.costs_m(settled))


def _choose_weighing(held_out: HeldOutScans) -> Weighing:
    """How fast a reading's weight fades and how many are kept, by the plainest settings.

    Of what costs no more than the cheapest, the slowest fading, then the fewest readings.
    """
    readings = held_out.radio_map.readings
    floor_dbm = survey_floor_dbm(held_out.radio_map)

    def plain(tau_ms: float) -> Weighing:
        return Weighing(REPRESENTATIONS[:1], floor_dbm, tau_ms, _MAX_KEPT[-1])

    fading = [plain(tau_ms) for tau_ms in _AGES_MS]
    has_ages = bool(np.any(readings.age_ms > 0))
    faded = _cheap_enough(held_out, fading)[-1] if has_ages else fading[-1]
    longest = int(np.diff(readings.indptr).max())
    kept = [replace(faded, max_kept=n) for n in _MAX_KEPT[:-1] if n < longest] + [faded]
    return _cheap_enough(held_out, kept)[0]


def _cheap_enough(held_out: HeldOutScans, tried: list[Weighing]) -> list[Weighing]:
    """Those that cost no more than the cheapest, in the order given."""
    if len(tried) == 1:
        return tried
    costs_m = [held_out.costs_m(held_out.answer(Settings(weighing, 5, 2.0, False, 24, 1.0))) for weighing in tried]
    cheapest = min(costs_m, key=_mean)
    return [w for w, costs in zip(tried, costs_m, strict=True) if _costs_no_more(costs, cheapest, held_out.walk)]


def _costs_no_more(costs_m: F64, cheapest_m: F64, walk: I32) -> bool:
    """Whether the mean difference is within its standard error; scans of one walk err together."""
    more_m = costs_m - cheapest_m
    both = np.isfinite(more_m)
    if not both.any():  # nothing can be held out: all settings are alike
        return not np.isfinite(cheapest_m).any()
    n, mean_m = int(both.sum()), _mean(more_m)
    _, of_walk = np.unique(walk[both], return_inverse=True)
    off_m = np.bincount(of_walk, weights=more_m[both] - mean_m)
    if len(off_m) <= 1:
        return mean_m <= 0.0
    spare = len(off_m) / (len(off_m) - 1)
    return mean_m <= float(np.sqrt(spare * np.sum(off_m**2))) / n


def _mean(costs_m: F64) -> float:
    """Of those that are answered; infinite where none is."""
    answered = np.isfinite(costs_m)
    return float(costs_m[answered].mean()) if answered.any() else float("inf")


def _votes(weighing: Weighing) -> Iterator[Settings]:
    for k, weight_power, use_median in product(_NEIGHBOURS, _POWERS, (False, True)):
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
