"""A survey's quality as JSON and as one HTML page with its pictures inside; matplotlib is loaded when it is drawn."""

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jinja2
import msgspec
import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon

from fingerprints.coverage import CELL_M, NEAR_M, walkable_cells
from fingerprints.scan import LabelledScan
from positioning.forecast import ZoneProposal
from positioning.survey_quality import SurveyQuality
from venues.index import VenueIndex
from venues.model import Venue
from venues.pictures import draw_both, is_narrow, page_style
from venues.plan import draw_plan, path_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOUR_MAP = "YlOrRd"
_GAP = "#0072b2"
_HATCH = "////"
_LIMITS_M = (5.0, 12.0)
"""The colours' end: under 5 m all malls would look alike, and over 12 m every answer is another store's."""
_ZONES = ("#1b1b9c", "#006d5b", "#8e44ad", "#7a4b00", "#333333")
_MOST_POINTS = 4_000
_BEST_FIRST = 60


def quality_json(quality: SurveyQuality) -> dict[str, Any]:
    """The report as plain values: the counts at the top level, the rest below."""
    foreseen = quality.forecast
    expected: dict[str, Any] | None = None
    if foreseen is not None:
        expected = msgspec.to_builtins(foreseen)
        for store, row in zip(foreseen.stores, expected["stores"], strict=True):
            row["taken_for"] = [
                {"store_id": other, "store_name": name, "probability": share} for other, name, share in store.taken_for
            ]
        expected["by_distance"] = [] if quality.field is None else msgspec.to_builtins(quality.field.bands)
    return {
        **quality.counts.to_json(),
        "warnings": msgspec.to_builtins(quality.warnings),
        "next_steps": msgspec.to_builtins(quality.next_steps),
        "coverage": None if quality.coverage is None else msgspec.to_builtins(quality.coverage),
        "expected": expected,
    }


def quality_html(
    quality: SurveyQuality, survey: tuple[LabelledScan, ...], venue: Venue | None, *, venue_id: str
) -> str:
    """The page. Everything is inside: it can be sent to someone as it is."""
    text = files("runtime").joinpath("templates", "survey.html").read_text("utf-8")
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
    foreseen = quality.forecast
    stores = (
        []
        if foreseen is None
        else sorted(foreseen.stores, key=lambda store: (store.expected_top1 is not None, store.expected_top1 or 0.0))
    )
    ground = {} if quality.coverage is None else {store.store_id: store for store in quality.coverage.stores}
    return page.render(
        style=page_style(),
        name=venue_id if venue is None else venue.name,
        venue_id=venue_id,
        quality=quality,
        counts=quality.counts,
        coverage=quality.coverage,
        foreseen=foreseen,
        bands=() if quality.field is None else quality.field.bands,
        stores=stores[:_BEST_FIRST],
        n_stores=len(stores),
        ground=ground,
        covered=_covered_share(quality),
        near_m=NEAR_M,
        pictures=[] if venue is None else _pictures(quality, survey, venue),
        percent=lambda share: "–" if share is None else f"{100.0 * share:.0f} %",
        between=_between,
        metres=lambda value: "–" if value is None else f"{value:.1f} m",
    )


def _between(interval: tuple[float, float] | None, scale: float = 100.0, digits: int = 0) -> str:
    return "" if interval is None else f"{scale * interval[0]:.{digits}f} to {scale * interval[1]:.{digits}f}"


def _covered_share(quality: SurveyQuality) -> float | None:
    """Of all walkable ground."""
    if quality.coverage is None:
        return None
    levels = [level for level in quality.coverage.levels if level.covered_share is not None]
    total = sum(level.walkable_m2 for level in levels)
    return sum((level.covered_share or 0.0) * level.walkable_m2 for level in levels) / total if total else None


def _pictures(quality: SurveyQuality, survey: tuple[LabelledScan, ...], venue: Venue) -> list[tuple[str, str, str]]:
    """(title, wide, narrow) of each level that has an outline or stores."""
    index = VenueIndex(venue)
    most_m = _colour_limit_m(quality, venue, index)
    drawn = []
    for at, level in enumerate(venue.levels):
        shapes = [level.area, *(store.area for store in venue.stores if store.level_id == level.id)]
        bounds = np.array([shape.bounds for shape in shapes if not shape.is_empty])
        if not len(bounds):
            continue
        wide_m, high_m = bounds[:, 2:].max(axis=0) - bounds[:, :2].min(axis=0)
        ratio = float(np.clip(high_m / wide_m, 0.25, 1.6))

        def paint(figure: "Figure", at: int = at) -> None:
            _paint_level(figure, quality, survey, venue, index, at, most_m)

        drawn.append((level.short_name, *draw_both(10.8, 9.4 * ratio + 0.7, paint, 3.6 * ratio + 1.1)))
    return drawn


def _paint_level(
    figure: "Figure",
    quality: SurveyQuality,
    survey: tuple[LabelledScan, ...],
    venue: Venue,
    index: VenueIndex,
    at: int,
    most_m: float,
) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    ax: Axes = figure.subplots()
    level = venue.levels[at]
    draw_plan(ax, venue, at, names=not is_narrow(figure), values={})
    shades = ScalarMappable(Normalize(0.0, most_m), _COLOUR_MAP)
    ground = shapely.union_all(
        [index.walkable(level.id), *(store.area for store in venue.stores if store.level_id == level.id)]
    )
    cells_m, _ = walkable_cells(ground)
    expected_m = _expected_m(quality, venue, at, cells_m)
    _fill_cells(ax, cells_m[np.isfinite(expected_m)], shades.to_rgba(expected_m[np.isfinite(expected_m)]))
    points_m = _points_m(survey, venue, at)
    shown_m = points_m[:: max(1, len(points_m) // _MOST_POINTS)]
    ax.plot(shown_m[:, 0], shown_m[:, 1], ".", color="#111111", markersize=1.3, alpha=0.55, zorder=4.5)
    legend: list[Line2D | Patch] = [Line2D([], [], marker=".", color="#111111", linestyle="", label="survey scans")]
    far_m = _far_cells(index, level.id, points_m)
    if len(far_m):
        _hatch_cells(ax, far_m)
        label = f"no scan within {NEAR_M:g} m"
        legend.append(Patch(facecolor="none", edgecolor=_GAP, hatch=_HATCH, linewidth=0.8, label=label))
    zones = [] if quality.forecast is None else [z for z in quality.forecast.zones if z.level_id == level.id]
    if zones:
        _outline_zones(ax, venue, zones)
        legend.append(Line2D([], [], color=_ZONES[0], linewidth=2.2, label="taken for each other"))
    ax.legend(
        handles=legend, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncol=2 if is_narrow(figure) else 3, frameon=False
    )
    if np.isfinite(expected_m).any():
        if is_narrow(figure):
            figure.colorbar(
                shades, ax=ax, location="top", shrink=0.8, aspect=30, extend="max", label="expected error, m"
            )
        else:
            figure.colorbar(shades, ax=ax, shrink=0.7, aspect=25, extend="max", label="expected error, m")


def _fill_cells(ax: "Axes", cells_m: np.ndarray[Any, Any], colours: np.ndarray[Any, Any]) -> None:
    """Squares of ``CELL_M``, as one picture behind lines and names."""
    if not len(cells_m):
        return
    corner = cells_m.min(axis=0)
    at = np.rint((cells_m - corner) / CELL_M).astype(np.int64)
    image = np.zeros((at[:, 1].max() + 1, at[:, 0].max() + 1, 4))
    image[at[:, 1], at[:, 0]] = np.asarray(colours)
    west, south = corner - CELL_M / 2
    east, north = west + image.shape[1] * CELL_M, south + image.shape[0] * CELL_M
    limits = ax.get_xlim(), ax.get_ylim()
    ax.imshow(image, extent=(west, east, south, north), origin="lower", interpolation="nearest", zorder=3.5, alpha=0.75)
    ax.set_xlim(*limits[0])
    ax.set_ylim(*limits[1])


def _hatch_cells(ax: "Axes", cells_m: np.ndarray[Any, Any]) -> None:
    """Hatch the joined squares of these cells."""
    from matplotlib.patches import PathPatch

    low, high = cells_m - CELL_M / 2, cells_m + CELL_M / 2
    joined = shapely.union_all(shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1]))
    assert isinstance(joined, Polygon | MultiPolygon)
    ax.add_patch(PathPatch(path_of(joined), facecolor="none", edgecolor=_GAP, hatch=_HATCH, linewidth=0.8, zorder=4.2))


def _outline_zones(ax: "Axes", venue: Venue, zones: list[ZoneProposal]) -> None:
    areas = {store.id: store.area for store in venue.stores}
    for number, zone in enumerate(zones):
        for store_id in zone.store_ids:
            for ring in shapely.get_rings(shapely.get_parts(areas[store_id].buffer(-0.4))):
                xy_m = shapely.get_coordinates(ring)
                ax.plot(xy_m[:, 0], xy_m[:, 1], color=_ZONES[number % len(_ZONES)], linewidth=1.8, zorder=4.8)


def _expected_m(
    quality: SurveyQuality, venue: Venue, at: int, cells_m: np.ndarray[Any, Any]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    if quality.field is not None:
        for number, key in enumerate(quality.field.radio_map.levels):
            if key.level_id == venue.levels[at].id:
                return quality.field.at(cells_m, number)
    return np.full(len(cells_m), np.nan)


def _colour_limit_m(quality: SurveyQuality, venue: Venue, index: VenueIndex) -> float:
    """One scale for all levels: what all but one cell in fifty stays under."""
    found = [_expected_m(quality, venue, at, walkable_cells(index.walkable(level.id))[0]) for at, level in
             enumerate(venue.levels)]  # fmt: skip
    known = np.concatenate(found) if found else np.empty(0)
    known = known[np.isfinite(known)]
    return float(np.clip(np.ceil(np.quantile(known, 0.98)), *_LIMITS_M)) if len(known) else _LIMITS_M[1]


def _points_m(survey: tuple[LabelledScan, ...], venue: Venue, at: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    level = venue.levels[at]
    here = [
        (item.truth.lon_deg, item.truth.lat_deg)
        for item in survey
        if item.scan.readings and item.truth.level == level.short_name
        and (item.truth.building is None or level.building is None or item.truth.building == level.building)
    ]  # fmt: skip
    return venue.frame.to_xy_m(here) if here else np.empty((0, 2))


def _far_cells(
    index: VenueIndex, level_id: Any, points_m: np.ndarray[Any, Any]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    cells_m, _ = walkable_cells(index.walkable(level_id))
    if not len(points_m) or not len(cells_m):
        return cells_m
    tree = shapely.STRtree(np.asarray(shapely.points(points_m)))
    near = np.unique(tree.query(shapely.points(cells_m), predicate="dwithin", distance=NEAR_M)[0])
    return np.delete(cells_m, near, axis=0)
