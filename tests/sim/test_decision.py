"""Hidden decisions: the same seed the same people, stages in their order, evidence that goes with them."""

import numpy as np
import pytest

from sim.decision import (
    AFTER,
    BOUGHT,
    BUYING,
    CONTEMPLATING,
    NONE,
    PASSED,
    PREPARING,
    VISITED,
    Decisions,
    DecisionWorld,
    draw_decisions,
    draw_world,
)


def drawn(seed: int, n_people: int = 40) -> tuple[DecisionWorld, Decisions]:
    rng = np.random.default_rng(seed)
    world = draw_world(rng)
    return world, draw_decisions(world, n_people, 365, rng)


def test_the_same_seed_makes_the_same_people() -> None:
    assert np.array_equal(drawn(4)[1].seen, drawn(4)[1].seen)
    assert not np.array_equal(drawn(4)[1].truth[:50], drawn(5)[1].truth[:50])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nobody_buys_before_wanting_and_after_follows_buying(seed: int) -> None:
    """Stages between two days in the mall can be skipped; buying lasts until a purchase there."""
    truth = drawn(seed)[1].truth
    same = truth["person"][1:] == truth["person"][:-1]
    steps = {(int(a), int(b)) for a, b in zip(truth["stage"][:-1][same], truth["stage"][1:][same], strict=True)}
    assert (PREPARING, CONTEMPLATING) not in steps
    assert not {(NONE, AFTER), (CONTEMPLATING, AFTER), (PREPARING, AFTER)} & steps  # a purchase is on a day in the mall
    assert {(NONE, CONTEMPLATING), (PREPARING, BUYING), (BUYING, AFTER), (AFTER, NONE)} <= steps
    assert {int(stage) for stage in np.unique(truth["stage"])} == {NONE, CONTEMPLATING, PREPARING, BUYING, AFTER}


def test_evidence_goes_with_the_stage() -> None:
    """Pooled over worlds: passes when contemplating, long visits when preparing, purchases when buying."""
    rates = np.zeros((5, 3))
    days = np.zeros(5)
    for seed in range(6):
        seen, truth = drawn(seed)[1].seen, drawn(seed)[1].truth
        stage_on = {(int(p), int(d)): int(s) for p, d, s in truth.tolist()}
        days += np.bincount(truth["stage"], minlength=5)
        for person, day, kind, _, _ in seen.tolist():
            rates[stage_on[person, day], kind] += 1
    rates /= days[:, None]
    assert rates[:, PASSED].argmax() == CONTEMPLATING
    assert rates[:, VISITED].argmax() == PREPARING
    assert rates[:, BOUGHT].argmax() == BUYING
    assert rates[BUYING, BOUGHT] > 10 * rates[NONE, BOUGHT]
