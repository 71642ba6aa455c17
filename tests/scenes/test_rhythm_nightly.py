"""The night's models and what they say by day: rhythm where there is one, and a refusal where there is no telling."""

from datetime import UTC, datetime

import numpy as np
import pytest

from benchmarks.rhythm import Log, draw_log
from kernel.ids import VenueId
from scenes.rhythm.bands import BANDS, Band
from scenes.rhythm.bgnbd import BgNbd
from scenes.rhythm.cadence import VisitDays, empty_states, learn, summarise
from scenes.rhythm.errors import TooFewVisitsError
from scenes.rhythm.nightly import KeyedStates, RhythmKey, fit_rhythms, rhythms_of

AT = datetime(2026, 1, 1, 4, tzinfo=UTC)
DAY = 728
REGULAR, MEMORYLESS, FEW, EMPTY = (RhythmKey(VenueId("v"), name) for name in ("regular", "memoryless", "few", "empty"))
N = 800


@pytest.fixture(scope="module")
def people() -> KeyedStates:
    """800 people of a regular category, 800 of a memoryless one, 30 of a third, none of a fourth, and one unseen."""
    logs = [draw_log(N, 3.0, 1), draw_log(N, 1.0, 1), draw_log(30, 3.0, 2), Log(0, VisitDays(*np.zeros((2, 0), int)))]
    states = [learn(empty_states(log.n_people), log.visits).states for log in logs]
    sizes = [log.n_people for log in logs]
    keys = np.append(np.repeat(np.arange(4), sizes), 0)
    return KeyedStates(np.concatenate([*states, empty_states(1)]), keys, (REGULAR, MEMORYLESS, FEW, EMPTY))


def test_each_key_has_its_own_model_or_its_refusal(people: KeyedStates) -> None:
    night = fit_rhythms(people, DAY, AT)
    assert set(night.models) == {REGULAR, MEMORYLESS, FEW, EMPTY}
    regular, memoryless, few = (night.models[key] for key in (REGULAR, MEMORYLESS, FEW))
    assert regular.has_rhythm and not memoryless.has_rhythm and not few.has_rhythm
    assert isinstance(regular.activity, BgNbd) and isinstance(memoryless.activity, BgNbd)
    assert (regular.activity.n_people, regular.activity.fitted_at, night.fitted_at) == (N, AT, AT)
    assert isinstance(few.activity, TooFewVisitsError) and isinstance(few.regularity, TooFewVisitsError)
    assert isinstance(night.models[EMPTY].activity, TooFewVisitsError)


def test_bands_are_told_only_where_there_is_a_rhythm(people: KeyedStates) -> None:
    rhythms = rhythms_of(people, fit_rhythms(people, DAY, AT), DAY)
    unknown = rhythms.band == BANDS.index(Band.UNKNOWN)
    assert not unknown[:N].any() and unknown[N:].all()
    assert rhythms.is_overdue[:N].any() and not rhythms.is_overdue[N:].any()
    for figure in (rhythms.ratio, rhythms.expected_day):
        assert np.isfinite(figure[:N]).all() and np.isnan(figure[N:]).all()
    assert np.isfinite(rhythms.p_active[: 2 * N]).all() and np.isnan(rhythms.p_active[2 * N :]).all()
    assert np.isfinite(rhythms.p_return_28d[: 2 * N]).all() and np.isnan(rhythms.p_return_28d[2 * N :]).all()


def test_figures_are_those_of_the_keys_own_model(people: KeyedStates) -> None:
    night = fit_rhythms(people, DAY, AT)
    rhythms, model = rhythms_of(people, night, DAY + 3), night.models[MEMORYLESS].activity
    assert isinstance(model, BgNbd)
    own = summarise(people.states[N : 2 * N], DAY + 3)
    assert (rhythms.p_active[N : 2 * N] == model.p_active(own)).all()
    assert (rhythms.p_return_28d[N : 2 * N] == model.p_return(own, 28)).all()


def test_a_key_that_had_no_model_that_night_is_unknown(people: KeyedStates) -> None:
    part = KeyedStates(people.states[:N], people.key[:N], (MEMORYLESS,))
    late = KeyedStates(people.states[:N], people.key[:N], (REGULAR,))
    rhythms = rhythms_of(late, fit_rhythms(part, DAY, AT), DAY)
    assert np.isnan(rhythms.p_active).all() and not rhythms.is_overdue.any()


def test_a_version_names_the_figures_and_not_the_hour_or_the_order_of_people(people: KeyedStates) -> None:
    order = np.random.default_rng(1).permutation(len(people.states))
    mixed = KeyedStates(people.states[order], people.key[order], people.keys)
    night = fit_rhythms(people, DAY, AT)
    assert fit_rhythms(mixed, DAY, AT.replace(hour=5)).version == night.version
    assert fit_rhythms(people, DAY + 1, AT).version != night.version


def test_a_visit_after_the_day_is_refused_and_so_are_keys_that_do_not_fit(people: KeyedStates) -> None:
    with pytest.raises(ValueError, match="none of them after"):
        fit_rhythms(people, 300, AT)
    with pytest.raises(ValueError, match="a key a state"):
        KeyedStates(people.states, people.key[:-1], people.keys)
    with pytest.raises(ValueError, match="keys within"):
        KeyedStates(people.states, people.key, (REGULAR,))
