"""The fit of the radio model, and the figures it goes by."""

from dataclasses import replace

import numpy as np
import pytest

from fingerprints.scan import LabelledScan
from sim.fit import FITTED, Stage, fit_radio, spec_for
from sim.likeness import (
    AGAIN_DBM,
    BETWEEN_M,
    LIKENESS_NAMES,
    WITHIN_SCANS,
    HeardScans,
    Protocol,
    compare,
    new_readings,
    places_before,
    placing_errors,
    protocol_of,
)
from sim.world import World


@pytest.fixture(scope="module")
def survey(small_world: World) -> list[LabelledScan]:
    return small_world.survey(scans_per_store=24)


def line(n_walks: int, n: int) -> Protocol:
    """Walks side by side along x, a metre and a second a scan."""
    xy_m = np.array([(float(i), 0.5 * walk) for walk in range(n_walks) for i in range(n)])
    return Protocol(
        np.zeros(n_walks * n, dtype=np.int64),
        xy_m,
        np.tile(np.arange(n) * 1_000, n_walks).astype(np.int64),
        np.repeat(np.arange(n_walks), n).astype(np.int64),
        np.zeros(n_walks * n),
    )


def heard(rows: list[dict[int, float]]) -> HeardScans:
    """Readings of fresh age by scan: id -> dBm."""
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    ids = np.array([one for row in rows for one in sorted(row)], dtype=np.int64)
    rssi = np.array([row[one] for row in rows for one in sorted(row)], dtype=np.float64)
    return HeardScans(indptr, ids, rssi, np.zeros(len(ids)), ids % 2 == 1)


def test_what_all_radios_share_is_told_from_what_each_has_of_its_own() -> None:
    protocol = line(2, 15)
    even = {one: -60.0 - one for one in range(20)}
    louder = {one: power + 6.0 for one, power in even.items()}
    same = compare(protocol, heard([even] * 30))
    shifted = compare(protocol, heard([even] * 15 + [louder] * 15))
    assert (same.shared_db[0], same.own_db[0], same.distance[0], same.count[0]) == (0.0, 0.0, 0.0, 0.0)
    assert shifted.own_db[0] == 0.0
    assert shifted.distance[0] > 0.05
    n = len(BETWEEN_M)
    assert shifted.distance[n : n + 2].tolist() == [0.0, 0.0]  # within a walk nothing changes
    assert len(shifted.distance) == n + len(WITHIN_SCANS)


def test_what_is_new_is_told_from_what_is_listed_again() -> None:
    """Eleven radios, ten scans a second apart: one is heard again each time, ten only every other time."""
    protocol = line(2, 10)
    now = {0: -50.0, **{one: -56.0 - one / 2 for one in range(1, 11)}}
    scans = heard([now] * 20)
    age_ms = np.tile(np.r_[0.0, np.full(10, 1_000.0)], 20)
    is_first = protocol.at_ms % 2_000 == 0
    scans = replace(scans, age_ms=np.where(np.repeat(is_first, 11), 0.0, age_ms))
    assert new_readings(protocol, scans).reshape(20, 11).sum(axis=1).tolist() == [11, 1] * 10
    found = compare(protocol, scans)
    n = len(AGAIN_DBM) - 1
    assert found.again[n - 1] == 1.0  # radio 0 at -50 dBm, 2.4 GHz as heard() has it for even ids
    assert found.again[n - 2] == found.again[2 * n - 2] == 0.0
    assert found.common[len(BETWEEN_M)] == pytest.approx(2.0 / 12.0)


def test_nothing_is_unlike_itself_and_every_figure_counts() -> None:
    protocol = line(2, 15)
    rng = np.random.default_rng(1)
    rows = [{one: float(rng.integers(-90, -40)) for one in rng.permutation(40)[:20].tolist()} for _ in range(30)]
    found = compare(protocol, heard(rows))
    assert found.gap(found) == 0.0
    for name in LIKENESS_NAMES:
        other = replace(found, **{name: getattr(found, name) + 0.5})
        assert found.gap(other) > 0.0, name


def test_readings_are_heard_where_the_phone_was_when_they_were_new() -> None:
    protocol = line(2, 5)
    before = places_before(protocol, 1_500.0)
    assert before[:, 0].tolist() == [0.0, 0.0, 0.5, 1.5, 2.5] * 2
    assert before[:, 1].tolist() == protocol.xy_m[:, 1].tolist()


def test_a_surveyor_errs_by_so_much_and_by_the_same_for_a_while() -> None:
    protocol = line(400, 60)
    error_m = placing_errors(protocol, 2.0, 20.0, np.random.default_rng(1))
    assert error_m.std() == pytest.approx(2.0, rel=0.05)
    by_walk = error_m[:, 0].reshape(400, 60)
    assert np.corrcoef(by_walk[:, 0], by_walk[:, 20])[0, 1] == pytest.approx(np.exp(-1.0), abs=0.12)
    assert abs(np.corrcoef(by_walk[:-1, 0], by_walk[1:, 0])[0, 1]) < 0.15


def test_a_fit_begins_with_what_the_survey_tells_by_itself(small_world: World, survey: list[LabelledScan]) -> None:
    spec = spec_for(small_world.mall.venue, survey)
    true = small_world.survey_radio.spec
    assert spec.area_per_beacon_m2 == pytest.approx(true.area_per_beacon_m2, rel=0.2)
    assert 0.3 < spec.area_per_access_point_m2 / true.area_per_access_point_m2 < 1.5
    assert spec.mean_age_ms == pytest.approx(true.mean_age_ms, rel=0.2)


def test_a_fit_finds_scans_more_like_the_survey_s_and_is_the_same_each_time(
    small_world: World, survey: list[LabelledScan]
) -> None:
    venue = small_world.mall.venue
    start = spec_for(venue, survey)
    seen: list[float] = []
    fit = fit_radio(venue, survey, start, seed=1, trials=63, progress=lambda _n, gap: seen.append(gap))
    assert fit.n_trials == len(seen) > len(FITTED)
    assert fit.gap < 0.7 * seen[0]
    assert all(low <= getattr(fit.spec, name) <= high for name, low, high in FITTED if name != "power_db")
    assert fit.spec.wifi_2_power_1m_dbm - start.wifi_2_power_1m_dbm == pytest.approx(
        fit.spec.beacon_power_1m_dbm - start.beacon_power_1m_dbm
    )
    again = fit_radio(venue, survey, start, seed=1, trials=5)
    assert again.gap == seen[again.n_trials - 1]


def test_a_stage_hears_the_same_for_the_same_parameters(small_world: World, survey: list[LabelledScan]) -> None:
    venue = small_world.mall.venue
    protocol, _ = protocol_of(survey, venue)
    spec = spec_for(venue, survey)
    one, two = (Stage(venue, protocol, spec, seed=3).hear(spec) for _ in range(2))
    assert one.rssi_dbm.tolist() == two.rssi_dbm.tolist()
    assert one.transmitter.tolist() == two.transmitter.tolist()
