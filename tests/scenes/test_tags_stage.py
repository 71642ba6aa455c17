"""Decision stages: the compiled filter equals a sum over all paths, and plain stories end in the stage they tell."""

from itertools import product

import numpy as np
import pytest

from scenes.tags.kernels.layout import PASS, PURCHASE, STORE_VISIT, VENUE_VISIT, Rows
from scenes.tags.kernels.stage import N_HIDDEN
from scenes.tags.learn import empty_rows, learn
from scenes.tags.names import NAMES, STAGES, Stage, TagName
from scenes.tags.places import plain_places
from scenes.tags.record import TagStates, admit, make_states
from scenes.tags.rules import TagRules
from scenes.tags.shares import MallShares
from scenes.tags.stage import StageModel, stages_of
from scenes.tags.tags import TagContext, settle

DAY = 20_000
PLACES = plain_places(6, np.array([600.0]), np.array([0]), 1)
TABLES = StageModel().tables()
RULES = TagRules()
OF_HIDDEN = (0, 1, 1, 2, 2, 3, 4, 4)
Seen = tuple[int, int, int, int]
"""Day, kind, store, stay."""


def learnt(things: list[Seen]) -> TagStates:
    rows: Rows = empty_rows(len(things))
    for row, (day, kind, store, stay_s) in zip(rows, things, strict=True):
        row["day"], row["kind"], row["store"], row["left_s"], row["category"] = DAY + day, kind, store, stay_s, 0
    states = make_states(1)
    admit(states, np.array([0]))
    learn(states, rows, PLACES, RULES)
    return states


def belief(things: list[Seen], day: int) -> dict[Stage, float]:
    found = stages_of(learnt(things), np.array([0]), np.array([0]), DAY + day, TABLES)[0]
    return dict(zip(STAGES, found.tolist(), strict=True))


def likeliest(things: list[Seen], day: int) -> Stage:
    found = belief(things, day)
    return max(found, key=lambda stage: found[stage])


def test_the_filter_equals_the_sum_over_all_paths() -> None:
    """Three days in the mall, 8 states each, one day later: 4,096 paths, each weighed on its own."""
    things = [
        (0, PASS, 0, 9),
        (0, PASS, 1, 9),
        (2, VENUE_VISIT, -1, 9),
        (5, STORE_VISIT, 1, 2_000),
        (5, PURCHASE, 1, 9),
    ]
    shown = [(2, 0, 0, 0, 0), (0, 0, 0, 0, 0), (0, 0, 1, 0, 1)]
    expected = np.zeros(5)
    for path in product(range(N_HIDDEN), repeat=4):
        weight = TABLES.prior[path[0]]
        for k, counts in enumerate(shown):
            for kind, count in enumerate(counts):
                weight *= TABLES.chance[kind, count, OF_HIDDEN[path[k]]]
            weight *= TABLES.later[(2, 3, 1)[k], path[k], path[k + 1]]
        expected[OF_HIDDEN[path[3]]] += weight
    assert list(belief(things, 6).values()) == pytest.approx((expected / expected.sum()).tolist(), rel=1e-9)


def test_the_chain_loses_nobody_and_its_days_are_those_stated() -> None:
    daily = StageModel().daily()
    assert daily.sum(axis=1) == pytest.approx(np.ones(N_HIDDEN))
    assert (daily >= 0).all()
    assert TABLES.later[7] == pytest.approx(np.linalg.matrix_power(daily, 7))
    assert 1 / (1 - daily[1, 1]) + 1 / (1 - daily[2, 2]) == pytest.approx(StageModel().mean_days[0])


def test_stories_end_in_their_stage() -> None:
    passes = [(day, kind, store, 9) for day in (0, 6, 12) for kind, store in ((VENUE_VISIT, -1), (PASS, 0), (PASS, 1))]
    passes = [(day, kind, store, 9 if kind == PASS else 3_600) for day, kind, store, _ in passes]
    assert likeliest(passes, 12) is Stage.CONTEMPLATING
    compares = [*passes, (18, VENUE_VISIT, -1, 9), (18, STORE_VISIT, 0, 1_500), (18, STORE_VISIT, 2, 1_400)]
    assert likeliest(compares, 18) is Stage.PREPARING
    buys = [*compares, (24, VENUE_VISIT, -1, 9), (24, STORE_VISIT, 2, 1_500), (24, PURCHASE, 2, 9)]
    assert likeliest(buys, 24) is Stage.BUYING
    assert likeliest(buys, 34) is Stage.AFTER
    assert likeliest(buys, 24 + 180) is Stage.NONE
    assert likeliest([(0, VENUE_VISIT, -1, 9), (0, STORE_VISIT, 0, 300)], 0) is Stage.NONE


def test_nothing_known_is_certainly_none_and_the_future_is_not_looked_at() -> None:
    assert belief([], 3) == {stage: float(stage is Stage.NONE) for stage in STAGES}
    things = [(0, PASS, 0, 9), (0, PASS, 1, 9)]
    assert belief([*things, (9, PURCHASE, 0, 9)], 4) == belief(things, 4)


def test_a_stage_is_told_once_followed_by_the_next_and_ends() -> None:
    context = TagContext(
        PLACES,
        MallShares(np.ones(1), np.ones(1), np.full(7, 1 / 7), np.full(5, 0.2), np.ones(1)),
        RULES,
        TABLES,
    )
    states = learnt(
        [(0, VENUE_VISIT, -1, 9), (0, STORE_VISIT, 2, 1_500), (0, STORE_VISIT, 1, 1_500), (0, PURCHASE, 2, 9)]
    )

    def changes(day: float) -> list[tuple[str, bool]]:
        rows = settle(states, np.array([0]), DAY + day, context)
        rows = rows[rows["name"] == NAMES.index(TagName.STAGE)]
        return [(STAGES[row["subject"] & 7].value, bool(row["holds"])) for row in rows]

    assert changes(0) == [("buying", True)]
    assert changes(0) == []
    assert sorted(changes(10)) == [("after", True), ("buying", False)]
    assert changes(300) == [("after", False)]


def test_categories_that_are_decided_on_the_spot_have_no_stage() -> None:
    places = plain_places(6, np.array([600.0]), np.array([0]), 1)
    places.has_stage[:] = 0
    states = make_states(1)
    admit(states, np.array([0]))
    rows = empty_rows(2)
    rows["day"], rows["kind"], rows["category"], rows["left_s"] = DAY, (PASS, PURCHASE), 0, 60
    assert learn(states, rows, places, RULES) == 0


@pytest.mark.parametrize(
    "wrong", [{"passes": (1.0,) * 4}, {"buys": (0.0,) * 5}, {"give_up": (1.0, 0.2)}, {"start_days": 0.5}]
)
def test_a_model_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        StageModel(**wrong)  # type: ignore[arg-type]  # on purpose
