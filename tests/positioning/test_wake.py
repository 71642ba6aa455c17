"""Wake sets on a hall with a beacon at each door, where the right set is known."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import shapely

from fingerprints.scan import LabelledScan, Reading, Scan, Truth
from kernel.ids import LevelId, StoreId, TransmitterId, UnitId, VenueId
from positioning.model import VenueModel
from positioning.train import train_venue
from positioning.wake import choose_wake_set
from venues.frame import LocalFrame
from venues.model import Level, Opening, Store, Unit, Venue

FRAME = LocalFrame(30.0, 120.0)
F1 = LevelId("l1")
LENGTH_M = 120.0
DOORS_M = ((0.0, 5.0), (LENGTH_M, 5.0))
BEACONS = [f"ib:fda50693-a4e2-4fb1-afcf-c6eb07647825:1:{i}" for i in range(2)]
EVERYWHERE = "aa:00:00:00:00:01"


def _store(number: int) -> Store:
    area = shapely.box(30.0 * number, 10, 30.0 * number + 30, 20)
    return Store(StoreId(f"st_{number}"), f"s{number}", "shopping", UnitId(str(number)), F1, area, area.centroid)


VENUE = Venue(
    VenueId("v"),
    "v",
    FRAME,
    (Level(F1, "F1", "F1", 0, shapely.box(0, 0, LENGTH_M, 20)),),
    (Unit(UnitId("hall"), F1, "walkway", shapely.box(0, 0, LENGTH_M, 10)),),
    tuple(_store(i) for i in range(4)),
    (
        *(
            Opening(f"door-{i}", F1, "pedestrian", shapely.LineString([(x, y - 1), (x, y + 1)]))
            for i, (x, y) in enumerate(DOORS_M)
        ),
        Opening("inner", F1, "pedestrian", shapely.LineString([(44, 10), (46, 10)])),
    ),
)


@pytest.fixture(scope="module")
def model() -> VenueModel:
    rng = np.random.default_rng(5)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    survey = []
    for walk in range(12):
        for step in range(60):
            x_m, y_m = LENGTH_M * (step + 0.5) / 60, float(rng.uniform(1, 9))
            readings = [Reading(TransmitterId(EVERYWHERE), float(rng.normal(-60, 3)))]
            for beacon, door_m in zip(BEACONS, DOORS_M, strict=True):
                power_dbm = -50 - 25 * np.log10(max(np.hypot(x_m - door_m[0], y_m - door_m[1]), 1.0))
                readings.append(Reading(TransmitterId(beacon), float(power_dbm + rng.normal(0, 2))))
            lon_deg, lat_deg = FRAME.to_lon_lat_deg([x_m, y_m]).tolist()
            scan = Scan(start + timedelta(seconds=60 * walk + step), tuple(readings))
            survey.append(LabelledScan(scan, Truth(lat_deg, lon_deg, "F1"), f"walk-{walk}"))
    return train_venue(survey, VENUE, venue_id=VenueId("v")).model


def test_the_doors_beacons_are_chosen_and_what_is_heard_everywhere_is_not(model: VenueModel) -> None:
    found = choose_wake_set(model, VENUE, kind="entrance", limit=20)
    assert {item.transmitter for item in found.transmitters} == set(BEACONS)
    assert {place.id for place in found.places} == {"door-0", "door-1"}
    assert {place.id for place in found.covered} == {"door-0", "door-1"}
    for item in found.transmitters:
        (place,) = item.places
        assert BEACONS[int(place.id[-1])] == item.transmitter
        # 15 m from the door the beacon has -50 - 25 log10(15) = -79 dBm; the steps are 4 dB
        assert -84.0 <= item.threshold_dbm <= -72.0
    assert found.recall is not None
    assert found.false_share is not None
    assert found.awake_share is not None
    assert found.recall > 0.85
    assert found.false_share < 0.2
    assert found.awake_share == pytest.approx(2 * 15 / LENGTH_M, abs=0.06)


def test_a_limit_leaves_the_second_door_and_the_recall_halves(model: VenueModel) -> None:
    both = choose_wake_set(model, VENUE, kind="entrance", limit=2)
    one = choose_wake_set(model, VENUE, kind="entrance", limit=1)
    assert len(one.transmitters) == 1
    assert one.transmitters[0] == both.transmitters[0]
    assert len(one.covered) == 1
    assert one.recall is not None
    assert both.recall is not None
    assert one.recall == pytest.approx(both.recall / 2, abs=0.1)


def test_stores_and_kinds_of_radio_are_kept_apart(model: VenueModel) -> None:
    wifi = choose_wake_set(model, VENUE, kind="entrance", limit=20, radio="wifi")
    assert wifi.transmitters == ()  # the one radio is heard alike everywhere
    assert wifi.covered == ()
    stores = choose_wake_set(model, VENUE, kind="store", limit=20, radio="beacon")
    assert {place.kind for place in stores.places} == {"store"}
    assert len(stores.places) == 4


def test_a_map_without_doors_to_the_outside_has_no_entrances(model: VenueModel) -> None:
    inner = Venue(VENUE.id, VENUE.name, FRAME, VENUE.levels, VENUE.units, VENUE.stores, VENUE.openings[2:])
    found = choose_wake_set(model, inner, kind="entrance", limit=20)
    assert (found.places, found.transmitters, found.recall, found.false_share) == ((), (), None, None)
