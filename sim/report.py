"""A run as a page that can be looked at: one HTML file with its pictures inside, and the same figures as JSON.

Pictures are drawn with matplotlib as SVG, which is loaded when a report is made and not before.
"""

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from numpy.typing import NDArray

from sim.figures import DEFINITIONS, KINDS, errors_m, figures, may_be_kept
from sim.outcome import ROGUE, join
from sim.run import Run
from venues.pictures import draw_both, is_narrow, page_style
from venues.plan import draw_plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#555555")
_KIND_NAMES = {
    "maker": "phone maker, 10 s",
    "android_foreground": "Android, in front",
    "android_background": "Android, behind",
    "iphone": "iPhone, beacons",
}
_LEAST_SCANS = 20
_HOUR_S = 3_600.0
_FAR_M = 30.0


def report_html(run: Run, found: dict[str, Any] | None = None) -> str:
    """The report. Everything is inside: it can be sent to someone as it is."""
    known = figures(run) if found is None else found
    pictures = [
        ("How far off", "Share of answered scans within so many metres of the true place.", _errors(run)),
        ("Right store, hour by hour", "Of scans truly in a store, the share whose first candidate is that store.",
         _hours(run)),
        ("Where it is right", f"The same share by store, over all days of the first mall; pale: under {_LEAST_SCANS} "
         "scans.", _plans(run)),
        ("Footfall, true and counted", "Each dot is a store: its true stays by phones that allow visits, and the "
         "visits counted.", _footfall(run)),
    ]  # fmt: skip
    text = files("sim").joinpath("templates", "report.html").read_text("utf-8")
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
    return page.render(
        style=page_style(),
        run=run,
        scenario=run.scenario,
        found=known,
        pictures=[(title, text, drawn) for title, text, drawn in pictures if drawn is not None],
        definitions=DEFINITIONS,
        names=_KIND_NAMES,
        percent=_percent,
        metres=lambda values: "–" if values is None else " / ".join(f"{value:.1f}" for value in values),
    )


def _percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{100.0 * share:.{digits}f} %"


def _phones(run: Run) -> NDArray[np.void]:
    scans = join(run.days, "scans")
    found: NDArray[np.void] = scans[(scans["kind"] != ROGUE) & (scans["reason"] == 0)]
    return found


def _errors(run: Run) -> tuple[str, str] | None:
    scans = _phones(run)
    if not len(scans):
        return None

    def paint(figure: "Figure") -> None:
        ax: Axes = figure.subplots()
        for kind, name in enumerate(KINDS[:ROGUE]):
            error_m = np.sort(errors_m(scans[scans["kind"] == kind]))
            if len(error_m) >= _LEAST_SCANS:
                at = np.linspace(0, len(error_m) - 1, 200).astype(np.int64)
                ax.plot(
                    error_m[at], 100.0 * (at + 1) / len(error_m), color=_COLOURS[kind],
                    label=f"{_KIND_NAMES[name]} ({len(error_m):,} scans)",
                )  # fmt: skip
        ax.set(xlim=(0, _FAR_M), ylim=(0, 100), xlabel="metres", ylabel="% of answered scans")
        ax.grid(alpha=0.3)
        if is_narrow(figure):
            ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.0)
        else:
            ax.legend(frameon=False, loc="lower right")

    return draw_both(7.2, 3.6, paint, 3.9)


def _hours(run: Run) -> tuple[str, str] | None:
    scans = _phones(run)
    scans = scans[scans["store"] >= 0]
    if not len(scans):
        return None
    hour = scans["day"].astype(np.int64) * 24 + (scans["at_s"] // _HOUR_S).astype(np.int64)
    right = scans["front"] == scans["store"]
    slots, slot = np.unique(hour, return_inverse=True)
    n, hits = np.bincount(slot), np.bincount(slot, weights=right)
    keep = n >= _LEAST_SCANS
    opens = run.scenario.mall.opens_hour

    def paint(figure: "Figure") -> None:
        ax: Axes = figure.subplots()
        at = np.arange(len(slots))[keep]
        ax.plot(at, 100.0 * hits[keep] / n[keep], color=_COLOURS[0], marker="o", markersize=3)
        days = slots // 24
        if run.scenario.days == 1:
            ax.set_xticks(range(len(slots)), [f"{opens + int(one) % 24}:00" for one in slots], rotation=45)
        else:
            first = np.flatnonzero(np.diff(days, prepend=-1))
            ax.set_xticks(first, [f"day {int(days[i]) + 1}" for i in first])
        ax.set(ylim=(0, 100), ylabel="% right store")
        ax.grid(alpha=0.3)

    return draw_both(7.2, 3.0, paint, 2.8)


def _plans(run: Run) -> tuple[str, str] | None:
    scans = _phones(run)
    scans = scans[(scans["mall"] == 0) & (scans["store"] >= 0)]
    venue = run.venue
    n = np.bincount(scans["store"], minlength=len(venue.stores))
    hits = np.bincount(scans["store"], weights=scans["front"] == scans["store"], minlength=len(venue.stores))
    values = {
        store.id: float(hits[i] / n[i]) for i, store in enumerate(venue.stores) if n[i] >= _LEAST_SCANS
    }  # fmt: skip
    if not values:
        return None

    def paint(figure: "Figure") -> None:
        columns = 1 if is_narrow(figure) or len(venue.levels) == 1 else 2
        axes = np.atleast_1d(figure.subplots(-(-len(venue.levels) // columns), columns)).ravel()
        shade = None
        for i, ax in enumerate(axes):
            if i < len(venue.levels):
                shade = draw_plan(ax, venue, i, names=False, values=values) or shade
                ax.set_title(venue.levels[i].short_name)
            else:
                ax.set_axis_off()
        if shade is not None:
            if is_narrow(figure):
                figure.colorbar(shade, ax=axes.tolist(), shrink=0.8, aspect=30, label="share right", location="top")
            else:
                figure.colorbar(shade, ax=axes.tolist(), shrink=0.6, label="share right")

    n_levels = len(venue.levels)
    return draw_both(7.6, 2.6 * -(-n_levels // 2), paint, 2.4 * n_levels + 0.7)


def _footfall(run: Run) -> tuple[str, str] | None:
    true, said = join(run.days, "true_visits"), join(run.days, "said_visits")
    true = true[may_be_kept(run, true)]
    said = said[said["is_counted"] & (said["kind"] != ROGUE)]
    if not len(true):
        return None
    n = max(int(true["store"].max(initial=0)), int(said["store"].max(initial=0))) + 1
    key_true = true["mall"].astype(np.int64) * n + true["store"]
    key_said = said["mall"].astype(np.int64) * n + said["store"]
    size = n * run.scenario.malls
    x, y = np.bincount(key_true, minlength=size), np.bincount(key_said, minlength=size)
    keep = (x + y) > 0

    def paint(figure: "Figure") -> None:
        ax: Axes = figure.subplots()
        most = float(max(x.max(), y.max(), 1))
        ax.plot([0, most], [0, most], color="#999999", linewidth=1, label="as many as there were")
        ax.scatter(x[keep], y[keep], s=14, color=_COLOURS[0], alpha=0.7)
        ax.set(xlabel="true stays", ylabel="visits counted")
        ax.grid(alpha=0.3)
        ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.0)

    return draw_both(5.2, 3.8, paint, 3.2)
