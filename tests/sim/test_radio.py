"""The radio model against the published table, hand counts and its own statistics."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from sim.kernels import count_crossings, mean_power_dbm
from sim.radio import PhoneRadio, RadioField, draw_phones, make_radio_field
from sim.radio_spec import RadioSpec
from sim.shadowing import shadowing_fields
from sim.walls import radio_walls
from sim.world import World

PLAIN = PhoneRadio(offset_db=0.0, gain=1.0, sensitivity_dbm=-91.0)


def test_constants_are_those_of_the_published_table() -> None:
    spec = RadioSpec()
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
        "drift_sd_db": 3.0,
        "device_offset_sd_db": 4.5,
        "device_gain_sd": 0.05,
        "sensitivity_dbm": (-95.0, -88.0),
        "miss_ratio": 0.12,
        "hotspots_per_scan": 1.5,
    }
    assert {name: getattr(spec, name) for name in published} == published
    assert spec.atrium_db < spec.floor_db
    assert spec.radio_miss_ratio > 0


def power_at(distance_m: float, walls: NDArray[np.float64], *, up: int = 0, hole: bool = False) -> float:
    """Mean power of a radio of 0 dBm at 1 m, ``up`` storeys below the phone, in a row of 100 cells."""
    cells = np.column_stack([np.arange(100) + 0.5, np.full(100, 0.5)])
    levels = np.arange(2, dtype=np.int64)
    is_open = np.zeros((2, 100), dtype=np.bool_)
    is_open[1] = hole
    mean = mean_power_dbm(
        np.array([[0.5, 0.5, 1.2]]), np.zeros(1), cells, levels, 1.2, 5.0,
        walls, np.array([0, len(walls), len(walls)]), is_open, np.zeros(2), 100, 1, 1.0,
        3.0, 4.5, 16.0, 4.0, -200.0,
    )  # fmt: skip
    return float(mean[up, round(distance_m), 0])


NO_WALLS = np.empty((0, 4))


def test_power_falls_thirty_db_a_decade_and_not_within_the_first_metre() -> None:
    assert power_at(0, NO_WALLS) == 0.0
    assert power_at(10, NO_WALLS) == pytest.approx(-30.0, abs=1e-4)
    assert power_at(80, NO_WALLS) == pytest.approx(-30.0 * np.log10(80), abs=1e-4)


def test_each_wall_on_the_way_costs_its_loss_and_one_beside_it_nothing() -> None:
    walls = np.array([[3, -1, 3, 2], [6, -1, 6, 2], [7, 1, 7, 2], [12, -1, 12, 2]], dtype=np.float64)
    assert power_at(10, walls) == pytest.approx(-30.0 - 2 * 4.5, abs=1e-4)


def test_a_floor_costs_its_loss_and_a_hole_in_it_less() -> None:
    straight_db = -30.0 * np.log10(np.hypot(10.0, 5.0))
    assert power_at(10, NO_WALLS, up=1) == pytest.approx(straight_db - 16.0, abs=1e-3)
    assert power_at(10, NO_WALLS, up=1, hole=True) == pytest.approx(straight_db - 4.0, abs=1e-3)


def test_walls_of_the_mall_are_counted_as_geometry_counts_them(world: World) -> None:
    venue = world.mall.venue
    walls = radio_walls(venue, venue.levels[0].id)
    lines = shapely.linestrings(walls.reshape(-1, 2, 2))
    rng = np.random.default_rng(1)
    counts = []
    for x0, y0, x1, y1 in rng.uniform((0, 0, 0, 0), (90, 54, 90, 54), (300, 4)):
        ray = shapely.LineString([(x0, y0), (x1, y1)])
        expected = int(shapely.crosses(lines, ray).sum())
        assert count_crossings(x0, y0, 3.5, x1, y1, 1.2, walls, 0.0, 5.0) == expected
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
    assert count_crossings(x - 2, 5.3, 3.5, x + 2, 5.4, 1.2, walls, 0.0, 5.0) == 1
    (door,) = [
        d.line for d in venue.openings if d.level_id == level.id and first.area.boundary.buffer(0.01).covers(d.line)
    ]
    middle, y = door.centroid.x, door.centroid.y
    assert count_crossings(middle, y - 3, 3.5, middle + 0.1, y + 3, 1.2, walls, 0.0, 5.0) == 0
    beside = door.bounds[0] - 0.5
    assert count_crossings(beside, y - 3, 3.5, beside + 0.1, y + 3, 1.2, walls, 0.0, 5.0) == 1


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
    heard = bare.hear_arrays([0], [[45.2, 16.7]], [PLAIN], np.random.default_rng(0))
    mean = bare.mean_dbm[0, bare.grid.cell_of([45.2, 16.7])][bare.transmitters.radio_of]
    assert heard.rssi_dbm.tolist() == np.rint(mean[heard.transmitter]).astype(int).tolist()
    assert set(np.flatnonzero(mean >= -91.0)) == set(heard.transmitter)


def test_offset_gain_and_sensitivity_act_as_stated(bare: RadioField) -> None:
    other = PhoneRadio(offset_db=6.0, gain=1.1, sensitivity_dbm=-80.0)
    heard = bare.hear_arrays([0, 0], [[45.5, 16.5]] * 2, [PLAIN, other], np.random.default_rng(0))
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
        heard = field.hear_arrays([0] * n, [[45.5, 16.5]] * n, [PLAIN] * n, np.random.default_rng(4))
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
    scans = world.survey_radio.hear(
        rng.integers(0, 3, n), rng.uniform((0, 0), (90, 54), (n, 2)), draw_phones(n, RadioSpec(), rng), rng
    )
    sizes = [len(scan) for scan in scans]
    assert 35 <= np.median(sizes) <= 60  # the table: 49
    for scan in scans[:50]:
        ids = [reading.transmitter for reading in scan]
        assert ids == sorted(set(ids))
    known = set(world.radio.transmitters.ids)
    strangers = [reading.transmitter for scan in scans for reading in scan if reading.transmitter not in known]
    assert len(strangers) / n == pytest.approx(1.5, abs=0.12)
    assert all(int(address[:2], 16) & 3 == 2 for address in strangers)
    assert len(set(strangers)) == len(strangers)


def test_the_field_drifts_by_its_deviation_and_keeps_what_is_never_heard(world: World) -> None:
    change = world.radio.mean_dbm - world.survey_radio.mean_dbm
    assert np.nanstd(change) == pytest.approx(3.0, rel=0.1)
    assert (np.isnan(world.radio.mean_dbm) == np.isnan(world.survey_radio.mean_dbm)).all()


def test_the_same_seed_gives_the_same_field(small_world: World) -> None:
    from_seed = make_radio_field(small_world.mall.venue, RadioSpec(), np.random.default_rng([7, 1]))
    assert from_seed.transmitters.ids == small_world.survey_radio.transmitters.ids
    assert np.array_equal(from_seed.mean_dbm, small_world.survey_radio.mean_dbm, equal_nan=True)
