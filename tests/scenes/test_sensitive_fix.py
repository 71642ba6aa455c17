"""An answer that is of a sensitive store gives no fix of its neighbours either."""

from datetime import UTC, datetime

from kernel.ids import LevelId, StoreId, VenueId
from positioning.position import Candidate, Located, Position
from scenes.fix import fix_of

AT = datetime(2026, 4, 18, 12, tzinfo=UTC)
SHOES, CLINIC = StoreId("st_shoes"), StoreId("st_clinic")


def answer(*ranked: tuple[StoreId, float]) -> Located:
    candidates = tuple(Candidate(store, store, probability) for store, probability in ranked)
    first, confidence = ranked[0]
    place = (VenueId("v"), "F1", LevelId("F1"), 0.0, 0.0, 3.0, confidence, None, 1.0, first, first)
    return Located(Position(*place, candidates, (first,)))


def test_an_answer_of_a_sensitive_store_names_the_level_and_no_store() -> None:
    fix = fix_of(answer((CLINIC, 0.6), (SHOES, 0.4)), AT, {CLINIC})
    assert (fix.venue_id, fix.level_id, fix.stores, fix.front) == ("v", "F1", (), None)


def test_an_answer_of_its_neighbour_names_the_neighbour_alone() -> None:
    fix = fix_of(answer((SHOES, 0.6), (CLINIC, 0.4)), AT, {CLINIC})
    assert (fix.stores, fix.front) == (((SHOES, 0.6),), SHOES)
