"""Each survey reader on a few lines: what becomes a scan, and which lines are told as bad, by number."""

import json
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from fingerprints.errors import SurveyFormatError
from fingerprints.readers import LeftOut, read_ndjson, read_ujib1, read_ujiindoorloc, read_xyz10_survey
from fingerprints.readers.ujiindoorloc import from_web_mercator

AT = "2026-11-22T10:00:00Z"
A, B = "0e:74:9c:a7:b2:e4", "0e:74:9c:a7:b2:e5"


def ndjson_line(walk: str | None = "w-1", **fields: object) -> bytes:
    truth = {"lat": 30.0, "lng": 120.0, "level": "F1"} | ({} if walk is None else {"walk": walk})
    return json.dumps({"at": AT, "wifi": [{"bssid": A, "rssi_dbm": -40}], "truth": truth, **fields}).encode()


def test_ndjson_tells_bad_lines_by_number_and_goes_on() -> None:
    lines = [ndjson_line(), b"", b"not json", ndjson_line(at=7.5e300), ndjson_line(truth=None), ndjson_line()]
    read = read_ndjson(b"\n".join(lines) + b"\n", file="s.ndjson")
    assert [scan.walk for scan in read.scans] == ["w-1", "w-1"]
    assert [(bad.number, bad.file) for bad in read.bad_lines] == [(3, "s.ndjson"), (4, "s.ndjson"), (5, "s.ndjson")]
    assert "truth" in read.bad_lines[2].reason


def test_walks_are_chosen_by_name_and_the_rest_counted() -> None:
    lines = [ndjson_line("a"), ndjson_line("b"), ndjson_line("b"), ndjson_line(None)]
    assert [s.walk for s in read_ndjson(lines, walks={"a"}).scans] == ["a"]
    without = read_ndjson(lines, not_walks={"b"})
    assert [s.walk for s in without.scans] == ["a", None]
    assert without.left_out == (LeftOut("scans of walks that were not chosen", 2),)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"{}\n", b"\xff\xfe\n"])
def test_a_source_without_one_good_line_is_refused(content: bytes) -> None:
    with pytest.raises(SurveyFormatError):
        read_ndjson(content)


def test_a_refusal_names_the_first_fault() -> None:
    with pytest.raises(SurveyFormatError, match=r"s\.ndjson line 2"):
        read_ndjson(b"\n{}\n[]\n", file="s.ndjson")


UJI_HEADER = (
    "WAP001,WAP002,WAP520,LONGITUDE,LATITUDE,FLOOR,BUILDINGID,SPACEID,RELATIVEPOSITION,USERID,PHONEID,TIMESTAMP"
)


def uji(*rows: str) -> bytes:
    return "\r\n".join([UJI_HEADER, *rows, ""]).encode()


def test_ujiindoorloc_reads_places_floors_and_what_was_not_heard() -> None:
    read = read_ujiindoorloc(uji("-50,100,-97,-7541.2643,4864920.7782,2,1,106,2,2,23,1371713733"))
    (item,) = read.scans
    assert {r.transmitter: r.rssi_dbm for r in item.scan.readings} == {"x-WAP001": -50.0, "x-WAP520": -97.0}
    assert (item.truth.building, item.truth.level, item.walk) == ("1", "2", "user-2")
    assert item.scan.at == datetime(2013, 6, 20, 7, 35, 33, tzinfo=UTC)
    assert item.scan.device_id == "phone-23"
    # the inverse of the spherical Mercator projection, written as its forward formula
    y = 6_378_137.0 * math.log(math.tan(math.pi / 4 + math.radians(item.truth.lat_deg) / 2))
    assert y == pytest.approx(4_864_920.7782, abs=1e-6)
    assert math.radians(item.truth.lon_deg) * 6_378_137.0 == pytest.approx(-7_541.2643, abs=1e-9)


def test_ujiindoorloc_keeps_a_row_that_hears_nothing() -> None:
    assert read_ujiindoorloc(uji("100,100,100,-7541,4864920,2,1,0,0,2,23,1371713733")).scans[0].scan.readings == ()


def test_ujiindoorloc_without_users_walks_are_a_phones_scans_without_a_pause() -> None:
    rows = [
        f"-50,100,100,-7541,4864920,0,1,0,0,0,{phone},{at}"
        for phone, at in [(13, 1_000_000), (13, 1_001_800), (13, 1_003_601), (14, 1_003_602)]
    ]
    assert [s.walk for s in read_ujiindoorloc(uji(*rows)).scans] == [
        "phone-13-1",
        "phone-13-1",
        "phone-13-2",
        "phone-14-1",
    ]


def test_ujiindoorloc_tells_each_bad_row_and_goes_on() -> None:
    good = "-50,100,100,-7541,4864920,2,1,0,0,2,23,1371713733"
    bad = [
        "-50,100,100,-7541,4864920,2,1,0,0,2,23",
        "loud,100,100,-7541,4864920,2,1,0,0,2,23,1371713733",
        "-128,100,100,-7541,4864920,2,1,0,0,2,23,1371713733",
        "-50,100,100,nan,4864920,2,1,0,0,2,23,1371713733",
        "-50,100,100,-7541,4e9,2,1,0,0,2,23,1371713733",
        "-50,100,100,-7541,4864920,2,1,0,0,2,23,-5",
    ]
    read = read_ujiindoorloc(uji(bad[0], *bad[1:3], good, *bad[3:]), file="t.csv")
    assert len(read.scans) == 1
    assert sorted(line.number for line in read.bad_lines) == [2, 3, 4, 6, 7, 8]
    reasons = {line.number: line.reason for line in read.bad_lines}
    assert "12 cells" in reasons[2]
    assert "WAP001" in reasons[3]
    assert "LONGITUDE" in reasons[6]


@pytest.mark.parametrize("header", ["WAP001,LONGITUDE", "LONGITUDE,LATITUDE,FLOOR,BUILDINGID,USERID,PHONEID,TIMESTAMP"])
def test_a_table_without_its_columns_is_refused(header: str) -> None:
    with pytest.raises(SurveyFormatError, match="line 1"):
        read_ujiindoorloc(header.encode() + b"\n-50,1\n")


def test_web_mercator_beyond_the_globe_is_refused() -> None:
    with pytest.raises(ValueError, match="Web Mercator"):
        from_web_mercator(3e7, 0)


def test_ujib1_lays_local_metres_on_zero() -> None:
    content = b"0,23,LONGITUDE,LATITUDE,FLOOR\n-70,100,3.5,-2,0\n100,-80,20000,0,0\n"
    read = read_ujib1(content, file="Train.csv")
    (item,) = read.scans
    assert [(r.transmitter, r.rssi_dbm) for r in item.scan.readings] == [("x-BLE00", -70.0)]
    assert [(bad.number, bad.file) for bad in read.bad_lines] == [(3, "Train.csv")]
    # WGS 84 at the equator: 111,319.49 m a degree of longitude, 110,574.28 m of latitude
    assert item.truth.lon_deg == pytest.approx(3.5 / 111_319.49, rel=1e-6)
    assert item.truth.lat_deg == pytest.approx(-2 / 110_574.28, rel=1e-6)
    assert item.truth.level == "0"


class Degrees:
    """A plan whose metres are thousandths of a degree."""

    def to_lon_lat_deg(self, xy_m: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(xy_m, dtype=np.float64) / 1_000.0


T0 = 1_572_000_000_000


def walk_file(*lines: str) -> dict[str, bytes]:
    return {"F1/path_data_files/w1.txt": "\n".join(lines).encode(), "F1/geojson_map.json": b"{}"}


def wifi(t_ms: int, bssid: str = A, rssi: int = -50, seen_ms: int | None = None, ssid: str = "mall") -> str:
    return f"{T0 + t_ms}\tTYPE_WIFI\t{ssid}\t{bssid}\t{rssi}\t5805\t{T0 + (t_ms if seen_ms is None else seen_ms)}"


def way_point(t_ms: int, x_m: float, y_m: float) -> str:
    return f"{T0 + t_ms}\tTYPE_WAYPOINT\t{x_m}\t{y_m}"


def beacon(t_ms: int) -> str:
    return f"{T0 + t_ms}\tTYPE_BEACON\tfda50693-a4e2-4fb1-afcf-c6eb07647825\t1\t2\t-59\t-77\t3.1\tAA\t{T0 + t_ms}"


def test_xyz10_places_a_scan_between_its_way_points_by_time() -> None:
    files = walk_file(
        "#\tstartTime:1",
        way_point(0, 0, 10),
        wifi(2_500, seen_ms=1_000),
        wifi(2_500, B, -60),
        way_point(10_000, 20, 30),
    )
    (item,) = read_xyz10_survey(files, {"F1": Degrees()}).scans
    assert (item.truth.lon_deg, item.truth.lat_deg) == pytest.approx((0.005, 0.015))  # a quarter of the way
    assert (item.truth.level, item.walk) == ("F1", "w1")
    assert [(r.transmitter, r.age_ms) for r in item.scan.readings] == [(A, 1_500.0), (B, 0.0)]


def test_xyz10_leaves_out_and_counts_scans_outside_the_way_points() -> None:
    files = walk_file(wifi(-1), way_point(0, 0, 0), wifi(5), way_point(10, 1, 1), wifi(11))
    read = read_xyz10_survey(files, {"F1": Degrees()})
    assert len(read.scans) == 1
    assert [item.count for item in read.left_out] == [2]


def test_xyz10_gives_a_beacon_to_the_next_scan_within_five_seconds() -> None:
    lines = [
        way_point(0, 0, 0),
        beacon(100),
        wifi(200),
        wifi(6_000),
        beacon(6_001),
        wifi(11_002),
        way_point(12_000, 1, 1),
    ]
    first, second, third = read_xyz10_survey(walk_file(*lines), {"F1": Degrees()}).scans
    assert [(r.rssi_dbm, r.age_ms) for r in first.scan.readings if r.transmitter.startswith("ib:")] == [(-77.0, 100.0)]
    assert len(second.scan.readings) == len(third.scan.readings) == 1  # one not yet heard, one 5,001 ms old


def test_xyz10_drops_the_network_that_asks_not_to_be_mapped() -> None:
    files = walk_file(way_point(0, 0, 0), wifi(5, ssid="home_nomap"), wifi(5, B), way_point(10, 1, 1))
    assert [r.transmitter for r in read_xyz10_survey(files, {"F1": Degrees()}).scans[0].scan.readings] == [B]


def test_xyz10_tells_bad_lines_of_each_file_and_levels_without_a_plan() -> None:
    files = walk_file(
        way_point(0, 0, 0),
        wifi(5),
        f"{T0}\tTYPE_WIFI\tmall",
        wifi(6, "nothing"),
        wifi(6, A, 90),
        "what",
        way_point(10, 1, 1),
    ) | {"F9/path_data_files/w2.txt": b""}
    read = read_xyz10_survey(files, {"F1": Degrees()})
    path = "F1/path_data_files/w1.txt"
    assert [(bad.number, bad.file) for bad in read.bad_lines] == [
        (3, path),
        (4, path),
        (5, path),
        (6, path),
        (0, "F9/path_data_files/w2.txt"),
    ]
    assert len(read.scans) == 1


def test_xyz10_steps_go_into_the_scan_that_follows_them() -> None:
    files = walk_file(way_point(0, 0, 0), wifi(1_000), wifi(3_000), way_point(9_000, 1, 1))
    table = f"walk,t_ms,heading_deg,step_period_ms\nw1,{T0 + 2_500},90,500\nw1,{T0 + 500},0,500\nw1,{T0},north,1\n"
    read = read_xyz10_survey(files, {"F1": Degrees()}, steps=table.encode())
    assert [[step.heading_rad for step in item.scan.steps] for item in read.scans] == [
        [0.0],
        [pytest.approx(math.pi / 2)],
    ]
    assert [(bad.number, bad.file) for bad in read.bad_lines] == [(4, "steps")]
