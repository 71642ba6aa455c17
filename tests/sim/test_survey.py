"""Surveys and exports: true places, walks, stale readings, and how hard the mall is."""

import hashlib
from collections import Counter
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
import shapely

from fingerprints.scan import LabelledScan, Reading
from fingerprints.wire import decode_json, to_labelled_scan
from sim.export import scan_lines, shopper_scans, survey_lines
from sim.layout import MallSpec
from sim.listening import Crowd
from sim.world import World, make_world


@pytest.fixture(scope="module")
def survey(world: World) -> list[LabelledScan]:
    return world.survey()


def test_each_store_is_surveyed_as_told_and_corridors_too(world: World, survey: list[LabelledScan]) -> None:
    per_store = Counter(item.truth.store_id for item in survey)
    corridor = per_store.pop(None)
    assert dict(per_store) == {store.id: 45 for store in world.mall.venue.stores}
    assert corridor >= 3 * 350
    assert {item.scan.device_id for item in survey} == {"survey-0", "survey-1", "survey-2"}


def test_truth_lies_in_the_store_it_names_and_on_its_level(world: World, survey: list[LabelledScan]) -> None:
    venue = world.mall.venue
    for item in survey[::7]:
        point = shapely.Point(venue.frame.to_xy_m([item.truth.lon_deg, item.truth.lat_deg]))
        level = next(level for level in venue.levels if level.short_name == item.truth.level)
        inside = {s.id for s in venue.stores if s.level_id == level.id and s.area.contains(point)}
        assert inside == ({item.truth.store_id} if item.truth.store_id else set())


def test_a_walk_is_one_phone_in_time_order_with_its_own_scan_ids(survey: list[LabelledScan]) -> None:
    walks: dict[str | None, list[LabelledScan]] = {}
    for item in survey:
        walks.setdefault(item.walk, []).append(item)
    assert len(walks) > 150
    for scans in walks.values():
        assert len({item.scan.device_id for item in scans}) == 1
        assert all(a.scan.at < b.scan.at for a, b in pairwise(scans))
    assert len({item.scan.scan_id for item in survey}) == len(survey)


def test_exported_lines_are_read_back_as_the_survey(small_world: World) -> None:
    lines = list(survey_lines(small_world, scans_per_store=4))
    survey = small_world.survey(scans_per_store=4)
    for line, item in zip(lines, survey, strict=True):
        again = to_labelled_scan(decode_json(line))
        assert again.scan == item.scan
        assert again.truth == item.truth
        assert again.walk == item.walk


def test_the_same_seed_exports_the_same_bytes() -> None:
    def digest(seed: int) -> str:
        world = make_world(seed, MallSpec(n_levels=1, width_m=78, depth_m=52))
        lines = [*survey_lines(world, scans_per_store=6), *scan_lines(world, n_shoppers=3, on=date(2026, 4, 18))]
        return hashlib.sha256(b"".join(lines)).hexdigest()

    assert digest(11) == digest(11)
    assert digest(11) != digest(12)


def test_each_date_exports_its_own_day_and_no_scan_id_twice(small_world: World) -> None:
    ids: list[str] = []
    phones = []
    for on in (date(2026, 3, 20), date(2026, 4, 18), date(2026, 4, 19)):
        scans = list(shopper_scans(small_world, n_shoppers=4, on=on))
        assert {item.scan.at.date() for item in scans} == {on}
        ids += [str(item.scan.scan_id) for item in scans]
        phones.append({item.scan.device_id for item in scans})
    assert len(set(ids)) == len(ids) > 300
    assert phones[0] != phones[1] != phones[2]


def test_plain_nearest_neighbours_find_the_store_about_as_often_as_measured_and_no_more(
    world: World, survey: list[LabelledScan]
) -> None:
    """Plain WKNN (Sørensen, powed, k = 11) on shoppers' in-store scans; docs/simulation.md has more seeds.

    Outside the band the simulator has become easier or harder than its page says. One scan of each stay of 300
    shoppers, about 850, many of them by groups that stand together: a standard error near 2 points. Four days of this
    seed gave 0.73 to 0.78, four of seed 1 gave 0.83 to 0.84.
    """
    stays = [(shopper, stop) for shopper in world.shoppers(0, 300, 10.0) for stop in shopper.stops]
    places = [
        shopper.place_at((stop.arrives_s + stop.leaves_s) / 2.0, world.graph) or pytest.fail("not in the mall")
        for shopper, stop in stays
    ]
    heard = world.radio.hear(
        [place.level_index for place in places],
        [place.xy_m for place in places],
        Crowd([shopper.radio for shopper, _ in stays]),
        np.random.default_rng(1),
    )
    scans = world.radio.readings(heard, np.random.default_rng(2))
    column = {name: i for i, name in enumerate(world.radio.transmitters.ids)}

    def powed(scans: list[tuple[Reading, ...]]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        table = np.zeros((len(scans), len(column)), dtype=np.float32)
        for row, readings in enumerate(scans):
            for reading in readings:
                if reading.transmitter in column:
                    table[row, column[reading.transmitter]] = (max(reading.rssi_dbm + 100.0, 1.0) / 60.0) ** 1.6
        return table

    known, asked = powed([item.scan.readings for item in survey]), powed(scans)
    by_transmitter = np.ascontiguousarray(known.T)
    right = 0
    for row, (_, stop) in zip(asked, stays, strict=True):
        present = np.flatnonzero(row)
        shared = np.minimum(by_transmitter[present], row[present, None]).sum(axis=0)
        distance = 1.0 - 2.0 * shared / (known.sum(axis=1) + row.sum())
        votes: Counter[str] = Counter()
        for i in np.argpartition(distance, 11)[:11]:
            votes[str(survey[i].truth.store_id)] += 1.0 / (float(distance[i]) ** 2 + 1e-4)  # type: ignore[assignment]
        right += max(votes, key=lambda name: votes[name]) == world.mall.venue.stores[stop.store_index].id
    assert 0.70 <= right / len(stays) <= 0.88
