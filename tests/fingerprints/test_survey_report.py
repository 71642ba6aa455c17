"""The survey report against counts made by hand."""

from datetime import UTC, datetime

import shapely

from fingerprints.scan import LabelledScan, Reading, Scan, Truth
from fingerprints.survey_report import LevelCoverage, survey_report
from kernel.ids import DeviceId, LevelId, StoreId, TransmitterId, UnitId, VenueId
from venues.frame import LocalFrame
from venues.model import Level, Store, Venue

FRAME = LocalFrame(30.0, 120.0)
F1, F2 = LevelId("l1"), LevelId("l2")


def _store(name: str, level: LevelId, x0: float) -> Store:
    area = shapely.box(x0, 0, x0 + 10, 10)
    return Store(StoreId(f"st_{name}"), name, "shopping", UnitId(name), level, area, area.centroid)


VENUE = Venue(
    VenueId("v"),
    "v",
    FRAME,
    tuple(
        Level(key, name, name, n, shapely.box(0, -10, 30, 10)) for n, (key, name) in enumerate([(F1, "F1"), (F2, "F2")])
    ),
    (),
    (_store("a", F1, 0), _store("b", F1, 10), _store("c", F1, 20), _store("d", F2, 0)),
    (),
)


def scan(
    x_m: float,
    y_m: float,
    heard: str,
    *,
    level: str = "F1",
    phone: str = "p1",
    walk: str = "w1",
    store: str | None = None,
) -> LabelledScan:
    lon_deg, lat_deg = FRAME.to_lon_lat_deg([x_m, y_m]).tolist()
    readings = tuple(Reading(TransmitterId(f"x-{letter}"), -50.0) for letter in heard)
    truth = Truth(lat_deg, lon_deg, level, store_id=None if store is None else StoreId(store))
    return LabelledScan(Scan(datetime(2026, 1, 1, tzinfo=UTC), readings, device_id=DeviceId(phone)), truth, walk)


SURVEY = [
    scan(5, 5, "AB"),  # inside a
    scan(5, -3, "AC", walk="w2"),  # before a
    scan(19, -1, "A", phone="p2", walk="w3"),  # before b
    scan(5, 5, "", store="st_b", phone="p2", walk="w3"),  # said to be in b
    scan(0, 0, "A", level="roof", walk="w4"),  # a level the map has not
]


def test_scans_readings_walks_and_phones_are_counted() -> None:
    report = survey_report(SURVEY)
    assert (report.n_scans, report.n_without_readings, report.n_walks, report.n_phones) == (5, 1, 4, 2)
    assert (report.n_transmitters, report.n_transmitters_heard_once) == (3, 2)
    assert report.readings_per_scan == 6 / 5
    assert report.stores == ()


def test_levels_are_counted_and_those_off_the_map_told() -> None:
    assert survey_report(SURVEY, VENUE).levels == (
        LevelCoverage(None, "F1", 4, True),
        LevelCoverage(None, "roof", 1, False),
    )


def test_a_scan_counts_for_the_store_it_is_said_or_seen_to_be_in_or_before() -> None:
    counted = {s.store_name: (s.n_scans, s.n_inside, s.level) for s in survey_report(SURVEY, VENUE).stores}
    assert counted == {"a": (2, 1, "F1"), "b": (2, 1, "F1"), "c": (0, 0, "F1"), "d": (0, 0, "F2")}


def test_stores_nobody_went_to_are_named() -> None:
    assert [store.store_name for store in survey_report(SURVEY, VENUE).never_surveyed] == ["c", "d"]


def test_an_empty_survey_is_zeros() -> None:
    report = survey_report([], VENUE)
    assert (report.n_scans, report.readings_per_scan, len(report.never_surveyed)) == (0, 0.0, 4)
