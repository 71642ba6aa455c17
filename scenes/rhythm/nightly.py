"""The night's flow: cadence states of each venue and category to models; states and models to what is told by day.

Call order: ``learn`` at each visit's end; ``fit_rhythms`` once a night; ``rhythms_of`` at any time between;
``tell_overdue`` once a day, its states stored with what it told, so that a cycle is told once. A category keeps the
refusal where its log cannot carry a model: no figures are made up for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from kernel.errors import AtriumError
from kernel.ids import VenueId, derive_id
from scenes.rhythm.bands import (
    BANDS,
    Band,
    Overdue,
    are_overdue,
    bands_of,
    expected_gaps_days,
    gap_ratios,
    mark_told,
    mean_gap_of_all_days,
)
from scenes.rhythm.bgnbd import BgNbd, fit_bgnbd
from scenes.rhythm.cadence import F64, I64, States, summarise
from scenes.rhythm.errors import NotConvergedError, TooFewVisitsError
from scenes.rhythm.regularity import Regularity, estimate_regularity

RETURN_DAYS = 28
"""Four weeks: each day of the week four times, and the horizon that the gates of the method were measured at."""


@dataclass(frozen=True, slots=True, order=True)
class RhythmKey:
    """What a rhythm is of: one category, brand or store (``subject``) of one venue."""

    venue_id: VenueId
    subject: str


@dataclass(frozen=True, slots=True)
class RhythmModel:
    """What one key's log says of people in general; a part that it cannot say is the refusal instead."""

    activity: BgNbd | TooFewVisitsError | NotConvergedError
    regularity: Regularity | TooFewVisitsError
    mean_gap_days: float

    @property
    def has_rhythm(self) -> bool:
        """Whether bands and "overdue" are offered."""
        return isinstance(self.regularity, Regularity) and self.regularity.has_rhythm


@dataclass(frozen=True, slots=True)
class RhythmModels:
    """One night's models; ``version`` is the same for the same figures, whoever fits them."""

    version: str
    fitted_at: datetime
    at_day: int
    models: Mapping[RhythmKey, RhythmModel]


@dataclass(frozen=True, slots=True)
class KeyedStates:
    """Cadence states with what each is of: ``key`` (n_states,) points into ``keys``; a person has a row a key."""

    states: States
    key: I64
    keys: tuple[RhythmKey, ...]

    def __post_init__(self) -> None:
        if self.key.shape != self.states.shape:
            raise ValueError(f"expected a key a state, found {self.key.shape} and {self.states.shape}")
        if len(self.key) and not 0 <= self.key.min() <= self.key.max() < len(self.keys):
            raise ValueError(f"expected keys within 0..{len(self.keys) - 1}")


@dataclass(frozen=True, slots=True)
class Rhythms:
    """Each state's rhythm, all (n_states,): a place in ``BANDS``; NaN where a figure cannot be told.

    ``expected_day`` is NaN, and ``is_overdue`` false, wherever the band is unknown.
    """

    band: NDArray[np.int8]
    ratio: F64
    expected_day: F64
    p_active: F64
    p_return_28d: F64
    is_overdue: NDArray[np.bool_]


def fit_rhythms(people: KeyedStates, at_day: int, fitted_at: datetime) -> RhythmModels:
    """Fit each key's model on what is known at the end of a local day.

    Raises:
        ValueError: a visit after ``at_day``.
    """
    models = {key: _fit_one(people.states[rows], at_day, fitted_at) for key, rows in _rows_by_key(people)}
    return RhythmModels(_version(at_day, models), fitted_at, at_day, models)


def rhythms_of(people: KeyedStates, models: RhythmModels, at_day: int) -> Rhythms:
    """Each state's rhythm at the end of a local day, by its key's model; a key without a model is unknown.

    Raises:
        ValueError: a visit after ``at_day``.
    """
    rhythms = _unknown(len(people.states))
    for key, rows in _rows_by_key(people):
        if key in models.models:
            _fill(rhythms, rows, people.states[rows], models.models[key], at_day)
    return rhythms


def tell_overdue(people: KeyedStates, rhythms: Rhythms) -> tuple[Overdue, States]:
    """Whom ``rhythm.overdue`` is to be told of now, and the states that remember it was.

    Replay is harmless: with the states that came back nobody is told of again before their next visit.
    """
    row = np.flatnonzero(rhythms.is_overdue & (people.states["told"] != people.states["last"]))
    overdue = Overdue(
        row,
        np.ceil(rhythms.expected_day[row]).astype(np.int64),
        rhythms.ratio[row],
        rhythms.p_return_28d[row],
        rhythms.p_active[row],
    )
    return overdue, mark_told(people.states, row)


def _rows_by_key(people: KeyedStates) -> Iterator[tuple[RhythmKey, I64]]:
    """The rows of those who have come, key by key; none where nobody has."""
    come = np.flatnonzero(people.states["count"] > 0)
    rows = come[np.argsort(people.key[come], kind="stable")]
    ends = np.searchsorted(people.key[rows], np.arange(len(people.keys) + 1))
    for i, key in enumerate(people.keys):
        yield key, rows[ends[i] : ends[i + 1]]


def _fit_one(states: States, at_day: int, fitted_at: datetime) -> RhythmModel:
    activity: BgNbd | TooFewVisitsError | NotConvergedError
    regularity: Regularity | TooFewVisitsError
    try:
        activity = fit_bgnbd(summarise(states, at_day), fitted_at)
    except (TooFewVisitsError, NotConvergedError) as refusal:
        activity = refusal
    try:
        regularity = estimate_regularity(states)
    except TooFewVisitsError as refusal:
        regularity = refusal
    return RhythmModel(activity, regularity, mean_gap_of_all_days(states))


def _version(at_day: int, models: Mapping[RhythmKey, RhythmModel]) -> str:
    parts = [f"{key.venue_id}/{key.subject}={_figures(models[key])}" for key in sorted(models)]
    return derive_id("rhy", str(at_day), *parts)


def _figures(model: RhythmModel) -> str:
    """A model's figures to eight digits: other processors round the ninth otherwise."""
    fits: list[float] = [model.mean_gap_days]
    if not isinstance(model.activity, AtriumError):
        fits += [model.activity.r, model.activity.alpha, model.activity.a, model.activity.b]
    if not isinstance(model.regularity, AtriumError):
        fits += [model.regularity.shape]
    return ",".join(f"{figure:.8g}" for figure in fits)


def _unknown(n: int) -> Rhythms:
    band = np.full(n, BANDS.index(Band.UNKNOWN), dtype=np.int8)
    ratio, expected_day, p_active, p_return_28d = np.full((4, n), np.nan)
    return Rhythms(band, ratio, expected_day, p_active, p_return_28d, np.zeros(n, dtype=np.bool_))


def _fill(rhythms: Rhythms, rows: I64, states: States, model: RhythmModel, at_day: int) -> None:
    """Write one key's people into arrays that are ours until they are handed out."""
    summaries = summarise(states, at_day)
    if not isinstance(model.activity, AtriumError):
        rhythms.p_active[rows] = model.activity.p_active(summaries)
        rhythms.p_return_28d[rows] = model.activity.p_return(summaries, RETURN_DAYS)
    if model.has_rhythm:
        ratio = gap_ratios(states, model.mean_gap_days, at_day)
        rhythms.ratio[rows], rhythms.band[rows] = ratio, bands_of(ratio)
        rhythms.expected_day[rows] = states["last"] + expected_gaps_days(states, model.mean_gap_days)
        rhythms.is_overdue[rows] = are_overdue(states, ratio, rhythms.p_active[rows])
