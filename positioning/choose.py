"""Choose how a venue's scans are matched: cross-validation over whole survey walks, from a small fixed set.

Every survey scan is asked against the map without its own walk, so one pass answers all of them. Nothing of a test
set is ever seen here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from positioning.locate import Settled, settle
from positioning.match import match
from positioning.model import Settings
from positioning.radio_map import I32, I64, RadioMap, ReadingBatch
from positioning.representation import Representation, build_index, survey_floor_dbm

WRONG_LEVEL_M = 15.0
"""What a wrong level costs beside the horizontal error (the rule of the Indoor Location Competition 2.0)."""
_MAX_ASKED = 3_000
"""Survey scans asked while choosing: the standard error of the mean error is then about 0.1 m."""
_KINDS = ("powed 1.6", "powed e", "powed 3.5", "rank", "relative")
_SETS = (
    ("powed 1.6",),
    ("powed e",),
    ("powed 3.5",),
    ("powed 1.6", "powed e"),
    ("powed 1.6", "powed e", "relative"),
    ("powed e", "rank", "relative"),
)
_AGES_MS = (4_000.0, 8_000.0, 16_000.0, np.inf)
_NEIGHBOURS = (3, 5, 8, 12, 20)
_LONGEST_SHORTLIST = 64
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
    floor_dbm = survey_floor_dbm(radio_map)
    asked = np.unique(np.linspace(0, radio_map.n_scans - 1, _MAX_ASKED).astype(np.int64))
    batch, walk = take_scans(radio_map.readings, asked), radio_map.walk[asked]
    tau_ms = _choose_age(radio_map, floor_dbm, asked, batch, walk)
    made = {name: _representation(name, floor_dbm, tau_ms) for name in _KINDS}
    index, distance = match(
        radio_map, build_index(radio_map, tuple(made.values())), batch, walk=walk, n_short=_LONGEST_SHORTLIST
    )
    tried: list[Choice] = []
    for names in _SETS:
        columns = [_KINDS.index(name) for name in names]
        of_set = np.ascontiguousarray(distance[:, :, columns])
        for settings in _votes(tuple(made[name] for name in names)):
            cost_m = _cost_m(radio_map, settle(radio_map, settings, batch, index, of_set), asked)
            tried.append(Choice(settings, cost_m))
    cheapest = min(tried, key=lambda choice: choice.cost_m)
    best = min(
        (
            choice
            for choice in tried
            if choice.settings.representations == cheapest.settings.representations
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
        build_index(radio_map, settings.representations),
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


def _representation(name: str, floor_dbm: float, tau_ms: float) -> Representation:
    match name:
        case "rank":
            return Representation("rank", floor_dbm, 1.0, tau_ms)
        case "relative":
            return Representation("relative", floor_dbm, 1.5, tau_ms)
        case "powed e":
            return Representation("powed", floor_dbm, float(np.e), tau_ms)
        case _:
            return Representation("powed", floor_dbm, float(name.removeprefix("powed ")), tau_ms)


def _choose_age(
    radio_map: RadioMap,
    floor_dbm: float,
    asked: I64,
    batch: ReadingBatch,
    walk: I32,
) -> float:
    """How fast a reading's weight fades, by the plainest settings; infinite where the survey tells no ages."""
    if not np.any(radio_map.readings.age_ms > 0):
        return float(np.inf)
    costs = []
    for tau_ms in _AGES_MS:
        settings = Settings((_representation("powed e", floor_dbm, tau_ms),), 5, 2.0, False, 24)
        index, distance = match(
            radio_map, build_index(radio_map, settings.representations), batch, walk=walk, n_short=settings.n_short
        )
        costs.append(_cost_m(radio_map, settle(radio_map, settings, batch, index, distance), asked))
    limit_m = min(costs) * (1.0 + _TOLERANCE_RATIO)
    return max(tau_ms for tau_ms, cost_m in zip(_AGES_MS, costs, strict=True) if cost_m <= limit_m)


def _votes(representations: tuple[Representation, ...]) -> Iterator[Settings]:
    for k, weight_power, use_median in product(_NEIGHBOURS, (1.0, 2.0), (False, True)):
        yield Settings(representations, k, weight_power, use_median, _LONGEST_SHORTLIST)


def _shortlist(k: int) -> int:
    """Enough that other representations can bring their own neighbours in; few, since each costs."""
    return min(_LONGEST_SHORTLIST, max(24, 3 * k))


def _cost_m(radio_map: RadioMap, settled: Settled, asked: I64) -> float:
    answered = settled.level >= 0
    error_m = np.linalg.norm(settled.xy_m - radio_map.xy_m[asked], axis=1)[answered]
    is_wrong = settled.level[answered] != radio_map.level[asked][answered]
    return float(np.mean(error_m + WRONG_LEVEL_M * is_wrong)) if answered.any() else float("inf")
