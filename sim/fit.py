"""Fit the radio model to a real survey: what a scan holds, how strong, how old, and how alike two scans are.

The simulated phone walks where the surveyor walked, at the same moments. Parameters are chosen so that both hear
alike by the figures of ``likeness.py``, which know nothing of any locator. How well a locator then does is for
``benchmarks/fidelity.py`` to say, and is no part of the fit.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from fingerprints.scan import LabelledScan
from fingerprints.transmitters import is_beacon
from kernel.ids import TransmitterId
from sim.grid import CELL_M, make_grid
from sim.likeness import (
    LIKENESS_NAMES,
    HeardScans,
    Likeness,
    Protocol,
    as_scans,
    compare,
    places_before,
    placing_errors,
    protocol_of,
)
from sim.listening import Crowd, HearingTables, draw_phones, hear_at
from sim.radio import mean_at
from sim.radio_spec import RadioSpec
from sim.shadowing import shadowing_fields
from sim.transmitters import Transmitters, make_transmitters
from venues.model import Venue

_MIN_DETECTIONS = 5
_MANAGED_IDS = 8
_STRIPE = 64
_LOWEST_DBM = -125.0
PLACING_S = 60.0
"""How long a surveyor's error of place is kept. It cannot be much shorter at Xixi: between two marked points, 5.4 s
apart, the phone's own steps and the marks agree to 1.2 m on each axis, and what they differ by does not alternate, as
it would if each mark were off by itself (docs/simulation.md)."""
_STEP = 0.06
_MARGIN = 0.02
FITTED: tuple[tuple[str, float, float], ...] = (
    ("power_db", -15.0, 15.0),
    ("path_exponent", 1.6, 4.5),
    ("attenuation_db_per_m", 0.0, 1.0),
    ("wall_db", 0.0, 9.0),
    ("floor_db", 4.0, 40.0),
    ("shadowing_sd_db", 0.0, 10.0),
    ("shadowing_shared_sd_db", 0.0, 10.0),
    ("fading_sd_db", 0.0, 9.0),
    ("slow_sd_db", 0.0, 9.0),
    ("slow_s", 3.0, 180.0),
    ("carry_sd_db", 0.0, 9.0),
    ("device_offset_sd_db", 0.0, 9.0),
    ("hand_sd_db", 0.0, 6.0),
    ("body_db", 0.0, 15.0),
    ("walk_miss_ratio", 0.0, 0.5),
    ("radio_miss_ratio", 0.0, 0.5),
    ("miss_ratio", 0.0, 0.5),
    ("stale_ratio", 0.0, 1.0),
    ("edge_miss_ratio", 0.0, 1.0),
    ("soft_2_db", 0.0, 60.0),
    ("soft_5_db", 0.0, 60.0),
)
"""What is fitted, and within which bounds; ``power_db`` is added to the power of all radios at 1 m."""


@dataclass(frozen=True)
class Fit:
    """The parameters found, how they compare, and after how many trials."""

    spec: RadioSpec
    real: Likeness
    simulated: Likeness
    gap: float
    n_trials: int

    def parameters(self) -> dict[str, Any]:
        """All parameters of the radio model by name."""
        return asdict(self.spec)

    def likeness_rows(self) -> list[tuple[str, str, str]]:
        """What was compared, a figure a row: its name, the survey's, the simulation's."""
        return [
            (text, _listed(getattr(self.real, name)), _listed(getattr(self.simulated, name)))
            for name, text in LIKENESS_NAMES.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """For files: parameters, both sides' figures, the gap and the number of trials."""
        return {
            "parameters": self.parameters(),
            "survey": {name: value.tolist() for name, value in asdict(self.real).items()},
            "simulated": {name: value.tolist() for name, value in asdict(self.simulated).items()},
            "gap": self.gap,
            "n_trials": self.n_trials,
        }


def spec_for(venue: Venue, survey: Sequence[LabelledScan]) -> RadioSpec:
    """Where a fit begins: as many access points, ids and beacons as the survey heard, all else a guess.

    An access point of the mall's own sends many networks, whose addresses agree in their last three octets but for the
    last digit; eight or more make one. Of what is left every two addresses are one of a tenant's. A phone hears down to
    the survey's weakest readings, and what it lists as new is as old as there.
    """
    protocol, all_heard = protocol_of(survey, venue)
    weakest = float(np.percentile(all_heard.rssi_dbm, 0.5))
    since_ms = np.diff(protocol.at_ms, prepend=0)
    since_ms[np.diff(protocol.walk, prepend=-1) != 0] = 0
    is_new = all_heard.age_ms < np.repeat(since_ms, np.diff(all_heard.indptr))
    mean_age_ms = float(all_heard.age_ms[is_new].mean()) if is_new.any() else 0.0
    counts: dict[TransmitterId, int] = {}
    for item in survey:
        for reading in item.scan.readings:
            counts[reading.transmitter] = counts.get(reading.transmitter, 0) + 1
    heard = [name for name, n in counts.items() if n >= _MIN_DETECTIONS]
    addresses = [name for name in heard if not is_beacon(name) and not name.startswith("x-")]
    groups: dict[str, int] = {}
    for name in addresses:
        groups[name[9:16]] = groups.get(name[9:16], 0) + 1
    managed = [n for n in groups.values() if n >= _MANAGED_IDS]
    tenants = max(1, (len(addresses) - sum(managed)) // 2)
    area_m2 = sum(level.area.area for level in venue.levels)
    n_beacons = len(heard) - len(addresses)
    return RadioSpec(
        area_per_access_point_m2=area_m2 / tenants,
        max_ids_per_access_point=3,
        area_per_managed_m2=area_m2 / len(managed) if managed else float("inf"),
        managed_ids=int(np.median(managed)) if managed else 12,
        area_per_beacon_m2=area_m2 / n_beacons if n_beacons else float("inf"),
        wifi_2_power_1m_dbm=-30.0,
        wifi_5_power_1m_dbm=-34.0,
        sensitivity_dbm=(weakest, weakest),
        device_gain_sd=0.0,
        path_exponent=2.5,
        attenuation_db_per_m=0.05,
        wall_db=4.0,
        floor_db=30.0,
        shadowing_sd_db=1.5,
        shadowing_length_m=15.0,
        shadowing_shared_sd_db=5.0,
        fading_sd_db=2.5,
        frame_sd_db=1.0,
        slow_sd_db=2.0,
        slow_s=60.0,
        carry_sd_db=1.5,
        hand_sd_db=1.0,
        body_db=2.0,
        walk_miss_ratio=0.02,
        radio_miss_ratio=0.02,
        miss_ratio=0.02,
        edge_miss_ratio=0.95,
        soft_2_db=16.0,
        soft_5_db=3.0,
        stale_ratio=0.95,
        mean_age_ms=mean_age_ms,
        hotspots_per_scan=0.0,
    )


class Stage:
    """A venue's radios heard along a protocol, with any parameters: the geometry is computed once."""

    def __init__(
        self, venue: Venue, protocol: Protocol, spec: RadioSpec, seed: int, *, placing_sd_m: float = 0.0
    ) -> None:
        rng = np.random.default_rng([seed, 0])
        self.protocol, self.spec, self.seed = protocol, spec, seed
        grid = make_grid(venue)
        self.transmitters: Transmitters = make_transmitters(venue, spec, rng)
        masts, first = np.unique(self.transmitters.radio_mast, return_index=True)
        self._mast = np.unique(self.transmitters.radio_mast, return_inverse=True)[1]
        self._heard_xy_m = places_before(protocol, spec.mean_age_ms)
        if placing_sd_m > 0.0:
            self._heard_xy_m += placing_errors(protocol, placing_sd_m, PLACING_S, np.random.default_rng([seed, 3]))
        xyz_m, none = self.transmitters.radio_xyz_m[first], np.zeros(len(masts))
        free = replace(spec, path_exponent=0.0, attenuation_db_per_m=0.0, wall_db=0.0, floor_db=0.0, atrium_db=0.0)

        def count(one: RadioSpec) -> NDArray[np.float32]:
            return -mean_at(venue, grid, one, xyz_m, none, protocol.level_index, self._heard_xy_m, -np.inf)

        self._walls = count(replace(free, wall_db=1.0))
        self._slabs = count(replace(free, floor_db=1.0, atrium_db=spec.atrium_db / spec.floor_db))
        self._metres = count(replace(free, attenuation_db_per_m=1.0))
        self._shadow = np.empty_like(self._walls)
        self._shared = np.zeros(len(protocol.walk), dtype=np.float32)
        cell = grid.cell_of(self._heard_xy_m)
        for level in range(grid.n_levels):
            here = np.flatnonzero(protocol.level_index == level)
            for low in range(0, len(masts) if len(here) else 0, _STRIPE):
                stripe = slice(low, min(low + _STRIPE, len(masts)))
                n = stripe.stop - stripe.start
                fields = shadowing_fields(n, grid.nx, grid.ny, CELL_M, 1.0, spec.shadowing_length_m, rng)
                self._shadow[here, stripe] = fields.reshape(n, -1)[:, cell[here]].T
            shared = shadowing_fields(1, grid.nx, grid.ny, CELL_M, 1.0, spec.shadowing_shared_length_m, rng)
            self._shared[here] = shared.reshape(-1)[cell[here]]

    def hear(self, spec: RadioSpec, power_db: float = 0.0) -> HeardScans:
        """What the surveyors' phones, one a walk, hear at each place of the protocol."""
        of_mast = (
            spec.shadowing_sd_db * self._shadow
            - 10.0 * spec.path_exponent * np.log10(self._metres + 1.0)
            - spec.attenuation_db_per_m * self._metres
            - spec.wall_db * self._walls
            - spec.floor_db * self._slabs
            + (spec.shadowing_shared_sd_db * self._shared)[:, None]
        )
        mean = of_mast[:, self._mast] + (self.transmitters.power_1m_dbm + power_db).astype(np.float32)
        mean[mean < _LOWEST_DBM] = np.nan
        protocol, n_walks = self.protocol, int(self.protocol.walk.max()) + 1
        heard = hear_at(
            HearingTables.of(mean, self._heard_xy_m, self.transmitters, spec),
            spec,
            np.arange(len(mean), dtype=np.int64),
            Crowd(draw_phones(n_walks, spec, np.random.default_rng([self.seed, 2])), self.seed),
            np.random.default_rng([self.seed, 1]),
            who=protocol.walk,
            at_ms=protocol.at_ms,
            facing_rad=protocol.facing_rad,
        )
        return as_scans(heard, self.transmitters)


def fit_radio(
    venue: Venue,
    survey: Sequence[LabelledScan],
    start: RadioSpec,
    *,
    placing_sd_m: float = 0.0,
    seed: int = 1,
    trials: int = 150,
    progress: Callable[[int, float], None] | None = None,
) -> Fit:
    """Choose the parameters of ``FITTED`` so that simulated scans are like the survey's.

    Least squares over the figures' differences by the trust region reflective method (Branch, Coleman and Li 1999),
    with slopes by finite steps of 6 % of each range: draws are the same in all trials, so figures follow smoothly.

    Args:
        start: densities, ids and all that is not fitted; the first trial.
        trials: about so many; one more than there are parameters for each step.
        progress: told the number of trials done and the least gap so far.
    """
    protocol, heard = protocol_of(survey, venue)
    real = compare(protocol, heard)
    stage = Stage(venue, protocol, start, seed, placing_sd_m=placing_sd_m)
    low, high = (np.array([bound[i] for bound in FITTED], dtype=np.float64) for i in (1, 2))
    best: tuple[float, NDArray[np.float64], Likeness] | None = None
    n = 0

    def differences(x: NDArray[np.float64]) -> NDArray[np.float64]:
        nonlocal best, n
        found = compare(protocol, stage.hear(*_with(start, low + x * (high - low))))
        value = real.gap(found)
        n += 1
        if best is None or value < best[0]:
            best = (value, low + x * (high - low), found)
        if progress is not None:
            progress(n, best[0])
        return real.differences(found)

    first = np.array([0.0 if name == "power_db" else getattr(start, name) for name, _, _ in FITTED])
    x = np.clip((first - low) / (high - low), _MARGIN, 1.0 - _MARGIN)
    least_squares(differences, x, bounds=(0.0, 1.0), diff_step=_STEP, max_nfev=max(1, trials // (len(x) + 1)))
    assert best is not None
    spec, power_db = _with(start, best[1])
    return Fit(_louder(spec, power_db), real, best[2], best[0], n)


def _with(start: RadioSpec, x: NDArray[np.float64]) -> tuple[RadioSpec, float]:
    values = {name: float(value) for (name, _, _), value in zip(FITTED, x, strict=True)}
    power_db = values.pop("power_db")
    return replace(start, **values), power_db  # type: ignore[arg-type]


def _louder(spec: RadioSpec, power_db: float) -> RadioSpec:
    names = ("wifi_2_power_1m_dbm", "wifi_5_power_1m_dbm", "wifi_6_power_1m_dbm", "beacon_power_1m_dbm")
    changes: dict[str, Any] = {name: getattr(spec, name) + power_db for name in names}
    return replace(spec, **changes)


def _listed(values: NDArray[np.float64]) -> str:
    return "  ".join(f"{value:.2f}" if abs(value) < 2 else f"{value:.0f}" for value in values.tolist())
