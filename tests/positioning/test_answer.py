"""Serving and training agree: the one compiled call answers as its stages do one after another."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray

from fingerprints.scan import LabelledScan, Scan
from kernel.ids import VenueId
from positioning.buildings import hear_buildings
from positioning.compiled import compile_full, compile_light, count_stores_of
from positioning.confidence import describe_inside, front_probabilities, logistic, predict_error_m
from positioning.confirmed import confirm_labelled
from positioning.full import weigh_evidence
from positioning.healing import heal
from positioning.inside import inside_odds
from positioning.kernels.answer import AnswerArrays
from positioning.kernels.confidence import list_candidates, size_sets, sort_stores
from positioning.locate import Settled, find_fronts, judge, settle
from positioning.match import match_weighed
from positioning.model import VenueModel
from positioning.pairs import make_pairs
from positioning.radio_map import F64, I32, ReadingBatch, encode, encode_connected
from positioning.ranker import Ranker
from positioning.representation import weigh
from positioning.train import train_venue
from sim.world import World

SPREAD = {
    "set_threshold": 0.02,
    "walkway_set_threshold": 0.3,
    "rank_set_threshold": 0.03,
    "rank_walkway_set_threshold": 0.25,
}
"""Thresholds so far apart that one taken for another shows."""


@pytest.fixture(scope="module")
def model(small_world: World, ranker: Ranker) -> VenueModel:
    """A healed one, so that epochs count."""
    venue = small_world.mall.venue
    trained = train_venue(small_world.survey(scans_per_store=8), venue, venue_id=VenueId(venue.id), ranker=ranker).model
    labels = confirm_labelled(small_world.survey(scans_per_store=6, on=date(2026, 6, 1)))[0]
    healed = heal(trained, labels, [], ranker=ranker).model
    assert (healed.radio_map.born > 0).any()
    return replace(healed, calibration=replace(healed.calibration, **SPREAD))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def asked(small_world: World) -> list[Scan]:
    """Of a later day; every second phone is associated with what it hears last."""
    scans = [item.scan for item in small_world.survey(scans_per_store=4, on=date(2026, 6, 20))[::3]]
    assert len(scans) > 40  # more than the compiled call takes at a time
    return [connect(scan) if i % 2 else scan for i, scan in enumerate(scans)]


def connect(scan: Scan) -> Scan:
    *others, last = scan.readings
    return replace(scan, readings=(*others, replace(last, is_connected=True)))


def check(found: AnswerArrays, settled: Settled, accuracy_m: F64, level_probability: F64) -> None:
    np.testing.assert_array_equal(found.level, settled.level)
    np.testing.assert_array_equal(found.xy_m, settled.xy_m)
    np.testing.assert_allclose(found.accuracy_m, accuracy_m, rtol=1e-12)
    np.testing.assert_allclose(found.level_probability, level_probability, rtol=1e-12)


def check_stores(
    found: AnswerArrays, store: I32, probability: F64, n_in_set: I32, in_store: NDArray[np.float64]
) -> None:
    listed = probability.copy()
    n_listed = np.empty(len(store), dtype=np.int32)
    list_candidates(listed, n_in_set, n_listed)
    np.testing.assert_array_equal(found.store, store)
    np.testing.assert_allclose(found.probability, listed, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(found.n_in_set, n_in_set)
    np.testing.assert_array_equal(found.n_listed, n_listed)
    np.testing.assert_allclose(found.in_store, in_store, rtol=1e-9)


def settle_by_stages(model: VenueModel, batch: ReadingBatch) -> tuple[Settled, F64]:
    asked = weigh(model.index.weighing, batch)
    index, distance = match_weighed(
        model.radio_map, model.index, asked, n_short=model.settings.n_short, cover=model.settings.cover
    )
    settled = settle(
        model.radio_map,
        model.settings,
        batch,
        index,
        np.ascontiguousarray(distance[:, :, model.voting]),
        building=model.buildings.of_level,
        evidence=hear_buildings(model.buildings, batch),
    )
    return settled, predict_error_m(settled.features(), model.calibration.error) * model.calibration.error_scale


def test_the_light_locators_call_is_its_stages(model: VenueModel, asked: list[Scan]) -> None:
    assert model.fronts is not None
    batch = encode(asked, model.radio_map.index)
    settled, accuracy_m = settle_by_stages(model, batch)
    odds = inside_odds(model.inside, weigh(model.index.weighing, batch), settled.index)
    fronts = find_fronts(model.fronts, model.front_level, model.m_front, model.m_inside, settled, accuracy_m, odds)
    judged = judge(settled, fronts, model.calibration, accuracy_m)
    found = compile_light(model).answer_batch(batch)
    check(found, settled, accuracy_m, judged.level_probability)
    check_stores(found, judged.store, judged.probability, judged.n_in_set, judged.in_store)
    assert len({*judged.n_in_set.tolist()}) > 1


def test_the_full_locators_call_is_its_stages(model: VenueModel, asked: list[Scan], ranker: Ranker) -> None:
    assert model.fronts is not None
    calibration, fronts = model.calibration, model.fronts
    batch, connected = encode(asked, model.radio_map.index), encode_connected(asked, model.radio_map.index)
    assert (connected >= 0).any()
    pairs = make_pairs(
        model.radio_map,
        model.settings,
        count_stores_of(model),
        batch,
        building=model.buildings.of_level,
        evidence=hear_buildings(model.buildings, batch),
        fronts=fronts,
        front_level=model.front_level,
        connected=connected,
    )
    settled = pairs.settled
    accuracy_m = predict_error_m(settled.features(), calibration.error) * calibration.error_scale
    odds = inside_odds(model.inside, pairs.asked, settled.index)
    around = find_fronts(fronts, model.front_level, model.m_front, model.m_inside, settled, accuracy_m, odds)
    inside = describe_inside(around.nearest_m, around.inside_share, around.inside_odds, accuracy_m)
    in_store = logistic(inside, calibration.inside)
    score = ranker.score(pairs.feature, pairs.n_described)
    evidence = weigh_evidence(pairs, score, accuracy_m, model.m_front, model.m_inside)
    store = pairs.store.copy()
    probability = front_probabilities(evidence, store >= 0, calibration.rank)
    sort_stores(store, probability)
    n_in_set = np.empty(len(store), dtype=np.int32)
    size_sets(
        store,
        probability,
        in_store,
        calibration.inside_threshold,
        calibration.rank_set_threshold,
        calibration.rank_walkway_set_threshold,
        n_in_set,
    )
    found = compile_full(model, ranker).answer_batch(batch, connected)
    check(found, settled, accuracy_m, logistic(settled.features(), calibration.level))
    check_stores(found, store, probability, n_in_set, in_store)


def test_the_call_looks_at_buildings_as_the_stages_do(small_world: World, asked: list[Scan]) -> None:
    """A survey without a map, whose western half is another building."""
    survey = small_world.survey(scans_per_store=8)
    middle_deg = float(np.median([item.truth.lon_deg for item in survey]))

    def housed(item: LabelledScan) -> LabelledScan:
        building = "west" if item.truth.lon_deg < middle_deg else "east"
        return replace(item, truth=replace(item.truth, building=building))

    model = train_venue([housed(item) for item in survey], None, venue_id=VenueId("two")).model
    batch = encode(asked, model.radio_map.index)
    settled, accuracy_m = settle_by_stages(model, batch)
    judged = judge(settled, None, model.calibration, accuracy_m)
    check(compile_light(model).answer_batch(batch), settled, accuracy_m, judged.level_probability)
    silent = np.zeros_like(hear_buildings(model.buildings, batch))
    deaf = settle(
        model.radio_map,
        model.settings,
        batch,
        settled.index,
        settled.distance,
        building=model.buildings.of_level,
        evidence=silent,
    )
    assert (deaf.level != settled.level).any(), "the buildings' evidence decides some scan, or this test sees nothing"
