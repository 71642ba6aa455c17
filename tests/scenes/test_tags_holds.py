"""Which tags hold: definitions against closed forms, ends that come when told, no flicker, each change told once."""

import math
import tomllib
from datetime import date, timedelta
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.errors import RulesError
from scenes.tags.kernels.layout import LEVEL_VISIT, STORE_VISIT, VENUE_VISIT, Rows
from scenes.tags.learn import empty_rows, learn, unlearn
from scenes.tags.names import NAMES, TagName
from scenes.tags.places import plain_places
from scenes.tags.record import TagStates, admit, make_states
from scenes.tags.rules import TagRules, parse_tag_rules
from scenes.tags.shares import MallShares, add, as_shares, shares_of, weights_of
from scenes.tags.stage import StageModel
from scenes.tags.tags import TagContext, name_of, settle, subject_of, tags_of

DAY = 20_000
"""4 October 2024, a Friday."""
PLACES = plain_places(8, np.full(4, 600.0), np.array([0, 0, 1, 2, 3]), 3)
PLACES.has_stage[:] = 0
SHARES = MallShares(
    category=np.array([0.1, 0.2, 0.3, 0.4]),
    brand=np.array([0.5, 0.5, 1.0, 1.0, 1.0]),
    weekday=np.full(7, 1 / 7),
    band=np.full(5, 0.2),
    level=np.full(3, 1 / 3),
)
STAGES = StageModel().tables()
CONTEXT = TagContext(PLACES, SHARES, TagRules(), STAGES)
ONE = np.array([0])


def person() -> TagStates:
    states = make_states(1)
    admit(states, ONE)
    return states


def visits(days: list[int], kind: int = STORE_VISIT, category: int = 0, brand: int = 0, stay_s: int = 600) -> Rows:
    rows = empty_rows(len(days))
    rows["day"], rows["kind"], rows["category"], rows["brand"] = DAY + np.array(days, dtype=int), kind, category, brand
    rows["left_s"], rows["hour"], rows["level"], rows["store"] = stay_s, 18, 1, 0
    return rows


def told(rows: Rows) -> set[tuple[TagName, str | int | None]]:
    return {(name_of(row["name"]), subject_of(name_of(row["name"]), int(row["subject"]))) for row in rows}


def after(days: list[int], at: float, kind: int = STORE_VISIT) -> set[tuple[TagName, str | int | None]]:
    states = person()
    learn(states, visits(days, kind), PLACES, CONTEXT.rules)
    return told(tags_of(states, ONE, DAY + at, CONTEXT))


def test_a_preference_needs_three_visits_on_two_days_and_lift() -> None:
    preferred = (TagName.CATEGORY_PREFERENCE, 0)
    assert preferred in after([0, 0, 1], 1)
    assert preferred not in after([0, 1], 1)
    assert preferred not in after([0, 0, 0, 0, 0], 1)
    states = person()
    learn(states, visits([0, 0, 1]), PLACES, CONTEXT.rules)
    learn(states, visits([0] * 50, category=1, brand=2), PLACES, CONTEXT.rules)
    assert preferred not in told(tags_of(states, ONE, DAY + 1.0, CONTEXT))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 3)), min_size=1, max_size=40), st.integers(0, 200))
def test_the_score_is_the_decayed_share_shrunk_to_the_mall(told_visits: list[tuple[int, int]], later: int) -> None:
    states, rules = person(), CONTEXT.rules
    at = max(day for day, _ in told_visits) + later
    rows = np.concatenate([visits([day], category=c, brand=(0, 2, 3, 4)[c]) for day, c in told_visits])
    learn(states, rows, PLACES, rules)
    found = tags_of(states, ONE, float(DAY + at), CONTEXT)
    found = found[found["name"] == NAMES.index(TagName.CATEGORY_PREFERENCE)]
    weight = [0.0] * 4
    for day, c in told_visits:
        weight[c] += 0.5 ** ((at - day) / rules.half_life_days)
    expected = {}
    for c in range(4):
        share = (weight[c] + rules.prior_visits * SHARES.category[c]) / (sum(weight) + rules.prior_visits)
        days = [day for day, other in told_visits if other == c]
        lift = share / SHARES.category[c]
        if abs(lift - rules.add_lift) < 1e-4:
            return
        if len(days) >= 3 and len(set(days)) >= 2 and lift >= rules.add_lift:
            expected[c] = share
    assert dict(zip(found["subject"].tolist(), found["score"].tolist(), strict=True)) == pytest.approx(
        expected, rel=1e-4
    )


@pytest.mark.parametrize(
    ("kind", "days", "gone"),
    [
        (STORE_VISIT, [0, 1, 2, 3, 4], TagName.CATEGORY_PREFERENCE),
        (STORE_VISIT, [0, 3, 6, 6, 9], TagName.BRAND_PREFERENCE),
        (LEVEL_VISIT, [0, 1, 2, 3], TagName.LEVEL_HABIT),
        (VENUE_VISIT, [0, 7, 14, 21], TagName.WEEKDAY_HABIT),
        (VENUE_VISIT, [0, 7, 14, 21], TagName.ARRIVAL_HABIT),
        (VENUE_VISIT, [0], TagName.NEW),
        (VENUE_VISIT, [0, 4, 8, 12], TagName.FREQUENCY_WEEKLY),
        (VENUE_VISIT, [0, 20, 40], TagName.FREQUENCY_MONTHLY),
        (VENUE_VISIT, [0, 20, 40], TagName.RECENT),
        (VENUE_VISIT, list(range(0, 80, 8)), TagName.LOYAL),
        (VENUE_VISIT, [0, 20, 40], TagName.RETURNING),
    ],
)
def test_a_tag_ends_when_it_was_told_to(kind: int, days: list[int], gone: TagName) -> None:
    """Held until just before ``expires_day``, removed just after: the closed form is the rule's own end."""
    states, rules = person(), CONTEXT.rules
    rows = visits(days, kind)
    if kind in (STORE_VISIT, LEVEL_VISIT):
        rows = np.concatenate([rows, visits(days, VENUE_VISIT)])
    context = CONTEXT
    if gone is TagName.BRAND_PREFERENCE:
        shares = MallShares(SHARES.category, np.array([0.2, 0.8, 1, 1, 1]), SHARES.weekday, SHARES.band, SHARES.level)
        context = TagContext(PLACES, shares, rules, STAGES)
    learn(states, rows, PLACES, rules)
    added = settle(states, ONE, float(DAY + max(days)), context)
    row = added[added["name"] == NAMES.index(gone)]
    assert len(row) == 1
    end = float(row["expires_day"][0])
    assert end > DAY + max(days)
    assert gone not in {name for name, _ in told(settle(states, ONE, end - 0.01, context))}
    removed = settle(states, ONE, end + 0.01, context)
    assert gone in {name_of(row["name"]) for row in removed if not row["holds"]}


def test_between_the_thresholds_what_is_held_stays_and_nothing_is_added() -> None:
    """Three visits to the favourite and seven elsewhere: lift 1.4 with the prior, between 1.3 and 1.5."""
    rules = TagRules(prior_visits=1.0)
    context = TagContext(PLACES, SHARES, rules, STAGES)
    favourite, others = visits([0, 0, 1], category=1, brand=2), visits([1] * 8, category=3, brand=4)
    preferred = NAMES.index(TagName.CATEGORY_PREFERENCE)
    fresh, held = person(), person()
    learn(held, favourite, PLACES, rules)
    assert preferred in settle(held, ONE, DAY + 1.0, context)["name"]
    learn(held, others, PLACES, rules)
    learn(fresh, np.concatenate([favourite, others]), PLACES, rules)
    share = (3 * 1.0 + 0.2) / (11 + 1)
    assert 1.3 < share / 0.2 < 1.5
    rows = tags_of(held, ONE, DAY + 1.0, context)
    assert 1 in rows["subject"][rows["name"] == preferred]
    rows = tags_of(fresh, ONE, DAY + 1.0, context)
    assert 1 not in rows["subject"][rows["name"] == preferred]


def test_each_change_is_told_once_and_reading_changes_nothing() -> None:
    states = person()
    rows = np.concatenate([visits([0, 1, 2, 3]), visits([0, 1, 2, 3], VENUE_VISIT)])
    learn(states, rows, PLACES, CONTEXT.rules)
    before = states.words.copy()
    holding = tags_of(states, ONE, DAY + 3.0, CONTEXT)
    assert np.array_equal(states.words, before)
    added = settle(states, ONE, DAY + 3.0, CONTEXT)
    assert told(added) == told(holding)
    assert (added["holds"] == 1).all()
    assert len(settle(states, ONE, DAY + 3.0, CONTEXT)) == 0
    unlearn(states, rows, PLACES, CONTEXT.rules)
    removed = settle(states, ONE, DAY + 3.0, CONTEXT)
    assert told(removed) == told(added)
    assert (removed["holds"] == 0).all()
    assert len(tags_of(states, ONE, DAY + 3.0, CONTEXT)) == 0


def test_a_life_with_the_mall_goes_from_new_to_gone() -> None:
    cycle = {TagName.NEW, TagName.RETURNING, TagName.LOYAL, TagName.LAPSING}

    def now(days: list[int], at: float) -> set[TagName]:
        return {name for name, _ in after(days, at, VENUE_VISIT)} & cycle

    weekly = list(range(0, 70, 7))
    assert now([0], 5) == {TagName.NEW}
    assert now([0], 31) == set()
    assert now([0, 9], 9) == {TagName.RETURNING}
    assert now(weekly, 64) == {TagName.LOYAL}
    assert now(weekly, 63 + 22) == {TagName.LAPSING}
    assert now([0, 30, 60], 60 + 70) == {TagName.RETURNING}
    assert now([0, 30, 60], 60 + 76) == {TagName.LAPSING}
    assert now(weekly, 63 + 366) == set()


def test_many_visits_on_one_day_are_one_day() -> None:
    assert after([0, 0, 0, 0], 0, VENUE_VISIT) == after([0], 0, VENUE_VISIT)
    assert (TagName.WEEKDAY_HABIT, "friday") not in after([0] * 9, 0, VENUE_VISIT)
    assert (TagName.WEEKDAY_HABIT, "friday") in after([0, 7, 14], 14, VENUE_VISIT)


def test_habits_name_their_weekday_hour_and_level() -> None:
    found = after([0, 7, 14, 21], 21, VENUE_VISIT)
    assert {(TagName.WEEKDAY_HABIT, "friday"), (TagName.ARRIVAL_HABIT, "evening")} <= found
    assert (date(1970, 1, 1) + timedelta(days=DAY)).strftime("%A") == "Friday"
    states = person()
    learn(
        states, np.concatenate([visits([0, 1, 2], LEVEL_VISIT), visits([0, 1, 2], VENUE_VISIT)]), PLACES, CONTEXT.rules
    )
    assert (TagName.LEVEL_HABIT, 1) in told(tags_of(states, ONE, DAY + 2.0, CONTEXT))


def test_long_and_short_stays_are_told_against_the_category() -> None:
    for stay_s, name in ((2_400, TagName.DWELL_LONG), (150, TagName.DWELL_SHORT), (600, None)):
        states = person()
        learn(
            states,
            np.concatenate([visits([0, 1, 2, 3], stay_s=stay_s), visits([0, 1], VENUE_VISIT)]),
            PLACES,
            CONTEXT.rules,
        )
        found = {tag for tag, _ in told(tags_of(states, ONE, DAY + 3.0, CONTEXT))}
        assert found & {TagName.DWELL_LONG, TagName.DWELL_SHORT} == ({name} if name else set())


def test_the_shares_of_a_mall_are_its_decayed_visits() -> None:
    states = make_states(2)
    admit(states, np.arange(2))
    rows = np.concatenate([visits([0, 0, 60]), visits([60], category=1, brand=2), visits([0, 60], VENUE_VISIT)])
    rows["person"] = np.arange(len(rows)) % 2
    learn(states, rows, PLACES, CONTEXT.rules)
    shares = shares_of(states, PLACES)
    assert shares.category == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert shares.brand[:3] == pytest.approx([1, 0, 1])
    assert shares.weekday[[4, 1]] == pytest.approx([1 / 3, 2 / 3])
    assert math.fsum(shares.band) == pytest.approx(1.0)


def test_shares_taken_in_parts_are_those_of_everybody() -> None:
    """Some years lie between the parts, so their landmarks differ."""
    states = make_states(4)
    admit(states, np.arange(4))
    rows = np.concatenate([visits([0, 900, 900, 1_000]), visits([5, 6, 980, 990], VENUE_VISIT)])
    rows["person"], rows["category"] = np.arange(len(rows)) % 4, np.arange(len(rows)) % 3
    learn(states, rows, PLACES, CONTEXT.rules)
    parts = [weights_of(TagStates(states.words[at : at + 1].copy(), 60), PLACES) for at in range(4)]
    assert len({part.landmark for part in parts}) > 1
    whole, joined = shares_of(states, PLACES), as_shares(reduce(add, parts), PLACES)
    for name in ("category", "brand", "weekday", "band", "level"):
        assert getattr(joined, name) == pytest.approx(getattr(whole, name), rel=1e-9)


def test_rules_are_read_from_toml_and_nonsense_is_refused() -> None:
    rules = parse_tag_rules(tomllib.loads("add_lift = 2\nmin_days = 3"))
    assert (rules.add_lift, rules.min_days, rules.keep_lift) == (2, 3, TagRules().keep_lift)
    for text in (
        "nonsense = 1",
        "min_days = 1.5",
        "add_lift = true",
        'add_lift = "2"',
        "add_lift = -1",
        "keep_lift = 3",
    ):
        with pytest.raises(RulesError):
            parse_tag_rules(tomllib.loads(text))


def test_people_and_tables_that_do_not_fit_are_refused() -> None:
    states = person()
    for who in ([-1], [0, 1]):
        with pytest.raises(ValueError, match="people"):
            tags_of(states, np.array(who), float(DAY), CONTEXT)
    with pytest.raises(ValueError, match="half-life"):
        settle(make_states(1, half_life_days=30), ONE, float(DAY), CONTEXT)
    with pytest.raises(ValueError, match="shares"):
        TagContext(
            PLACES, MallShares(np.ones(3), SHARES.brand, SHARES.weekday, SHARES.band, SHARES.level), TagRules(), STAGES
        )
