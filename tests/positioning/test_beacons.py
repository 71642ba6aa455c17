"""Phones that tell of beacons alone (an iPhone has no scan list of access points) are answered from the beacons."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from fingerprints.scan import LabelledScan, Reading
from fingerprints.transmitters import is_beacon
from kernel.ids import TransmitterId
from positioning.bundle import from_bytes, to_bytes
from positioning.evaluate import evaluate
from positioning.light import LightLocator
from positioning.model import VenueModel
from positioning.train import MIN_BEACON_SCANS, hear_beacons_alone, train_venue
from sim.export import shopper_scans
from sim.world import World
from tests.living_server import SCANS_PER_STORE


@pytest.fixture(scope="module")
def survey(small_world: World) -> list[LabelledScan]:
    return small_world.survey(scans_per_store=SCANS_PER_STORE)


@pytest.fixture(scope="module")
def model(small_world: World, survey: list[LabelledScan]) -> VenueModel:
    return train_venue(survey, small_world.mall.venue, venue_id=small_world.mall.venue.id).model


@pytest.fixture(scope="module")
def heard_by_iphones(small_world: World) -> list[LabelledScan]:
    """Other phones, weeks after the survey; what is left of their scans where the phone tells of beacons alone."""
    found = hear_beacons_alone(list(shopper_scans(small_world, n_shoppers=25, on=date(2026, 4, 18))))
    assert found is not None
    return found


def test_scans_of_beacons_alone_get_a_position(model: VenueModel, heard_by_iphones: list[LabelledScan]) -> None:
    assert model.beacons is not None
    figures = evaluate(LightLocator((model,)), model, heard_by_iphones).to_json()
    blind = evaluate(LightLocator((replace(model, beacons=None),)), model, heard_by_iphones).to_json()
    assert figures["answered"] >= 0.95 * figures["n"]
    assert blind["answered"] < 0.5 * blind["n"], "beside whole survey scans they look like scans of another place"
    centre = model.radio_map.xy_m.mean(axis=0)
    places = model.radio_map.frame.to_xy_m(
        np.array([(item.truth.lon_deg, item.truth.lat_deg) for item in heard_by_iphones])
    )
    assert figures["error_m"]["mean"] < 0.6 * np.linalg.norm(places - centre, axis=1).mean()


def test_access_points_beside_them_are_not_forgotten(small_world: World, model: VenueModel) -> None:
    scans = [item.scan for item in shopper_scans(small_world, n_shoppers=3, on=date(2026, 4, 18))]
    both = [scan for scan in scans if len({is_beacon(reading.transmitter) for reading in scan.readings}) == 2]
    assert len(both) > 50
    assert LightLocator((model,)).locate(both) == LightLocator((replace(model, beacons=None),)).locate(both)


def test_a_strangers_hotspot_hides_no_beacon(model: VenueModel, heard_by_iphones: list[LabelledScan]) -> None:
    scans = [item.scan for item in heard_by_iphones[:50]]
    hotspot = Reading(TransmitterId("x-hotspot"), -50.0)
    locator = LightLocator((model,))
    assert locator.locate([replace(scan, readings=(hotspot, *scan.readings)) for scan in scans]) == locator.locate(
        scans
    )


def test_the_bundle_keeps_both_maps(small_world: World, model: VenueModel) -> None:
    data = to_bytes(model)
    again = from_bytes(data, small_world.mall.venue)
    assert to_bytes(again) == data
    assert again.beacons is not None
    assert model.beacons is not None
    assert again.beacons.settings == model.beacons.settings
    assert np.array_equal(again.beacons.radio_map.readings.rssi_dbm, model.beacons.radio_map.readings.rssi_dbm)
    assert all(is_beacon(transmitter) for transmitter in again.beacons.radio_map.transmitters)


def test_a_survey_of_one_kind_or_of_few_beacons_has_one_map(survey: list[LabelledScan]) -> None:
    beacons = hear_beacons_alone(survey)
    assert beacons is not None
    assert hear_beacons_alone(beacons) is None, "the whole map is the beacons' already"
    assert hear_beacons_alone(beacons[: MIN_BEACON_SCANS - 2] + survey[:1]) is None
