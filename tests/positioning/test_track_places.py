"""The filters' arithmetic: by hand, against another derivation, and on walks whose steps are wrong in a known way."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from positioning.kernels.track_places import advance_places, begin_place, fill_transition, predict_place, take_answer
from positioning.kernels.track_stores import advance_inside, advance_stores, weigh_fronts
from positioning.track.settings import (
    ANYWHERE_RATIO,
    DWELL_S,
    INSIDE_S,
    INSIDE_TEMPER,
    LEAST_PROBABILITY,
    OUTSIDE_S,
    STORE_TEMPER,
    WITH_STEPS,
    WITHOUT_STEPS,
    Motion,
)

F64 = NDArray[np.float64]


def blank() -> tuple[F64, F64]:
    return np.zeros(6), np.zeros((6, 6))


def test_a_first_answer_is_taken_whole_and_its_error_stays_possible() -> None:
    mean, covariance = blank()
    begin_place(WITHOUT_STEPS, False, False, mean, covariance)
    take_answer(WITHOUT_STEPS, 40.0, -7.0, 5.0, mean, covariance)
    sd_m2 = (5.0 * WITHOUT_STEPS.sd_ratio) ** 2
    assert mean[:2] == pytest.approx([40.0, -7.0], abs=0.15)  # 100 m of ignorance against 4 m of error
    assert covariance[0, 0] == pytest.approx(sd_m2 * 1e4 / (1e4 + sd_m2), rel=1e-6)


def test_one_step_of_the_filter_by_hand() -> None:
    """On a line, with all that is shared or heavy-tailed switched off: a prior of 4 m2, 1 m2 of wander, an answer of
    5 m2 at 10 m. Gain 5 / (5 + 5) = 1/2: mean 5 m, variance 2.5 m2."""
    motion = WITHOUT_STEPS._replace(
        shared_ratio=0.0, sd_ratio=1.0, heavy_tail=1e12, wander_m2ps=0.5, speed_mps=0.0, error_s=1.0
    )
    mean, covariance = blank()
    covariance[0, 0] = covariance[1, 1] = 4.0
    transition, noise = np.empty((6, 6)), np.empty((6, 6))
    fill_transition(motion, False, 2.0, 0.0, 0.0, 0.0, transition, noise)
    predict_place(transition, noise, mean, covariance)
    assert covariance[0, 0] == pytest.approx(5.0)
    take_answer(motion, 10.0, 0.0, math.sqrt(5.0), mean, covariance)
    assert mean[:2] == pytest.approx([5.0, 0.0])
    assert covariance[0, 0] == pytest.approx(2.5)


def test_an_outlier_counts_by_the_weight_of_students_t() -> None:
    motion = WITHOUT_STEPS._replace(shared_ratio=0.0, sd_ratio=1.0, heavy_tail=4.0, outlier_ratio=1.0)
    mean, covariance = blank()
    covariance[0, 0] = covariance[1, 1] = 4.0
    take_answer(motion, 24.0, 0.0, 2.0, mean, covariance)
    weight = (4.0 + 2.0) / (4.0 + 24.0**2 / 8.0)  # expected variance of the difference: 4 + 4 m2
    assert mean[0] == pytest.approx(24.0 * 4.0 / (4.0 + 4.0 + (1.0 / weight - 1.0) * 4.0))


def test_the_shared_error_and_the_speed_keep_their_size_and_fade_by_their_time_constants() -> None:
    mean, covariance = blank()
    begin_place(WITHOUT_STEPS, False, False, mean, covariance)
    mean[2], mean[4] = 1.0, 1.0
    transition, noise = np.empty((6, 6)), np.empty((6, 6))
    fill_transition(WITHOUT_STEPS, False, 3.0, 0.0, 0.0, 0.0, transition, noise)
    predict_place(transition, noise, mean, covariance)
    assert covariance[4, 4] == pytest.approx(1.0)
    assert covariance[3, 3] == pytest.approx(WITHOUT_STEPS.speed_mps**2)
    assert mean[4] == pytest.approx(math.exp(-3.0 / WITHOUT_STEPS.error_s))
    assert mean[2] == pytest.approx(math.exp(-3.0 / WITHOUT_STEPS.speed_s))
    assert mean[0] == pytest.approx(WITHOUT_STEPS.speed_s * (1 - mean[2]))


@pytest.mark.parametrize("heading_deg", [0.0, 90.0, 200.0])
def test_a_step_goes_where_its_heading_points_and_its_bias_turns_it(heading_deg: float) -> None:
    heading, bias = math.radians(heading_deg), math.radians(20.0)
    mean, covariance = blank()
    mean[2], mean[3] = 0.7 * math.cos(bias), 0.7 * math.sin(bias)
    transition, noise = np.empty((6, 6)), np.empty((6, 6))
    fill_transition(WITH_STEPS, True, 0.0, math.sin(heading), math.cos(heading), 1.0, transition, noise)
    predict_place(transition, noise, mean, covariance)
    assert mean[:2] == pytest.approx([0.7 * math.sin(heading + bias), 0.7 * math.cos(heading + bias)])
    along = np.array([math.sin(heading), math.cos(heading)])
    assert along @ covariance[:2, :2] @ along == pytest.approx(WITH_STEPS.along_m2)


@pytest.mark.parametrize(("motion", "has_steps"), [(WITH_STEPS, True), (WITHOUT_STEPS, False)])
def test_the_filter_equals_the_joint_normal_of_all_answers(motion: Motion, has_steps: bool) -> None:
    """Another derivation: all states and answers at once as one normal distribution, conditioned on the answers."""
    motion = motion._replace(heavy_tail=1e12)
    rng = np.random.default_rng(5)
    n = 5
    answers, accuracy_m = rng.normal(0, 6, (n, 2)), rng.uniform(3, 8, n)
    waits, walked = rng.uniform(1, 4, n), rng.normal(0, 2, (n, 2))
    mean, covariance = blank()
    begin_place(motion, has_steps, False, mean, covariance)
    states, priors = [mean.copy()], [covariance.copy()]
    state_covariance = covariance.copy()
    linked = [np.eye(6)]
    joint = state_covariance.copy()
    for i in range(n):
        if i:
            transition, noise = np.empty((6, 6)), np.empty((6, 6))
            fill_transition(motion, has_steps, waits[i], walked[i, 0], walked[i, 1], 3.0, transition, noise)
            predict_place(transition, noise, mean, covariance)
            states.append(transition @ states[-1])
            priors.append(transition @ priors[-1] @ transition.T + noise)
            linked.append(transition)
        take_answer(motion, answers[i, 0], answers[i, 1], accuracy_m[i], mean, covariance)
    joint = np.zeros((6 * n, 6 * n))
    for i in range(n):
        block = priors[i]
        for j in range(i, n):
            if j > i:
                block = linked[j] @ block
            joint[6 * j : 6 * j + 6, 6 * i : 6 * i + 6] = block
            joint[6 * i : 6 * i + 6, 6 * j : 6 * j + 6] = block.T
    sees, own = np.zeros((2 * n, 6 * n)), np.zeros(2 * n)
    for i in range(n):
        sd_m = accuracy_m[i] * motion.sd_ratio
        for axis in (0, 1):
            sees[2 * i + axis, 6 * i + axis] = 1.0
            sees[2 * i + axis, 6 * i + 4 + axis] = math.sqrt(motion.shared_ratio) * sd_m
        own[2 * i : 2 * i + 2] = (1.0 - motion.shared_ratio) * sd_m**2
    gain = joint @ sees.T @ np.linalg.inv(sees @ joint @ sees.T + np.diag(own))
    expected = np.concatenate(states) + gain @ (answers.ravel() - sees @ np.concatenate(states))
    left = joint - gain @ sees @ joint
    assert mean == pytest.approx(expected[-6:], abs=1e-6)
    assert covariance == pytest.approx(left[-6:, -6:], abs=1e-5)


@pytest.mark.parametrize("bias_deg", [-18.0, 12.0])
def test_heading_bias_is_found_on_the_way(bias_deg: float) -> None:
    rng = np.random.default_rng(11)
    bias = math.radians(bias_deg)
    at_m = np.zeros(2)
    mean, covariance = blank()
    for i in range(120):
        heading = (i // 15) * math.pi / 2  # round a block
        n_steps = 4
        told = heading + rng.normal(0, 0.1, n_steps)
        true = told + bias
        at_m = at_m + WITH_STEPS.length_m * np.array([np.sin(true).sum(), np.cos(true).sum()])
        answer = at_m + rng.normal(0, 3.0, 2)
        advance_places(
            WITH_STEPS, WITHOUT_STEPS, np.array([i == 0]), np.array([False]), np.array([True]), np.array([True]),
            np.array([2.2]), np.array([[np.sin(told).sum(), np.cos(told).sum()]]), np.array([float(n_steps)]),
            answer[None], np.array([4.5]), mean[None], covariance[None],
        )  # fmt: skip
    found_deg = math.degrees(math.atan2(mean[3], mean[2]))
    assert abs(found_deg - bias_deg) < 4  # its own standard deviation is 1.6 degrees here
    assert np.linalg.norm(mean[:2] - at_m) < 4


def test_steps_carry_a_phone_whose_answers_fail() -> None:
    mean, covariance = blank()
    yes, no = np.array([True]), np.array([False])

    def scan(is_new: bool, xy_m: tuple[float, float], east: float, n: float) -> None:
        advance_places(
            WITH_STEPS, WITHOUT_STEPS, np.array([is_new]), no, yes, yes, np.array([2.0]), np.array([[east, 0.0]]),
            np.array([n]), np.array([xy_m]), np.array([4.0]), mean[None], covariance[None],
        )  # fmt: skip

    scan(True, (0.0, 0.0), 0.0, 0.0)
    before_m2 = covariance[0, 0]
    scan(False, (math.nan, math.nan), 10.0, 10.0)
    assert mean[0] == pytest.approx(10 * WITH_STEPS.length_m)
    assert covariance[0, 0] > before_m2


def test_being_inside_by_hand() -> None:
    assert advance_inside(False, 0.0, 0.0, 0.9) == pytest.approx(1 / (1 + math.exp(-INSIDE_TEMPER * math.log(9))))
    often = INSIDE_S / (INSIDE_S + OUTSIDE_S)
    assert advance_inside(True, 0.1, 1e6, 0.5) == pytest.approx(often)
    assert advance_inside(True, 0.1, 0.0, 0.5) == pytest.approx(0.1)


def stores_after(told: list[float], kept: dict[int, float] | None, wait_s: float) -> tuple[F64, dict[int, float]]:
    """The belief over four stores in a row, of which each leads to its neighbours alike."""
    near = np.array([[1, -1], [0, 2], [1, 3], [2, -1]], dtype=np.int32)
    share = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5], [1.0, 0.0]])
    store, probability = np.full(16, -1, dtype=np.int32), np.zeros(16)
    for k, (s, p) in enumerate((kept or {}).items()):
        store[k], probability[k] = s, p
    told_store = np.arange(4, dtype=np.int32)
    rest, out = np.array([1.0 - sum((kept or {0: 1.0}).values())]), np.empty(4)
    advance_stores(kept is not None, wait_s, near, share, told_store, np.array(told), store, probability, rest, out)
    return out, {int(s): float(p) for s, p in zip(store, probability, strict=True) if s >= 0}


def test_one_step_of_the_stores_by_hand() -> None:
    told = [0.6, 0.3, 0.1, 0.0]
    out, kept = stores_after(told, {0: 0.7, 1: 0.2, 2: 0.1, 3: 0.0}, 30.0)
    stay = math.exp(-30.0 / DWELL_S)
    near = np.array([[0, 1, 0, 0], [0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5], [0, 0, 1, 0]])
    belief = np.array([0.7, 0.2, 0.1, 0.0])
    expected = stay * belief + (1 - stay) * ((1 - ANYWHERE_RATIO) * belief @ near + ANYWHERE_RATIO / 4)
    expected *= (np.array(told) + LEAST_PROBABILITY) ** STORE_TEMPER
    expected /= expected.sum()
    assert out == pytest.approx(expected)
    assert kept == pytest.approx(dict(enumerate(expected)))


def test_dwelling_makes_a_store_surer_and_a_long_wait_forgets_it() -> None:
    told = [0.5, 0.4, 0.1, 0.0]
    first, kept = stores_after(told, None, 0.0)
    second, _ = stores_after(told, kept, 10.0)
    long_after, _ = stores_after([0.25] * 4, kept, 1e6)
    assert second[0] > first[0]
    assert long_after[0] == pytest.approx(0.25, abs=0.25)
    assert long_after[0] < first[0]


def test_fronts_prefer_the_nearer_and_what_the_scan_named() -> None:
    weights: Any = np.array([0.2, -1.3, 0.2, 0.4])
    front, told_store = np.array([2, 0, -1], dtype=np.int32), np.array([0, 2], dtype=np.int32)
    out = np.empty(4)
    weigh_fronts(front, np.array([1.0, 5.0, np.inf]), 4.0, weights, told_store, np.array([0.5, 0.5]), out)
    score = [0.2 + 0.4 * math.log(0.51), -1.3 + 0.2 + 0.4 * math.log(0.51)]
    odds = np.exp(score) / np.exp(score).sum()
    assert out == pytest.approx([odds[1], 0.0, odds[0], 0.0])
    swayed = np.empty(4)
    weigh_fronts(front, np.array([1.0, 5.0, np.inf]), 4.0, weights, told_store, np.array([0.9, 0.1]), swayed)
    assert swayed[0] > out[0]
