"""Tracks in the flow: of phones that allow visits alone, in the order of instants, in any split of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprints.scan import Reading, Scan
from flow.run_batch import BatchState, Deps, run_batch
from kernel.clock import to_epoch_us
from kernel.ids import DeviceId, DeviceRef, LevelId, PersonRef, ScanId, TransmitterId, VenueId
from members.device import AgeBand, Consent, Device, Purpose
from positioning.position import Located, Position
from scenes.places import PlaceBook
from scenes.rules import SceneRules
from scenes.service_day import ServiceDays

NOW = datetime(2026, 4, 18, 12, tzinfo=UTC)
VENUE = VenueId("v")


@dataclass(frozen=True)
class Anywhere:
    """A locator for these tests: always at 0, 0."""

    @property
    def venue_ids(self) -> tuple[VenueId, ...]:
        return (VENUE,)

    def locate(self, scans: Sequence[Scan]) -> list[Located]:
        return [Located(Position(VENUE, "F1", LevelId("F1"), 0.0, 0.0, 3.0, 0.9)) for _ in scans]


@dataclass(frozen=True)
class Counting:
    """A tracker for these tests: the record is the last instant and a count, which is told as the accuracy."""

    def advance_many(
        self, records: Sequence[bytes | None], located: Sequence[Located], scans: Sequence[Scan]
    ) -> list[tuple[bytes | None, Located]]:
        return [self._one(*each) for each in zip(records, located, scans, strict=True)]

    def _one(self, record: bytes | None, located: Located, scan: Scan) -> tuple[bytes | None, Located]:
        last_us, count = (0, 0) if record is None else (int(record[:20]), int(record[20:]))
        if to_epoch_us(scan.at) <= last_us:
            return record, located
        assert located.position is not None
        told = Located(replace(located.position, accuracy_m=100.0 + count))
        return f"{to_epoch_us(scan.at):020}{count + 1}".encode(), told


def device(name: str, *purposes: Purpose) -> Device:
    consents = tuple(Consent(purpose, "1", NOW - timedelta(days=1)) for purpose in purposes)
    return Device(DeviceRef(f"dev_{name}"), PersonRef(f"per_{name}"), AgeBand.ADULT, consents)


def scan(name: str | None, seconds: float) -> Scan:
    device_id = None if name is None else DeviceId(name)
    return Scan(
        NOW + timedelta(seconds=seconds), (Reading(TransmitterId("x"), -50.0),), ScanId(f"{name}-{seconds}"), device_id
    )


def deps(*, tracked: bool = True, now: datetime = NOW + timedelta(hours=1), refuses_future: bool = False) -> Deps:
    members = {DeviceId(name): device(name, Purpose.VISITS) for name in ("p", "q")}
    members[DeviceId("shy")] = device("shy", Purpose.ANALYTICS)
    tracker = Counting() if tracked else None
    return Deps(
        Anywhere(),
        members,
        [],
        {},
        SceneRules(),
        b"k" * 32,
        now,
        PlaceBook(),
        ServiceDays({}),
        {},
        refuses_future,
        tracker,
    )


def told_m(scans: Sequence[Scan], state: BatchState, given: Deps) -> list[float | None]:
    replies = run_batch(scans, state, given).replies
    return [None if r.located is None or r.located.position is None else r.located.position.accuracy_m for r in replies]


def test_a_phones_scans_are_taken_in_the_order_of_their_instants() -> None:
    scans = [scan("p", 20), scan("q", 5), scan("p", 10), scan("p", 30)]
    assert told_m(scans, BatchState(), deps()) == [101.0, 100.0, 100.0, 102.0]


@pytest.mark.parametrize("name", [None, "stranger", "shy"])
def test_who_is_unknown_or_allows_no_visits_leaves_no_track(name: str | None) -> None:
    result = run_batch([scan(name, 0), scan(name, 10)], BatchState(), deps())
    assert dict(result.state.tracks) == dict(result.effects.tracks) == {}
    assert told_m([scan(name, 0), scan(name, 10)], BatchState(), deps()) == [3.0, 3.0]


def test_a_withdrawn_consent_takes_the_track_along() -> None:
    before = BatchState(tracks={DeviceRef("dev_shy"): b"0" * 20 + b"1"})
    result = run_batch([scan("shy", 0)], before, deps())
    assert dict(result.state.tracks) == {}
    assert result.effects.tracks == {DeviceRef("dev_shy"): None}


def test_without_a_tracker_each_scan_is_answered_by_itself() -> None:
    result = run_batch([scan("p", 0), scan("p", 10)], BatchState(), deps(tracked=False))
    assert dict(result.state.tracks) == {}
    assert told_m([scan("p", 0), scan("p", 10)], BatchState(), deps(tracked=False)) == [3.0, 3.0]


def test_a_refused_or_ancient_scan_moves_no_track() -> None:
    early = deps(now=NOW, refuses_future=True)
    assert dict(run_batch([scan("p", 301)], BatchState(), early).state.tracks) == {}
    ancient = deps(now=NOW + timedelta(hours=25))
    assert dict(run_batch([scan("p", 0)], BatchState(), ancient).state.tracks) == {}
    assert told_m([scan("p", 0)], BatchState(), ancient) == [3.0]


def test_a_late_scan_leaves_the_track_and_gets_its_own_answer() -> None:
    state = run_batch([scan("p", 100)], BatchState(), deps()).state
    late = run_batch([scan("p", 50)], state, deps())
    assert late.state.tracks == state.tracks
    assert dict(late.effects.tracks) == {}
    assert told_m([scan("p", 50)], state, deps()) == [3.0]


@given(
    st.lists(st.tuples(st.sampled_from(["p", "q", "shy", None]), st.integers(1, 9)), max_size=30), st.integers(0, 30)
)
def test_any_split_of_a_batch_gives_the_same_tracks(drawn: list[tuple[str | None, int]], cut: int) -> None:
    seconds, scans = 0, []
    for name, wait in drawn:
        seconds += wait
        scans.append(scan(name, seconds))
    whole = run_batch(scans, BatchState(), deps())
    first = run_batch(scans[:cut], BatchState(), deps())
    second = run_batch(scans[cut:], first.state, deps())
    assert second.state.tracks == whole.state.tracks
    assert first.replies + second.replies == whole.replies
