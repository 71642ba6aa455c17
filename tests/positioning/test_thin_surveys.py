"""Surveys of which nothing, or hardly anything, can be held out still give a model."""

from dataclasses import replace

import pytest

from fingerprints.scan import LabelledScan, Reading
from fingerprints.transmitters import ibeacon_id
from positioning.train import MIN_BEACON_SCANS, train_venue
from sim.world import World

_BEACONS = [ibeacon_id("FDA50693-A4E2-4FB1-AFCF-C6EB07647825", 1, minor) for minor in range(12)]


@pytest.fixture(scope="module")
def survey(small_world: World) -> list[LabelledScan]:
    """One walk a store, and the corridors left out."""
    scans = small_world.survey(scans_per_store=12)
    return [replace(item, walk=item.truth.store_id) for item in scans if item.truth.store_id is not None]


def test_a_survey_of_one_spot_trains(small_world: World, survey: list[LabelledScan]) -> None:
    spot = [replace(item, walk=None, truth=survey[0].truth) for item in survey[:40]]
    venue = small_world.mall.venue
    assert train_venue(spot, venue, venue_id=venue.id).n_used_scans > 30


def test_beacons_that_one_walk_each_hears_cost_the_venue_nothing(
    small_world: World, survey: list[LabelledScan]
) -> None:
    """Each walk hears a beacon of its own, so no scan's beacons are heard by another walk."""
    walks = {walk: n for n, walk in enumerate(dict.fromkeys(item.walk for item in survey))}
    mixed = []
    for item in survey:
        wifi = tuple(r for r in item.scan.readings if not r.transmitter.startswith(("ib:", "ed:")))
        n = walks[item.walk]
        own = (Reading(_BEACONS[n], -60.0),) if n < len(_BEACONS) else ()
        mixed.append(replace(item, scan=replace(item.scan, readings=wifi + own)))
    assert sum(walks[item.walk] < len(_BEACONS) for item in mixed) >= MIN_BEACON_SCANS
    venue = small_world.mall.venue
    assert train_venue(mixed, venue, venue_id=venue.id).model.radio_map.n_scans > 100


def test_walks_that_share_no_radio_train(small_world: World, survey: list[LabelledScan]) -> None:
    """One walk a store; all but two walks hear radios of their own."""
    walks = list(dict.fromkeys(item.walk for item in survey))[:8]
    apart = []
    for item in survey:
        if item.walk not in walks:
            continue
        n = walks.index(item.walk)
        suffix = 0 if n in {0, 2} else n
        readings = tuple(
            replace(r, transmitter=type(r.transmitter)(f"x-{suffix}-{k}")) for k, r in enumerate(item.scan.readings[:8])
        )
        apart.append(replace(item, scan=replace(item.scan, readings=readings)))
    venue = small_world.mall.venue
    assert train_venue(apart, venue, venue_id=venue.id).n_used_scans > 40
