"""When phones scan: the systems' limits hold in every window, and no phone hangs on another."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.schedules import (
    SCHEDULES,
    PhoneMix,
    ScanSchedule,
    ScanTimes,
    ScheduleRule,
    ScheduleSpec,
    draw_mix,
    only_beacons,
    scan_times,
)

DAY_S = 12 * 3_600.0
seeds = st.integers(0, 2**31)
instants = st.floats(0.0, DAY_S, allow_nan=False)


def times_of(schedule: ScanSchedule, seed: int, *, n: int = 20, spec: ScheduleSpec | None = None) -> ScanTimes:
    return scan_times(np.full(n, SCHEDULES.index(schedule)), np.arange(n), 0.0, DAY_S, seed, spec=spec)


def in_ms(seconds: np.ndarray) -> np.ndarray:
    return np.rint(seconds * 1_000.0).astype(np.int64)


def most_in_any_window(at_ms: np.ndarray, window_ms: int) -> int:
    """How many instants the fullest window holds, both its ends counted; every fullest window may begin at one."""
    return int(max(np.searchsorted(at_ms, at_ms + window_ms, side="right") - np.arange(len(at_ms)), default=0))


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_a_maker_s_phone_scans_each_10_s_to_the_millisecond(seed: int) -> None:
    times = times_of(ScanSchedule.MAKER, seed, n=5)
    for phone in range(5):
        for instants_s in (times.asked_s, times.at_s):
            assert set(np.diff(in_ms(instants_s[times.phone == phone]))) == {10_000}
    assert len(times) == 5 * DAY_S / 10


@pytest.mark.parametrize("period_s", [31.0, 30.0, 10.0, 1.5])
def test_in_front_android_scans_at_most_4_times_in_any_2_minutes_however_often_it_is_asked(period_s: float) -> None:
    rule = replace(ScheduleSpec().android_foreground, period_s=period_s)
    times = times_of(ScanSchedule.ANDROID_FOREGROUND, 3, spec=ScheduleSpec(android_foreground=rule))
    for phone in range(20):
        mine = times.phone == phone
        for instants_s in (times.asked_s[mine], times.at_s[mine]):
            assert most_in_any_window(in_ms(instants_s), 120_000) == 4
        # nor fewer than it may: never over 2 minutes and one asking without the next four
        assert np.all(times.asked_s[mine][4:] - times.asked_s[mine][:-4] <= 120.0 + period_s + 1.0)


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_in_front_android_keeps_to_4_in_2_minutes_for_every_seed(seed: int) -> None:
    times = times_of(ScanSchedule.ANDROID_FOREGROUND, seed, n=4)
    for phone in range(4):
        at_ms = in_ms(times.at_s[times.phone == phone])
        assert most_in_any_window(at_ms, 120_000) <= 4
        assert np.diff(at_ms).max() <= 32_000


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_behind_android_scans_at_most_once_in_any_30_minutes(seed: int) -> None:
    times = times_of(ScanSchedule.ANDROID_BACKGROUND, seed, n=30)
    for phone in range(30):
        at_ms = in_ms(times.at_s[times.phone == phone])
        assert most_in_any_window(at_ms, 1_800_000) == 1
        assert np.diff(at_ms).max() <= 1_920_000


def test_asked_each_10_s_android_grants_a_burst_of_4_and_then_waits_for_the_window() -> None:
    rule = ScheduleRule(10.0, 0.0, (2.0, 4.0), 4, 120.0)
    times = times_of(ScanSchedule.ANDROID_FOREGROUND, 1, n=1, spec=ScheduleSpec(android_foreground=rule))
    assert in_ms(np.diff(times.asked_s))[:8].tolist() == [10_000, 10_000, 10_000, 100_000] * 2


def test_an_iphone_hears_beacons_only_and_reports_each_10_s() -> None:
    times = times_of(ScanSchedule.IPHONE, 2, n=1)
    assert set(np.diff(in_ms(times.at_s))) == {10_000}
    kinds = np.arange(len(SCHEDULES))
    assert [SCHEDULES[kind] for kind in kinds[only_beacons(kinds)]] == [ScanSchedule.IPHONE]


def test_a_wifi_scan_takes_2_to_4_s_and_always_as_long_on_one_phone() -> None:
    times = times_of(ScanSchedule.MAKER, 9, n=300)
    takes_ms = in_ms(times.at_s - times.asked_s).reshape(300, -1)
    assert np.all(takes_ms == takes_ms[:, :1])
    assert 2_000 <= takes_ms.min() < 2_050
    assert 3_950 < takes_ms.max() <= 4_000


@given(seeds, st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**6), instants, instants), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_a_phone_s_scans_hang_on_no_other_phone_nor_on_their_order(
    seed: int, phones: list[tuple[int, int, float, float]]
) -> None:
    kind, person, start_s, end_s = (np.array(column) for column in zip(*phones, strict=True))
    together = scan_times(kind, person, start_s, end_s, seed)
    assert np.all(np.diff(together.phone) >= 0)
    for phone in range(len(phones)):
        mine = together.phone == phone
        alone = scan_times(kind[[phone]], person[[phone]], start_s[[phone]], end_s[[phone]], seed)
        assert alone.at_s.tolist() == together.at_s[mine].tolist()
        assert alone.number.tolist() == together.number[mine].tolist()


@given(seeds, st.sampled_from(range(4)), *[st.floats(0.0, 7_200.0)] * 3)
@settings(max_examples=30, deadline=None)
def test_a_part_of_a_day_has_the_scans_of_the_whole(seed: int, kind: int, a: float, b: float, c: float) -> None:
    a, b, c = sorted((a, b, c))
    n = 300
    whole, early, late = (
        scan_times(np.full(n, kind), np.arange(n), start_s, end_s, seed) for start_s, end_s in ((a, c), (a, b), (b, c))
    )
    assert np.all((whole.at_s >= a) & (whole.at_s < c))
    for name in ("at_s", "asked_s", "number"):
        for phone in range(n):
            parts = [getattr(part, name)[part.phone == phone].tolist() for part in (early, late)]
            assert getattr(whole, name)[whole.phone == phone].tolist() == parts[0] + parts[1]


def test_days_and_seeds_have_timers_of_their_own() -> None:
    maker = [0]
    some = [scan_times(maker, [5], 0.0, 60.0, seed, day=day).at_s[0] for seed, day in ((1, 0), (1, 1), (2, 0))]
    assert len(set(some)) == 3


def test_the_mix_has_its_shares_and_a_phone_keeps_its_kind() -> None:
    n = 40_000
    mix = PhoneMix()
    kinds = draw_mix(np.arange(n), mix, 7)
    found = np.bincount(kinds, minlength=4) / n
    assert found == pytest.approx(mix.shares, abs=4.5 * 0.5 / np.sqrt(n))  # chance of failing under 1e-4, were it drawn
    assert draw_mix([17, 4], mix, 7).tolist() == kinds[[17, 4]].tolist()
    assert set(draw_mix(np.arange(1_000), PhoneMix(0.0, 0.0, 0.0, 1.0), 7)) == {3}
    assert set(draw_mix(np.arange(1_000), PhoneMix(1.0, 0.0, 0.0, 0.0), 7)) == {0}


def test_shares_that_are_no_whole_and_rules_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        PhoneMix(0.5, 0.5, 0.5, -0.5)
    with pytest.raises(ValueError, match="less late"):
        ScheduleRule(10.0, 10.0, (2.0, 4.0))
    with pytest.raises(ValueError, match="from 0 on"):
        scan_times([0], [1], -1.0, 5.0, 1)


def test_nobody_asked_about_scans_nothing() -> None:
    assert len(scan_times([], [], 0.0, 10.0, 1)) == 0
    assert len(scan_times([0], [1], 10.0, 10.0, 1)) == 0
