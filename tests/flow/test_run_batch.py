"""The one flow is pure: arguments unchanged, any split of a batch gives the same, refusals are told apart."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.campaign import Campaign, CampaignStatus, Card, Offer, Target, Trigger
from fingerprints.scan import Reading, Scan
from flow.answers import reply_json
from flow.errors import ClockAheadError
from flow.run_batch import BatchState, Deps, phones_behind, run_batch
from kernel.ids import CampaignId, DeviceId, DeviceRef, LevelId, PersonRef, ScanId, StoreId, TransmitterId, VenueId
from members.device import AgeBand, Consent, Device, Purpose
from positioning.position import Candidate, Located, NoPositionReason, Position
from scenes.places import PlaceBook
from scenes.rules import PlaceKind, SceneRules
from scenes.service_day import ServiceDays

NOW = datetime(2026, 4, 18, 12, tzinfo=UTC)
VENUE = VenueId("v")


@dataclass(frozen=True)
class ByFirstReading:
    """A locator for these tests: the strongest transmitter's name is the store."""

    @property
    def venue_ids(self) -> tuple[VenueId, ...]:
        return (VENUE,)

    def locate(self, scans: Sequence[Scan]) -> list[Located]:
        return [self._one(scan) for scan in scans]

    def _one(self, scan: Scan) -> Located:
        if not scan.readings:
            return Located(None, NoPositionReason.NO_READINGS)
        store = StoreId(scan.readings[0].transmitter)
        candidate = Candidate(store, store, 0.95)
        return Located(
            Position(VENUE, "F1", LevelId("F1"), 0.0, 0.0, 3.0, 0.9, None, 0.95, store, store, (candidate,), (store,))
        )


def device(name: str) -> Device:
    consents = tuple(Consent(purpose, "1", NOW) for purpose in (Purpose.VISITS, Purpose.MARKETING))
    return Device(DeviceRef(f"dev_{name}"), PersonRef(f"per_{name}"), AgeBand.ADULT, consents)


def scan(name: str | None, store: str | None, seconds: float) -> Scan:
    readings = () if store is None else (Reading(TransmitterId(store), -50.0),)
    device_id = None if name is None else DeviceId(name)
    return Scan(NOW + timedelta(seconds=seconds), readings, ScanId(f"{name}-{seconds}"), device_id)


CAMPAIGN = Campaign(
    CampaignId("cmp_1"),
    "c",
    VENUE,
    Target("store", "a"),
    Trigger(),
    NOW - timedelta(days=1),
    NOW + timedelta(days=1),
    2,
    1,
    Card("t", "b"),
    Offer("gift", 0, None, 3600),
    CampaignStatus.LIVE,
)


def deps(
    now: datetime = NOW + timedelta(hours=1),
    refuses_future: bool = False,
    sensitive: Mapping[VenueId, frozenset[StoreId]] | None = None,
) -> Deps:
    members = {DeviceId(name): device(name) for name in ("p", "q", "r", "s")}
    return Deps(
        ByFirstReading(),
        members,
        [CAMPAIGN],
        {},
        SceneRules(),
        b"k" * 32,
        now,
        PlaceBook(),
        ServiceDays({}),
        sensitive or {},
        refuses_future,
    )


def told_of(state: BatchState) -> tuple[dict[str, bytes], object]:
    """What can be compared of a state."""
    return {ref: record.tobytes() for ref, record in state.scenes.items()}, state.ledger


draws = st.lists(
    st.tuples(
        st.sampled_from(["p", "q", "r", "s", "stranger", None]), st.sampled_from(["a", "b", None]), st.integers(1, 40)
    ),
    max_size=60,
)


def scans_from(drawn: list[tuple[str | None, str | None, int]]) -> list[Scan]:
    seconds, scans = 0, []
    for name, store, wait in drawn:
        seconds += wait
        scans.append(scan(name, store, seconds))
    return scans


@given(draws, st.integers(0, 60))
@settings(deadline=None)
def test_any_split_of_a_batch_gives_the_same_replies_state_and_effects(
    drawn: list[tuple[str | None, str | None, int]], cut: int
) -> None:
    scans = scans_from(drawn)
    given_deps = deps()
    whole = run_batch(scans, BatchState(), given_deps)
    first = run_batch(scans[:cut], BatchState(), given_deps)
    second = run_batch(scans[cut:], first.state, given_deps)
    assert first.replies + second.replies == whole.replies
    assert told_of(second.state) == told_of(whole.state)
    assert first.effects.events + second.effects.events == whole.effects.events
    assert first.effects.deliveries + second.effects.deliveries == whole.effects.deliveries
    last = {visit.visit_id: visit for _, visit in first.effects.visits + second.effects.visits}
    assert last == {visit.visit_id: visit for _, visit in whole.effects.visits}


@given(draws)
@settings(deadline=None)
def test_arguments_do_not_change_and_the_budget_holds(drawn: list[tuple[str | None, str | None, int]]) -> None:
    scans, state = scans_from(drawn), BatchState()
    before = copy.deepcopy((scans, state))
    result = run_batch(scans, state, deps())
    assert (scans, state) == before
    assert sum(delivery.is_delivered for delivery in result.effects.deliveries) <= 2
    assert len(result.replies) == len(scans)
    for asked, reply in zip(scans, result.replies, strict=True):
        assert reply.scan is asked
        assert (reply.scene is None) is (asked.device_id not in deps().members)


def test_scans_out_of_order_in_a_batch_are_taken_in_time_and_answered_in_place() -> None:
    ordered = [scan("p", "a", 10 * i) for i in range(6)]
    shuffled = [ordered[i] for i in (3, 0, 5, 1, 4, 2)]
    result = run_batch(shuffled, BatchState(), deps())
    assert [reply.scan for reply in result.replies] == shuffled
    assert told_of(result.state) == told_of(run_batch(ordered, BatchState(), deps()).state)


def test_a_late_scan_is_put_in_its_place_and_one_too_late_or_without_a_log_changes_nothing() -> None:
    scans = [scan("p", "a", 10 * i) for i in range(8)]
    given_deps = deps(scans[-1].at)
    whole = run_batch(scans, BatchState(), given_deps)
    part = run_batch([*scans[:3], *scans[4:]], BatchState(), given_deps)
    ref = device("p").ref
    state = replace(part.state, fixes={ref: part.effects.fixes[ref]})
    assert phones_behind([scans[3]], given_deps.members, part.state.scenes) == {ref}
    late = run_batch([scans[3]], state, given_deps)
    assert told_of(late.state) == told_of(whole.state)
    assert not late.replies[0].is_late
    assert late.replies[0].deliveries == ()
    assert late.effects.events == ()  # nothing that was told is otherwise
    assert {v.visit_id: v for _, v in late.effects.visits} == {v.visit_id: v for _, v in whole.effects.visits}
    too_late = run_batch([scan("p", "b", 70 - 121)], state, given_deps)
    without = run_batch([scans[3]], part.state, given_deps)
    for refused in (too_late, without):
        assert refused.replies[0].is_late
        assert told_of(refused.state) == told_of(part.state)
        assert refused.effects.fixes == {}
    again = run_batch([scans[4]], state, given_deps)
    assert told_of(again.state) == told_of(part.state)
    assert again.effects.events == ()


def test_a_scan_from_the_future_is_refused_by_the_machines_clock_alone() -> None:
    ahead = scan("p", "a", 301)
    (refused,) = run_batch([ahead], BatchState(), deps(NOW, refuses_future=True)).replies
    assert isinstance(refused.error, ClockAheadError)
    assert refused.error.ahead == timedelta(seconds=301)
    with pytest.raises(ValueError, match="refused"):
        reply_json(refused, {})
    (fine,) = run_batch([scan("p", "a", 300)], BatchState(), deps(NOW, refuses_future=True)).replies
    assert fine.error is None
    (played,) = run_batch([ahead], BatchState(), deps(NOW)).replies
    assert played.error is None


def test_a_scan_older_than_a_day_gets_a_position_only() -> None:
    result = run_batch([scan("p", "a", 0)], BatchState(), deps(NOW + timedelta(hours=24, seconds=1)))
    assert result.replies[0].located is not None
    assert result.replies[0].scene is None
    assert result.state.scenes == {}


def test_of_a_sensitive_store_the_phone_gets_its_position_and_nothing_else_is_made() -> None:
    elsewhere = replace(CAMPAIGN, id=CampaignId("cmp_2"), target=Target("level", "F1"))
    given = replace(deps(sensitive={VENUE: frozenset({StoreId("a")})}), campaigns=[CAMPAIGN, elsewhere])
    scans = [scan("p", "a", 10 * i) for i in range(60)]
    result = run_batch(scans, BatchState(), given)
    assert all(r.located and r.located.position and r.located.position.store_id == "a" for r in result.replies)
    assert all(r.is_at_sensitive for r in result.replies)
    assert {visit.place.id for _, visit in result.effects.visits} == {"v", "F1"}
    assert "a" not in {one.event.place.id for one in result.effects.events if one.event.place is not None}
    assert result.effects.deliveries == ()
    with pytest.raises(IndexError):
        given.places.place_id(1, 0, 2)  # it has no number, so no record can name it
    plain = run_batch(scans, BatchState(), replace(given, sensitive={}))
    assert "a" in {visit.place.id for _, visit in plain.effects.visits}
    assert plain.effects.deliveries


def test_a_visit_beside_a_sensitive_store_ends_where_that_begins() -> None:
    scans = [scan("p", "b", 10 * i) for i in range(12)] + [scan("p", "a", 120 + 10 * i) for i in range(60)]
    result = run_batch(scans, BatchState(), deps(sensitive={VENUE: frozenset({StoreId("a")})}))
    stores = [visit for _, visit in result.effects.visits if visit.place.kind is PlaceKind.STORE]
    assert [(visit.place.id, visit.last_inside_at) for visit in stores] == [("b", scans[11].at)]
    assert stores[0].left_at == scans[11].at
