"""The full locator: candidates, pair features, its contract, and what it gains where the truth is known."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from fingerprints.scan import LabelledScan, Reading, Scan
from kernel.ids import TransmitterId
from positioning.buildings import hear_buildings
from positioning.compiled import count_stores_of
from positioning.errors import RankerError
from positioning.evaluate import evaluate, read_truth
from positioning.full import FullLocator
from positioning.kernels.pairs import N_PAIR_FEATURES
from positioning.light import LightLocator
from positioning.model import VenueModel
from positioning.pairs import PAIR_FEATURES, Pairs, make_pairs
from positioning.position import NoPositionReason
from positioning.radio_map import ReadingBatch, encode, encode_connected
from positioning.ranker import Ranker
from positioning.store_map import StoreMap, build_store_map
from positioning.train import train_venue
from sim.export import shopper_scans
from sim.world import World
from tests.living_server import SCANS_PER_STORE


@pytest.fixture(scope="module")
def survey(small_world: World) -> list[LabelledScan]:
    return small_world.survey(scans_per_store=SCANS_PER_STORE)


@pytest.fixture(scope="module")
def model(small_world: World, survey: list[LabelledScan], ranker: Ranker) -> VenueModel:
    mall = small_world.mall.venue
    return train_venue(survey, mall, venue_id=mall.id, ranker=ranker).model


@pytest.fixture(scope="module")
def later(small_world: World) -> list[LabelledScan]:
    """Scans of other phones, weeks after the survey."""
    return list(shopper_scans(small_world, n_shoppers=25, on=date(2026, 4, 18)))


def _pairs(
    model: VenueModel,
    batch: ReadingBatch,
    connected: np.ndarray | None = None,
    stores: StoreMap | None = None,
) -> Pairs:
    return make_pairs(
        model.radio_map,
        model.settings,
        count_stores_of(model) if stores is None else stores,
        batch,
        building=model.buildings.of_level,
        evidence=hear_buildings(model.buildings, batch),
        fronts=model.fronts,
        front_level=model.front_level,
        connected=connected,
    )


def _feature(pairs: Pairs, name: str) -> np.ndarray:
    return pairs.feature[:, :, PAIR_FEATURES.index(name)]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_each_answer_depends_on_its_scan_alone_to_the_last_digit(
    model: VenueModel, later: list[LabelledScan], ranker: Ranker, size: int
) -> None:
    scans = [held.scan for held in later[:320]]
    locator = FullLocator((model,), ranker)
    whole = locator.locate(scans)
    assert {answer.position.locator for answer in whole if answer.position is not None} == {"full"}
    assert sum(answer.position is not None for answer in whole) > 300
    in_parts = [answer for at in range(0, len(scans), size) for answer in locator.locate(scans[at : at + size])]
    assert in_parts == whole
    assert locator.locate(scans[::-1])[::-1] == whole


def test_candidates_are_a_distribution_and_the_set_begins_with_the_first(
    model: VenueModel, later: list[LabelledScan], ranker: Ranker
) -> None:
    for answer in FullLocator((model,), ranker).locate([held.scan for held in later[:200]]):
        if answer.position is None:
            continue
        listed = answer.position.candidates
        shares = [candidate.probability for candidate in listed]
        assert sum(shares) == pytest.approx(1.0)
        assert shares == sorted(shares, reverse=True)
        assert len({candidate.store_id for candidate in listed}) == len(listed)
        assert answer.position.store_set[0] == listed[0].store_id


def test_there_is_a_reason_where_there_is_no_answer(
    model: VenueModel, later: list[LabelledScan], ranker: Ranker
) -> None:
    scan = later[0].scan
    strangers = tuple(Reading(TransmitterId(f"x-{i}"), -50.0) for i in range(9))
    asked = [replace(scan, readings=()), replace(scan, readings=strangers), scan]
    found = FullLocator((model,), ranker).locate(asked)
    assert [answer.reason for answer in found] == [NoPositionReason.NO_READINGS, NoPositionReason.UNKNOWN_RADIO, None]


def test_each_feature_has_a_name_and_a_finite_value(
    model: VenueModel, later: list[LabelledScan], ranker: Ranker
) -> None:
    assert len(PAIR_FEATURES) == len(set(PAIR_FEATURES)) == N_PAIR_FEATURES
    scans = [held.scan for held in later[:100]]
    scans += [Scan(at=scans[0].at, readings=()), replace(scans[1], readings=scans[1].readings[:1])]
    pairs = _pairs(model, encode(scans, model.radio_map.index))
    assert np.isfinite(pairs.feature).all()
    assert (pairs.feature[:100, :3].std(axis=(0, 1)) > 0).sum() > N_PAIR_FEATURES - 12
    described = np.arange(pairs.feature.shape[1]) < pairs.n_described[:, None]
    assert (pairs.n_described[:100] >= 4).all()
    assert (pairs.feature[~described] == 0).all()
    assert (pairs.store[:, : described.shape[1]][described] >= 0).all()
    worth = pairs.score >= 0.01 * pairs.score[:, :1]
    np.testing.assert_array_equal(pairs.n_described[:100], np.clip(worth[:100].sum(axis=1), 4, 12))


def test_the_true_store_is_among_the_candidates(model: VenueModel, later: list[LabelledScan], ranker: Ranker) -> None:
    truth = read_truth(model, later).front
    pairs = _pairs(model, encode([held.scan for held in later], model.radio_map.index))
    heard = pairs.settled.level >= 0
    assert (pairs.store == truth[:, None]).any(axis=1)[heard & (truth >= 0)].mean() > 0.99


def test_what_compares_readings_with_each_other_does_not_see_a_phones_offset(
    model: VenueModel, later: list[LabelledScan], ranker: Ranker
) -> None:
    batch = encode([held.scan for held in later[:120]], model.radio_map.index)
    before = _pairs(model, batch)
    after = _pairs(model, replace(batch, rssi_dbm=batch.rssi_dbm + np.float32(4.0)))
    same = (before.store[:, 0] == after.store[:, 0]) & (before.store[:, 0] >= 0)
    assert same.mean() > 0.8
    np.testing.assert_array_equal(_feature(before, "order")[same, 0], _feature(after, "order")[same, 0])
    told = (_feature(after, "offset_db") - _feature(before, "offset_db"))[same, 0]
    assert 3.0 < np.median(told) < 4.1


def test_the_associated_transmitter_speaks_for_its_store(
    model: VenueModel, later: list[LabelledScan], ranker: Ranker
) -> None:
    scans = [held.scan for held in later[:40]]
    joined = [replace(s, readings=(replace(s.readings[0], is_connected=True), *s.readings[1:])) for s in scans]
    index = model.radio_map.index
    connected = encode_connected(joined, index)
    assert (encode_connected(scans, index) == -1).all()
    assert [t for t in connected.tolist() if t >= 0] == [
        index[s.readings[0].transmitter] for s in scans if s.readings[0].transmitter in index
    ]
    pairs = _pairs(model, encode(joined, index), connected)
    knows = connected >= 0
    assert (_feature(pairs, "connected_rate")[knows, 0] >= 0).all()
    is_described = np.arange(pairs.feature.shape[1]) < pairs.n_described[:, None]
    assert (_feature(pairs, "connected_rate")[~knows][is_described[~knows]] == -1).all()


def test_a_store_that_the_survey_did_not_reach_is_on_no_level(
    model: VenueModel, later: list[LabelledScan], ranker: Ranker
) -> None:
    batch = encode([held.scan for held in later[:1_000]], model.radio_map.index)
    known = _pairs(model, batch)
    at = np.flatnonzero(known.settled.level == len(model.radio_map.levels) - 1)
    unreached = int(np.bincount(known.store[at, 0]).argmax())
    assert model.fronts is not None
    stores = build_store_map(
        model.radio_map, model.settings, model.m_front, len(model.fronts.store_ids), counted=model.m_front != unreached
    )
    assert stores.pairs.store_level[unreached] == -1
    assert (np.delete(stores.pairs.store_level, unreached) >= 0).any()
    pairs = _pairs(model, batch, stores=stores)
    row, column = np.nonzero(pairs.store[at, : pairs.feature.shape[1]] == unreached)
    described = column < pairs.n_described[at[row]]
    row, column = at[row[described]], column[described]
    assert len(row) > 20
    for name, expected in (("level_votes", 0.0), ("same_level", 0.0), ("centre_m", 300.0)):
        np.testing.assert_array_equal(_feature(pairs, name)[row, column], expected)
    for name in ("level_votes", "same_level"):  # where it was reached, it was known
        assert _feature(known, name)[at, 0].max() == 1.0


def test_a_model_trained_without_the_ranker_is_refused(model: VenueModel, ranker: Ranker) -> None:
    bare = replace(model, calibration=replace(model.calibration, ranker="", rank=()))
    with pytest.raises(RankerError, match="atrium train"):
        FullLocator((bare,), ranker)


def test_a_venue_without_stores_is_answered_as_by_the_light_locator(
    survey: list[LabelledScan], later: list[LabelledScan], small_world: World, ranker: Ranker
) -> None:
    model = train_venue(survey, None, venue_id=small_world.mall.venue.id, ranker=ranker).model
    scans = [held.scan for held in later[:30]]
    full, light = FullLocator((model,), ranker).locate(scans), LightLocator((model,)).locate(scans)
    assert [a.reason for a in full] == [a.reason for a in light]
    assert [a.position and replace(a.position, locator="light") for a in full] == [a.position for a in light]


def test_the_ranker_betters_the_light_locator_where_phones_and_radios_have_changed(
    model: VenueModel, later: list[LabelledScan], ranker: Ranker
) -> None:
    full = evaluate(FullLocator((model,), ranker), model, later).figures
    light = evaluate(LightLocator((model,)), model, later).figures
    assert full.front is not None and light.front is not None
    assert full.front.top1 > light.front.top1 + 1.0
    assert full.set_coverage is not None and full.set_coverage > 90.0
