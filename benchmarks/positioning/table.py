"""The one table: a method a row, figures with interval, seeds and difference; what a method cannot give is empty."""

from collections.abc import Sequence
from typing import Any

from benchmarks.positioning.bootstrap import Estimate
from benchmarks.positioning.measure import Measured

_SHARES = (
    ("store_top1_percent", "top-1 %"),
    ("store_top3_percent", "top-3 %"),
    ("building_percent", "building %"),
    ("level_percent", "level %"),
)
_WITH_DIFFERENCE = {"store_top1_percent", "level_percent", "error_m_mean"}
_SPREADS = (("error_m_p50", "median"), ("error_m_p75", "75th"), ("error_m_p95", "95th"))


def to_rows(measured: Sequence[Measured]) -> tuple[list[str], list[list[str]]]:
    """Column names and cells. A column that no method fills is left out.

    A cell reads ``mean ± sd over seeds [95 % over walks]``; a column ``vs`` is the paired difference from the
    reference.
    """
    columns: list[tuple[str, list[str]]] = [("method", [_named(item) for item in measured])]
    for key, title in _SHARES:
        columns += _with_interval(measured, key, title, 1)
    columns += _with_interval(measured, "error_m_mean", "mean m", 2)
    columns += [(title, [_plain(item.figures[key], 2) for item in measured]) for key, title in _SPREADS]
    columns.append(("ECE", [_plain(item.figures["ece"], 3) for item in measured]))
    columns.append(("fit s", [_rough(item.fit_s) for item in measured]))
    columns.append(("µs/scan", [_rough(item.us_per_scan) for item in measured]))
    filled = [(title, cells) for title, cells in columns if any(cells)]
    return [title for title, _ in filled], [list(row) for row in zip(*(cells for _, cells in filled), strict=True)]


def to_markdown(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    """The table as GitHub shows it."""
    lines = [f"**{title}**", "", _line(columns), _line(["---"] * len(columns)), *(_line(row) for row in rows)]
    return "\n".join([*lines, "", *notes])


def to_json(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """All figures, plain values only; None where a method has none."""
    return [
        {
            "method": item.name,
            "seeds": list(item.seeds) or None,
            "n": item.n,
            "n_with_store": item.n_with_store,
            "answered": item.n_answered,
            **item.figures,
            "fit_s": item.fit_s,
            "us_per_scan": item.us_per_scan,
            "seed_sd": dict(item.seed_sd) if len(item.seeds) > 1 else None,
            "interval": {key: _ends(value) for key, value in item.interval.items()},
            "vs_reference": {
                key: None if value is None else {"mean": value.mean, "interval": _ends(value)}
                for key, value in item.difference.items()
            },
        }
        for item in measured
    ]


def _with_interval(measured: Sequence[Measured], key: str, title: str, digits: int) -> list[tuple[str, list[str]]]:
    told = [_told(item.interval[key], item.seed_sd[key], digits) for item in measured]
    if key not in _WITH_DIFFERENCE or len(measured) < 2:
        return [(title, told)]
    versus = ["" if at == 0 else _told(item.difference[key], None, digits, "+") for at, item in enumerate(measured)]
    return [(title, told), (f"vs {measured[0].name}", versus)]


def _told(value: Estimate | None, seed_sd: float | None, digits: int, sign: str = "") -> str:
    if value is None:
        return ""
    sd = "" if seed_sd is None else f" ± {seed_sd:.{digits}f}"
    if value.low is None or value.high is None:
        return f"{value.mean:{sign}.{digits}f}{sd}"
    ends = f"[{value.low:{sign}.{digits}f}, {value.high:{sign}.{digits}f}]"
    return f"{value.mean:{sign}.{digits}f}{sd} {ends}"


def _named(item: Measured) -> str:
    return f"{item.name} ({len(item.seeds)} seeds)" if len(item.seeds) > 1 else item.name


def _plain(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _rough(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def _ends(value: Estimate | None) -> list[float] | None:
    return None if value is None or value.low is None or value.high is None else [value.low, value.high]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
