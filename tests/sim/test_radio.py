"""The radio model against the published table, hand counts and its own statistics."""

from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from sim.ageing import age_transmitters
from sim.kernels import count_crossings, list_sectors, mean_power_dbm, sector_of
from sim.listening import Crowd, Heard, PhoneRadio, draw_phones
from sim.radio import RadioField, aged, make_radio_field
from sim.radio_spec import Ageing, RadioSpec
from sim.shadowing import shadowing_fields
from sim.walls import radio_walls
from sim.world import World

PLAIN = PhoneRadio(offset_db=0.0, gain=1.0, sensitivity_dbm=-91.0)


def test_constants_are_those_of_the_published_table() -> None:
    spec = RadioSpec()
    assert asdict(Ageing()) == {
        "removed": 0.08, "renamed": 0.08, "moved": 0.03, "repowered": 0.06, "power_change_db": 6.0, "new": 0.06,
        "drift_sd_db": 3.0,
    }  # fmt: skip
    published = {
        "area_per_access_point_m2": 5 * 120 * 72 / 400,
        "area_per_beacon_m2": 5 * 120 * 72 / 120,
        "max_ids_per_access_point": 4,
        "path_exponent": 3.0,
        "wall_db": 4.5,
        "floor_db": 16.0,
        "shadowing_sd_db": 5.0,
        "shadowing_length_m": 7.0,
        "fading_sd_db": 4.2,
        "hand_sd_db": 2.5,
        "device_offset_sd_db": 4.5,
        "device_gain_sd": 0.05,
        "sensitivity_dbm": (-95.0, -88.0),
        "miss_ratio": 0.12,
        "hotspots_per_scan": 1.5,
    }
    assert {name: getattr(spec, name) for name in published} == published
    assert spec.atrium_db < spec.floor_db
    assert spec.radio_miss_ratio > 0


def power_at(
    distance_m: float, walls: NDArray[np.float64], *, up: int = 0, hole: bool = False, a_metre_db: float = 0.0
) -> float:
    """Mean power of a radio of 0 dBm at 1 m, ``up`` storeys below the phone, in a row of 100 cells."""
    cells = np.column_stack([np.arange(100) + 0.5, np.full(100, 0.5)])
    levels = np.arange(2, dtype=np.int64)
    is_open = np.zeros((2, 100), dtype=np.bool_)
    is_open[1] = hole
    mean = mean_power_dbm(
        np.array([[0.5, 0.5, 1.2]]), np.zeros(1), cells, np.full(100, up), levels, 1.2, 5.0,
        walls, np.array([0, len(walls), len(walls)]), is_open, np.zeros(2), 100, 1, 1.0,
        3.0, a_metre_db, 4.5, 16.0, 4.0, -200.0,
    )  # fmt: skip
    return float(mean[round(distance_m), 0])


NO_WALLS = np.empty((0, 4))


def test_power_falls_thirty_db_a_decade_and_not_within_the_first_metre() -> None:
    assert power_at(0, NO_WALLS) == 0.0
    assert power_at(10, NO_WALLS) == pytest.approx(-30.0, abs=1e-4)
    assert power_at(80, NO_WALLS) == pytest.approx(-30.0 * np.log10(80), abs=1e-4)
    assert power_at(10, NO_WALLS, a_metre_db=0.5) == pytest.approx(-34.5, abs=1e-4)


def test_each_wall_on_the_way_costs_its_loss_and_one_beside_it_nothing() -> None:
    walls = np.array([[3, -1, 3, 2], [6, -1, 6, 2], [7, 1, 7, 2], [12, -1, 12, 2]], dtype=np.float64)
    assert power_at(10, walls) == pytest.approx(-30.0 - 2 * 4.5, abs=1e-4)


def test_a_floor_costs_its_loss_and_a_hole_in_it_less() -> None:
    straight_db = -30.0 * np.log10(np.hypot(10.0, 5.0))
    assert power_at(10, NO_WALLS, up=1) == pytest.approx(straight_db - 16.0, abs=1e-3)
    assert power_at(10, NO_WALLS, up=1, hole=True) == pytest.approx(straight_db - 4.0, abs=1e-3)


def crossings(x0: float, y0: float, x1: float, y1: float, walls: NDArray[np.float64]) -> int:
    """Walls of the ground storey between a radio at 3.5 m and a phone, tried in the phone's direction only."""
    indptr, listed = list_sectors(x0, y0, walls)
    sector = sector_of(float(np.arctan2(y1 - y0, x1 - x0)))
    ahead = listed[indptr[sector] : indptr[sector + 1]]
    return int(count_crossings(x0, y0, 3.5, x1, y1, 1.2, walls, ahead, 0.0, 5.0))


def test_walls_of_the_mall_are_counted_as_geometry_counts_them(world: World) -> None:
    venue = world.mall.venue
    walls = radio_walls(venue, venue.levels[0].id)
    lines = shapely.linestrings(walls.reshape(-1, 2, 2))
    rng = np.random.default_rng(1)
    counts = []
    for x0, y0, x1, y1 in rng.uniform((0, 0, 0, 0), (90, 54, 90, 54), (300, 4)):
        ray = shapely.LineString([(x0, y0), (x1, y1)])
        expected = int(shapely.crosses(lines, ray).sum())
        assert crossings(x0, y0, x1, y1, walls) == expected
        counts.append(expected)
    assert max(counts) >= 8


def test_two_neighbouring_stores_are_one_wall_apart(world: World) -> None:
    """A hand count: across the party wall one, to the corridor through the door none, beside the door one."""
    venue = world.mall.venue
    level = venue.levels[1]
    walls = radio_walls(venue, level.id)
    south = sorted(
        (s for s in venue.stores if s.level_id == level.id and s.area.bounds[1] == 0), key=lambda s: s.area.bounds[0]
    )
    first, second = south[1], south[2]
    x = first.area.bounds[2]
    assert x == second.area.bounds[0]
    assert crossings(x - 2, 5.3, x + 2, 5.4, walls) == 1
    (door,) = [
        d.line for d in venue.openings if d.level_id == level.id and first.area.boundary.buffer(0.01).covers(d.line)
    ]
    middle, y = door.centroid.x, door.centroid.y
    assert crossings(middle, y - 3, middle + 0.1, y + 3, walls) == 0
    beside = door.bounds[0] - 0.5
    assert crossings(beside, y - 3, beside + 0.1, y + 3, walls) == 1


def test_shadowing_has_its_deviation_and_its_correlation_length() -> None:
    fields = shadowing_fields(200, 60, 40, 1.0, 5.0, 7.0, np.random.default_rng(2))
    assert fields.std() == pytest.approx(5.0, rel=0.03)  # about 200 x 49 independent patches: 0.7 % a sigma
    for lag in (3, 7, 14):
        correlation = float((fields[:, :, :-lag] * fields[:, :, lag:]).mean() / fields.var())
        assert correlation == pytest.approx(np.exp(-lag / 7.0), abs=0.04)
    assert abs(float((fields[0] * fields[1]).mean())) / 25.0 < 0.6


@pytest.fixture(scope="module")
def bare(world: World) -> RadioField:
    """The world's field without chance but for what a test switches on."""
    quiet = replace(
        world.radio.spec, fading_sd_db=0.0, hand_sd_db=0.0, body_db=0.0, miss_ratio=0.0, radio_miss_ratio=0.0,
        hotspots_per_scan=0.0,
    )  # fmt: skip
    return replace(world.radio, spec=quiet)


def test_without_chance_a_phone_hears_the_mean_of_its_cell(bare: RadioField) -> None:
    heard = bare.hear([0], [[45.2, 16.7]], Crowd([PLAIN]), np.random.default_rng(0))
    mean = bare.mean_dbm[0, bare.grid.cell_of([45.2, 16.7])][bare.transmitters.radio_of]
    assert heard.rssi_dbm.tolist() == np.rint(mean[heard.transmitter]).astype(int).tolist()
    assert set(np.flatnonzero(mean >= -91.0)) == set(heard.transmitter)


def test_offset_gain_and_sensitivity_act_as_stated(bare: RadioField) -> None:
    other = PhoneRadio(offset_db=6.0, gain=1.1, sensitivity_dbm=-80.0)
    heard = bare.hear([0, 0], [[45.5, 16.5]] * 2, Crowd([PLAIN, other]), np.random.default_rng(0))
    rows = [dict(zip(heard.transmitter[heard.scan == i], heard.rssi_dbm[heard.scan == i], strict=True)) for i in (0, 1)]
    both = set(rows[0]) & set(rows[1])
    assert len(both) > 10
    for item in both:
        assert rows[1][item] == pytest.approx(-65 + 1.1 * (rows[0][item] + 65) + 6, abs=1.6)  # both are rounded
    assert min(rows[1].values()) >= -80


def test_one_in_eight_readings_is_missed_and_radios_miss_all_their_ids_together(bare: RadioField) -> None:
    n = 1_500
    mean = bare.mean_dbm[0, bare.grid.cell_of([45.5, 16.5])][bare.transmitters.radio_of]
    audible = np.flatnonzero(mean > -88.0)

    def share(**changes: float) -> tuple[float, NDArray[np.bool_]]:
        field = replace(bare, spec=replace(bare.spec, **changes))  # type: ignore[arg-type]
        heard = field.hear([0] * n, [[45.5, 16.5]] * n, Crowd([PLAIN] * n), np.random.default_rng(4))
        table = np.zeros((n, len(mean)), dtype=np.bool_)
        table[heard.scan, heard.transmitter] = True
        return float(1.0 - table[:, audible].mean()), table

    missed, _ = share(miss_ratio=0.12)
    assert missed == pytest.approx(0.12, abs=0.01)
    missed, table = share(radio_miss_ratio=0.05)
    assert missed == pytest.approx(0.05, abs=0.01)
    radio_of = bare.transmitters.radio_of
    pairs = [(a, b) for a in audible for b in audible if a < b and radio_of[a] == radio_of[b]]
    assert pairs
    for a, b in pairs:
        assert (table[:, a] == table[:, b]).all()


def test_phones_differ_as_much_as_the_table_says() -> None:
    phones = draw_phones(20_000, RadioSpec(), np.random.default_rng(5))
    assert np.std([p.offset_db for p in phones]) == pytest.approx(4.5, rel=0.03)
    assert np.std([p.gain for p in phones]) == pytest.approx(0.05, rel=0.03)
    sensitivity = [p.sensitivity_dbm for p in phones]
    assert min(sensitivity) == pytest.approx(-95, abs=0.01)
    assert max(sensitivity) == pytest.approx(-88, abs=0.01)


def test_a_scan_holds_about_as_many_readings_as_in_the_table(world: World) -> None:
    rng = np.random.default_rng(6)
    n = 1_000
    field = world.survey_radio
    places = rng.uniform((0, 0), (90, 54), (n, 2))
    heard = field.hear(rng.integers(0, 3, n), places, Crowd(draw_phones(n, RadioSpec(), rng)), rng)
    scans = field.readings(heard, rng)
    sizes = [len(scan) for scan in scans]
    assert 35 <= np.median(sizes) <= 60  # the table: 49
    for scan in scans[:50]:
        ids = [reading.transmitter for reading in scan]
        assert ids == sorted(set(ids))
    known = set(field.transmitters.ids)
    strangers = [reading.transmitter for scan in scans for reading in scan if reading.transmitter not in known]
    assert len(strangers) / n == pytest.approx(1.5, abs=0.12)
    assert all(int(address[:2], 16) & 3 == 2 for address in strangers)
    assert len(set(strangers)) == len(strangers)


def test_a_phone_lists_old_readings_until_they_are_half_a_minute_old(bare: RadioField) -> None:
    """Deaf after its first scan, a phone lists what it had, at the old power and with its age."""
    field = replace(bare, spec=replace(bare.spec, stale_ratio=1.0))
    crowd, rng = Crowd([PLAIN]), np.random.default_rng(8)

    def hear(at_s: int) -> Heard:
        return field.hear([0], [[45.5, 16.5]], crowd, rng, at_ms=[at_s * 1000])

    first = hear(0)
    assert len(first.transmitter) > 20
    crowd.receiver[0, 2] = 0.0
    second, third, fourth = hear(10), hear(26), hear(31)
    for later, since_ms in ((second, 10_000), (third, 26_000)):
        assert later.transmitter.tolist() == first.transmitter.tolist()
        assert later.rssi_dbm.tolist() == first.rssi_dbm.tolist()
        assert np.allclose(later.age_ms, first.age_ms + since_ms, atol=1.0)
    assert len(fourth.transmitter) == 0  # fresh ones were up to 4 s old: all are past 30 s, and none is listed anew


def test_what_a_scan_hears_does_not_hang_on_the_others(world: World) -> None:
    rng = np.random.default_rng(3)
    n = 1_500  # more than one chunk of the compiled loop
    level, xy_m = rng.integers(0, 3, n), rng.uniform((0, 0), (90, 54), (n, 2))
    phones = draw_phones(n, RadioSpec(), rng)
    number = rng.permutation(n) + 10_000

    def hear(at: NDArray[np.int64]) -> list[tuple[list[int], list[int], list[float]]]:
        heard = world.radio.hear(
            level[at], xy_m[at], Crowd(phones), np.random.default_rng(5), who=at, number=number[at]
        )
        return [
            (heard.transmitter[a:b].tolist(), heard.rssi_dbm[a:b].tolist(), heard.age_ms[a:b].tolist())
            for a, b in pairwise(heard.indptr.tolist())
        ]

    together, order = hear(np.arange(n)), rng.permutation(n)[:400]
    assert hear(order) == [together[i] for i in order]
    assert together[0] != together[1]


def test_a_phone_that_is_shown_beacons_alone_lists_nothing_else(world: World) -> None:
    phones = [replace(PLAIN, only_beacons=True)] * 50
    xy_m = np.random.default_rng(2).uniform((0, 0), (90, 54), (50, 2))
    heard = world.radio.hear([0] * 50, xy_m, Crowd(phones), np.random.default_rng(1))
    assert len(heard.transmitter) > 20
    assert (world.radio.transmitters.frequency_mhz[heard.transmitter] == 0).all()
    assert heard.n_hotspots.sum() == 0
    others = world.radio.hear([0] * 50, xy_m, Crowd([PLAIN] * 50), np.random.default_rng(1))
    assert others.n_hotspots.sum() > 20


def test_without_other_changes_the_field_drifts_by_its_deviation(world: World) -> None:
    still = Ageing(removed=0.0, renamed=0.0, moved=0.0, repowered=0.0, new=0.0)
    later = aged(world.survey_radio, world.mall.venue, still, np.random.default_rng(4))
    change = later.mean_dbm - world.survey_radio.mean_dbm
    assert np.nanstd(change) == pytest.approx(3.0, rel=0.1)
    assert (np.isnan(later.mean_dbm) == np.isnan(world.survey_radio.mean_dbm)).all()
    assert later.transmitters.ids == world.survey_radio.transmitters.ids


def test_radios_meet_the_fates_that_are_asked_for(world: World) -> None:
    """Shares within three standard errors of 20 drawings; who stays keeps its place, ids and power."""
    before, venue, spec = world.survey_radio.transmitters, world.mall.venue, world.survey_radio.spec
    was = before.radios()
    counts = np.zeros(6)
    for seed in range(20):
        later, changes = age_transmitters(before, venue, spec, Ageing(), np.random.default_rng(seed))
        now = later.radios()
        assert len(set(later.ids)) == len(later.ids)
        kept = [
            (was[origin], radio) for origin, radio in zip(changes.came_from.tolist(), now, strict=True) if origin >= 0
        ]
        names = {radio.ids for radio in was}
        renamed = [radio for old, radio in kept if radio.ids != old.ids]
        assert not names & {radio.ids for radio in renamed}
        assert not set(before.ids) & {name for radio in renamed for name in radio.ids}
        assert all(old.xyz_m == radio.xyz_m and old.mast == radio.mast for old, radio in kept)
        repowered = [
            radio.power_1m_dbm - old.power_1m_dbm for old, radio in kept if radio.power_1m_dbm != old.power_1m_dbm
        ]
        assert np.allclose(np.abs(repowered), 6.0)
        elsewhere = [radio for origin, radio in zip(changes.came_from.tolist(), now, strict=True) if origin < 0]
        moved = [radio for radio in elsewhere if radio.ids in names]
        removed = len(was) - len(kept) - len(moved)
        counts += removed, len(renamed), len(moved), len(repowered), len(elsewhere) - len(moved), len(was)
    shares = counts[:5] / counts[5]
    for share, asked in zip(shares, (0.08, 0.08, 0.03, 0.06, 0.06), strict=True):
        assert share == pytest.approx(asked, abs=3 * np.sqrt(asked / counts[5]) + 0.01 * (asked == 0.06))


def test_a_later_field_knows_its_new_and_moved_radios(world: World) -> None:
    """Each radio of the later date is heard somewhere at about the power that it has at 1 m."""
    power = world.radio.transmitters.power_1m_dbm
    strongest = np.nanmax(world.radio.mean_dbm.reshape(-1, len(power)), axis=0)
    assert len(power) == world.radio.mean_dbm.shape[2]
    assert np.all(np.abs(strongest - power) < 35)
    again = aged(world.survey_radio, world.mall.venue, Ageing(), np.random.default_rng([7, 6]))
    assert np.array_equal(again.mean_dbm, world.radio.mean_dbm, equal_nan=True)
    assert again.transmitters.ids == world.radio.transmitters.ids


def test_the_same_seed_gives_the_same_field(small_world: World) -> None:
    from_seed = make_radio_field(small_world.mall.venue, RadioSpec(), np.random.default_rng([7, 1]))
    assert from_seed.transmitters.ids == small_world.survey_radio.transmitters.ids
    assert np.array_equal(from_seed.mean_dbm, small_world.survey_radio.mean_dbm, equal_nan=True)
