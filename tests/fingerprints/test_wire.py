"""Transmitter ids in one form; scans decoded, hostile ones refused with their field."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprints.errors import ScanFormatError, SurveyFormatError, TransmitterIdError
from fingerprints.readers import read_ndjson, read_ujib1, read_ujiindoorloc
from fingerprints.scan import Reading, Scan, Truth
from fingerprints.transmitters import eddystone_id, ibeacon_id, parse_bssid
from fingerprints.wire import decode_json, scan_to_json, to_labelled_scan, to_scan
from kernel.ids import DeviceId, ScanId, TransmitterId

AT = datetime(2026, 11, 22, 10, 0, 0, 123_000, tzinfo=UTC)


@given(st.binary(min_size=6, max_size=6))
def test_every_spelling_of_an_address_is_one_transmitter(raw: bytes) -> None:
    digits = raw.hex()
    pairs = [digits[i : i + 2] for i in range(0, 12, 2)]
    quads = [digits[i : i + 4] for i in range(0, 12, 4)]
    spellings = [":".join(pairs), "-".join(pairs), ".".join(pairs), ".".join(quads), digits]
    if digits in {"0" * 12, "f" * 12, "01005e901000"}:
        for text in spellings:
            with pytest.raises(TransmitterIdError):
                parse_bssid(text)
        return
    assert {parse_bssid(form) for text in spellings for form in (text, text.upper())} == {":".join(pairs)}


@pytest.mark.parametrize("text", ["", "zz", "0e:74:9c:a7:b2", "0e:74-9c:a7:b2:e4", "x-", "x-a b", "0" * 13, "é" * 6])
def test_what_names_no_transmitter_is_refused(text: str) -> None:
    with pytest.raises(TransmitterIdError):
        parse_bssid(text)


def test_beacons_have_their_own_ids() -> None:
    uuid = "FDA50693A4E24FB1AFCFC6EB07647825"
    assert ibeacon_id(uuid, 1, 2) == "ib:fda50693-a4e2-4fb1-afcf-c6eb07647825:1:2"
    assert eddystone_id("0x" + "AB" * 10, "cd" * 6) == f"ed:{'ab' * 10}:{'cd' * 6}"
    for major in (-1, 65_536):
        with pytest.raises(TransmitterIdError):
            ibeacon_id(uuid, major, 0)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"at": true}', "at"),
        (b'{"at": 1, "wifi": [{"bssid": "x-a", "rssi_dbm": "-40"}]}', "wifi[0].rssi_dbm"),
        (b'{"at": 1, "beacons": [{}]}', "beacons[0]"),
        (b'{"at": 1, "truth": {"lat": 0}}', "truth"),
        (b'{"at": 1, "scan_id": 7}', "scan_id"),
        (b'{"at": NaN}', None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_a_scan_of_the_wrong_shape_names_its_field(body: bytes, field: str | None) -> None:
    with pytest.raises(ScanFormatError) as refused:
        decode_json(body)
    assert refused.value.field == field


def test_impossible_readings_are_dropped_and_the_scan_survives() -> None:
    wifi = [
        {"bssid": "x-a", "rssi_dbm": -50},
        {"bssid": "x-a", "rssi_dbm": -40, "age_ms": 9_000},
        {"bssid": "x-a", "rssi_dbm": -40, "age_ms": 10},
        {"bssid": "x-b", "rssi_dbm": 1e308},
        {"bssid": "x-c", "rssi_dbm": -50, "age_ms": -1},
        {"bssid": "ff:ff:ff:ff:ff:ff", "rssi_dbm": -50},
        {"bssid": "x-d", "rssi_dbm": -50, "ssid": "home_nomap"},
    ]
    scan = to_scan(decode_json(json.dumps({"at": 1_000, "wifi": wifi}).encode()))
    assert scan.readings == (Reading(TransmitterId("x-a"), -40.0, 10.0),)
    turned = to_scan(decode_json(json.dumps({"at": 1_000, "wifi": wifi[::-1]}).encode()))
    assert turned == scan


@pytest.mark.parametrize("at", ['"2026-11-22T10:00:00"', "1e300", "-1e18"])
def test_an_instant_must_be_one(at: str) -> None:
    with pytest.raises(ScanFormatError) as refused:
        to_scan(decode_json(f'{{"at": {at}}}'.encode()))
    assert refused.value.code == "invalid_time"


def test_the_wire_form_reads_back() -> None:
    readings = (
        Reading(TransmitterId("0e:74:9c:a7:b2:e4"), -43.0, 885.0, 5805, True, 3.5),
        Reading(ibeacon_id("fda50693-a4e2-4fb1-afcf-c6eb07647825", 1, 2), -82.0),
        Reading(TransmitterId("x-WAP001"), -60.0),
    )
    scan = Scan(AT, readings, ScanId("s"), DeviceId("d"))
    truth = Truth(30.0, 120.0, "F1")
    read = to_labelled_scan(decode_json(json.dumps(scan_to_json(scan, truth, "w")).encode()))
    assert (read.scan, read.truth, read.walk) == (scan, truth, "w")


def test_readers_report_bad_lines_by_number_and_go_on() -> None:
    good = json.dumps(scan_to_json(Scan(AT, ()), Truth(0.0, 0.0, "0"), "w")).encode()
    read = read_ndjson(b"\n".join([good, b"{", b"", good, b'{"at": 1}']))
    assert len(read.scans) == 2
    assert [bad.number for bad in read.bad_lines] == [2, 5]
    with pytest.raises(SurveyFormatError):
        read_ndjson(b"{\n")


def test_a_hundred_means_not_heard_in_research_sets() -> None:
    uji = (
        b"WAP001,WAP002,LONGITUDE,LATITUDE,FLOOR,BUILDINGID,SPACEID,RELATIVEPOSITION,USERID,PHONEID,TIMESTAMP\n"
        b"100,-70,-7541.26,4864920.77,2,1,106,2,2,23,1371713733\n"
        b"100,x,-7541.26,4864920.77,2,1,106,2,2,23,1371713733\n"
    )
    read = read_ujiindoorloc(uji)
    (held,) = read.scans
    assert [(r.transmitter, r.rssi_dbm) for r in held.scan.readings] == [("x-WAP002", -70.0)]
    assert (held.truth.building, held.truth.level) == ("1", "2")
    assert abs(held.truth.lat_deg - 39.99) < 0.01
    assert [bad.number for bad in read.bad_lines] == [3]
    with pytest.raises(SurveyFormatError):
        read_ujib1(b"a,b\n1,2\n")
