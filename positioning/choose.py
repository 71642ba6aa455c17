"""Choose how a venue's scans are matched: cross-validation over whole survey walks, from a small fixed set.

Every survey scan is asked against the map without its own walk, so one pass answers all of them. Nothing of a test
set is ever seen here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from positioning.locate import Settled, settle
from positioning.match import match
from positioning.model import Settings
from positioning.radio_map import I32, I64, RadioMap, ReadingBatch
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
_LONGEST_SHORTLIST = 64
_LEAST_SHORTLIST = 24
_TOLERANCE_RATIO = 0.02
"""Costs this close are equal: about one standard error. Of equals the smoothest is taken (more neighbours, slower
fading), as in the one-standard-error rule of Breiman et al., "Classification and Regression Trees", 1984."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings and what they cost on held-out scans: metres, with ``WRONG_LEVEL_M`` for a wrong level."""

    settings: Settings
    cost_m: float


def choose_settings(radio_map: RadioMap) -> Choice:
    """Try the fixed set: the cheapest representations win, then the most neighbours that cost hardly more."""
    asked = np.unique(np.linspace(0, radio_map.n_scans - 1, _MAX_ASKED).astype(np.int64))
    batch, walk = take_scans(radio_map.readings, asked), radio_map.walk[asked]
    weighing = replace(_choose_weighing(radio_map, asked, batch, walk), representations=_REPRESENTATIONS)
    index, distance = match(radio_map, build_index(radio_map, weighing), batch, walk=walk, n_short=_LONGEST_SHORTLIST)
    tried: list[Choice] = []
    for columns in _SETS:
        of_set = np.ascontiguousarray(distance[:, :, columns])
        for settings in _votes(replace(weighing, representations=tuple(_REPRESENTATIONS[c] for c in columns))):
            cost_m = _cost_m(radio_map, settle(radio_map, settings, batch, index, of_set), asked)
            tried.append(Choice(settings, cost_m))
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
    return replace(best, settings=replace(best.settings, n_short=_shortlist(best.settings.k)))


def held_out_settled(radio_map: RadioMap, settings: Settings, asked: I64) -> Settled:
    """Answers to the survey's own scans, each without its walk."""
    batch = take_scans(radio_map.readings, asked)
    index, distance = match(
        radio_map,
        build_index(radio_map, settings.weighing),
        batch,
        walk=radio_map.walk[asked],
        n_short=settings.n_short,
    )
    return settle(radio_map, settings, batch, index, distance)


def take_scans(batch: ReadingBatch, at: I64) -> ReadingBatch:
    """The scans at these places of a batch, in that order."""
    counts = np.diff(batch.indptr)[at]
    indptr = np.zeros(len(at) + 1, dtype=np.int64)
    np.cumsum(counts, out=indptr[1:])
    entries = np.repeat(batch.indptr[:-1][at] - indptr[:-1], counts) + np.arange(indptr[-1])
    return ReadingBatch(
        indptr, batch.transmitter[entries], batch.rssi_dbm[entries], batch.age_ms[entries], batch.n_heard[at]
    )


def _choose_weighing(radio_map: RadioMap, asked: I64, batch: ReadingBatch, walk: I32) -> Weighing:
    """How fast a reading's weight fades and how many are kept, by the plainest settings.

    Of what costs hardly more than the cheapest, the slowest fading, then the fewest readings.
    """
    floor_dbm = survey_floor_dbm(radio_map)
    has_ages = bool(np.any(radio_map.readings.age_ms > 0))

    def cost_m(weighing: Weighing) -> float:
        settings = Settings(weighing, 5, 2.0, False, 24)
        index, distance = match(radio_map, build_index(radio_map, weighing), batch, walk=walk, n_short=settings.n_short)
        return _cost_m(radio_map, settle(radio_map, settings, batch, index, distance), asked)

    fading = [Weighing(_REPRESENTATIONS[:1], floor_dbm, tau_ms, _MAX_KEPT[-1]) for tau_ms in _AGES_MS]
    faded = _cheap_enough(fading, cost_m)[-1] if has_ages else fading[-1]
    longest = int(np.diff(radio_map.readings.indptr).max())
    kept = [replace(faded, max_kept=n) for n in _MAX_KEPT[:-1] if n < longest] + [faded]
    return _cheap_enough(kept, cost_m)[0]


def _cheap_enough(tried: list[Weighing], cost_m: Callable[[Weighing], float]) -> list[Weighing]:
    """Those that cost hardly more than the cheapest, in the order given."""
    costs_m = [cost_m(weighing) for weighing in tried] if len(tried) > 1 else [0.0]
    limit_m = min(costs_m) * (1.0 + _TOLERANCE_RATIO)
    return [weighing for weighing, cost in zip(tried, costs_m, strict=True) if cost <= limit_m]


def _votes(weighing: Weighing) -> Iterator[Settings]:
    for k, weight_power, use_median in product(_NEIGHBOURS, (1.0, 2.0), (False, True)):
        yield Settings(weighing, k, weight_power, use_median, _LONGEST_SHORTLIST)


def _shortlist(k: int) -> int:
    """Enough that other representations can bring their own neighbours in; few, since each costs."""
    return min(_LONGEST_SHORTLIST, max(_LEAST_SHORTLIST, 3 * k))


def _cost_m(radio_map: RadioMap, settled: Settled, asked: I64) -> float:
    answered = settled.level >= 0
    error_m = np.linalg.norm(settled.xy_m - radio_map.xy_m[asked], axis=1)[answered]
    is_wrong = settled.level[answered] != radio_map.level[asked][answered]
    return float(np.mean(error_m + WRONG_LEVEL_M * is_wrong)) if answered.any() else float("inf")
