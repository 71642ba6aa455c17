"""Every spelling of a transmitter's id comes to one canonical form; what is no id is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprints.errors import TransmitterIdError
from fingerprints.transmitters import eddystone_id, ibeacon_id, is_beacon, parse_bssid

_NO_ADDRESS = ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:90:10:00")
_addresses = st.binary(min_size=6, max_size=6).map(lambda b: b.hex(":")).filter(lambda a: a not in _NO_ADDRESS)


def _groups(address: str, size: int, separator: str) -> str:
    digits = address.replace(":", "")
    return separator.join(digits[i : i + size] for i in range(0, 12, size))


@given(_addresses, st.sampled_from([(2, ":"), (2, "-"), (2, "."), (4, "."), (12, "")]), st.booleans())
def test_all_spellings_of_an_address_are_one(address: str, form: tuple[int, str], is_upper: bool) -> None:
    spelt = _groups(address, *form)
    assert parse_bssid(spelt.upper() if is_upper else spelt) == address


@given(_addresses)
def test_the_canonical_form_reads_as_itself(address: str) -> None:
    assert parse_bssid(parse_bssid(address)) == parse_bssid(address)


@given(st.text(max_size=40))
def test_any_text_is_an_id_or_refused(text: str) -> None:
    try:
        found = parse_bssid(text)
    except TransmitterIdError as error:
        assert error.text == text[:80]
    else:
        assert parse_bssid(found) == found


@pytest.mark.parametrize(
    "text",
    [
        *_NO_ADDRESS,
        "",
        "0e:74:9c:a7:b2",
        "0e:74:9c:a7:b2:e4:11",
        "0e:74-9c:a7-b2:e4",
        "0g:74:9c:a7:b2:e4",
        "x-",
        "x-" + "a" * 65,
        "x-two words",
        "٠٠:74:9c:a7:b2:e4",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(TransmitterIdError):
        parse_bssid(text)


def test_a_locally_administered_address_is_kept() -> None:
    assert parse_bssid("06-74-9C-A7-B2-E4") == "06:74:9c:a7:b2:e4"


def test_an_opaque_name_keeps_its_case() -> None:
    assert parse_bssid("x-WAP001") == "x-WAP001"


@given(st.uuids(), st.integers(0, 65_535), st.integers(0, 65_535), st.booleans())
def test_an_ibeacon_is_named_by_its_three_parts(uuid: object, major: int, minor: int, is_upper: bool) -> None:
    spelt = str(uuid).upper() if is_upper else str(uuid).replace("-", "")
    found = ibeacon_id(spelt, major, minor)
    assert found == f"ib:{uuid}:{major}:{minor}"
    assert is_beacon(found)


@pytest.mark.parametrize(("major", "minor"), [(-1, 0), (65_536, 0), (0, -1), (0, 65_536)])
def test_an_ibeacon_number_outside_16_bits_is_refused(major: int, minor: int) -> None:
    with pytest.raises(TransmitterIdError):
        ibeacon_id("fda50693-a4e2-4fb1-afcf-c6eb07647825", major, minor)


def test_an_eddystone_id_needs_ten_and_six_bytes() -> None:
    assert eddystone_id("0x" + "AB" * 10, "0102030405ff") == "ed:" + "ab" * 10 + ":0102030405ff"
    for namespace, instance in (("ab" * 9, "00" * 6), ("ab" * 10, "00" * 5), ("zz" * 10, "00" * 6)):
        with pytest.raises(TransmitterIdError):
            eddystone_id(namespace, instance)


def test_a_wifi_address_is_no_beacon() -> None:
    assert not is_beacon(parse_bssid("0e:74:9c:a7:b2:e4"))
