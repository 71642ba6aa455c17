"""Addresses that are one radio: who is joined, what becomes of readings, and what keeps the addresses."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from fingerprints.scan import LabelledScan, Reading, Scan, Truth
from kernel.ids import TransmitterId, VenueId
from positioning.baseline import locate_plainly
from positioning.bundle import from_bytes, to_bytes
from positioning.choose import choose_radios
from positioning.healed_map import heal_map
from positioning.learned import Learned
from positioning.light import LightLocator
from positioning.model import VenueModel, assemble_model
from positioning.radio_changes import RadioChanges
from positioning.radio_map import RadioMap, ReadingBatch, compile_radio_map, encode, merge_same
from positioning.radios import find_radios, merge_radios
from positioning.train import train_venue

_AT = datetime(2026, 6, 1, tzinfo=UTC)
_TWINS = ("x-a0", "x-a1", "x-a2")
_ALONE = ("x-b", "x-c")
_BEACON = "ib:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:1"


def _survey(n_radios: int = 12, *, twin_sd_db: float = 1.0, lost: float = 0.3) -> list[LabelledScan]:
    """A corridor of 60 m walked by 16 walks; every radio but those of ``_ALONE`` sends three networks.

    A radio is heard with 55 dB + 25 log10 of the distance, 4 dB of noise a scan, and ``twin_sd_db`` an address; a
    share of all readings is lost.
    """
    rng = np.random.default_rng(3)
    names = [_TWINS] + [tuple(f"x-r{r:02d}{k}" for k in range(3)) for r in range(n_radios)] + [(n,) for n in _ALONE]
    where_m = np.concatenate([[12.0], rng.uniform(0, 60, len(names) - 1)])
    scans = []
    for walk in range(16):
        for x_m in np.arange(0.0, 60.0, 2.5):
            readings = []
            for at_m, addresses in zip(where_m, names, strict=True):
                power_dbm = -30.0 - 25.0 * np.log10(np.hypot(x_m - at_m, 4.0)) + rng.normal(0, 4.0)
                for address in addresses:
                    x_dbm = power_dbm + rng.normal(0, twin_sd_db)
                    if x_dbm > -92.0 and rng.random() >= lost:
                        readings.append(Reading(TransmitterId(address), float(x_dbm)))
            truth = Truth(lat_deg=0.0, lon_deg=float(x_m) / 111_319.5, level="0")
            scans.append(LabelledScan(Scan(_AT, tuple(readings)), truth, walk=f"w{walk}"))
    return scans


@pytest.fixture(scope="module")
def survey() -> list[LabelledScan]:
    return _survey()


@pytest.fixture(scope="module")
def model(survey: list[LabelledScan]) -> VenueModel:
    return train_venue(survey, None, venue_id=VenueId("corridor")).model


def _columns(radio_map: RadioMap, names: tuple[str, ...]) -> list[int]:
    return [radio_map.index[TransmitterId(name)] for name in names]


def _numbered(survey: list[LabelledScan], spread_db: float = 3.0) -> RadioMap:
    radio_map = compile_radio_map(survey, None)
    return replace(radio_map, radio=find_radios(radio_map, spread_db))


def test_networks_of_one_radio_share_a_column_and_radios_apart_do_not(survey: list[LabelledScan]) -> None:
    merged = merge_radios(_numbered(survey))
    assert len(set(_columns(merged, _TWINS))) == 1
    assert len(merged.transmitters) == 1 + 12 + len(_ALONE)
    assert merged.transmitters[merged.index[TransmitterId("x-a2")]] == "x-a0"


def test_a_chain_of_alike_addresses_is_not_one_radio() -> None:
    """a is like b and b like c, but a is not like c: two of them are joined, not all."""
    rng = np.random.default_rng(0)
    names = tuple(TransmitterId(f"x-{n}") for n in "abc")
    drift_db = rng.normal(0, 2.5, 60)
    powers = np.stack([-60 - drift_db, np.full(60, -60.0), -60 + drift_db], axis=1)
    survey = [
        LabelledScan(
            Scan(_AT, tuple(Reading(n, float(x)) for n, x in zip(names, row, strict=True))),
            Truth(lat_deg=0.0, lon_deg=0.0, level="0"),
            walk=f"w{i % 6}",
        )
        for i, row in enumerate(powers)
    ]
    radio = find_radios(compile_radio_map(survey, None), 3.0)
    assert radio is not None
    assert len(np.unique(radio)) == 2


def test_a_beacon_is_no_twin_of_an_access_point() -> None:
    names = (TransmitterId(_BEACON), TransmitterId("x-a"))
    survey = [
        LabelledScan(
            Scan(_AT, tuple(Reading(n, -60.0 - i % 7) for n in names)),
            Truth(lat_deg=0.0, lon_deg=0.0, level="0"),
            walk=f"w{i % 6}",
        )
        for i in range(60)
    ]
    assert find_radios(compile_radio_map(survey, None), 3.0) is None


def test_one_reading_remains_with_the_strongest_power_and_the_least_age() -> None:
    nan = float("nan")
    merged = merge_same(
        ReadingBatch(
            np.array([0, 4, 4, 6], dtype=np.int64),
            np.array([7, 2, 7, 7, 2, 2], dtype=np.int32),
            np.array([-70, -60, -50, -80, -40, -45], dtype=np.float32),
            np.array([nan, 100, 900, 300, nan, nan], dtype=np.float32),
            np.array([4, 0, 2], dtype=np.int32),
        ),
        8,
    )
    assert merged.indptr.tolist() == [0, 2, 2, 3]
    assert merged.transmitter.tolist() == [7, 2, 2]
    assert merged.rssi_dbm.tolist() == [-50, -60, -40]
    assert merged.age_ms[:2].tolist() == [300, 100]
    assert np.isnan(merged.age_ms[2])
    assert merged.n_heard.tolist() == [4, 0, 2]


def test_any_address_of_a_radio_tells_it(survey: list[LabelledScan]) -> None:
    merged = merge_radios(_numbered(survey))
    scans = [Scan(_AT, (Reading(TransmitterId(name), -60.0),)) for name in _TWINS]
    batch = encode(scans, merged.index)
    assert batch.transmitter.tolist() == _columns(merged, _TWINS)


def test_merging_is_chosen_where_it_helps_and_not_where_nothing_is_alike(survey: list[LabelledScan]) -> None:
    assert choose_radios(compile_radio_map(survey, None)).radio is not None
    assert choose_radios(compile_radio_map(_survey(twin_sd_db=9.0), None)).radio is None


def test_addresses_stay_in_the_file_and_answers_with_it(model: VenueModel, survey: list[LabelledScan]) -> None:
    assert len(model.radio_map.transmitters) < len(model.survey.transmitters)
    again = from_bytes(to_bytes(model), None)
    assert again.survey.radio is not None and model.survey.radio is not None
    assert np.array_equal(again.survey.radio, model.survey.radio)
    assert again.radio_map.index == model.radio_map.index
    scans = [item.scan for item in survey[::29]]
    assert LightLocator((again,)).locate(scans) == LightLocator((model,)).locate(scans)


def test_the_plain_reference_knows_addresses_alone(model: VenueModel, survey: list[LabelledScan]) -> None:
    """It must stay what it was: each address a transmitter."""
    scans = [item.scan for item in survey[::29]]
    plain = locate_plainly(model, scans)
    merged = locate_plainly(replace(model, survey=model.radio_map), scans)
    assert not np.allclose(plain.xy_m, merged.xy_m)
    by_address = replace(model.survey, radio=None)
    unmerged = assemble_model(model.venue_id, by_address, model.settings, model.calibration, None)
    assert np.array_equal(plain.xy_m, locate_plainly(unmerged, scans).xy_m)


def test_healing_keeps_radios_and_gives_the_moved_address_one_of_its_own(survey: list[LabelledScan]) -> None:
    numbered = _numbered(survey)
    scan = Scan(_AT, tuple(Reading(TransmitterId(n), -60.0) for n in (*_TWINS, "x-new")))
    learned = Learned(
        scans=(scan,),
        store=np.array([-1], dtype=np.int32),
        is_inside=np.array([False]),
        xy_m=np.zeros((1, 2)),
        level=np.zeros(1, dtype=np.int32),
        group=("g",),
        is_confirmed=np.array([False]),
    )
    born, moved, dead = (TransmitterId(n) for n in ("x-new", "x-a1", "x-r000"))
    healed, _ = heal_map(numbered, RadioChanges((born,), (moved,), (dead,)), learned, np.zeros(1))
    merged = merge_radios(healed)
    of_twins = _columns(merged, _TWINS)
    assert of_twins[0] == of_twins[2] != of_twins[1]
    assert len(set(_columns(merged, ("x-r001", "x-r002")))) == 1
    assert merged.epochs is not None
    assert merged.epochs.born[_columns(merged, ("x-a0", "x-a1", "x-new"))].tolist() == [0, 1, 1]
