"""Which building a scan is in: the neighbours' votes and the transmitters that are heard at all."""

from datetime import UTC, datetime

import numpy as np

from fingerprints.scan import LabelledScan, Reading, Scan, Truth
from kernel.ids import TransmitterId
from positioning.buildings import build_building_table, hear_buildings, hear_buildings_held_out
from positioning.choose import HeldOutScans
from positioning.kernels.places import vote_levels
from positioning.radio_map import RadioMap, ReadingBatch, compile_radio_map, encode

_AT = datetime(2026, 6, 1, tzinfo=UTC)


def _survey() -> list[LabelledScan]:
    """Two buildings of two levels, 100 m apart; ``x-a`` is heard all over A, ``x-both`` everywhere."""
    scans = []
    for building, lon_deg in (("A", 0.0), ("B", 0.001)):
        for level in ("0", "1"):
            for visit in range(12):
                heard = (f"x-{building.lower()}", f"x-{building.lower()}{level}", "x-both")
                readings = tuple(Reading(TransmitterId(name), -60.0 - visit) for name in heard)
                truth = Truth(lat_deg=0.0, lon_deg=lon_deg, level=level, building=building)
                scans.append(LabelledScan(scan=Scan(_AT, readings), truth=truth, walk=f"{building}{visit % 3}"))
    return scans


def _map() -> RadioMap:
    return compile_radio_map(_survey(), None)


def test_a_transmitter_speaks_for_the_building_it_is_heard_in() -> None:
    radio_map = _map()
    table = build_building_table(radio_map)
    assert [radio_map.levels[at].building for at in range(4)] == [["A", "B"][b] for b in table.of_level]
    of_a, of_both = (table.evidence[radio_map.index[TransmitterId(name)]] for name in ("x-a", "x-both"))
    # rates (24 + 0.5) / 25 and 0.5 / 25: shares 0.98 and 0.02
    assert np.allclose(of_a, [0.1 * np.log(0.98), 0.1 * np.log(0.02)], atol=1e-6)
    assert np.allclose(of_both, 0.1 * np.log(0.5), atol=1e-6)


def test_evidence_adds_up_over_what_a_scan_hears() -> None:
    radio_map = _map()
    table = build_building_table(radio_map)
    scan = Scan(_AT, (Reading(TransmitterId("x-a"), -50.0), Reading(TransmitterId("x-b"), -90.0)))
    heard = hear_buildings(table, encode([scan, Scan(_AT, ())], radio_map.index))
    assert np.allclose(
        heard[0], table.evidence[[radio_map.index[TransmitterId(n)] for n in ("x-a", "x-b")]].sum(axis=0)
    )
    assert heard[1].tolist() == [0.0, 0.0]


def test_held_out_evidence_is_that_of_a_survey_without_the_walk() -> None:
    survey = _survey()
    radio_map = compile_radio_map(survey, None)
    others = compile_radio_map([held for held in survey if held.walk != "A0"], None)
    table = build_building_table(radio_map)
    held_out = hear_buildings_held_out(radio_map, table, radio_map.readings, radio_map.walk)
    mine = [at for at, held in enumerate(survey) if held.walk == "A0"]
    expected = hear_buildings(build_building_table(others), encode([survey[at].scan for at in mine], others.index))
    assert np.allclose(held_out[mine], expected, atol=1e-6)


def test_a_damaged_scan_has_the_evidence_of_what_is_left_of_it() -> None:
    radio_map = _map()
    scans = HeldOutScans.of(radio_map, np.arange(radio_map.n_scans))
    nothing = ReadingBatch(
        np.zeros(radio_map.n_scans + 1, dtype=np.int64),
        np.empty(0, dtype=np.int32),
        np.empty(0, dtype=np.float32),
        np.empty(0, dtype=np.float32),
        radio_map.readings.n_heard,
    )
    assert (np.abs(scans.evidence).sum(axis=1) > 0).all()
    assert (scans.as_heard(nothing).evidence == 0).all()
    assert (scans.as_heard(scans.batch).evidence == scans.evidence).all()


def test_the_building_is_settled_before_its_level() -> None:
    """Three neighbours on level 0 of A, two each on two levels of B: B has more votes, A the level with the most."""
    index = np.array([[0, 1, 2, 3, 4, 5, 6]], dtype=np.int32)
    weight = np.full((1, 7), 1 / 7, dtype=np.float32)
    m_level = np.array([0, 0, 0, 1, 1, 2, 2], dtype=np.int32)
    building = np.array([0, 1, 1], dtype=np.int32)

    def settle(evidence: list[float]) -> tuple[int, float]:
        level, share = np.empty(1, dtype=np.int32), np.empty(1, dtype=np.float32)
        vote_levels(index, weight, m_level, building, np.array([evidence], dtype=np.float32), level, share)
        return int(level[0]), round(float(share[0]), 4)

    assert settle([0.0, 0.0]) == (1, 0.2857)
    assert settle([1.0, 0.0]) == (0, 0.4286)


def test_evidence_alone_never_names_a_building_without_votes() -> None:
    level, share = np.empty(1, dtype=np.int32), np.empty(1, dtype=np.float32)
    vote_levels(
        np.array([[0]], dtype=np.int32),
        np.ones((1, 1), dtype=np.float32),
        np.zeros(1, dtype=np.int32),
        np.array([0, 1], dtype=np.int32),
        np.array([[-50.0, 0.0]], dtype=np.float32),
        level,
        share,
    )
    assert (level[0], share[0]) == (0, 1.0)
