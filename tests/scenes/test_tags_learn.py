"""Learning tags: compiled sums equal plain ones, in any order, and can be taken back; some things leave no trace."""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.errors import SnapshotError
from scenes.tags.kernels.layout import (
    BAND,
    BRANDS,
    CATEGORIES,
    DAYS,
    DWELL_SUM,
    DWELL_WEIGHT,
    HEAD,
    LANDMARK,
    LEVEL_VISIT,
    LEVELS,
    MOST_BRANDS,
    MOST_CATEGORIES,
    MOST_DAYS,
    MOST_ENTRIES,
    MOST_LEVELS,
    N_BRAND,
    N_CATEGORY,
    N_DAYS,
    N_LEVEL,
    N_VISITS,
    N_WORDS,
    PASS,
    PURCHASE,
    SLOT_ENTRIES,
    STORE_VISIT,
    TOTAL,
    VENUE_VISIT,
    WEEKDAY,
    Rows,
)
from scenes.tags.learn import empty_rows, learn, unlearn
from scenes.tags.places import TagPlaces, plain_places
from scenes.tags.record import TagStates, admit, forget, make_states, restore_snapshot, take_snapshot
from scenes.tags.rules import TagRules

RULES = TagRules()
PLACES = plain_places(12, np.array([600.0, 300.0, 2_400.0, 900.0]), np.array([0, 0, 1, 2, 3, 3]), 3)
FIRST_DAY = 20_000
N_PEOPLE = 3
TOLERANCE = 1e-5
"""Of the greatest sum: 32-bit floats keep 7 digits, and at most some dozens are added."""

Told = tuple[int, int, int, int, int, int, int]


def told(days: int = 12) -> st.SearchStrategy[list[Told]]:
    """Person, kind, store, day, stay, hour, counted; few enough days that no list overflows."""
    one = st.tuples(
        st.integers(0, N_PEOPLE - 1),
        st.integers(STORE_VISIT, PURCHASE),
        st.integers(0, 11),
        st.integers(0, days - 1),
        st.integers(1, 4_000),
        st.integers(0, 23),
        st.integers(0, 1),
    )
    return st.lists(one, max_size=40)


def rows_of(things: list[Told], spread: int = 1) -> Rows:
    rows = empty_rows(len(things))
    for row, (person, kind, store, day, stay_s, hour, counted) in zip(rows, things, strict=True):
        row["person"], row["kind"], row["store"], row["day"] = person, kind, store, FIRST_DAY + spread * (day % 8)
        row["left_s"], row["hour"], row["is_counted"], row["level"] = stay_s, hour, counted, store % 3
        row["brand"] = store % 6
        row["category"] = PLACES.category_of_brand[store % 6]
    return rows


def learnt(rows: Rows, places: TagPlaces = PLACES, rules: TagRules = RULES) -> TagStates:
    states = make_states(N_PEOPLE)
    admit(states, np.arange(N_PEOPLE))
    learn(states, rows, places, rules)
    return states


@dataclass
class Twin:
    """One person in plain objects, sums as of day ``FIRST_DAY``."""

    total: float = 0.0
    dwell: float = 0.0
    dwell_weight: float = 0.0
    n_visits: int = 0
    category: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    category_n: Counter[int] = field(default_factory=Counter)
    brand: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    level: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    weekday: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    band: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    days: Counter[int] = field(default_factory=Counter)
    entries: Counter[tuple[int, int, int]] = field(default_factory=Counter)

    def take(self, row: np.void) -> None:
        day, kind, category = int(row["day"]), int(row["kind"]), int(row["category"])
        stay_s = max(int(row["left_s"]), 1)
        weight = 2.0 ** ((day - FIRST_DAY) / RULES.half_life_days)
        if kind <= VENUE_VISIT and not row["is_counted"]:
            return
        if kind == STORE_VISIT:
            ratio = stay_s / float(PLACES.base_dwell_s[category])
            self.n_visits += 1
            self.dwell += weight * math.log(ratio)
            self.dwell_weight += weight
            weight *= min(1.0, stay_s / RULES.full_dwell_s)
            self.total += weight
            self.category[category] += weight
            self.category_n[category] += 1
            self.brand[int(row["brand"])] += weight
            self.entries[category, day, 2 if ratio >= RULES.long_visit_ratio else 1] += 1
        elif kind == LEVEL_VISIT:
            self.level[int(row["level"])] += weight
        elif kind == VENUE_VISIT:
            hour = int(row["hour"])
            band = 4 if hour < 4 or hour >= 20 else sum(hour >= start for start in (11, 14, 17))
            self.band[band] += weight
            if self.days[day] == 0:
                self.weekday[(day + 3) % 7] += weight
            self.days[day] += 1
        elif kind == PURCHASE:
            self.entries[category, day, 3] += 1
        elif kind == PASS and stay_s >= RULES.min_frontage_s:
            self.entries[category, day, 0] += 1


def slots(states: TagStates, person: int, first: int, most: int, width: int) -> dict[int, float]:
    rec = states.words[person]
    scale = 2.0 ** (int(rec[LANDMARK]) - FIRST_DAY / RULES.half_life_days)
    found = {}
    for at in range(first, first + most * width, width):
        if rec[at] & 0xFFFF:
            found[int(rec[at] & 0xFFFF) - 1] = float(states.floats[person, at + 1]) * scale
    return found


def entries(states: TagStates, person: int) -> dict[tuple[int, int, int], int]:
    rec, found = states.words[person], {}
    for at in range(CATEGORIES, CATEGORIES + MOST_CATEGORIES * N_CATEGORY, N_CATEGORY):
        for k in range(at + SLOT_ENTRIES, at + SLOT_ENTRIES + MOST_ENTRIES):
            word = int(rec[k]) & 0xFFFFFFFF
            for kind in range(4):
                if (word >> (4 * kind)) & 15:
                    found[int(rec[at] & 0xFFFF) - 1, word >> 16, kind] = (word >> (4 * kind)) & 15
    return found


def near(found: dict[int, float], expected: dict[int, float]) -> None:
    for key in found.keys() | {key for key, value in expected.items() if value}:
        assert found.get(key, 0.0) == pytest.approx(expected.get(key, 0.0), abs=60 * TOLERANCE), key


@settings(deadline=None, max_examples=150)
@given(told(), st.integers(1, 40))
def test_the_compiled_sums_equal_plain_ones(things: list[Told], spread: int) -> None:
    rows = rows_of(things, spread)
    states = learnt(rows)
    for person in range(N_PEOPLE):
        twin = Twin()
        for row in rows[rows["person"] == person]:
            twin.take(row)
        rec, scale = states.words[person], 2.0 ** (int(states.words[person, LANDMARK]) - FIRST_DAY / 60)
        floats = states.floats[person].astype(float) * scale
        assert floats[TOTAL] == pytest.approx(twin.total, rel=TOLERANCE)
        assert floats[DWELL_SUM] == pytest.approx(twin.dwell, abs=1e-3)
        assert floats[DWELL_WEIGHT] == pytest.approx(twin.dwell_weight, rel=TOLERANCE)
        assert rec[N_VISITS] == twin.n_visits
        assert rec[N_DAYS] == len(twin.days)
        near(slots(states, person, CATEGORIES, MOST_CATEGORIES, N_CATEGORY), twin.category)
        near(slots(states, person, BRANDS, MOST_BRANDS, N_BRAND), twin.brand)
        near(slots(states, person, LEVELS, MOST_LEVELS, N_LEVEL), twin.level)
        near(dict(enumerate(floats[WEEKDAY : WEEKDAY + 7])), twin.weekday)
        near(dict(enumerate(floats[BAND : BAND + 5])), twin.band)
        kept = {int(word & 0xFFFF): int(word >> 16) for word in rec[DAYS : DAYS + MOST_DAYS] if word}
        assert kept == dict(twin.days)
        assert entries(states, person) == {key: min(n, 15) for key, n in twin.entries.items()}


@settings(deadline=None, max_examples=100)
@given(told(), st.randoms(use_true_random=False), st.integers(1, 200))
def test_the_order_of_telling_does_not_matter(things: list[Told], random: object, spread: int) -> None:
    rows = rows_of(things, spread)
    order = np.arange(len(rows))
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis' Random
    states, other = learnt(rows), learnt(rows[order])
    for person in range(N_PEOPLE):
        for first, most, width in (
            (CATEGORIES, MOST_CATEGORIES, N_CATEGORY),
            (BRANDS, MOST_BRANDS, N_BRAND),
            (LEVELS, MOST_LEVELS, N_LEVEL),
        ):
            found, expected = slots(other, person, first, most, width), slots(states, person, first, most, width)
            assert found == pytest.approx(expected, rel=1e-4)
        assert entries(states, person) == entries(other, person)
        assert sorted(states.words[person, DAYS : DAYS + MOST_DAYS]) == sorted(
            other.words[person, DAYS : DAYS + MOST_DAYS]
        )


@settings(deadline=None, max_examples=150)
@given(told(), told())
def test_learning_and_unlearning_equals_never_learning(before: list[Told], revised: list[Told]) -> None:
    """15 events a category, kind and day are counted; the examples stay under that where it matters."""
    states, untouched = learnt(rows_of(before)), learnt(rows_of(before))
    learn(states, rows_of(revised[:14]), PLACES, RULES)
    unlearn(states, rows_of(revised[:14]), PLACES, RULES)
    for person in range(N_PEOPLE):
        assert states.words[person, N_VISITS] == untouched.words[person, N_VISITS]
        assert states.words[person, N_DAYS] == untouched.words[person, N_DAYS]
        for at in (TOTAL, DWELL_SUM, DWELL_WEIGHT, *range(WEEKDAY, WEEKDAY + 12)):
            assert states.floats[person, at] == pytest.approx(untouched.floats[person, at], abs=1e-3)
        near(
            slots(states, person, CATEGORIES, MOST_CATEGORIES, N_CATEGORY),
            slots(untouched, person, CATEGORIES, MOST_CATEGORIES, N_CATEGORY),
        )
        if max(entries(untouched, person).values(), default=0) < 2:
            assert entries(states, person) == entries(untouched, person)


def test_a_person_of_long_ago_is_carried_over_the_landmark() -> None:
    """Each visit keeps its weight while the landmark is raised twice; nothing overflows in a hundred years."""
    rows = rows_of([(0, STORE_VISIT, store, 0, 600, 12, 1) for store in (0, 2, 3)])
    rows["day"] = (FIRST_DAY, FIRST_DAY + 20 * 60, FIRST_DAY + 45 * 60)
    weights = slots(learnt(rows), 0, CATEGORIES, MOST_CATEGORIES, N_CATEGORY)
    assert weights == pytest.approx({0: 1.0, 1: 2.0**20, 2: 2.0**45})
    rows["day"][2] = FIRST_DAY + 36_500
    states = learnt(rows)
    assert np.isfinite(states.floats[0, TOTAL])
    weights = slots(states, 0, CATEGORIES, MOST_CATEGORIES, N_CATEGORY)
    assert math.log2(weights[2]) == pytest.approx(36_500 / 60, abs=1e-3)


def test_who_is_not_admitted_or_was_forgotten_leaves_no_trace() -> None:
    rows = rows_of([(person, kind, 1, 0, 600, 12, 1) for person in range(3) for kind in range(5)])
    states = make_states(N_PEOPLE)
    admit(states, np.array([1]))
    assert learn(states, rows, PLACES, RULES) == 5
    assert not states.words[[0, 2]].any()
    assert states.words[1, HEAD] == 1
    forget(states, np.array([1]))
    learn(states, rows, PLACES, RULES)
    assert not states.words.any()


@pytest.mark.parametrize("sensitive", ["store", "category"])
def test_sensitive_places_leave_no_trace(sensitive: str) -> None:
    places = plain_places(12, PLACES.base_dwell_s, PLACES.category_of_brand, 3)
    if sensitive == "store":
        places.is_sensitive_store[2] = 1
    else:
        places = TagPlaces(
            places.is_sensitive_store,
            np.array([0, 1, 0, 0], dtype=np.uint8),
            places.base_dwell_s,
            places.has_stage,
            places.category_of_brand,
            3,
        )
    quiet = rows_of([(0, kind, 2, 0, 600, 12, 1) for kind in (STORE_VISIT, PASS, PURCHASE)])
    states = learnt(quiet, places)
    assert not np.delete(states.words, HEAD, axis=1).any()
    loud = rows_of([(0, kind, 0, 0, 600, 12, 1) for kind in (STORE_VISIT, PASS, PURCHASE)])
    assert np.array_equal(learnt(np.concatenate([quiet, loud]), places).words, learnt(loud, places).words)


def test_a_crowd_of_categories_brands_and_days_stays_within_the_record() -> None:
    rng = np.random.default_rng(5)
    places = plain_places(200, np.full(60, 600.0), np.arange(60), 20)
    rows = empty_rows(20_000)
    rows["day"], rows["store"] = FIRST_DAY + np.arange(20_000) // 20, rng.integers(0, 200, 20_000)
    rows["category"] = rows["brand"] = np.where(rng.random(20_000) < 0.2, 7, rng.integers(0, 60, 20_000))
    rows["level"], rows["kind"], rows["left_s"] = rng.integers(0, 20, 20_000), rng.integers(0, 5, 20_000), 600
    states = learnt(rows, places)
    assert states.words.shape == (N_PEOPLE, N_WORDS)
    assert max(found := slots(states, 0, CATEGORIES, MOST_CATEGORIES, N_CATEGORY), key=lambda key: found[key]) == 7
    assert (
        sum(found.values())
        <= float(states.floats[0, TOTAL]) * 2.0 ** (states.words[0, LANDMARK] - FIRST_DAY / 60) * 1.001
    )


def test_snapshots_come_back_and_strange_ones_are_refused() -> None:
    states = learnt(rows_of([(0, kind, store, 3, 700, 12, 1) for kind in range(5) for store in range(9)]))
    packed = take_snapshot(states, 0)
    assert len(packed) == 4 * N_WORDS + 8
    other = make_states(2)
    restore_snapshot(other, 1, packed)
    assert np.array_equal(other.words[1], states.words[0])
    assert not other.words[0].any()
    for broken in (packed[:-1], b"XXX" + packed[3:], packed[:3] + bytes([packed[3] + 1]) + packed[4:]):
        with pytest.raises(SnapshotError):
            restore_snapshot(other, 0, broken)
    with pytest.raises(SnapshotError):
        restore_snapshot(make_states(1, half_life_days=30), 0, packed)
    assert not other.words[0].any()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("person", 3),
        ("person", -1),
        ("store", 12),
        ("category", 4),
        ("brand", 6),
        ("level", 3),
        ("kind", 5),
        ("hour", 24),
        ("day", 0),
    ],
)
def test_numbers_outside_the_tables_are_refused(name: str, value: int) -> None:
    rows = rows_of([(0, STORE_VISIT, 0, 0, 600, 12, 1)])
    rows[name] = value
    states = make_states(N_PEOPLE)
    admit(states, np.arange(N_PEOPLE))
    with pytest.raises(ValueError, match="expected"):
        learn(states, rows, PLACES, RULES)
    assert not np.delete(states.words, HEAD, axis=1).any()
