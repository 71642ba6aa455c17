"""BG/NBD against finite differences, numerical integration of its mixture, logs of known truth, and lifetimes."""

from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import betaincinv, gammaincinv, roots_genlaguerre, roots_jacobi

from scenes.rhythm.bgnbd import MIN_PEOPLE, MIN_REPEATERS, BgNbd, fit_bgnbd
from scenes.rhythm.cadence import Summaries
from scenes.rhythm.errors import NotConvergedError, TooFewVisitsError
from scenes.rhythm.likelihood import Histories, log_likelihood

F64 = NDArray[np.float64]
AT = datetime(2026, 1, 1, 4, tzinfo=UTC)
TRUTH = (0.6, 5.0, 1.0, 3.0)

HISTORIES = ((0, 0, 38.86), (1, 10.0, 30.0), (2, 30.43, 38.86), (5, 20.0, 38.0), (12, 36.0, 38.86), (29, 37.0, 38.0))

LIFETIMES = (0.5414636478072719, 4.45437366513307, 0.6986694853459805, 2.122749987978305)
"""lifetimes 0.11.3, ``BetaGeoFitter().fit(x, t_x, T)`` with its defaults, on ``draw_log(1500)``."""
LIFETIMES_P_ACTIVE = (
    1.0,
    0.44332328760704903,
    0.7205523320055982,
    0.29189502965125663,
    0.8885703452994741,
    0.9551991070828187,
)
LIFETIMES_VISITS_39 = (
    0.4237108111437155,
    0.6313749836249617,
    1.3708625637765368,
    1.2040315710801606,
    8.028275227351344,
    20.475665004291915,
)
"""The same fit's ``conditional_probability_alive`` of ``HISTORIES``, and expected purchases in 39 weeks."""


def draw_log(n: int, r: float = 0.6, alpha: float = 5.0, a: float = 1.0, b: float = 3.0, seed: int = 20) -> Summaries:
    """People of a BG/NBD process, aged 26 to 51 weeks, their visits on whole days; by inversion of uniforms alone."""
    rng = np.random.default_rng(seed)
    age = (7.0 * (26 + np.arange(n) % 26)).astype(np.float64)
    rate = gammaincinv(r, rng.random(n)) / alpha / 7.0
    drop = betaincinv(a, b, rng.random(n)) if b else np.zeros(n)
    x, t_x, t = np.zeros(n), np.zeros(n), np.zeros(n)
    active = np.ones(n, dtype=np.bool_)
    while active.any():
        t = t - np.log(rng.random(n)) / np.maximum(rate, 1e-300)
        active &= t <= age
        x[active] += 1
        t_x[active] = np.maximum(np.round(t[active]), 1.0)
        active &= rng.random(n) >= drop
    return Summaries(x, t_x / 7.0, age / 7.0)


def people(*histories: tuple[float, float, float]) -> Summaries:
    columns = np.array(histories, dtype=np.float64).T
    return Summaries(*columns)


def known(r: float, alpha: float, a: float, b: float) -> BgNbd:
    return BgNbd(r, alpha, a, b, AT, 1, 0.0)


class Mixture:
    """One person's quantities by Gauss quadrature over rate and dropout, from the process alone."""

    def __init__(self, r: float, alpha: float, a: float, b: float) -> None:
        rate, by_rate = roots_genlaguerre(120, r - 1.0)
        self.alpha, self.rate, self.by_rate = alpha, rate[:, None] / alpha, by_rate[:, None] / by_rate.sum()
        drop, by_drop = roots_jacobi(60, b - 1.0, a - 1.0)
        self.drop, self.by_drop = (drop + 1.0) / 2.0, by_drop / by_drop.sum()

    def mean(self, values: F64) -> float:
        return float((values * self.by_rate * self.by_drop).sum())

    def active(self, x: float, age: float) -> F64:
        """Density of x visits and being active still, at each rate and dropout."""
        return np.asarray((1.0 - self.drop) ** x * self.rate**x * np.exp(-self.rate * age))

    def likelihood(self, x: float, t_x: float, age: float) -> float:
        gone = self.drop * (1.0 - self.drop) ** max(x - 1.0, 0.0) * self.rate**x * np.exp(-self.rate * t_x)
        return self.mean(self.active(x, age) + (gone if x else 0.0))


@pytest.mark.parametrize(
    "parameters", [TRUTH, (0.243, 4.414, 0.793, 2.426), (2.5, 12.0, 1.0, 9.0), (1.0, 3.0, 1.4, 2.0)]
)
@pytest.mark.parametrize("history", HISTORIES)
def test_every_figure_is_the_process_integrated_over_rate_and_dropout(
    parameters: tuple[float, float, float, float], history: tuple[float, float, float]
) -> None:
    x, t_x, age = history
    mixture, model, one = Mixture(*parameters), known(*parameters), people(history)
    likelihood = mixture.likelihood(x, t_x, age)
    active = mixture.active(x, age)
    weeks, rate, drop = 4.0, mixture.rate, mixture.drop
    visits = mixture.mean(active * -np.expm1(-rate * drop * weeks) / drop)
    near = 1e-6  # 120 x 60 nodes leave 1.2e-7 at most
    value, _ = log_likelihood(np.array(parameters), Histories.of(one))
    assert value == pytest.approx(np.log(likelihood), abs=near)
    assert model.p_active(one)[0] == pytest.approx(mixture.mean(active) / likelihood, rel=near)
    assert model.p_return(one, 28)[0] == pytest.approx(
        mixture.mean(active * -np.expm1(-rate * weeks)) / likelihood, rel=near
    )
    assert model.expected_visits(one, 28)[0] == pytest.approx(visits / likelihood, rel=near)
    assert model.rate_a_week(one)[0] == pytest.approx(mixture.mean(active * rate) / mixture.mean(active), rel=near)


def test_the_gradient_is_that_of_finite_differences() -> None:
    histories, step = Histories.of(draw_log(400)), 1e-5
    for at in (np.array(TRUTH), np.array([0.2, 9.0, 0.3, 0.6])):
        _, gradient = log_likelihood(at, histories)
        for i in range(4):
            ahead, behind = at.copy(), at.copy()
            ahead[i], behind[i] = at[i] + step, at[i] - step
            slope = (log_likelihood(ahead, histories)[0] - log_likelihood(behind, histories)[0]) / (2 * step)
            # central differences: step^2 of truncation, 1e-16 * 3000 / step of rounding
            assert gradient[i] == pytest.approx(slope, rel=1e-5, abs=1e-4)


def test_equal_histories_are_one_row_that_weighs_as_much() -> None:
    log = draw_log(300)
    twice = Summaries(np.tile(log.x, 2), np.tile(log.t_x, 2), np.tile(log.age, 2))
    once, both = Histories.of(log), Histories.of(twice)
    assert len(both.x) == len(once.x) < 300
    assert both.n_people == 600
    at = np.array(TRUTH)
    assert log_likelihood(at, both)[0] == pytest.approx(2 * log_likelihood(at, once)[0])


def test_parameters_of_a_known_process_are_recovered() -> None:
    fit = fit_bgnbd(draw_log(20_000, *TRUTH, seed=1), AT)
    found = np.log([fit.r, fit.alpha, fit.a, fit.b])
    # standard deviations of the logs over 40 logs of this size; 4.5 of them fail once in 40,000 fits
    spread = np.array([0.015, 0.020, 0.041, 0.057])
    assert (np.abs(found - np.log(TRUTH)) < 4.5 * spread).all()
    assert (fit.fitted_at, fit.n_people, fit.dropout) == (AT, 20_000, "varied")


def test_parameters_and_forecasts_are_those_of_lifetimes() -> None:
    fit = fit_bgnbd(draw_log(1500), AT)
    assert (fit.r, fit.alpha, fit.a, fit.b) == pytest.approx(LIFETIMES, abs=1e-3)
    assert fit.p_active(people(*HISTORIES)) == pytest.approx(LIFETIMES_P_ACTIVE, abs=1e-3)
    assert fit.expected_visits(people(*HISTORIES), 39 * 7) == pytest.approx(LIFETIMES_VISITS_39, rel=1e-3)


def test_the_fit_knows_its_log_likelihood_and_no_neighbour_is_likelier() -> None:
    log = draw_log(2000)
    fit, histories = fit_bgnbd(log, AT), Histories.of(log)
    best = np.array([fit.r, fit.alpha, fit.a, fit.b])
    assert log_likelihood(best, histories)[0] == pytest.approx(fit.log_likelihood)
    for i in range(4):
        for by in (0.99, 1.01):
            near = best.copy()
            near[i] *= by
            assert log_likelihood(near, histories)[0] < fit.log_likelihood


def test_who_never_came_again_is_active_for_the_model_has_no_earlier_exit() -> None:
    assert known(*TRUTH).p_active(people((0, 0, 500.0))).tolist() == [1.0]


def test_figures_stay_finite_for_people_with_a_thousand_visits() -> None:
    many = people((2000, 520.0, 520.0), (2000, 200.0, 520.0))
    model = known(0.5, 4.0, 0.8, 2.5)
    assert model.p_active(many)[0] > 0.99
    assert model.p_active(many)[1] < 1e-300
    assert model.expected_visits(many, 365)[0] == pytest.approx(52.1 * 2000 / 524, rel=0.05)
    assert 0.0 <= model.expected_visits(many, 365)[1] < 1e-300


def test_expected_visits_pass_smoothly_through_a_of_one() -> None:
    one = people((5, 20.0, 30.0))
    below, at, above = (known(0.6, 5.0, a, 3.0).expected_visits(one, 28)[0] for a in (0.999, 1.0, 1.001))
    assert at == pytest.approx((below + above) / 2, rel=1e-5)


def test_a_log_where_nobody_drops_out_says_so() -> None:
    fit = fit_bgnbd(draw_log(3000, b=0.0), AT)
    assert fit.dropout == "none"
    assert fit.p_active(people((5, 20.0, 22.0)))[0] > 0.999


def test_a_log_where_all_drop_out_alike_says_so() -> None:
    fit = fit_bgnbd(draw_log(6000, a=2e4, b=8e4, seed=1), AT)  # chance makes half of such logs look varied
    assert fit.dropout == "alike"
    assert fit.a / (fit.a + fit.b) == pytest.approx(0.2, abs=0.02)  # 6,000 people, sd of 0.004


def test_a_log_with_few_people_or_few_who_came_again_is_refused() -> None:
    with pytest.raises(TooFewVisitsError) as few:
        fit_bgnbd(draw_log(MIN_PEOPLE - 1), AT)
    assert (few.value.needed, few.value.found) == (MIN_PEOPLE, MIN_PEOPLE - 1)
    once = people(*[(0.0, 0.0, 10.0)] * 300, *[(1.0, 2.0, 10.0)] * (MIN_REPEATERS - 1))
    with pytest.raises(TooFewVisitsError, match="came again") as none:
        fit_bgnbd(once, AT)
    assert none.value.found == MIN_REPEATERS - 1


def test_a_log_without_a_maximum_gives_no_parameters() -> None:
    clockwork = people(*[(20.0, 20.0, 20.5)] * 400)  # everybody at one rate: gamma shrinks to a point
    with pytest.raises(NotConvergedError, match="bound"):
        fit_bgnbd(clockwork, AT)


def test_a_search_that_is_cut_short_gives_no_parameters() -> None:
    with pytest.raises(NotConvergedError, match="slope"):
        fit_bgnbd(draw_log(1500), AT, max_steps=3)
