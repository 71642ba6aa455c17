"""Does ``survey report`` tell the truth? ``python -m benchmarks.survey_truth [--seeds 303 304 305] [--xixi FOLDER]``.

What is expected from the survey alone beside what shoppers of other phones then get: top-1 by level and store, the
stores that are taken for each other, and the error by place. ``full`` is the usual survey (45 scans a store by three
phones), ``sparse`` 12 scans a store, ``holes`` the full one without every fifth store, ``once`` one walk of 15 scans a
store. Xixi: the survey walks alone are judged; the test walks are those of docs/algorithms/positioning.md.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import spearmanr

from benchmarks.positioning.splits import is_test_walk
from fingerprints.scan import LabelledScan
from kernel.ids import StoreId, VenueId
from positioning.evaluate import TruthIn, read_truth
from positioning.expected_error import learn_error_field
from positioning.forecast import Forecast, forecast
from positioning.light import LightLocator
from positioning.radio_map import RadioMap
from positioning.train import train_venue
from sim.dates import FIRST_DAY, SURVEY_DAY
from sim.export import shopper_scans
from sim.world import World, make_world
from venues.model import Venue

F64 = NDArray[np.float64]
_LEAST_SCANS = 15
_CELL_M = 8.0
_LEAST_IN_CELL = 8


@dataclass(frozen=True)
class Outcome:
    """Expected and true, one survey; correlations are Spearman's."""

    foreseen: Forecast
    top1: float
    error_m: float
    levels: list[tuple[str, float, float, float, float]]
    n_stores: int
    store_correlation: float
    missed_top1: float | None
    all_stores: float
    listed_share: float
    zones: tuple[float, float, float, float]
    field_m: float
    cell_correlation: float
    n_cells: int
    bands: list[tuple[float, int, float, float, float]]


def compare(survey: Sequence[LabelledScan], venue: Venue, test: Sequence[LabelledScan]) -> Outcome:
    """Judge the survey, then locate the test scans and count."""
    trained = train_venue(survey, venue, venue_id=VenueId("v"))
    model, held = trained.model, trained.held_out
    foreseen = forecast(held, model.radio_map.levels, venue, rng=np.random.default_rng(1))
    by_inside = foreseen.judged == "inside"
    field = learn_error_field(model.radio_map, held, held.inside if by_inside else held.front)
    told = read_truth(model, test)
    truth = told.inside if by_inside else told.front
    located = LightLocator((model,)).locate([item.scan for item in test])
    number = {store.id: i for i, store in enumerate(venue.stores)}
    first = np.array(
        [number[x.position.candidates[0].store_id] if x.position and x.position.candidates else -1 for x in located]
    )
    lon_lat = [(x.position.lon_deg, x.position.lat_deg) if x.position else (np.nan, np.nan) for x in located]
    error_m = np.linalg.norm(model.radio_map.frame.to_xy_m(lon_lat) - told.xy_m, axis=1)
    known, is_right = truth >= 0, first == truth
    n = np.bincount(truth[known], minlength=len(number))
    share = np.bincount(truth[known], weights=is_right[known], minlength=len(number)) / np.maximum(n, 1)
    rows = [i for i, store in enumerate(foreseen.stores) if n[i] >= _LEAST_SCANS and store.n > 0]
    missed = [i for i, store in enumerate(foreseen.stores) if n[i] > 0 and store.n == 0]
    listed = [{number[other] for other, _, _ in store.taken_for} for store in foreseen.stores]
    wrong = np.flatnonzero(known & ~is_right & (first >= 0))
    expected_m = np.full(len(test), np.nan)
    for level in range(len(model.radio_map.levels)):
        at = np.flatnonzero(told.level == level)
        expected_m[at] = field.at(told.xy_m[at], level)
    cells = _by_cell(told.level, told.xy_m, expected_m, error_m)
    return Outcome(
        foreseen,
        float(is_right[known].mean()),
        float(np.nanmean(error_m)),
        _levels(foreseen, [key.short_name for key in model.radio_map.levels], told.level, known, is_right, error_m),
        len(rows),
        _rank([foreseen.stores[i].expected_top1 or 0.0 for i in rows], share[rows].tolist()),
        float((share[missed] * n[missed]).sum() / n[missed].sum()) if missed else None,
        float(share[n > 0].mean()),
        float(np.mean([first[i] in listed[truth[i]] for i in wrong])),
        _zones(foreseen, number, truth, first),
        float(np.nanmean(expected_m)),
        _rank(cells[0].tolist(), cells[1].tolist()),
        len(cells[0]),
        _by_distance(model.radio_map, told, expected_m, error_m, np.where(known, is_right, np.nan)),
    )


def _levels(
    foreseen: Forecast,
    names: list[str | None],
    level: NDArray[np.int32],
    known: NDArray[np.bool_],
    is_right: NDArray[np.bool_],
    error_m: F64,
) -> list[tuple[str, float, float, float, float]]:
    out = []
    for row in foreseen.levels:
        here = level == names.index(row.level)
        if row.expected.top1 is not None and row.expected.error_m is not None and (here & known).any():
            found = float(is_right[here & known].mean()), float(np.nanmean(error_m[here]))
            out.append((row.level or "", row.expected.top1, found[0], row.expected.error_m, found[1]))
    return out


def _zones(
    foreseen: Forecast, number: dict[StoreId, int], truth: NDArray[np.int32], first: NDArray[np.int64]
) -> tuple[float, float, float, float]:
    """Expected and true shares of the right store, then of the right zone, over all zones' scans."""
    rows = []
    for zone in foreseen.zones:
        members = [number[store_id] for store_id in zone.store_ids]
        at = np.isin(truth, members)
        if at.sum() >= _LEAST_SCANS:
            hit, within = float((first[at] == truth[at]).mean()), float(np.isin(first[at], members).mean())
            rows.append((zone.p_store, hit, zone.p_zone, within))
    if not rows:
        return (np.nan,) * 4
    a, b, c, d = np.mean(rows, axis=0).tolist()
    return a, b, c, d


def _by_cell(level: NDArray[np.int32], xy_m: F64, expected_m: F64, error_m: F64) -> tuple[F64, F64]:
    usable = np.isfinite(expected_m) & np.isfinite(error_m)
    key = np.column_stack([level, np.floor(xy_m / _CELL_M)])[usable]
    _, cell = np.unique(key, axis=0, return_inverse=True)
    n = np.bincount(cell)
    many = n >= _LEAST_IN_CELL
    means = [np.bincount(cell, weights=values[usable])[many] / n[many] for values in (expected_m, error_m)]
    return means[0], means[1]


def _by_distance(
    radio_map: RadioMap, told: TruthIn, expected_m: F64, error_m: F64, is_right: F64
) -> list[tuple[float, int, float, float, float]]:
    """By the distance to the nearest survey scan of the level: from, scans, errors expected and true, top-1."""
    near_m = np.full(len(error_m), np.nan)
    for level in range(len(radio_map.levels)):
        at, survey_m = np.flatnonzero(told.level == level), radio_map.xy_m[radio_map.level == level]
        if len(at) and len(survey_m):
            near_m[at] = cKDTree(survey_m).query(told.xy_m[at])[0]
    out = []
    for low, high in pairwise((0.0, 1.0, 2.0, 4.0, 6.0, 9.0, 14.0, np.inf)):
        here = (near_m >= low) & (near_m < high) & np.isfinite(error_m) & np.isfinite(expected_m)
        if here.sum() >= _LEAST_SCANS:
            right = is_right[here & np.isfinite(is_right)]
            share = float(right.mean()) if len(right) else np.nan
            out.append((low, int(here.sum()), float(expected_m[here].mean()), float(error_m[here].mean()), share))
    return out


def _rank(one: Sequence[float], other: Sequence[float]) -> float:
    return float(spearmanr(one, other)[0]) if len(one) > 2 else float("nan")


def surveys_of(world: World) -> dict[str, list[LabelledScan]]:
    """The surveys that are compared, of one mall."""
    full = world.survey()
    n = world.graph.n_stores
    left_out = np.random.default_rng(world.seed).choice(n, n // 5, replace=False)
    gone = {f"store-{store}-{phone}" for store in left_out for phone in range(3)}
    return {
        "full": full,
        "sparse": world.survey(scans_per_store=12),
        "holes": [item for item in full if item.walk not in gone],
        "once": world.survey(phones=1, scans_per_store=15),
    }


def tell(name: str, found: Outcome) -> None:
    """Print one survey's outcome."""
    foreseen = found.foreseen
    assert foreseen.all.top1 is not None
    assert foreseen.all.top1_interval is not None
    low, high = foreseen.all.top1_interval
    missed = "" if found.missed_top1 is None else f"; in stores not surveyed {found.missed_top1:.2f}"
    print(
        f"{name}: top-1 expected {foreseen.all.top1:.3f} [{low:.3f}, {high:.3f}] true {found.top1:.3f}{missed}; over "
        f"all stores {foreseen.top1_all_stores:.3f} true {found.all_stores:.3f}; error {foreseen.all.error_m:.2f} by "
        f"place {found.field_m:.2f} true {found.error_m:.2f} m"
    )
    print(
        f"    stores: correlation {found.store_correlation:.2f} ({found.n_stores}); places of {_CELL_M:g} m: "
        f"{found.cell_correlation:.2f} ({found.n_cells}); wrong answers that were listed {found.listed_share:.2f}; "
        f"{len(foreseen.zones)} zones: store {found.zones[0]:.2f} true {found.zones[1]:.2f}, zone {found.zones[2]:.2f} "
        f"true {found.zones[3]:.2f}"
    )
    for low, n, expected_m, true_m, top1 in found.bands:
        print(f"    {low:g} m or more off: {n} scans, error {expected_m:.1f} true {true_m:.1f}; {top1:.2f}")
    for level, top1, true_top1, error_m, true_m in found.levels:
        print(
            f"    {level}: top-1 {top1:.3f} true {true_top1:.3f}, error {error_m:.2f} true {true_m:.2f} m", flush=True
        )


def _xixi(folder: Path) -> None:
    from runtime.survey_files import SurveyFormat, read_survey
    from runtime.venue_files import VenueFormat, read_map
    from venues.build import build_venue

    venue = build_venue(read_map(folder, VenueFormat.XYZ10, lenient=True).archive, VenueId("xixi"))
    scans = read_survey(folder, SurveyFormat.XYZ10).scans
    is_test = [is_test_walk(item.walk or "") for item in scans]
    survey = [s for s, test in zip(scans, is_test, strict=True) if not test]
    tell("xixi", compare(survey, venue, [s for s, test in zip(scans, is_test, strict=True) if test]))


def main() -> None:
    """Print each mall's surveys, expected beside true."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, nargs="*", default=[303, 304, 305])
    arguments.add_argument("--shoppers", type=int, default=40)
    arguments.add_argument("--xixi", type=Path)
    arguments.add_argument("--aged", action="store_true", help="six weeks later, after radios aged")
    asked = arguments.parse_args()
    if asked.xixi is not None:
        _xixi(asked.xixi)
    for seed in asked.seeds:
        world = make_world(seed)
        test = list(shopper_scans(world, n_shoppers=asked.shoppers, on=FIRST_DAY if asked.aged else SURVEY_DAY))[::2]
        for name, survey in surveys_of(world).items():
            tell(f"{seed} {name}", compare(survey, world.mall.venue, test))


if __name__ == "__main__":
    main()
