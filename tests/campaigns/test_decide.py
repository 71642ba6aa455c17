"""Decisions: the golden cases, and the laws of budget and cap under any sequence of moments."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.campaign import Campaign, CampaignStatus, Card, Offer, Target, Trigger, Zone
from campaigns.decide import Ledger, Moment, Reason, RunningLedger, decide
from kernel.ids import CampaignId, LevelId, PersonRef, StoreId, VenueId, VisitId, ZoneId
from scenes.rules import PlaceKind
from scenes.state import Fix, Place, Visit

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
VENUE = VenueId("v")
KEY = b"k" * 32
CASES = json.loads((Path(__file__).parent.parent / "golden" / "decisions.json").read_text())


def campaign_of(case: dict[str, Any]) -> Campaign:
    return Campaign(
        id=CampaignId("cmp_1"),
        name="test",
        venue_id=VenueId(case.get("venue_id", "v")),
        target=Target(**case.get("target", {"kind": "store", "id": "a"})),
        trigger=Trigger(**case.get("trigger", {})),
        starts_at=NOW + timedelta(seconds=case.get("starts_in_s", -3600)),
        ends_at=NOW + timedelta(seconds=case.get("ends_in_s", 3600)),
        budget=case.get("budget", 100),
        per_person=case.get("per_person", 1),
        card=Card("t", "b"),
        offer=Offer("percentage", 10, None, 3600),
        status=CampaignStatus(case.get("status", "live")),
    )


def moment_of(evidence: dict[str, float], person: str = "per_1", dwell_s: float = 0, visit_id: str = "vis_a") -> Moment:
    stores = tuple(sorted(((StoreId(s), p) for s, p in evidence.items()), key=lambda item: -item[1]))
    fix = Fix(NOW, VENUE, LevelId("F1"), stores, walkway=0.05)
    visits = {}
    for kind, place in ((PlaceKind.STORE, "a"), (PlaceKind.LEVEL, "F1"), (PlaceKind.VENUE, "v")):
        visits[kind] = Visit(
            VisitId(visit_id if kind is PlaceKind.STORE else f"{visit_id}-{place}"),
            Place(kind, place, VENUE),
            NOW - timedelta(seconds=dwell_s),
            NOW,
            3,
            0.9,
        )
    return Moment(PersonRef(person), NOW, fix, visits)


@pytest.mark.parametrize("case", CASES, ids=[case["law"] for case in CASES])
def test_golden(case: dict[str, Any]) -> None:
    campaign = campaign_of(case)
    zone = Zone(ZoneId("z"), "zone", VENUE, frozenset(StoreId(store) for store in case.get("zone", [])))
    person, visit = PersonRef("per_1"), VisitId("vis_a")
    ledger = Ledger(
        given={campaign.id: case.get("given", 0)},
        given_to={(campaign.id, person): case.get("given_to", 0)},
        settled={(campaign.id, visit): frozenset(Reason(reason) for reason in case.get("settled", []))},
    )
    moment = moment_of(case["evidence"], dwell_s=case.get("dwell_s", 0))
    decided = decide(moment, [campaign], {"z": zone}, ledger, KEY)
    found = [delivery.reason.value for delivery in decided]
    assert found == ([] if case["expect"] is None else [case["expect"]])
    if case["expect"] is None:
        return
    (delivery,) = decided
    assert delivery.explanation
    assert case.get("explains", "") in delivery.explanation
    assert (delivery.card_id is not None) is (delivery.coupon is not None) is (case["expect"] == "delivered")


moments = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8), st.floats(0, 1)), max_size=80)


@given(moments, st.integers(1, 6), st.integers(1, 2))
def test_no_sequence_of_moments_gives_more_than_the_budget_or_the_cap(
    draws: list[tuple[int, int, float]], budget: int, per_person: int
) -> None:
    campaign = campaign_of({"budget": budget, "per_person": per_person})
    ledger, given = RunningLedger(Ledger()), []
    for person, visit, evidence in draws:
        moment = moment_of({"a": evidence}, f"per_{person}", visit_id=f"vis_{person}_{visit}")
        decided = decide(moment, [campaign], {}, ledger.now, KEY)
        ledger.take(decided)
        given += [delivery for delivery in decided if delivery.is_delivered]
    assert len(given) <= budget
    assert max(Counter(delivery.person for delivery in given).values(), default=0) <= per_person
    assert ledger.now.given.get(campaign.id, 0) == len(given)
    codes = [delivery.coupon.code for delivery in given if delivery.coupon is not None]
    assert len(set(codes)) == len(given)
    assert [d.coupon.sequence for d in given if d.coupon is not None] == list(range(1, len(given) + 1))


def test_a_batch_copies_its_ledger_once_and_leaves_the_one_it_began_from() -> None:
    campaign = campaign_of({})
    start = Ledger(settled={(campaign.id, VisitId(f"old_{i}")): frozenset({Reason.DELIVERED}) for i in range(3)})
    running = RunningLedger(start)
    running.take(())
    assert running.now is start  # nothing given, nothing copied
    held = []
    for person in range(4):
        moment = moment_of({"a": 0.9}, f"per_{person}", visit_id=f"vis_{person}")
        running.take(decide(moment, [campaign], {}, running.now, KEY))
        held.append(running.now.settled)
    assert all(mapping is held[0] for mapping in held)
    assert len(running.now.settled) == 7
    assert running.now.given == {campaign.id: 4}
    assert len(start.settled) == 3
    assert start.given == {}
