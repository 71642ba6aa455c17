"""Tills: every act arrives, in the till's order, after its outage, under one key however often it is asked."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.sending import CallSpec
from sim.tills import (
    PAYMENT,
    REDEMPTION,
    Outage,
    TillSends,
    TillSpec,
    idempotency_key,
    outages,
    till_acts,
    till_sends,
)

N_STORES = 4
QUIET = TillSpec(online_s=np.inf, calls=CallSpec(1, answer_lost_ratio=0.0))
BAD = TillSpec(300.0, 300.0, (Outage(100.0, 700.0, (1, 2)),), CallSpec(1, answer_lost_ratio=0.3))
acts = st.lists(st.tuples(st.integers(0, N_STORES - 1), st.integers(0, 1_500).map(float)), min_size=1, max_size=40)
seeds = st.integers(0, 2**31)


def columns(given_: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([store for store, _ in given_]), np.array([at_s for _, at_s in given_])


def rows_of(sends: TillSends, act: int) -> np.ndarray:
    return np.flatnonzero(sends.act == act)


@given(acts, seeds)
@settings(max_examples=150, deadline=None)
def test_every_act_arrives_in_the_order_of_its_till_and_again_until_its_answer_does(
    given_: list[tuple[int, float]], seed: int
) -> None:
    store, at_s = columns(given_)
    sends = till_sends(store, at_s, seed, n_stores=N_STORES, spec=BAD)
    assert set(sends.act) == set(range(len(at_s)))
    assert np.all(sends.sent_at_s >= at_s[sends.act])
    for act in range(len(at_s)):
        rows = rows_of(sends, act)
        assert sends.attempt[rows].tolist() == list(range(len(rows)))
        assert sends.is_answer_lost[rows].tolist() == [True] * (len(rows) - 1) + [False]
    for one in range(N_STORES):
        mine = sends.act[store[sends.act] == one]
        order = sorted(np.flatnonzero(store == one), key=lambda act: (at_s[act], act))
        assert list(dict.fromkeys(mine.tolist())) == order
        # no act between two attempts at another
        assert np.count_nonzero(np.diff(mine)) == max(0, len(order) - 1)


@given(acts, seeds)
@settings(max_examples=100, deadline=None)
def test_nothing_is_sent_while_the_till_is_offline(given_: list[tuple[int, float]], seed: int) -> None:
    store, at_s = columns(given_)
    sends = till_sends(store, at_s, seed, n_stores=N_STORES, spec=BAD)
    gaps = outages(N_STORES, 10_000.0, seed, spec=BAD)
    assert np.all(gaps.gap_at(store[sends.act], np.rint(1_000.0 * sends.sent_at_s).astype(np.int64)) == -1)


@given(acts, seeds)
@settings(max_examples=50, deadline=None)
def test_a_till_hangs_on_no_other(given_: list[tuple[int, float]], seed: int) -> None:
    store, at_s = columns(given_)
    together = till_sends(store, at_s, seed, n_stores=N_STORES, spec=BAD)
    for one in range(N_STORES):
        mine = np.flatnonzero(store == one)
        alone = till_sends(store[mine], at_s[mine], seed, n_stores=N_STORES, spec=BAD)
        rows = store[together.act] == one
        assert together.sent_at_s[rows].tolist() == alone.sent_at_s.tolist()
        assert together.act[rows].tolist() == mine[alone.act].tolist()


def test_what_waited_in_a_planned_outage_is_sent_in_order_when_it_ends_one_at_a_time() -> None:
    spec = replace(QUIET, outages=(Outage(1_000.0, 2_000.0, (0,)),))
    at_s = np.tile(np.arange(0.0, 3_000.0, 100.0), 2)
    store = np.repeat([0, 1], 30)
    sends = till_sends(store, at_s, 3, n_stores=2, spec=spec)
    sent_at_s = np.empty(60)
    sent_at_s[sends.act] = sends.sent_at_s
    assert sent_at_s[30:].tolist() == at_s[30:].tolist()
    during = (at_s[:30] >= 1_000.0) & (at_s[:30] <= 2_000.0)  # the one at its end finds ten before it
    assert sent_at_s[:30][~during].tolist() == at_s[:30][~during].tolist()
    waited = sent_at_s[:30][during]
    assert waited[0] == 2_000.0
    assert np.all((np.diff(waited) >= 0.05) & (np.diff(waited) <= 0.6))


def test_an_outage_without_stores_is_everywhere_and_drawn_ones_have_their_share() -> None:
    everywhere = outages(3, 1_000.0, 1, spec=replace(QUIET, outages=(Outage(5.0, 9.0),)))
    assert everywhere.sender.tolist() == [0, 1, 2]
    drawn = outages(20_000, 10_000.0, 1, spec=replace(QUIET, online_s=900.0, offline_s=100.0))
    down = drawn.gap_at(np.arange(20_000), np.full(20_000, 5_000_000)) >= 0
    assert np.mean(down) == pytest.approx(0.1, abs=4.5 * 0.3 / np.sqrt(20_000))


def test_acts_are_numbered_in_their_till_and_a_coupon_is_redeemed_before_it_is_paid() -> None:
    kind = np.dtype([("person", "i4"), ("store", "i4"), ("at_s", "f8")])
    payments = np.array([(7, 1, 50.0), (8, 0, 10.0), (9, 1, 20.0)], dtype=kind)
    redemptions = np.array([(7, 1, 50.0)], dtype=kind)
    found = till_acts(payments, redemptions)
    assert [tuple(row) for row in found.tolist()] == [
        (PAYMENT, 1, 0, 10.0, 0),
        (PAYMENT, 2, 1, 20.0, 0),
        (REDEMPTION, 0, 1, 50.0, 1),
        (PAYMENT, 0, 1, 50.0, 2),
    ]
    keys = {idempotency_key("run", 4, int(row["store"]), int(row["number"])) for row in found}
    assert len(keys) == len(found)
    assert len(till_acts(payments[:0], redemptions[:0])) == 0


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="4 stores"):
        till_sends([4], [1.0], 1, n_stores=4)
    with pytest.raises(ValueError, match="a store for each act"):
        till_sends([1, 2], [1.0], 1, n_stores=4)
    with pytest.raises(ValueError, match="ends after it begins"):
        Outage(5.0, 4.0)
    with pytest.raises(ValueError, match="one act a call"):
        TillSpec(calls=CallSpec(2))
    assert len(till_sends([], [], 1, n_stores=4)) == 0
