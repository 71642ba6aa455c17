"""What a mall will get before it opens: expected accuracy by level and store, and stores that will be taken for others.

All from held-out answers of the survey itself (``held_out.py``); nothing here has seen a test. A store is judged by the
scans inside it where the survey went into stores, else by those before its front.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernel.ids import LevelId, StoreId
from positioning.evaluate import resampled
from positioning.held_out import HeldOutAnswers
from positioning.radio_map import F64, I32, I64, LevelKey
from venues.model import Venue

MIN_CONFUSION = 0.12
"""Mutual confusion from which two stores are proposed as one zone: together they then miss one visit in eight less."""
_MOST_IN_ZONE = 5
_PRIOR_SCANS = 8.0
"""A store's share is drawn to its level's as if it had so many scans more: a few walks are few independent trials."""
_RESAMPLES = 1_000
_LISTED_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Expected:
    """Shares in 0 to 1, errors in metres, None where undefined; intervals are 95 % bootstraps over whole walks."""

    n: int
    n_walks: int
    top1: float | None
    top3: float | None
    error_m: float | None
    error_p95_m: float | None
    top1_interval: tuple[float, float] | None
    error_interval_m: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class LevelForecast:
    """One level; ``is_right`` is the share of its scans answered on it.

    ``top1_all_stores`` is the mean over the map's stores of the level, those never surveyed counted as never right.
    """

    building: str | None
    level: str | None
    is_right: float
    expected: Expected
    top1_all_stores: float | None


@dataclass(frozen=True, slots=True)
class StoreForecast:
    """One store: its own share, and ``expected_top1``, the same drawn to its level's where scans are few.

    ``taken_for`` lists the stores its scans are taken for, with the probability given to each.
    """

    store_id: StoreId
    store_name: str
    level: str
    level_id: LevelId
    n: int
    n_walks: int
    top1: float | None
    top3: float | None
    error_m: float | None
    expected_top1: float | None
    taken_for: tuple[tuple[StoreId, str, float], ...]


@dataclass(frozen=True, slots=True)
class ZoneProposal:
    """Stores to be taken as one: ``p_store`` is the share answered with the right one of them, ``p_zone`` with any."""

    level: str
    level_id: LevelId
    store_ids: tuple[StoreId, ...]
    store_names: tuple[str, ...]
    n: int
    p_store: float
    p_zone: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Everything that was foreseen."""

    all: Expected
    levels: tuple[LevelForecast, ...]
    stores: tuple[StoreForecast, ...]
    zones: tuple[ZoneProposal, ...]
    top1_all_stores: float | None
    judged: str


def forecast(
    answers: HeldOutAnswers, levels: Sequence[LevelKey], venue: Venue | None, *, rng: np.random.Generator
) -> Forecast:
    """Count held-out answers by level and store, and propose zones.

    Args:
        levels: the radio map's.
        rng: resamples walks for the intervals.
    """
    n_inside = int((answers.inside >= 0).sum())
    by_inside = n_inside >= 50 and n_inside >= 0.05 * len(answers.walk)
    truth = answers.inside if by_inside else answers.front
    stores: tuple[StoreForecast, ...] = ()
    zones: tuple[ZoneProposal, ...] = ()
    if venue is not None and venue.stores and answers.store.shape[1]:
        confusion, n = confusion_shares(answers, truth, len(venue.stores))
        stores = _stores(answers, truth, venue, confusion)
        zones = _zones(answers, truth, venue, confusion, n)
    level_rows = tuple(
        LevelForecast(
            key.building,
            key.short_name,
            float(answers.is_level_right[answers.level == i].mean()),
            _expect(answers, truth, np.flatnonzero(answers.level == i), rng),
            _over_stores([store for store in stores if store.level_id == key.level_id]),
        )
        for i, key in enumerate(levels)
        if (answers.level == i).any()
    )
    return Forecast(
        all=_expect(answers, truth, np.arange(len(answers.walk)), rng),
        levels=level_rows,
        stores=stores,
        zones=zones,
        top1_all_stores=_over_stores(stores),
        judged="inside" if by_inside else "front",
    )


def confusion_shares(answers: HeldOutAnswers, truth: I32, n_stores: int) -> tuple[F64, I64]:
    """(n_stores, n_stores): mean probability that scans truly of a row's store give to a column's, and the scans (n,).

    Probabilities rather than first places: a few dozen scans a store tell more by them.
    """
    total = np.zeros((n_stores, n_stores))
    rows = np.flatnonzero(truth >= 0)
    for column in range(answers.store.shape[1]):
        store = answers.store[rows, column]
        usable = store >= 0
        np.add.at(total, (truth[rows][usable], store[usable]), answers.probability[rows, column][usable])
    n = np.bincount(truth[rows], minlength=n_stores)
    shares: F64 = total / np.maximum(n, 1)[:, None]
    return shares, n


def group_stores(confusion: F64, n: I64, level: I64, *, least: float = MIN_CONFUSION) -> list[list[int]]:
    """Join stores of one level that are taken for each other, the most confused first, at most five to a group.

    Two groups' confusion is the mean probability that the scans of either give to the other.
    """
    given = confusion * n[:, None]  # sums of probability, by group once groups have joined
    size, scans = np.ones(len(n), dtype=np.int64), n.astype(np.float64)
    groups: dict[int, list[int]] = {i: [i] for i in range(len(n)) if n[i] > 0}
    may_join = (level[:, None] == level[None, :]) & np.triu(np.ones_like(given, dtype=np.bool_), 1)
    may_join &= (n > 0)[:, None] & (n > 0)[None, :]
    while groups:
        fits = may_join & (size[:, None] + size[None, :] <= _MOST_IN_ZONE)
        mutual = np.where(fits, (given + given.T) / np.maximum(scans[:, None] + scans[None, :], 1.0), -1.0)
        one, other = divmod(int(np.argmax(mutual)), len(n))
        if mutual[one, other] < least:
            break
        groups[one] += groups.pop(other)
        given[one] += given[other]
        given[:, one] += given[:, other]
        size[one] += size[other]
        scans[one] += scans[other]
        may_join[other] = may_join[:, other] = False
    return [sorted(group) for group in groups.values() if len(group) > 1]


def _expect(answers: HeldOutAnswers, truth: I32, at: NDArray[np.intp], rng: np.random.Generator) -> Expected:
    error_m = answers.error_m[at]
    is_top, is_top3 = _hits(answers, truth, 1)[at], _hits(answers, truth, 3)[at]
    _, group = np.unique(answers.walk[at], return_inverse=True)
    n_walks = int(group.max()) + 1
    counts = rng.multinomial(n_walks, np.full(n_walks, 1.0 / n_walks), size=_RESAMPLES).astype(np.float64)
    return Expected(
        n=len(at),
        n_walks=n_walks,
        top1=_mean(is_top),
        top3=_mean(is_top3),
        error_m=_mean(error_m),
        error_p95_m=float(np.quantile(error_m, 0.95)),
        top1_interval=resampled(is_top, group, counts, 1.0) if n_walks > 1 else None,
        error_interval_m=resampled(error_m, group, counts, 1.0) if n_walks > 1 else None,
    )


def _hits(answers: HeldOutAnswers, truth: I32, first: int) -> F64:
    """1 where the true store is among the first, NaN where there is none."""
    is_hit = (answers.store[:, :first] == truth[:, None]).any(axis=1)
    return np.where((truth >= 0) & (answers.store.shape[1] > 0), is_hit, np.nan).astype(np.float64)


def _over_stores(stores: Sequence[StoreForecast]) -> float | None:
    return float(np.mean([store.expected_top1 or 0.0 for store in stores])) if stores else None


def _stores(answers: HeldOutAnswers, truth: I32, venue: Venue, confusion: F64) -> tuple[StoreForecast, ...]:
    is_top, is_top3 = _hits(answers, truth, 1), _hits(answers, truth, 3)
    names = {level.id: level.short_name for level in venue.levels}
    mean_of = {
        level.id: _mean(is_top[np.isin(truth, [i for i, s in enumerate(venue.stores) if s.level_id == level.id])])
        for level in venue.levels
    }
    found = []
    for i, store in enumerate(venue.stores):
        at = truth == i
        n, prior = int(at.sum()), mean_of[store.level_id]
        others = [(j, float(confusion[i, j])) for j in np.argsort(-confusion[i]).tolist() if j != i]
        found.append(
            StoreForecast(
                store.id,
                store.name,
                names[store.level_id],
                store.level_id,
                n,
                len(np.unique(answers.walk[at])),
                _mean(is_top[at]),
                _mean(is_top3[at]),
                _mean(answers.error_m[at]),
                None
                if n == 0 or prior is None
                else (float(is_top[at].sum()) + _PRIOR_SCANS * prior) / (n + _PRIOR_SCANS),
                tuple((venue.stores[j].id, venue.stores[j].name, p) for j, p in others[:3] if p >= _LISTED_SHARE),
            )
        )
    return tuple(found)


def _zones(answers: HeldOutAnswers, truth: I32, venue: Venue, confusion: F64, n: I64) -> tuple[ZoneProposal, ...]:
    names = {level.id: level.short_name for level in venue.levels}
    order = {level.id: i for i, level in enumerate(venue.levels)}
    level = np.array([order[store.level_id] for store in venue.stores])
    first = answers.store[:, 0]
    found = []
    for group in group_stores(confusion, n, level):
        at = np.isin(truth, group)
        found.append(
            ZoneProposal(
                names[venue.stores[group[0]].level_id],
                venue.stores[group[0]].level_id,
                tuple(venue.stores[i].id for i in group),
                tuple(venue.stores[i].name for i in group),
                int(at.sum()),
                float((first[at] == truth[at]).mean()),
                float(np.isin(first[at], group).mean()),
            )
        )
    return tuple(sorted(found, key=lambda zone: zone.p_store))


def _mean(values: F64) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None
