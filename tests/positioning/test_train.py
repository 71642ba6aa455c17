"""What training says of a survey, on surveys made by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from fingerprints.scan import LabelledScan, Reading, Scan, Truth
from kernel.ids import DeviceId, TransmitterId, VenueId
from positioning.choose import HeldOutScans, choose_settings
from positioning.evaluate import evaluate
from positioning.light import LightLocator
from positioning.radio_map import compile_radio_map, number_visits
from positioning.train import train_venue
from venues.frame import LocalFrame

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
FRAME = LocalFrame(0.0, 0.0)
SPOTS_M = tuple((5.0 * column, 5.0 * row) for row in range(3) for column in range(4))
BEACONS_M = ((0.0, 0.0), (15.0, 0.0), (0.0, 10.0), (15.0, 10.0), (7.0, 5.0))


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


def rounds(n_rounds: int, *, scans: int = 3, walk: str | None = None) -> list[LabelledScan]:
    """A phone goes round 12 spots, with some scans at each; what it hears drifts a little from visit to visit."""
    rng = np.random.default_rng(2)
    out: list[LabelledScan] = []
    for _ in range(n_rounds):
        for spot in SPOTS_M:
            away_m = np.linalg.norm(np.array(BEACONS_M) - spot, axis=1)
            of_visit = -50.0 - 20.0 * np.log10(away_m + 1.0) + rng.normal(0.0, 2.0, len(BEACONS_M))
            for _ in range(scans):
                heard = of_visit + rng.normal(0.0, 1.0, len(BEACONS_M))
                out.append(labelled(len(out), spot, heard.tolist(), walk=walk))
    return out


def test_visits_are_numbered_in_the_order_of_time() -> None:
    survey = rounds(3, scans=2)
    expected = np.repeat(np.arange(36), 2)
    found = number_visits(survey)
    assert found is not None
    assert found.tolist() == expected.tolist()
    backwards = number_visits(survey[::-1])
    assert backwards is not None
    assert backwards.tolist() == expected.tolist()[::-1]


def test_phones_side_by_side_make_visits_of_their_own() -> None:
    survey = rounds(3)
    pair = [
        replace(item, scan=replace(item.scan, device_id=DeviceId(name)), truth=place.truth)
        for item, other in zip(survey, survey[::-1], strict=True)
        for name, place in (("one", item), ("two", other))
    ]
    found = number_visits(pair)
    assert found is not None
    assert len(set(found.tolist())) == 72
    assert not set(found[::2].tolist()) & set(found[1::2].tolist())
    nameless = [replace(item, scan=replace(item.scan, device_id=None)) for item in pair]
    assert number_visits(nameless) is None


def test_only_a_survey_in_rounds_that_names_no_walk_is_held_out_by_visit() -> None:
    survey = rounds(4)
    assert number_visits(rounds(2)) is None
    assert number_visits([*survey[:-1], replace(survey[-1], walk="w")]) is None
    assert number_visits([survey[i] for i in range(0, len(survey), 3)]) is None  # one scan a visit
    assert number_visits([]) is None


def test_accuracy_holds_at_a_later_visit_of_a_survey_in_rounds() -> None:
    """Six rounds are surveyed, the seventh to thirtieth are asked; without whole spots 5 m apart, ``accuracy_m`` would
    hold far more than 68 %. Per visit, 288 of them, the share has a standard deviation of 2.8 %."""
    whole = rounds(30)
    survey, later = whole[: 6 * 36], whole[6 * 36 :]
    trained = train_venue(survey, None, venue_id=VenueId("v"))
    found = evaluate(LightLocator((trained.model,)), trained.model, later).figures.accuracy_coverage
    assert found is not None
    assert 58 < found < 78


def test_a_survey_that_names_its_walks_is_calibrated_by_them() -> None:
    """Five walks through the same spots: the held-out answers are those without the walk, visit or no visit."""
    survey = [replace(item, walk=f"walk-{number // 36}") for number, item in enumerate(rounds(5))]
    for named in (survey, rounds(5, walk="one")):
        radio_map = compile_radio_map(named, None)
        settings = choose_settings(radio_map).settings
        settled = HeldOutScans.of(radio_map, np.arange(radio_map.n_scans)).answer(settings)
        error_m = np.linalg.norm(settled.xy_m - radio_map.xy_m, axis=1)
        quality = train_venue(named, None, venue_id=VenueId("v")).quality
        assert quality.error_m is not None
        assert quality.error_m.mean == pytest.approx(error_m.mean(), rel=1e-12)
