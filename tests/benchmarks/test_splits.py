"""Splits keep walks whole, are the same for everyone, and refuse what they cannot keep."""

from dataclasses import replace

import pytest

from benchmarks.positioning.splits import is_test_walk, number_groups, split_by_file, split_by_walk
from fingerprints.scan import LabelledScan
from runtime.errors import VenueFileError
from sim.world import World


@pytest.fixture(scope="module")
def survey(small_world: World) -> list[LabelledScan]:
    return small_world.survey(scans_per_store=12)


def test_no_walk_is_on_both_sides_and_no_scan_is_lost(survey: list[LabelledScan]) -> None:
    split = split_by_walk(survey, "survey.ndjson")
    names = {item.walk for item in split.survey}, {item.walk for item in split.test}
    assert names[0].isdisjoint(names[1])
    assert len(split.survey) + len(split.test) == len(survey)
    # a fifth of about 80 walks: 0.05 and 0.4 are more than three standard deviations off
    assert 0.05 < len(names[1]) / (len(names[0]) + len(names[1])) < 0.4


def test_the_rule_looks_at_the_name_alone(survey: list[LabelledScan]) -> None:
    """sha1 mod 100 of these names: 4, 7, 59 and 61."""
    assert [is_test_walk(name) for name in ("user-3", "user-5", "user-12", "store-0-2")] == [True, True, False, False]
    there = split_by_walk(survey, "a")
    back = split_by_walk(survey[::-1], "b")
    assert set(map(id, there.test)) == set(map(id, back.test))


def test_nameless_scans_are_refused(survey: list[LabelledScan]) -> None:
    some = [replace(item, walk=None) for item in survey[:3]] + survey[3:]
    with pytest.raises(VenueFileError, match=f"3 of {len(survey)} scans name no walk"):
        split_by_walk(some, "survey.ndjson")


def test_a_walk_in_survey_and_test_file_is_refused(survey: list[LabelledScan]) -> None:
    walk = survey[0].walk
    mine = [item for item in survey if item.walk != walk]
    with pytest.raises(VenueFileError, match=f"share 1 walks, such as '{mine[-1].walk}'"):
        split_by_file(mine, [item for item in survey if item.walk in (walk, mine[-1].walk)], "a", "b")
    nameless = [replace(item, walk=None) for item in survey]
    assert len(split_by_file(nameless, nameless, "a", "b").test) == len(survey)  # nothing is known to be shared


def test_too_few_scans_are_refused(survey: list[LabelledScan]) -> None:
    one_walk = [item for item in survey if item.walk == survey[0].walk]
    with pytest.raises(VenueFileError, match="at least 10 test scans, found 0"):
        split_by_walk([replace(item, walk="user-12") for item in survey[:40]], "a")
    others = [item for item in survey if item.walk != survey[0].walk]
    with pytest.raises(VenueFileError, match="at least 10 test scans, found 3"):
        split_by_file(others, one_walk[:3], "a", "b")


def test_groups_are_walks_and_spots_of_the_nameless(survey: list[LabelledScan]) -> None:
    first = survey[0]
    elsewhere = replace(first, walk=None, truth=replace(first.truth, lat_deg=first.truth.lat_deg + 1e-4))
    nameless = replace(first, walk=None)
    group = number_groups([first, nameless, elsewhere, nameless, replace(elsewhere, walk=first.walk)])
    assert group.tolist() == [0, 1, 2, 1, 0]
