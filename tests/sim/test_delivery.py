"""What becomes of scans on their way: nothing is lost unsaid, nothing comes before it happened, batches come whole."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from atrium_client import Scan, ScanQueue
from sim.delivery import ClockSpec, DeliverySpec, ScanSends, clock_skew_s, deliver, is_hasty, phone_gaps
from sim.links import draw_spans, join_gaps
from sim.sending import CallSpec

seeds = st.integers(0, 2**31)
BAD = DeliverySpec(
    calls=CallSpec(most_per_call=7, answer_lost_ratio=0.3), online_s=120.0, offline_s=120.0, hasty_ratio=0.5
)
"""Half the time without a connection, a third of the answers lost, half the phones hasty."""


def ms(seconds: np.ndarray) -> np.ndarray:
    return np.rint(seconds * 1_000.0).astype(np.int64)


@st.composite
def scans(draw: st.DrawFn) -> tuple[list[int], list[int], list[float]]:
    """Phones, and scans of theirs in any order at any instants, ties among them."""
    people = draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=4, unique=True))
    found = draw(
        st.lists(st.tuples(st.integers(0, len(people) - 1), st.integers(0, 1_200).map(float)), min_size=1, max_size=40)
    )
    return people, [phone for phone, _ in found], [at_s for _, at_s in found]


Given = tuple[list[int], list[int], list[float]]


def calls_of(sends: ScanSends) -> list[tuple[list[int], float, int, int]]:
    """Each call: its scans, instant, batch and attempt, which are one for all its rows."""
    out = []
    for start, end in zip(sends.call_starts, sends.call_starts[1:], strict=False):
        for column in (sends.sent_at_s, sends.batch, sends.attempt, sends.is_answer_lost):
            assert len(set(column[start:end])) == 1
        out.append(
            (
                sends.scan[start:end].tolist(),
                float(sends.sent_at_s[start]),
                int(sends.batch[start]),
                int(sends.attempt[start]),
            )
        )
    return out


@given(scans(), seeds)
@settings(max_examples=200, deadline=None)
def test_every_scan_arrives_or_is_told_as_dropped_and_none_before_it_happened(given_: Given, seed: int) -> None:
    people, phone, at_s = given_
    bounded = replace(BAD, max_bytes=5, max_age_s=200.0)
    for spec in (BAD, bounded):
        sends = deliver(people, phone, at_s, seed, spec=spec, n_bytes=1)
        assert sorted({*sends.scan.tolist(), *sends.dropped.tolist()}) == list(range(len(at_s)))
        assert not set(sends.scan) & set(sends.dropped)
        assert np.all(sends.sent_at_s >= np.array(at_s)[sends.scan])
        assert np.all(np.diff(sends.sent_at_s) >= 0.0)
        if spec is BAD:
            assert not len(sends.dropped)


@given(scans(), seeds)
@settings(max_examples=200, deadline=None)
def test_a_scan_comes_again_only_with_its_whole_batch_while_its_answer_is_lost(given_: Given, seed: int) -> None:
    people, phone, at_s = given_
    sends = deliver(people, phone, at_s, seed, spec=BAD)
    batches: dict[int, list[tuple[list[int], float, int]]] = {}
    for scan, sent_at_s, batch, attempt in calls_of(sends):
        batches.setdefault(batch, []).append((scan, sent_at_s, attempt))
    assert sorted(one for tries in batches.values() for one in tries[0][0]) == list(range(len(at_s)))
    for tries in batches.values():
        assert [attempt for _, _, attempt in tries] == list(range(len(tries)))
        assert all(scan == tries[0][0] for scan, _, _ in tries)
        assert np.all(np.diff([sent_at_s for _, sent_at_s, _ in tries]) >= BAD.calls.lost_shows_s[0])
    for row in range(len(sends)):
        last = max(attempt for _, _, attempt in batches[int(sends.batch[row])])
        assert sends.is_answer_lost[row] == (sends.attempt[row] < last)


@given(scans(), seeds)
@settings(max_examples=200, deadline=None)
def test_a_batch_is_of_one_phone_in_its_order_and_an_orderly_phone_sends_all_in_order(given_: Given, seed: int) -> None:
    people, phone, at_s = given_
    sends = deliver(people, phone, at_s, seed, spec=BAD)
    hasty = is_hasty(people, BAD, seed)
    sent: dict[int, list[float]] = {n: [] for n in range(len(people))}
    for scan, _, _, attempt in calls_of(sends):
        assert len({phone[one] for one in scan}) == 1
        assert len(scan) <= BAD.calls.most_per_call
        instants = [at_s[one] for one in scan]
        assert instants == sorted(instants)
        if attempt == 0 and not hasty[phone[scan[0]]]:
            sent[phone[scan[0]]] += instants
    assert all(instants == sorted(instants) for instants in sent.values())


@given(scans(), seeds)
@settings(max_examples=100, deadline=None)
def test_a_phone_hangs_on_no_other_nor_on_the_order_of_asking(given_: Given, seed: int) -> None:
    people, phone, at_s = given_
    unique = sorted(set(zip(phone, at_s, strict=True)))  # scans of one instant are told apart by their order alone
    phone, at_s = [n for n, _ in unique], [at for _, at in unique]
    order = np.random.default_rng(seed).permutation(len(at_s))
    together = deliver(people, np.array(phone)[order], np.array(at_s)[order], seed, spec=BAD)
    for n, person in enumerate(people):
        mine = [at for whose, at in unique if whose == n]
        alone = deliver([person], np.zeros(len(mine), dtype=int), mine, seed, spec=BAD)
        rows = np.flatnonzero(np.array(phone)[order][together.scan] == n)
        for name in ("sent_at_s", "at_said_s", "attempt", "is_answer_lost"):
            assert getattr(together, name)[rows].tolist() == getattr(alone, name).tolist()
        assert np.array(at_s)[order][together.scan[rows]].tolist() == [mine[scan] for scan in alone.scan]


def test_nothing_is_sent_in_a_gap_and_what_waited_comes_in_one_batch_when_it_ends() -> None:
    people = np.arange(40)
    at_s = np.tile(np.arange(0.0, 3_600.0, 10.0), 40)
    phone = np.repeat(people, 360)
    orderly = DeliverySpec(calls=CallSpec(answer_lost_ratio=0.0), online_s=600.0, offline_s=120.0, hasty_ratio=0.0)
    sends = deliver(people, phone, at_s, 5, spec=orderly)
    gaps = phone_gaps(people, 10_000.0, 5, spec=orderly)
    assert np.all(gaps.gap_at(phone[sends.scan], ms(sends.sent_at_s)) == -1)
    waited = sends.sent_at_s - at_s[sends.scan]
    calls = calls_of(sends)
    late = [(scan, sent_at_s) for scan, sent_at_s, _, _ in calls if len(scan) > 1]
    assert len(late) > 100
    for scan, sent_at_s in late:
        alone = [one for one, at, _, _ in calls if len(one) == 1 and phone[one[0]] == phone[scan[0]] and at < sent_at_s]
        assert all(at_s[one[0]] < at_s[scan[0]] for one in alone)
        assert np.diff(at_s[scan]).tolist() == [10.0] * (len(scan) - 1)
        assert sent_at_s >= at_s[scan[-1]]
    share = np.mean(waited > 1.0)
    # 1 in 6 of the time is without; 40 phones of some 5 gaps: sd of the share 0.013
    assert share == pytest.approx(120.0 / 720.0, abs=0.05)


def test_hasty_phones_make_their_queues_late_and_orderly_ones_never_do() -> None:
    people = np.arange(60)
    at_s = np.tile(np.arange(0.0, 3_600.0, 10.0), 60)
    phone = np.repeat(people, 360)
    for ratio, is_any in ((0.0, False), (1.0, True)):
        spec = DeliverySpec(online_s=600.0, offline_s=120.0, hasty_ratio=ratio)
        sends = deliver(people, phone, at_s, 5, spec=spec)
        last_s = np.full(60, -np.inf)
        n_late = 0
        for scan in sends.scan:
            n_late += last_s[phone[scan]] - at_s[scan] > 120.0
            last_s[phone[scan]] = max(last_s[phone[scan]], at_s[scan])
        # a repeated batch may be late against what came between; with one sender a phone nothing comes between
        assert (n_late > 0) == is_any
        assert (n_late > 1_000) == is_any


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=25), n_too_old=st.integers(0, 25), seed=st.integers(0, 99)
)
@settings(max_examples=40, deadline=None)
def test_the_queue_keeps_what_the_clients_own_keeps(
    sizes: list[int], n_too_old: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A gap longer than all scans: what comes after it is what ``ScanQueue`` holds of scans of the same sizes."""
    down = DeliverySpec(calls=CallSpec(answer_lost_ratio=0.0), online_s=1e-3, offline_s=1e6, hasty_ratio=0.0)
    at_s, phone = 10.0 * np.arange(len(sizes)), np.zeros(len(sizes), dtype=int)
    ends_s = deliver([0], phone, at_s, seed, spec=replace(down, max_age_s=1e9)).sent_at_s[0]
    assume(ends_s > 300.0)
    spec = replace(down, max_bytes=400, max_age_s=ends_s - 10.0 * n_too_old + 5.0)
    now_s, n_bytes = 0.0, []
    with ScanQueue(
        tmp_path_factory.mktemp("queue"),
        max_bytes=spec.max_bytes,
        max_age_s=spec.max_age_s,
        is_durable=False,
        now=lambda: now_s,
    ) as queue:
        queue.allow("d")
        for n, size in enumerate(sizes):
            now_s = at_s[n]
            scan: Scan = {"scan_id": f"{n}", "device_id": "d", "at": 10, "venue_id": "v" * size}
            n_bytes.append(len(json.dumps(scan, separators=(",", ":"))))
            assert queue.put(scan)
        now_s = ends_s
        held = [int(one.scan_id) for one in queue.peek(1_000, 10**9)]
    sends = deliver([0], phone, at_s, seed, spec=spec, n_bytes=n_bytes)
    assert sends.scan.tolist() == held
    assert sends.dropped.tolist() == [n for n in range(len(sizes)) if n not in held]


def test_scans_past_the_queues_age_are_dropped_and_no_younger_ones() -> None:
    spec = DeliverySpec(
        calls=CallSpec(answer_lost_ratio=0.0), online_s=300.0, offline_s=600.0, hasty_ratio=0.0, max_age_s=300.0
    )
    people, at_s = np.arange(30), np.tile(np.arange(0.0, 3_600.0, 10.0), 30)
    phone = np.repeat(people, 360)
    sends = deliver(people, phone, at_s, 3, spec=spec)
    unbounded = deliver(people, phone, at_s, 3, spec=replace(spec, max_age_s=1e9))
    waited_s = np.zeros(len(at_s))
    waited_s[unbounded.scan] = unbounded.sent_at_s - at_s[unbounded.scan]
    assert len(sends.dropped) > 100
    assert sends.dropped.tolist() == np.flatnonzero(waited_s > 300.0).tolist()


def test_clocks_are_off_by_their_spread_and_a_few_by_minutes_each_by_the_same_for_ever() -> None:
    n = 50_000
    spec = ClockSpec()
    skew_s = clock_skew_s(np.arange(n), spec, 4)
    is_wrong = np.abs(skew_s) >= 60.0
    assert np.mean(is_wrong) == pytest.approx(0.02, abs=0.003)  # sd 0.0006
    assert np.mean(skew_s[is_wrong] > 0.0) == pytest.approx(0.5, abs=0.07)  # sd 0.016
    assert np.abs(skew_s).max() <= 3_600.0
    assert np.std(skew_s[~is_wrong]) == pytest.approx(2.0, rel=0.02)  # sd 0.3 %
    assert clock_skew_s([9, 3], spec, 4).tolist() == skew_s[[9, 3]].tolist()
    sends = deliver(np.arange(100), np.repeat(np.arange(100), 20), np.tile(np.arange(20.0), 100), 4)
    true_s, whose = np.tile(np.arange(20.0), 100), np.repeat(np.arange(100), 20)
    assert np.all(np.abs(sends.at_said_s - true_s[sends.scan] - skew_s[whose[sends.scan]]) <= 0.0005 + 1e-9)


def test_answers_are_lost_as_often_as_told() -> None:
    n = 20_000
    spec = DeliverySpec(calls=CallSpec(answer_lost_ratio=0.2), online_s=np.inf)
    sends = deliver(np.arange(n), np.arange(n), np.zeros(n), 8, spec=spec)
    for attempt in range(3):
        made = sends.attempt == attempt
        assert np.mean(sends.is_answer_lost[made]) == pytest.approx(0.2, abs=4.5 * 0.4 / np.sqrt(made.sum()))
    none = deliver(
        np.arange(n), np.arange(n), np.zeros(n), 8, spec=replace(spec, calls=CallSpec(answer_lost_ratio=0.0))
    )
    assert len(none) == n


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(0, 30)), max_size=20))
@settings(deadline=None)
def test_joined_gaps_cover_what_their_spans_cover(spans: list[tuple[int, int, int]]) -> None:
    sender, since, until = ([span[part] for span in spans] for part in range(3))
    gaps = join_gaps(sender, since, until)
    whose, at = np.divmod(np.arange(3 * 31), 31)
    expected = [any(n == s and a <= t < b for s, a, b in spans) for n, t in zip(whose, at, strict=True)]
    assert (gaps.gap_at(whose, 1_000 * at) >= 0).tolist() == expected
    same = gaps.sender[1:] == gaps.sender[:-1]
    assert np.all(gaps.from_ms[1:][same] > gaps.until_ms[:-1][same])


def test_the_share_of_time_without_a_connection_is_as_told_from_the_first_instant_on() -> None:
    n = 20_000
    gaps = join_gaps(*draw_spans(11, np.arange(n), 300.0, 100.0, 7_200.0))
    for at_s in (0.0, 50.0, 3_600.0, 7_199.0):
        down = gaps.gap_at(np.arange(n), np.full(n, round(1_000 * at_s))) >= 0
        assert np.mean(down) == pytest.approx(0.25, abs=4.5 * 0.433 / np.sqrt(n))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="from 0 s on"):
        deliver([1], [0], [-1.0], 1)
    with pytest.raises(ValueError, match="from 0 s on"):
        deliver([1], [1], [1.0], 1)
    with pytest.raises(ValueError, match="a phone for each scan"):
        deliver([1], [0], [1.0, 2.0], 1)
    with pytest.raises(ValueError, match="may be answered"):
        CallSpec(answer_lost_ratio=1.0)


def test_no_scans_make_no_calls() -> None:
    sends = deliver([1, 2], [], [], 1)
    assert len(sends) == len(sends.dropped) == 0
    assert sends.call_starts.tolist() == [0]
