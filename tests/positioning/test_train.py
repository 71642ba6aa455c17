"""What training says of a survey, on surveys made by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np

from fingerprints.scan import LabelledScan, Reading, Scan, Truth
from kernel.ids import TransmitterId, VenueId
from positioning.train import train_venue
from venues.frame import LocalFrame

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
FRAME = LocalFrame(0.0, 0.0)


class SameHash(str):
    """A name that hashes like every other name, as two strings may by chance."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 7


def labelled(
    number: int,
    xy_m: tuple[float, float],
    rssi_dbm: list[float],
    *,
    building: str | None = None,
    walk: str | None = None,
) -> LabelledScan:
    lon_deg, lat_deg = FRAME.to_lon_lat_deg(xy_m).tolist()
    readings = tuple(Reading(TransmitterId(f"x-{i}"), power) for i, power in enumerate(rssi_dbm))
    scan = Scan(START + timedelta(seconds=number), readings)
    return LabelledScan(scan, Truth(lat_deg, lon_deg, "F1", building), walk)


def test_buildings_are_told_apart_by_name_not_by_hash() -> None:
    """Two buildings that sound alike: held-out scans get the building wrong about every other time."""
    rng = np.random.default_rng(1)
    survey = [
        labelled(
            number,
            (float(number % 20), 0.0),
            rng.normal(-60.0, 8.0, 6).tolist(),
            building=SameHash("AB"[number % 2]),
            walk=f"walk-{number % 12}",
        )
        for number in range(240)
    ]
    share = train_venue(survey, None, venue_id=VenueId("v")).quality.building_percent
    assert share is not None
    # 240 coin tosses have a standard deviation of 3.2 %
    assert 35 < share < 65
