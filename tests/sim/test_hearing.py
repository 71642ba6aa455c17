"""What phones hear, against closed forms, on radios and places made for one law each."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from kernel.ids import TransmitterId
from sim.hearing_arrays import MEMORY_SIZE, MOST_RADIOS
from sim.listening import Crowd, Heard, HearingTables, PhoneRadio, hear_at
from sim.radio_spec import RadioSpec
from sim.transmitters import Radio, Transmitters

PLAIN = PhoneRadio(offset_db=0.0, gain=1.0, sensitivity_dbm=-91.0)
QUIET = RadioSpec(
    fading_sd_db=0.0, hand_sd_db=0.0, body_db=0.0, miss_ratio=0.0, radio_miss_ratio=0.0, stale_ratio=0.0,
    hotspots_per_scan=0.0,
)  # fmt: skip
N = 40_000


def radios_of(ids_each: list[int]) -> Transmitters:
    """One mast after the other to the east, each with one radio of so many ids, named in their order."""
    names = iter(f"02:00:00:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}" for n in range(sum(ids_each)))
    return Transmitters.of(
        [
            Radio(tuple(TransmitterId(next(names)) for _ in range(n)), 2412, (10.0 * mast, 0.0, 3.0), mast, 0.0)
            for mast, n in enumerate(ids_each)
        ]
    )


def tables_of(mean_dbm: list[float] | NDArray[np.float64], ids_each: list[int]) -> HearingTables:
    """One place, at the origin."""
    return HearingTables.of(np.array([mean_dbm], dtype=np.float32), np.zeros((1, 2)), radios_of(ids_each), RadioSpec())


def hear(tables: HearingTables, spec: RadioSpec, crowd: Crowd, n: int, seed: int = 1, **asked: Any) -> Heard:
    """``n`` scans at the only place."""
    return hear_at(tables, spec, np.zeros(n, dtype=np.int64), crowd, np.random.default_rng(seed), **asked)


def table_of(heard: Heard, n_ids: int) -> NDArray[np.float64]:
    """(n_scans, n_ids) power; NaN where not listed."""
    out = np.full((heard.n_scans, n_ids), np.nan)
    out[heard.scan, heard.transmitter] = heard.rssi_dbm
    return out


def rows_of(heard: Heard) -> list[tuple[list[int], list[int], list[float]]]:
    return [
        (heard.transmitter[a:b].tolist(), heard.rssi_dbm[a:b].tolist(), heard.age_ms[a:b].tolist())
        for a, b in pairwise(heard.indptr.tolist())
    ]


def test_a_radio_is_heard_as_often_as_the_normal_distribution_says() -> None:
    """Five standard errors of each share; fading and hand are independent, so their variances add."""
    mean_dbm = np.array([-78.0, -86.0, -90.0, -93.0, -97.0, -103.0])
    spec = replace(QUIET, fading_sd_db=4.2, hand_sd_db=2.5, radio_miss_ratio=0.05, miss_ratio=0.12)
    heard = hear(tables_of(mean_dbm, [1] * 6), spec, Crowd([PLAIN] * N), N)
    found = np.bincount(heard.transmitter, minlength=6) / N
    expected = 0.95 * 0.88 * ndtr((mean_dbm + 91.0) / np.hypot(4.2, 2.5))
    assert np.abs(found - expected).max() < 5 * 0.5 / np.sqrt(N)
    assert found[5] > 0.0
    assert heard.rssi_dbm.min() == -91  # what the hand gains helps to be heard


def test_fading_is_each_radios_own_and_the_hand_is_shared() -> None:
    """Rounding to whole dBm adds 1/12 dB2; covariances of 40,000 scans to five standard errors."""
    spec = replace(QUIET, fading_sd_db=4.0, hand_sd_db=2.5)
    power = table_of(hear(tables_of([-55.0, -60.0, -62.0], [1, 1, 2]), spec, Crowd([PLAIN] * N), N), 4)
    assert not np.isnan(power).any()
    assert power.mean(axis=0) == pytest.approx([-55.0, -60.0, -62.0, -62.0], abs=5 * 4.8 / np.sqrt(N))
    found = np.cov(power.T)
    expected = 2.5**2 + np.diag([4.0**2 + 1 / 12] * 4)
    expected[2, 3] = expected[3, 2] = expected[2, 2]  # two ids of one radio
    assert found == pytest.approx(expected, abs=5 * np.sqrt(2) * 4.8**2 / np.sqrt(N))


@pytest.mark.parametrize("facing_deg", [0.0, 40.0, 90.0, 135.0, 180.0, 251.0])
def test_a_body_shades_what_is_behind_its_holder_as_the_cosine(facing_deg: float) -> None:
    """The radio hangs 10 m to the east, 1 m of which counts as overhead; ways are kept to 1 / 127."""
    facing_rad = np.radians(facing_deg)
    heard = hear(
        tables_of([np.nan, -50.0], [1, 1]), replace(QUIET, body_db=30.0), Crowd([PLAIN]), 1, facing_rad=[facing_rad]
    )
    loss_db = 30.0 * max(0.0, -np.cos(facing_rad)) * 10.0 / np.hypot(10.0, 1.0)
    assert heard.rssi_dbm.tolist() == [pytest.approx(-50.0 - loss_db, abs=0.5 + 30.0 / 127 / 2)]


def test_a_body_shades_little_of_what_hangs_overhead() -> None:
    """Half a metre away in plan, it is shaded by 0.45 of what a radio far off is."""
    tables = HearingTables.of(
        np.array([[-50.0]], dtype=np.float32), np.array([[-0.5, 0.0]]), radios_of([1]), RadioSpec()
    )
    heard = hear(tables, replace(QUIET, body_db=30.0), Crowd([PLAIN]), 1, facing_rad=[np.pi])
    assert heard.rssi_dbm.tolist() == [pytest.approx(-50.0 - 30.0 * 0.5 / np.hypot(0.5, 1.0), abs=0.7)]


def test_a_holder_of_whom_nothing_is_said_faces_any_way() -> None:
    """The mean of the cosine's negative half over all ways is 1 / pi; one radio hangs to the north, one north-west."""
    tables = HearingTables.of(
        np.full((1, 2), -50.0, dtype=np.float32), np.array([[10.0, -10.0]]), radios_of([1, 1]), RadioSpec()
    )
    power = table_of(hear(tables, replace(QUIET, body_db=30.0), Crowd([PLAIN] * N), N), 2)
    for one, distance_m in zip(power.T, (np.hypot(10.0, 10.0), 10.0), strict=True):
        share = distance_m / np.hypot(distance_m, 1.0)
        assert one.mean() == pytest.approx(-50.0 - 30.0 * share / np.pi, abs=5 * 12.0 / np.sqrt(N))
        assert (one == -50).mean() == pytest.approx(0.5, abs=0.03)  # and the first half decibel behind
    both_behind = ((power < -51).all(axis=1)).mean()
    assert both_behind == pytest.approx(135 / 360, abs=0.03)


def test_powers_are_cut_where_scan_lists_end() -> None:
    heard = hear(tables_of([-3.0, -130.0], [1, 1]), QUIET, Crowd([replace(PLAIN, sensitivity_dbm=-150.0)]), 1)
    assert heard.rssi_dbm.tolist() == [-10, -110]


def test_fresh_ages_are_uniform_over_a_sweep_and_shared_by_a_radios_ids() -> None:
    heard = hear(tables_of([-50.0, -50.0], [1, 2]), replace(QUIET, mean_age_ms=900.0), Crowd([PLAIN] * N), N)
    age_ms = heard.age_ms.reshape(N, 3)
    assert (age_ms[:, 1] == age_ms[:, 2]).all()
    assert abs(np.corrcoef(age_ms[:, 0], age_ms[:, 1])[0, 1]) < 5 / np.sqrt(N)
    for ms in (0.0, 90.0, 900.0, 1_700.0):
        assert (age_ms[:, 0] >= ms).mean() == pytest.approx(1.0 - ms / 1_800.0, abs=5 * 0.5 / np.sqrt(N))
    assert 1_799.0 < age_ms.max() < 1_800.0


def test_a_soft_edge_misses_radios_whole_by_how_little_they_are_above_it() -> None:
    """At a margin m a radio is missed with ``edge_miss_ratio`` exp(-m / soft), all its ids together."""
    margins_db = [0.0, 4.0, 12.0, 40.0]
    spec = replace(QUIET, edge_miss_ratio=0.8, soft_2_db=8.0)
    tables = HearingTables.of(
        np.array([[-91.0 + m for m in margins_db]], dtype=np.float32), np.zeros((1, 2)), radios_of([2, 1, 1, 1]), spec
    )
    is_listed = ~np.isnan(table_of(hear(tables, spec, Crowd([PLAIN] * N), N), 5))
    assert (is_listed[:, 0] == is_listed[:, 1]).all()
    missed = 0.8 * np.exp(-np.array(margins_db) / 8.0)
    assert is_listed[:, 1:].mean(axis=0) == pytest.approx(1.0 - missed, abs=5 * 0.5 / np.sqrt(N))
    assert abs(np.corrcoef(is_listed[:, 1], is_listed[:, 2])[0, 1]) < 5 / np.sqrt(N)


def test_beacons_and_low_bands_have_one_edge_and_high_bands_another() -> None:
    names = [TransmitterId(f"02:00:00:00:00:0{i}") for i in range(3)]
    frequencies_mhz = (0, 2412, 5180)
    radios = [Radio((names[i],), frequencies_mhz[i], (0.0, 0.0, 3.0), i, 0.0) for i in range(3)]
    spec = replace(QUIET, edge_miss_ratio=1.0, soft_2_db=40.0, soft_5_db=1.0)
    tables = HearingTables.of(np.full((1, 3), -81.0, np.float32), np.zeros((1, 2)), Transmitters.of(radios), spec)
    is_listed = ~np.isnan(table_of(hear(tables, spec, Crowd([PLAIN] * N), N), 3))
    expected = 1.0 - np.exp(-10.0 / np.array([40.0, 40.0, 1.0]))
    assert is_listed.mean(axis=0) == pytest.approx(expected, abs=5 * 0.5 / np.sqrt(N))


def test_each_reading_has_noise_beside_its_radios_fading() -> None:
    spec = replace(QUIET, fading_sd_db=3.0, frame_sd_db=1.5)
    power = table_of(hear(tables_of([-60.0, -60.0], [1, 3]), spec, Crowd([PLAIN] * N), N), 4)
    assert power.mean() == pytest.approx(-60.0, abs=0.1)
    between = power[:, 1] - power[:, 2]
    assert between.std() == pytest.approx(np.sqrt(2.0 * (1.5**2 + 1.0 / 12.0)), rel=0.03)  # rounded to whole dB
    assert np.cov(power[:, 1], power[:, 2])[0, 1] == pytest.approx(9.0, rel=0.06)
    assert abs(np.corrcoef(power[:, 0], power[:, 1])[0, 1]) < 5 / np.sqrt(N)
    loud = table_of(hear(tables_of([-10.0, -91.0], [1, 1]), spec, Crowd([PLAIN] * N), N), 2)
    assert np.nanmax(loud) == -10.0
    assert np.nanmin(loud) >= -110.0


def test_ids_of_one_radio_are_missed_one_by_one_and_radios_all_at_once() -> None:
    """Of twelve ids as of one; shares and products of pairs to five standard errors."""
    tables = tables_of([-50.0, -50.0, -50.0], [1, 2, 12])
    is_listed = ~np.isnan(table_of(hear(tables, replace(QUIET, miss_ratio=0.3), Crowd([PLAIN] * N), N), 15))
    assert is_listed.mean(axis=0) == pytest.approx(np.full(15, 0.7), abs=5 * 0.46 / np.sqrt(N))
    both = np.cov(is_listed.T) - np.diag(is_listed.var(axis=0, ddof=1))
    assert np.abs(both).max() < 5 * 0.21 / np.sqrt(N)
    is_listed = ~np.isnan(table_of(hear(tables, replace(QUIET, radio_miss_ratio=0.3), Crowd([PLAIN] * N), N), 15))
    assert (is_listed[:, 3:] == is_listed[:, 3:4]).all()
    assert (is_listed[:, 1] == is_listed[:, 2]).all()
    radios = is_listed[:, [0, 1, 3]]
    assert radios.mean(axis=0) == pytest.approx(np.full(3, 0.7), abs=5 * 0.46 / np.sqrt(N))
    assert abs(np.cov(radios.T)[np.triu_indices(3, 1)]).max() < 5 * 0.21 / np.sqrt(N)


def test_slow_fading_keeps_its_deviation_and_turns_from_knot_to_knot() -> None:
    """A quarter of the way between two knots it is made up of cos(pi/8) of the one and sin(pi/8) of the other."""
    spec = replace(QUIET, slow_sd_db=6.0, slow_s=20.0)
    crowd = Crowd([PLAIN] * N, seed=3)
    tables = tables_of([-60.0, -60.0], [1, 1])
    power = [
        table_of(hear(tables, spec, crowd, N, seed=at_s, at_ms=np.full(N, 1_000 * at_s)), 2)[:, 0]
        for at_s in (40, 45, 60, 61, 80)
    ]
    for one in power:
        assert one.std() == pytest.approx(6.0, abs=0.15)
    like = np.asarray(np.corrcoef(power))
    near = 5 / np.sqrt(N)
    assert like[0, 1] == pytest.approx(np.cos(np.pi / 8), abs=near)
    assert like[1, 2] == pytest.approx(np.sin(np.pi / 8), abs=near)
    assert like[0, 2] == pytest.approx(0.0, abs=near)
    assert like[2, 3] > 0.98
    assert like[2, 4] == pytest.approx(0.0, abs=near)


def test_how_a_phone_is_carried_moves_all_its_radios_and_slow_fading_each_alone() -> None:
    tables = tables_of([-60.0, -60.0], [1, 1])
    at_ms = np.full(N, 12_345)
    for spec, expected in (
        (replace(QUIET, carry_sd_db=5.0), 1.0),
        (replace(QUIET, slow_sd_db=5.0), 0.0),
    ):
        power = table_of(hear(tables, spec, Crowd([PLAIN] * N), N, at_ms=at_ms), 2)
        assert power.std(axis=0) == pytest.approx(np.full(2, 5.0), abs=0.15)
        assert np.asarray(np.corrcoef(power.T))[0, 1] == pytest.approx(expected, abs=5 / np.sqrt(N))
        again = table_of(hear(tables, spec, Crowd([PLAIN] * N), N, seed=2, at_ms=at_ms), 2)
        assert (again == power).all()  # of the walk, not of the scan
        other = table_of(hear(tables, spec, Crowd([PLAIN] * N, seed=1), N, at_ms=at_ms), 2)
        assert abs(np.corrcoef(power[:, 0], other[:, 0])[0, 1]) < 5 / np.sqrt(N)


def test_radios_that_a_walk_does_not_hear_stay_away_all_along_it() -> None:
    tables = tables_of([-60.0, -60.0], [1, 1])
    crowd = Crowd([PLAIN] * N)
    spec = replace(QUIET, walk_miss_ratio=0.2, slow_sd_db=0.1)
    first, later = (
        ~np.isnan(table_of(hear(tables, spec, crowd, N, seed=at_s, at_ms=np.full(N, 1_000 * at_s)), 2))
        for at_s in (1, 500)
    )
    assert (first == later).all()
    assert first.mean(axis=0) == pytest.approx([0.8, 0.8], abs=5 * 0.4 / np.sqrt(N))
    assert abs(np.corrcoef(first.T)[0, 1]) < 5 / np.sqrt(N)


def test_what_is_missed_is_listed_again_in_its_share_with_its_age_and_what_is_new_is_new() -> None:
    spec = replace(QUIET, miss_ratio=0.5, stale_ratio=0.3, fading_sd_db=5.0)
    crowd, tables = Crowd([PLAIN] * N), tables_of([-60.0, -61.0, -62.0], [1, 2, 3])
    first, second = (hear(tables, spec, crowd, N, seed=at_s, at_ms=np.full(N, 1_000 * at_s)) for at_s in (1, 7))
    for heard in (first, second):
        for ids, _, _ in rows_of(heard)[:500]:
            assert ids == sorted(set(ids))
    was, now = table_of(first, 6), table_of(second, 6)
    age_ms, first_age_ms = np.full((2, N, 6), np.nan)
    age_ms[second.scan, second.transmitter] = second.age_ms
    first_age_ms[first.scan, first.transmitter] = first.age_ms
    is_old = age_ms > 4_000.0
    assert age_ms[is_old] == pytest.approx(first_age_ms[is_old] + 6_000.0, abs=0.01)
    assert (now[is_old] == was[is_old]).all()
    is_new = ~np.isnan(now) & ~is_old
    assert is_new.mean(axis=0) == pytest.approx(np.full(6, 0.5), abs=5 * 0.5 / np.sqrt(N))
    could = ~np.isnan(was) & ~is_new
    share = is_old.sum(axis=0) / could.sum(axis=0)
    assert share == pytest.approx(np.full(6, 0.3), abs=5 * 0.46 / np.sqrt(N / 4))


def test_a_list_ends_where_a_phones_memory_ends_and_is_the_first_ids() -> None:
    """The second scan hears 500 of other radios between those that the first one left in the list."""
    n_radios = 1_000
    ids_each = [1] * n_radios
    even = np.where(np.arange(n_radios) % 2 == 0, -50.0, np.nan)
    odd = np.where(np.arange(n_radios) % 2 == 1, -50.0, np.nan)
    tables = HearingTables.of(
        np.array([even, odd], dtype=np.float32), np.zeros((2, 2)), radios_of(ids_each), RadioSpec()
    )
    heard = hear_at(
        tables, replace(QUIET, stale_ratio=1.0), np.array([0, 1, 0]), Crowd([PLAIN]), np.random.default_rng(1),
        who=[0, 0, 0], at_ms=[0, 1_000, 2_000],
    )  # fmt: skip
    first, second, third = rows_of(heard)
    assert first[0] == list(range(0, n_radios, 2))
    assert second[0] == list(range(MEMORY_SIZE))
    assert third[0] == list(range(MEMORY_SIZE))
    assert third[2][1::2] == pytest.approx([ms + 1_000.0 for ms in second[2][1::2]], abs=0.01)
    many = hear(tables_of(np.full(n_radios, -50.0), ids_each), QUIET, Crowd([PLAIN]), 1)
    assert rows_of(many)[0][0] == list(range(MEMORY_SIZE))


@pytest.fixture(scope="module")
def crowded() -> tuple[HearingTables, RadioSpec]:
    """Places of very different size, with all that chance can do."""
    rng = np.random.default_rng(2)
    mean_dbm = rng.uniform(-115.0, -45.0, (40, 300)).astype(np.float32)
    mean_dbm[rng.random((40, 300)) < np.linspace(0.0, 1.0, 40)[:, None]] = np.nan
    ids_each = rng.choice([1, 2, 6], 300).tolist()
    tables = HearingTables.of(mean_dbm, rng.uniform(0, 50, (40, 2)), radios_of(ids_each), RadioSpec())
    spec = RadioSpec(slow_sd_db=1.0, carry_sd_db=2.0, walk_miss_ratio=0.05, stale_ratio=0.9)
    return tables, spec


def hear_crowd(crowded: tuple[HearingTables, RadioSpec], **room: int) -> Heard:
    """300 scans of 30 phones, who walk from place to place."""
    tables, spec = crowded
    rng = np.random.default_rng(3)
    return hear_at(
        tables, spec, rng.integers(0, 40, 300), Crowd([PLAIN] * 30, seed=5), np.random.default_rng(4),
        who=np.tile(np.arange(30), 10), at_ms=np.repeat(np.arange(10), 30) * 7_000, **room,
    )  # fmt: skip


def test_room_is_found_in_parts_and_for_long_lists_without_a_change(crowded: tuple[HearingTables, RadioSpec]) -> None:
    whole = hear_crowd(crowded)
    counts = np.diff(whole.indptr)
    assert counts.max() > 512  # more than a phone's list has room for at first, and than twice that
    assert counts.min() < 100
    in_parts = hear_crowd(crowded, most_at_once=2_000)
    assert rows_of(in_parts) == rows_of(whole)
    assert (in_parts.n_hotspots == whole.n_hotspots).all()


def test_phones_asked_one_by_one_hear_what_they_hear_together(crowded: tuple[HearingTables, RadioSpec]) -> None:
    tables, spec = crowded
    rng = np.random.default_rng(3)
    place = rng.integers(0, 40, 300)
    together, crowd = rows_of(hear_crowd(crowded)), Crowd([PLAIN] * 30, seed=5)
    for i in range(300):
        alone = hear_at(
            tables, spec, place[i : i + 1], crowd, np.random.default_rng(4), who=[i % 30],
            at_ms=[i // 30 * 7_000], number=[i],
        )  # fmt: skip
        assert rows_of(alone) == together[i : i + 1]


def test_nothing_asked_is_nothing_heard(crowded: tuple[HearingTables, RadioSpec]) -> None:
    tables, spec = crowded
    heard = hear_at(tables, spec, np.empty(0, dtype=np.int64), Crowd([PLAIN]), np.random.default_rng(1), who=[])
    assert heard.n_scans == len(heard.transmitter) == len(heard.rssi_dbm) == len(heard.age_ms) == 0
    deaf = hear(tables_of([np.nan, np.nan], [1, 1]), QUIET, Crowd([PLAIN]), 1)
    assert deaf.indptr.tolist() == [0, 0]


def test_more_radios_than_an_entry_can_number_are_refused() -> None:
    transmitters = radios_of([1] * (MOST_RADIOS + 1))
    with pytest.raises(ValueError, match=f"found {MOST_RADIOS + 1} and"):
        HearingTables.of(
            np.full((1, MOST_RADIOS + 1), np.nan, dtype=np.float32), np.zeros((1, 2)), transmitters, RadioSpec()
        )
