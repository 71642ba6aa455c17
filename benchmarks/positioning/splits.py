"""Which scans are the survey's and which the test's: whole walks, by a rule that anyone can repeat."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fingerprints.scan import LabelledScan
from positioning.radio_map import I32
from runtime.errors import VenueFileError

TEST_PERCENT = 20
MIN_SCANS = 10
"""Fewer survey or test scans than this compare nothing."""


@dataclass(frozen=True, slots=True)
class Split:
    """Survey and test scans that share no walk; ``rule`` says how they were parted."""

    survey: tuple[LabelledScan, ...]
    test: tuple[LabelledScan, ...]
    rule: str


def is_test_walk(walk: str) -> bool:
    """The fixed split: by the walk's name alone.

    >>> [is_test_walk(name) for name in ("user-3", "user-5", "user-12")]
    [True, True, False]
    """
    return int(hashlib.sha1(walk.encode()).hexdigest(), 16) % 100 < TEST_PERCENT


def split_by_walk(scans: Sequence[LabelledScan], file: str) -> Split:
    """Part one file by the fixed rule.

    Raises:
        VenueFileError: scans without a walk, or a side with too few scans.
    """
    n_nameless = sum(item.walk is None for item in scans)
    if n_nameless:
        raise VenueFileError(
            f"{file}: {n_nameless} of {len(scans)} scans name no walk, and a split needs whole walks:"
            " give truth.walk (or device_id) in each line, or a test file with --test"
        )
    split = Split(
        tuple(item for item in scans if not is_test_walk(item.walk or "")),
        tuple(item for item in scans if is_test_walk(item.walk or "")),
        f"walks of {file} with sha1 % 100 < {TEST_PERCENT} are the test",
    )
    _check_sizes(split, f"; {file} has {count_walks(scans)} walks" if len(scans) >= 2 * MIN_SCANS else "")
    return split


def split_by_file(
    survey: Sequence[LabelledScan], test: Sequence[LabelledScan], survey_file: str, test_file: str
) -> Split:
    """A survey and a test that were given apart.

    Raises:
        VenueFileError: a walk is in both, or a side has too few scans.
    """
    shared = {item.walk for item in survey if item.walk is not None} & {item.walk for item in test}
    if shared:
        raise VenueFileError(
            f"{survey_file} and {test_file} share {len(shared)} walks, such as {min(map(str, shared))!r}:"
            " scans of one walk are near copies, so none may be on both sides"
        )
    split = Split(tuple(survey), tuple(test), f"survey {survey_file}, test {test_file}")
    _check_sizes(split, "")
    return split


def number_groups(scans: Sequence[LabelledScan]) -> I32:
    """Number what is resampled together: the walk; of a nameless scan its spot, where near copies stand."""
    numbers: dict[object, int] = {}
    out = np.empty(len(scans), dtype=np.int32)
    for i, item in enumerate(scans):
        truth = item.truth
        spot = (truth.building, truth.level, round(truth.lat_deg, 6), round(truth.lon_deg, 6))
        out[i] = numbers.setdefault(spot if item.walk is None else item.walk, len(numbers))
    return out


def count_walks(scans: Sequence[LabelledScan]) -> int:
    """How many walks are named."""
    return len({item.walk for item in scans if item.walk is not None})


def _check_sizes(split: Split, more: str) -> None:
    for side, scans in (("survey", split.survey), ("test", split.test)):
        if len(scans) < MIN_SCANS:
            raise VenueFileError(
                f"too few scans to compare anything: expected at least {MIN_SCANS} {side} scans,"
                f" found {len(scans)} ({split.rule}{more})"
            )
