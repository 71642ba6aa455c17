"""Of this venue or not: what ages stays inside, what is faint and little is outside."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from fingerprints.scan import LabelledScan, Scan
from positioning.light import LightLocator
from positioning.model import VenueModel
from positioning.position import NoPositionReason
from positioning.train import train_venue
from sim.export import shopper_scans
from sim.radio import aged
from sim.radio_spec import Ageing
from sim.world import World
from tests.living_server import SCANS_PER_STORE

ON = date(2026, 4, 18)


@pytest.fixture(scope="module")
def model(small_world: World) -> VenueModel:
    survey = small_world.survey(scans_per_store=SCANS_PER_STORE)
    return train_venue(survey, small_world.mall.venue, venue_id=small_world.mall.venue.id).model


def behind_walls(scan: Scan, loss_db: float) -> Scan:
    """The scan with so much between phone and mall; nothing under -93 dBm is heard."""
    heard = tuple(replace(r, rssi_dbm=r.rssi_dbm - loss_db) for r in scan.readings if r.rssi_dbm - loss_db >= -93)
    return replace(scan, readings=heard)


def refused_share(model: VenueModel, scans: list[Scan]) -> float:
    """Of the scans, those without a position; what hears nothing at all is refused too."""
    told = [answer.reason for answer in LightLocator((model,)).locate(scans)]
    return 1.0 - told.count(None) / len(told)


def test_a_mall_whose_radios_age_for_years_is_still_the_mall(small_world: World, model: VenueModel) -> None:
    world, mall = small_world, small_world.mall.venue
    for year in range(3):
        radio = aged(world.radio, mall, Ageing(), np.random.default_rng([5, year]))
        world = replace(world, radio=radio)
    old: list[LabelledScan] = list(shopper_scans(world, n_shoppers=12, on=ON))
    assert refused_share(model, [item.scan for item in old]) < 0.05


def test_more_walls_between_are_more_often_outside(small_world: World, model: VenueModel) -> None:
    scans = [item.scan for item in shopper_scans(small_world, n_shoppers=12, on=ON)][::3]
    share = [refused_share(model, [behind_walls(scan, loss_db) for scan in scans]) for loss_db in (0, 15, 25, 35)]
    assert share[0] < 0.01
    assert share == sorted(share)
    assert share[-1] > 0.9
    told = LightLocator((model,)).locate([behind_walls(scan, 25) for scan in scans])
    assert sum(answer.reason is NoPositionReason.OUTSIDE for answer in told) > 100


def test_a_survey_too_small_to_tell_tells_nothing(small_world: World) -> None:
    few = small_world.survey(scans_per_store=SCANS_PER_STORE)[:45]
    small = train_venue(few, small_world.mall.venue, venue_id=small_world.mall.venue.id).model
    assert small.calibration.outside == ()
    told = LightLocator((small,)).locate([behind_walls(item.scan, 25) for item in few])
    assert NoPositionReason.OUTSIDE not in {answer.reason for answer in told}
