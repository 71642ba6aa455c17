"""What a survey lets one expect, on held-out answers made by hand and on a simulated mall with stores left out."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely

from fingerprints.scan import LabelledScan
from kernel.ids import LevelId, StoreId, UnitId, VenueId
from positioning.expected_error import learn_error_field
from positioning.forecast import confusion_shares, forecast, group_stores
from positioning.held_out import HeldOutAnswers
from positioning.radio_map import LevelKey
from positioning.survey_quality import SurveyQuality, WarningCode, judge_survey
from positioning.train import train_venue
from sim.world import World
from venues.frame import LocalFrame
from venues.model import Level, Store, Venue

F1 = LevelId("l1")
N_STORES = 4


def _store(number: int) -> Store:
    area = shapely.box(10 * number, 0, 10 * number + 10, 10)
    return Store(StoreId(f"st_{number}"), f"s{number}", "shopping", UnitId(str(number)), F1, area, area.centroid)


VENUE = Venue(
    VenueId("v"),
    "v",
    LocalFrame(30.0, 120.0),
    (Level(F1, "F1", "F1", 0, shapely.box(0, -10, 40, 10)),),
    (),
    tuple(_store(i) for i in range(N_STORES)),
    (),
)
LEVELS = (LevelKey(None, "F1", F1),)


def answers(rows: list[tuple[int, int, list[tuple[int, float]]]]) -> HeldOutAnswers:
    """Rows of (walk, true store, candidates with probability); all inside, 3 m off."""
    n = len(rows)
    store = np.full((n, 3), -1, dtype=np.int32)
    probability = np.zeros((n, 3))
    for i, (_, _, candidates) in enumerate(rows):
        for j, (number, share) in enumerate(candidates):
            store[i, j], probability[i, j] = number, share
    truth = np.array([true for _, true, _ in rows], dtype=np.int32)
    zero = np.zeros(n, dtype=np.int32)
    return HeldOutAnswers(
        scan=np.arange(n),
        walk=np.array([walk for walk, _, _ in rows], dtype=np.int32),
        level=zero,
        answered_level=zero,
        xy_m=np.zeros((n, 2)),
        answered_xy_m=np.full((n, 2), [3.0, 0.0]),
        accuracy_m=np.full(n, 3.0),
        front=truth,
        inside=truth,
        store=store,
        probability=probability,
        nearest_m=np.ones(n),
    )


SURE = [(2, 0.95), (3, 0.05)]
ROWS = [
    *[(walk, 0, [(0, 0.6), (1, 0.4)]) for walk in range(30)],
    *[(walk, 1, [(0, 0.6), (1, 0.4)]) for walk in range(30, 60)],
    *[(walk, 2, SURE) for walk in range(60, 90)],
]


def test_stores_that_take_each_others_probability_are_proposed_as_a_zone() -> None:
    found = forecast(answers(ROWS), LEVELS, VENUE, rng=np.random.default_rng(1))
    (zone,) = found.zones
    assert zone.store_ids == ("st_0", "st_1")
    assert (zone.n, zone.p_store, zone.p_zone) == (60, 0.5, 1.0)
    assert found.all.top1 == pytest.approx(60 / 90)
    assert found.all.top3 == 1.0
    assert found.all.error_m == pytest.approx(3.0)
    assert found.all.top1_interval is not None
    low, high = found.all.top1_interval
    assert low < 60 / 90 < high
    assert high - low == pytest.approx(4 * np.sqrt(2 / 9 / 90), rel=0.15)  # two standard errors of a share, both ways


def test_a_store_nobody_surveyed_is_unknown_and_counts_as_never_right() -> None:
    found = forecast(answers(ROWS), LEVELS, VENUE, rng=np.random.default_rng(1))
    unseen = found.stores[3]
    assert (unseen.n, unseen.top1, unseen.expected_top1) == (0, None, None)
    known = [store.expected_top1 or 0.0 for store in found.stores[:3]]
    assert found.top1_all_stores == pytest.approx(sum(known) / N_STORES)
    assert found.levels[0].top1_all_stores == found.top1_all_stores


def test_a_store_with_few_scans_is_drawn_to_its_level() -> None:
    rows = [*[(walk, 2, SURE) for walk in range(60)], (60, 0, [(1, 0.9), (0, 0.1)])]
    found = forecast(answers(rows), LEVELS, VENUE, rng=np.random.default_rng(1))
    few, many = found.stores[0], found.stores[2]
    assert few.top1 == 0.0
    assert few.expected_top1 is not None
    assert 0.5 < few.expected_top1 < 0.95
    assert many.expected_top1 == pytest.approx(1.0, abs=0.01)
    assert few.taken_for[0][0] == "st_1"


def test_groups_join_the_most_confused_first_stay_on_a_level_and_small() -> None:
    n = np.full(8, 10)
    confusion = np.eye(8) * 0.5
    confusion[np.arange(7), np.arange(1, 8)] = confusion[np.arange(1, 8), np.arange(7)] = 0.3
    confusion[6, 7] = confusion[7, 6] = 0.49
    groups = group_stores(confusion, n, np.array([0] * 8))
    assert [6, 7] in [group[-2:] for group in groups]
    assert all(2 <= len(group) <= 5 for group in groups)
    apart = group_stores(confusion, n, np.arange(8))
    assert apart == []
    n[7] = 0
    assert all(7 not in group for group in group_stores(confusion, n, np.array([0] * 8)))


def test_a_group_has_at_most_five_stores_however_confused() -> None:
    groups = group_stores(np.full((8, 8), 0.125), np.full(8, 10), np.zeros(8, dtype=np.int64))
    assert sorted(store for group in groups for store in group) == list(range(8))
    assert max(len(group) for group in groups) <= 5


def test_what_a_store_gives_to_all_of_a_group_counts() -> None:
    """Store 2 gives 0.3 to each of 0 and 1, which are taken for each other: 6 of 30 scans' probability, over 0.12."""
    confusion = np.array([[0.6, 0.4, 0.0], [0.4, 0.6, 0.0], [0.3, 0.3, 0.4]])
    assert group_stores(confusion, np.full(3, 10), np.zeros(3, dtype=np.int64)) == [[0, 1, 2]]
    confusion[2] = [0.15, 0.15, 0.7]
    assert group_stores(confusion, np.full(3, 10), np.zeros(3, dtype=np.int64)) == [[0, 1]]


def test_confusion_shares_of_a_store_sum_to_what_its_candidates_were_given() -> None:
    told = answers(ROWS)
    shares, n = confusion_shares(told, told.inside, N_STORES)
    assert n.tolist() == [30, 30, 30, 0]
    assert shares.sum(axis=1) == pytest.approx([1.0, 1.0, 1.0, 0.0])
    assert shares[0].tolist() == pytest.approx([0.6, 0.4, 0.0, 0.0])


@pytest.fixture(scope="module")
def holed(small_world: World) -> tuple[list[LabelledScan], SurveyQuality, Any]:
    """The survey of the small mall without its first three stores."""
    survey = [s for s in small_world.survey(scans_per_store=15) if s.walk not in
              {f"store-{i}-{phone}" for i in range(3) for phone in range(3)}]  # fmt: skip
    venue = small_world.mall.venue
    trained = train_venue(survey, venue, venue_id=VenueId("v"))
    return survey, judge_survey(survey, venue, trained, rng=np.random.default_rng(1)), trained


def test_stores_left_out_are_warned_of_and_are_where_to_go_first(
    small_world: World, holed: tuple[list[LabelledScan], SurveyQuality, Any]
) -> None:
    _, quality, _ = holed
    missed = {store.name for store in small_world.mall.venue.stores[:3]}
    assert WarningCode.STORES_NOT_SURVEYED in {warning.code for warning in quality.warnings}
    assert WarningCode.ONE_WALK_A_STORE not in {warning.code for warning in quality.warnings}
    assert {step.place for step in quality.next_steps[:3]} == missed
    assert quality.forecast is not None
    assert quality.forecast.judged == "inside"
    assert {s.store_name for s in quality.forecast.stores if s.expected_top1 is None} == missed


def test_the_error_expected_in_a_hole_is_larger_than_where_walks_were(
    small_world: World, holed: tuple[list[LabelledScan], SurveyQuality, Any]
) -> None:
    _, _, trained = holed
    field = learn_error_field(trained.model.radio_map, trained.held_out, trained.held_out.inside)
    assert np.all(np.diff(field.band_m) >= 0.0)
    stores = small_world.mall.venue.stores
    middle_m = np.array([(s.display_point.x, s.display_point.y) for s in stores])
    expected_m = field.at(middle_m, 0)
    assert expected_m[:3].mean() > 1.3 * expected_m[3:].mean()
    assert np.isnan(field.at(middle_m, 99)).all()


def test_one_walk_a_store_is_warned_of(small_world: World) -> None:
    survey = small_world.survey(phones=1, scans_per_store=9)
    venue = small_world.mall.venue
    trained = train_venue(survey, venue, venue_id=VenueId("v"))
    codes = {w.code for w in judge_survey(survey, venue, trained, rng=np.random.default_rng(1)).warnings}
    assert {WarningCode.ONE_WALK_A_STORE, WarningCode.ONE_PHONE} <= codes


def test_a_survey_that_trains_nothing_is_judged_by_its_coverage_alone(small_world: World) -> None:
    quality = judge_survey([], small_world.mall.venue, None, rng=np.random.default_rng(1))
    assert quality.forecast is None
    codes = {warning.code for warning in quality.warnings}
    assert {WarningCode.TOO_SMALL, WarningCode.LEVEL_NOT_SURVEYED, WarningCode.STORES_NOT_SURVEYED} <= codes


def test_a_survey_of_which_nothing_is_held_out_foresees_nothing(small_world: World) -> None:
    corridor = [item for item in small_world.survey(scans_per_store=2) if item.truth.store_id is None][:40]
    spot = [replace(item, walk="one", truth=corridor[0].truth) for item in corridor]
    venue = small_world.mall.venue
    trained = train_venue(spot, venue, venue_id=VenueId("v"))
    assert not trained.is_held_out
    quality = judge_survey(spot, venue, trained, rng=np.random.default_rng(1))
    assert quality.forecast is None
    assert WarningCode.NOTHING_HELD_OUT in {warning.code for warning in quality.warnings}


def test_levels_of_one_name_in_two_buildings_keep_their_own_stores() -> None:
    """Two buildings with a level F1 each: store 0 in one is always right, store 1 in the other always wrong."""
    other = LevelId("l2")
    stores = (_store(0), replace(_store(1), level_id=other))
    levels = (VENUE.levels[0], replace(VENUE.levels[0], id=other))
    venue = replace(VENUE, levels=levels, stores=stores)
    told = answers([(walk, store, [(0, 1.0)]) for walk in range(10) for store in (0, 1)])
    level = np.tile(np.array([0, 1], dtype=np.int32), 10)
    told = replace(told, level=level, answered_level=level)
    keys = (LevelKey("east", "F1", F1), LevelKey("west", "F1", other))
    found = forecast(told, keys, venue, rng=np.random.default_rng(1))
    assert found.levels[0].top1_all_stores == 1.0
    assert found.levels[1].top1_all_stores == 0.0
    assert [store.level_id for store in found.stores] == [F1, other]
