"""A survey's quality as lines and tables for a person."""

from typing import TYPE_CHECKING

from rich.markup import escape

from runtime.cli.terminal import out, print_table, say

if TYPE_CHECKING:
    from positioning.survey_quality import SurveyQuality

_SHOWN = 20


def print_quality(quality: "SurveyQuality") -> None:
    """Warnings on standard error; counts, expectations, confusable stores and next steps on standard output."""
    counts, foreseen, coverage = quality.counts, quality.forecast, quality.coverage
    for warning in quality.warnings:
        say(f"[yellow]{warning.code.value}:[/] {escape(warning.text)}")
    out.print(
        f"{counts.n_scans} scans ({counts.n_without_readings} without readings), {counts.n_walks} walks, "
        f"{counts.n_phones} phones, {counts.n_transmitters} transmitters ({counts.n_transmitters_heard_once} heard "
        f"once), {counts.readings_per_scan:.1f} readings a scan; {len(counts.never_surveyed)} of {len(counts.stores)} "
        "stores without a scan in or before them"
    )
    if coverage is not None:
        rows = [
            (x.level, x.n_scans, x.n_walks, f"{x.walkable_m2:.0f}", _percent(x.covered_share)) for x in coverage.levels
        ]
        print_table("Ground", ("level", "scans", "walks", "walkable m²", "covered"), rows, "no level")
    if foreseen is not None:
        expected = [("all", foreseen.all, foreseen.top1_all_stores)]
        expected += [(row.level or "–", row.expected, row.top1_all_stores) for row in foreseen.levels]
        told = [
            (
                name,
                row.n,
                _with(_percent(row.top1), row.top1_interval, 100.0, 0),
                _percent(row.top3),
                _percent(every),
                _with(None if row.error_m is None else f"{row.error_m:.1f}", row.error_interval_m, 1.0, 1),
            )
            for name, row, every in expected
        ]
        columns = ("level", "held-out scans", "right store first", "first three", "over all stores", "error, m")
        print_table("Expected of single scans", columns, told, "nothing could be held out")
        zones = [
            (zone.level, ", ".join(zone.store_names), zone.n, _percent(zone.p_store), _percent(zone.p_zone))
            for zone in foreseen.zones[:_SHOWN]
        ]
        title = "Stores that will be taken for each other"
        print_table(title, ("level", "stores", "scans", "store", "zone"), zones, f"{title}: none found")
    steps = [(step.level, step.place, step.why) for step in quality.next_steps[:_SHOWN]]
    print_table("Where to survey more", ("level", "place", "why"), steps, "Where to survey more: nowhere in particular")


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.0f} %"


def _with(value: str | None, interval: tuple[float, float] | None, scale: float, digits: int) -> str | None:
    if value is None or interval is None:
        return value
    return f"{value} [{scale * interval[0]:.{digits}f}, {scale * interval[1]:.{digits}f}]"
